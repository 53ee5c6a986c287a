// Concurrency of one revision over all threads (ACT-126): the main thread counts its own requests
// as ever and adds what the others report once a second. Sums are conserved: what a report misses
// is in the next one. Not hot; `arrive` and `depart` are the main thread's own.

import { RequestAccounting } from '../../proxy/request-accounting.ts';
import type { Accounting } from '../concurrency-reporter.ts';
import type { ThreadReport } from './thread-messages.ts';

export class MergedAccounting implements Accounting {
  readonly #own: RequestAccounting;
  /** Requests inside each other thread, as last heard. */
  readonly #inside = new Map<number, number>();
  #reportedMs: number;
  #requestMs = 0;
  #requestCount = 0;

  constructor(startMs: number) {
    this.#own = new RequestAccounting(startMs);
    this.#reportedMs = startMs;
  }

  get concurrency(): number {
    let sum = this.#own.concurrency;
    for (const inside of this.#inside.values()) sum += inside;
    return sum;
  }

  arrive(nowMs: number): void {
    this.#own.arrive(nowMs, false);
  }

  depart(nowMs: number): void {
    this.#own.depart(nowMs, false);
  }

  /** A thread begins to have requests; its first report says how many. */
  begin(thread: number): void {
    if (!this.#inside.has(thread)) this.#inside.set(thread, 1);
  }

  add(thread: number, report: ThreadReport): void {
    this.#inside.set(thread, report.inside);
    this.#requestMs += report.requestMs;
    this.#requestCount += report.requestCount;
  }

  report(nowMs: number): { averageConcurrency: number; requestCount: number } {
    const own = this.#own.report(nowMs);
    const elapsedMs = Math.max(0, nowMs - this.#reportedMs);
    this.#reportedMs += elapsedMs;
    const others = elapsedMs === 0 ? 0 : this.#requestMs / elapsedMs;
    const requestCount = own.requestCount + this.#requestCount;
    if (elapsedMs > 0) this.#requestMs = 0;
    this.#requestCount = 0;
    return { averageConcurrency: own.averageConcurrency + others, requestCount };
  }
}
