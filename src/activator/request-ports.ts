// The activator's listeners (ACT-1 to ACT-3): one for revisions that speak HTTP/1, one for h2c, both
// with the same handler and each speaking either protocol, so a port number decides nothing.
// Not hot: what runs per request is behind the handler.

import type { Clock } from '../clock/clock.ts';
import type { HttpEngine } from '../proxy/http-engine.ts';
import { createRequestPort } from '../proxy/request-port.ts';
import type { ExchangeHandler, HttpServer, HttpServerLimits } from '../proxy/types.ts';
import type { Logger } from '../telemetry/logger.ts';

/** ACT-4. Thousands of requests may be held, so little of each body is read ahead (ACT-223). */
export const SERVER_LIMITS: HttpServerLimits = {
  maxHeadBytes: 1024 * 1024,
  headTimeoutMs: 60_000,
  readAheadBytes: 8 * 1024,
};

export interface RequestPortsOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Null = no second port: the first one speaks HTTP/2 as well. 0 = any free port. */
  readonly h2cPort: number | null;
  readonly engine: HttpEngine;
}

export interface RequestPortsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

export class RequestPorts {
  port = 0;
  /** The same as `port` where there is no second one. */
  h2cPort = 0;
  readonly #options: RequestPortsOptions;
  readonly #http: HttpServer;
  readonly #h2c: HttpServer | null;

  constructor(handler: ExchangeHandler, options: RequestPortsOptions, deps: RequestPortsDeps) {
    const open = (): HttpServer =>
      createRequestPort(options.engine, handler, { limits: SERVER_LIMITS, ...deps });
    this.#options = options;
    this.#http = open();
    this.#h2c = options.h2cPort === null ? null : open();
  }

  /** What listens, for threads that join. */
  get servers(): readonly { server: HttpServer; port: number }[] {
    const first = { server: this.#http, port: this.port };
    return this.#h2c === null ? [first] : [first, { server: this.#h2c, port: this.h2cPort }];
  }

  async listen(): Promise<void> {
    const { host, port, h2cPort } = this.#options;
    this.port = (await this.#http.listen({ host, port })).port;
    this.h2cPort = this.port;
    if (this.#h2c !== null && h2cPort !== null) {
      this.h2cPort = (await this.#h2c.listen({ host, port: h2cPort })).port;
    }
  }

  /** Requests refused for their framing. */
  get rejectedCount(): number {
    return this.#http.rejectedCount + (this.#h2c?.rejectedCount ?? 0);
  }

  /** Stops accepting; resolves when every HTTP/1 request is answered. */
  async drain(): Promise<void> {
    await Promise.all([this.#http.drain(), this.#h2c?.drain()]);
  }

  /** Cuts what is left. */
  async close(): Promise<void> {
    await Promise.all([this.#http.close(), this.#h2c?.close()]);
  }
}
