// An HTTP/2 request on a connection of HTTP/1.1: what an Http2Exchange calls through when the
// application behind it speaks HTTP/1.1 only (ING-16). One object is the connection with room for
// one call and that call. Fields become head lines and back, DATA becomes chunks unless the length
// was declared, crumbs of a cookie become one line again (RFC 9113 section 8.2.3).
// Invariants: the owner hears either onCallEnd or onCallLost, once, unless it let go first; no head
// leaves that a strict parser would not accept. Warm: once per request that changes its protocol.

import type { Http2Fields, RawFields } from './h2-fields.ts';
import { linesOfFields, rawOfLines } from './h2-translation.ts';
import { FieldKind } from './header-fields.ts';
import { HOP_BY_HOP } from './message-heads.ts';
import { BodyMode, type ResponseHead } from './response-head.ts';
import { FailureCode } from './types.ts';
import { malformedResponse } from './upstream-errors.ts';
import type {
  CallUpstream,
  UpstreamCall,
  UpstreamCaller,
  UpstreamCallOwner,
  UpstreamLink,
} from './upstream-link.ts';

const EMPTY = Buffer.alloc(0);
const COLON = 58;
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const TARGET = /^[\x21-\x7e\x80-\xff]+$/;
const NAME = METHOD;
const NOT_VALUE = /[\0-\x08\x0a-\x1f\x7f]|[^\0-\xff]/;
const DROPPED = HOP_BY_HOP | (1 << FieldKind.TRAILER);

export class Http1Call implements CallUpstream, UpstreamCall, UpstreamCaller {
  method = '';
  isUntouched = true;
  readonly #link: UpstreamLink;
  #owner: UpstreamCallOwner | null = null;
  #isChunked = false;
  #code: FailureCode = FailureCode.CLOSED;
  #message = 'EOF';
  /** The connection was lost before anything of the request got out. */
  #isUnwritten = false;

  constructor(link: UpstreamLink) {
    this.#link = link;
  }

  get isReused(): boolean {
    return this.#link.isReused;
  }

  // The connection.

  open(
    fields: Http2Fields,
    hasBody: boolean,
    owner: UpstreamCallOwner,
  ): UpstreamCall | null | false {
    const isSized = fields['content-length'] !== undefined;
    const head = requestHeadOf(fields, hasBody && !isSized);
    if (head === null) {
      this.#link.destroy();
      return false;
    }
    this.method = String(fields[':method']);
    this.#owner = owner;
    this.#isChunked = hasBody && !isSized;
    const link = this.#link;
    link.begin(this, hasBody);
    link.requestDone = !hasBody;
    link.write(head, EMPTY, 0, 0, false, '');
    return this;
  }

  isUnprocessed(): boolean {
    return this.#isUnwritten;
  }

  failureCode(): FailureCode {
    return this.#code;
  }

  describeFailure(): string {
    return this.#message;
  }

  // The call.

  write(chunk: Buffer): boolean {
    if (this.#owner === null) return true;
    this.#link.write('', chunk, 0, chunk.length, this.#isChunked, '');
    return !this.#link.isCongested;
  }

  end(trailers: RawFields | null): void {
    if (this.#owner === null) return;
    this.#link.requestDone = true;
    if (!this.#isChunked) return;
    const lines = trailers === null ? '' : linesOfFields(trailers);
    this.#link.write('', EMPTY, 0, 0, false, `0\r\n${lines}\r\n`);
  }

  pause(): void {
    if (this.#owner !== null) this.#link.pause();
  }

  resume(): void {
    if (this.#owner !== null) this.#link.resume();
  }

  cancel(): void {
    if (this.#owner === null) return;
    this.#owner = null;
    this.#link.destroy();
  }

  // The answer.

  onUpstreamInterim(link: UpstreamLink): void {
    this.isUntouched = false;
    this.#owner?.onCallInterim(this, link.head.status, rawOf(link.head));
  }

  onUpstreamHead(link: UpstreamLink): void {
    this.isUntouched = false;
    const { head } = link;
    if (head.status === 101) {
      link.destroy();
      this.onUpstreamLost(FailureCode.MALFORMED_RESPONSE, malformedResponse(head.text), false);
      return;
    }
    this.#owner?.onCallHead(this, head.status, rawOf(head), head.bodyMode === BodyMode.NONE);
  }

  onUpstreamData(
    buffer: Buffer,
    start: number,
    end: number,
    isLast: boolean,
    trailers: string,
  ): void {
    const owner = this.#owner;
    if (owner === null) return;
    // The buffer is only borrowed, and HTTP/2 may have to wait for the client's window.
    if (end > start) owner.onCallData(this, Buffer.from(buffer.subarray(start, end)));
    if (!isLast || this.#owner === null) return;
    this.#owner = null;
    owner.onCallEnd(this, trailers === '' ? null : rawOfLines(trailers, 0));
  }

  onUpstreamDrain(): void {
    this.#owner?.onCallDrain(this);
  }

  onUpstreamLost(
    code: FailureCode,
    message: string,
    isUntouched: boolean,
    isUnwritten = false,
  ): void {
    const owner = this.#owner;
    this.#owner = null;
    this.#code = code;
    this.#message = message;
    this.isUntouched = isUntouched;
    this.#isUnwritten = isUnwritten;
    owner?.onCallLost(this);
  }
}

/** Null when the fields make no head of HTTP/1.1 everybody reads alike. */
function requestHeadOf(fields: Http2Fields, isChunked: boolean): string | null {
  const method = String(fields[':method'] ?? '');
  const target = String(fields[':path'] ?? '');
  const authority = String(fields[':authority'] ?? '');
  if (!METHOD.test(method) || !TARGET.test(target) || NOT_VALUE.test(authority)) return null;
  let text = `${method} ${target} HTTP/1.1\r\nHost: ${authority}\r\n`;
  for (const name in fields) {
    if (name.charCodeAt(0) === COLON) continue;
    const lines = linesOf(name, fields[name]!);
    if (lines === null) return null;
    text += lines;
  }
  return isChunked ? `${text}Transfer-Encoding: chunked\r\n\r\n` : `${text}\r\n`;
}

function linesOf(name: string, value: string | number | string[]): string | null {
  if (!NAME.test(name)) return null;
  if (!Array.isArray(value)) return lineOf(name, String(value));
  if (name === 'cookie') return lineOf(name, value.join('; '));
  let lines = '';
  for (const each of value) {
    const line = lineOf(name, each);
    if (line === null) return null;
    lines += line;
  }
  return lines;
}

function lineOf(name: string, value: string): string | null {
  return NOT_VALUE.test(value) ? null : `${name}: ${value}\r\n`;
}

/** The fields of an answer as HTTP/2 has them; what means this connection only stays here. */
function rawOf(head: ResponseHead): string[] {
  const raw = [':status', String(head.status)];
  const { fields } = head;
  for (let index = 0; index < fields.count; index += 1) {
    if (((1 << fields.kindAt(index)) & DROPPED) !== 0) continue;
    raw.push(fields.nameAt(index).toLowerCase(), fields.valueAt(index));
  }
  return raw;
}
