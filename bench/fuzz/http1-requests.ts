// Judges one row of requests: what our codec forwards must be what llhttp reads, request by request,
// whole and cut anywhere. Refusing more than llhttp is allowed and tallied.

import { endToEnd, headerOf, passingTrailers, saysProxyClose } from './end-to-end.ts';
import { differs, Tally, type Violation } from './findings.ts';
import { type ForwardedRequest, type RequestRun, runRequests } from './http1-codec.ts';
import { type Opinion, readRequests, type SeenMessage } from './llhttp.ts';
import { everyByte } from './mutate.ts';
import { requestCategory } from './rejections.ts';

/**
 * What we pass on and llhttp refuses, none of it framing: llhttp knows a fixed list of methods and
 * no target bytes above 0x7f; a proxy passes every token and leaves targets alone (QP-58). PRI it
 * knows, but only of HTTP/2.
 */
const KNOWN_LAXER = new Set(['HPE_INVALID_METHOD', 'HPE_INVALID_URL']);

/** A request behind everything else shows where the last one is taken to end. */
const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: h\r\n\r\n';

export interface RequestFindings {
  /** Requests both read alike. */
  alike: number;
  stricter: Tally;
  laxer: Tally;
}

export function requestFindings(): RequestFindings {
  return { alike: 0, stricter: new Tally(), laxer: new Tally() };
}

/** Compares one reading with llhttp's, then the same bytes cut at each of `cuts` and everywhere. */
export function judgeRequests(
  bytes: Buffer,
  cuts: readonly number[],
  findings: RequestFindings,
): Violation | null {
  const expected = readRequests(bytes);
  const whole = runRequests(bytes);
  const violation =
    compareRows(whole, expected, bytes, findings) ??
    compareForwarded(whole.requests, expected) ??
    judgeEnd(whole);
  if (violation !== null) return violation;
  for (const cut of cuts) {
    const cutViolation = judgeCut(runRequests(bytes, [cut]), whole, `cut at ${cut}`);
    if (cutViolation !== null) return cutViolation;
  }
  const drip = runRequests(bytes, everyByte(bytes.length));
  return judgeCut(drip, whole, 'byte by byte') ?? compareForwarded(drip.requests, expected);
}

function judgeCut(pieces: RequestRun, whole: RequestRun, where: string): Violation | null {
  const violation =
    differs('cut requests', complete(pieces), complete(whole)) ??
    differs('cut rejections', pieces.rejected, whole.rejected) ??
    differs('cut own answers', pieces.ownAnswers, whole.ownAnswers) ??
    differs('cut closing', pieces.isClosed, whole.isClosed) ??
    judgeEnd(pieces);
  if (violation !== null) violation.detail = `${where}: ${violation.detail}`;
  return violation;
}

/** Complete requests as one string each: cheap to compare, equal whatever the chunks were. */
function complete(run: RequestRun): string {
  let text = '';
  for (const { isComplete, method, target, host, head, body, tail } of run.requests) {
    if (isComplete) text += `${method} ${target} ${host}\n${head}\n${body}\n${tail}\n`;
  }
  return text;
}

/** Request by request against llhttp's list. */
function compareRows(
  ours: RequestRun,
  theirs: Opinion,
  bytes: Buffer,
  findings: RequestFindings,
): Violation | null {
  const expected = theirs.messages.filter(reachesApp);
  for (const [at, request] of ours.requests.entries()) {
    const seen = expected[at];
    if (seen === undefined || (request.isComplete && !seen.isComplete)) {
      if (!request.isComplete) continue;
      findings.laxer.add(theirs.error ?? 'no error', bytes);
      if (KNOWN_LAXER.has(theirs.error ?? '') || request.method === 'PRI') return null;
      if (stopsAtProxyClose(theirs)) return null;
      return { kind: 'accepted alone', detail: `${request.method}, llhttp: ${theirs.error}` };
    }
    const violation = compareRequest(request, seen);
    if (violation !== null) return violation;
    if (request.isComplete) findings.alike += 1;
  }
  return judgeRest(ours, theirs, bytes, findings);
}

function compareRequest(ours: ForwardedRequest, theirs: SeenMessage): Violation | null {
  const violation =
    differs('method', ours.method, theirs.method) ??
    differs('target', ours.target, originForm(theirs)) ??
    differs('host', ours.host, hostOf(theirs));
  if (violation !== null) return violation;
  if (ours.isComplete) return differs('body', ours.body, theirs.body);
  // Bytes of a body that broke later may have gone out, but no others than llhttp read.
  return theirs.body.startsWith(ours.body) ? null : differs('part of body', ours.body, theirs.body);
}

