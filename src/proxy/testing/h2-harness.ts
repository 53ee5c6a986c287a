// An HTTP/2 client session, a proxy that forwards everything and a node:http2 application behind
// it, for tests of the HTTP/2 side. Real sockets on loopback.

import { once } from 'node:events';
import {
  type Http2Server as AppServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../clock/clock.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { Http2Server } from '../h2-server.ts';
import { createNetServer, type NetHttpServer } from '../net-server.ts';
import type { UpstreamOptions } from '../types.ts';
import { UpstreamPools } from '../upstream-pools.ts';
import { ForwardingHandler, LIMITS, UPSTREAM_OPTIONS } from './harness.ts';

export interface AppRequest {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly raw: readonly string[];
}

/** An HTTP/2-only application; `requests` and `sessions` in order of arrival. */
export class Http2App {
  readonly requests: AppRequest[] = [];
  readonly sessions: ServerHttp2Session[] = [];
  readonly #server: AppServer;

  constructor(onRequest: (request: AppRequest) => void, options: ServerOptions = {}) {
    this.#server = createServer(options);
    this.#server.on('session', (session) => {
      this.sessions.push(session);
      session.on('error', () => undefined);
    });
    this.#server.on('stream', (stream, headers, _flags, ...rest: unknown[]) => {
      stream.on('error', () => undefined);
      const request = { stream, headers, raw: rest[0] as readonly string[] };
      this.requests.push(request);
      onRequest(request);
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const session of this.sessions) session.destroy();
  }
}

export interface Http2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly raw: readonly string[];
  readonly body: string;
  readonly trailers: IncomingHttpHeaders | null;
  /** Statuses of interim answers, in order. */
  readonly interim: readonly number[];
  /** Code the stream was closed with; 0 = complete. */
  readonly resetCode: number;
}

/** Everything that comes back on a stream; resolves when it is closed. */
export function answerOf(stream: ClientHttp2Stream): Promise<Http2Answer> {
  let head: IncomingHttpHeaders = {};
  let raw: readonly string[] = [];
  let body = '';
  let trailers: IncomingHttpHeaders | null = null;
  const interim: number[] = [];
  stream.setEncoding('utf8');
  stream.on('headers', (headers) => interim.push(Number(headers[':status'])));
  stream.on('response', (headers, _flags, ...rest: unknown[]) => {
    head = headers;
    raw = rest[0] as readonly string[];
  });
  stream.on('data', (text: string) => {
    body += text;
  });
  stream.on('trailers', (headers) => {
    trailers = headers;
  });
  stream.on('error', () => undefined);
  return new Promise((resolve) => {
    stream.on('close', () => {
      const resetCode = stream.rstCode ?? 0;
      const status = Number(head[':status'] ?? 0);
      resolve({ status, headers: head, raw, body, trailers, interim, resetCode });
    });
  });
}

/** A proxy in front of one application port, and HTTP/2 clients for it. */
export class Http2Harness {
  readonly handler = new ForwardingHandler();
  readonly pools: UpstreamPools;
  readonly http2: Http2Server;
  readonly server: NetHttpServer;
  port = 0;
  readonly #clients: ClientHttp2Session[] = [];

  constructor(options: { headTimeoutMs?: number; upstream?: Partial<UpstreamOptions> } = {}) {
    const clock = systemClock;
    const logger = silentLogger;
    this.pools = new UpstreamPools(
      { ...UPSTREAM_OPTIONS, ...options.upstream },
      { clock, random: () => 0.5 },
    );
    const headTimeoutMs = options.headTimeoutMs ?? LIMITS.headTimeoutMs;
    this.http2 = new Http2Server(this.handler, { clock, logger, headTimeoutMs });
    const limits = { ...LIMITS, headTimeoutMs };
    this.server = createNetServer(this.handler, { limits, clock, logger, http2: this.http2 });
  }

  async start(appPort: number): Promise<void> {
    this.handler.upstream = this.pools.at('127.0.0.1', appPort);
    this.port = (await this.server.listen({ host: '127.0.0.1', port: 0 })).port;
  }

  client(): ClientHttp2Session {
    const session = connect(`http://127.0.0.1:${this.port}`);
    session.on('error', () => undefined);
    this.#clients.push(session);
    return session;
  }

  /** One request on a connection of its own. */
  async ask(headers: OutgoingHttpHeaders, body?: string): Promise<Http2Answer> {
    const client = this.client();
    const stream = client.request(headers, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    const answer = await answerOf(stream);
    client.close();
    return answer;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    this.pools.close();
    await this.server.close();
  }
}
