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

import { answerError } from '../errors/answer.ts';
import { ERRORS } from '../errors/errors.ts';
import { isIdempotent } from './forward-rules.ts';
import type { Http2Connection } from './h2/connection.ts';
import type { Http2RequestHead } from './h2/request-head.ts';
import type { ServerStream, StreamOwner } from './h2/stream.ts';
import { Http2Code } from './h2-codes.ts';
import { Http2Continue } from './h2-continue.ts';
import {
  answerFieldsFor,
  answerTrailersFor,
  fieldPairs,
  firstValue,
  type Http2RequestParts,
  interimFieldsFor,
  type RawFields,
  replyFieldsFor,
  requestFieldsFor,
} from './h2-fields.ts';
import { isSendableStatus } from './h2-sending.ts';
import { type CompiledHeaderEdits, compileEdits } from './header-edits.ts';
import { hasNoBody } from './replies.ts';
import { type Exchange, FailureCode, type HeaderEdits, Outcome, type Upstream } from './types.ts';
import { failLater } from './upstream-errors.ts';
import type {
  CallPoolWaiter,
  CallUpstream,
  UpstreamCall,
  UpstreamCallOwner,
} from './upstream-link.ts';
import { UpstreamPool } from './upstream-pools.ts';

const Phase = { DECIDING: 0, DIALING: 1, SENT: 2, ANSWERING: 3, ENDED: 4 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

export class Http2Exchange
  implements Exchange, UpstreamCallOwner, CallPoolWaiter, Http2RequestParts, StreamOwner
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
  readonly #stream: ServerStream;
  #phase: Phase = Phase.DECIDING;
  /** The client ended its side. */
  #isRequestComplete: boolean;
  #isBodyStarted = false;
  /** Its head said that there is no body. */
  #hasAnswerEnded = false;
  #pool: UpstreamPool | null = null;
  #edits: CompiledHeaderEdits | null = null;
  #upstream: CallUpstream | null = null;
  #call: UpstreamCall | null = null;
  #hasRetried = false;
  #extraHeaders = '';
  /** Null unless the client waits for a 100 before it sends its body. */
  readonly #continueWait: Http2Continue | null;

  constructor(connection: Http2Connection, stream: ServerStream, head: Http2RequestHead) {
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
  }

  get isSecure(): boolean {
    return this.#connection.host.isSecure;
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
    const { date } = this.#connection.host;
    const fields = replyFieldsFor(status, headers + this.#extraHeaders, date);
    if (!hasNoBody(status)) fields.push('content-length', String(bodyBytes));
    const hasBody = bodyBytes > 0 && this.method !== 'HEAD' && !hasNoBody(status);
    if (!this.#startAnswer(status, fields, !hasBody)) return;
    if (hasBody) {
      this.#stream.write(Buffer.from(body));
      this.#stream.end(null);
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
    this.requestBytes += chunk.length;
    this.#continueWait?.settle();
    if (this.#call?.write(chunk) === false) this.#stream.pauseReading();
  }

  onBodiesFull(): void {
    if (this.#phase <= Phase.DIALING) answerError(this, ERRORS.BODIES_FULL);
  }

  onRequestEnd(trailers: RawFields | null): void {
    this.#isRequestComplete = true;
    this.#continueWait?.settle();
    this.#call?.end(trailers);
  }

  onClientDrain(): void {
    this.#call?.resume();
  }

  /** The client's stream is gone, by the client's will or with its connection. */
  onClientGone(): void {
    this.#end(Outcome.CLIENT_GONE);
  }

  // The application's side.

  onUpstreamRoom(upstream: CallUpstream): void {
    this.#send(upstream);
  }

  onUpstreamStalled(): void {
    this.#connection.host.handler.onUpstreamStall?.(this);
  }

  onUpstreamUnreachable(code: FailureCode, message: string): void {
    this.#fail(code, message, false);
  }

  onCallInterim(_call: UpstreamCall, status: number, raw: RawFields): void {
    if (this.responseStarted || this.#stream.isClosed) return;
    this.#continueWait?.settle();
    this.#stream.interim(interimFieldsFor(status, raw));
    this.#connection.host.handler.onInterimHead?.(this, status);
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
    const fields = answerFieldsFor(status, raw, this.#extraHeaders, this.#connection.host.date);
    this.#startAnswer(status, fields, isEnd || this.method === 'HEAD' || hasNoBody(status));
  }

  onCallData(call: UpstreamCall, chunk: Buffer): void {
    if (this.#hasAnswerEnded) return;
    if (!this.#stream.write(chunk)) call.pause();
    this.#countAnswerBytes(chunk.length);
  }

  onCallEnd(_call: UpstreamCall, trailers: RawFields | null): void {
    this.#call = null;
    this.#stream.end(trailers === null ? null : answerTrailersFor(trailers));
    this.#end(Outcome.COMPLETE);
  }

  onCallDrain(): void {
    this.#stream.startReading();
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
    this.#isBodyStarted = true;
    this.#stream.startReading();
  }

  /** False without a client, which its stream tells us apart. */
  #startAnswer(status: number, fields: readonly string[], isEnd: boolean): boolean {
    if (this.#stream.isClosed) return false;
    this.#continueWait?.settle();
    this.responseStarted = true;
    this.responseStatus = status;
    this.#hasAnswerEnded = isEnd;
    this.#stream.respond(fields, isEnd);
    return true;
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
    if (outcome === Outcome.COMPLETE) this.#stream.release();
    else this.#stream.reset(Http2Code.INTERNAL_ERROR);
  }
}
