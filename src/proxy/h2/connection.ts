// One client connection that speaks HTTP/2 (RFC 9113): what frames mean for it and its streams.
// Frames come from frame-reader, leave by Outlet; every request becomes an Http2Exchange. Decision
// 0021 says why this is our own.
//
//   PREFACE -> SETTINGS -> OPEN -> (GOAWAY said, last stream done) -> ENDING -> CLOSED
//   any -> (an error of the client's) GOAWAY -> ENDING -> CLOSED
//
// Invariants: every exchange that was begun is ended, at the latest when the connection closes; a
// request that was accepted before the last GOAWAY is served. Hot: once per frame.

import type { TimerHandle } from '../../clock/clock.ts';
import { ClientClosing, type ClientSocket } from '../client-closing.ts';
import type { Peer } from '../connection-host.ts';
import { END_STREAM, Http2Code } from '../h2-codes.ts';
import { Http2Exchange } from '../h2-exchange.ts';
import { FloodGuard } from '../h2-flood.ts';
import { MAX_CONCURRENT_STREAMS, MAX_FRAME_BYTES } from '../h2-limits.ts';
import type { HeldBytes } from '../held-bytes.ts';
import { Wire, type WireReader } from '../wire.ts';
import { ControlFrames } from './control-frames.ts';
import { DataIntake } from './data-intake.ts';
import { FieldBlock } from './field-block.ts';
import { judgeMessageFrame } from './frame-rules.ts';
import { Flag, type FrameHandler, FrameReader, FrameType, Payload } from './frames.ts';
import { GracefulEnd } from './graceful-end.ts';
import type { Http2Host } from './host.ts';
import { Inflow } from './inflow.ts';
import { Outlet, type OutletOwner } from './outlet.ts';
import { matchPreface, PREFACE_BYTES } from './preface.ts';
import { ServerStream, type StreamHost } from './stream.ts';
import { StreamTable } from './stream-table.ts';

