// The probes of a controller process (CP-7): GET /health and /readiness answer 200, and 500 once it
// is about to end. Nothing else is served here.

import http from 'node:http';
import type { AddressInfo } from 'node:net';

const PATHS = new Set(['/health', '/readiness', '/']);

export class HealthServer {
  readonly #server: http.Server;
  #isEnding = false;

  constructor() {
    this.#server = http.createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://probe').pathname;
      response.statusCode = this.#isEnding ? 500 : 200;
      if (!PATHS.has(path)) response.statusCode = 404;
      response.end();
    });
  }

  /** Resolves with the port; rejects when it is taken. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** From now on the probes fail. */
  end(): void {
    this.#isEnding = true;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
