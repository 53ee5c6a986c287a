// Header compression, the reading side (RFC 7541): turns a field block into fields, one call each.
// Whether a name or value is allowed is found out when its characters first arrive; the dynamic
// table remembers it, so a field a client repeats costs a table look-up. Invariants: table size <=
// limit; a block that cannot be decoded ends the connection, because the two tables differ then.
// Hot: once per field.

import { readLatin1 } from '../latin1.ts';
import { decodeHuffman } from './huffman.ts';
import {
  FieldKind,
  isFieldValue,
  kindOfName,
  STATIC_ENTRIES,
  STATIC_KINDS,
  STATIC_NAMES,
  STATIC_VALUES,
} from './static-table.ts';

/** Takes the fields of a block in order. */
export interface FieldSink {
  onField(name: string, value: string, kind: FieldKind): void;
}

/** What an entry costs beside its text (RFC 7541 section 4.1). */
export const ENTRY_OVERHEAD = 32;

const INDEXED = 0x80;
const WITH_INDEXING = 0x40;
const SIZE_UPDATE = 0x20;
const HUFFMAN = 0x80;
/** Integers above are refused: no length or index of ours comes near. */
const MAX_INTEGER = 0x0fff_ffff;
const MAX_SHIFT = 28;

export class HpackDecoder {
  /** What we allow the client's table to hold, in bytes. */
  readonly #limit: number;
  /** What the client chose, at most the limit. */
  #capacity: number;
  #size = 0;
  /** A ring of entries; the newest is at `#head`. A power of two that no table outgrows. */
  readonly #mask: number;
  readonly #names: string[];
  readonly #values: string[];
  readonly #kinds: FieldKind[];
  #head = 0;
  #count = 0;
  /** Of the block being read. */
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#capacity = limit;
    const slots = 2 ** Math.ceil(Math.log2(Math.max(2, limit / ENTRY_OVERHEAD + 1)));
    this.#mask = slots - 1;
    this.#names = new Array<string>(slots).fill('');
    this.#values = new Array<string>(slots).fill('');
    this.#kinds = new Array<FieldKind>(slots).fill(FieldKind.REGULAR);
  }

  /** Bytes of the dynamic table, by the RFC's count. */
  get tableSize(): number {
    return this.#size;
  }

  /** False when the block is no block: COMPRESSION_ERROR. */
  decode(bytes: Buffer, start: number, end: number, sink: FieldSink): boolean {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    let mayResize = true;
    while (this.#at < end) {
      const first = bytes[this.#at]!;
      if ((first & INDEXED) !== 0) {
        if (!this.#takeIndexed(sink)) return false;
      } else if ((first & WITH_INDEXING) === 0 && (first & SIZE_UPDATE) !== 0) {
        if (!mayResize || !this.#resize(this.#integer(0x1f))) return false;
        continue;
      } else if (!this.#takeLiteral(sink, (first & WITH_INDEXING) !== 0)) return false;
      mayResize = false;
    }
    return true;
  }

  #takeIndexed(sink: FieldSink): boolean {
    const index = this.#integer(0x7f);
    if (index <= 0) return false;
    if (index <= STATIC_ENTRIES) {
      sink.onField(STATIC_NAMES[index]!, STATIC_VALUES[index]!, STATIC_KINDS[index]!);
      return true;
    }
    const slot = this.#slotOf(index);
    if (slot < 0) return false;
    sink.onField(this.#names[slot]!, this.#values[slot]!, this.#kinds[slot]!);
    return true;
  }

  #takeLiteral(sink: FieldSink, isIndexed: boolean): boolean {
    const index = this.#integer(isIndexed ? 0x3f : 0x0f);
    let name: string | null;
    let kind: FieldKind;
    if (index === 0) {
      name = this.#text();
      if (name === null) return false;
      kind = kindOfName(name);
    } else if (index > 0 && index <= STATIC_ENTRIES) {
      name = STATIC_NAMES[index]!;
      kind = STATIC_KINDS[index]!;
    } else {
      const slot = this.#slotOf(index);
      if (slot < 0) return false;
      name = this.#names[slot]!;
      // The kind of that entry may tell of its value.
      kind = kindOfName(name);
    }
    const value = this.#text();
    if (value === null) return false;
    if (!isFieldValue(value)) kind = FieldKind.MALFORMED;
    if (isIndexed) this.#insert(name, value, kind);
    sink.onField(name, value, kind);
    return true;
  }

  /** -1 when the table has no such entry. */
  #slotOf(index: number): number {
    const age = index - STATIC_ENTRIES - 1;
    return age >= 0 && age < this.#count ? (this.#head - age) & this.#mask : -1;
  }

  #insert(name: string, value: string, kind: FieldKind): void {
    const size = name.length + value.length + ENTRY_OVERHEAD;
    this.#evict(this.#capacity - size);
    if (size > this.#capacity) return;
    this.#head = (this.#head + 1) & this.#mask;
    this.#names[this.#head] = name;
    this.#values[this.#head] = value;
    this.#kinds[this.#head] = kind;
    this.#count += 1;
    this.#size += size;
  }

  /** The oldest entries go until the rest fits into `room`. */
  #evict(room: number): void {
    while (this.#count > 0 && this.#size > room) {
      const slot = (this.#head - this.#count + 1) & this.#mask;
      this.#size -= this.#names[slot]!.length + this.#values[slot]!.length + ENTRY_OVERHEAD;
      this.#names[slot] = '';
      this.#values[slot] = '';
      this.#count -= 1;
    }
  }

  #resize(capacity: number): boolean {
    if (capacity < 0 || capacity > this.#limit) return false;
    this.#capacity = capacity;
    this.#evict(capacity);
    return true;
  }

  /** An integer whose prefix has the bits of `mask` (RFC 7541 section 5.1); -1 when it is none. */
  #integer(mask: number): number {
    const bytes = this.#bytes;
    let value = bytes[this.#at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; this.#at < this.#end && shift < MAX_SHIFT; shift += 7) {
      const byte = bytes[this.#at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value <= MAX_INTEGER ? value : -1;
    }
    return -1;
  }

  /** A string (RFC 7541 section 5.2); null when it is none. */
  #text(): string | null {
    if (this.#at >= this.#end) return null;
    const isHuffman = (this.#bytes[this.#at]! & HUFFMAN) !== 0;
    const length = this.#integer(0x7f);
    const start = this.#at;
    if (length < 0 || length > this.#end - start) return null;
    this.#at = start + length;
    if (length === 0) return '';
    return isHuffman
      ? decodeHuffman(this.#bytes, start, this.#at)
      : readLatin1(this.#bytes, start, this.#at);
  }
}
