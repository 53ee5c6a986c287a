// The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B). The code is canonical: codes of
// one length count up in the order of their symbols, so the lengths alone give the table. Decoding
// walks a state machine four bits at a time; its tables are made for the first string that needs
// them, which a process without HTTP/2 never sees.
// Hot: once per literal that a client did not put into its table before.

import { readLatin1 } from '../latin1.ts';

/** By symbol, in base 36; the last is the end of a string, which no string may contain. */
const LENGTHS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq' +
  'u';
const SYMBOLS = 256;
const END = SYMBOLS;
const LONGEST_CODE = 30;
/** Every string ends in fewer ones than a byte has bits. */
const MAX_PADDING_BITS = 7;

/** An entry: state in bits 0-7, EMITS, symbol in bits 16-23; or FAILS. */
const EMITS = 1 << 8;
const FAILS = 1 << 9;

interface Tables {
  readonly codes: Uint32Array;
  readonly lengths: Uint8Array;
  /** 16 entries per state, by the next four bits. */
  readonly steps: Int32Array;
  /** 1 where a string may end. */
  readonly isEnd: Uint8Array;
}

let tables: Tables | null = null;
/** Decoded strings on their way out; replaced by a larger one where need be. */
let scratch = Buffer.allocUnsafeSlow(0);

/** Null when it is not a string of the code (RFC 7541 section 5.2). */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | null {
  const { steps, isEnd } = tables ?? makeTables();
  // No symbol has fewer than five bits.
  const room = (((end - start) * 8) / 5 + 1) | 0;
  if (scratch.length < room) scratch = Buffer.allocUnsafeSlow(Math.max(room, 1_024));
  const out = scratch;
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!;
    const high = steps[(state << 4) | (byte >> 4)]!;
    if ((high & EMITS) !== 0) out[length++] = high >> 16;
    const low = steps[((high & 0xff) << 4) | (byte & 15)]!;
    if ((low & EMITS) !== 0) out[length++] = low >> 16;
    if (((high | low) & FAILS) !== 0) return null;
    state = low & 0xff;
  }
  return isEnd[state] === 1 ? readLatin1(out, 0, length) : null;
}

/** Bytes `text` (latin1) takes in the code. */
export function huffmanBytes(text: string): number {
  const { lengths } = tables ?? makeTables();
  let bits = 0;
  for (let at = 0; at < text.length; at += 1) bits += lengths[text.charCodeAt(at) & 0xff]!;
  return (bits + 7) >> 3;
}

/** Writes `text` (latin1) in the code at `into[at]`; returns where it ended. */
export function encodeHuffman(text: string, into: Uint8Array, at: number): number {
  const { codes, lengths } = tables ?? makeTables();
  let end = at;
  /** Bits not written yet, right-aligned; fewer than eight between symbols. */
  let bits = 0;
  let count = 0;
  for (let index = 0; index < text.length; index += 1) {
    const symbol = text.charCodeAt(index) & 0xff;
    let left = lengths[symbol]!;
    const code = codes[symbol]!;
    while (left > 0) {
      const taken = Math.min(left, 8 - count);
      left -= taken;
      bits = (bits << taken) | ((code >>> left) & ((1 << taken) - 1));
      count += taken;
      if (count < 8) continue;
      into[end++] = bits;
      bits = 0;
      count = 0;
    }
  }
  if (count > 0) into[end++] = (bits << (8 - count)) | (0xff >> count);
  return end;
}

function makeTables(): Tables {
  const lengths = Uint8Array.from(LENGTHS, (digit) => Number.parseInt(digit, 36));
  const codes = new Uint32Array(SYMBOLS + 1);
  let code = 0;
  for (let length = 1; length <= LONGEST_CODE; length += 1) {
    code *= 2;
    for (let symbol = 0; symbol <= END; symbol += 1) {
      if (lengths[symbol] === length) codes[symbol] = code++;
    }
  }
  tables = { codes, lengths, ...makeSteps(makeTree(codes, lengths)) };
  return tables;
}

/** Two children per node; above 0 another node, below it the symbol `~child`. */
function makeTree(codes: Uint32Array, lengths: Uint8Array): number[] {
  const children: number[] = [0, 0];
  for (let symbol = 0; symbol <= END; symbol += 1) {
    let node = 0;
    for (let bit = lengths[symbol]! - 1; bit >= 0; bit -= 1) {
      const slot = node * 2 + ((codes[symbol]! >>> bit) & 1);
      if (bit === 0) children[slot] = ~symbol;
      else {
        if (children[slot] === 0) {
          children[slot] = children.length / 2;
          children.push(0, 0);
        }
        node = children[slot]!;
      }
    }
  }
  return children;
}

function makeSteps(children: readonly number[]): Pick<Tables, 'steps' | 'isEnd'> {
  const states = children.length / 2;
  const steps = new Int32Array(states * 16);
  for (let state = 0; state < states; state += 1) {
    for (let nibble = 0; nibble < 16; nibble += 1) {
      steps[(state << 4) | nibble] = stepFrom(children, state, nibble);
    }
  }
  const isEnd = new Uint8Array(states);
  for (let state = 0, ones = 0; ones <= MAX_PADDING_BITS; ones += 1) {
    isEnd[state] = 1;
    state = children[state * 2 + 1]!;
    if (state <= 0) break;
  }
  return { steps, isEnd };
}

function stepFrom(children: readonly number[], from: number, nibble: number): number {
  let node = from;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit -= 1) {
    const child = children[node * 2 + ((nibble >> bit) & 1)]!;
    if (child > 0) node = child;
    else {
      if (child === ~END) return FAILS;
      emitted = EMITS | (~child << 16);
      node = 0;
    }
  }
  return emitted | node;
}
