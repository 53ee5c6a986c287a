// One write per step of a message: head still owed, framing, data and end go out together. Small
// pieces travel as one latin1 string, which Node hands to the kernel without a Buffer; large ones
// as bytes. What is passed in is borrowed: nothing keeps it after the call.
// Hot: once per read in either direction.

import { chunkHead } from './chunk-decoder.ts';
import { readLatin1 } from './latin1.ts';
import type { Wire } from './wire.ts';

/** Up to here a string write is cheaper than copying bytes. */
const MAX_STRING_BYTES = 8 * 1024;

/**
 * Writes `lead`, then `buffer[start, end)` (as one chunk if `isChunked`), then `tail`. Writes
 * nothing when all three are empty.
 */
export function writePiece(
  wire: Wire,
  lead: string,
  buffer: Buffer,
  start: number,
  end: number,
  isChunked: boolean,
  tail: string,
): void {
  const size = end - start;
  const before = isChunked && size > 0 ? lead + chunkHead(size) : lead;
  const after = isChunked && size > 0 ? `\r\n${tail}` : tail;
  if (size > MAX_STRING_BYTES) {
    wire.writeAround(before, buffer, start, end, after);
    return;
  }
  const text = size === 0 ? before + after : before + readLatin1(buffer, start, end) + after;
  if (text !== '') wire.write(text);
}
