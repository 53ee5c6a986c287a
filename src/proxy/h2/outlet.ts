// Everything a connection sends: frames gather in one buffer and leave in one write per turn
// (flush-queue.ts). DATA obeys the windows of its stream and of the connection and stops while the
// client does not read; what cannot go waits in its stream. All other frames always go in, which is
// safe because the connection stops reading when too much of them waits (`isOverfull`).
// Invariants: a field block is never interleaved; DATA never exceeds a window; sockets get bytes in
// the order of the calls. Hot: once per frame.

import type { Wire } from '../wire.ts';
import { flushSoon } from './flush-queue.ts';
import {
  DEFAULT_WINDOW_BYTES,
  Flag,
  FRAME_HEAD_BYTES,
  FrameType,
  MIN_MAX_FRAME_BYTES,
} from './frames.ts';
import { blockBound, HpackEncoder } from './hpack-encoder.ts';
import type { ServerStream } from './stream.ts';

/** Frames of one write; a fuller buffer leaves at once. */
const BUFFER_BYTES = 64 << 10;
/** Largest frame we send, whatever the client allows: streams take turns. */
const MAX_SENT_FRAME_BYTES = MIN_MAX_FRAME_BYTES;
/** Bytes written while the client does not read; above it nothing is read from it either. */
const MAX_UNREAD_BYTES = 256 << 10;
/** Buffers kept for the next turn; more are left to the garbage collector. */
const MAX_SPARE_BUFFERS = 16;

const spares: Buffer[] = [];

export interface OutletOwner {
  /** Too much waits for the client to read, or no longer. */
  onOverfull(isOverfull: boolean): void;
}

export class Outlet {
  readonly encoder = new HpackEncoder();
  readonly #wire: Wire;
  readonly #owner: OutletOwner;
  /** Null while there is nothing to send. */
  #buffer: Buffer | null = null;
  #length = 0;
  /** Where the last frame begins, if END_STREAM may still be added to it; -1 = it may not. */
  #lastAt = -1;
  #lastStreamId = 0;
  /** The connection's window. */
  window = DEFAULT_WINDOW_BYTES;
  /** Have DATA that waits for the connection's window or for the client to read. */
  readonly #waiting = new Set<ServerStream>();
  /** The client does not keep up. */
  #isBlocked = false;
  #unreadBytes = 0;
  #isClosed = false;

  constructor(wire: Wire, owner: OutletOwner) {
    this.#wire = wire;
    this.#owner = owner;
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    this.#drop();
  }

  // Frames.

  settings(entries: readonly (readonly [id: number, value: number])[]): void {
    this.#head(FrameType.SETTINGS, 0, 0, entries.length * 6);
    for (const [id, value] of entries) {
      this.#uint16(id);
      this.#uint32(value);
    }
  }

  settingsAck(): void {
    this.#head(FrameType.SETTINGS, Flag.ACK, 0, 0);
  }

  /** `payload` is borrowed for the call. */
  ping(flags: number, payload: Uint8Array): void {
    this.#head(FrameType.PING, flags, 0, payload.length);
    this.#buffer!.set(payload, this.#length);
    this.#length += payload.length;
  }

  goaway(lastStreamId: number, code: number): void {
    this.#head(FrameType.GOAWAY, 0, 0, 8);
    this.#uint32(lastStreamId);
    this.#uint32(code);
  }

  reset(streamId: number, code: number): void {
    this.#head(FrameType.RST_STREAM, 0, streamId, 4);
    this.#uint32(code);
  }

  windowUpdate(streamId: number, bytes: number): void {
    this.#head(FrameType.WINDOW_UPDATE, 0, streamId, 4);
    this.#uint32(bytes);
  }

