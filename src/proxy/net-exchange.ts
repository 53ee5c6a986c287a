// One request and its answer on the `net` engine: the object roles see as Exchange, and the caller
// an upstream connection sees. It joins the two sides and owns nothing of either: the client's
// socket and parser belong to ServerConnection, the application's to UpstreamConnection.
//
//   DECIDING -> respond -> ENDED      DECIDING -> forward -> DIALING -> SENT -> ANSWERING -> ENDED
//   DIALING, SENT -> (failure, cancelForward) -> DECIDING        ANSWERING -> (101) TUNNEL -> ENDED
//
// Invariants: onEnd exactly once, from #end; nothing is written to the client after it; a final
// head is written at most once; handlers may call back into the exchange from every callback. Hot:
// one per request, one shape, no closures.

import { ContinueWait } from './continue-wait.ts';
import type { ExchangeClient } from './exchange-client.ts';
import { forwardProblem, isReplayable, owesTooMuch, switchProblem } from './forward-rules.ts';
import { type CompiledHeaderEdits, compileEdits } from './header-edits.ts';
import { interimHeadFor, requestHeadFor } from './message-heads.ts';
import { hasNoBody, replyHead } from './replies.ts';
import type { RequestHead } from './request-head.ts';
import { type Exchange, FailureCode, type HeaderEdits, Outcome, type Upstream } from './types.ts';
import { failLater, failureOf, malformedResponse } from './upstream-errors.ts';
import type { PendingDial, UpstreamCaller, UpstreamLink } from './upstream-link.ts';
import { UpstreamPool } from './upstream-pools.ts';

