// The listeners of one request thread: a plain one for each of the main thread's ports and, with TLS
// inside the system, one for its TLS port, each on a descriptor of its own. Not hot.

import type { Clock } from '../../clock/clock.ts';
import { createRequestPort } from '../../proxy/request-port.ts';
import type { ExchangeHandler, HttpServer, HttpServerLimits } from '../../proxy/types.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { TlsPlane } from '../tls-plane.ts';
import type { ThreadListen, ThreadTask } from './thread-messages.ts';

export interface ThreadServersDeps {
  readonly limits: HttpServerLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Null = no TLS. */
  readonly tls: TlsPlane | null;
}

export class ThreadServers {
  readonly #handler: ExchangeHandler;
  readonly #deps: ThreadServersDeps;
  readonly #plain: HttpServer[] = [];

  constructor(handler: ExchangeHandler, deps: ThreadServersDeps) {
    this.#handler = handler;
    this.#deps = deps;
  }

  /** Requests refused for their framing. */
  get rejectedCount(): number {
    const secure = this.#deps.tls?.server?.rejectedCount ?? 0;
    return this.#plain.reduce((sum, server) => sum + server.rejectedCount, secure);
  }

  async listen(task: Extract<ThreadTask, { do: 'listen' }>): Promise<void> {
    for (const place of task.where) await this.#listen(place);
    const { tls, limits } = this.#deps;
    if (tls === null || task.tlsDescriptor === null) return;
    await tls.open(this.#handler, limits);
    await tls.listen({ host: '', port: 0, descriptor: task.tlsDescriptor });
  }

  async drain(): Promise<void> {
    await Promise.all([...this.#plain.map((server) => server.drain()), this.#deps.tls?.drain()]);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#plain.map((server) => server.close()), this.#deps.tls?.close()]);
  }

  async #listen(place: ThreadListen): Promise<void> {
    const { limits, clock, logger } = this.#deps;
    const deps = { limits, clock, logger, awaitsStreams: true };
    const server = createRequestPort('net', this.#handler, deps);
    this.#plain.push(server);
    if ('descriptor' in place) {
      await server.listen({ host: '', port: 0, descriptor: place.descriptor });
    } else await server.listen({ ...place, shared: true });
  }
}
