// Time-weighted concurrency for the autoscaler (QP-38, ACT-126): how many requests were inside, on
// average, since the last report, how many arrived, and how much of both came through an activator.
// The current concurrency survives a report; the sums do not. Times that do not advance are ignored
// for the sums but still counted, so late timestamps can never make a sum negative.
// Hot: arrive and depart run once per request. The sums are doubles in one array, never boxed.

/** What one report yields; averages over the time since the last one, counts in requests. */
export interface AccountingReport {
  readonly averageConcurrency: number;
  readonly averageProxiedConcurrency: number;
  readonly requestCount: number;
  readonly proxiedRequestCount: number;
}

const LAST_CHANGE_MS = 0;
const REQUEST_MS = 1;
const PROXIED_REQUEST_MS = 2;
const ELAPSED_MS = 3;

export class RequestAccounting {
  readonly #sums = new Float64Array(4);
  #concurrency = 0;
  #proxiedConcurrency = 0;
  #requestCount = 0;
  #proxiedRequestCount = 0;

  /** Times here and below are monotonic milliseconds, with or without a fraction. */
  constructor(startMs: number) {
    this.#sums[LAST_CHANGE_MS] = startMs;
  }

  /** Requests inside now. */
  get concurrency(): number {
    return this.#concurrency;
  }

  /** `proxied`: the request came through an activator (QP-35); it counts in both figures. */
  arrive(nowMs: number, proxied: boolean): void {
    this.#advance(nowMs);
    this.#requestCount += 1;
    this.#concurrency += 1;
    if (proxied) {
      this.#proxiedRequestCount += 1;
      this.#proxiedConcurrency += 1;
    }
  }

  /** Exactly once per arrival, with the same `proxied`. Throws when nobody is inside. */
  depart(nowMs: number, proxied: boolean): void {
    if (this.#concurrency === 0 || (proxied && this.#proxiedConcurrency === 0)) {
      throw new Error('more requests departed than arrived');
    }
    this.#advance(nowMs);
    this.#concurrency -= 1;
    if (proxied) this.#proxiedConcurrency -= 1;
  }

  /** Averages and counts since the last report, which start anew. Averages are 0 over no time. */
  report(nowMs: number): AccountingReport {
    this.#advance(nowMs);
    const sums = this.#sums;
    const elapsedMs = sums[ELAPSED_MS]!;
    const report = {
      averageConcurrency: elapsedMs === 0 ? 0 : sums[REQUEST_MS]! / elapsedMs,
      averageProxiedConcurrency: elapsedMs === 0 ? 0 : sums[PROXIED_REQUEST_MS]! / elapsedMs,
      requestCount: this.#requestCount,
      proxiedRequestCount: this.#proxiedRequestCount,
    };
    sums[REQUEST_MS] = 0;
    sums[PROXIED_REQUEST_MS] = 0;
    sums[ELAPSED_MS] = 0;
    this.#requestCount = 0;
    this.#proxiedRequestCount = 0;
    return report;
  }

  #advance(nowMs: number): void {
    const sums = this.#sums;
    const passedMs = nowMs - sums[LAST_CHANGE_MS]!;
    if (passedMs <= 0) return;
    sums[ELAPSED_MS]! += passedMs;
    sums[REQUEST_MS]! += passedMs * this.#concurrency;
    sums[PROXIED_REQUEST_MS]! += passedMs * this.#proxiedConcurrency;
    sums[LAST_CHANGE_MS] = nowMs;
  }
}
