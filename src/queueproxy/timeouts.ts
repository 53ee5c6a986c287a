// When a request has taken too long (QP-46 to QP-57): total time T, time to the first byte R, gap
// between bytes I. One deadline per request covers all three; what happens at it is decided here,
// by looking at what the request did meanwhile, so answering bytes moves no timer. A 101 is no
// write, but bytes the app sends on the upgraded socket are. Pure; times are whole monotonic
// milliseconds.

export const TimeoutCause = { NONE: 0, TOTAL: 1, RESPONSE_START: 2, IDLE: 3 } as const;
export type TimeoutCause = (typeof TimeoutCause)[keyof typeof TimeoutCause];

/** What the decision needs to know of a request. */
export interface TimedRequest {
  readonly arrivedAtMs: number;
  /** Anything of the answer went to the client. */
  readonly hasWritten: boolean;
  /** Of the last such write; kept only when an idle timeout is set. */
  readonly lastWriteAtMs: number;
}

export class RequestTimeouts {
  readonly totalMs: number;
  /** Infinity = off. */
  readonly responseStartMs: number;
  /** Infinity = off. */
  readonly idleMs: number;
  readonly #firstMs: number;

  /** `totalMs` of 0 or less expires at once; 0 or less switches the other two off (QP-9). */
  constructor(totalMs: number, responseStartMs: number, idleMs: number) {
    this.totalMs = Math.max(0, totalMs);
    this.responseStartMs = responseStartMs > 0 ? responseStartMs : Number.POSITIVE_INFINITY;
    this.idleMs = idleMs > 0 ? idleMs : Number.POSITIVE_INFINITY;
    this.#firstMs = Math.min(this.totalMs, this.responseStartMs, this.idleMs);
  }

  /** True when the time of every write has to be known. */
  get tracksWrites(): boolean {
    return this.idleMs !== Number.POSITIVE_INFINITY;
  }

  /** The first deadline of a request that arrived at `arrivedAtMs`. */
  firstDeadlineMs(arrivedAtMs: number): number {
    return arrivedAtMs + this.#firstMs;
  }

  /** The next moment at which `causeAt` may answer differently. */
  nextDeadlineMs(request: TimedRequest): number {
    return Math.min(request.arrivedAtMs + this.totalMs, this.#start(request), this.#idle(request));
  }

  /** Which timeout has passed by `nowMs`; the one that passed first if several did. */
  causeAt(request: TimedRequest, nowMs: number): TimeoutCause {
    const totalAtMs = request.arrivedAtMs + this.totalMs;
    const startAtMs = this.#start(request);
    const idleAtMs = this.#idle(request);
    const earliestMs = Math.min(totalAtMs, startAtMs, idleAtMs);
    if (earliestMs > nowMs) return TimeoutCause.NONE;
    if (earliestMs === startAtMs) return TimeoutCause.RESPONSE_START;
    return earliestMs === idleAtMs ? TimeoutCause.IDLE : TimeoutCause.TOTAL;
  }

  #start(request: TimedRequest): number {
    return request.hasWritten
      ? Number.POSITIVE_INFINITY
      : request.arrivedAtMs + this.responseStartMs;
  }

  #idle(request: TimedRequest): number {
    const sinceMs = request.hasWritten ? request.lastWriteAtMs : request.arrivedAtMs;
    return sinceMs + this.idleMs;
  }
}
