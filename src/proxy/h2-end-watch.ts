// Tells a stream its peer ended from one its peer reset with NO_ERROR: node:http2 reports both as
// the end of the body, and a truncated message must never look complete (QP-79). END_STREAM is told
// while the stream is open, paused or not; a reset closes the stream first. So we look at the
// moment the end is pushed. Hot: one property per watched stream.

import type { Http2Stream } from 'node:http2';
import { Readable } from 'node:stream';

/** Present and true once the peer's END_STREAM was read. */
const HAS_ENDED = Symbol('hasEnded');

type WatchedStream = Http2Stream & { [HAS_ENDED]?: boolean };

/** Call while the stream is open; what came before is asked of the stream itself. */
export function watchEnd(stream: Http2Stream): void {
  const watched = stream as WatchedStream;
  watched[HAS_ENDED] = stream.state.remoteClose === 1;
  watched.push = pushWatched;
}

/** Whether the peer ended its side itself. */
export function hasEnded(stream: Http2Stream): boolean {
  return (stream as WatchedStream)[HAS_ENDED] === true;
}

function pushWatched(this: WatchedStream, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk === null && !this.closed) this[HAS_ENDED] = true;
  return Readable.prototype.push.call(this, chunk, encoding);
}
