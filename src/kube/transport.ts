// One HTTP exchange with an API server: a keep-alive agent per connection, a deadline per request,
// Status bodies turned into ApiError. The library's client opens a TLS connection per call (1,965
// µs CPU against 203 here), which is why these few lines exist. Invariants: a request ends in
// exactly one of answer, ApiError or KubeNetworkError; a response whose body nobody wants is
// drained, so that its connection returns to the pool. Warm, not hot.

import http from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { createSecureContext } from 'node:tls';
import type { ApiStatus } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { bearer, type KubeConnection } from './connection.ts';
import type { LocalAnswer } from './local-server.ts';
import { Turnstile } from './turnstile.ts';
import { ApiError, type RawResponse } from './types.ts';

/** Until the head of the answer has arrived, and for plain calls until its end. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** Sockets of one connection, watches included; more requests wait for a free one. */
export const MAX_CONNECTIONS = 256;
/** Idle sockets kept for the next request. */
const MAX_IDLE_CONNECTIONS = 32;
/**
 * Plain calls running at once; more wait their turn. A burst of hundreds would otherwise pay a TLS
 * handshake (milliseconds) per call instead of reusing few connections.
 */
export const MAX_CONCURRENT_CALLS = 32;
/** Requests running or waiting; one more is refused as a network error. */
export const MAX_REQUESTS_IN_FLIGHT = 4_096;
/** Larger answers are refused: a list page of 500 objects of 3 MiB would be 1.5 GiB. */
export const MAX_BODY_BYTES = 512 * 1024 * 1024;
/** Size of an error answer; a longer one counts as broken off. */
const MAX_ERROR_BODY_BYTES = 1024 * 1024;

/**
 * The server could not be reached, or the exchange broke off: whether it took effect is unknown.
 */
export class KubeNetworkError extends Error {
  readonly code: string;
  /** A kept-alive connection was reset before any answer: most likely it had just been closed. */
  readonly onReusedSocket: boolean;

  constructor(request: string, cause: unknown, onReusedSocket = false) {
    const text = cause instanceof Error ? cause.message : String(cause);
    super(`${request}: ${text}`, { cause });
    this.name = 'KubeNetworkError';
    this.code = (cause as { code?: string } | null)?.code ?? '';
    this.onReusedSocket = onReusedSocket;
  }
}

export interface Exchange {
  method: string;
  /** Starts with `/`, query included. */
  path: string;
  body?: string | undefined;
  contentType?: string | undefined;
  accept?: string | undefined;
  signal?: AbortSignal | undefined;
}

export class Transport {
  readonly #url: URL;
  readonly #prefix: string;
  readonly #connection: KubeConnection;
  readonly #clock: Clock;
  readonly #agent: http.Agent;
  readonly #fixedHeaders: Record<string, string>;
  readonly #turns = new Turnstile(MAX_CONCURRENT_CALLS);
  #inFlight = 0;
  #closed = false;

