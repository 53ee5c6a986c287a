// A pod for tests of roles that send requests to pods: a real node:http server on loopback that
// answers sidecar probes, counts what runs at once and remembers every request's id.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export class FakePod {
  /** What `GET /healthz` with K-Network-Probe answers; false = 503. */
  isReady = true;
  running = 0;
  maxRunning = 0;
  /** The `x-id` of every request, in order of arrival. */
  readonly ids: string[] = [];
  /** The newest request, for looking at its headers. */
  last: IncomingMessage | null = null;
  /** Bytes of request bodies received. */
  bodyBytes = 0;
  /** Body of every answer. */
  readonly name: string;
  readonly #server: Server;
  readonly #hold: (() => Promise<void>) | undefined;

  private constructor(name: string, hold: (() => Promise<void>) | undefined) {
    this.name = name;
    this.#hold = hold;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.keepAliveTimeout = 0;
    // Any protocol is accepted and its bytes come back.
    this.#server.on('upgrade', (request, socket) => {
      const agreed = `Connection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${agreed}`);
      socket.on('error', () => socket.destroy());
      socket.pipe(socket);
    });
  }

  /** `hold` is awaited by each request before it is answered. */
  static async start(name: string, hold?: () => Promise<void>, port = 0): Promise<FakePod> {
    const pod = new FakePod(name, hold);
    pod.#server.listen(port, '127.0.0.1');
    await once(pod.#server, 'listening');
    return pod;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resets every connection and stops listening, like kill -9. */
  kill(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers['k-network-probe'] === 'queue') {
      response.writeHead(this.isReady ? 200 : 503).end(this.isReady ? 'queue' : '');
      return;
    }
    this.last = request;
    this.ids.push(String(request.headers['x-id'] ?? ''));
    this.running += 1;
    this.maxRunning = Math.max(this.maxRunning, this.running);
    for await (const chunk of request) this.bodyBytes += (chunk as Buffer).length;
    await this.#hold?.();
    this.running -= 1;
    response.end(this.name);
  }
}
