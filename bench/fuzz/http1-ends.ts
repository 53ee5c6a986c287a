// The two ends of a proxied connection as plain objects: a client that takes what is written to it,
// and an application connection that takes a request and answers with the bytes it is told to. No
// sockets, no turns of the event loop, so the codec runs thousands of messages a second. Every call
// counts as a step: a case that takes too many of them hangs.

import { EventEmitter } from 'node:events';
import { FakeClock } from '../../src/clock/fake-clock.ts';
import { AnswerReader, type AnswerSink } from '../../src/proxy/answer-reader.ts';
import { readLatin1 } from '../../src/proxy/latin1.ts';
import type { ResponseHead } from '../../src/proxy/response-head.ts';
import { FailureCode, type Upstream } from '../../src/proxy/types.ts';
import type { UpstreamConnection } from '../../src/proxy/upstream-connection.ts';
import type { UpstreamCaller } from '../../src/proxy/upstream-link.ts';
import { UpstreamPool } from '../../src/proxy/upstream-pools.ts';

/** Calls the codec may make for one case; no message of the fuzzer's size needs a tenth of it. */
const MAX_STEPS = 20_000;

/** The codec did not come to an end with one case. */
export class StepLimitError extends Error {}

/** Counts the calls of one case. */
export class Steps {
  #count = 0;

  reset(): void {
    this.#count = 0;
  }

  take(): void {
    this.#count += 1;
    if (this.#count > MAX_STEPS) throw new StepLimitError(`more than ${MAX_STEPS} steps`);
  }
}

/** A clock nobody moves, which counts being asked. */
export class SteppingClock extends FakeClock {
  readonly #steps: Steps;

  constructor(steps: Steps) {
    super();
    this.#steps = steps;
  }

  override monotonicMs(): number {
    this.#steps.take();
    return super.monotonicMs();
  }
}

/** The few things a server connection asks of a socket; a Duplex costs ten times as much to make. */
export class ClientEnd extends EventEmitter {
  readonly writableLength = 0;
  readonly writableHighWaterMark = 16_384;
  written = '';
  /** The server will write no more. */
  isEnded = false;
  /** The server gave the connection up, what was written with it. */
  isReset = false;
  readonly #steps: Steps;

  constructor(steps: Steps) {
    super();
    this.#steps = steps;
  }

  write(chunk: string | Uint8Array): boolean {
    this.#steps.take();
    this.written += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1');
    return true;
  }

  end(): void {
    this.isEnded = true;
  }

  destroySoon(): void {
    this.isEnded = true;
  }

  destroy(): void {
    this.isEnded = true;
    this.isReset = true;
  }

  resetAndDestroy(): void {
    this.destroy();
  }

  pause(): void {
    // The body of a request to an application that is slow: bytes come all the same.
  }

  resume(): void {
    // See pause.
  }
}

/** What the exchange uses of an UpstreamConnection. */
type AppConnection = Pick<
  UpstreamConnection,
  | 'requestDone'
  | 'isReused'
  | 'isCongested'
  | 'head'
  | 'begin'
  | 'write'
  | 'pause'
  | 'resume'
  | 'startTunnel'
  | 'closeGently'
  | 'destroy'
>;

/** One request as it reaches the application, and the answer as it comes back. */
export class AppEnd implements AppConnection, AnswerSink {
  readonly isCongested = false;
  readonly isReused = false;
  requestDone = false;
  /** The bytes written, framing included. */
  framed = '';
  requestHead = '';
  body = '';
  /** Last chunk and trailers. */
  tail = '';
  /** The request was given up before it was whole, or its answer before it was read. */
  isDropped = false;
  /** Data of the answer, framing removed. */
  answerBody = '';
  answerTrailers = '';
  /** The answer ended where the connection could carry another one. */
  isReusable = false;
  readonly #reader = new AnswerReader(this);
  readonly #pool: AppPool;
  readonly #steps: Steps;
  #caller: UpstreamCaller | null = null;
  #isTunnel = false;

  constructor(pool: AppPool, steps: Steps) {
    this.#pool = pool;
    this.#steps = steps;
  }

  get head(): ResponseHead {
    return this.#reader.head;
  }

  begin(caller: UpstreamCaller): void {
    this.#caller = caller;
    this.#reader.begin(caller.method);
  }

  write(
    lead: string,
    buffer: Buffer,
    start: number,
    end: number,
    isChunked: boolean,
    tail: string,
  ): void {
    this.#steps.take();
    const size = end - start;
    const data = size > 0 ? readLatin1(buffer, start, end) : '';
    this.requestHead += lead;
    this.body += data;
    this.tail += tail;
    const isChunk = isChunked && size > 0;
    this.framed += isChunk
      ? `${lead}${size.toString(16)}\r\n${data}\r\n${tail}`
      : lead + data + tail;
    if (this.requestDone) this.#pool.whole = this;
  }

  /** One read of the answer; the codec may keep nothing of `buffer`. */
  answer(buffer: Buffer, count: number): void {
    this.#reader.read(buffer, count);
  }

  /** The application ends its connection. */
  end(): void {
    if (this.#caller === null || this.#reader.end()) return;
    this.#lose(FailureCode.CLOSED, 'EOF');
  }

  pause(): void {
    this.#steps.take();
  }

  resume(): void {
    this.#steps.take();
  }

  startTunnel(): void {
    this.#isTunnel = true;
    this.#reader.startRaw();
  }

  closeGently(): void {
    this.destroy();
  }

  destroy(): void {
    this.#caller = null;
    this.isDropped = true;
    this.#reader.stop();
  }

  onAnswerInterim(): void {
    this.#caller?.onUpstreamInterim(this.#asConnection());
  }

  onAnswerHead(): void {
    this.#caller?.onUpstreamHead(this.#asConnection());
  }

  onAnswerData(buffer: Buffer, start: number, end: number, isLast: boolean, surplus: number): void {
    this.#steps.take();
    const caller = this.#caller;
    this.answerBody += readLatin1(buffer, start, end);
    if (isLast && !this.#isTunnel) {
      this.answerTrailers = this.#reader.trailers;
      this.isReusable = this.head.keepAlive && surplus === 0;
      this.#caller = null;
    }
    caller?.onUpstreamData(buffer, start, end, isLast, isLast ? this.#reader.trailers : '');
  }

  onAnswerMalformed(): void {
    this.#lose(FailureCode.MALFORMED_RESPONSE, 'malformed');
  }

  #lose(code: FailureCode, message: string): void {
    const caller = this.#caller;
    const isUntouched = this.#reader.isUntouched;
    this.destroy();
    caller?.onUpstreamLost(code, message, isUntouched, false);
  }

  #asConnection(): UpstreamConnection {
    return this as unknown as UpstreamConnection;
  }
}

/** An upstream whose connections are AppEnds, in the order they were asked for. */
export class AppPool extends UpstreamPool {
  readonly ends: AppEnd[] = [];
  /** The end whose request was completed last and not answered yet. */
  whole: AppEnd | null = null;
  readonly #steps: Steps;

  constructor(clock: FakeClock, steps: Steps) {
    super('127.0.0.1', 1, POOL_OPTIONS, { clock, random: () => 0 });
    this.#steps = steps;
  }

  override checkout(): UpstreamConnection {
    const end = new AppEnd(this, this.#steps);
    this.ends.push(end);
    return end as unknown as UpstreamConnection;
  }

  asUpstream(): Upstream {
    return this;
  }
}

const POOL_OPTIONS = {
  maxIdlePerUpstream: 1,
  idleTimeoutMs: 90_000,
  dialTimeoutMs: 50,
  maxDialAttempts: 1,
};
