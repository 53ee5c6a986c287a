// Header fields of forwarded HTTP/2 messages: what is dropped, replaced and added on the way
// (QP-65 to QP-68, RFC 9113 section 8.2). Fields come as one flat array of names and values in
// order, names in lower case; answers leave as such an array, requests as the object node:http2
// wants to send.
// Hot: one pass per request and one per answer.

import { trimOws } from './characters.ts';
import type { CompiledHeaderEdits } from './header-edits.ts';

/** What node:http2 sends: a repeated field is an array. */
export type Http2Fields = Record<string, string | number | string[]>;
/** name, value, name, value …, pseudo-fields included. */
export type RawFields = readonly string[];

const COLON = 58;
const FORWARDED_FOR = 'x-forwarded-for';

/** Fields about one connection only. `te` is handled apart, `host` has become `:authority`. */
const HOP_BY_HOP = [
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
];
const REQUEST_DROPS: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'host']);
const ANSWER_DROPS: ReadonlySet<string> = new Set(HOP_BY_HOP);
/** Also what may not stand behind a body (RFC 9110 section 6.5.1). */
const TRAILER_DROPS: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'authorization',
  'content-length',
  'host',
  'trailer',
]);

/**
 * Fields node:http2 refuses to send twice. The second of one that is no list is dropped, of a list
 * it is joined to the first.
 */
const SINGLE_VALUES: ReadonlySet<string> = new Set(
  (
    'access-control-allow-credentials access-control-max-age access-control-request-method age ' +
    'authorization content-length content-location content-md5 content-range content-type date ' +
    'dnt etag expires from host if-modified-since if-range if-unmodified-since last-modified ' +
    'location max-forwards range referer retry-after tk upgrade-insecure-requests user-agent ' +
    'x-content-type-options'
  ).split(' '),
);
const SINGLE_LISTS: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-language',
  'if-match',
  'if-none-match',
]);

/** REQUEST_DROPS together with the names some edits drop. */
const requestDrops = new WeakMap<ReadonlySet<string>, ReadonlySet<string>>();

export interface Http2RequestParts {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly raw: RawFields;
}

/**
 * The request for the application. `peer` is the client's address; `authority` the application's
 * `host:port`, used where the client named no host.
 */
export function requestFieldsFor(
  request: Http2RequestParts,
  edits: CompiledHeaderEdits,
  peer: string,
  authority: string,
): Http2Fields {
  const fields = emptyFields();
  fields[':method'] = request.method;
  fields[':authority'] = edits.host ?? (request.host === '' ? authority : request.host);
  if (request.method !== 'CONNECT') {
    fields[':scheme'] = 'http';
    fields[':path'] = request.target;
  }
  copyFields(request.raw, fields, dropsOf(edits));
  const te = firstValue(request.raw, 'te');
  if (te !== '' && te.toLowerCase().includes('trailers')) fields['te'] = 'trailers';
  if (edits.forwardedFor) addForwardedFor(fields, peer);
  if (edits.add !== '') addLines(fields, edits.add);
  return fields;
}

/** The final head for the client; `extra` are whole lines, `date` is for answers without one. */
export function answerFieldsFor(
  status: number,
  raw: RawFields,
  extra: string,
  date: string,
): string[] {
  const fields = interimFieldsFor(status, raw);
  if (extra !== '') pushLines(fields, extra);
  if (!hasField(fields, 'date')) fields.push('date', date);
  return fields;
}

export function interimFieldsFor(status: number, raw: RawFields): string[] {
  const fields = [':status', String(status)];
  pushFields(raw, fields, ANSWER_DROPS);
  return fields;
}

/** Trailers of an answer, for the client. */
export function answerTrailersFor(raw: RawFields): string[] {
  const fields: string[] = [];
  pushFields(raw, fields, TRAILER_DROPS);
  return fields;
}

/** Trailers of a request, for the application. */
export function trailerFieldsFor(raw: RawFields): Http2Fields {
  const fields = emptyFields();
  copyFields(raw, fields, TRAILER_DROPS);
  return fields;
}

/** The head of a local answer; `lines` are whole lines, each `Name: value\r\n`. */
export function replyFieldsFor(status: number, lines: string, date: string): string[] {
  const fields = [':status', String(status)];
  pushLines(fields, lines);
  if (!hasField(fields, 'date')) fields.push('date', date);
  return fields;
}

/** Value of the first field of that name, trimmed; '' when absent. */
export function firstValue(raw: RawFields, name: string): string {
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index] === name) return raw[index + 1]!.trim();
  }
  return '';
}

/** Every field but the pseudo-fields, in order. */
export function* fieldPairs(raw: RawFields): Generator<readonly [name: string, value: string]> {
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!;
    if (name.charCodeAt(0) !== COLON) yield [name, raw[index + 1]!];
  }
}

function emptyFields(): Http2Fields {
  return Object.create(null) as Http2Fields;
}

function dropsOf(edits: CompiledHeaderEdits): ReadonlySet<string> {
  let drops = requestDrops.get(edits.drop);
  if (drops === undefined) {
    drops = new Set([...REQUEST_DROPS, ...edits.drop]);
    requestDrops.set(edits.drop, drops);
  }
  return drops;
}

function copyFields(raw: RawFields, into: Http2Fields, drops: ReadonlySet<string>): void {
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!;
    if (name.charCodeAt(0) === COLON || drops.has(name)) continue;
    const value = raw[index + 1]!;
    const earlier = into[name];
    into[name] = earlier === undefined ? value : repeated(name, earlier, value);
  }
}

function repeated(
  name: string,
  earlier: string | number | string[],
  value: string,
): string | number | string[] {
  if (SINGLE_VALUES.has(name)) return earlier;
  if (SINGLE_LISTS.has(name)) return `${earlier}, ${value}`;
  if (!Array.isArray(earlier)) return [String(earlier), value];
  earlier.push(value);
  return earlier;
}

/** QP-67: earlier lines folded into one, the peer behind them. */
function addForwardedFor(fields: Http2Fields, peer: string): void {
  const earlier = fields[FORWARDED_FOR];
  if (earlier === undefined) fields[FORWARDED_FOR] = peer;
  else {
    const joined = Array.isArray(earlier) ? earlier.join(', ') : earlier;
    fields[FORWARDED_FOR] = joined === '' ? peer : `${joined}, ${peer}`;
  }
}

/** Whole HTTP/1 lines of our own making; a name set twice is sent twice. */
function addLines(fields: Http2Fields, lines: string): void {
  const pairs: string[] = [];
  pushLines(pairs, lines);
  for (let index = 0; index < pairs.length; index += 2) {
    const name = pairs[index]!;
    const value = pairs[index + 1]!;
    const earlier = fields[name];
    fields[name] = earlier === undefined ? value : repeated(name, earlier, value);
  }
}

function pushLines(fields: string[], lines: string): void {
  let at = 0;
  while (at < lines.length) {
    const colon = lines.indexOf(':', at);
    const end = lines.indexOf('\r\n', colon);
    fields.push(lines.slice(at, colon).toLowerCase(), trimOws(lines.slice(colon + 1, end)));
    at = end + 2;
  }
}

function pushFields(raw: RawFields, fields: string[], drops: ReadonlySet<string>): void {
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!;
    if (name.charCodeAt(0) !== COLON && !drops.has(name)) fields.push(name, raw[index + 1]!);
  }
}

function hasField(fields: RawFields, name: string): boolean {
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] === name) return true;
  }
  return false;
}
