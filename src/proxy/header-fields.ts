// The header lines of one message head as offsets into its text: nothing is copied until somebody
// asks for a value, and forwarding copies whole runs of lines. One object per connection, refilled
// for every message. Strict on purpose: no obs-fold, no space before the colon, no bare CR or LF,
// no control bytes, so that nobody behind us can read other lines than we did.
// Hot: `scan` runs once per message; it allocates only when a head has more lines than any before.

import { COLON, CR, hasForbidden, isOws, LF, matchesFold, tokenEnd } from './characters.ts';

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

export const ScanResult = { OK: 0, MALFORMED: 1, TOO_MANY: 2 } as const;
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

export class HeaderFields {
  text = '';
  count = 0;
  /** Bit `1 << kind` is set when such a line exists. */
  kinds = 0;
  #lines = new Int32Array(INITIAL_LINES * STRIDE);

  /**
   * Reads the lines of `text` from `from` to `end`; each must end in CRLF and the last at `end`.
   * The fields stay valid until the next scan.
   */
  scan(text: string, from: number, end: number): ScanResult {
    this.text = text;
    this.count = 0;
    this.kinds = 0;
    let at = from;
    while (at < end) {
      if (this.count === MAX_HEADER_LINES) return ScanResult.TOO_MANY;
      const next = this.#scanLine(text, at, end);
      if (next < 0) return ScanResult.MALFORMED;
      at = next;
    }
    return ScanResult.OK;
  }

  /** Returns the start of the next line, -1 when this one is malformed. */
  #scanLine(text: string, start: number, end: number): number {
    const colon = tokenEnd(text, start, end);
    if (colon === start || text.charCodeAt(colon) !== COLON) return -1;
    // The first CR and the first LF must be one CRLF: that refuses bare ones of either kind.
    const carriage = text.indexOf('\r', colon + 1);
    if (carriage < 0 || text.indexOf('\n', colon + 1) !== carriage + 1) return -1;
    if (carriage + 2 > end) return -1;
    let value = colon + 1;
    let valueEnd = carriage;
    while (value < valueEnd && isOws(text.charCodeAt(value))) value += 1;
    while (valueEnd > value && isOws(text.charCodeAt(valueEnd - 1))) valueEnd -= 1;
    const kind = classify(text, start, colon - start);
    const base = this.count * STRIDE;
    if (base === this.#lines.length) this.#grow();
    const lines = this.#lines;
    lines[base] = start;
    lines[base + NAME_END] = colon;
    lines[base + VALUE] = value;
    lines[base + VALUE_END] = valueEnd;
    lines[base + NEXT] = carriage + 2;
    lines[base + KIND] = kind;
    this.count += 1;
    this.kinds |= 1 << kind;
    return carriage + 2;
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

  nameLengthAt(index: number): number {
    const base = index * STRIDE;
    return this.#lines[base + NAME_END]! - this.#lines[base]!;
  }

  /** Whether line `index` has that name; `lower` is lower-case. */
  isNamed(index: number, lower: string): boolean {
    const base = index * STRIDE;
    const start = this.#lines[base]!;
    return (
      this.#lines[base + NAME_END] === start + lower.length && matchesFold(this.text, start, lower)
    );
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
    for (let index = 0; index < this.count; index += 1) {
      if (this.isNamed(index, lower)) return this.valueAt(index);
    }
    return '';
  }

  hasName(lower: string): boolean {
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

/**
 * Judges text of a head that is still incomplete, so that garbage is refused at once instead of at
 * the head timeout: false when no continuation could make it valid. `text` before `from` was
 * judged earlier.
 */
export function mayBecomeHead(text: string, from = 0): boolean {
  if (hasForbidden(from === 0 ? text : text.slice(from))) return false;
  const start = Math.max(0, from - 1);
  for (let at = text.indexOf('\r', start); at >= 0; at = text.indexOf('\r', at + 1)) {
    if (at + 1 < text.length && text.charCodeAt(at + 1) !== LF) return false;
  }
  for (let at = text.indexOf('\n', from); at >= 0; at = text.indexOf('\n', at + 1)) {
    if (at === 0 || text.charCodeAt(at - 1) !== CR) return false;
  }
  return true;
}

function classify(text: string, start: number, length: number): FieldKind {
  switch (length) {
    case 2:
      return matchesFold(text, start, 'te') ? FieldKind.TE : FieldKind.OTHER;
    case 4:
      if (matchesFold(text, start, 'host')) return FieldKind.HOST;
      return matchesFold(text, start, 'date') ? FieldKind.DATE : FieldKind.OTHER;
    case 6:
      return matchesFold(text, start, 'expect') ? FieldKind.EXPECT : FieldKind.OTHER;
    case 7:
      if (matchesFold(text, start, 'upgrade')) return FieldKind.UPGRADE;
      return matchesFold(text, start, 'trailer') ? FieldKind.TRAILER : FieldKind.OTHER;
    case 10:
      if (matchesFold(text, start, 'connection')) return FieldKind.CONNECTION;
      return matchesFold(text, start, 'keep-alive') ? FieldKind.KEEP_ALIVE : FieldKind.OTHER;
    case 14:
      return matchesFold(text, start, 'content-length')
        ? FieldKind.CONTENT_LENGTH
        : FieldKind.OTHER;
    case 15:
      return matchesFold(text, start, 'x-forwarded-for')
        ? FieldKind.FORWARDED_FOR
        : FieldKind.OTHER;
    default:
      return classifyLong(text, start, length);
  }
}

function classifyLong(text: string, start: number, length: number): FieldKind {
  switch (length) {
    case 16:
      return matchesFold(text, start, 'proxy-connection') ? FieldKind.PROXY : FieldKind.OTHER;
    case 17:
      return matchesFold(text, start, 'transfer-encoding')
        ? FieldKind.TRANSFER_ENCODING
        : FieldKind.OTHER;
    case 18:
      return matchesFold(text, start, 'proxy-authenticate') ? FieldKind.PROXY : FieldKind.OTHER;
    case 19:
      return matchesFold(text, start, 'proxy-authorization') ? FieldKind.PROXY : FieldKind.OTHER;
    default:
      return FieldKind.OTHER;
  }
}
