// The HTTP/2 side of a request port: takes connections that turned out to speak it (first bytes, or
// ALPN on TLS), keeps the set of them for drain and close. node:http2 is loaded with the first one.
// Not hot.

import type { Clock } from '../clock/clock.ts';
import { ERRORS } from '../errors/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ClientSocket } from './client-closing.ts';
import type { Peer } from './connection-host.ts';
import { Http2Connection, type Http2Host } from './h2-connection.ts';
import { type Http2Module, loadHttp2 } from './h2-module.ts';
import type { Http2Acceptor } from './protocol-choice.ts';
import type { ExchangeHandler } from './types.ts';

export interface Http2ServerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a client may take to complete its preface. */
  readonly headTimeoutMs: number;
}

/** How long complete answers may take to get out at the end. */
const FLUSH_MS = 1_000;

export class Http2Server implements Http2Acceptor, Http2Host {
  readonly handler: ExchangeHandler;
  readonly clock: Clock;
  readonly headTimeoutMs: number;
  rejectedCount = 0;
  readonly #logger: Logger;
  readonly #connections = new Set<Http2Connection>();
  #isDraining = false;
  #isClosed = false;
  #onEmpty: (() => void) | null = null;

  constructor(handler: ExchangeHandler, deps: Http2ServerDeps) {
    this.handler = handler;
    this.clock = deps.clock;
    this.#logger = deps.logger;
    this.headTimeoutMs = deps.headTimeoutMs;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  accept(socket: ClientSocket, peer: Peer): void {
    socket.on('error', () => undefined); // `close` follows.
    void loadHttp2().then((http2) => this.#serve(http2, socket, peer));
  }

  drain(): void {
    this.#isDraining = true;
    for (const connection of [...this.#connections]) connection.drain();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.drain();
    for (const connection of [...this.#connections]) {
      if (connection.exchangeCount > 0) connection.destroy();
    }
    if (this.#connections.size === 0) return Promise.resolve();
    const timer = this.clock.setTimer(FLUSH_MS, () => this.#destroyAll());
    return new Promise((resolve) => {
      this.#onEmpty = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  onRejected(): void {
    this.rejectedCount += 1;
  }

  onFlood(connection: Http2Connection, what: string): void {
    const { code, message } = ERRORS.HTTP2_FLOOD;
    this.#logger.warn({ code, what, peer: connection.peer.address }, message);
  }

  onClosed(connection: Http2Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  #serve(http2: Http2Module, socket: ClientSocket, peer: Peer): void {
    if (this.#isClosed) socket.destroy();
    if (socket.destroyed) return;
    const connection = new Http2Connection(this, http2, socket, peer);
    this.#connections.add(connection);
    if (this.#isDraining) connection.drain();
  }

  #destroyAll(): void {
    for (const connection of [...this.#connections]) connection.destroy();
  }
}
