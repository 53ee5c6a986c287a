// The header lines of one message head as offsets into its text: nothing is copied until somebody
// asks for a value, and forwarding copies whole runs of lines. One object per connection, refilled
// for every message. Strict on purpose: no obs-fold, no space before the colon, no bare CR or LF,
// no control bytes, so that nobody behind us can read other lines than we did.
// Hot: `scan` runs once per message; it allocates only when a head has more lines than any before.

import { runEnd, valueEnd, wordsOf } from './byte-runs.ts';
import { bytesMatchFold, COLON, CR, isOws, LF, matchesFold, TOKEN } from './characters.ts';

/** What a line means to a proxy; everything else is OTHER and passes untouched. */
export const FieldKind = {
  OTHER: 0,
  HOST: 1,
  CONTENT_LENGTH: 2,
  TRANSFER_ENCODING: 3,
  CONNECTION: 4,
  UPGRADE: 5,
  TRAILER: 6,
  TE: 7,
  EXPECT: 8,
  FORWARDED_FOR: 9,
  DATE: 10,
  KEEP_ALIVE: 11,
  /** Proxy-Connection, Proxy-Authenticate, Proxy-Authorization. */
  PROXY: 12,
  /** Named by a Connection header of the same message. */
  NAMED: 13,
} as const;
export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind];

export const ScanResult = { OK: 0, MORE: 1, MALFORMED: 2, TOO_MANY: 3 } as const;
export type ScanResult = (typeof ScanResult)[keyof typeof ScanResult];

/** Header lines of one head; more is refused like a head that is too large. */
export const MAX_HEADER_LINES = 2_000;

const INITIAL_LINES = 32;
/** Ints per line: start and end of name, start and end of value, start of the next line, kind. */
const STRIDE = 6;
const NAME_END = 1;
const VALUE = 2;
const VALUE_END = 3;
const NEXT = 4;
const KIND = 5;

/** Where in a line the scan stands; every byte is looked at once, however the reads are cut. */
const Place = { LINE_START: 0, NAME: 1, BEFORE_VALUE: 2, VALUE: 3, LINE_FEED: 4, LAST_FEED: 5 };

export class HeaderFields {
  /** The head the offsets refer to; set by whoever decoded it. */
  text = '';
  count = 0;
  /** Bit `1 << kind` is set when such a line exists. */
  kinds = 0;
  /** `nameBit` of every name: whoever looks for one that is not there mostly learns it here. */
  names = 0;
  /** Offset in the head at which the scan goes on; past the empty line once OK. */
  at = 0;
  #place = Place.LINE_START;
  #lines = new Int32Array(INITIAL_LINES * STRIDE);

  /** Forgets everything; lines begin at offset `at` of the next head. */
  restart(at: number): void {
    this.at = at;
    this.count = 0;
    this.kinds = 0;
    this.names = 0;
    this.#place = Place.LINE_START;
  }

