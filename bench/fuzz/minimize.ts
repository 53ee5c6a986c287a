// Makes a failing message smaller while it still fails in the same way: pieces go, from halves down
// to single bytes, until no single byte can go.

/** Tries before the smallest message so far has to do. */
const MAX_TRIES = 4_000;

/** `fails` says whether a message shows the failure. */
export function minimize(message: Buffer, fails: (candidate: Buffer) => boolean): Buffer {
  let best = message;
  let tries = 0;
  for (let size = Math.ceil(best.length / 2); size >= 1 && tries < MAX_TRIES; ) {
    let isSmaller = false;
    for (let at = 0; at < best.length && tries < MAX_TRIES; ) {
      tries += 1;
      const candidate = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (fails(candidate)) {
        best = candidate;
        isSmaller = true;
      } else at += size;
    }
    if (size === 1 && !isSmaller) break;
    if (!isSmaller || size > best.length) size = size === 1 ? 1 : Math.floor(size / 2);
  }
  return best;
}
