// What is wrong with a frame of a message (DATA, HEADERS, CONTINUATION) before its payload is
// looked at: on which stream it may come, and when (RFC 9113 sections 4.3, 5.1 and 6). Pure. Hot:
// once per frame.

import { Http2Code } from '../h2-codes.ts';
import { Flag, FrameType } from './frames.ts';
import type { StreamTable } from './stream-table.ts';

/**
 * NO_ERROR, or the code the connection ends with. `openId` is the stream whose field block is not
 * complete, 0 for none; frames of other types are judged for coming in between only.
 */
export function judgeMessageFrame(
  streams: StreamTable,
  openId: number,
  type: number,
  flags: number,
  streamId: number,
  length: number,
): Http2Code {
  const isContinuation = type === FrameType.CONTINUATION;
  if (isContinuation ? streamId !== openId : openId !== 0) return Http2Code.PROTOCOL_ERROR;
  if (type > FrameType.HEADERS && !isContinuation) return Http2Code.NO_ERROR;
  if (streamId === 0) return Http2Code.PROTOCOL_ERROR;
  if (!isContinuation && (flags & Flag.PADDED) !== 0 && length === 0) {
    return Http2Code.FRAME_SIZE_ERROR;
  }
  return type === FrameType.HEADERS ? judgeHeadersId(streams, streamId) : Http2Code.NO_ERROR;
}

/** A new stream, one that is open, or one whose reset the client has not heard of. */
function judgeHeadersId(streams: StreamTable, streamId: number): Http2Code {
  if (streamId > streams.lastId) {
    return streamId % 2 === 1 ? Http2Code.NO_ERROR : Http2Code.PROTOCOL_ERROR;
  }
  if (streams.get(streamId) !== undefined || streams.wasReset(streamId)) {
    return Http2Code.NO_ERROR;
  }
  return streams.hasEnded(streamId) ? Http2Code.STREAM_CLOSED : Http2Code.PROTOCOL_ERROR;
}
