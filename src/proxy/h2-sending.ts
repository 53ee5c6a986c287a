// The calls into node:http2 that check what they are given and throw when they do not like it: a
// status outside 200 to 599, a field it wants once, a stream that closed a moment ago. Peers choose
// much of what we pass on, so here a refusal is an answer (false) and never an exception.
// Hot: once or twice per request; a try block costs nothing.

import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  ClientSessionRequestOptions,
  Http2Stream,
} from 'node:http2';
import type { Http2Fields } from './h2-fields.ts';

/**
 * Bytes of a field block we send, compressed; above it node:http2 gives up the stream. More than a
 * peer may send us, which is what we pass on.
 */
export const MAX_SENT_HEADER_BYTES = 4 << 20;

const MIN_FINAL_STATUS = 200;
const MAX_FINAL_STATUS = 599;
/** Codes of errors that say the session takes no more requests. */
const SESSION_OVER: ReadonlySet<string> = new Set([
  'ERR_HTTP2_INVALID_SESSION',
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_OUT_OF_STREAMS',
]);

/** Whether that is the status of a final answer; NaN is none. */
export function isSendableStatus(status: number): boolean {
  return status >= MIN_FINAL_STATUS && status <= MAX_FINAL_STATUS;
}

/** False when they were refused; the message is not complete then. */
export function sendTrailers(stream: Http2Stream, fields: Http2Fields): boolean {
  try {
    stream.sendTrailers(fields);
    return true;
  } catch (error) {
    return refused(error);
  }
}

/** Null when the session takes no more requests, false when it does not like this one. */
export function sendRequest(
  session: ClientHttp2Session,
  fields: Http2Fields,
  options: ClientSessionRequestOptions,
): ClientHttp2Stream | null | false {
  try {
    return session.request(fields, options);
  } catch (error) {
    if (SESSION_OVER.has(codeOf(error))) return null;
    return refused(error);
  }
}

/** Errors that are no verdict on what was sent are ours, and go on. */
function refused(error: unknown): false {
  const code = codeOf(error);
  if (!code.startsWith('ERR_HTTP2_') && code !== 'ERR_INVALID_HTTP_TOKEN') throw error;
  return false;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
