// What the HTTP/2 server allows a client: the settings it advertises (QP-6) and the limits behind
// them. Floods are counted in h2-flood.ts. Not hot.

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
/** CONTINUATION frames per field block; above it the connection ends with ENHANCE_YOUR_CALM. */
export const MAX_CONTINUATIONS = 128;
/** Entries of one SETTINGS frame; above it the connection ends with ENHANCE_YOUR_CALM. */
export const MAX_SETTINGS_ENTRIES = 32;
