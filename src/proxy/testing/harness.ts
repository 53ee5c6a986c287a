// Real sockets for the proxy's tests: a scripted application, a client that speaks raw bytes, and a
// server whose handler forwards everything to one upstream and writes down what it was told.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../clock/clock.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { NO_EDITS } from '../header-edits.ts';
import { createHttpServer, type HttpEngine } from '../http-engine.ts';
import type {
  Exchange,
  ExchangeHandler,
  HeaderEdits,
  HttpServer,
  HttpServerLimits,
  Outcome,
  Upstream,
  UpstreamFailure,
  UpstreamOptions,
} from '../types.ts';
import { UpstreamPools } from '../upstream-pools.ts';

export const LIMITS: HttpServerLimits = {
  maxHeadBytes: 1024 * 1024,
  headTimeoutMs: 60_000,
  readAheadBytes: 64 * 1024,
};

export const UPSTREAM_OPTIONS: UpstreamOptions = {
  maxIdlePerUpstream: 100,
  idleTimeoutMs: 90_000,
  dialTimeoutMs: 50,
  maxDialAttempts: 16,
};

const CRLF = '\r\n';

/** `lines` joined and ended as a message head. */
export function head(...lines: string[]): string {
  return lines.join(CRLF) + CRLF + CRLF;
}

/** Waits until `condition` holds; fails after a generous limit. */
export async function until(condition: () => boolean, what = 'condition'): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + 10_000;
  while (!condition()) {
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`never came: ${what}`);
    await systemClock.sleep(1);
  }
}

/** A socket with everything it received, as latin1 text. */
export class RawSocket {
  received = '';
  hasEnded = false;
  hasClosed = false;
  error: NodeJS.ErrnoException | null = null;
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.received += bytes.toString('latin1');
    });
    socket.on('end', () => {
      this.hasEnded = true;
    });
    socket.on('close', () => {
      this.hasClosed = true;
    });
    socket.on('error', (error) => {
      this.error = error;
    });
  }

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }

  async untilReceived(text: string): Promise<void> {
    await until(() => this.received.includes(text), JSON.stringify(text)).catch((error) => {
      throw new Error(`${error.message}; received ${JSON.stringify(this.received)}`);
    });
  }

  async untilClosed(): Promise<void> {
    await until(() => this.hasClosed || this.hasEnded, 'end of connection');
  }
}

/** An application in raw bytes; every connection it accepts is in `connections`. */
export class RawApp {
  readonly connections: RawSocket[] = [];
  readonly #server: Server;
  #onConnection: (connection: RawSocket, index: number) => void;

  constructor(onConnection: (connection: RawSocket, index: number) => void = () => undefined) {
    this.#onConnection = onConnection;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection = new RawSocket(socket);
      this.connections.push(connection);
      this.#onConnection(connection, this.connections.length - 1);
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const connection of this.connections) connection.socket.destroy();
  }

  async connection(index = 0): Promise<RawSocket> {
    await until(() => this.connections.length > index, `connection ${index}`);
    return this.connections[index]!;
  }
}

/** Answers each request head (no bodies) on a connection with the next of `answers`. */
export function answering(...answers: string[]): (connection: RawSocket) => void {
  let next = 0;
  return (connection) => {
    let seen = 0;
    connection.socket.on('data', () => {
      for (;;) {
        const at = connection.received.indexOf('\r\n\r\n', seen);
        if (at < 0) return;
        seen = at + 4;
        connection.write(answers[Math.min(next, answers.length - 1)]!);
        next += 1;
      }
    });
  };
}

/** Forwards everything to `upstream`; what happened is in `events`. */
export class ForwardingHandler implements ExchangeHandler {
  readonly events: string[] = [];
  readonly exchanges: Exchange[] = [];
  readonly failures: UpstreamFailure[] = [];
  readonly outcomes: Outcome[] = [];
  upstream: Upstream | null = null;
  edits: HeaderEdits = NO_EDITS;
  /** Overrides what happens to a request. */
  onRequestHook: ((exchange: Exchange) => void) | null = null;
  responseBytes = 0;

  onRequest(exchange: Exchange): void {
    this.events.push(`request ${exchange.method} ${exchange.target}`);
    this.exchanges.push(exchange);
    if (this.onRequestHook !== null) this.onRequestHook(exchange);
    else if (this.upstream !== null) exchange.forward(this.upstream, this.edits);
  }

  onResponseHead(_exchange: Exchange, status: number): void {
    this.events.push(`head ${status}`);
  }

  onInterimHead(_exchange: Exchange, status: number): void {
    this.events.push(`interim ${status}`);
  }

  onResponseBytes(_exchange: Exchange, byteCount: number): void {
    this.responseBytes += byteCount;
  }

  onUpstreamFailure(exchange: Exchange, failure: UpstreamFailure): void {
    this.failures.push(failure);
    exchange.respond(502, 'Content-Type: text/plain\r\n', `${failure.message}\n`);
  }

  onEnd(_exchange: Exchange, outcome: Outcome): void {
    this.events.push(`end ${outcome}`);
    this.outcomes.push(outcome);
  }
}

/** A server in front of one application port, and clients for it. */
export class ProxyHarness {
  readonly handler = new ForwardingHandler();
  readonly pools: UpstreamPools;
  readonly server: HttpServer;
  port = 0;
  readonly #clients: RawSocket[] = [];

  constructor(
    options: {
      engine?: HttpEngine;
      limits?: Partial<HttpServerLimits>;
      upstream?: Partial<UpstreamOptions>;
    } = {},
  ) {
    const clock = systemClock;
    this.pools = new UpstreamPools(
      { ...UPSTREAM_OPTIONS, ...options.upstream },
      { clock, random: () => 0.5 },
    );
    this.server = createHttpServer(options.engine ?? 'net', this.handler, {
      limits: { ...LIMITS, ...options.limits },
      clock,
      logger: silentLogger,
    });
  }

  async start(appPort: number): Promise<void> {
    this.handler.upstream = this.pools.at('127.0.0.1', appPort);
    this.port = (await this.server.listen({ host: '127.0.0.1', port: 0 })).port;
  }

  async client(): Promise<RawSocket> {
    const socket = connect({
      port: this.port,
      host: '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
    });
    const client = new RawSocket(socket);
    this.#clients.push(client);
    await once(socket, 'connect');
    return client;
  }

  /** Sends `text` on a new connection and returns it. */
  async send(text: string): Promise<RawSocket> {
    const client = await this.client();
    client.write(text);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.socket.destroy();
    this.pools.close();
    await this.server.close();
  }
}
