// Finds the row of a stat by the bytes of its namespace and name, without making a string of them.
// A cache: what is not in it is looked up by key and added. Open addressing over one typed array,
// the bytes in another, so a hit costs two cache misses. Hot: once per stat, no allocation.
//
//   slots: | hash | where its bytes begin | lengths | number of the row + 1; 0 = empty | ...

import type { MetricRow } from './metric-store.ts';

/** Keys remembered; one more and the table is emptied and fills anew. */
export const MAX_TABLE_ROWS = 262_144;
/** Two DNS labels; a stat with longer names is looked up by key each time. */
export const MAX_TABLE_KEY_BYTES = 126;

const SLOT_CELLS = 4;
const SLOT_SHIFT = 2;
const FIRST_SLOTS = 64;
const FIRST_BYTES = 1024;
const HASH_PRIME = 0x01000193;
const HASH_START = 0x811c9dc5;

export interface RowEntry {
  row: MetricRow;
  /** Who is to decide for it; '' where nobody shares. */
  readonly bucket: string;
}

/** Names inside a frame: `[at, end)`. */
export interface KeySpan {
  namespaceAt: number;
  namespaceEnd: number;
  nameAt: number;
  nameEnd: number;
}

export class RowTable {
  #slots = new Int32Array(FIRST_SLOTS * SLOT_CELLS);
  #bytes = new Uint8Array(FIRST_BYTES);
  #bytesUsed = 0;
  #entries: RowEntry[] = [];

  get size(): number {
    return this.#entries.length;
  }

  find(frame: Uint8Array, span: KeySpan): RowEntry | null {
    if (lengthOf(span) > MAX_TABLE_KEY_BYTES) return null;
    const slot = this.#slotOf(frame, span, hashOf(frame, span));
    const number = this.#slots[slot + 3]!;
    return number === 0 ? null : this.#entries[number - 1]!;
  }

  /** Replaces what was there for these names. */
  set(frame: Uint8Array, span: KeySpan, entry: RowEntry): void {
    const length = lengthOf(span);
    if (length > MAX_TABLE_KEY_BYTES) return;
    if (this.#entries.length >= MAX_TABLE_ROWS) this.#clear();
    if (this.#entries.length * 2 * SLOT_CELLS >= this.#slots.length) this.#grow();
    const hash = hashOf(frame, span);
    const slot = this.#slotOf(frame, span, hash);
    const slots = this.#slots;
    const number = slots[slot + 3]!;
    if (number !== 0) {
      this.#entries[number - 1] = entry;
      return;
    }
    slots[slot] = hash;
    slots[slot + 1] = this.#keep(frame, span, length);
    slots[slot + 2] = lengthsOf(span);
    slots[slot + 3] = this.#entries.push(entry);
  }

  /** The first cell of the slot that holds these names, or of the empty one they belong into. */
  #slotOf(frame: Uint8Array, span: KeySpan, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = (hash << SLOT_SHIFT) & mask;
    while (slots[slot + 3] !== 0) {
      if (
        slots[slot] === hash &&
        slots[slot + 2] === lengthsOf(span) &&
        this.#isSame(frame, span, slots[slot + 1]!)
      ) {
        return slot;
      }
      slot = (slot + SLOT_CELLS) & mask;
    }
    return slot;
  }

  #isSame(frame: Uint8Array, span: KeySpan, from: number): boolean {
    const bytes = this.#bytes;
    let at = from;
    for (let next = span.namespaceAt; next < span.namespaceEnd; next += 1, at += 1) {
      if (bytes[at] !== frame[next]) return false;
    }
    for (let next = span.nameAt; next < span.nameEnd; next += 1, at += 1) {
      if (bytes[at] !== frame[next]) return false;
    }
    return true;
  }

  #keep(frame: Uint8Array, span: KeySpan, length: number): number {
    if (this.#bytesUsed + length > this.#bytes.length) {
      const bytes = new Uint8Array(this.#bytes.length * 2);
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    }
    const at = this.#bytesUsed;
    const namespace = frame.subarray(span.namespaceAt, span.namespaceEnd);
    this.#bytes.set(namespace, at);
    this.#bytes.set(frame.subarray(span.nameAt, span.nameEnd), at + namespace.length);
    this.#bytesUsed += length;
    return at;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    const mask = this.#slots.length - 1;
    for (let from = 0; from < old.length; from += SLOT_CELLS) {
      if (old[from + 3] === 0) continue;
      let slot = (old[from]! << SLOT_SHIFT) & mask;
      while (this.#slots[slot + 3] !== 0) slot = (slot + SLOT_CELLS) & mask;
      this.#slots.set(old.subarray(from, from + SLOT_CELLS), slot);
    }
  }

  #clear(): void {
    this.#slots = new Int32Array(FIRST_SLOTS * SLOT_CELLS);
    this.#bytes = new Uint8Array(FIRST_BYTES);
    this.#bytesUsed = 0;
    this.#entries = [];
  }
}

function lengthOf(span: KeySpan): number {
  return span.namespaceEnd - span.namespaceAt + span.nameEnd - span.nameAt;
}

/** Where one name ends counts: `a` + `bc` is not `ab` + `c`. */
function lengthsOf(span: KeySpan): number {
  return ((span.namespaceEnd - span.namespaceAt) << 8) | (span.nameEnd - span.nameAt);
}

function hashOf(frame: Uint8Array, span: KeySpan): number {
  let hash = HASH_START | 0;
  for (let at = span.namespaceAt; at < span.namespaceEnd; at += 1) {
    hash = Math.imul(hash ^ frame[at]!, HASH_PRIME);
  }
  for (let at = span.nameAt; at < span.nameEnd; at += 1) {
    hash = Math.imul(hash ^ frame[at]!, HASH_PRIME);
  }
  return hash ^ (hash >>> 15);
}
