// Parses the answers of one upstream connection: interim heads, the final head, the body. Pure
// bytes in, calls out; sockets and pools are UpstreamConnection's business. Invariant: after
// onAnswerHead come onAnswerData calls, the last of them with `isLast`, or onAnswerMalformed;
// nothing after either. The sink may call `stop` from any callback. Hot: `read` runs per read, on a
// borrowed buffer.

import { BodyReader, BodyStatus } from './body-reader.ts';
import { ByteBacklog } from './byte-backlog.ts';
import { readLatin1 } from './latin1.ts';
import { BodyMode, ResponseHead, ResponseVerdict } from './response-head.ts';

/** The answer head of an application; above it the answer is malformed. */
const MAX_RESPONSE_HEAD_BYTES = 1024 * 1024;
/** Enough of a message for an error text. */
const SHOWN_BYTES = 256;
const EMPTY = Buffer.alloc(0);

export interface AnswerSink {
  /** An interim head (1xx but not 101) is in `head`. */
  onAnswerInterim(): void;
  /** The final head is in `head`. */
  onAnswerHead(): void;
  /** Data `buffer[start, end)`; with `isLast`, `surplus` bytes followed the answer. */
  onAnswerData(buffer: Buffer, start: number, end: number, isLast: boolean, surplus: number): void;
  /** `shown` is the beginning of what could not be read. */
  onAnswerMalformed(shown: string): void;
}

const State = { STOPPED: 0, HEAD: 1, BODY: 2, RAW: 3 } as const;
type State = (typeof State)[keyof typeof State];

export class AnswerReader {
  readonly head = new ResponseHead();
  /** No byte of an answer came yet. */
  isUntouched = true;
  readonly #sink: AnswerSink;
  readonly #backlog = new ByteBacklog();
  readonly #body = new BodyReader();
  #state: State = State.STOPPED;
  #method = '';
  /** Offset behind the head just read, in the buffer it was read from. */
  #headEnd = 0;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  /** Expects the answer to a request with that method. */
  begin(method: string): void {
    this.#method = method;
    this.#state = State.HEAD;
    this.head.restart();
    this.isUntouched = true;
  }

  /** No more callbacks until the next begin. */
  stop(): void {
    this.#state = State.STOPPED;
    this.#backlog.clear();
  }

  /** After a 101: every byte is data. */
  startRaw(): void {
    this.#state = State.RAW;
  }

  get trailers(): string {
    return this.#body.trailers;
  }

  read(buffer: Buffer, count: number): void {
    this.isUntouched = false;
    if (this.#state === State.HEAD) this.#readHeadBytes(buffer, count);
    else if (this.#state === State.BODY) this.#readBody(buffer, 0, count);
    else if (this.#state === State.RAW) this.#sink.onAnswerData(buffer, 0, count, false, 0);
  }

  /** The application ended the connection. False when that cuts an answer short. */
  end(): boolean {
    const isClean =
      this.#state === State.RAW ||
      (this.#state === State.BODY && this.#body.mode === BodyMode.CLOSE);
    if (!isClean) return false;
    this.#state = State.STOPPED;
    this.#sink.onAnswerData(EMPTY, 0, 0, true, 0);
    return true;
  }

  #readHeadBytes(buffer: Buffer, count: number): void {
    if (this.#backlog.length === 0) {
      this.#readHeads(buffer, 0, count);
      return;
    }
    this.#backlog.append(buffer, 0, count);
    const bytes = this.#backlog.view();
    const verdict = this.head.read(bytes, 0, bytes.length, this.#method);
    if (verdict === ResponseVerdict.INCOMPLETE) {
      this.#checkHeadSize();
      return;
    }
    this.#backlog.clear();
    const isInterim = this.#onHead(verdict, bytes, 0, bytes.length);
    if (isInterim) this.#readHeads(bytes, this.#headEnd, bytes.length);
  }

  /** Reads heads from `buffer[from, end)`: any number of interim ones, then the final one. */
  #readHeads(buffer: Buffer, from: number, end: number): void {
    let start = from;
    while (this.#state === State.HEAD && start < end) {
      const verdict = this.head.read(buffer, start, end, this.#method);
      if (verdict === ResponseVerdict.INCOMPLETE) {
        this.#backlog.append(buffer, start, end);
        this.#checkHeadSize();
        return;
      }
      // Not asked of the state: the caller may have begun its next request inside the callback,
      // and what follows here must never be read as the answer to that one.
      if (!this.#onHead(verdict, buffer, start, end)) return;
      start = this.#headEnd;
    }
  }

  /** True when it was an interim head, so that another one follows. */
  #onHead(verdict: ResponseVerdict, buffer: Buffer, start: number, end: number): boolean {
    const { head } = this;
    if (verdict === ResponseVerdict.MALFORMED || head.length > MAX_RESPONSE_HEAD_BYTES) {
      this.#fail(readLatin1(buffer, start, Math.min(end, start + SHOWN_BYTES)));
      return false;
    }
    this.#headEnd = start + head.length;
    if (head.status >= 200 || head.status === 101) {
      this.#startBody(buffer, this.#headEnd, end);
      return false;
    }
    this.#sink.onAnswerInterim();
    head.restart();
    return true;
  }

  #checkHeadSize(): void {
    if (this.#backlog.length > MAX_RESPONSE_HEAD_BYTES) {
      this.#fail(readLatin1(this.#backlog.view(), 0, SHOWN_BYTES));
    }
  }

  #startBody(buffer: Buffer, start: number, end: number): void {
    this.#body.start(this.head.bodyMode, this.head.contentLength);
    this.#state = State.BODY;
    this.#sink.onAnswerHead();
    if (this.#state === State.BODY) this.#readBody(buffer, start, end);
    else if ((this.#state as State) === State.RAW) {
      this.#sink.onAnswerData(buffer, start, end, false, 0);
    }
  }

  #readBody(buffer: Buffer, start: number, end: number): void {
    const body = this.#body;
    const status = body.take(buffer, start, end);
    if (status === BodyStatus.MORE) {
      this.#sink.onAnswerData(buffer, body.dataStart, body.dataEnd, false, 0);
    } else if (status === BodyStatus.MALFORMED) {
      this.#fail(readLatin1(buffer, start, Math.min(end, start + SHOWN_BYTES)));
    } else {
      this.#state = State.STOPPED;
      const surplus = end - body.consumed;
      this.#sink.onAnswerData(buffer, body.dataStart, body.dataEnd, true, surplus);
    }
  }

  #fail(shown: string): void {
    this.stop();
    this.#sink.onAnswerMalformed(shown);
  }
}
