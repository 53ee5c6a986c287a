// One request and its answer on HTTP/2: the object roles see as Exchange, the caller an application
// is called for. It joins a stream of the client's connection to a stream of the application's and
// owns nothing of either connection. Both directions run at once and independently (QP-86).
//
//   DECIDING -> respond -> ENDED      DECIDING -> forward -> DIALING -> SENT -> ANSWERING -> ENDED
//   DIALING, SENT -> (failure, cancelForward) -> DECIDING
//
// Invariants: onEnd exactly once, from #end; nothing is sent to the client after it, except the
// rest of a complete answer; an answer the application did not complete is reset, never ended.
// Hot: one per request, one shape, no closures.

import type { ServerHttp2Stream, ServerStreamResponseOptions } from 'node:http2';
import { isIdempotent, MAX_DISCARD_BYTES } from './forward-rules.ts';
import { Http2Code } from './h2-codes.ts';
import type { Http2Connection } from './h2-connection.ts';
import { Http2Continue } from './h2-continue.ts';
import {
  answerFieldsFor,
  fieldPairs,
  firstValue,
  type Http2Fields,
  type Http2RequestParts,
  type RawFields,
  replyFieldsFor,
  requestFieldsFor,
  trailerFieldsFor,
} from './h2-fields.ts';
import type { Http2RequestHead } from './h2-request-head.ts';
import { type RequestStreamOwner, startBody, watchRequest } from './h2-request-stream.ts';
import { isSendableStatus, sendHead, sendInterim, sendTrailers } from './h2-sending.ts';
import { type CompiledHeaderEdits, compileEdits } from './header-edits.ts';
import { hasNoBody } from './replies.ts';
import { type Exchange, FailureCode, type HeaderEdits, Outcome, type Upstream } from './types.ts';
import type {
  CallPoolWaiter,
  CallUpstream,
  UpstreamCall,
  UpstreamCallOwner,
} from './upstream-link.ts';
import { UpstreamPool } from './upstream-pools.ts';

