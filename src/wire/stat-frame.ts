// One binary websocket message of stats (AS-58, ACT-136 to ACT-139) read into columns instead of
// objects: what the autoscaler does a million times a second. Takes only the plain form every known
// sender writes: known fields with one-byte tags, each submessage once. For anything else, broken
// messages included, `read` says false and the caller turns to stat.ts, which knows every form and
// every error. Invariant: what is taken reads exactly as there. Hot: no allocation per stat.

/** Stats of one frame that are read here; a frame with more goes the slow way. */
export const MAX_PLAIN_STATS = 131_072;
const FIRST_STATS = 1024;

/** Cells of one stat in `values`. */
export const VALUE = {
  average: 0,
  proxied: 1,
  count: 2,
  proxiedCount: 3,
  timestamp: 4,
  processUptime: 5,
} as const;
export const VALUES = 6;
/** Cells of one stat in `spans`: where the names lie in the frame. */
export const SPAN = {
  namespaceAt: 0,
  namespaceEnd: 1,
  nameAt: 2,
  nameEnd: 3,
  podNameAt: 4,
  podNameEnd: 5,
} as const;
export const SPANS = 6;

/** Field number and wire type. */
const TAG = {
  messages: 0x0a,
  namespace: 0x0a,
  name: 0x12,
  stat: 0x1a,
  podName: 0x0a,
  average: 0x11,
  proxied: 0x19,
  count: 0x21,
  proxiedCount: 0x29,
  processUptime: 0x31,
  timestamp: 0x38,
} as const;
const MORE = 0x80;
/** Longer varints than of 35 bits are none that a sender writes. */
const LAST_VARINT_FACTOR = 0x10000000;

export class StatFrame {
  count = 0;
  values = new Float64Array(FIRST_STATS * VALUES);
  spans = new Int32Array(FIRST_STATS * SPANS);
  bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** Where the last varint ended; -1 = it was none of the plain form. */
  #at = 0;

  /** False = not of the plain form; the columns then mean nothing. */
  read(bytes: Uint8Array): boolean {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.count = 0;
    let at = 0;
    while (at < bytes.length) {
      if (bytes[at] !== TAG.messages) return false;
      const length = this.#varint(at + 1, bytes.length);
      const end = this.#at + length;
      if (this.#at < 0 || end > bytes.length || !this.#readMessage(this.#at, end)) return false;
      at = end;
    }
    return true;
  }

  #readMessage(from: number, end: number): boolean {
    if (this.count * VALUES === this.values.length && !this.#grow()) return false;
    const span = this.count * SPANS;
    const { bytes, spans } = this;
    spans.fill(0, span, span + SPANS);
    let hasStat = false;
    let at = from;
    while (at < end) {
      const tag = bytes[at]!;
      const length = this.#varint(at + 1, end);
      const start = this.#at;
      at = start + length;
      if (start < 0 || at > end) return false;
      if (tag === TAG.namespace) {
        spans[span + SPAN.namespaceAt] = start;
        spans[span + SPAN.namespaceEnd] = at;
      } else if (tag === TAG.name) {
        spans[span + SPAN.nameAt] = start;
        spans[span + SPAN.nameEnd] = at;
      } else if (tag === TAG.stat && !hasStat) {
        hasStat = true;
        if (!this.#readStat(start, at)) return false;
      } else return false;
    }
    if (hasStat) this.count += 1; // ACT-138: an entry without a stat is left out.
    return true;
  }

  #readStat(from: number, end: number): boolean {
    const { bytes, spans, values } = this;
    const span = this.count * SPANS;
    const cell = this.count * VALUES;
    values.fill(0, cell, cell + VALUES);
    let at = from;
    while (at < end) {
      const tag = bytes[at]!;
      at += 1;
      if (tag === TAG.podName) {
        const length = this.#varint(at, end);
        if (this.#at < 0) return false;
        at = this.#at + length;
        spans[span + SPAN.podNameAt] = this.#at;
        spans[span + SPAN.podNameEnd] = at;
      } else if (tag === TAG.timestamp) {
        values[cell + VALUE.timestamp] = this.#varint(at, end);
        if (this.#at < 0) return false;
        at = this.#at;
      } else {
        if (at + 8 > end) return false;
        const value = cellOfTag(tag);
        if (value < 0) return false;
        values[cell + value] = this.#view.getFloat64(at, true);
        at += 8;
      }
    }
    return at === end;
  }

  /** The varint at `at`; sets `#at` behind it. */
  #varint(at: number, end: number): number {
    const { bytes } = this;
    let value = 0;
    let factor = 1;
    for (let next = at; next < end && factor <= LAST_VARINT_FACTOR; next += 1) {
      const byte = bytes[next]!;
      if (byte < MORE) {
        this.#at = next + 1;
        return value + byte * factor;
      }
      value += (byte - MORE) * factor;
      factor *= 128;
    }
    this.#at = -1;
    return 0;
  }

  #grow(): boolean {
    if (this.count >= MAX_PLAIN_STATS) return false;
    const values = new Float64Array(this.values.length * 2);
    values.set(this.values);
    this.values = values;
    const spans = new Int32Array(this.spans.length * 2);
    spans.set(this.spans);
    this.spans = spans;
    return true;
  }
}

/** Where a double belongs; -1 = the tag is none of them. */
function cellOfTag(tag: number): number {
  if (tag === TAG.average) return VALUE.average;
  if (tag === TAG.count) return VALUE.count;
  if (tag === TAG.proxied) return VALUE.proxied;
  if (tag === TAG.proxiedCount) return VALUE.proxiedCount;
  return tag === TAG.processUptime ? VALUE.processUptime : -1;
}
