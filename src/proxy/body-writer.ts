// One socket write per step of a message: head still owed, framing, data and end go out together.
// Small pieces travel as one latin1 string, which Node hands to the kernel without a Buffer; large
// ones as one exact Buffer. Borrowed bytes (the upstream's shared read buffer) are always copied,
// because a socket may keep what it is given.
// Hot: once per read in either direction.

import type { Writable } from 'node:stream';
import { chunkHead } from './chunk-decoder.ts';
import { readLatin1, writeLatin1 } from './latin1.ts';

/** Up to here a string write is cheaper than allocating a Buffer. */
const MAX_STRING_BYTES = 8 * 1024;

/**
 * Writes `lead`, then `buffer[start, end)` (as one chunk if `isChunked`), then `tail`. Writes
 * nothing when all three are empty. `isOwned`: the socket may keep the buffer.
 */
export function writePiece(
  socket: Writable,
  lead: string,
  buffer: Buffer,
  start: number,
  end: number,
  isChunked: boolean,
  tail: string,
  isOwned: boolean,
): void {
  const size = end - start;
  const before = isChunked && size > 0 ? lead + chunkHead(size) : lead;
  const after = isChunked && size > 0 ? `\r\n${tail}` : tail;
  if (size <= MAX_STRING_BYTES) {
    const text = size === 0 ? before + after : before + readLatin1(buffer, start, end) + after;
    if (text !== '') socket.write(text, 'latin1');
    return;
  }
  if (isOwned && before === '' && after === '') {
    socket.write(buffer.subarray(start, end));
    return;
  }
  const piece = Buffer.allocUnsafeSlow(before.length + size + after.length);
  writeLatin1(piece, before, 0);
  piece.set(buffer.subarray(start, end), before.length);
  writeLatin1(piece, after, before.length + size);
  socket.write(piece);
}

/** Whether more writes should wait for `drain`; a `drain` event is certain to follow. */
export function isCongested(socket: Writable): boolean {
  return socket.writableLength >= socket.writableHighWaterMark;
}
