// One client connection of the `net` engine: reads requests one after the other, hands each to the
// role as an exchange, and feeds its body on as fast as the exchange takes it. Bytes nobody can use
// yet (body of a held request, next pipelined request, tunnel under congestion) wait in one bounded
// backlog.
//
//   HEAD -> BODY -> WAIT -> HEAD ...     BODY -> (answer over first) DISCARD -> HEAD
//   any -> LINGER (we sent our end, the client still sends) -> CLOSED     WAIT -> TUNNEL -> CLOSED
//
// Works on any Duplex (TCP, TLS). Invariants: at most one exchange; no read is lost; every exchange
// that was begun is ended, at the latest when the socket closes. Hot: `#onData` and `#process` run
// per read.

import type { Duplex } from 'node:stream';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import { BodyReader, BodyStatus } from './body-reader.ts';
import { isCongested } from './body-writer.ts';
import { ByteBacklog } from './byte-backlog.ts';
import { CR, LF } from './characters.ts';
import { HalfClose, isHalfClose } from './half-close.ts';
import { NetExchange } from './net-exchange.ts';
import { type DateLine, rejectionFor, replyHead } from './replies.ts';
import { RequestHead, RequestVerdict } from './request-head.ts';
import { BodyMode } from './response-head.ts';
import { type ExchangeHandler, type HttpServerLimits, Outcome } from './types.ts';

/** What a connection needs of its server. */
export interface ConnectionHost {
  readonly handler: ExchangeHandler;
  readonly limits: HttpServerLimits;
  readonly clock: Clock;
  readonly date: DateLine;
  readonly isDraining: boolean;
  /** Counts up while the server runs; a head must not take more than HEAD_TICKS of it. */
  readonly tick: number;
  onTunnel(connection: ServerConnection): void;
  onConnectionClosed(connection: ServerConnection): void;
}

export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** A stream with the extras TCP and TLS sockets have. */
export type ClientSocket = Duplex & { resetAndDestroy?(): unknown; destroySoon?(): void };

/** Server ticks a request head may take; one tick is a quarter of the head timeout. */
export const HEAD_TICKS = 5;
/** Rest of an upload read to keep the connection after an early answer; more closes it. */
const MAX_DISCARD_BYTES = 256 * 1024;
/** How long a client may go on sending after our end, so that it can read the answer first. */
const LINGER_MS = 2_000;
const NOT_TIMED = -1;

const State = { HEAD: 0, BODY: 1, WAIT: 2, DISCARD: 3, TUNNEL: 4, LINGER: 5, CLOSED: 6 } as const;
type State = (typeof State)[keyof typeof State];

export class ServerConnection {
  readonly socket: ClientSocket;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly handler: ExchangeHandler;
  readonly clock: Clock;
  readonly date: DateLine;
  exchange: NetExchange | null = null;
  readonly #host: ConnectionHost;
  readonly #head = new RequestHead();
  readonly #body = new BodyReader();
  readonly #backlog = new ByteBacklog();
  #state: State = State.HEAD;
  /** Server tick since which a head is awaited; NOT_TIMED between requests and during one. */
  #headSinceTick: number;
  #discarded = 0;
  #isProcessing = false;
  #isPaused = false;
  #hasPeerEnded = false;
  #halfClose: HalfClose | null = null;
  /** Ends lingering. */
  #timer: TimerHandle | null = null;