  constructor(connection: KubeConnection, options: { clock: Clock; userAgent: string }) {
    this.#url = new URL(connection.server);
    this.#prefix = this.#url.pathname.replace(/\/$/, '');
    this.#connection = connection;
    this.#clock = options.clock;
    this.#agent = connection.agent ?? createAgent(connection, this.#url.protocol === 'https:');
    this.#fixedHeaders = {
      ...(connection.token === undefined ? {} : bearer(connection.token)),
      ...connection.headers,
      'User-Agent': options.userAgent,
    };
  }

  /** Resolves with the head of a 2xx answer; the caller owns the body. */
  async open(exchange: Exchange): Promise<RawResponse> {
    return this.#guarded(async () => {
      const local = this.#askLocally(exchange);
      if (local !== null) return openLocal(await local, exchange.signal);
      const response = await this.#send(exchange, await this.#headers(exchange));
      if (!isSuccess(response.statusCode)) throw await readFailure(response, describe(exchange));
      const contentType = response.headers['content-type'] ?? '';
      return { status: response.statusCode ?? 0, contentType, body: response };
    });
  }

  /** Resolves with the whole body of a 2xx answer. */
  async text(exchange: Exchange): Promise<string> {
    return this.#guarded(async () => {
      const local = this.#askLocally(exchange);
      if (local !== null) return localText(await local);
      const turn = this.#turns.enter();
      if (turn !== null) await turn;
      try {
        return await this.#readAll(exchange);
      } finally {
        this.#turns.leave();
      }
    });
  }

  /** No deadline: there is no network in between, and a database that hangs hangs everything. */
  #askLocally(exchange: Exchange): Promise<LocalAnswer> | null {
    const { local } = this.#connection;
    if (local === undefined) return null;
    const headers: Record<string, string> = {
      accept: exchange.accept ?? 'application/json',
      'user-agent': this.#fixedHeaders['User-Agent'] ?? '',
    };
    if (exchange.body !== undefined) {
      headers['content-type'] = exchange.contentType ?? 'application/json';
    }
    return local.answer({
      method: exchange.method,
      path: exchange.path,
      headers,
      body: exchange.body,
    });
  }

  async #readAll(exchange: Exchange): Promise<string> {
    const response = await this.#send(exchange, await this.#headers(exchange));
    if (!isSuccess(response.statusCode)) throw await readFailure(response, describe(exchange));
    const timer = this.#clock.setTimer(
      REQUEST_TIMEOUT_MS,
      () => response.destroy(new Error(`no complete answer within ${REQUEST_TIMEOUT_MS} ms`)),
      { background: true },
    );
    try {
      return await readText(response, MAX_BODY_BYTES);
    } catch (error) {
      throw new KubeNetworkError(describe(exchange), error);
    } finally {
      timer.cancel();
    }
  }

  /** Idle connections end now, used ones with their request; later requests are refused. */
  close(): void {
    this.#closed = true;
    Object.assign(this.#agent, { keepAlive: false });
    for (const sockets of Object.values(this.#agent.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }

  async #guarded<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new KubeNetworkError('request', new Error('the client is closed'));
    if (this.#inFlight >= MAX_REQUESTS_IN_FLIGHT) {
      throw new KubeNetworkError('request', new Error('too many requests in flight'));
    }
    this.#inFlight += 1;
    try {
      return await call();
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #headers(exchange: Exchange): Promise<Record<string, string>> {
    const headers: Record<string, string> = { ...this.#fixedHeaders };
    if (this.#connection.freshHeaders !== undefined) {
      Object.assign(headers, await this.#connection.freshHeaders());
    }
    headers.Accept = exchange.accept ?? 'application/json';
    if (exchange.body !== undefined) {
      headers['Content-Type'] = exchange.contentType ?? 'application/json';
      headers['Content-Length'] = String(Buffer.byteLength(exchange.body));
    }
    return headers;
  }

  async #send(exchange: Exchange, headers: Record<string, string>): Promise<http.IncomingMessage> {
    try {
      return await this.#attempt(exchange, headers);
    } catch (error) {
      // The server closed an idle connection while we were writing to it. Reading again is
      // harmless, a write may have been carried out.
      const isStale = error instanceof KubeNetworkError && error.onReusedSocket;
      if (!isStale || exchange.method !== 'GET') throw error;
      return this.#attempt(exchange, headers);
    }
  }

  #attempt(exchange: Exchange, headers: Record<string, string>): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = (this.#url.protocol === 'https:' ? https : http).request({
        agent: this.#agent,
        host: this.#url.hostname.replace(/^\[|\]$/g, ''),
        port: this.#url.port || (this.#url.protocol === 'https:' ? 443 : 80),
        method: exchange.method,
        path: this.#prefix + exchange.path,
        headers,
        ...(exchange.signal === undefined ? {} : { signal: exchange.signal }),
      });
      const timer = this.#clock.setTimer(
        REQUEST_TIMEOUT_MS,
        () => request.destroy(new Error(`no answer within ${REQUEST_TIMEOUT_MS} ms`)),
        { background: true },
      );
      request.on('response', (response) => {
        timer.cancel();
        resolve(response);
      });
      request.on('error', (cause: NodeJS.ErrnoException) => {
        timer.cancel();
        const reset = request.reusedSocket && cause.code === 'ECONNRESET';
        reject(new KubeNetworkError(describe(exchange), cause, reset));
      });
      request.end(exchange.body);
    });
  }
}

