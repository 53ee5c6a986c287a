// An Exchange without sockets for handler tests: it records what the role did and lets the test
// play the pod and the client. Follows the contract of src/proxy/types.ts: after `respond` or
// `abort` the exchange ends once, through the handler's onEnd.

import type { Exchange, ExchangeHandler, FailureCode, HeaderEdits, Upstream } from '../types.ts';
import { Outcome } from '../types.ts';

export class FakeExchange implements Exchange {
  method = 'GET';
  target = '/';
  host: string;
  minorVersion = 1;
  readonly httpVersion = 11;
  contentLength = 0;
  isUpgrade = false;
  remoteAddress = '192.0.2.7';
  remotePort = 40_000;
  responseStarted = false;
  responseStatus = 0;
  responseBytes = 0;
  requestBytes = 0;
  ended = false;
  context: unknown = null;
  /** What the client received as head lines and body, when answered locally. */
  headerLines = '';
  body = '';
  /** Lines added to the answer's head, whoever gave it. */
  addedLines = '';
  outcome: Outcome | null = null;
  /** Every forward, oldest first. */
  readonly forwards: { upstream: Upstream; edits: HeaderEdits }[] = [];
  cancelled = 0;
  readonly #headers: Record<string, string>;
  readonly #handler: ExchangeHandler;

  constructor(handler: ExchangeHandler, headers: Record<string, string> = {}) {
    this.#handler = handler;
    this.#headers = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
    this.host = this.#headers.host ?? 'hello.default.example.com';
  }

  header(name: string): string {
    return this.#headers[name] ?? '';
  }

  headers(): Iterable<readonly [string, string]> {
    return Object.entries(this.#headers);
  }

  get upstream(): string {
    const last = this.forwards.at(-1);
    return last === undefined ? '' : `${last.upstream.host}:${last.upstream.port}`;
  }

  start(): this {
    this.#handler.onRequest(this);
    return this;
  }

  respond(status: number, headers: string, body: string): void {
    if (this.ended || this.responseStarted) return;
    this.headerLines = headers;
    this.body = body;
    this.#head(status);
    this.#end(Outcome.COMPLETE);
  }

  forward(upstream: Upstream, edits: HeaderEdits): void {
    this.forwards.push({ upstream, edits });
  }

  cancelForward(): void {
    this.cancelled += 1;
  }

  abort(): void {
    this.#end(Outcome.ABORTED);
  }

  addResponseHeaders(lines: string): void {
    this.addedLines += lines;
  }

  /** The pod answers with a head only; `finish` completes it. */
  podAnswers(status = 200): this {
    this.#head(status);
    return this;
  }

  podSends(bytes: number): this {
    this.responseBytes += bytes;
    this.#handler.onResponseBytes(this, bytes);
    return this;
  }

  finish(): void {
    if (!this.responseStarted) this.podAnswers();
    this.#end(Outcome.COMPLETE);
  }

  clientLeaves(): void {
    this.#end(Outcome.CLIENT_GONE);
  }

  podFails(code: FailureCode, sent: boolean, message = 'pod failed', isRepeatable = false): void {
    this.#handler.onUpstreamFailure(this, { code, sent, message, isRepeatable });
  }

  #head(status: number): void {
    this.responseStatus = status;
    this.#handler.onResponseHead(this, status);
    this.responseStarted = true;
  }

  #end(outcome: Outcome): void {
    if (this.ended) return;
    this.ended = true;
    this.outcome = outcome;
    this.#handler.onEnd(this, outcome);
  }
}
