// Turns messages into worse messages: bytes replaced, inserted, removed, repeated or moved, and the
// beginning of one message joined to the end of another. What decides about framing (line ends,
// blanks, digits, separators) is inserted far more often than chance would.

import { int, type Random } from './random.ts';

/** A message never gets longer than this, so that cutting it everywhere stays affordable. */
export const MAX_CASE_BYTES = 640;
/** Recent messages that splices draw from; the oldest is forgotten. */
const MAX_CORPUS = 128;
const INTERESTING = Buffer.from(
  '\r\r\n\n \t:;,0123456789abcdefAFgG"=\\-+_./*\0\x01\x0b\x0c\x7f\x80\xa0\xff',
  'latin1',
);
const SNIPPETS = [
  '\r\n',
  '\r\n\r\n',
  '\n\n',
  '\r',
  '\r\n ',
  '0\r\n\r\n',
  '0\r\n',
  'Content-Length: 3\r\n',
  'Content-Length: 0\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive\r\n',
  'Host: h\r\n',
  'HTTP/1.1',
  'HTTP/1.0',
  ' HTTP/1.1\r\n',
  'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
].map((text) => Buffer.from(text, 'latin1'));

export class Mutator {
  readonly #random: Random;
  readonly #corpus: Buffer[] = [];
  #next = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Lets later splices use `message`. */
  remember(message: Buffer): void {
    this.#corpus[this.#next] = message;
    this.#next = (this.#next + 1) % MAX_CORPUS;
  }

  /** One change to a copy of `message`, often more. */
  mutate(message: Buffer): Buffer {
    let bytes = message;
    for (let isLast = false; !isLast; isLast = this.#random() < 0.6) {
      bytes = this.#random() < 0.15 ? this.#splice(bytes) : this.#change(bytes);
    }
    return bytes.subarray(0, MAX_CASE_BYTES);
  }

  #splice(bytes: Buffer): Buffer {
    if (this.#corpus.length === 0) return bytes;
    const other = this.#corpus[int(this.#random, this.#corpus.length)]!;
    const keep = int(this.#random, bytes.length + 1);
    return Buffer.concat([
      bytes.subarray(0, keep),
      other.subarray(int(this.#random, other.length)),
    ]);
  }

  #change(bytes: Buffer): Buffer {
    const random = this.#random;
    const at = int(random, bytes.length + 1);
    const kind = random();
    if (kind < 0.3) return replaced(bytes, at, at + 1, this.#byte());
    if (kind < 0.5) return replaced(bytes, at, at, this.#byte());
    if (kind < 0.65) return replaced(bytes, at, at + 1 + int(random, 3), EMPTY);
    if (kind < 0.8) return replaced(bytes, at, at, SNIPPETS[int(random, SNIPPETS.length)]!);
    // A piece again, or a piece missing.
    const length = 1 + int(random, 24);
    if (kind < 0.9)
      return replaced(bytes, at, at, bytes.subarray(at - length < 0 ? 0 : at - length, at));
    return replaced(bytes, at, at + length, EMPTY);
  }

  #byte(): Buffer {
    const at = int(this.#random, INTERESTING.length);
    if (this.#random() < 0.9) return INTERESTING.subarray(at, at + 1);
    return Buffer.of(int(this.#random, 256));
  }
}

const positions: number[][] = [];

/** Every place at which a message of that length can be cut in two. */
export function everyByte(length: number): readonly number[] {
  positions[length] ??= Array.from({ length: Math.max(0, length - 1) }, (_, index) => index + 1);
  return positions[length];
}

const EMPTY = Buffer.alloc(0);

/** `bytes` with `[start, end)` replaced. */
export function replaced(bytes: Buffer, start: number, end: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, start), by, bytes.subarray(Math.max(start, end))]);
}
