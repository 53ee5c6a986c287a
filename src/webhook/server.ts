// The HTTPS server of the webhook (WH-2): the API server's reviews in, answers out. Nothing here
// decides about objects. A review that comes before the caches are filled waits for them, because
// refusing it would fail a user's request for no fault of his.
// Invariants: a body is never larger than 3 MiB, all bodies together never larger than 64 MiB; a
// drain ends only after a whole quiet period. Not hot: a few requests per second.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../clock/clock.ts';
import { type Answerable, answerError, answerErrorText, TEXT_HEADERS } from '../errors/answer.ts';
import { ERRORS, type ErrorRow } from '../errors/errors.ts';
import type { TlsPolicy } from '../proxy/tls-server.ts';
import type { Logger } from '../telemetry/logger.ts';
import {
  KUBELET_USER_AGENT_PREFIX,
  NETWORK_HASH_HEADER,
  NETWORK_HASH_KEY,
  NETWORK_PROBE_KEY,
  NETWORK_PROBE_VALUE,
} from '../wire/probe-headers.ts';
import { answerReview, HANDLERS, parseReview } from './answers.ts';
import type { CertificateSet } from './certificates.ts';
import { type ReviewContext, textOf } from './review.ts';

/** A longer body is answered 400 `could not decode body:http: request body too large`. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;
/** Bodies being read at one time, together; beyond them a review is answered 503. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;
/** Connections beyond it are closed at once. */
const MAX_CONNECTIONS = 1024;
/** Longer than a Go client keeps an idle connection (90 s), so that we never close first. */
const KEEP_ALIVE_MS = 120_000;
/** The API server gives up after 10 s; what arrives slower than this never ends. */
const REQUEST_LIMIT_MS = 30_000;

export interface WebhookServerOptions {
  readonly tls: TlsPolicy;
  /** Resolves when config is known; reviews wait for it. */
  readonly whenReady: Promise<unknown>;
  readonly context: () => ReviewContext;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the reader of a body throws; `error` says how it is answered. */
class Refusal extends Error {
  readonly error: ErrorRow;

  constructor(error: ErrorRow, detail = '') {
    super(error.message + detail);
    this.error = error;
  }
}

export class WebhookServer {
  readonly #options: WebhookServerOptions;
  readonly #server: Server;
  #bufferedBytes = 0;
  #isDraining = false;
  #lastRequestMs = 0;

  constructor(options: WebhookServerOptions) {
    this.#options = options;
    this.#server = createServer({ ...options.tls }, (request, response) => {
      void this.#serve(request, response);
    });
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.#server.headersTimeout = REQUEST_LIMIT_MS;
    this.#server.requestTimeout = REQUEST_LIMIT_MS;
    this.#server.maxConnections = MAX_CONNECTIONS;
    // A handshake that fails is the client's business, or nobody's certificate is there yet.
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** Resolves with the port; rejects when it is taken. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** For handshakes from now on; null = they fail. */
  useCertificates(set: CertificateSet | null): void {
    const { tls, logger } = this.#options;
    try {
      const pair = set === null ? {} : { cert: set.certificate, key: set.key };
      this.#server.setSecureContext({ ...tls, ...pair });
    } catch (error) {
      logger.error({ error }, 'webhook certificates are unusable');
      this.#server.setSecureContext({ ...tls });
    }
  }

  /** Fails probes at once, serves on until no request came for `quietMs`, then closes. */
  async drain(quietMs: number): Promise<void> {
    const { clock } = this.#options;
    this.#isDraining = true;
    this.#lastRequestMs = clock.monotonicMs();
    for (;;) {
      const leftMs = this.#lastRequestMs + quietMs - clock.monotonicMs();
      if (leftMs <= 0) break;
      await clock.sleep(leftMs);
    }
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    await closed;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = answerable(response);
    const { headers } = request;
    if ((headers['user-agent'] ?? '').startsWith(KUBELET_USER_AGENT_PREFIX)) {
      return this.#answerKubelet(exchange);
    }
    if (headers[NETWORK_PROBE_KEY] === NETWORK_PROBE_VALUE) {
      return answerNetworkProbe(exchange, String(headers[NETWORK_HASH_KEY] ?? ''));
    }
    this.#lastRequestMs = this.#options.clock.monotonicMs();
    try {
      const answer = await this.#review(request);
      exchange.respond(200, 'Content-Type: application/json\r\n', JSON.stringify(answer));
    } catch (error) {
      const isExpected = error instanceof Refusal;
      if (!isExpected) this.#options.logger.error({ error }, 'admission failed');
      const row = isExpected ? error.error : ERRORS.WEBHOOK_FAILED;
      const text = isExpected ? error.message : row.message + textOf(error);
      // What is left of the body is not read: this connection cannot carry another request.
      if (!request.complete) response.shouldKeepAlive = false;
      answerErrorText(exchange, row, text);
    }
  }

  #answerKubelet(exchange: Answerable): void {
    if (this.#isDraining) answerError(exchange, ERRORS.SHUTTING_DOWN);
    else exchange.respond(200, TEXT_HEADERS, '');
  }

  /** WH-2: content type, then path, then body. */
  async #review(request: IncomingMessage): Promise<object> {
    if (request.headers['content-type'] !== 'application/json') {
      throw new Refusal(ERRORS.WEBHOOK_CONTENT_TYPE);
    }
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const handler = HANDLERS.get(path);
    if (handler === undefined) throw new Refusal(ERRORS.WEBHOOK_PATH, path);
    const text = await this.#readBody(request);
    const review = parsed(text);
    await this.#options.whenReady;
    return answerReview(handler, review, this.#options.context());
  }

  async #readBody(request: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        this.#bufferedBytes += chunk.length;
        if (bytes > MAX_BODY_BYTES) {
          throw new Refusal(ERRORS.WEBHOOK_BODY, 'http: request body too large');
        }
        if (this.#bufferedBytes > MAX_BUFFERED_BYTES) throw new Refusal(ERRORS.WEBHOOK_BUSY);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString('utf8');
    } finally {
      this.#bufferedBytes -= bytes;
    }
  }
}

function parsed(text: string): ReturnType<typeof parseReview> {
  try {
    return parseReview(text);
  } catch (error) {
    throw new Refusal(ERRORS.WEBHOOK_BODY, textOf(error));
  }
}

/** ING-60. */
function answerNetworkProbe(exchange: Answerable, hash: string): void {
  if (hash === '') answerError(exchange, ERRORS.PROBE_HASH_MISSING);
  else exchange.respond(200, `${NETWORK_HASH_HEADER}: ${hash}\r\n`, '');
}

function answerable(response: ServerResponse): Answerable {
  return {
    respond(status, headers, body) {
      for (const line of headers.split('\r\n')) {
        const colon = line.indexOf(':');
        if (colon > 0) response.setHeader(line.slice(0, colon), line.slice(colon + 1).trim());
      }
      response.writeHead(status);
      response.end(body);
    },
  };
}
