// The activator's listeners (ACT-1 to ACT-3): one for revisions that speak HTTP/1, one for h2c, both
// with the same handler and each speaking either protocol, so a port number decides nothing.
// Not hot: what runs per request is behind the handler.

import type { Clock } from '../clock/clock.ts';
import { HeldBytes } from '../proxy/held-bytes.ts';
import { createRequestPort } from '../proxy/request-port.ts';
import type { ExchangeHandler, HttpServer, HttpServerLimits } from '../proxy/types.ts';
import type { Logger } from '../telemetry/logger.ts';

/**
 * Bytes of bodies of held requests over all connections and threads of an activator; a request that
 * waits for a pod and would need more is answered 503 (KN_BODIES_FULL). Room for the first read of
 * as many requests as one revision may hold.
 */
export const MAX_HELD_BODY_BYTES = 192 << 20;
/** One read of a client connection: what a held request costs at most on HTTP/1 (ACT-223). */
const READ_BYTES = 16 * 1024;

/** ACT-4; for one of so many threads. Thousands of requests may be held: little is read ahead. */
export function requestLimits(threads: number): HttpServerLimits {
  return {
    maxHeadBytes: 1024 * 1024,
    headTimeoutMs: 60_000,
    readAheadBytes: 8 * 1024,
    readBytes: READ_BYTES,
    held: new HeldBytes(Math.floor(MAX_HELD_BODY_BYTES / threads)),
  };
}

export interface RequestPortsOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Null = no second port: the first one speaks HTTP/2 as well. 0 = any free port. */
  readonly h2cPort: number | null;
  readonly limits: HttpServerLimits;
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
      createRequestPort('net', handler, { limits: options.limits, awaitsStreams: true, ...deps });
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

  /** Stops accepting; resolves when every request is answered, on either protocol. */
  async drain(): Promise<void> {
    await Promise.all([this.#http.drain(), this.#h2c?.drain()]);
  }

  /** Cuts what is left. */
  async close(): Promise<void> {
    await Promise.all([this.#http.close(), this.#h2c?.close()]);
  }
}
