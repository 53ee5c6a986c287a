// Takes request heads off a client connection: empty lines before them, heads cut between reads,
// the size limit, and the time one may take (QP-5). What a verdict leads to is ServerConnection's
// business. Hot: `take` runs once per request.

import { CR } from './characters.ts';
import { type ConnectionHost, HEAD_TICKS } from './connection-host.ts';
import { RequestHead, RequestVerdict, skipEmptyLines } from './request-head.ts';

const NOT_TIMED = -1;

export class HeadIntake {
  readonly head = new RequestHead();
  /** Of the last take or resume. */
  verdict: RequestVerdict = RequestVerdict.INCOMPLETE;
  readonly #host: ConnectionHost;
  /** Server tick since which a head is awaited; NOT_TIMED between requests and during one. */
  #sinceTick: number;

  constructor(host: ConnectionHost) {
    this.#host = host;
    this.#sinceTick = host.tick;
  }

  get isTimedOut(): boolean {
    return this.#sinceTick !== NOT_TIMED && this.#host.tick - this.#sinceTick >= HEAD_TICKS;
  }

  /** No head is awaited any more. */
  stopTiming(): void {
    this.#sinceTick = NOT_TIMED;
  }

  /** Reads a head at `bytes[from]`; returns where it stopped, -1 when it needs more bytes. */
  take(bytes: Buffer, from: number, end: number): number {
    const head = this.head;
    this.verdict = RequestVerdict.INCOMPLETE;
    const at = head.isFresh ? skipEmptyLines(bytes, from, end) : from;
    // A lone CR may become one more empty line.
    if (at === end || (at + 1 === end && bytes[at] === CR)) return at > from ? at : -1;
    this.#judge(head.read(bytes, at, end));
    if (this.verdict >= RequestVerdict.INCOMPLETE) return at > from ? at : -1;
    return at + head.length;
  }

  /** Reads on in a head that `bytes` holds from its beginning. */
  resume(bytes: Buffer): void {
    this.#judge(this.head.read(bytes, 0, bytes.length));
  }

  /** `length` bytes of a head are waiting for more: false when there are too many of them. */
  mayWait(length: number): boolean {
    if (this.#sinceTick === NOT_TIMED) this.#sinceTick = this.#host.tick;
    return length <= this.#host.limits.maxHeadBytes;
  }

  #judge(verdict: RequestVerdict): void {
    const isTooLarge = this.head.length > this.#host.limits.maxHeadBytes;
    this.verdict = verdict === RequestVerdict.OK && isTooLarge ? RequestVerdict.TOO_LARGE : verdict;
    if (verdict === RequestVerdict.HTTP2_PREFACE && (this.#host.http2 ?? null) === null) {
      this.verdict = RequestVerdict.VERSION_UNSUPPORTED;
    }
    if (verdict !== RequestVerdict.INCOMPLETE) this.#sinceTick = NOT_TIMED;
  }
}
