// One stream of a client's connection, between the frames and the exchange that owns it. Keeps the
// body nobody reads yet (bounded by the stream's window) and the answer that cannot go yet (bounded
// by HIGH_WATER, above which its writer is told to pause). Once owner and client are done with each
// other the stream lives on until both ends are closed.
//
//   open --END_STREAM received--> half-closed (remote) --END_STREAM sent--> closed
//   open --END_STREAM sent--> half-closed (local), the rest of the body is thrown away --> closed
//
// Invariants: the owner hears onClientGone at most once, and nothing after it or after `release`;
// an end or trailers come behind every byte before them. Hot: one per request, one shape.

import { ByteBacklog } from '../byte-backlog.ts';
import { MAX_DISCARD_BYTES } from '../forward-rules.ts';
import { Http2Code } from '../h2-codes.ts';
import type { RawFields } from '../h2-fields.ts';
import { STREAM_WINDOW_BYTES } from '../h2-limits.ts';
import type { HeldBytes } from '../held-bytes.ts';
import { Flag } from './frames.ts';
import type { Inflow } from './inflow.ts';
import type { Outlet } from './outlet.ts';

export interface StreamOwner {
  /** `chunk` is the owner's. */
  onRequestData(chunk: Buffer): void;
  /** More bodies wait than may: an owner that waits for an application should answer. */
  onBodiesFull(): void;
  /** The client ended the body itself. */
  onRequestEnd(trailers: RawFields | null): void;
  /** Writes may go on after congestion. */
  onClientDrain(): void;
  /** The stream is gone before its answer was complete. */
  onClientGone(): void;
}

/** The connection of a stream. */
export interface StreamHost {
  readonly outlet: Outlet;
  readonly inflow: Inflow;
  readonly held: HeldBytes | null;
  /** Neither side sends any more; `wasReset`: by us, so frames of the client may still come. */
  onStreamClosed(stream: ServerStream, wasReset: boolean): void;
  /** Bytes of a body passed. */
  onProgress(bytes: number): void;
}

/** Answer bytes that may wait for the client; above it the writer should pause. */
const HIGH_WATER_BYTES = 64 << 10;
/** What a waiting chunk counts beside its bytes. */
const CHUNK_OVERHEAD = 256;

const NO_CHUNKS: readonly Buffer[] = [];

export class ServerStream {
  readonly id: number;
  readonly #host: StreamHost;
  #owner: StreamOwner | null = null;
  /** Neither side sends any more. */
  isClosed = false;

  // What the client sends.
  /** The client ended its side. */
  isRemoteEnded: boolean;
  #window = STREAM_WINDOW_BYTES;
  #uncredited = 0;
  /** Declared body bytes still to come; -1 = not declared. */
  #declaredLeft: number;
  #isReading = false;
  #held: ByteBacklog | null = null;
  #trailers: RawFields | null = null;
  #hasToldEnd = false;
  #discardedBytes = 0;

  // What we send.
  /** How much more DATA the client takes on this stream; below 0 after a SETTINGS that said so. */
  window: number;
  #isLocalEnded = false;
  #isEnding = false;
  #endTrailers: readonly string[] | null = null;
  #chunks: Buffer[] = NO_CHUNKS as Buffer[];
  #first = 0;
  firstOffset = 0;
  waitingBytes = 0;
  #needsDrain = false;

  constructor(
    host: StreamHost,
    id: number,
    window: number,
    isRemoteEnded: boolean,
    declaredBytes: number,
  ) {
    this.#host = host;
    this.id = id;
    this.window = window;
    this.isRemoteEnded = isRemoteEnded;
    this.#declaredLeft = declaredBytes;
  }

  /** Until `release`; once. */
  set owner(owner: StreamOwner) {
    this.#owner = owner;
  }

  /** Whether somebody still works on its answer. */
  get isOwned(): boolean {
    return this.#owner !== null;
  }

  // The owner's side: the answer.