  /**
   * Reads lines up to and including the empty one. The head begins at `bytes[base]`; after MORE call
   * again with the same head, longer, wherever it lies then.
   */
  scan(bytes: Uint8Array, base: number, end: number): ScanResult {
    let at = base + this.at;
    if (this.#place === Place.LINE_START) at = this.#scanWholeLines(bytes, base, at, end);
    while (at < end) {
      switch (this.#place) {
        case Place.LINE_START:
          if (bytes[at] === CR) {
            this.#place = Place.LAST_FEED;
            at += 1;
            break;
          }
          if (this.count === MAX_HEADER_LINES) return ScanResult.TOO_MANY;
          this.#startLine(at - base);
          break;
        case Place.NAME:
          at = runEnd(bytes, at, end, TOKEN);
          if (at === end) break;
          if (bytes[at] !== COLON || !this.#endName(bytes, base, at)) return ScanResult.MALFORMED;
          at += 1;
          break;
        case Place.BEFORE_VALUE:
          while (at < end && isOws(bytes[at]!)) at += 1;
          if (at < end) this.#startValue(at - base);
          break;
        case Place.VALUE:
          at = valueEnd(bytes, null, at, end);
          if (at === end) break;
          if (bytes[at] !== CR) return ScanResult.MALFORMED;
          this.#place = Place.LINE_FEED;
          at += 1;
          break;
        case Place.LINE_FEED:
          if (bytes[at] !== LF) return ScanResult.MALFORMED;
          at += 1;
          this.#endLine(bytes, base, at - base);
          break;
        default:
          if (bytes[at] !== LF) return ScanResult.MALFORMED;
          this.at = at + 1 - base;
          return ScanResult.OK;
      }
    }
    this.at = at - base;
    return ScanResult.MORE;
  }

  /** The common case without state in between; stops before anything odd or incomplete. */
  #scanWholeLines(bytes: Uint8Array, base: number, from: number, end: number): number {
    const lines = this.#lines;
    const maxCount = Math.min(lines.length / STRIDE, MAX_HEADER_LINES);
    const words = wordsOf(bytes);
    let kinds = this.kinds;
    let names = this.names;
    let count = this.count;
    let start = from;
    for (; count < maxCount; count += 1) {
      const colon = runEnd(bytes, start, end, TOKEN);
      if (colon === start || colon === end || bytes[colon] !== COLON) break;
      let value = colon + 1;
      while (value < end && isOws(bytes[value]!)) value += 1;
      const carriage = valueEnd(bytes, words, value, end);
      if (carriage + 1 >= end || bytes[carriage] !== CR || bytes[carriage + 1] !== LF) break;
      let last = carriage;
      while (last > value && isOws(bytes[last - 1]!)) last -= 1;
      const kind = classify(bytes, start, colon - start);
      const line = count * STRIDE;
      lines[line] = start - base;
      lines[line + NAME_END] = colon - base;
      lines[line + VALUE] = value - base;
      lines[line + VALUE_END] = last - base;
      lines[line + NEXT] = carriage + 2 - base;
      lines[line + KIND] = kind;
      kinds |= 1 << kind;
      names |= nameBitOf(colon - start, bytes[start]!);
      start = carriage + 2;
    }
    this.kinds = kinds;
    this.names = names;
    this.count = count;
    return start;
  }

  #startLine(start: number): void {
    const line = this.count * STRIDE;
    if (line === this.#lines.length) this.#grow();
    this.#lines[line] = start;
    this.#place = Place.NAME;
  }

  #endName(bytes: Uint8Array, base: number, colon: number): boolean {
    const line = this.count * STRIDE;
    const start = base + this.#lines[line]!;
    const kind = classify(bytes, start, colon - start);
    this.#lines[line + NAME_END] = colon - base;
    this.#lines[line + KIND] = kind;
    this.kinds |= 1 << kind;
    this.names |= nameBitOf(colon - start, bytes[start]!);
    this.#place = Place.BEFORE_VALUE;
    return colon > start;
  }