function createAgent(connection: KubeConnection, secure: boolean): http.Agent {
  const common = {
    keepAlive: true,
    noDelay: true,
    maxSockets: MAX_CONNECTIONS,
    maxFreeSockets: MAX_IDLE_CONNECTIONS,
    scheduling: 'lifo' as const,
  };
  if (!secure) return new http.Agent(common);
  // Made once: parsing the certificates again for every socket cost a quarter of each connection.
  const secureContext = createSecureContext({
    ca: connection.caPem,
    cert: connection.clientCertPem,
    key: connection.clientKeyPem,
  });
  return new https.Agent({
    ...common,
    secureContext,
    ...(connection.tlsServerName === undefined ? {} : { servername: connection.tlsServerName }),
    rejectUnauthorized: connection.insecureSkipTlsVerify !== true,
  });
}

const isSuccess = (status: number | undefined): boolean =>
  status !== undefined && status >= 200 && status < 300;

const describe = (exchange: Exchange): string => `${exchange.method} ${exchange.path}`;

function readText(response: http.IncomingMessage, limitBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    response.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) {
        response.destroy(new Error(`answer larger than ${limitBytes} bytes`));
      } else {
        chunks.push(chunk);
      }
    });
    response.on('end', () => {
      const whole = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      resolve(whole.toString('utf8'));
    });
    response.on('error', reject);
    response.on('close', () => reject(new Error('the answer broke off')));
  });
}

async function readFailure(response: http.IncomingMessage, request: string): Promise<ApiError> {
  const code = response.statusCode ?? 0;
  let text: string;
  try {
    text = await readText(response, MAX_ERROR_BODY_BYTES);
  } catch (error) {
    text = `${request}: HTTP ${code}, and its body broke off: ${String(error)}`;
  }
  return failureFrom(code, text, response.headers['retry-after']);
}

function failureFrom(code: number, text: string, retryAfter: string | null | undefined): ApiError {
  const status = parseStatus(text);
  const failure = { ...(status ?? statusFromText(code, text)), code: status?.code ?? code };
  const retryAfterSeconds = Number(retryAfter);
  if (retryAfterSeconds > 0) failure.details = { ...failure.details, retryAfterSeconds };
  return new ApiError(failure);
}

function localText({ status, body, retryAfter }: LocalAnswer): string {
  if (typeof body !== 'string') throw new Error('a plain request was answered with a stream');
  if (!isSuccess(status)) throw failureFrom(status, body, retryAfter);
  return body;
}

function openLocal(answer: LocalAnswer, signal: AbortSignal | undefined): RawResponse {
  const { status, contentType, retryAfter } = answer;
  if (typeof answer.body === 'string') {
    if (!isSuccess(status)) throw failureFrom(status, answer.body, retryAfter);
    return { status, contentType, body: Readable.from([Buffer.from(answer.body)]) };
  }
  const { body } = answer;
  if (signal?.aborted) body.destroy();
  else signal?.addEventListener('abort', () => body.destroy(), { once: true });
  return { status, contentType, body };
}

function parseStatus(text: string): ApiStatus | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return (parsed as { kind?: unknown } | null)?.kind === 'Status' ? (parsed as ApiStatus) : null;
  } catch {
    return null; // Not JSON: a proxy's page or a plain text such as `404 page not found` (KN-101).
  }
}

const REASON_OF_CODE: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function statusFromText(code: number, text: string): ApiStatus {
  const reason = REASON_OF_CODE[code];
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: text.trim().slice(0, 1_000) || `HTTP ${code}`,
    ...(reason === undefined ? {} : { reason }),
    code,
  };
}