/** Behind what we forwarded: everything llhttp still completed must have been refused by us. */
function judgeRest(
  ours: RequestRun,
  theirs: Opinion,
  bytes: Buffer,
  findings: RequestFindings,
): Violation | null {
  const done = ours.requests.filter((request) => request.isComplete).length + ours.unforwardable;
  const index = done + ours.ownAnswers;
  const asterisks = theirs.messages.slice(0, index).filter((seen) => !reachesApp(seen)).length;
  if (asterisks !== ours.ownAnswers && stopsAtProxyClose(theirs)) return null;
  if (asterisks !== ours.ownAnswers) return differs('own answers', ours.ownAnswers, asterisks);
  const missing = theirs.messages[index];
  if (missing === undefined || !missing.isComplete) return null;
  if (!ours.isClosed) {
    const detail = `llhttp completed ${missing.method} ${missing.target}, we wait`;
    return { kind: 'boundary', detail };
  }
  const category =
    ours.rejected > 0
      ? requestCategory(bytes, missing, index)
      : 'behind an answer that closes: HTTP/1.0 (QP-60), or bytes after CONNECT';
  findings.stricter.add(category, bytes);
  return null;
}

/** What the application gets must be read by llhttp as the same requests and nothing else. */
function compareForwarded(
  requests: readonly ForwardedRequest[],
  theirs: Opinion,
): Violation | null {
  const expected = theirs.messages.filter(reachesApp);
  for (const [at, request] of requests.entries()) {
    const seen = expected[at];
    if (!request.isComplete || seen === undefined) continue;
    const again = readRequests(Buffer.from(request.framed + SENTINEL, 'latin1'));
    const [message, sentinel] = again.messages;
    if (message === undefined || !message.isComplete) {
      return { kind: 'forwarded unreadable', detail: `${again.error}: ${request.framed}` };
    }
    const isLast = message.method === 'CONNECT' || !message.keepAlive;
    const violation =
      differs('forwarded method', message.method, seen.method) ??
      differs('forwarded target', message.target, originForm(seen)) ??
      differs('forwarded body', message.body, seen.body) ??
      differs('forwarded headers', endToEnd(message.headers), endToEnd(seen.headers)) ??
      differs(
        'forwarded trailers',
        passingTrailers(message.trailers),
        passingTrailers(seen.trailers),
      ) ??
      (isLast ? null : differs('forwarded end', sentinel?.target, '/sentinel'));
    if (violation !== null) return violation;
  }
  return null;
}

/** A request that was not completed must have been given up when the connection went. */
function judgeEnd(run: RequestRun): Violation | null {
  const last = run.requests.at(-1);
  if (run.rejected > 1) return { kind: 'rejected twice', detail: `${run.rejected} times` };
  if (run.rejected === 1 && !run.isClosed) return { kind: 'rejected, open', detail: '' };
  if (run.rejected === 1 && last !== undefined && !last.isComplete && !last.isDropped) {
    return { kind: 'rejected, still forwarding', detail: last.framed };
  }
  return null;
}

/** llhttp reads on no further, for a reason a proxy must not share; see saysProxyClose. */
function stopsAtProxyClose({ error, messages }: Opinion): boolean {
  const last = messages.at(-1);
  return error === 'HPE_CLOSED_CONNECTION' && last !== undefined && saysProxyClose(last);
}

/** `OPTIONS *` is answered by the server itself, so it is not in our list (QP-7). */
function reachesApp({ method, target, headers }: SeenMessage): boolean {
  if (method !== 'OPTIONS' || target !== '*') return true;
  const hasBody = Number(headerOf(headers, 'content-length')) !== 0;
  return hasBody || headerOf(headers, 'transfer-encoding') !== '';
}

function originForm({ method, target }: SeenMessage): string {
  if (method === 'CONNECT') return target;
  return target.replace(/^https?:\/\/[^/?#]*/i, '').replace(/^(?!\/|\*)/, '/');
}

function hostOf({ method, target, headers }: SeenMessage): string {
  const authority = method === 'CONNECT' ? null : /^https?:\/\/([^/?#]*)/i.exec(target);
  return authority === null ? headerOf(headers, 'host') : authority[1]!;
}
