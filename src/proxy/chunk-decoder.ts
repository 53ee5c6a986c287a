// Takes chunked framing off a body, in place: the data of one read ends up as one contiguous range
// of the same buffer, so re-framing costs one chunk and one write per read. Strict: CRLF only,
// plain hex sizes, extensions only in their grammar, trailers like header lines. State survives
// between reads; a body may be cut at any byte. Hot: once per read of a chunked body.

import { ByteBacklog } from './byte-backlog.ts';
import { CR, LF } from './characters.ts';
import { FieldKind, HeaderFields, ScanResult } from './header-fields.ts';
import { readLatin1 } from './latin1.ts';
import { isTrailerAllowed } from './response-head.ts';

export const ChunkStatus = { MORE: 0, DONE: 1, MALFORMED: 2 } as const;
export type ChunkStatus = (typeof ChunkStatus)[keyof typeof ChunkStatus];

/** 13 hex digits: 4 PiB, exactly representable. */
const MAX_SIZE_DIGITS = 13;
/** Extensions of one chunk; more makes the body malformed. */
const MAX_EXTENSION_BYTES = 4_096;
/** Trailer lines of one body; more makes it malformed. */
const MAX_TRAILER_BYTES = 64 * 1024;
const EXTENSIONS =
  /^(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*$/;
/** Lines whose presence in the trailers makes the body malformed. */
const NEVER_TRAILING =
  (1 << FieldKind.CONTENT_LENGTH) |
  (1 << FieldKind.TRANSFER_ENCODING) |
  (1 << FieldKind.CONNECTION);

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
  /** Extension text so far. */
  #text = '';
  /** Trailer lines so far; made for the first body that has some. */
  #trailer: { lines: ByteBacklog; fields: HeaderFields } | null = null;

  get #hasNoTrailerYet(): boolean {
    return this.#trailer === null || this.#trailer.lines.length === 0;
  }

  reset(): void {
    this.#state = State.SIZE;
    this.#remaining = 0;
    this.#digits = 0;
    this.#text = '';
    this.#trailer?.lines.clear();
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

  /** Trailer lines up to the empty line; `-1` when malformed. */
  #takeTrailers(buffer: Buffer, at: number, end: number): number {
    // The common case: no trailers, and the last CRLF is here.
    if (this.#hasNoTrailerYet && end - at >= 2 && buffer[at] === CR && buffer[at + 1] === LF) {
      this.#state = State.FINISHED;
      return at + 2;
    }
    this.#trailer ??= { lines: new ByteBacklog(), fields: new HeaderFields() };
    const { lines, fields } = this.#trailer;
    const before = lines.length;
    if (before === 0) fields.restart(0);
    lines.append(buffer, at, Math.min(end, at + MAX_TRAILER_BYTES + 1 - before));
    const scanned = fields.scan(lines.view(), 0, lines.length);
    if (scanned === ScanResult.MORE) return lines.length > MAX_TRAILER_BYTES ? -1 : end;
    if (scanned !== ScanResult.OK) return -1;
    fields.text = readLatin1(lines.view(), 0, fields.at);
    lines.clear();
    this.#state = State.FINISHED;
    return this.#acceptTrailers(fields) ? at + fields.at - before : -1;
  }

  #acceptTrailers(fields: HeaderFields): boolean {
    // Framing behind the body it should have framed, or a close some parsers would obey here.
    if ((fields.kinds & NEVER_TRAILING) !== 0) {
      return false;
    }
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
