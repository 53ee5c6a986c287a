// Judges one answer of an application: what the client receives must be read by llhttp as the answer
// it read from the application, and a connection may be used again only where llhttp, too, sees the
// next answer begin. Whole and cut anywhere. Refusing more than llhttp is allowed and tallied.

import { endToEnd, headerOf, passingTrailers, saysProxyClose } from './end-to-end.ts';
import { differs, shown, Tally, type Violation } from './findings.ts';
import { type AnswerRun, type AskedFor, runAnswer } from './http1-codec.ts';
import { readResponses, type SeenMessage } from './llhttp.ts';
import { everyByte } from './mutate.ts';
import { answerCategory } from './rejections.ts';

/** An answer behind everything else shows where the one before is taken to end. */
const SENTINEL = 'HTTP/1.1 299 Sentinel\r\nContent-Length: 0\r\n\r\n';
const SENTINEL_STATUS = 299;

export interface AnswerFindings {
  alike: number;
  stricter: Tally;
  laxer: Tally;
}

export function answerFindings(): AnswerFindings {
  return { alike: 0, stricter: new Tally(), laxer: new Tally() };
}

/** Compares one reading with llhttp's, then the same bytes cut at each of `cuts` and everywhere. */
export function judgeAnswer(
  bytes: Buffer,
  asked: AskedFor,
  cuts: readonly number[],
  findings: AnswerFindings,
): Violation | null {
  const whole = runAnswer(bytes, asked);
  const violation = compareWhole(whole, bytes, asked, findings);
  if (violation !== null) return violation;
  for (const cut of cuts) {
    const cutViolation = judgeCut(runAnswer(bytes, asked, [cut]), whole, `cut at ${cut}`);
    if (cutViolation !== null) return cutViolation;
  }
  const drip = runAnswer(bytes, asked, everyByte(bytes.length));
  return judgeCut(drip, whole, 'byte by byte') ?? compareDrip(drip, bytes, asked);
}

function judgeCut(pieces: AnswerRun, whole: AnswerRun, where: string): Violation | null {
  const violation = compareCut(pieces, whole) ?? judgeTruncation(pieces);
  if (violation !== null) violation.detail = `${where}: ${violation.detail}`;
  return violation;
}

function compareCut(pieces: AnswerRun, whole: AnswerRun): Violation | null {
  const isRead = whole.outcome === 'relayed' || whole.outcome === 'tunnel';
  if (!isRead) {
    const isReadNow = pieces.outcome === 'relayed' || pieces.outcome === 'tunnel';
    return isReadNow ? differs('cut outcome', pieces.outcome, whole.outcome) : null;
  }
  return (
    differs('cut outcome', pieces.outcome, whole.outcome) ??
    differs('cut heads', pieces.heads, whole.heads) ??
    differs('cut body', pieces.body, whole.body) ??
    differs('cut trailers', pieces.trailers, whole.trailers) ??
    differs('cut closing', pieces.isClosed, whole.isClosed)
  );
}

function compareWhole(
  ours: AnswerRun,
  bytes: Buffer,
  asked: AskedFor,
  findings: AnswerFindings,
): Violation | null {
  const theirs = readResponses(bytes, asked.method, true);
  const final = theirs.messages.find(isFinal);
  if (ours.outcome === 'tunnel') return judgeTunnel(ours, bytes, asked);
  if (ours.outcome !== 'relayed') {
    if (final?.isComplete) {
      findings.stricter.add(refusalOf(theirs.messages, final, asked, bytes), bytes);
    }
    return judgeTruncation(ours);
  }
  if (final === undefined || !final.isComplete) {
    const last = theirs.messages.at(-1);
    if (last === undefined || !endsHere(last, theirs.error)) {
      return { kind: 'accepted alone', detail: `llhttp: ${theirs.error}` };
    }
    findings.laxer.add('an interim answer that says `Connection: close`', bytes);
    return null;
  }
  const interims = theirs.messages.slice(0, theirs.messages.indexOf(final));
  const violation =
    differs('body', ours.body, final.body) ??
    compareClient(ours, final, interims, asked) ??
    judgeReuse(ours, bytes, asked, findings);
  if (violation === null) findings.alike += 1;
  return violation;
}

/** In many small pieces the chunks of the client's side differ, but nothing else may. */
function compareDrip(drip: AnswerRun, bytes: Buffer, asked: AskedFor): Violation | null {
  if (drip.outcome !== 'relayed') return null;
  const { messages } = readResponses(bytes, asked.method, true);
  const final = messages.find(isFinal);
  if (final === undefined) return null;
  return compareClient(drip, final, messages.slice(0, messages.indexOf(final)), asked);
}