const LAST_CHUNK = '0\r\n';
const EMPTY = Buffer.alloc(0);
const Phase = { DECIDING: 0, DIALING: 1, SENT: 2, ANSWERING: 3, TUNNEL: 4, ENDED: 5 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

export class NetExchange implements Exchange, UpstreamCaller {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly minorVersion: number;
  readonly contentLength: number;
  readonly isUpgrade: boolean;
  readonly remoteAddress: string;
  readonly remotePort: number;
  context: unknown = null;
  responseStarted = false;
  responseStatus = 0;
  responseBytes = 0;
  requestBytes = 0;
  ended = false;
  /** The client's connection closes after this answer. */
  closesAfter: boolean;
  /** All bytes of the request body were read. */
  requestComplete: boolean;
  /** Monotonic time at which the last part of the request is known to have arrived. */
  receivedMs: number;
  readonly #connection: ExchangeClient;
  /** Valid until the end of the exchange: the connection refills it for the next request. */
  readonly #head: RequestHead;
  #phase: Phase = Phase.DECIDING;
  #upstream: UpstreamLink | null = null;
  #dial: PendingDial | null = null;
  #pool: UpstreamPool | null = null;
  #edits: CompiledHeaderEdits | null = null;
  #hasRetried = false;
  /** Request head still to be written, so that it shares a write with the first body bytes. */
  #requestLead = '';
  #extraHeaders = '';
  /** Null unless the client waits for a 100 before it sends its body. */
  readonly #continueWait: ContinueWait | null;

  constructor(connection: ExchangeClient, head: RequestHead, nowMs: number) {
    this.#connection = connection;
    this.#head = head;
    this.method = head.method;
    this.target = head.target;
    this.host = head.host;
    this.minorVersion = head.minorVersion;
    this.contentLength = head.contentLength;
    this.isUpgrade = head.upgrade !== '';
    this.remoteAddress = connection.peerAddress;
    this.remotePort = connection.peerPort;
    this.closesAfter = !head.keepAlive;
    this.requestComplete = head.contentLength === 0;
    this.receivedMs = nowMs;
    this.#continueWait = head.expectsContinue
      ? new ContinueWait(connection.clock, connection.answer)
      : null;
  }

  get httpVersion(): 10 | 11 {
    return this.minorVersion === 0 ? 10 : 11;
  }
  get isSecure(): boolean {
    return this.#connection.host.isSecure === true;
  }

  header(name: string): string {
    return this.#connection.exchange === this ? this.#head.value(name) : '';
  }

  headers(): Iterable<readonly [name: string, value: string]> {
    return this.#connection.exchange === this ? this.#head.fields.entries() : [];
  }

  addResponseHeaders(lines: string): void {
    this.#extraHeaders += lines;
  }

  // The role's side.

  respond(status: number, headers: string, body: string | Uint8Array): void {
    if (this.ended || this.responseStarted) return;
    this.cancelForward();
    this.#connection.handler.onResponseHead(this, status);
    if (this.ended || this.responseStarted) return;
    this.#decideClosing();
    const bodyBytes = Buffer.byteLength(body);
    const { minorVersion: minor, closesAfter } = this;
    const extra = this.#extraHeaders;
    const date = this.#connection.host.date.get();
    const lead = replyHead(minor, status, headers, bodyBytes, date, closesAfter, extra);
    this.responseStarted = true;
    this.responseStatus = status;
    const sent = this.method === 'HEAD' || hasNoBody(status) ? '' : body;
    this.#connection.answer.reply(lead, sent);
    if (sent.length > 0) this.#countAnswerBytes(bodyBytes);
    this.#end(Outcome.COMPLETE);
  }

  forward(upstream: Upstream, edits: HeaderEdits): void {
    if (this.#phase !== Phase.DECIDING) return;
    if (!(upstream instanceof UpstreamPool)) throw new TypeError('upstream is not of our pools');
    this.#pool = upstream;
    this.#edits = compileEdits(edits);
    this.#hasRetried = false;
    const problem = forwardProblem(this.#head, this.requestBytes);
    if (problem !== null) {
      this.#phase = Phase.DIALING;
      process.nextTick(failLater, this, problem);
      return;
    }
    const nowMs = this.#connection.stepMs(this.receivedMs);
    const connection = upstream.checkout(isReplayable(this.#head), nowMs);
    if (connection !== null) this.#send(connection);
    else this.#startDial(upstream);
  }

  cancelForward(): void {
    if (this.#phase !== Phase.DIALING && this.#phase !== Phase.SENT) return;
    this.#dropUpstream();
    this.#phase = Phase.DECIDING;
  }

  abort(): void {
    this.#end(Outcome.ABORTED);
  }

  // The client's side, called by ServerConnection.

  /** Whether body (or tunnel) bytes of the client can go on to the application now. */
  get canTakeBytes(): boolean {
    return this.#upstream !== null && !this.#upstream.isCongested;
  }

  get isHeld(): boolean {
    return this.#phase === Phase.DECIDING || this.#phase === Phase.DIALING;
  }

  /** Body bytes, framing removed; `isLast` completes the request. `trailers` are whole lines. */
  onBody(buffer: Buffer, start: number, end: number, isLast: boolean, trailers: string): void {
    const size = end - start;
    this.requestBytes += size;
    if (size > 0) this.#continueWait?.settle();
    if (isLast) {
      this.requestComplete = true;
      this.receivedMs = this.#connection.clock.monotonicMs();
    }
    const upstream = this.#upstream;
    if (upstream === null) return;
    const isChunked = this.contentLength < 0;
    const tail = isLast && isChunked ? `${LAST_CHUNK}${trailers}\r\n` : '';
    if (isLast) upstream.requestDone = true;
    const lead = this.#requestLead;
    this.#requestLead = '';
    upstream.write(lead, buffer, start, end, isChunked, tail);
  }

  /** The current read held no (more) body bytes: what waits for them goes out alone. */
  flushRequest(): void {
    if (this.#requestLead === '' || this.#upstream === null) return;
    const lead = this.#requestLead;
    this.#requestLead = '';
    this.#upstream.write(lead, EMPTY, 0, 0, false, '');
  }

  onTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.#upstream?.write('', buffer, start, end, false, '');
  }

  /** QP-88: the client's end ends both directions, once the application has what was sent. */
  onTunnelEnd(): void {
    const upstream = this.#upstream;
    this.#upstream = null;
    upstream?.closeGently();
    this.#end(Outcome.COMPLETE);
  }

  onClientGone(): void {
    this.#end(Outcome.CLIENT_GONE);
  }

  onClientDrain(): void {
    this.#upstream?.resume();
  }

  // The application's side.

  onDialed(connection: UpstreamLink): void {
    this.#dial = null;
    this.#send(connection);
  }

  onDialStalled(): void {
    this.#connection.handler.onUpstreamStall?.(this);
  }

  onDialFailed(code: FailureCode, message: string): void {
    this.#dial = null;
    this.#fail(code, message, false);
  }

  onUpstreamInterim(connection: UpstreamLink): void {
    if (this.minorVersion === 0) return;
    this.#continueWait?.settle();
    this.#connection.answer.interim(interimHeadFor(connection.head));
    this.#throttle();
    this.#connection.handler.onInterimHead?.(this, connection.head.status);
  }

  onUpstreamHead(connection: UpstreamLink): void {
    const head = connection.head;
    if (head.status === 101) {
      this.#onSwitch(connection);
      return;
    }
    if (this.method === 'CONNECT' && head.status < 300) {
      // The client would take what follows for a tunnel, we for a body.
      const text = malformedResponse(head.text);
      connection.destroy();
      this.#fail(FailureCode.MALFORMED_RESPONSE, text, true);
      return;
    }
    this.#connection.handler.onResponseHead(this, head.status);
    if (this.#upstream !== connection) return;
    if (this.#connection.answer.frame(head, this.minorVersion)) this.closesAfter = true;
    this.#decideClosing();
    this.#startAnswer(connection);
  }

  onUpstreamData(
    buffer: Buffer,
    start: number,
    end: number,
    isLast: boolean,
    trailers: string,
  ): void {
    if (isLast && this.#phase !== Phase.TUNNEL) this.#upstream = null;
    this.#connection.answer.write(buffer, start, end, isLast, trailers);
    if (end > start) this.#countAnswerBytes(end - start);
    if (this.ended) return;
    if (!isLast) this.#throttle();
    else if (this.#phase === Phase.TUNNEL) this.#connection.answer.endTunnel();
    else this.#end(Outcome.COMPLETE);
  }

  onUpstreamDrain(): void {
    this.#connection.pump();
  }

  onUpstreamLost(
    code: FailureCode,
    message: string,
    isUntouched: boolean,
    isUnwritten: boolean,
  ): void {
    const wasReused = this.#upstream?.isReused === true;
    this.#upstream = null;
    if (this.responseStarted) {
      this.#end(Outcome.TRUNCATED);
      return;
    }
    const mayRepeat = isUntouched && isReplayable(this.#head);
    const isHarmless = mayRepeat || (isUnwritten && this.contentLength === 0);
    if (isHarmless && wasReused && !this.#hasRetried && this.#pool !== null) {
      this.#hasRetried = true;
      this.#startDial(this.#pool);
      return;
    }
    this.#fail(code, message, !isUnwritten || this.requestBytes > 0, mayRepeat);
  }

  // Inside.

  /** Runs a tick after `forward`, which must not call back itself. */
  failForward(problem: string): void {
    if (this.#phase !== Phase.DIALING || this.#dial !== null) return;
    const code = this.requestBytes > 0 ? FailureCode.CLOSED : FailureCode.UPGRADE_MISMATCH;
    this.#fail(code, problem, this.requestBytes > 0);
  }

  #startDial(pool: UpstreamPool): void {
    this.#phase = Phase.DIALING;
    this.#dial = pool.dial(this);
  }

  #send(connection: UpstreamLink): void {
    const pool = this.#pool!;
    this.#phase = Phase.SENT;
    this.#upstream = connection;
    connection.begin(this, !this.requestComplete);
    this.#requestLead = requestHeadFor(
      this.#head,
      this.#edits!,
      this.remoteAddress,
      pool.authority,
    );
    if (this.requestComplete) {
      connection.requestDone = true;
      this.flushRequest();
      return;
    }
    this.#connection.pump();
    this.#continueWait?.start();
  }

  /** Settles whether the connection outlives this answer; after its head is out that is fixed. */
  #decideClosing(): void {
    const isBodyAwaited = this.#continueWait?.isPending === true;
    if (this.#connection.host.isDraining || isBodyAwaited) this.closesAfter = true;
    // A local answer to a long upload: cheaper to close than to read what nobody wants.
    else if (this.#upstream === null && owesTooMuch(this)) this.closesAfter = true;
  }

  #startAnswer(connection: UpstreamLink): void {
    const head = connection.head;
    this.#phase = Phase.ANSWERING;
    this.#continueWait?.stop();
    this.responseStarted = true;
    this.responseStatus = head.status;
    this.#connection.answer.start(head, this.minorVersion, this.closesAfter, this.#extraHeaders);
  }

  #onSwitch(connection: UpstreamLink): void {
    const problem = switchProblem(this.#head.upgrade, connection.head.upgrade);
    if (problem !== null) {
      connection.destroy();
      this.#fail(FailureCode.UPGRADE_MISMATCH, problem, true);
      return;
    }
    this.#connection.handler.onResponseHead(this, 101);
    if (this.#upstream !== connection) return;
    this.#connection.answer.frame(connection.head, this.minorVersion);
    this.closesAfter = true;
    this.#startAnswer(connection);
    this.#phase = Phase.TUNNEL;
    connection.startTunnel();
    this.#connection.startTunnel();
  }

  /** Pauses the application while the client does not read, QP-78. */
  #throttle(): void {
    if (this.#connection.answer.isCongested) this.#upstream?.pause();
  }

  #countAnswerBytes(size: number): void {
    this.responseBytes += size;
    this.#connection.handler.onResponseBytes(this, size);
  }

  #fail(code: FailureCode, message: string, sent: boolean, mayRepeat = false): void {
    this.#upstream = null;
    this.#requestLead = '';
    this.#phase = Phase.DECIDING;
    this.#connection.handler.onUpstreamFailure(this, failureOf(code, message, sent, mayRepeat));
  }

  #dropUpstream(): void {
    this.#dial?.cancel();
    this.#dial = null;
    this.#upstream?.destroy();
    this.#upstream = null;
    this.#requestLead = '';
  }

  #end(outcome: Outcome): void {
    if (this.ended) return;
    this.ended = true;
    this.#phase = Phase.ENDED;
    this.#continueWait?.stop();
    this.#dropUpstream();
    this.#connection.handler.onEnd(this, outcome);
    this.#connection.onExchangeEnd(this, outcome);
  }
}
