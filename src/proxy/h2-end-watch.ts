// Tells a stream its peer ended from one its peer reset with NO_ERROR: node:http2 reports both as
// the end of the body, and a truncated message must never look complete (QP-79). So we look at the
// moment the end is pushed: is the stream still open, or did nghttp2 see END_STREAM.
// Hot: one property per watched stream.

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
  if (chunk === null && (!this.closed || endedWhilePaused(this))) this[HAS_ENDED] = true;
  return Readable.prototype.push.call(this, chunk, encoding);
}

/**
 * A paused stream hears of its end only when it closes, and nghttp2 then calls a reset an end, too.
 * So a reset with NO_ERROR of a stream that is paused is the one case that goes unnoticed.
 */
function endedWhilePaused(stream: WatchedStream): boolean {
  return stream.isPaused() && stream.state.remoteClose === 1;
}
