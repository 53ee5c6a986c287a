// The head a connection read last, as the bytes it came in. Keep-alive peers mostly send the same
// head again (an application the same answer, a caller the same question), and a head that equals
// one already read, byte for byte, needs no second reading: everything learned from it still holds.
// Whoever reads heads forgets the last one before it reads another, so that what is remembered here
// and what was learned never belong to different heads.
// Hot: one comparison per message, four bytes at a time.

import { wordsOf } from './byte-runs.ts';

/** A longer head is not remembered: it is read anew each time. */
const MAX_REMEMBERED_BYTES = 4096;
/** Heads in a row that repeated nothing; from then on only few are remembered. */
const MAX_MISSES = 4;
/** Of a connection whose heads differ, one in so many is remembered. */
const MISSES_BETWEEN_TRIES = 16;

export class LastHead {
  #words = new Int32Array(0);
  /** Bytes of it; 0 = none. */
  #length = 0;
  #misses = 0;

  /** Whether it stands at `bytes[base, end)` again. */
  isAt(bytes: Uint8Array, base: number, end: number): boolean {
    const length = this.#length;
    if (length === 0 || end - base < length || (base & 3) !== 0) return false;
    const words = wordsOf(bytes);
    if (words === null) return false;
    const known = this.#words;
    const first = base >> 2;
    const count = length >> 2;
    for (let index = 0; index < count; index += 1) {
      if (words[first + index] !== known[index]) return false;
    }
    const rest = (length & 3) << 3;
    if (rest !== 0 && ((words[first + count]! ^ known[count]!) & ((1 << rest) - 1)) !== 0) {
      return false;
    }
    this.#misses = 0;
    return true;
  }

  forget(): void {
    this.#length = 0;
  }

  /** The head that was read is `bytes[base, base + length)`. */
  remember(bytes: Uint8Array, base: number, length: number): void {
    this.#misses += 1;
    if (this.#misses > MAX_MISSES && this.#misses % MISSES_BETWEEN_TRIES !== 0) return;
    const words = wordsOf(bytes);
    if (words === null || length > MAX_REMEMBERED_BYTES || (base & 3) !== 0) return;
    const first = base >> 2;
    const count = (length + 3) >> 2;
    if (this.#words.length < count) this.#words = new Int32Array(count);
    for (let index = 0; index < count; index += 1) this.#words[index] = words[first + index]!;
    this.#length = length;
  }
}
