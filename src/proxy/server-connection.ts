// One client connection of the `net` engine: reads requests in turn, hands each to the role as an
// exchange, and feeds its body on as fast as the exchange takes it. Bytes nobody can use yet (body
// of a held request, next pipelined request, tunnel under congestion) wait in one bounded backlog.
//
//   HEAD -> BODY -> WAIT -> HEAD ...     BODY -> (answer over first) DISCARD -> HEAD
//   any -> LINGER (we sent our end, the client still sends) -> CLOSED     WAIT -> TUNNEL -> CLOSED
//
// Works on any Duplex (TCP, TLS). Invariants: at most one exchange; no read is lost; every exchange
// begun is ended, at the latest when the socket closes. Hot: `onWireBytes` runs per read.

import type { Clock } from '../clock/clock.ts';
import { AnswerWriter } from './answer-writer.ts';
import { BodyReader, BodyStatus } from './body-reader.ts';
import { ByteBacklog } from './byte-backlog.ts';
import { ClientClosing, type ClientSocket } from './client-closing.ts';
import type { ConnectionHost, Peer } from './connection-host.ts';
import { pumpLater, State } from './connection-state.ts';
import { MAX_DISCARD_BYTES } from './forward-rules.ts';
import { HalfClose } from './half-close.ts';
import { HeadIntake } from './head-intake.ts';
import { refuseBeyond } from './held-bytes.ts';
import { NetExchange } from './net-exchange.ts';
import { handOver } from './protocol-choice.ts';
import { ReadPause } from './read-pause.ts';
import { rejectionFor, replyHead } from './replies.ts';
import { RequestVerdict } from './request-head.ts';
import { BodyMode } from './response-head.ts';
import { type ExchangeHandler, Outcome } from './types.ts';
import { Wire, type WireReader } from './wire.ts';

export class ServerConnection implements WireReader {
  readonly host: ConnectionHost;
  readonly socket: ClientSocket;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly handler: ExchangeHandler;
  readonly clock: Clock;
  readonly answer: AnswerWriter;
  readonly #wire: Wire;
  exchange: NetExchange | null = null;
  readonly #intake: HeadIntake;
  readonly #body = new BodyReader();
  readonly #backlog: ByteBacklog;
  #state: State = State.HEAD;
  #discarded = 0;
  #isProcessing = false;
  #hasPeerEnded = false;
  #halfClose: HalfClose | null = null;
  readonly #closing: ClientClosing;
  readonly #pause: ReadPause<ServerConnection>;

