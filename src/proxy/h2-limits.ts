// What the HTTP/2 server allows a client: the settings it advertises (QP-6) and the limits of
// node:http2 behind them. Not hot.

import type { ServerSessionOptions } from 'node:http2';
import { MAX_SENT_HEADER_BYTES } from './h2-sending.ts';

/** Streams open at once per connection; above it a stream is refused. */
export const MAX_CONCURRENT_STREAMS = 250;
/** Body bytes a client may send ahead per stream; they wait in memory while nobody reads. */
export const STREAM_WINDOW_BYTES = 1 << 20;
/** The same for a whole connection. */
export const CONNECTION_WINDOW_BYTES = 1 << 20;
/** Larger frames end the connection with FRAME_SIZE_ERROR. */
export const MAX_FRAME_BYTES = 1 << 20;
/** Header block of a request; above it the stream is reset with ENHANCE_YOUR_CALM. */
export const MAX_HEADER_LIST_BYTES = 1_048_896;
/** Header fields of a request; above it the stream is reset with ENHANCE_YOUR_CALM. */
export const MAX_HEADER_LIST_PAIRS = 1_000;
/** Entries of one SETTINGS frame; above it the connection ends with ENHANCE_YOUR_CALM. */
export const MAX_SETTINGS_ENTRIES = 32;
/** Invalid frames per connection; above it the connection ends. */
export const MAX_INVALID_FRAMES = 100;
/** Streams refused per connection; above it the connection ends. */
export const MAX_REJECTED_STREAMS = 500;
/** Our own unanswered PINGs; we send none. */
const MAX_OUTSTANDING_PINGS = 1;
/** Megabytes node:http2 may hold per connection; above it new streams are refused. */
export const MAX_SESSION_MEMORY_MB = 32;

export const SERVER_OPTIONS: ServerSessionOptions & Record<string, unknown> = {
  maxHeaderListPairs: MAX_HEADER_LIST_PAIRS,
  maxSendHeaderBlockLength: MAX_SENT_HEADER_BYTES,
  maxSettings: MAX_SETTINGS_ENTRIES,
  maxSessionInvalidFrames: MAX_INVALID_FRAMES,
  maxSessionRejectedStreams: MAX_REJECTED_STREAMS,
  maxOutstandingPings: MAX_OUTSTANDING_PINGS,
  maxSessionMemory: MAX_SESSION_MEMORY_MB,
  maxReservedRemoteStreams: 0,
  settings: {
    headerTableSize: 4096,
    maxConcurrentStreams: MAX_CONCURRENT_STREAMS,
    initialWindowSize: STREAM_WINDOW_BYTES,
    maxFrameSize: MAX_FRAME_BYTES,
    maxHeaderListSize: MAX_HEADER_LIST_BYTES,
  },
};