  /** A field block: a head, an interim head, or trailers. */
  fields(streamId: number, fields: readonly string[], flags: number): void {
    const bound = blockBound(fields);
    if (bound > MAX_SENT_FRAME_BYTES) {
      this.#largeFields(streamId, fields, flags, bound);
      return;
    }
    this.#head(FrameType.HEADERS, flags | Flag.END_HEADERS, streamId, bound);
    const buffer = this.#buffer!;
    const end = this.encoder.encode(fields, buffer, this.#length);
    const at = this.#length - FRAME_HEAD_BYTES;
    writeLength(buffer, at, end - this.#length);
    this.#length = end;
    this.#remember(at, streamId);
  }

  /** Ends a stream: in the last frame, if that is the stream's and still here. */
  endStream(streamId: number): void {
    if (this.#lastAt >= 0 && this.#lastStreamId === streamId) {
      const at = this.#lastAt + 4;
      this.#buffer![at] = this.#buffer![at]! | Flag.END_STREAM;
      this.#lastAt = -1;
    } else this.#head(FrameType.DATA, Flag.END_STREAM, streamId, 0);
  }

  /** Sends as much of what waits in the stream as is allowed now. */
  pump(stream: ServerStream): void {
    while (stream.waitingBytes > 0) {
      if (stream.window <= 0) return;
      if (this.#isBlocked || this.window <= 0) {
        this.#waiting.add(stream);
        return;
      }
      const chunk = stream.firstChunk;
      const from = stream.firstOffset;
      const allowed = Math.min(stream.window, this.window, MAX_SENT_FRAME_BYTES);
      const size = Math.min(chunk.length - from, allowed);
      this.#data(stream, chunk, from, from + size);
      stream.onSent(size);
    }
  }

  /** DATA straight from its source; false when it has to wait. */
  tryData(stream: ServerStream, chunk: Buffer): boolean {
    const size = chunk.length;
    if (this.#isBlocked || size > MAX_SENT_FRAME_BYTES || size > stream.window) return false;
    if (size > this.window) return false;
    this.#data(stream, chunk, 0, size);
    return true;
  }

  /** The stream will send no more. */
  forget(stream: ServerStream): void {
    this.#waiting.delete(stream);
  }

  /** Gives every stream that waits its turn, as long as something can go. */
  pumpAll(): void {
    for (let left = this.#waiting.size; left > 0; left -= 1) {
      if (this.#isBlocked || this.window <= 0) return;
      for (const stream of this.#waiting) {
        this.#waiting.delete(stream);
        stream.pump();
        break;
      }
    }
  }

  /** The client reads again. */
  onDrain(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    const wasOverfull = this.#unreadBytes > MAX_UNREAD_BYTES;
    this.#unreadBytes = 0;
    if (wasOverfull) this.#owner.onOverfull(false);
    this.pumpAll();
  }

  flush(): void {
    const buffer = this.#buffer;
    if (buffer === null) return;
    const length = this.#length;
    this.#drop();
    if (length === 0 || this.#isClosed) return;
    this.#wire.writeAround('', buffer, 0, length, '');
    if (!this.#wire.isCongested) return;
    this.#isBlocked = true;
    const before = this.#unreadBytes;
    this.#unreadBytes += length;
    if (before <= MAX_UNREAD_BYTES && this.#unreadBytes > MAX_UNREAD_BYTES) {
      this.#owner.onOverfull(true);
    }
  }

  // Inside.

  #data(stream: ServerStream, chunk: Buffer, from: number, to: number): void {
    const size = to - from;
    this.#head(FrameType.DATA, 0, stream.id, size);
    const buffer = this.#buffer!;
    const at = this.#length;
    buffer.set(size === chunk.length ? chunk : chunk.subarray(from, to), at);
    this.#length = at + size;
    this.#remember(at - FRAME_HEAD_BYTES, stream.id);
    stream.window -= size;
    this.window -= size;
  }

  #largeFields(streamId: number, fields: readonly string[], flags: number, bound: number): void {
    const block = Buffer.allocUnsafe(bound);
    const length = this.encoder.encode(fields, block, 0);
    for (let at = 0, isFirst = true; isFirst || at < length; isFirst = false) {
      const end = Math.min(length, at + MAX_SENT_FRAME_BYTES);
      const last = end === length ? Flag.END_HEADERS : 0;
      if (isFirst) this.#head(FrameType.HEADERS, flags | last, streamId, end - at);
      else this.#head(FrameType.CONTINUATION, last, streamId, end - at);
      this.#buffer!.set(block.subarray(at, end), this.#length);
      this.#length += end - at;
      at = end;
    }
  }

  /** Writes a frame's head, with room for its payload behind it. */
  #head(type: number, flags: number, streamId: number, length: number): void {
    const needed = FRAME_HEAD_BYTES + length;
    if (this.#buffer !== null && this.#length + needed > BUFFER_BYTES) this.flush();
    let buffer = this.#buffer;
    if (buffer === null) {
      buffer = spares.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
      this.#buffer = buffer;
      flushSoon(this);
    }
    const at = this.#length;
    writeLength(buffer, at, length);
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    writeUint32(buffer, at + 5, streamId);
    this.#length = at + FRAME_HEAD_BYTES;
    this.#lastAt = -1;
  }

  #remember(at: number, streamId: number): void {
    this.#lastAt = at;
    this.#lastStreamId = streamId;
  }

  #uint16(value: number): void {
    this.#buffer![this.#length] = value >> 8;
    this.#buffer![this.#length + 1] = value;
    this.#length += 2;
  }

  #uint32(value: number): void {
    writeUint32(this.#buffer!, this.#length, value);
    this.#length += 4;
  }

  #drop(): void {
    if (this.#buffer !== null && spares.length < MAX_SPARE_BUFFERS) spares.push(this.#buffer);
    this.#buffer = null;
    this.#length = 0;
    this.#lastAt = -1;
  }
}

function writeLength(buffer: Buffer, at: number, length: number): void {
  buffer[at] = length >> 16;
  buffer[at + 1] = length >> 8;
  buffer[at + 2] = length;
}

function writeUint32(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
}