/** llhttp takes the connection to end behind this message, and that is all it objects to. */
function endsHere({ isComplete, keepAlive }: SeenMessage, error: string | null): boolean {
  return isComplete && !keepAlive && error === 'HPE_CLOSED_CONNECTION';
}

function isFinal({ status, isUpgrade }: SeenMessage): boolean {
  return status >= 200 || (status === 101 && isUpgrade);
}

/** What the client reads, by llhttp, against what llhttp read from the application. */
function compareClient(
  ours: AnswerRun,
  final: SeenMessage,
  interims: readonly SeenMessage[],
  asked: AskedFor,
): Violation | null {
  const text = ours.isClosed ? ours.written : ours.written + SENTINEL;
  const again = readResponses(Buffer.from(text, 'latin1'), asked.method, ours.isClosed);
  const relayed = asked.minorVersion === 1 ? interims : [];
  const statuses = [...relayed, final].map(({ status }) => status);
  if (!ours.isClosed) statuses.push(SENTINEL_STATUS);
  const seen = again.messages.map(({ status }) => status);
  const message = again.messages[relayed.length];
  const violation = differs('client statuses', seen, statuses);
  if (violation !== null || message === undefined) return violation;
  const isChunked = headerOf(message.headers, 'transfer-encoding') !== '';
  return (
    differs('client complete', message.isComplete, true) ??
    differs('client version', message.minorVersion, asked.minorVersion) ??
    differs('client body', message.body, final.body) ??
    differs('client headers', headersOf(message, final), endToEnd(final.headers, dropsOf(final))) ??
    (isChunked ? compareTrailers(message, final) : null)
  );
}

function compareTrailers(message: SeenMessage, final: SeenMessage): Violation | null {
  const [ours, theirs] = [passingTrailers(message.trailers), passingTrailers(final.trailers)];
  return differs('client trailers', ours, theirs);
}

/** Date is added where the application sent none (QP-74). */
function headersOf(message: SeenMessage, final: SeenMessage): string[] {
  const hadDate = final.headers.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'date');
  return endToEnd(message.headers, (name) => !hadDate && name === 'date');
}

/** 204 and 1xx have no Content-Length (RFC 9110 8.6). */
function dropsOf({ status }: SeenMessage): (name: string) => boolean {
  return (name) => name === 'content-length' && (status < 200 || status === 204);
}

/** Nothing of the next answer may have been taken, and nothing of this one be left. */
function judgeReuse(
  ours: AnswerRun,
  bytes: Buffer,
  asked: AskedFor,
  findings: AnswerFindings,
): Violation | null {
  if (!ours.isReusable) return null;
  const both = Buffer.concat([bytes, Buffer.from(SENTINEL, 'latin1')]);
  const { messages, error } = readResponses(both, asked.method, false);
  const final = messages.findIndex(isFinal);
  const next = messages[final + 1];
  if (next?.status === SENTINEL_STATUS && next.isComplete) return null;
  if (saysProxyClose(messages[final]!) && endsHere(messages[final]!, error)) {
    findings.laxer.add('`Proxy-Connection: close`, kept open', bytes);
    return null;
  }
  return { kind: 'boundary', detail: `llhttp sees no next answer: ${error}, ${shown(both)}` };
}

/** Bytes behind a 101 belong to the tunnel, all of them and no others. */
function judgeTunnel(ours: AnswerRun, bytes: Buffer, asked: AskedFor): Violation | null {
  const head = bytes.subarray(0, bytes.length - ours.body.length);
  const { messages, error } = readResponses(head, asked.method, false);
  const last = messages.at(-1);
  if (last?.status !== 101 || !last.isComplete || !last.isUpgrade) {
    return { kind: 'tunnel', detail: `llhttp: ${last?.status} ${error}` };
  }
  const behind = bytes.subarray(head.length).toString('latin1');
  const received = ours.written.slice(ours.heads.length);
  return differs('tunnel bytes', ours.body, behind) ?? differs('tunnelled', received, behind);
}

/** An answer that could not be finished must not look finished. */
function judgeTruncation(ours: AnswerRun): Violation | null {
  if (ours.outcome !== 'truncated' || ours.isReset) return null;
  return { kind: 'truncation hidden', detail: shown(Buffer.from(ours.written, 'latin1')) };
}

function refusalOf(
  messages: readonly SeenMessage[],
  final: SeenMessage,
  asked: AskedFor,
  bytes: Buffer,
): string {
  if (messages.some(({ status }) => status === 101)) {
    return 'a switch of protocols nobody asked for, or to another one';
  }
  if (asked.method === 'CONNECT' && final.status < 300) return 'success for CONNECT';
  return answerCategory(bytes, messages.slice(0, messages.indexOf(final) + 1));
}
