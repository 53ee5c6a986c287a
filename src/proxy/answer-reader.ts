// Parses the answers of one upstream connection: interim heads, the final head, the body. Pure bytes in,
// calls out; sockets and pools are UpstreamConnection's business.
// Invariant: after onAnswerHead come onAnswerData calls, the last of them with `isLast`, or
// onAnswerMalformed; nothing after either. The sink may call `stop` from any callback.
// Hot: `read` runs per read, on a borrowed buffer.

import { BodyReader, BodyStatus } from './body-reader.ts';
import { ByteBacklog } from './byte-backlog.ts';
import { hasWholeHead, mayBecomeValid, showBacklog, takeHeadText } from './head-text.ts';
import { readLatin1 } from './latin1.ts';
import { BodyMode, ResponseHead } from './response-head.ts';

/** The answer head of an application; above it the answer is malformed. */
const MAX_RESPONSE_HEAD_BYTES = 1024 * 1024;
const PROTOCOL = 'HTTP/1.';
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

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  /** Expects the answer to a request with that method. */
  begin(method: string): void {
    this.#method = method;
    this.#state = State.HEAD;
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
    const searched = this.#backlog.length;
    if (searched === 0) {
      this.#readHeads(buffer, 0, count);
      return;
    }
    this.#backlog.append(buffer, 0, count);
    if (!hasWholeHead(this.#backlog, searched)) {
      this.#judgePartialHead(searched);
      return;
    }
    const bytes = this.#backlog.take();
    this.#readHeads(bytes, 0, bytes.length);
  }

  /** Reads heads from `buffer[from, end)`: any number of interim ones, then the final one. */
  #readHeads(buffer: Buffer, from: number, end: number): void {
    let start = from;
    while (this.#state === State.HEAD && start < end) {
      const text = takeHeadText(buffer, start, end);
      if (text === '') {
        this.#backlog.append(buffer, start, end);
        this.#judgePartialHead(0);
        return;
      }
      if (text.length > MAX_RESPONSE_HEAD_BYTES || !this.head.parse(text, this.#method)) {
        this.#fail(text);
        return;
      }
      start += text.length;
      if (this.head.status >= 200 || this.head.status === 101) {
        // Nothing after it: the caller may have begun the next request in here.
        this.#startBody(buffer, start, end);
        return;
      }
      this.#sink.onAnswerInterim();
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
      this.#fail(readLatin1(buffer, start, Math.min(end, start + PROTOCOL.length)));
    } else {
      this.#state = State.STOPPED;
      const surplus = end - body.consumed;
      this.#sink.onAnswerData(buffer, body.dataStart, body.dataEnd, true, surplus);
    }
  }

  #judgePartialHead(judged: number): void {
    const backlog = this.#backlog;
    const length = Math.min(backlog.length, PROTOCOL.length);
    const start = readLatin1(backlog.view(), 0, length);
    const isPossible =
      backlog.length <= MAX_RESPONSE_HEAD_BYTES &&
      start === PROTOCOL.slice(0, length) &&
      mayBecomeValid(backlog, judged);
    if (!isPossible) this.#fail(showBacklog(backlog));
  }

  #fail(shown: string): void {
    this.stop();
    this.#sink.onAnswerMalformed(shown);
  }
}
