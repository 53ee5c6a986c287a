// Takes chunked framing off a body, in place: the data of one read ends up as one contiguous range
// of the same buffer, so re-framing costs one chunk and one write per read. Strict: CRLF only, plain
// hex sizes, extensions only in their grammar, trailers like header lines.
// State survives between reads; a body may be cut at any byte.
// Hot: once per read of a chunked body.

import { CR, LF } from './characters.ts';
import { FieldKind, HeaderFields, mayBecomeHead, ScanResult } from './header-fields.ts';
import { readLatin1 } from './latin1.ts';
import { isTrailerAllowed } from './response-head.ts';

export const ChunkStatus = { MORE: 0, DONE: 1, MALFORMED: 2 } as const;
export type ChunkStatus = (typeof ChunkStatus)[keyof typeof ChunkStatus];

/** 13 hex digits: 4 PiB, exactly representable. */
const MAX_SIZE_DIGITS = 13;
const MAX_EXTENSION_BYTES = 4_096;
const MAX_TRAILER_BYTES = 64 * 1024;
const EXTENSIONS =
  /^(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*$/;

const State = {
  SIZE: 0,
  EXTENSION: 1,
  SIZE_LF: 2,
  DATA: 3,
  DATA_CR: 4,
  DATA_LF: 5,
  TRAILER: 6,
  FINISHED: 7,
} as const;
type State = (typeof State)[keyof typeof State];

const HEX = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit += 1) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

export class ChunkDecoder {
  /** Decoded data of the last call: `buffer[dataStart, dataEnd)`. */
  dataStart = 0;
  dataEnd = 0;
  /** Where the last call stopped reading: past the body when DONE. */
  consumed = 0;
  /** Trailer lines that may be passed on, each ending in CRLF; complete when DONE. */
  trailers = '';
  #state: State = State.SIZE;
  #remaining = 0;
  #digits = 0;
  /** Extension or trailer text so far. */
  #text = '';

  reset(): void {
    this.#state = State.SIZE;
    this.#remaining = 0;
    this.#digits = 0;
    this.#text = '';
    this.trailers = '';
  }

  /** Decodes `buffer[start, end)`, moving data inside the buffer. */
  decode(buffer: Buffer, start: number, end: number): ChunkStatus {
    let at = start;
    this.dataStart = start;
    this.dataEnd = start;
    while (at < end && this.#state !== State.FINISHED) {
      if (this.#state === State.DATA) at = this.#takeData(buffer, at, end);
      else if (this.#state === State.TRAILER) at = this.#takeTrailers(buffer, at, end);
      else at = this.#takeFraming(buffer, at, end);
      if (at < 0) return ChunkStatus.MALFORMED;
    }
    this.consumed = at;
    return this.#state === State.FINISHED ? ChunkStatus.DONE : ChunkStatus.MORE;
  }

  #takeData(buffer: Buffer, at: number, end: number): number {
    const count = Math.min(this.#remaining, end - at);
    if (this.dataStart === this.dataEnd) {
      this.dataStart = at;
      this.dataEnd = at + count;
    } else {
      buffer.copyWithin(this.dataEnd, at, at + count);
      this.dataEnd += count;
    }
    this.#remaining -= count;
    if (this.#remaining === 0) this.#state = State.DATA_CR;
    return at + count;
  }

  /** Size lines and the CRLF behind data, byte by byte; -1 when malformed. */
  #takeFraming(buffer: Buffer, from: number, end: number): number {
    let at = from;
    for (; at < end && this.#state !== State.DATA && this.#state !== State.TRAILER; at += 1) {
      if (!this.#takeByte(buffer[at]!)) return -1;
    }
    return at;
  }

  #takeByte(byte: number): boolean {
    switch (this.#state) {
      case State.SIZE:
        return this.#takeSizeByte(byte);
      case State.EXTENSION:
        if (byte === CR) {
          this.#state = State.SIZE_LF;
          return EXTENSIONS.test(this.#text);
        }
        this.#text += String.fromCharCode(byte);
        return this.#text.length <= MAX_EXTENSION_BYTES;
      case State.SIZE_LF:
        this.#text = '';
        this.#digits = 0;
        this.#state = this.#remaining === 0 ? State.TRAILER : State.DATA;
        return byte === LF;
      case State.DATA_CR:
        this.#state = State.DATA_LF;
        return byte === CR;
      default:
        this.#state = State.SIZE;
        return byte === LF;
    }
  }

  #takeSizeByte(byte: number): boolean {
    const digit = HEX[byte]!;
    if (digit >= 0) {
      this.#remaining = this.#remaining * 16 + digit;
      this.#digits += 1;
      return this.#digits <= MAX_SIZE_DIGITS;
    }
    if (this.#digits === 0) return false;
    if (byte === CR) {
      this.#state = State.SIZE_LF;
      return true;
    }
    this.#state = State.EXTENSION;
    this.#text = ';';
    return byte === 59;
  }

  #takeTrailers(buffer: Buffer, at: number, end: number): number {
    if (this.#text === '' && end - at >= 2 && buffer[at] === CR && buffer[at + 1] === LF) {
      this.#state = State.FINISHED;
      return at + 2;
    }
    const before = this.#text.length;
    const limit = Math.min(end, at + MAX_TRAILER_BYTES - before + 1);
    this.#text += readLatin1(buffer, at, limit);
    // The section ends with an empty line: at its very start, or after a trailer line.
    const isEmpty = this.#text.startsWith('\r\n');
    const found = isEmpty ? 0 : this.#text.indexOf('\r\n\r\n', Math.max(0, before - 3));
    if (found < 0) {
      if (this.#text.length > MAX_TRAILER_BYTES || !mayBecomeHead(this.#text, before)) return -1;
      return limit;
    }
    const length = isEmpty ? 2 : found + 4;
    if (!isEmpty && !this.#acceptTrailers(this.#text.slice(0, found + 2))) return -1;
    this.#state = State.FINISHED;
    return at + length - before;
  }

  #acceptTrailers(lines: string): boolean {
    const fields = new HeaderFields();
    if (!mayBecomeHead(lines)) return false;
    if (fields.scan(lines, 0, lines.length) !== ScanResult.OK) return false;
    // Framing behind the body it should have framed: somebody is trying something.
    if (fields.has(FieldKind.CONTENT_LENGTH) || fields.has(FieldKind.TRANSFER_ENCODING))
      return false;
    for (let index = 0; index < fields.count; index += 1) {
      const name = fields.nameAt(index);
      if (isTrailerAllowed(name)) this.trailers += `${name}: ${fields.valueAt(index)}\r\n`;
    }
    return true;
  }
}

/** The size line of one chunk. */
export function chunkHead(size: number): string {
  return `${size.toString(16)}\r\n`;
}
