// The default server engine: our HTTP/1.1 codec on `node:net` (decision 0002). Accepts connections,
// keeps the set of them for drain and close, and runs the one coarse ticker behind head timeouts.
// Everything per connection is in ServerConnection, which takes any Duplex (`accept`).

import { createServer, type Server } from 'node:net';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ClientSocket } from './client-closing.ts';
import { type ConnectionHost, HEAD_TICKS, type Peer, peerOf } from './connection-host.ts';
import { DepartureWatch } from './departure-watch.ts';
import type { Http2Acceptor } from './protocol-choice.ts';
import { DateLine } from './replies.ts';
import { ServerConnection } from './server-connection.ts';
import type { ExchangeHandler, HttpServer, HttpServerLimits, ListenOptions } from './types.ts';

const TCP_KEEP_ALIVE_MS = 15_000;

export interface NetServerDeps {
  limits: HttpServerLimits;
  clock: Clock;
  logger: Logger;
  /** Serves connections that begin with the preface of HTTP/2; without it they get 505. */
  http2?: Http2Acceptor;
  /** Connections are inside of TLS. Default false. */
  isSecure?: boolean;
  /** Draining waits for streams of HTTP/2, too. Default false: QP-121. */
  awaitsStreams?: boolean;
}

/** An HttpServer that also serves connections accepted elsewhere (TLS, protocol sniffing). */
export interface NetHttpServer extends HttpServer {
  accept(socket: ClientSocket, peer: Peer): void;
}

export function createNetServer(handler: ExchangeHandler, deps: NetServerDeps): NetHttpServer {
  return new NetServer(handler, deps);
}

class NetServer implements NetHttpServer, ConnectionHost {
  readonly handler: ExchangeHandler;
  readonly limits: HttpServerLimits;
  readonly clock: Clock;
  readonly date: DateLine;
  readonly departures: DepartureWatch;
  readonly http2: Http2Acceptor | null;
  readonly isSecure: boolean;
  isDraining = false;
  tick = 0;
  #rejected = 0;
  readonly #awaitsStreams: boolean;
  readonly #logger: Logger;
  readonly #server: Server;
  readonly #connections = new Set<ServerConnection>();
  #ticker: TimerHandle | null = null;
  #onDrained: (() => void) | null = null;
  #drained: Promise<void> | null = null;

  constructor(handler: ExchangeHandler, deps: NetServerDeps) {
    this.handler = handler;
    this.limits = deps.limits;
    this.clock = deps.clock;
    this.date = new DateLine(deps.clock);
    this.#logger = deps.logger;
    this.http2 = deps.http2 ?? null;
    this.isSecure = deps.isSecure ?? false;
    this.#awaitsStreams = deps.awaitsStreams ?? false;
    this.departures = new DepartureWatch(deps.clock);
    this.#server = createServer(
      {
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      },
      (socket) => this.accept(socket, peerOf(socket)),
    );
  }

  get listener(): Server {
    return this.#server;
  }

  get connectionCount(): number {
    return this.#connections.size + (this.http2?.connectionCount ?? 0);
  }

  get rejectedCount(): number {
    return this.#rejected + (this.http2?.rejectedCount ?? 0);
  }

  listen(options: ListenOptions): Promise<{ port: number }> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      const { port, host, descriptor } = options;
      this.#server.listen(descriptor === undefined ? { port, host } : { fd: descriptor }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#logger.warn({ error }, 'accepting failed'));
        this.#startTicking();
        const address = this.#server.address();
        resolve({ port: address === null || typeof address === 'string' ? 0 : address.port });
      });
    });
  }

  accept(socket: ClientSocket, peer: Peer): void {
    this.#startTicking();
    this.#connections.add(new ServerConnection(this, socket, peer));
  }

  drain(): Promise<void> {
    if (this.#drained !== null) return this.#drained;
    this.isDraining = true;
    void this.#stopListening();
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    for (const connection of [...this.#connections]) connection.drain();
    const ended = this.http2?.drain();
    this.#drained = this.#awaitsStreams
      ? Promise.all([drained, ended]).then(() => undefined)
      : drained;
    this.#checkDrained();
    return this.#drained;
  }

  async close(): Promise<void> {
    const closed = this.#stopListening();
    this.#ticker?.cancel();
    this.#ticker = null;
    this.departures.stop();
    for (const connection of [...this.#connections]) connection.destroy();
    await this.http2?.close();
    await closed;
  }

  onRejected(): void {
    this.#rejected += 1;
  }

  onTunnel(): void {
    this.#checkDrained();
  }

  onConnectionClosed(connection: ServerConnection): void {
    this.#connections.delete(connection);
    this.#checkDrained();
  }

  /** QP-121, QP-122: tunnels have no end of their own, so draining does not wait for them. */
  #checkDrained(): void {
    if (this.#onDrained === null) return;
    for (const connection of this.#connections) {
      if (!connection.isTunnel) return;
    }
    this.#onDrained();
    this.#onDrained = null;
  }

  /** Resolves when the port is free and the last accepted socket has closed. */
  #stopListening(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#server.listening) this.#server.close(() => resolve());
      else resolve();
    });
  }

  #startTicking(): void {
    if (this.#ticker !== null) return;
    const periodMs = Math.max(1, this.limits.headTimeoutMs / (HEAD_TICKS - 1));
    const onTick = (): void => {
      this.tick = (this.tick + 1) | 0;
      for (const connection of [...this.#connections]) connection.checkHeadTimeout();
    };
    this.#ticker = this.clock.setTicker(periodMs, onTick, { background: true });
  }
}
