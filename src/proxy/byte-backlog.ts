// Bytes that arrived before somebody could use them: a head cut between reads, a body whose request
// still waits, the next pipelined request. Grows by doubling; whoever fills it bounds it.
// Not on the path of a request that arrives whole.

import type { HeldBytes } from './held-bytes.ts';

const INITIAL_BYTES = 1_024;
const EMPTY = Buffer.alloc(0);

export class ByteBacklog {
  #bytes: Buffer = EMPTY;
  readonly #held: HeldBytes | null;
  length = 0;

  /** `held` hears how much memory this takes; null = nobody counts. */
  constructor(held: HeldBytes | null = null) {
    this.#held = held;
  }

  append(source: Uint8Array, start: number, end: number): void {
    const needed = this.length + end - start;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.length * 2, INITIAL_BYTES));
      larger.set(this.#bytes.subarray(0, this.length));
      this.#held?.add(larger.length - this.#bytes.length);
      this.#bytes = larger;
    }
    this.#bytes.set(source.subarray(start, end), this.length);
    this.length = needed;
  }

  /** A view of what is there; valid until the next append. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  /** Hands the bytes over; the backlog is empty afterwards and never touches them again. */
  take(): Buffer {
    const taken = this.view();
    this.clear();
    return taken;
  }

  clear(): void {
    this.#held?.add(-this.#bytes.length);
    this.#bytes = EMPTY;
    this.length = 0;
  }
}
