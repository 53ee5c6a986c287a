// The payload of one DATA frame on its way to its stream: takes the padding off (RFC 9113 section
// 6.1) and says which bytes are the body's, piece by piece, as reads bring them. One per connection.
// Hot: once per DATA frame and read.

import type { ServerStream } from './stream.ts';

export class DataIntake {
  /** Null while no DATA is being read. */
  stream: ServerStream | null = null;
  /** The frame has END_STREAM. */
  isLast = false;
  /** Payload bytes that are no body. */
  overhead = 0;
  /** What `take` found. */
  bodyStart = 0;
  bodyEnd = 0;
  #isPadLengthDue = false;
  /** Body bytes still to come. */
  #left = 0;

  /** `length` is the payload's. */
  begin(stream: ServerStream, length: number, isLast: boolean, isPadded: boolean): void {
    this.stream = stream;
    this.isLast = isLast;
    this.overhead = 0;
    this.#isPadLengthDue = isPadded;
    this.#left = length;
  }

  /** The body's bytes are `bytes[bodyStart, bodyEnd)`. False: more padding than payload. */
  take(bytes: Uint8Array, start: number, end: number): boolean {
    let from = start;
    if (this.#isPadLengthDue) {
      this.#isPadLengthDue = false;
      this.overhead = 1 + bytes[from]!;
      this.#left -= this.overhead;
      if (this.#left < 0) return false;
      from += 1;
    }
    this.bodyStart = from;
    this.bodyEnd = Math.min(end, from + this.#left);
    this.#left -= this.bodyEnd - from;
    return true;
  }
}