const Phase = { PREFACE: 0, SETTINGS: 1, OPEN: 2, ENDING: 3, CLOSED: 4 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

const ANSWER_TO_OPTIONS: readonly string[] = [':status', '200', 'content-length', '0'];

export class Http2Connection implements WireReader, FrameHandler, StreamHost, OutletOwner {
  readonly host: Http2Host;
  readonly peer: Peer;
  readonly outlet: Outlet;
  readonly inflow: Inflow;
  readonly streams = new StreamTable();
  readonly held: HeldBytes | null;
  readonly #socket: ClientSocket;
  readonly #wire: Wire;
  readonly #reader = new FrameReader(this);
  readonly #block = new FieldBlock();
  readonly #data = new DataIntake();
  readonly #guard: FloodGuard;
  readonly #control: ControlFrames;
  readonly #closing: ClientClosing;
  readonly #end: GracefulEnd;
  #phase: Phase = Phase.PREFACE;
  #prefaceBytes = 0;
  /** Until the client's preface is complete (QP-5), and while a field block is not. */
  #timer: TimerHandle | null = null;
  #exchanges = 0;

  constructor(host: Http2Host, socket: ClientSocket, peer: Peer) {
    this.host = host;
    this.peer = peer;
    this.held = host.held ?? null;
    this.#socket = socket;
    this.#guard = new FloodGuard(host.clock);
    this.#wire = new Wire(socket, this);
    this.outlet = new Outlet(this.#wire, this);
    this.inflow = new Inflow(this.outlet);
    this.#control = new ControlFrames(this, this.#guard);
    this.#closing = new ClientClosing(host.clock, socket);
    this.#end = new GracefulEnd(this);
    // A client that ends its side of the connection wants no more answers on HTTP/2.
    socket.on('end', () => this.#onClientEnd());
    for (const event of ['error', 'close']) socket.on(event, () => this.#onGone());
  }

  /** Begins; the socket may hold bytes that somebody looked at and put back. */
  start(): void {
    const first = this.#socket.read() as Buffer | null;
    this.#startTimer();
    this.#control.greet();
    this.#wire.start();
    this.#wire.resume();
    if (first !== null) this.onWireBytes(first, first.length);
  }

  /** Requests whose answer is not complete. */
  get exchangeCount(): number {
    return this.#exchanges;
  }

  get isOver(): boolean {
    return this.#phase >= Phase.ENDING;
  }

  /** Tells the client to go away; the connection ends after the streams it carries. */
  drain(): void {
    if (!this.isOver) this.#end.announce();
  }

  /** Ends what runs; complete answers still go out, as far as the client takes them. */
  close(): void {
    if (this.isOver) return;
    this.#end.sayLast();
    for (const stream of this.streams.all()) {
      if (stream.isOwned) stream.reset(Http2Code.INTERNAL_ERROR);
    }
    this.#end.check();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#onGone();
  }

  // For the exchanges.

  onExchangeEnd(): void {
    this.#exchanges -= 1;
  }

  // For the streams and the outlet.

  onProgress(bytes: number): void {
    this.#guard.onProgress(bytes);
  }

  onStreamClosed(stream: ServerStream, wasReset: boolean): void {
    this.streams.remove(stream.id);
    if (wasReset) this.streams.noteReset(stream.id);
    if (this.streams.size === 0) this.#end.check();
  }

  /** An answer to a PING. */
  onPong(): void {
    this.#end.onPong();
  }

  /** RFC 9113 section 6.8: what runs is finished. */
  onClientGoaway(): void {
    this.#end.sayLast();
    this.#end.check();
  }

  onOverfull(isOverfull: boolean): void {
    if (this.isOver) return;
    if (isOverfull) this.#wire.pause();
    else this.#wire.resume();
  }

  // Reading.

  onWireBytes(bytes: Buffer, count: number): void {
    let at = 0;
    if (this.#phase === Phase.PREFACE) {
      at = matchPreface(bytes, count, this.#prefaceBytes);
      if (at < 0) this.fail(Http2Code.PROTOCOL_ERROR);
      else this.#prefaceBytes += at;
      if (this.#prefaceBytes < PREFACE_BYTES || this.isOver) return;
      this.#phase = Phase.SETTINGS;
    }
    if (this.isOver) return;
    this.#reader.take(bytes, at, count);
    this.#watchBlock();
  }

  onWireDrain(): void {
    this.outlet.onDrain();
  }

  onFrameHead(type: number, flags: number, streamId: number, length: number): Payload {
    const code = this.#judgeHead(type, flags, streamId, length);
    if (code !== Http2Code.NO_ERROR) this.fail(code);
    else if (type === FrameType.DATA) return this.#onDataHead(flags, streamId, length);
    else if (type === FrameType.HEADERS || type === FrameType.CONTINUATION) return Payload.WHOLE;
    else return this.#control.onFrameHead(type, flags, streamId, length);
    return Payload.NONE;
  }

  onFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const block = this.#block;
    if (type > FrameType.HEADERS && type !== FrameType.CONTINUATION) {
      this.#control.onFrame(type, flags, streamId, bytes, start, end);
      return;
    }
    const code =
      type === FrameType.HEADERS
        ? block.begin(flags, streamId, bytes, start, end)
        : block.go(flags, bytes, start, end);
    if (end === start && this.#guard.onEmpty()) this.endFlood('empty frames');
    else if (code === Http2Code.ENHANCE_YOUR_CALM) this.endFlood('continuation');
    else if (code !== Http2Code.NO_ERROR) this.fail(code);
    else if (block.openId === 0) this.#onBlock(streamId);
  }

  onDataBytes(bytes: Buffer, start: number, end: number): void {
    const data = this.#data;
    const stream = data.stream;
    if (stream === null) return;
    if (!data.take(bytes, start, end)) this.fail(Http2Code.PROTOCOL_ERROR);
    else if (data.bodyEnd > data.bodyStart && !stream.isClosed) {
      const isFine = stream.onData(bytes, data.bodyStart, data.bodyEnd);
      if (!isFine) this.failStream(stream.id, Http2Code.PROTOCOL_ERROR);
    }
  }

  onDataEnd(): void {
    const { stream, isLast, overhead } = this.#data;
    this.#data.stream = null;
    if (stream === null || stream.isClosed) return;
    if (overhead > 0) stream.credit(overhead);
    if (isLast && !stream.onRemoteEnd(null)) {
      this.failStream(stream.id, Http2Code.PROTOCOL_ERROR);
    }
  }

  // What goes wrong.

  /** A connection error (RFC 9113 section 5.4.1). */
  fail(code: Http2Code): void {
    if (this.isOver) return;
    this.outlet.goaway(this.streams.lastId, code);
    this.#finish();
    this.#closing.linger();
  }

  /** A stream error (RFC 9113 section 5.4.2). */
  failStream(streamId: number, code: Http2Code): void {
    const stream = this.streams.get(streamId);
    this.outlet.reset(streamId, code);
    if (stream === undefined) this.streams.noteReset(streamId);
    else stream.onGone(true);
    this.judgeReset();
  }

  /** A stream ended before its answer did, by the client's doing. */
  judgeReset(): void {
    if (this.#guard.onReset()) this.endFlood('reset');
  }

  endFlood(what: string): void {
    if (this.isOver) return;
    this.fail(Http2Code.ENHANCE_YOUR_CALM);
    this.host.onFlood(this, what);
  }

  /** For GracefulEnd: everything is out that will go. */
  finishGently(): void {
    if (this.isOver) return;
    this.#finish();
    this.#closing.finish();
  }

  // Inside.

  /** What is wrong with a frame before its payload is looked at. */
  #judgeHead(type: number, flags: number, streamId: number, length: number): Http2Code {
    if (length > MAX_FRAME_BYTES) return Http2Code.FRAME_SIZE_ERROR;
    if (this.#phase === Phase.SETTINGS) {
      const isFirst = type === FrameType.SETTINGS && (flags & Flag.ACK) === 0;
      if (!isFirst) return Http2Code.PROTOCOL_ERROR;
      this.#phase = Phase.OPEN;
      this.#stopTimer();
    }
    return judgeMessageFrame(this.streams, this.#block.openId, type, flags, streamId, length);
  }

  #onDataHead(flags: number, streamId: number, length: number): Payload {
    const { streams } = this;
    const stream = streams.get(streamId);
    const isLast = (flags & END_STREAM) !== 0;
    if (stream === undefined && !streams.wasReset(streamId)) {
      const isIdle = streams.isIdle(streamId);
      this.fail(isIdle ? Http2Code.PROTOCOL_ERROR : Http2Code.STREAM_CLOSED);
    } else if (!this.inflow.onReceived(length)) this.fail(Http2Code.FLOW_CONTROL_ERROR);
    else if (length === 0 && !isLast && this.#guard.onEmpty()) this.endFlood('empty frames');
    if (this.isOver) return Payload.NONE;
    if (stream === undefined) return Payload.SKIPPED;
    if (stream.isRemoteEnded) this.failStream(streamId, Http2Code.STREAM_CLOSED);
    else if (!stream.onFlow(length)) this.failStream(streamId, Http2Code.FLOW_CONTROL_ERROR);
    if (stream.isClosed) return this.isOver ? Payload.NONE : Payload.SKIPPED;
    this.#data.begin(stream, length, isLast, (flags & Flag.PADDED) !== 0);
    return Payload.PIECES;
  }

  #onBlock(streamId: number): void {
    const { collector, isEndStream } = this.#block;
    const stream = this.streams.get(streamId);
    if (stream !== undefined) this.#onTrailers(stream, isEndStream);
    else if (streamId <= this.streams.lastId) return;
    else {
      this.streams.lastId = streamId;
      this.#guard.onStream();
      if (this.#end.refuses || this.streams.size >= MAX_CONCURRENT_STREAMS) {
        this.failStream(streamId, Http2Code.REFUSED_STREAM);
      } else if (collector.isTooLarge) this.#reject(streamId, Http2Code.ENHANCE_YOUR_CALM);
      else this.#onRequest(streamId, isEndStream);
    }
  }

  #onRequest(streamId: number, isComplete: boolean): void {
    const head = this.#block.collector.requestHead(isComplete);
    if (head === null) {
      this.#reject(streamId, Http2Code.PROTOCOL_ERROR);
      return;
    }
    const window = this.#control.settings.initialWindow;
    const stream = new ServerStream(this, streamId, window, isComplete, head.contentLength);
    this.streams.add(stream);
    if (head.target === '*') {
      // QP-7: `OPTIONS *` asks about the server, so the server answers.
      stream.respond(ANSWER_TO_OPTIONS, true);
      return;
    }
    const exchange = new Http2Exchange(this, stream, head);
    stream.owner = exchange;
    this.#exchanges += 1;
    this.host.handler.onRequest(exchange);
  }

  /** Malformed: no handler runs, nothing is forwarded (QP-7, RFC 9113 section 8.1.1). */
  #reject(streamId: number, code: Http2Code): void {
    this.host.onRejected();
    this.failStream(streamId, code);
  }

  #onTrailers(stream: ServerStream, isEndStream: boolean): void {
    const { collector } = this.#block;
    const trailers = collector.trailers();
    if (stream.isRemoteEnded) this.failStream(stream.id, Http2Code.STREAM_CLOSED);
    else if (collector.isTooLarge) this.failStream(stream.id, Http2Code.ENHANCE_YOUR_CALM);
    else if (!isEndStream || trailers === null || !stream.onRemoteEnd(trailers)) {
      this.failStream(stream.id, Http2Code.PROTOCOL_ERROR);
    }
  }

  /** A field block that has begun must come to its end (QP-5). */
  #watchBlock(): void {
    if (this.#phase !== Phase.OPEN) return;
    const { openType } = this.#reader;
    const isOpen =
      this.#block.openId !== 0 ||
      openType === FrameType.HEADERS ||
      openType === FrameType.CONTINUATION;
    if (!isOpen) this.#stopTimer();
    else if (this.#timer === null) this.#startTimer();
  }

  #startTimer(): void {
    const { clock, headTimeoutMs } = this.host;
    this.#timer = clock.setTimer(headTimeoutMs, () => this.destroy(), { background: true });
  }

  #stopTimer(): void {
    if (this.#timer === null) return;
    this.#timer.cancel();
    this.#timer = null;
  }

  /** Nothing is read any more, and only what was written before goes out. */
  #finish(): void {
    this.#phase = Phase.ENDING;
    this.#endStreams();
    this.outlet.flush();
    this.outlet.close();
    // What the client still sends is read and thrown away.
    this.#wire.resume();
  }

  #endStreams(): void {
    this.#stopTimer();
    this.#end.stop();
    for (const stream of this.streams.all()) stream.onGone(false);
  }

  #onClientEnd(): void {
    if (this.isOver) this.destroy();
    else this.finishGently();
  }

  #onGone(): void {
    if (this.#phase === Phase.CLOSED) return;
    this.#phase = Phase.CLOSED;
    this.#closing.over();
    this.outlet.close();
    this.#endStreams();
    this.host.onClosed(this);
  }
}
