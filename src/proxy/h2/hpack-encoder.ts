// Header compression, the writing side (RFC 7541). One look-up per field, by its name: a value that
// comes a second time in a row goes into the dynamic table, from then on it is one byte. So what
// every answer repeats gets cheap, and what never repeats costs the table nothing. Only sizes are
// kept of the table's entries; an entry is known by the count at which it went in.
// Invariants: table size <= what the client allows; a change of it is told before the next field.
// Hot: once per field we send.

import { writeLatin1 } from '../latin1.ts';
import { ENTRY_OVERHEAD } from './hpack-decoder.ts';
import { encodeHuffman, huffmanBytes } from './huffman.ts';
import { STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from './static-table.ts';

/** Bytes of our table, however many the client allows; larger fields are sent as they are. */
const MAX_TABLE_BYTES = 4_096;
/** Names whose last value is remembered per connection; fields of others are sent as they are. */
const MAX_REMEMBERED_NAMES = 256;
/** Larger fields are not worth a place in the table. */
const MAX_INDEXED_BYTES = 1_024;

const TABLE_SLOTS = MAX_TABLE_BYTES / ENTRY_OVERHEAD;
/** Indexes and lengths of one field, at most. */
const FIELD_OVERHEAD = 12;
const RESIZE_BYTES = 12;
/** Below it a loop is quicker than a call into Node. */
const SHORT_TEXT = 24;

const INDEXED = 0x80;
const WITH_INDEXING = 0x40;
const NEVER_INDEXED = 0x10;
const SIZE_UPDATE = 0x20;
const HUFFMAN = 0x80;

/** Not for any table on the way (RFC 7541 section 7.1.3). */
const SECRETS: ReadonlySet<string> = new Set(['set-cookie', 'authorization']);

/** Index in the static table, by name, and by status. */
const STATIC_NAME_INDEX = new Map<string, number>();
const STATUS_INDEX = new Map<string, number>();
STATIC_NAMES.forEach((name, index) => {
  if (name !== '' && !STATIC_NAME_INDEX.has(name)) STATIC_NAME_INDEX.set(name, index);
  if (name === ':status') STATUS_INDEX.set(STATIC_VALUES[index]!, index);
});

/** What is remembered of a name. */
class NameMemory {
  /** In the static table; 0 = it is not there. */
  readonly staticIndex: number;
  readonly isSecret: boolean;
  lastValue: string | null = null;
  /** Entry that holds `lastValue`, and the last one with this name; -1 = none. */
  valueId = -1;
  nameId = -1;

  constructor(name: string) {
    this.staticIndex = STATIC_NAME_INDEX.get(name) ?? 0;
    this.isSecret = SECRETS.has(name);
  }
}

/** Room a field block may need. `fields` is name, value, name, value … */
export function blockBound(fields: readonly string[]): number {
  let bytes = RESIZE_BYTES;
  for (const text of fields) bytes += text.length;
  return bytes + (fields.length / 2) * FIELD_OVERHEAD;
}

export class HpackEncoder {
  readonly #names = new Map<string, NameMemory>();
  #capacity = MAX_TABLE_BYTES;
  #size = 0;
  readonly #sizes = new Int32Array(TABLE_SLOTS);
  #count = 0;
  /** Of the next entry. */
  #nextId = 0;
  /** What the client allows from the next block on, and the least it allowed in between. */
  #wanted = MAX_TABLE_BYTES;
  #least = MAX_TABLE_BYTES;

  /** SETTINGS_HEADER_TABLE_SIZE of the client. */
  setLimit(bytes: number): void {
    this.#wanted = Math.min(bytes, MAX_TABLE_BYTES);
    this.#least = Math.min(this.#least, this.#wanted);
  }

  /** Writes the block at `into[at]`, which has room for `blockBound`; returns its end. */
  encode(fields: readonly string[], into: Buffer, at: number): number {
    let end = at;
    if (this.#least !== this.#capacity || this.#wanted !== this.#capacity) {
      end = this.#resize(into, end);
    }
    for (let index = 0; index < fields.length; index += 2) {
      end = this.#field(fields[index]!, fields[index + 1]!, into, end);
    }
    return end;
  }

  #field(name: string, value: string, into: Buffer, at: number): number {
    const memory = this.#names.get(name) ?? this.#remember(name);
    if (memory === null) return literal(name, value, 0, 0, into, at);
    if (memory.lastValue !== value) {
      const status = name === ':status' ? STATUS_INDEX.get(value) : undefined;
      if (status !== undefined) return integer(INDEXED, 0x7f, status, into, at);
      memory.lastValue = value;
      memory.valueId = -1;
    } else if (this.#has(memory.valueId)) {
      return integer(INDEXED, 0x7f, this.#indexOf(memory.valueId), into, at);
    } else if (!memory.isSecret) {
      const size = name.length + value.length + ENTRY_OVERHEAD;
      if (size <= MAX_INDEXED_BYTES && size <= this.#capacity) {
        return this.#insert(name, value, memory, into, at);
      }
    }
    const flags = memory.isSecret ? NEVER_INDEXED : 0;
    return literal(name, value, this.#nameIndex(memory), flags, into, at);
  }

  #remember(name: string): NameMemory | null {
    if (this.#names.size >= MAX_REMEMBERED_NAMES) return null;
    const memory = new NameMemory(name);
    this.#names.set(name, memory);
    return memory;
  }

  #insert(name: string, value: string, memory: NameMemory, into: Buffer, at: number): number {
    const size = name.length + value.length + ENTRY_OVERHEAD;
    const nameIndex = this.#nameIndex(memory);
    let end = integer(WITH_INDEXING, 0x3f, nameIndex, into, at);
    // Said once, so here it is worth making it short.
    if (nameIndex === 0) end = shortText(name, into, end);
    end = shortText(value, into, end);
    this.#evict(this.#capacity - size);
    this.#sizes[this.#nextId % TABLE_SLOTS] = size;
    this.#size += size;
    this.#count += 1;
    memory.valueId = this.#nextId;
    memory.nameId = this.#nextId;
    this.#nextId += 1;
    return end;
  }

  #nameIndex(memory: NameMemory): number {
    if (memory.staticIndex !== 0) return memory.staticIndex;
    return this.#has(memory.nameId) ? this.#indexOf(memory.nameId) : 0;
  }

  #has(id: number): boolean {
    return id >= 0 && id >= this.#nextId - this.#count;
  }

  #indexOf(id: number): number {
    return STATIC_ENTRIES + this.#nextId - id;
  }

  #evict(room: number): void {
    while (this.#count > 0 && this.#size > room) {
      this.#size -= this.#sizes[(this.#nextId - this.#count) % TABLE_SLOTS]!;
      this.#count -= 1;
    }
  }

  /** RFC 7541 section 4.2: the least size there was, then the last. */
  #resize(into: Buffer, at: number): number {
    let end = at;
    if (this.#least < this.#wanted) {
      end = integer(SIZE_UPDATE, 0x1f, this.#least, into, end);
      this.#evict(this.#least);
    }
    end = integer(SIZE_UPDATE, 0x1f, this.#wanted, into, end);
    this.#evict(this.#wanted);
    this.#capacity = this.#wanted;
    this.#least = this.#wanted;
    return end;
  }
}

