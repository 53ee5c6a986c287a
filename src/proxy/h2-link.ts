// An HTTP/1 request on a stream of HTTP/2: what a NetExchange sends through when the application
// behind it speaks HTTP/2 only (ING-16). Head lines become fields and back, chunks become DATA,
// trailer lines become a field block. Upgrades have no place here: a 101 is malformed.
// Invariants: the caller hears either a last byte or onUpstreamLost, once, unless it let go first;
// an answer shorter or longer than it declared is lost, never complete. Warm: the translation costs
// a few strings per request, on this path only.

import { firstValue, type RawFields, requestFieldsFor } from './h2-fields.ts';
import { linesOfFields, rawOfLines } from './h2-translation.ts';
import { compileEdits, NO_EDITS } from './header-edits.ts';
import { reasonFor } from './replies.ts';
import { BodyMode, ResponseHead, ResponseVerdict } from './response-head.ts';
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
const LAST_CHUNK_LENGTH = '0\r\n'.length;
const EDITS = compileEdits(NO_EDITS);

export class Http2Link implements UpstreamLink, UpstreamCallOwner {
  readonly head = new ResponseHead();
  requestDone = false;
  isCongested = false;
  readonly #upstream: CallUpstream;
  readonly #authority: string;
  #caller: UpstreamCaller | null = null;
  #call: UpstreamCall | null = null;
  #hasBody = false;
  #isEnded = false;
  #receivedBytes = 0;

  constructor(upstream: CallUpstream, authority: string) {
    this.#upstream = upstream;
    this.#authority = authority;
  }

  get isReused(): boolean {
    return this.#call?.isReused === true;
  }

  begin(caller: UpstreamCaller, hasBody: boolean): void {
    this.#caller = caller;
    this.#hasBody = hasBody;
  }

  write(
    lead: string,
    buffer: Buffer,
    start: number,
    end: number,
    _isChunked: boolean,
    tail: string,
  ): void {
    if (lead !== '' && !this.#open(lead)) return;
    const call = this.#call;
    if (call === null || this.#isEnded) return;
    // The buffer is only borrowed, and HTTP/2 may have to wait for the peer's window.
    if (end > start) this.isCongested = !call.write(Buffer.from(buffer.subarray(start, end)));
    if (!this.requestDone || !this.#hasBody) return;
    this.#isEnded = true;
    const trailers = tail.length > LAST_CHUNK_LENGTH ? rawOfLines(tail, LAST_CHUNK_LENGTH) : null;
    call.end(trailers !== null && trailers.length > 0 ? trailers : null);
  }

  pause(): void {
    this.#call?.pause();
  }

  resume(): void {
    this.#call?.resume();
  }

  startTunnel(): void {
    // Never: no answer here has status 101.
  }

  closeGently(): void {
    this.destroy();
  }

  destroy(): void {
    this.#caller = null;
    const call = this.#call;
    this.#call = null;
    call?.cancel();
  }

  onCallInterim(_call: UpstreamCall, status: number, raw: RawFields): void {
    if (this.#readHead(status, raw, false)) this.#caller?.onUpstreamInterim(this);
  }

  onCallHead(_call: UpstreamCall, status: number, raw: RawFields, isEnd: boolean): void {
    const isRead = status >= 200 && this.#readHead(status, raw, isEnd);
    if (!isRead) {
      this.#lose(FailureCode.MALFORMED_RESPONSE, malformedResponse(`HTTP/2.0 ${status}`));
      return;
    }
    this.#caller?.onUpstreamHead(this);
    // The head goes out with the next bytes, and those may take their time.
    if (!isEnd) this.#caller?.onUpstreamData(EMPTY, 0, 0, false, '');
  }

  onCallData(_call: UpstreamCall, chunk: Buffer): void {
    this.#receivedBytes += chunk.length;
    this.#caller?.onUpstreamData(chunk, 0, chunk.length, false, '');
  }

  onCallEnd(_call: UpstreamCall, trailers: RawFields | null): void {
    const { bodyMode, contentLength } = this.head;
    if (bodyMode === BodyMode.LENGTH && contentLength !== this.#receivedBytes) {
      this.#lose(FailureCode.CLOSED, 'unexpected EOF');
      return;
    }
    const caller = this.#release();
    caller?.onUpstreamData(EMPTY, 0, 0, true, trailers === null ? '' : linesOfFields(trailers));
  }

  onCallLost(call: UpstreamCall): void {
    const upstream = this.#upstream;
    const caller = this.#release();
    caller?.onUpstreamLost(
      upstream.failureCode(call),
      upstream.describeFailure(call),
      call.isUntouched,
      upstream.isUnprocessed(call),
    );
  }

  onCallDrain(): void {
    this.isCongested = false;
    this.#caller?.onUpstreamDrain();
  }

  /** Runs a tick after `write`, which must not call back itself. */
  failOpening(code: FailureCode, message: string, isUnwritten: boolean): void {
    this.#release()?.onUpstreamLost(code, message, true, isUnwritten);
  }

  #open(lead: string): boolean {
    const lineEnd = lead.indexOf('\r\n');
    const [method = '', target = ''] = lead.slice(0, lineEnd).split(' ');
    const raw = rawOfLines(lead, lineEnd + 2);
    const parts = { method, target, host: firstValue(raw, 'host'), raw };
    const fields = requestFieldsFor(parts, EDITS, '', this.#authority);
    const hasBody = this.#hasBody;
    const call = this.#upstream.open(fields, hasBody, this);
    if (call === null) process.nextTick(failLater, this, 'EOF', true);
    else if (call === false) process.nextTick(failLater, this, 'http2: invalid header', false);
    else this.#call = call;
    return this.#call !== null;
  }

  /** Writes the head as HTTP/1.1 would and has it read as such, so one set of rules judges it. */
  #readHead(status: number, raw: RawFields, isEnd: boolean): boolean {
    let framing = '';
    if (status >= 200 && firstValue(raw, 'content-length') === '') {
      framing = isEnd ? 'Content-Length: 0\r\n' : 'Transfer-Encoding: chunked\r\n';
    }
    const text = `HTTP/1.1 ${status} ${reasonFor(status)}\r\n${linesOfFields(raw)}${framing}\r\n`;
    const bytes = Buffer.from(text, 'latin1');
    this.head.restart();
    const method = this.#caller?.method ?? '';
    return this.head.read(bytes, 0, bytes.length, method) === ResponseVerdict.OK;
  }

  #lose(code: FailureCode, message: string): void {
    const call = this.#call;
    const caller = this.#release();
    call?.cancel();
    caller?.onUpstreamLost(code, message, false, false);
  }

  #release(): UpstreamCaller | null {
    const caller = this.#caller;
    this.#caller = null;
    this.#call = null;
    return caller;
  }
}

function failLater(link: Http2Link, message: string, isUnwritten: boolean): void {
  link.failOpening(FailureCode.CLOSED, message, isUnwritten);
}
