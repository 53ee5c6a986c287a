// An Exchange driven by the test instead of sockets: it records what the handler asked for and lets
// the test play the app and the client. It ends exactly once, as the interface promises.

import {
  type Exchange,
  type ExchangeHandler,
  type HeaderEdits,
  Outcome,
  type Upstream,
  type UpstreamFailure,
} from '../types.ts';

export interface FakeRequest {
  /** By lower-case name; a list stands for repeated lines. */
  headers?: Readonly<Record<string, string | readonly string[]>>;
  method?: string;
  target?: string;
  isUpgrade?: boolean;
  isSecure?: boolean;
  host?: string;
}

export class ScriptedExchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly minorVersion = 1;
  readonly httpVersion = 11;
  readonly contentLength = 0;
  readonly isUpgrade: boolean;
  readonly remoteAddress = '10.0.0.9';
  readonly remotePort = 40_000;
  readonly isSecure: boolean;
  readonly requestBytes = 0;
  responseStarted = false;
  responseStatus = 0;
  responseBytes = 0;
  ended = false;
  context: unknown = null;

  /** What the handler did. */
  outcome: Outcome | null = null;
  answerHeaders = '';
  answerBody: string | Uint8Array = '';
  forwarded: HeaderEdits | null = null;
  cancelledForwards = 0;
  readonly #handler: ExchangeHandler;
  readonly #headers: Readonly<Record<string, string | readonly string[]>>;

  constructor(handler: ExchangeHandler, request: FakeRequest = {}) {
    this.#handler = handler;
    this.#headers = request.headers ?? {};
    this.method = request.method ?? 'GET';
    this.target = request.target ?? '/';
    this.isUpgrade = request.isUpgrade ?? false;
    this.isSecure = request.isSecure ?? false;
    this.host = request.host ?? 'hello.example.com';
  }

  /** Delivers the request to the handler. */
  arrive(): this {
    this.#handler.onRequest(this);
    return this;
  }

  header(name: string): string {
    const value = this.#headers[name] ?? '';
    return typeof value === 'string' ? value : (value[0] ?? '');
  }

  *headers(): Generator<readonly [string, string]> {
    for (const [name, values] of Object.entries(this.#headers)) {
      for (const value of [values].flat()) yield [name, value];
    }
  }

  respond(status: number, headers: string, body: string | Uint8Array): void {
    if (this.ended || this.responseStarted) throw new Error('answered twice');
    this.answerHeaders = headers;
    this.answerBody = body;
    this.#start(status);
    this.responseBytes = body.length;
    this.#end(Outcome.COMPLETE);
  }

  forward(_upstream: Upstream, edits: HeaderEdits): void {
    if (this.ended) throw new Error('forwarded after the end');
    if (this.forwarded !== null) throw new Error('forwarded twice');
    this.forwarded = edits;
  }

  cancelForward(): void {
    this.cancelledForwards += 1;
  }

  abort(): void {
    if (!this.ended) this.#end(Outcome.ABORTED);
  }

  addResponseHeaders(): void {
    throw new Error('the sidecar adds none');
  }

  /** The app sends its final head (or 101). */
  appAnswers(status: number): void {
    this.#start(status);
  }

  appSends(byteCount: number): void {
    this.responseBytes += byteCount;
    this.#handler.onResponseBytes(this, byteCount);
  }

  /** The answer, or the tunnel, is over. */
  appEnds(): void {
    this.#end(Outcome.COMPLETE);
  }

  /** The app breaks off in the middle of its answer. */
  appBreaks(): void {
    this.#end(Outcome.TRUNCATED);
  }

  appFails(failure: UpstreamFailure): void {
    this.forwarded = null;
    this.#handler.onUpstreamFailure(this, failure);
  }

  clientLeaves(): void {
    this.#end(Outcome.CLIENT_GONE);
  }

  #start(status: number): void {
    this.#handler.onResponseHead(this, status);
    this.responseStarted = true;
    this.responseStatus = status;
  }

  #end(outcome: Outcome): void {
    if (this.ended) throw new Error('ended twice');
    this.ended = true;
    this.outcome = outcome;
    this.#handler.onEnd(this, outcome);
  }
}