  constructor(host: ConnectionHost, socket: ClientSocket, peer: Peer) {
    this.#host = host;
    this.socket = socket;
    this.peerAddress = peer.address;
    this.peerPort = peer.port;
    this.handler = host.handler;
    this.clock = host.clock;
    this.date = host.date;
    this.#headSinceTick = host.tick;
    socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onPeerEnd());
    socket.on('error', () => this.#onGone());
    socket.on('close', () => this.#onGone());
  }

  get isDraining(): boolean {
    return this.#host.isDraining;
  }

  get isTunnel(): boolean {
    return this.#state === State.TUNNEL;
  }

  nowMs(): number {
    return this.clock.monotonicMs();
  }

  /**
   * The time, without asking for it again while the read that brought `readMs` is being handled.
   */
  stepMs(readMs: number): number {
    return this.#isProcessing ? readMs : this.clock.monotonicMs();
  }

  /** Whether more of the body is still to come than is worth reading to keep the connection. */
  owesTooMuch(exchange: NetExchange): boolean {
    return exchange.contentLength - exchange.requestBytes > MAX_DISCARD_BYTES;
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
    if (this.#headSinceTick === NOT_TIMED) return;
    if (this.#host.tick - this.#headSinceTick >= HEAD_TICKS) this.destroy();
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
    this.#host.onTunnel(this);
    // Client bytes that came before the 101 follow once its head is written.
    if (this.#backlog.length > 0) process.nextTick(pumpLater, this);
  }

  endWriting(): void {
    this.socket.end();
  }

  onExchangeEnd(exchange: NetExchange, outcome: Outcome): void {
    const wasTunnel = this.#state === State.TUNNEL;
    this.exchange = null;
    this.#halfClose?.stop();
    this.#halfClose = null;
    if (this.#state >= State.LINGER) return;
    if (outcome !== Outcome.COMPLETE) this.#reset();
    else if (wasTunnel) this.#finishSocket();
    else if (exchange.closesAfter || (this.#hasPeerEnded && !exchange.requestComplete)) {
      this.#closeGently();
    } else this.#nextRequest(exchange.requestComplete);
  }

  #nextRequest(isRequestComplete: boolean): void {
    this.#discarded = 0;
    this.#state = isRequestComplete ? State.HEAD : State.DISCARD;
    this.pump();
  }

  // Reading.

  #onData(bytes: Buffer): void {
    if (this.#state === State.CLOSED || this.#state === State.LINGER) return;
    if (this.#backlog.length === 0) this.#process(bytes, 0, bytes.length);
    else {
      this.#backlog.append(bytes, 0, bytes.length);
      if (this.#state === State.HEAD && !this.#head.isFresh) this.#continueHead();
      else this.#processBacklog();
    }
    this.#regulate();
  }

  /** More of a head that began in an earlier read. */
  #continueHead(): void {
    const bytes = this.#backlog.view();
    const verdict = this.#head.read(bytes, 0, bytes.length);
    if (verdict === RequestVerdict.INCOMPLETE) {
      this.#checkPartialHead();
      return;
    }
    this.#backlog.clear();
    this.#isProcessing = true;
    this.#onHead(verdict);
    this.#process(bytes, this.#head.length, bytes.length);
  }

  #processBacklog(): void {
    if (this.#backlog.length > 0 && this.#canProgress()) {
      const bytes = this.#backlog.take();
      this.#process(bytes, 0, bytes.length);
    } else if (this.#backlog.length === 0) this.#settle();
  }

  /** Everything read was used: time to act on an end that was waiting for that. */
  #settle(): void {
    if (this.#state === State.HEAD && this.isDraining) this.#closeGently();
    else if (this.#hasPeerEnded) this.#checkPeerEnd();
  }

  #canProgress(): boolean {
    switch (this.#state) {
      case State.HEAD:
        return !isCongested(this.socket);
      case State.BODY:
      case State.TUNNEL:
        return this.exchange?.canTakeBytes === true;
      case State.WAIT:
        return false;
      default:
        return true;
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
      if (this.#state === State.HEAD && !isCongested(this.socket)) this.#checkPartialHead();
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
    const head = this.#head;
    const at = head.isFresh ? skipEmptyLines(bytes, from, end) : from;
    // A lone CR may become one more empty line.
    if (at === end || (at + 1 === end && bytes[at] === CR)) return at > from ? at : -1;
    const verdict = head.read(bytes, at, end);
    if (verdict === RequestVerdict.INCOMPLETE) return at > from ? at : -1;
    this.#onHead(verdict);
    return at + head.length;
  }

  #onHead(verdict: RequestVerdict): void {
    const head = this.#head;
    this.#headSinceTick = NOT_TIMED;
    if (verdict === RequestVerdict.OK && head.length <= this.#host.limits.maxHeadBytes) {
      this.#begin();
    } else if (verdict === RequestVerdict.OPTIONS_ASTERISK && head.contentLength === 0) {
      this.#answerOptions();
    } else this.#reject(verdict === RequestVerdict.OK ? RequestVerdict.TOO_LARGE : verdict);
    head.restart();
  }

  #begin(): void {
    const head = this.#head;
    const exchange = new NetExchange(this, head, this.clock.monotonicMs());
    this.#body.start(
      head.contentLength < 0 ? BodyMode.CHUNKED : BodyMode.LENGTH,
      head.contentLength,
    );
    this.#state = exchange.requestComplete ? State.WAIT : State.BODY;
    this.exchange = exchange;
    this.handler.onRequest(exchange);
  }

  /** QP-7: `OPTIONS *` asks about the server, so the server answers. */
  #answerOptions(): void {
    const closes = this.isDraining || !this.#head.keepAlive;
    const reply = replyHead(this.#head.minorVersion, 200, '', 0, this.date.get(), closes, '');
    this.socket.write(reply, 'latin1');
    if (closes) this.#closeGently();
  }

  #reject(verdict: RequestVerdict): void {
    this.socket.write(rejectionFor(verdict), 'latin1');
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
      else if (isLast && (this.isDraining || this.#hasPeerEnded)) this.#closeGently();
    } else this.exchange?.onBody(bytes, start, end, isLast, trailers);
  }

  /** The framing of the body broke: the application must not see a complete request. */
  #onMalformedBody(): void {
    const exchange = this.exchange;
    if (exchange === null || exchange.responseStarted) {
      this.destroy();
      return;
    }
    this.exchange = null;
    this.#state = State.LINGER;
    exchange.onClientGone();
    this.#reject(RequestVerdict.MALFORMED);
  }

  #checkPartialHead(): void {
    if (this.#headSinceTick === NOT_TIMED) this.#headSinceTick = this.#host.tick;
    if (this.#backlog.length > this.#host.limits.maxHeadBytes) {
      this.#reject(RequestVerdict.TOO_LARGE);
    } else if (this.#hasPeerEnded) this.#closeGently();
  }

  /** Stops reading while more waits than anybody may need at once. */
  #regulate(): void {
    const isFull =
      this.#state !== State.HEAD && this.#backlog.length >= this.#host.limits.readAheadBytes;
    const isStuck = this.#state === State.HEAD && isCongested(this.socket);
    const shouldPause = (isFull || isStuck) && this.#state < State.LINGER;
    if (shouldPause === this.#isPaused) return;
    this.#isPaused = shouldPause;
    if (shouldPause) this.socket.pause();
    else this.socket.resume();
  }

  #onDrain(): void {
    this.exchange?.onClientDrain();
    if (this.#state === State.HEAD) this.pump();
  }

  // Ends.

  #onPeerEnd(): void {
    this.#hasPeerEnded = true;
    this.#checkPeerEnd();
  }

  /** What the client's end means, once everything it sent before was used. */
  #checkPeerEnd(): void {
    if (!this.#hasPeerEnded) return;
    switch (this.#state) {
      case State.HEAD:
        // Complete requests may still wait for the client to read earlier answers.
        if (this.#backlog.length === 0 || !isCongested(this.socket)) this.#closeGently();
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
    const exchange = this.exchange;
    if (exchange === null) return;
    const missing = exchange.contentLength - exchange.requestBytes - this.#backlog.length;
    if (missing > 0 || this.#backlog.length === 0) exchange.onClientGone();
    else if (exchange.isHeld) this.#judgeHalfClose();
  }

  /** See HalfClose. */
  #judgeHalfClose(): void {
    const exchange = this.exchange;
    if (exchange === null || this.#halfClose !== null) return;
    if (isHalfClose(exchange.receivedMs, this.clock.monotonicMs())) {
      this.#halfClose = new HalfClose(this.clock, this.socket, exchange);
    } else exchange.onClientGone();
  }

  #onGone(): void {
    if (this.#state === State.CLOSED) return;
    this.#state = State.CLOSED;
    this.#cancelTimer();
    this.#backlog.clear();
    this.#headSinceTick = NOT_TIMED;
    this.exchange?.onClientGone();
    this.#host.onConnectionClosed(this);
  }

  /** The answer cannot be finished: the client must not take it for complete. */
  #reset(): void {
    if (this.socket.resetAndDestroy === undefined) this.socket.destroy();
    else this.socket.resetAndDestroy();
    this.#onGone();
  }

  /** Ends the connection after what was written, reading on while the client may still send. */
  #closeGently(): void {
    const mayStillSend = this.#state !== State.HEAD && this.#state !== State.WAIT;
    if (this.#hasPeerEnded || (!mayStillSend && this.#backlog.length === 0)) this.#finishSocket();
    else this.#linger();
  }

  /** Closes both directions once everything written is out, however slowly the client reads. */
  #finishSocket(): void {
    this.#enterLinger();
    if (this.socket.destroySoon !== undefined) this.socket.destroySoon();
    else this.socket.end(() => this.socket.destroy());
  }

  #linger(): void {
    if (this.#hasPeerEnded) {
      this.#finishSocket();
      return;
    }
    this.#enterLinger();
    this.socket.end(() => {
      if (this.#state === State.CLOSED) return;
      this.#timer = this.clock.setTimer(LINGER_MS, () => this.destroy(), { background: true });
    });
  }

  #enterLinger(): void {
    this.#state = State.LINGER;
    this.#headSinceTick = NOT_TIMED;
    this.#cancelTimer();
    this.#backlog.clear();
    this.#regulate();
  }

  #cancelTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}

function pumpLater(connection: ServerConnection): void {
  connection.pump();
}

/** RFC 9112 2.2: empty lines before a request line are ignored. Returns where it begins. */
function skipEmptyLines(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at + 1 < end && bytes[at] === CR && bytes[at + 1] === LF) at += 2;
  return at;
}
