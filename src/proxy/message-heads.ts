// Writes the heads of forwarded messages. Lines nobody objects to are copied as runs, so their
// order, case and duplicates survive (QP-68); hop-by-hop lines go (QP-65, QP-74); framing is
// written anew, because the body is framed anew. Hot: one request head and one response head per
// forwarded request.

import type { CompiledHeaderEdits } from './header-edits.ts';
import { FieldKind, type HeaderFields } from './header-fields.ts';
import type { DateLine } from './replies.ts';
import type { RequestHead } from './request-head.ts';
import { BodyMode, type ResponseHead } from './response-head.ts';

export const HOP_BY_HOP =
  (1 << FieldKind.CONNECTION) |
  (1 << FieldKind.KEEP_ALIVE) |
  (1 << FieldKind.PROXY) |
  (1 << FieldKind.TE) |
  (1 << FieldKind.TRANSFER_ENCODING) |
  (1 << FieldKind.UPGRADE) |
  (1 << FieldKind.NAMED);
const TRAILER = 1 << FieldKind.TRAILER;
const HOST = 1 << FieldKind.HOST;
const FORWARDED_FOR = 1 << FieldKind.FORWARDED_FOR;
const CONTENT_LENGTH = 1 << FieldKind.CONTENT_LENGTH;

/** Length of `HTTP/1.1`. */
const AFTER_VERSION = 8;

/** How the client's side of an answer is framed. */
export const AnswerFraming = { NONE: 0, LENGTH: 1, CHUNKED: 2, CLOSE: 3 } as const;
export type AnswerFraming = (typeof AnswerFraming)[keyof typeof AnswerFraming];

/**
 * The request head for the upstream. `peer` is the client's address, the same for all requests read
 * into `head`; `authority` is the upstream's `host:port`, used where a 1.0 client named no host
 * (QP-60).
 */
export function requestHeadFor(
  head: RequestHead,
  edits: CompiledHeaderEdits,
  peer: string,
  authority: string,
): string {
  const known = head.written.get(edits, authority, 0);
  if (known !== '') return known;
  const text = writeRequestHead(head, edits, peer, authority);
  head.written.set(text, edits, authority, 0);
  return text;
}

function writeRequestHead(
  head: RequestHead,
  edits: CompiledHeaderEdits,
  peer: string,
  authority: string,
): string {
  const fields = head.fields;
  const isChunked = head.contentLength < 0;
  const host = edits.host ?? (head.hostFromTarget ? head.host : null);
  let drop = HOP_BY_HOP;
  if (!isChunked) drop |= TRAILER;
  if (host !== null) drop |= HOST;
  if (edits.forwardedFor) drop |= FORWARDED_FOR;
  const dropping = edits.mayDrop(fields) ? edits : null;
  let text: string;
  if (host === null && head.minorVersion === 1) text = keptLines(fields, drop, dropping, 0);
  else {
    const line = `${head.method} ${head.target} HTTP/1.1\r\n`;
    const named = host ?? (fields.has(FieldKind.HOST) ? null : authority);
    const hostLine = named === null ? '' : `Host: ${named}\r\n`;
    text = line + hostLine + keptLines(fields, drop, dropping);
  }
  if (edits.forwardedFor) text += forwardedFor(fields, edits, peer);
  text += edits.add;
  if (isChunked) text += 'Transfer-Encoding: chunked\r\n';
  if (head.acceptsTrailers) text += 'Te: trailers\r\n';
  if (head.upgrade !== '') text += `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`;
  return `${text}\r\n`;
}

function forwardedFor(fields: HeaderFields, edits: CompiledHeaderEdits, peer: string): string {
  const earlier = edits.drop.has('x-forwarded-for') ? '' : fields.joined(FieldKind.FORWARDED_FOR);
  return earlier === ''
    ? `X-Forwarded-For: ${peer}\r\n`
    : `X-Forwarded-For: ${earlier}, ${peer}\r\n`;
}

/**
 * Lines whose kind is not in `drop` (a bit mask) and which `edits` let pass, in order, behind what
 * stands from `from` to the first of them: 0 is for the start line as it came.
 */
export function keptLines(
  fields: HeaderFields,
  drop: number,
  edits: CompiledHeaderEdits | null,
  from = fields.lineStart(0),
): string {
  const text = fields.text;
  if (fields.count === 0) return '';
  let runStart = from;
  if ((fields.kinds & drop) === 0 && edits === null) {
    return text.slice(runStart, fields.lineEnd(fields.count - 1));
  }
  let kept = '';
  let runEnd = fields.lineStart(0);
  for (let index = 0; index < fields.count; index += 1) {
    const lineEnd = fields.lineEnd(index);
    const isDropped =
      ((1 << fields.kindAt(index)) & drop) !== 0 || edits?.drops(fields, index) === true;
    if (isDropped) {
      if (runEnd > runStart) kept += text.slice(runStart, runEnd);
      runStart = lineEnd;
    }
    runEnd = lineEnd;
  }
  return runEnd > runStart ? kept + text.slice(runStart, runEnd) : kept;
}

/** Framing of the answer toward a client of that minor version. */
export function answerFraming(head: ResponseHead, clientMinor: number): AnswerFraming {
  switch (head.bodyMode) {
    case BodyMode.NONE:
      return AnswerFraming.NONE;
    case BodyMode.LENGTH:
      return AnswerFraming.LENGTH;
    default:
      return clientMinor === 1 ? AnswerFraming.CHUNKED : AnswerFraming.CLOSE;
  }
}

/** The final answer head for the client; `extra` are whole lines, `date` is asked if none came. */
export function answerHeadFor(
  head: ResponseHead,
  framing: AnswerFraming,
  clientMinor: number,
  closes: boolean,
  extra: string,
  date: DateLine,
): string {
  const dateLine = head.fields.has(FieldKind.DATE) ? '' : date.get();
  const variant = (framing << 2) | (clientMinor << 1) | Number(closes);
  const known = head.written.get(dateLine, extra, variant);
  if (known !== '') return known;
  const text = writeAnswerHead(head, framing, clientMinor, closes, extra, dateLine);
  head.written.set(text, dateLine, extra, variant);
  return text;
}

function writeAnswerHead(
  head: ResponseHead,
  framing: AnswerFraming,
  clientMinor: number,
  closes: boolean,
  extra: string,
  dateLine: string,
): string {
  let drop = HOP_BY_HOP;
  if (framing !== AnswerFraming.CHUNKED) drop |= TRAILER;
  if (head.status < 200 || head.status === 204) drop |= CONTENT_LENGTH;
  const isLineKept = clientMinor === head.minorVersion && head.fields.count > 0;
  let text = isLineKept
    ? keptLines(head.fields, drop, null, 0)
    : statusLine(head, clientMinor) + keptLines(head.fields, drop, null);
  text += dateLine;
  if (framing === AnswerFraming.CHUNKED) text += 'Transfer-Encoding: chunked\r\n';
  if (head.status === 101) text += `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`;
  else if (closes) text += 'Connection: close\r\n';
  return `${text}${extra}\r\n`;
}

/** An interim answer (1xx but not 101) for the client. */
export function interimHeadFor(head: ResponseHead): string {
  const lines = keptLines(head.fields, HOP_BY_HOP | TRAILER | CONTENT_LENGTH, null);
  return `${statusLine(head, 1)}${lines}\r\n`;
}

function statusLine(head: ResponseHead, clientMinor: number): string {
  if (clientMinor === head.minorVersion) return head.text.slice(0, head.lineLength);
  return `HTTP/1.${clientMinor}${head.text.slice(AFTER_VERSION, head.lineLength)}`;
}
