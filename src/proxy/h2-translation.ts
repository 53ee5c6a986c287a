// Header fields of HTTP/2 as lines of HTTP/1.1 and back (RFC 9113 section 8.2). What belongs to one
// connection only does not pass; pseudo-fields are the caller's business. Pure. Warm: once per
// message that changes its protocol on the way.

import type { RawFields } from './h2-fields.ts';

const COLON = 58;

/** Fields that mean one connection only. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Each field as a line `name: value\r\n`, pseudo-fields and those of one connection left out. */
export function linesOfFields(raw: RawFields): string {
  let lines = '';
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!;
    if (name.charCodeAt(0) === COLON || CONNECTION_FIELDS.has(name)) continue;
    lines += `${name}: ${raw[index + 1]!}\r\n`;
  }
  return lines;
}

/** Lines from `at` up to the empty one (or the end), names in lower case. */
export function rawOfLines(text: string, at: number): string[] {
  const raw: string[] = [];
  let start = at;
  while (start < text.length) {
    const end = text.indexOf('\r\n', start);
    if (end <= start) break;
    const colon = text.indexOf(':', start);
    raw.push(text.slice(start, colon).toLowerCase(), text.slice(colon + 1, end).trim());
    start = end + 2;
  }
  return raw;
}
