// The head of a request as µWebSockets.js hands it over, written back as the bytes our own parser
// reads: so every rule about framing, Host and hop-by-hop fields is the same on both engines. What
// the engine loses on the way (case of names, bytes above 7 bit at the ends of values) is listed in
// docs/engines.md.
// Hot: once per request. `request` is only valid inside the engine's handler.

import type { HttpRequest } from 'uWebSockets.js';
import { writeLatin1 } from './latin1.ts';

const SCRATCH_BYTES = 64 * 1024;
const NOT_LATIN1 = /[^\0-\xff]/;
const NOT_ASCII = /[^\0-\x7f]/;

const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
/** Lines of the request being read; module state, because a closure per request is dearer. */
let lines = '';

function addLine(name: string, value: string): void {
  lines += `${name}: ${value}\r\n`;
}

/**
 * The bytes of the whole head, valid until the next call; null when it holds text that could not
 * be passed on unchanged.
 */
export function requestHeadBytes(request: HttpRequest): Buffer | null {
  // The types promise a string; without a `?` it is none.
  const query = request.getQuery() as string | undefined;
  const path = request.getUrl();
  const target = query === undefined ? path : `${path}?${query}`;
  const requestLine = `${request.getCaseSensitiveMethod()} ${target} HTTP/1.1\r\n`;
  lines = '';
  request.forEach(addLine);
  const text = `${requestLine}${lines}\r\n`;
  if (Buffer.byteLength(text) === text.length) return latin1Of(text);
  const exact = `${requestLine}${exactLines(request)}\r\n`;
  return NOT_LATIN1.test(exact) ? null : latin1Of(exact);
}

function latin1Of(text: string): Buffer {
  if (text.length > SCRATCH_BYTES) return Buffer.from(text, 'latin1');
  writeLatin1(scratch, text, 0);
  return scratch.subarray(0, text.length);
}

/**
 * Values with bytes above 7 bit arrive decoded from UTF-8, whether they were or not; only a look-up
 * by name returns them byte by byte, and only the first line of that name.
 */
function exactLines(request: HttpRequest): string {
  const seen = new Set<string>();
  let exact = '';
  request.forEach((name, value) => {
    const isRepeated = seen.has(name);
    seen.add(name);
    if (!NOT_ASCII.test(value)) exact += `${name}: ${value}\r\n`;
    else if (!isRepeated) exact += `${name}: ${request.getHeader(name)}\r\n`;
    else if (value.includes('\ufffd')) exact += '\ufffd';
    else exact += `${name}: ${Buffer.from(value).toString('latin1')}\r\n`;
  });
  return exact;
}
