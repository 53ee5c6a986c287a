// Cutting message heads out of a byte stream: the one latin1 decode of a head, the search for its end,
// and the early verdict on a head that is not complete yet.
// Hot: `takeHeadText` runs once per message.

import { type ByteBacklog, findHeadEnd } from './byte-backlog.ts';
import { CR, LF } from './characters.ts';
import { mayBecomeHead } from './header-fields.ts';
import { readLatin1 } from './latin1.ts';

/** A head this long is found in the first decode, together with what follows it. */
const WINDOW_BYTES = 4 * 1024;
/** Enough of a message for an error text. */
const SHOWN_BYTES = 256;

/** The head at `start` with its empty line, '' while it is incomplete. */
export function takeHeadText(bytes: Buffer, start: number, end: number): string {
  const windowEnd = Math.min(end, start + WINDOW_BYTES);
  const window = readLatin1(bytes, start, windowEnd);
  const at = window.indexOf('\r\n\r\n');
  if (at >= 0) return at + 4 === window.length ? window : window.slice(0, at + 4);
  if (windowEnd === end) return '';
  const headEnd = findHeadEnd(bytes.subarray(0, end), Math.max(start, windowEnd - 3));
  return headEnd < 0 ? '' : readLatin1(bytes, start, headEnd);
}

/** Whether the backlog holds a whole head; bytes before `searched` were looked at earlier. */
export function hasWholeHead(backlog: ByteBacklog, searched: number): boolean {
  return findHeadEnd(backlog.view(), Math.max(0, searched - 3)) >= 0;
}

/** False when no continuation makes the backlog a valid head; before `judged` it was judged. */
export function mayBecomeValid(backlog: ByteBacklog, judged: number): boolean {
  const from = Math.max(0, judged - 1);
  return mayBecomeHead(readLatin1(backlog.view(), from, backlog.length), judged - from);
}

/** The beginning of the backlog, for error texts. */
export function showBacklog(backlog: ByteBacklog): string {
  return readLatin1(backlog.view(), 0, Math.min(backlog.length, SHOWN_BYTES));
}

/** RFC 9112 2.2: empty lines before a request line are ignored. Returns where it begins. */
export function skipEmptyLines(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at + 1 < end && bytes[at] === CR && bytes[at + 1] === LF) at += 2;
  return at;
}
