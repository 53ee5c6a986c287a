// How often and how long to try to reach an upstream that does not answer (QP-63): growing
// timeouts, short random pauses, a fixed number of attempts. Pure apart from the random numbers
// handed in. Shared by the dials of both protocols. Not hot.

const TIMEOUT_GROWTH = 1.4;
const TIMEOUT_JITTER = 0.1;
const MIN_PAUSE_MS = 30;
const PAUSE_SPREAD_MS = 30;
/** Timed out attempts after which a dial counts as stalled; 0.6 s with the stock timeouts. */
const STALLED_AFTER = 5;

export class DialSchedule {
  readonly #maxAttempts: number;
  readonly #random: () => number;
  #attempt = 0;
  readonly #firstTimeoutMs: number;
  /** Of the next retry, before jitter. */
  #retryTimeoutMs: number;

  constructor(firstTimeoutMs: number, maxAttempts: number, random: () => number) {
    this.#firstTimeoutMs = firstTimeoutMs;
    this.#retryTimeoutMs = firstTimeoutMs;
    this.#maxAttempts = maxAttempts;
    this.#random = random;
  }

  get isExhausted(): boolean {
    return this.#attempt >= this.#maxAttempts;
  }

  /** The upstream does not answer at all, it seems: another one may be the better choice. */
  get isStalled(): boolean {
    return this.#attempt >= STALLED_AFTER;
  }

  /** Counts one more attempt and says how long it may take. */
  nextTimeoutMs(): number {
    this.#attempt += 1;
    if (this.#attempt === 1) return this.#firstTimeoutMs;
    const timeoutMs = this.#retryTimeoutMs * (1 + this.#random() * TIMEOUT_JITTER);
    this.#retryTimeoutMs *= TIMEOUT_GROWTH;
    return timeoutMs;
  }

  /** How long to wait before the next attempt. */
  pauseMs(): number {
    return MIN_PAUSE_MS + this.#random() * PAUSE_SPREAD_MS;
  }
}
