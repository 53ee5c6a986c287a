// Where runs of allowed bytes end. Values are most of a head, so they are judged four bytes at a
// time: one 32-bit word per step where the bytes lie in a large buffer that is read into again and
// again (the data plane's shared one), else four single bytes per step.
// Hot: twice per header line.

import { FIELD_VALUE } from './characters.ts';

const TAB = 9;
const HIGH_BITS = 0x80808080 | 0;
/** Smaller buffers come and go; a view of them would cost more than it saves. */
const MIN_VIEWED_BYTES = 32 * 1024;
const IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** The buffer viewed last; usually there is only one. */
let viewed: Uint8Array | null = null;
let view: Int32Array | null = null;

/** The words of a buffer that is worth it and lies right, or null. */
export function wordsOf(bytes: Uint8Array): Int32Array | null {
  if (bytes === viewed) return view;
  const isAligned = ((bytes.byteOffset | bytes.length) & 3) === 0;
  if (bytes.length < MIN_VIEWED_BYTES || !isAligned || !IS_LITTLE_ENDIAN) return null;
  viewed = bytes;
  view = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  return view;
}

/** First byte at or after `from` that is not of the class. */
export function runEnd(bytes: Uint8Array, from: number, end: number, allowed: Uint8Array): number {
  let at = from;
  while (at < end && allowed[bytes[at]!] === 1) at += 1;
  return at;
}

/** First byte at or after `from` that may not stand in a value; `words` is what `wordsOf` said. */
export function valueEnd(
  bytes: Uint8Array,
  words: Int32Array | null,
  from: number,
  end: number,
): number {
  if (words === null) return valueEndByBytes(bytes, from, end);
  let at = plainEnd(words, from, end);
  while (at < end && bytes[at] === TAB) at = plainEnd(words, at + 1, end);
  return at;
}

/** First control byte, tabs included, or DEL. */
function plainEnd(words: Int32Array, from: number, end: number): number {
  if (from >= end) return end;
  const stop = (end + 3) >> 2;
  let index = from >> 2;
  // Bytes before `from` share its word and do not count.
  let odd = oddBytes(words[index]!) & (-1 << ((from & 3) << 3));
  while (odd === 0) {
    index += 1;
    if (index === stop) return end;
    odd = oddBytes(words[index]!);
  }
  const lowest = 31 - Math.clz32(odd & -odd);
  return Math.min(end, (index << 2) + (lowest >> 3));
}

/** The high bit of every byte of `word` that is below 32 or is 127; bytes above 127 are fine. */
function oddBytes(word: number): number {
  const low = word & 0x7f7f7f7f;
  const isPrintable = low + 0x60606060;
  const isDelete = low + 0x01010101;
  return ~word & (~isPrintable | isDelete) & HIGH_BITS;
}

/** A term is negative for a control byte or DEL, so one comparison judges four. */
function valueEndByBytes(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at + 3 < end) {
    const a = bytes[at]!;
    const b = bytes[at + 1]!;
    const c = bytes[at + 2]!;
    const d = bytes[at + 3]!;
    const controls = (a - 32) | (b - 32) | (c - 32) | (d - 32);
    const deletes = ((a ^ 127) - 1) | ((b ^ 127) - 1) | ((c ^ 127) - 1) | ((d ^ 127) - 1);
    if ((controls | deletes) < 0) break;
    at += 4;
  }
  return runEnd(bytes, at, end, FIELD_VALUE);
}