const Phase = { DECIDING: 0, DIALING: 1, SENT: 2, ANSWERING: 3, ENDED: 4 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

const WITHOUT_BODY: ServerStreamResponseOptions = { endStream: true };
const WITH_BODY: ServerStreamResponseOptions = { endStream: false };
const WITH_TRAILERS: ServerStreamResponseOptions = { endStream: false, waitForTrailers: true };
const NO_TRAILERS: Http2Fields = {};

export class Http2Exchange
  implements Exchange, UpstreamCallOwner, CallPoolWaiter, Http2RequestParts, RequestStreamOwner
{
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly minorVersion = 1;
  readonly httpVersion = 20;
  readonly contentLength: number;
  readonly isUpgrade = false;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Fields of the request as they came. */
  readonly raw: RawFields;
  context: unknown = null;
  responseStarted = false;
  responseStatus = 0;
  responseBytes = 0;
  requestBytes = 0;
  ended = false;
  readonly #connection: Http2Connection;
  readonly #stream: ServerHttp2Stream;
  #phase: Phase = Phase.DECIDING;
  /** The client ended its side. */
  #isRequestComplete: boolean;
  #isBodyStarted = false;
  #requestTrailers: RawFields | null = null;
  #pool: UpstreamPool | null = null;
  #edits: CompiledHeaderEdits | null = null;
  #upstream: CallUpstream | null = null;
  #call: UpstreamCall | null = null;
  #hasRetried = false;
  #extraHeaders = '';
  /** Sent behind the answer's body. */
  #trailers: RawFields | null = null;
  #discardedBytes = 0;
  /** Null unless the client waits for a 100 before it sends its body. */
  readonly #continueWait: Http2Continue | null;

  constructor(connection: Http2Connection, stream: ServerHttp2Stream, head: Http2RequestHead) {
    this.#connection = connection;
    this.#stream = stream;
    this.method = head.method;
    this.target = head.target;
    this.host = head.host;
    this.contentLength = head.contentLength;
    this.remoteAddress = connection.peer.address;
    this.remotePort = connection.peer.port;
    this.raw = head.raw;
    this.#isRequestComplete = head.isComplete;
    this.#continueWait = head.expectsContinue
      ? new Http2Continue(connection.host.clock, stream)
      : null;
    watchRequest(stream, this, head.isComplete);
  }

  header(name: string): string {
    return firstValue(this.raw, name);
  }

  headers(): Iterable<readonly [name: string, value: string]> {
    return fieldPairs(this.raw);
  }

  addResponseHeaders(lines: string): void {
    this.#extraHeaders += lines;
  }

  // The role's side.

  respond(status: number, headers: string, body: string | Uint8Array): void {
    if (this.ended || this.responseStarted) return;
    this.cancelForward();
    this.#connection.host.handler.onResponseHead(this, status);
    if (this.ended || this.responseStarted) return;
    const bodyBytes = Buffer.byteLength(body);
    const fields = replyFieldsFor(status, headers + this.#extraHeaders);
    if (!hasNoBody(status)) fields['content-length'] = String(bodyBytes);
    const hasBody = bodyBytes > 0 && this.method !== 'HEAD' && !hasNoBody(status);
    if (!this.#startAnswer(status, fields, hasBody ? WITH_BODY : WITHOUT_BODY)) return;
    if (hasBody) {
      this.#stream.end(body);
      this.#countAnswerBytes(bodyBytes);
    }
    this.#end(Outcome.COMPLETE);
  }

  forward(upstream: Upstream, edits: HeaderEdits): void {
    if (this.#phase !== Phase.DECIDING) return;
    if (!(upstream instanceof UpstreamPool)) throw new TypeError('upstream is not of our pools');
    this.#pool = upstream;
    this.#edits = compileEdits(edits);
    this.#hasRetried = false;
    this.#phase = Phase.DIALING;
    if (this.requestBytes > 0) process.nextTick(failLater, this, 'request body already sent');
    else this.#connect();
  }

  cancelForward(): void {
    if (this.#phase !== Phase.DIALING && this.#phase !== Phase.SENT) return;
    this.#dropUpstream();
    this.#phase = Phase.DECIDING;
  }

  abort(): void {
    this.#end(Outcome.ABORTED);
  }

  // The client's side, called for its stream.

  onRequestData(chunk: Buffer): void {
    if (this.ended) {
      this.#discardedBytes += chunk.length;
      if (this.#discardedBytes > MAX_DISCARD_BYTES) this.#stream.close(Http2Code.NO_ERROR);
      return;
    }
    this.requestBytes += chunk.length;
    this.#continueWait?.settle();
    this.#connection.onProgress();
    if (this.#call?.write(chunk) === false) this.#stream.pause();
  }

  onRequestTrailers(raw: RawFields): void {
    this.#requestTrailers = raw;
  }

  onRequestEnd(): void {
    this.#isRequestComplete = true;
    this.#continueWait?.settle();
    this.#call?.end(this.#requestTrailers);
  }

  onClientDrain(): void {
    this.#call?.resume();
  }

  /** The whole answer is out; what the application sent behind it follows. */
  onWantTrailers(): void {
    const trailers = this.#trailers;
    const fields = trailers === null ? NO_TRAILERS : trailerFieldsFor(trailers);
    if (!sendTrailers(this.#stream, fields)) this.#stream.close(Http2Code.INTERNAL_ERROR);
  }

  /** The client's stream is gone, by the client's will or with its connection. */
  onClientGone(): void {
    if (this.ended) return;
    this.#connection.onReset();
    this.#end(Outcome.CLIENT_GONE);
  }

  // The application's side.

  onUpstreamRoom(upstream: CallUpstream): void {
    this.#send(upstream);
  }

  onUpstreamUnreachable(code: FailureCode, message: string): void {
    this.#fail(code, message, false);
  }

  onCallInterim(_call: UpstreamCall, status: number, raw: RawFields): void {
    if (this.responseStarted || this.#stream.closed) return;
    this.#continueWait?.settle();
    const isSent = sendInterim(this.#stream, answerFieldsFor(status, raw, ''));
    if (isSent) this.#connection.host.handler.onInterimHead?.(this, status);
  }

  onCallHead(call: UpstreamCall, status: number, raw: RawFields, isEnd: boolean): void {
    if (!isSendableStatus(status)) {
      this.#dropUpstream();
      this.#fail(FailureCode.MALFORMED_RESPONSE, `http2: answer with status ${status}`, true);
      return;
    }
    this.#connection.host.handler.onResponseHead(this, status);
    if (this.#call !== call) return;
    this.#phase = Phase.ANSWERING;
    const fields = answerFieldsFor(status, raw, this.#extraHeaders);
    const hasBody = !isEnd && this.method !== 'HEAD' && !hasNoBody(status);
    this.#startAnswer(status, fields, hasBody ? WITH_TRAILERS : WITHOUT_BODY);
  }

  onCallData(call: UpstreamCall, chunk: Buffer): void {
    if (this.#stream.writableEnded) return;
    if (!this.#stream.write(chunk)) call.pause();
    this.#connection.onProgress();
    this.#countAnswerBytes(chunk.length);
  }

  onCallEnd(_call: UpstreamCall, trailers: RawFields | null): void {
    this.#call = null;
    this.#trailers = trailers;
    if (!this.#stream.writableEnded) this.#stream.end();
    this.#end(Outcome.COMPLETE);
  }

  onCallDrain(): void {
    this.#stream.resume();
  }

  onCallLost(call: UpstreamCall): void {
    const upstream = this.#upstream!;
    this.#call = null;
    if (this.responseStarted) {
      this.#end(Outcome.TRUNCATED);
      return;
    }
    if (this.#mayRetry(call, upstream)) {
      this.#hasRetried = true;
      this.#phase = Phase.DIALING;
      this.#connect();
      return;
    }
    this.#fail(upstream.failureCode(call), upstream.describeFailure(call), true);
  }

  // Inside.

  failForward(message: string): void {
    if (this.#phase === Phase.DIALING) this.#fail(FailureCode.CLOSED, message, true);
  }

  #connect(): void {
    const pool = this.#pool!.http2;
    const upstream = pool.checkout();
    if (upstream === null) pool.wait(this);
    else this.#send(upstream);
  }

  #send(upstream: CallUpstream): void {
    const fields = requestFieldsFor(this, this.#edits!, this.remoteAddress, this.#pool!.authority);
    const call = upstream.open(fields, !this.#isRequestComplete, this);
    if (call === null) {
      this.#pool!.http2.wait(this);
      return;
    }
    if (call === false) {
      process.nextTick(failLater, this, 'http2: invalid request header');
      return;
    }
    this.#phase = Phase.SENT;
    this.#upstream = upstream;
    this.#call = call;
    if (this.#isRequestComplete) return;
    this.#readBody();
    this.#continueWait?.start();
  }

  /** QP-64; a stream the application says it never looked at may go out again, whatever it is. */
  #mayRetry(call: UpstreamCall, upstream: CallUpstream): boolean {
    if (this.#hasRetried || this.#isBodyStarted || !call.isUntouched) return false;
    if (upstream.isUnprocessed(call)) return true;
    if (!call.isReused) return false;
    const isMarked = this.header('idempotency-key') + this.header('x-idempotency-key') !== '';
    return isMarked || isIdempotent(this.method);
  }

  #readBody(): void {
    if (this.#isBodyStarted) this.#stream.resume();
    else startBody(this.#stream);
    this.#isBodyStarted = true;
  }

  /** False without a client, which its stream tells us apart, or for what it cannot be sent. */
  #startAnswer(status: number, fields: Http2Fields, options: ServerStreamResponseOptions): boolean {
    if (this.#stream.closed || this.#stream.destroyed) return false;
    this.#continueWait?.settle();
    this.responseStarted = true;
    this.responseStatus = status;
    if (sendHead(this.#stream, fields, options)) return true;
    this.#end(Outcome.TRUNCATED);
    return false;
  }

  #countAnswerBytes(size: number): void {
    this.responseBytes += size;
    this.#connection.host.handler.onResponseBytes(this, size);
  }

  #fail(code: FailureCode, message: string, sent: boolean): void {
    this.#phase = Phase.DECIDING;
    this.#connection.host.handler.onUpstreamFailure(this, { code, sent, message });
  }

  #dropUpstream(): void {
    if (this.#phase === Phase.DIALING) this.#pool!.http2.cancel(this);
    const call = this.#call;
    this.#call = null;
    call?.cancel();
  }

  #end(outcome: Outcome): void {
    if (this.ended) return;
    this.ended = true;
    this.#dropUpstream();
    this.#phase = Phase.ENDED;
    this.#continueWait?.settle();
    this.#connection.host.handler.onEnd(this, outcome);
    this.#connection.onExchangeEnd();
    if (outcome !== Outcome.COMPLETE) this.#stream.close(Http2Code.INTERNAL_ERROR);
    // Nobody wants the rest of the body, but the client may be in the middle of sending it.
    else if (!this.#isRequestComplete) this.#readBody();
  }
}

function failLater(exchange: Http2Exchange, message: string): void {
  exchange.failForward(message);
}
