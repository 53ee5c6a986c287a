// The HTTP/2 side of a request port: takes connections that turned out to speak it (first bytes,
// or ALPN on TLS), keeps the set of them for drain and close. What serves them is loaded with the
// first one, as is node:http2, which the way to the application needs. Not hot.

import type { Clock } from '../clock/clock.ts';
import { ERRORS } from '../errors/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ClientSocket } from './client-closing.ts';
import type { Peer } from './connection-host.ts';
import type { Http2Connection } from './h2/connection.ts';
import type { Http2Host } from './h2/host.ts';
import { loadHttp2 } from './h2-module.ts';
import type { HeldBytes } from './held-bytes.ts';
import type { Http2Acceptor } from './protocol-choice.ts';
import { DateLine } from './replies.ts';
import type { ExchangeHandler } from './types.ts';

export interface Http2ServerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a client may take to complete its preface, and any field block it began. */
  readonly headTimeoutMs: number;
  /** What bodies nobody reads yet may take over all connections; absent = no limit. */
  readonly held?: HeldBytes | undefined;
  /** Connections are inside of TLS. Default false. */
  readonly isSecure?: boolean;
}

/** How long complete answers may take to get out at the end. */
const FLUSH_MS = 1_000;

type ConnectionClass = typeof Http2Connection;

let loaded: ConnectionClass | null = null;

async function load(): Promise<ConnectionClass> {
  const [module] = await Promise.all([import('./h2/connection.ts'), loadHttp2()]);
  loaded = module.Http2Connection;
  return loaded;
}

export class Http2Server implements Http2Acceptor, Http2Host {
  readonly handler: ExchangeHandler;
  readonly clock: Clock;
  readonly headTimeoutMs: number;
  readonly isSecure: boolean;
  readonly held: HeldBytes | undefined;
  rejectedCount = 0;
  readonly #logger: Logger;
  readonly #dateLine: DateLine;
  readonly #connections = new Set<Http2Connection>();
  #isDraining = false;
  #closed: Promise<void> | null = null;
  /** For the last connection to end. */
  readonly #waiting: (() => void)[] = [];
  #line = '';
  #date = '';

  constructor(handler: ExchangeHandler, deps: Http2ServerDeps) {
    this.handler = handler;
    this.clock = deps.clock;
    this.#logger = deps.logger;
    this.headTimeoutMs = deps.headTimeoutMs;
    this.isSecure = deps.isSecure ?? false;
    this.held = deps.held;
    this.#dateLine = new DateLine(deps.clock);
  }

  get date(): string {
    const line = this.#dateLine.get();
    if (line !== this.#line) {
      this.#line = line;
      this.#date = line.slice(line.indexOf(':') + 1).trim();
    }
    return this.#date;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  accept(socket: ClientSocket, peer: Peer): void {
    socket.on('error', () => undefined); // `close` follows.
    if (loaded !== null) this.#serve(loaded, socket, peer);
    else void load().then((found) => this.#serve(found, socket, peer));
  }

  drain(): Promise<void> {
    this.#isDraining = true;
    for (const connection of [...this.#connections]) connection.drain();
    return this.#whenEmpty();
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
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
    if (this.#connections.size > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #serve(connectionClass: ConnectionClass, socket: ClientSocket, peer: Peer): void {
    if (this.#closed !== null) socket.destroy();
    if (socket.destroyed) return;
    const connection = new connectionClass(this, socket, peer);
    this.#connections.add(connection);
    connection.start();
    if (this.#isDraining) connection.drain();
  }

  async #closeAll(): Promise<void> {
    for (const connection of [...this.#connections]) connection.close();
    if (this.#connections.size === 0) return;
    const timer = this.clock.setTimer(FLUSH_MS, () => {
      for (const connection of [...this.#connections]) connection.destroy();
    });
    await this.#whenEmpty();
    timer.cancel();
  }

  #whenEmpty(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}