  /** A final head. Nothing may follow it with `isEnd`. */
  respond(fields: readonly string[], isEnd: boolean): void {
    if (this.isClosed || this.#isEnding) return;
    this.#host.outlet.fields(this.id, fields, isEnd ? Flag.END_STREAM : 0);
    if (!isEnd) return;
    this.#isEnding = true;
    this.#onLocalEnd();
  }

  interim(fields: readonly string[]): void {
    if (!this.isClosed && !this.#isEnding) this.#host.outlet.fields(this.id, fields, 0);
  }

  /** False when the writer should pause until onClientDrain. `chunk` must stay as it is. */
  write(chunk: Buffer): boolean {
    if (this.isClosed || this.#isEnding || chunk.length === 0) return true;
    const { outlet } = this.#host;
    if (this.waitingBytes === 0 && outlet.tryData(this, chunk)) {
      this.#host.onProgress(chunk.length);
      return true;
    }
    if (this.#chunks === NO_CHUNKS) this.#chunks = [];
    this.#chunks.push(chunk);
    this.waitingBytes += chunk.length;
    outlet.pump(this);
    this.#needsDrain = this.#waitingCost > HIGH_WATER_BYTES;
    return !this.#needsDrain;
  }

  /** The answer is complete once everything written is out. */
  end(trailers: readonly string[] | null): void {
    if (this.isClosed || this.#isEnding) return;
    this.#isEnding = true;
    this.#endTrailers = trailers;
    if (this.waitingBytes === 0) this.#sendEnd();
  }

  /** The answer is complete or nobody will complete it: the owner hears nothing more. */
  release(): void {
    this.#owner = null;
    if (this.isClosed || this.isRemoteEnded) return;
    // The client may be in the middle of sending a body nobody wants.
    this.#discardHeld();
  }

  reset(code: number): void {
    if (this.isClosed) return;
    this.#host.outlet.reset(this.id, code);
    this.#close(true);
  }

  // The owner's side: the body.

  startReading(): void {
    this.#isReading = true;
    const held = this.#held;
    if (held !== null && held.length > 0) {
      const chunk = held.take();
      this.#host.inflow.onHeld(-chunk.length);
      this.#pass(chunk);
    }
    this.#tellEnd();
  }

  pauseReading(): void {
    this.#isReading = false;
  }

  // The connection's side.

  /** Payload bytes of DATA, padding included. False when the client sent more than it may. */
  onFlow(bytes: number): boolean {
    this.#window -= bytes;
    return this.#window >= 0;
  }

  /** Body bytes, borrowed. False when they are more than were declared. */
  onData(bytes: Buffer, start: number, end: number): boolean {
    const size = end - start;
    if (this.#declaredLeft >= 0) {
      this.#declaredLeft -= size;
      if (this.#declaredLeft < 0) return false;
    }
    if (this.#owner === null) this.#discard(size);
    else if (this.#isReading) this.#pass(Buffer.from(bytes.subarray(start, end)));
    else {
      this.#held ??= new ByteBacklog(this.#host.held);
      this.#held.append(bytes, start, end);
      this.#host.inflow.onHeld(size);
      if (this.#host.held?.isExceeded === true) this.#owner.onBodiesFull();
    }
    return true;
  }

  /** The client's END_STREAM. False when the body is shorter than declared. */
  onRemoteEnd(trailers: RawFields | null): boolean {
    this.isRemoteEnded = true;
    if (this.#declaredLeft > 0) return false;
    this.#trailers = trailers;
    if (this.#owner !== null) this.#tellEnd();
    if (this.#isLocalEnded) this.#close(false);
    return true;
  }

  /** Bytes that are of no use to anybody (padding), or that were used. */
  credit(bytes: number): void {
    this.#uncredited += bytes;
    if (this.isRemoteEnded || this.isClosed) return;
    if (this.#uncredited < STREAM_WINDOW_BYTES / 2) return;
    this.#host.outlet.windowUpdate(this.id, this.#uncredited);
    this.#window += this.#uncredited;
    this.#uncredited = 0;
  }

  /** It ended by the client's reset, an error of the client's, or with its connection. */
  onGone(wasReset: boolean): void {
    if (!this.isClosed) this.#close(wasReset);
  }

  // For the outlet.

  get firstChunk(): Buffer {
    return this.#chunks[this.#first]!;
  }

  onSent(bytes: number): void {
    this.#host.onProgress(bytes);
    this.waitingBytes -= bytes;
    this.firstOffset += bytes;
    if (this.firstOffset < this.#chunks[this.#first]!.length) return;
    this.firstOffset = 0;
    this.#first += 1;
    if (this.#first < this.#chunks.length) return;
    this.#chunks.length = 0;
    this.#first = 0;
  }

  /** A window opened, or the client reads again. */
  pump(): void {
    if (this.isClosed) return;
    this.#host.outlet.pump(this);
    if (this.#isEnding && this.waitingBytes === 0) this.#sendEnd();
    else if (this.#needsDrain && this.#waitingCost <= HIGH_WATER_BYTES / 2) {
      this.#needsDrain = false;
      this.#owner?.onClientDrain();
    }
  }

  // Inside.

  get #waitingCost(): number {
    return this.waitingBytes + (this.#chunks.length - this.#first) * CHUNK_OVERHEAD;
  }

  #sendEnd(): void {
    if (this.#isLocalEnded) return;
    const trailers = this.#endTrailers;
    const { outlet } = this.#host;
    if (trailers === null || trailers.length === 0) outlet.endStream(this.id);
    else outlet.fields(this.id, trailers, Flag.END_STREAM);
    this.#onLocalEnd();
  }

  /** The answer is out: its owner has nothing more to hear. */
  #onLocalEnd(): void {
    this.#isLocalEnded = true;
    this.#owner = null;
    if (this.isRemoteEnded) this.#close(false);
    else if (this.#discardedBytes > MAX_DISCARD_BYTES) this.reset(Http2Code.NO_ERROR);
    else this.#discardHeld();
  }

  #pass(chunk: Buffer): void {
    const size = chunk.length;
    this.#host.onProgress(size);
    if (this.#owner === null) this.#discard(size);
    else {
      this.#owner.onRequestData(chunk);
      this.credit(size);
    }
  }

  #tellEnd(): void {
    if (!this.isRemoteEnded || !this.#isReading || this.#hasToldEnd) return;
    this.#hasToldEnd = true;
    this.#owner?.onRequestEnd(this.#trailers);
  }

  #discardHeld(): void {
    const size = this.#held?.length ?? 0;
    if (size === 0) return;
    this.#held!.clear();
    this.#host.inflow.onHeld(-size);
    this.#discard(size);
  }

  /** Reads on for a while behind a complete answer, so that the client gets to read it. */
  #discard(size: number): void {
    this.#discardedBytes += size;
    if (this.#discardedBytes <= MAX_DISCARD_BYTES) this.credit(size);
    else if (this.#isLocalEnded) this.reset(Http2Code.NO_ERROR);
  }

  #close(wasReset: boolean): void {
    this.isClosed = true;
    const owner = this.#owner;
    this.#owner = null;
    const held = this.#held?.length ?? 0;
    if (held > 0) {
      this.#held!.clear();
      this.#host.inflow.onHeld(-held);
    }
    this.#chunks = NO_CHUNKS as Buffer[];
    this.waitingBytes = 0;
    this.#host.outlet.forget(this);
    this.#host.onStreamClosed(this, wasReset);
    owner?.onClientGone();
  }
}
