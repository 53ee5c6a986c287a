// The client connection preface (RFC 9113 section 3.4), which may arrive in any pieces. Not hot.

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const PREFACE_BYTES = PREFACE.length;

/**
 * How many of `bytes[0, count)` go on with a preface of which `seen` bytes were there before; -1
 * when they are something else.
 */
export function matchPreface(bytes: Uint8Array, count: number, seen: number): number {
  const length = Math.min(count, PREFACE_BYTES - seen);
  for (let at = 0; at < length; at += 1) {
    if (bytes[at] !== PREFACE[seen + at]) return -1;
  }
  return length;
}
