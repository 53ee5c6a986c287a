// Names the reason why a message llhttp reads is refused by us: the list in
// docs/decisions/0011-framing-strictness.md. Reckoned from llhttp's reading and the raw text, apart
// from the codec, which only says no.

import { requestStarts, responseStarts, type SeenMessage } from './llhttp.ts';

/** Values of every header of that name. */
function valuesOf(headers: readonly string[], lower: string): string[] {
  return headers.filter((_, at) => at % 2 === 1 && headers[at - 1]!.toLowerCase() === lower);
}

interface Refused {
  message: SeenMessage;
  /** The message as it came, from its first byte on. */
  raw: string;
  head: string;
  lengths: string[];
  codings: string[];
  hosts: string[];
}

type Reason = readonly [category: string, holds: (refused: Refused) => boolean];

/** A refusal nobody decided on. */
export const OTHER = 'other';

const HOST_VALUE = /^[!$%&'()*+,\-.:;=[\]_~0-9A-Za-z]*$/;
const QUOTED = String.raw`"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"`;
const TOKEN = String.raw`[!#$%&'*+\-.^_\`|~0-9A-Za-z]+`;
const EXTENSIONS = new RegExp(`^(?:;${TOKEN}(?:=(?:${TOKEN}|${QUOTED}))?)*$`);

const LINE_REASONS: readonly Reason[] = [
  [
    'HTTP version that is not 1.0 or 1.1',
    ({ head }) => !/ HTTP\/1\.[01]\r?$/m.test(firstLine(head)),
  ],
  ['more than one space in the request line', ({ head }) => / .* .* /.test(firstLine(head))],
];

const FIELD_REASONS: readonly Reason[] = [
  ['bare LF or CR in the head', ({ head }) => /(^|[^\r])\n|\r(?!\n)/.test(head)],
  ['obs-fold', ({ head }) => /\r?\n[ \t]/.test(head)],
  ['space before the colon', ({ head }) => /^[^\r\n:]*[ \t]:/m.test(afterFirst(head))],
  [
    'Content-Length with Transfer-Encoding',
    ({ lengths, codings }) => lengths.length > 0 && codings.length > 0,
  ],
  ['Content-Length twice', ({ lengths }) => lengths.length > 1],
  [
    'Content-Length not plain digits',
    ({ lengths }) => lengths.some((value) => !/^\d+$/.test(value)),
  ],
  [
    'Content-Length of more than 15 digits',
    ({ lengths }) => lengths.some((value) => value.length > 15),
  ],
  ['white space behind a Content-Length', ({ head }) => /^content-length:.*[ \t]\r?$/im.test(head)],
  [
    'Transfer-Encoding not exactly `chunked`',
    ({ codings }) => codings.length > 0 && codings.join('|') !== 'chunked',
  ],
  [
    'white space behind a Transfer-Encoding',
    ({ head }) => /^transfer-encoding:.*[ \t]\r?$/im.test(head),
  ],
  [
    'Transfer-Encoding in HTTP/1.0',
    ({ codings, message }) => codings.length > 0 && message.minorVersion === 0,
  ],
];

const ROUTE_REASONS: readonly Reason[] = [
  ['Host twice', ({ hosts }) => hosts.length > 1],
  ['Host missing', ({ hosts, message }) => hosts.length === 0 && message.minorVersion === 1],
  ['Host that is no host', ({ hosts }) => !HOST_VALUE.test(hosts[0] ?? '')],
  [
    'CONNECT to something else than an authority',
    ({ message }) => message.method === 'CONNECT' && !/^[^\s/]*[^:]:\d{1,5}$/.test(message.target),
  ],
  [
    'CONNECT with a body',
    ({ message, lengths, codings }) =>
      message.method === 'CONNECT' && (codings.length > 0 || Number(lengths[0]) > 0),
  ],
  [
    'asterisk target without OPTIONS',
    ({ message }) => message.target === '*' && message.method !== 'OPTIONS',
  ],
  ['OPTIONS * with a body', ({ message }) => message.target === '*'],
  ['absolute target without a plain authority', ({ message }) => /^https?:/i.test(message.target)],
  [
    'target in none of the four forms',
    ({ message }) => !/^\//.test(message.target) && message.method !== 'CONNECT',
  ],
];

const BODY_REASONS: readonly Reason[] = [
  ['chunk size of more than 13 digits', ({ raw }) => /\r\n[0-9a-f]{14,}/i.test(raw)],
  [
    'white space in a chunk size line',
    ({ raw }) => /\r\n[0-9a-f]+[ \t]+(?:;[^\r\n]*)?\r\n/i.test(raw),
  ],
  ['chunk extension outside its grammar', ({ raw }) => hasOddExtension(raw)],
  ['framing or bad line in trailers', ({ raw }) => /\r\n0+(?:;[^\r\n]*)?\r\n[^\r]/.test(raw)],
];

const STATUS_REASONS: readonly Reason[] = [
  ['empty lines before a status line', ({ raw }) => /^[\r\n]/.test(raw)],
  ['HTTP version that is not 1.0 or 1.1', ({ head }) => !/^HTTP\/1\.[01] /.test(head)],
  ['status below 100', ({ message }) => message.status < 100],
  [
    'control byte in a reason phrase',
    ({ head }) => /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(firstLine(head)),
  ],
];

const REQUEST_REASONS = [...LINE_REASONS, ...FIELD_REASONS, ...ROUTE_REASONS, ...BODY_REASONS];
const ANSWER_REASONS = [...STATUS_REASONS, ...FIELD_REASONS, ...BODY_REASONS];

/** `index` is the place of the refused request in llhttp's list. */
export function requestCategory(bytes: Buffer, message: SeenMessage, index: number): string {
  const raw = bytes.toString('latin1', requestStarts(bytes)[index] ?? 0);
  const emptyLines = /^[\r\n]*/.exec(raw)![0];
  if (!/^(\r\n)*$/.test(emptyLines)) return 'bare LF or CR before a request line';
  return categoryOf(raw.slice(emptyLines.length), message, REQUEST_REASONS);
}

/** `messages` are the interim answers and the final one; any of them may be the refused one. */
export function answerCategory(bytes: Buffer, messages: readonly SeenMessage[]): string {
  const text = bytes.toString('latin1');
  const starts = responseStarts(bytes);
  for (const [index, message] of messages.entries()) {
    const category = categoryOf(text.slice(starts[index] ?? 0), message, ANSWER_REASONS);
    if (category !== OTHER) return category;
  }
  return OTHER;
}

function categoryOf(raw: string, message: SeenMessage, reasons: readonly Reason[]): string {
  const end = /\r?\n\r?\n/.exec(raw);
  const head = raw.slice(0, end?.index ?? raw.length);
  const refused: Refused = {
    message,
    raw,
    head,
    lengths: valuesOf(message.headers, 'content-length'),
    codings: valuesOf(message.headers, 'transfer-encoding'),
    hosts: valuesOf(message.headers, 'host'),
  };
  return reasons.find(([, holds]) => holds(refused))?.[0] ?? OTHER;
}

function firstLine(head: string): string {
  return head.slice(0, head.search(/\n|$/));
}

function afterFirst(head: string): string {
  return head.slice(firstLine(head).length + 1);
}

function hasOddExtension(raw: string): boolean {
  for (const [, extension] of raw.matchAll(/\r\n[0-9a-f]+(;[^\r\n]*)/gi)) {
    if (!EXTENSIONS.test(extension!)) return true;
  }
  return false;
}
