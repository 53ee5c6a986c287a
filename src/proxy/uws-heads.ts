// Answer heads for µWebSockets.js, which writes Date, Content-Length and Transfer-Encoding itself:
// these lines are left out here, everything else is as on the other engine. A head is one text
// without its version and its last line ends, the form `writeStatus` completes. That call checks
// nothing, so only heads our own parser accepted or wrote get here.
// Hot: one head per answer.

import { createHeaderEdits } from './header-edits.ts';
import { FieldKind } from './header-fields.ts';
import { writeLatin1 } from './latin1.ts';
import { AnswerFraming, HOP_BY_HOP, keptLines } from './message-heads.ts';
import type { ResponseHead } from './response-head.ts';

/** Length of `HTTP/1.1 `. */
const AFTER_VERSION = 9;
const LINE_END_LENGTH = 2;
const HEAD_END_LENGTH = 4;
const SCRATCH_BYTES = 64 * 1024;
/** Response trailers have no way out, so they are not announced either. */
const DROPPED = HOP_BY_HOP | (1 << FieldKind.TRAILER) | (1 << FieldKind.DATE);
const CONTENT_LENGTH = 1 << FieldKind.CONTENT_LENGTH;
const LENGTH_LINE = /\r\nContent-Length: \d+/;
/** The engine answers the handshake itself. */
const HANDSHAKE = createHeaderEdits({
  drop: ['sec-websocket-accept', 'sec-websocket-protocol', 'sec-websocket-extensions'],
});

const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

/** The head of a relayed answer. `extra` are whole lines. */
export function uwsAnswerHead(
  head: ResponseHead,
  framing: AnswerFraming,
  closes: boolean,
  extra: string,
): string {
  const hasOwnLength = framing === AnswerFraming.NONE && head.status !== 204;
  const drop = hasOwnLength ? DROPPED : DROPPED | CONTENT_LENGTH;
  let text = head.text.slice(AFTER_VERSION, head.lineLength) + keptLines(head.fields, drop, null);
  if (closes) text += 'Connection: close\r\n';
  text += extra;
  return text.slice(0, -LINE_END_LENGTH);
}

/** The head of a local answer, from its complete text; a body brings its own length. */
export function uwsReplyHead(lead: string, hasBody: boolean): string {
  const text = lead.slice(AFTER_VERSION, -HEAD_END_LENGTH);
  return hasBody ? text.replace(LENGTH_LINE, '') : text;
}

/** What a 101 says beside the handshake. */
export function uwsSwitchHead(head: ResponseHead, extra: string): string {
  const lines = keptLines(head.fields, DROPPED | CONTENT_LENGTH, HANDSHAKE);
  return `101 Switching Protocols\r\n${lines}${extra}`.slice(0, -LINE_END_LENGTH);
}

/** The bytes of a head, valid until the next call: a string would leave as UTF-8. */
export function latin1Bytes(text: string): Uint8Array {
  if (text.length > SCRATCH_BYTES) return Buffer.from(text, 'latin1');
  writeLatin1(scratch, text, 0);
  return scratch.subarray(0, text.length);
}
