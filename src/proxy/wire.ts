// One connection as the codec sees it: bytes in, on a buffer all connections of the thread share;
// text and bytes out; congestion. TCP sockets are read and written at their handle, everything else
// (TLS, and TCP where Node offers no handle we know) as the stream it is. Ends, errors and close
// stay with the stream, in both cases. Invariants: bytes leave in the order they were written,
// whichever way each took; whoever saw `isCongested` hears onWireDrain or the close of the stream;
// the shared buffer is borrowed for the call of onWireBytes.
// Hot: once per read and once per write.

import type { Duplex } from 'node:stream';
import { getSystemErrorName } from 'node:util';
import { writeLatin1 } from './latin1.ts';
import {
  handleOf,
  readInto,
  type StreamHandle,
  type WriteOwner,
  writeBytes,
  writeText,
} from './stream-handle.ts';

/** One read of a connection, at most. */
const READ_BYTES = 64 * 1024;
/** Room for one read with head or framing around it; a larger piece gets a buffer of its own. */
const SCRATCH_BYTES = READ_BYTES + 8 * 1024;

/** Who reads from a wire. */
export interface WireReader {
  /** Bytes `buffer[0, count)`, borrowed for the call. */
  onWireBytes(buffer: Buffer, count: number): void;
  /** Writes may go on after congestion. */
  onWireDrain(): void;
}

/** All reads of this thread, one after the other; made for the first connection. */
let shared: Buffer | null = null;
/** Large pieces on their way out; replaced when libuv had to keep it. */
let scratch: Buffer | null = null;

export class Wire implements WriteOwner {
  /** Failed writes are ignored: the read side knows better what happened (QP-87). */
  ignoresWriteErrors = false;
  readonly #socket: Duplex;
  /** Null once released. */
  #reader: WireReader | null;
  #handle: StreamHandle | null = null;
  /** Bytes written at the handle that the kernel has not taken yet. */
  #waitingBytes = 0;

  constructor(socket: Duplex, reader: WireReader) {
    this.#socket = socket;
    this.#reader = reader;
    socket.on('drain', () => this.#checkDrain());
  }

  /** Begins to read, `readBytes` at once at most, above 0; the socket is connected. */
  start(readBytes: number = READ_BYTES): void {
    const socket = this.#socket;
    // What the stream holds already has to come first, so then it stays a stream.
    const handle = socket.readableLength > 0 ? null : handleOf(socket);
    if (handle === null) {
      socket.on('data', (bytes: Buffer) => this.#reader?.onWireBytes(bytes, bytes.length));
      return;
    }
    this.#handle = handle;
    shared ??= Buffer.allocUnsafeSlow(READ_BYTES);
    const buffer = shared;
    const room = readBytes < READ_BYTES ? buffer.subarray(0, readBytes) : buffer;
    // The reader gets the whole buffer, whatever there is room for: heads are read and compared by
    // words only in one that all connections share (wordsOf).
    readInto(handle, room, (count) => this.#reader?.onWireBytes(buffer, count));
    // Lets the stream's end come through.
    socket.resume();
  }

  /** Somebody else reads and writes the socket from now on. */
  release(): void {
    this.#reader = null;
    this.#handle = null;
  }

  get isCongested(): boolean {
    const socket = this.#socket;
    return this.#waitingBytes + socket.writableLength >= socket.writableHighWaterMark;
  }

  pause(): void {
    const handle = this.#handle;
    if (handle === null) this.#socket.pause();
    else if (handle.reading && !this.#socket.destroyed) {
      handle.reading = false;
      handle.readStop();
    }
  }

  resume(): void {
    const handle = this.#handle;
    if (handle === null) this.#socket.resume();
    else if (!handle.reading && !this.#socket.destroyed) {
      handle.reading = true;
      handle.readStart();
    }
  }

  /** Writes latin1 text. */
  write(text: string): void {
    if (this.#handle === null || !this.#isClear()) {
      this.#socket.write(text, 'latin1');
      return;
    }
    const left = writeText(this.#handle, text, this);
    if (left !== 0) this.#onUnfinished(left);
  }

  /** Writes `lead`, `buffer[start, end)` and `tail`; the buffer is free again afterwards. */
  writeAround(lead: string, buffer: Buffer, start: number, end: number, tail: string): void {
    const size = lead.length + end - start + tail.length;
    const isDirect = this.#handle !== null && this.#isClear();
    const isShort = isDirect && size <= SCRATCH_BYTES;
    if (isShort) scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES);
    const piece = isShort ? scratch! : Buffer.allocUnsafeSlow(size);
    writeLatin1(piece, lead, 0);
    piece.set(buffer.subarray(start, end), lead.length);
    writeLatin1(piece, tail, size - tail.length);
    if (!isDirect) {
      this.#socket.write(piece);
      return;
    }
    const left = writeBytes(this.#handle!, piece.subarray(0, size), this);
    if (left === 0) return;
    if (isShort && left > 0) scratch = null;
    this.#onUnfinished(left);
  }

  /** Ends our direction once everything written is out. */
  end(): void {
    this.#socket.end();
  }

  /** For the handle: bytes that had to wait are out. */
  onWritten(size: number, status: number): void {
    this.#waitingBytes -= size;
    if (status < 0) this.#fail(status);
    else this.#checkDrain();
  }

  /** Nothing the stream was given is still on its way, so the handle may be next. */
  #isClear(): boolean {
    return this.#socket.writableLength === 0 && this.#socket.writable;
  }

  #onUnfinished(left: number): void {
    if (left < 0) this.#fail(left);
    else this.#waitingBytes += left;
  }

  #fail(status: number): void {
    if (this.ignoresWriteErrors || this.#socket.destroyed) return;
    const code = getSystemErrorName(status);
    this.#socket.destroy(
      Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: 'write' }),
    );
  }

  #checkDrain(): void {
    if (!this.isCongested && !this.#socket.destroyed) this.#reader?.onWireDrain();
  }
}