  constructor(host: ConnectionHost, socket: ClientSocket, peer: Peer) {
    this.host = host;
    this.socket = socket;
    this.peerAddress = peer.address;
    this.peerPort = peer.port;
    this.handler = host.handler;
    this.clock = host.clock;
    this.#backlog = new ByteBacklog(host.limits.held);
    this.#wire = new Wire(socket, this);
    this.answer = new AnswerWriter(this.#wire, host.date);
    this.#closing = new ClientClosing(host.clock, socket);
    this.#pause = new ReadPause(this.#wire, host.departures ?? null, this);
    this.#intake = new HeadIntake(host);
    socket.on('end', () => {
      this.#hasPeerEnded = true;
      this.#judgePeerEnd();
    });
    for (const event of ['error', 'close']) socket.on(event, () => this.#onGone());
    this.#wire.start(host.limits.readBytes);
  }

  get isTunnel(): boolean {
    return this.#state === State.TUNNEL;
  }

  /** The time, not asked for again while the read that brought `readMs` is being handled. */
  stepMs(readMs: number): number {
    return this.#isProcessing ? readMs : this.clock.monotonicMs();
  }

  // What the server asks.

  /** Closes now if no request is under way; otherwise the answer will say `Connection: close`. */
  drain(): void {
    if (this.#state === State.HEAD && this.#backlog.length === 0) this.#closeGently();
  }

  destroy(): void {
    this.socket.destroy();
    this.#onGone();
  }

  /** QP-5: drops the connection without an answer when its head takes too long. */
  checkHeadTimeout(): void {
    if (this.#intake.isTimedOut) this.destroy();
  }

  // What the exchange asks.

  /** Goes on with what was held back, because the exchange may take it now. */
  pump(): void {
    if (this.#isProcessing) return;
    this.#processBacklog();
    this.exchange?.flushRequest();
    this.#regulate();
  }

  startTunnel(): void {
    this.#state = State.TUNNEL;
    this.host.onTunnel(this);
    // Client bytes that came before the 101 follow once its head is written.
    if (this.#backlog.length > 0) process.nextTick(pumpLater, this);
  }

  onExchangeEnd(exchange: NetExchange, outcome: Outcome): void {
    const wasTunnel = this.#state === State.TUNNEL;
    this.exchange = null;
    this.#halfClose?.stop();
    this.#halfClose = null;
    if (this.#state >= State.LINGER) return;
    if (outcome !== Outcome.COMPLETE) {
      this.#closing.reset();
      this.#onGone();
    } else if (wasTunnel) this.#finish();
    else if (exchange.closesAfter || (this.#hasPeerEnded && !exchange.requestComplete)) {
      this.#closeGently();
    } else {
      this.#discarded = 0;
      this.#state = exchange.requestComplete ? State.HEAD : State.DISCARD;
      this.pump();
    }
  }

  // Reading.

  onWireBytes(bytes: Buffer, count: number): void {
    if (this.#state === State.CLOSED || this.#state === State.LINGER) return;
    if (this.#backlog.length === 0) this.#process(bytes, 0, count);
    else {
      this.#backlog.append(bytes, 0, count);
      if (this.#state === State.HEAD && !this.#intake.head.isFresh) this.#continueHead();
      else this.#processBacklog();
    }
    if (this.#backlog.length > 0) refuseBeyond(this.host.limits.held, this.exchange);
    this.#regulate();
  }

  /** More of a head that began in an earlier read. */
  #continueHead(): void {
    const bytes = this.#backlog.view();
    this.#intake.resume(bytes);
    if (this.#intake.verdict >= RequestVerdict.INCOMPLETE) {
      this.#checkPartialHead();
      return;
    }
    this.#backlog.clear();
    this.#isProcessing = true;
    this.#onHead();
    this.#process(bytes, this.#intake.head.length, bytes.length);
  }

  #processBacklog(): void {
    if (this.#backlog.length > 0 && this.#canProgress()) {
      const bytes = this.#backlog.take();
      this.#process(bytes, 0, bytes.length);
    } else if (this.#backlog.length === 0) this.#settle();
  }

  /** Everything read was used: time to act on an end that was waiting for that. */
  #settle(): void {
    if (this.#state === State.HEAD && this.host.isDraining) this.#closeGently();
    else if (this.#hasPeerEnded) this.#judgePeerEnd();
  }

  #canProgress(): boolean {
    switch (this.#state) {
      case State.HEAD:
        return !this.#wire.isCongested;
      case State.BODY:
      case State.TUNNEL:
        return this.exchange?.canTakeBytes === true;
      default:
        return this.#state !== State.WAIT;
    }
  }

  /** Uses as much of `bytes[from, end)` as the state allows; the rest goes to the backlog. */
  #process(bytes: Buffer, from: number, end: number): void {
    let at = from;
    this.#isProcessing = true;
    while (at < end && this.#canProgress()) {
      const next = this.#step(bytes, at, end);
      if (next < 0) break;
      at = next;
    }
    this.#isProcessing = false;
    this.exchange?.flushRequest();
    if (at < end && this.#state < State.LINGER) {
      this.#backlog.append(bytes, at, end);
      if (this.#state === State.HEAD && !this.#wire.isCongested) this.#checkPartialHead();
    } else this.#settle();
  }

  /** One step of the state machine; returns where it stopped, -1 when it needs more bytes. */
  #step(bytes: Buffer, at: number, end: number): number {
    switch (this.#state) {
      case State.HEAD:
        return this.#takeHead(bytes, at, end);
      case State.BODY:
      case State.DISCARD:
        return this.#takeBody(bytes, at, end);
      case State.TUNNEL:
        this.exchange?.onTunnelBytes(bytes, at, end);
        return end;
      default:
        return end;
    }
  }

  #takeHead(bytes: Buffer, from: number, end: number): number {
    const next = this.#intake.take(bytes, from, end);
    if (this.#intake.verdict < RequestVerdict.INCOMPLETE) this.#onHead();
    return next;
  }

  #onHead(): void {
    const { head, verdict } = this.#intake;
    if (verdict === RequestVerdict.OK) this.#begin();
    else if (verdict === RequestVerdict.OPTIONS_ASTERISK && head.contentLength === 0) {
      this.#answerOptions();
    } else this.#reject(verdict);
    head.restart();
  }

  #begin(): void {
    const { head } = this.#intake;
    const exchange = new NetExchange(this, head, this.clock.monotonicMs());
    const mode = head.contentLength < 0 ? BodyMode.CHUNKED : BodyMode.LENGTH;
    this.#body.start(mode, head.contentLength);
    this.#state = exchange.requestComplete ? State.WAIT : State.BODY;
    this.exchange = exchange;
    this.handler.onRequest(exchange);
  }

  /** QP-7: `OPTIONS *` asks about the server, so the server answers. */
  #answerOptions(): void {
    const { keepAlive, minorVersion } = this.#intake.head;
    const closes = this.host.isDraining || !keepAlive;
    const lead = replyHead(minorVersion, 200, '', 0, this.host.date.get(), closes, '');
    this.answer.reply(lead, '');
    if (closes) this.#closeGently();
  }

  #reject(verdict: RequestVerdict): void {
    this.host.onRejected();
    this.answer.reply(rejectionFor(verdict), '');
    this.#linger();
  }

  #takeBody(bytes: Buffer, at: number, end: number): number {
    const body = this.#body;
    const status = body.take(bytes, at, end);
    if (status === BodyStatus.MALFORMED) {
      this.#onMalformedBody();
      return end;
    }
    const isLast = status === BodyStatus.DONE;
    const consumed = body.consumed;
    if (isLast || body.dataEnd > body.dataStart) {
      this.#onBody(bytes, body.dataStart, body.dataEnd, isLast, body.trailers);
    }
    return consumed;
  }

  #onBody(bytes: Buffer, start: number, end: number, isLast: boolean, trailers: string): void {
    const isDiscarding = this.#state === State.DISCARD;
    if (isLast) this.#state = isDiscarding ? State.HEAD : State.WAIT;
    if (isDiscarding) {
      this.#discarded += end - start;
      if (this.#discarded > MAX_DISCARD_BYTES) this.#linger();
      else if (isLast && (this.host.isDraining || this.#hasPeerEnded)) this.#closeGently();
    } else this.exchange?.onBody(bytes, start, end, isLast, trailers);
  }

  /** The framing of the body broke: the application must not see a complete request. */
  #onMalformedBody(): void {
    if (this.exchange === null || this.exchange.responseStarted) {
      this.host.onRejected();
      this.destroy();
    } else {
      this.#state = State.LINGER;
      this.exchange.onClientGone();
      this.#reject(RequestVerdict.MALFORMED);
    }
  }

  #checkPartialHead(): void {
    if (this.#intake.verdict === RequestVerdict.HTTP2_PREFACE) this.#leave();
    else if (!this.#intake.mayWait(this.#backlog.length)) this.#reject(RequestVerdict.TOO_LARGE);
    else if (this.#hasPeerEnded) this.#closeGently();
  }

  /** The connection speaks HTTP/2: it goes, with every byte it brought, to who understands that. */
  #leave(): void {
    const bytes = this.#backlog.take();
    this.#onGone();
    this.#wire.pause();
    this.#wire.release();
    handOver(this, bytes);
  }

  /** Stops reading while more waits than anybody may need at once. */
  #regulate(): void {
    const isIdle = this.#state === State.HEAD;
    const isFull = !isIdle && this.#backlog.length >= this.host.limits.readAheadBytes;
    const isStuck = isIdle && this.#wire.isCongested;
    this.#pause.set((isFull || isStuck) && this.#state < State.LINGER);
  }

  onWireDrain(): void {
    this.exchange?.onClientDrain();
    if (this.#state === State.HEAD) this.pump();
  }

  // Ends.

  /** What the client's end means, once everything it sent before was used. */
  #judgePeerEnd(): void {
    switch (this.#state) {
      case State.HEAD:
        // Complete requests may still wait for the client to read earlier answers.
        if (this.#backlog.length === 0 || !this.#wire.isCongested) this.#closeGently();
        return;
      case State.BODY:
        this.#checkEndInBody();
        return;
      case State.WAIT:
        this.#judgeHalfClose();
        return;
      case State.TUNNEL:
        if (this.#backlog.length === 0) this.exchange?.onTunnelEnd();
        return;
      default:
        this.destroy();
    }
  }

  /** The body cannot get longer than what waits here. */
  #checkEndInBody(): void {
    const { exchange } = this;
    if (exchange === null) return;
    const missing = exchange.contentLength - exchange.requestBytes - this.#backlog.length;
    if (missing > 0 || this.#backlog.length === 0) exchange.onClientGone();
    else if (exchange.isHeld) this.#judgeHalfClose();
  }

  #judgeHalfClose(): void {
    if (this.exchange === null || this.#halfClose !== null) return;
    this.#halfClose = HalfClose.judge(this.clock, this.socket, this.exchange);
    if (this.#halfClose === null) this.exchange.onClientGone();
  }

  #onGone(): void {
    if (this.#state === State.CLOSED) return;
    this.#state = State.CLOSED;
    this.#closing.over();
    this.#backlog.clear();
    this.#intake.stopTiming();
    this.exchange?.onClientGone();
    this.host.onConnectionClosed(this);
  }

  /** Ends the connection after what was written, reading on while the client may still send. */
  #closeGently(): void {
    const mayStillSend = this.#state !== State.HEAD && this.#state !== State.WAIT;
    if (mayStillSend || this.#backlog.length > 0) this.#linger();
    else this.#finish();
  }

  #linger(): void {
    this.#stopReading();
    if (this.#hasPeerEnded) this.#closing.finish();
    else this.#closing.linger();
  }

  #finish(): void {
    this.#stopReading();
    this.#closing.finish();
  }

  /** From here on what the client sends is thrown away. */
  #stopReading(): void {
    this.#state = State.LINGER;
    this.#intake.stopTiming();
    this.#backlog.clear();
    this.#regulate();
  }
}
