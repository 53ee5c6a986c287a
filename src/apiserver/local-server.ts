// Answers requests of this process without a socket: the same router, the same texts in and out, no
// TLS, no HTTP. For the controllers beside us, whose writes and watches lie on the path of a wake.
// Invariants: nothing runs in the turn of the call, so a caller may ask from inside a watch event;
// events reach the reader in order, after the write that made them has been published.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { LocalAnswer, LocalRequest, LocalServer } from '../kube/local-server.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ApiExchange, ApiHandler } from './http-server.ts';
import { type Reply, renderError } from './respond.ts';

/** Bytes of events a watch may hold here; beyond it they wait in the kind's history. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** These speak HTTP to somebody else or to a terminal: they go over the network. */
const NETWORK_ONLY = /\/(?:proxy(?:\/.*)?|log|exec|attach|portforward)$/;

export function createLocalServer(handler: ApiHandler, logger: Logger): LocalServer {
  return {
    answer(request) {
      const mark = request.path.indexOf('?');
      const path = mark < 0 ? request.path : request.path.slice(0, mark);
      if (NETWORK_ONLY.test(path)) return null;
      const query = new URLSearchParams(mark < 0 ? '' : request.path.slice(mark + 1));
      return serve(handler, logger, request, path, query);
    },
  };
}

async function serve(
  handler: ApiHandler,
  logger: Logger,
  request: LocalRequest,
  path: string,
  query: URLSearchParams,
): Promise<LocalAnswer> {
  await null; // A caller inside a watch event must not get into the next write.
  const stream = new LocalStream();
  const exchange: ApiExchange = {
    method: request.method,
    path,
    query,
    // Behind the paths answered here, handlers look at the headers and write to the stream.
    request: { headers: request.headers } as unknown as IncomingMessage,
    response: stream as unknown as ServerResponse,
    body: request.body === undefined ? EMPTY : Buffer.from(request.body),
    warnings: [],
  };
  let reply: Reply | null;
  try {
    reply = await handler(exchange);
  } catch (error) {
    reply = renderError(error, (unexpected) => {
      logger.error({ error: unexpected, path: request.path }, 'request failed');
    });
  }
  if (reply === null) {
    return {
      status: stream.status,
      contentType: 'application/json',
      retryAfter: null,
      body: stream,
    };
  }
  const { code, contentType, headers, body } = reply;
  return { status: code, contentType, retryAfter: headers?.['Retry-After'] ?? null, body };
}

const EMPTY = Buffer.alloc(0);

/** The part of a ServerResponse a stream of events needs, with its reading end. */
class LocalStream extends Readable {
  status = 200;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isEnded = false;
  #isBlocked = false;

  get writableFinished(): boolean {
    return this.readableEnded;
  }

  writeHead(status: number): this {
    this.status = status;
    return this;
  }

  flushHeaders(): void {
    // The head is the resolved answer.
  }

  /** False = wait for `drain`. The reader sees the bytes after the present turn of the writer. */
  write(bytes: Buffer): boolean {
    if (this.#waiting.length === 0) queueMicrotask(() => this.#flush());
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#isBlocked = this.#waitingBytes + this.readableLength >= MAX_BUFFERED_BYTES;
    return !this.#isBlocked;
  }

  end(): void {
    this.#isEnded = true;
    if (this.#waiting.length === 0) queueMicrotask(() => this.#flush());
  }

  override _read(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.emit('drain');
  }

  #flush(): void {
    const bytes = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.destroyed || this.readableEnded) return;
    for (const part of bytes) this.push(part);
    if (this.#isEnded) this.push(null);
  }
}
