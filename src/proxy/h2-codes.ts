// Error codes of HTTP/2 (RFC 9113 section 7) that the proxy sends or tells apart, and their names
// for logs and error texts. Kept apart from `node:http2`, which is loaded only once somebody speaks
// HTTP/2. Not hot.

export const Http2Code = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;
export type Http2Code = (typeof Http2Code)[keyof typeof Http2Code];

/** Bit of END_STREAM in the flags of HEADERS and DATA. */
export const END_STREAM = 1;

/** By code. */
const NAMES = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

export function http2CodeName(code: number): string {
  return NAMES[code] ?? `unknown error code 0x${code.toString(16)}`;
}