  #startValue(start: number): void {
    this.#lines[this.count * STRIDE + VALUE] = start;
    this.#place = Place.VALUE;
  }

  #endLine(bytes: Uint8Array, base: number, next: number): void {
    const line = this.count * STRIDE;
    const start = this.#lines[line + VALUE]!;
    let end = next - 2;
    while (end > start && isOws(bytes[base + end - 1]!)) end -= 1;
    this.#lines[line + VALUE_END] = end;
    this.#lines[line + NEXT] = next;
    this.count += 1;
    this.#place = Place.LINE_START;
  }

  #grow(): void {
    const larger = new Int32Array(this.#lines.length * 2);
    larger.set(this.#lines);
    this.#lines = larger;
  }

  has(kind: FieldKind): boolean {
    return (this.kinds & (1 << kind)) !== 0;
  }

  lineStart(index: number): number {
    return this.#lines[index * STRIDE]!;
  }

  lineEnd(index: number): number {
    return this.#lines[index * STRIDE + NEXT]!;
  }

  kindAt(index: number): number {
    return this.#lines[index * STRIDE + KIND]!;
  }

  mark(index: number, kind: FieldKind): void {
    this.#lines[index * STRIDE + KIND] = kind;
    this.kinds |= 1 << kind;
  }

  valueAt(index: number): string {
    const base = index * STRIDE;
    return this.text.slice(this.#lines[base + VALUE], this.#lines[base + VALUE_END]);
  }

  /** Whether nothing, not even a space, stands between the value and the end of its line. */
  endsTight(index: number): boolean {
    const base = index * STRIDE;
    return this.#lines[base + VALUE_END]! + 2 === this.#lines[base + NEXT];
  }

  nameAt(index: number): string {
    const base = index * STRIDE;
    return this.text.slice(this.#lines[base], this.#lines[base + NAME_END]);
  }

  /** Whether line `index` has that name; `lower` is lower-case. */
  isNamed(index: number, lower: string): boolean {
    const base = index * STRIDE;
    const start = this.#lines[base]!;
    return (
      this.#lines[base + NAME_END] === start + lower.length && matchesFold(this.text, start, lower)
    );
  }

  /** All lines, as sent but for trimming. */
  *entries(): Generator<readonly [name: string, value: string]> {
    for (let index = 0; index < this.count; index += 1) {
      yield [this.nameAt(index), this.valueAt(index)];
    }
  }

  /** Index of the first line of that kind at or after `from`, -1 when there is none. */
  indexOf(kind: FieldKind, from = 0): number {
    if (!this.has(kind)) return -1;
    for (let index = from; index < this.count; index += 1) {
      if (this.#lines[index * STRIDE + KIND] === kind) return index;
    }
    return -1;
  }

  /** Value of the first line with that lower-case name, trimmed; '' when absent. */
  value(lower: string): string {
    if ((this.names & nameBit(lower)) === 0) return '';
    for (let index = 0; index < this.count; index += 1) {
      if (this.isNamed(index, lower)) return this.valueAt(index);
    }
    return '';
  }

  hasName(lower: string): boolean {
    if ((this.names & nameBit(lower)) === 0) return false;
    for (let index = 0; index < this.count; index += 1) {
      if (this.isNamed(index, lower)) return true;
    }
    return false;
  }

  /** All values of that kind joined by `, ` in order; '' when there is none. */
  joined(kind: FieldKind): string {
    let index = this.indexOf(kind);
    if (index < 0) return '';
    let list = this.valueAt(index);
    for (;;) {
      index = this.indexOf(kind, index + 1);
      if (index < 0) return list;
      list += `, ${this.valueAt(index)}`;
    }
  }
}

/** The bit of a name in `HeaderFields.names`, from its length and first character, case ignored. */
function nameBitOf(length: number, first: number): number {
  return 1 << ((first | 0x20) * 7 + length);
}

/** The same for a whole name. */
export function nameBit(name: string): number {
  return nameBitOf(name.length, name.charCodeAt(0));
}

function classify(bytes: Uint8Array, start: number, length: number): FieldKind {
  switch (length) {
    case 2:
      return bytesMatchFold(bytes, start, 'te') ? FieldKind.TE : FieldKind.OTHER;
    case 4:
      if (bytesMatchFold(bytes, start, 'host')) return FieldKind.HOST;
      return bytesMatchFold(bytes, start, 'date') ? FieldKind.DATE : FieldKind.OTHER;
    case 6:
      return bytesMatchFold(bytes, start, 'expect') ? FieldKind.EXPECT : FieldKind.OTHER;
    case 7:
      if (bytesMatchFold(bytes, start, 'upgrade')) return FieldKind.UPGRADE;
      return bytesMatchFold(bytes, start, 'trailer') ? FieldKind.TRAILER : FieldKind.OTHER;
    case 10:
      if (bytesMatchFold(bytes, start, 'connection')) return FieldKind.CONNECTION;
      return bytesMatchFold(bytes, start, 'keep-alive') ? FieldKind.KEEP_ALIVE : FieldKind.OTHER;
    case 14:
      return bytesMatchFold(bytes, start, 'content-length')
        ? FieldKind.CONTENT_LENGTH
        : FieldKind.OTHER;
    case 15:
      return bytesMatchFold(bytes, start, 'x-forwarded-for')
        ? FieldKind.FORWARDED_FOR
        : FieldKind.OTHER;
    default:
      return classifyLong(bytes, start, length);
  }
}

function classifyLong(bytes: Uint8Array, start: number, length: number): FieldKind {
  switch (length) {
    case 16:
      return bytesMatchFold(bytes, start, 'proxy-connection') ? FieldKind.PROXY : FieldKind.OTHER;
    case 17:
      return bytesMatchFold(bytes, start, 'transfer-encoding')
        ? FieldKind.TRANSFER_ENCODING
        : FieldKind.OTHER;
    case 18:
      return bytesMatchFold(bytes, start, 'proxy-authenticate') ? FieldKind.PROXY : FieldKind.OTHER;
    case 19:
      return bytesMatchFold(bytes, start, 'proxy-authorization')
        ? FieldKind.PROXY
        : FieldKind.OTHER;
    default:
      return FieldKind.OTHER;
  }
}