function literal(
  name: string,
  value: string,
  nameIndex: number,
  flags: number,
  into: Buffer,
  at: number,
): number {
  let end = integer(flags, 0x0f, nameIndex, into, at);
  if (nameIndex === 0) end = plainText(name, into, end);
  end = plainText(value, into, end);
  return end;
}

/** `mask` are the bits of the prefix (RFC 7541 section 5.1). */
function integer(flags: number, mask: number, value: number, into: Buffer, at: number): number {
  if (value < mask) {
    into[at] = flags | value;
    return at + 1;
  }
  let end = at;
  into[end++] = flags | mask;
  let rest = value - mask;
  while (rest >= 0x80) {
    into[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[end++] = rest;
  return end;
}

function plainText(text: string, into: Buffer, at: number): number {
  const { length } = text;
  const start = integer(0, 0x7f, length, into, at);
  if (length > SHORT_TEXT) writeLatin1(into, text, start);
  else for (let index = 0; index < length; index += 1) into[start + index] = text.charCodeAt(index);
  return start + length;
}

/** In the Huffman code, where that is shorter. */
function shortText(text: string, into: Buffer, at: number): number {
  const bytes = huffmanBytes(text);
  if (bytes >= text.length) return plainText(text, into, at);
  return encodeHuffman(text, into, integer(HUFFMAN, 0x7f, bytes, into, at));
}
