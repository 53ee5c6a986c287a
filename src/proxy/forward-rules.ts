// Pure decisions about forwarding one request: whether it may be sent twice (QP-64), whether it can
// be sent at all, and whether an answered protocol switch is the one that was asked for (QP-82,
// QP-88).

import { equalsFold } from './characters.ts';
import type { RequestHead } from './request-head.ts';
import { quoted } from './upstream-errors.ts';

/** Rest of an upload read to keep the connection after an early answer; more closes it. */
export const MAX_DISCARD_BYTES = 256 * 1024;

export const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** Sent again on a fresh connection even after the first copy may have been read. */
const IDEMPOTENT_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const PRINTABLE = /^[\x20-\x7e]*$/;

/**
 * Whether a second copy of the request does no harm, and there is no body that would be missing.
 */
export function isReplayable(head: RequestHead): boolean {
  if (head.contentLength !== 0) return false;
  if (isIdempotent(head.method)) return true;
  return head.fields.hasName('idempotency-key') || head.fields.hasName('x-idempotency-key');
}

export function isIdempotent(method: string): boolean {
  return method === 'GET' || IDEMPOTENT_METHODS.has(method);
}

/**
 * Why the request cannot be forwarded; null when it can. `sentBytes` of its body are gone already.
 */
export function forwardProblem(head: RequestHead, sentBytes: number): string | null {
  if (sentBytes > 0) return 'request body already sent';
  if (head.upgrade === '' || PRINTABLE.test(head.upgrade)) return null;
  return `client tried to switch to invalid protocol ${quoted(head.upgrade)}`;
}

/** Why a 101 with `Upgrade: got` does not answer a request for `asked`; null when it does. */
export function switchProblem(asked: string, got: string): string | null {
  if (asked !== '' && equalsFold(got, asked.toLowerCase())) return null;
  return `backend tried to switch protocol ${quoted(got)} when ${quoted(asked)} was requested`;
}

/** Whether more of the body is still to come than is worth reading to keep the connection. */
export function owesTooMuch(exchange: { contentLength: number; requestBytes: number }): boolean {
  return exchange.contentLength - exchange.requestBytes > MAX_DISCARD_BYTES;
}
