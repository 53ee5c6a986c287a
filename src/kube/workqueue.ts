// Keys that need work, each at most once: added while waiting it stays one entry, added while being
// worked on it comes back when that work is done. So a key never runs twice at the same time, and a
// burst of events costs one pass. Invariants: a key is in at most one of waiting and
// running-and-dirty; the earliest delay asked for wins; failures of a key are remembered until
// `forget`. Taking a key involves no timer.

import type { Clock, TimerHandle } from '../clock/clock.ts';

/** Keys waiting or delayed; one more is refused. Keys are names of existing objects. */
export const MAX_WORKQUEUE_KEYS = 1_000_000;
/** Back-off after the n-th failure in a row: base × 2^(n-1), at most the limit, ± 20 %. */
export const BACKOFF_BASE_MS = 5;
export const BACKOFF_LIMIT_MS = 30_000;
const BACKOFF_JITTER = 0.2;
/** From here on the queue's used-up front is cut off instead of kept. */
const COMPACT_AFTER = 1_024;

interface Delayed {
  dueMs: number;
  timer: TimerHandle;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #onReady: () => void;
  #line: string[] = [];
  #head = 0;
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  readonly #dirtyRunning = new Set<string>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  #isClosed = false;

  /** `onReady` is called in the same turn whenever a key becomes takable. */
  constructor(deps: { clock: Clock; random: () => number }, onReady: () => void = () => undefined) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#onReady = onReady;
  }

  /** Keys that can be taken now. */
  get size(): number {
    return this.#waiting.size;
  }

  get running(): number {
    return this.#running.size;
  }

  /** False when the key was refused: the queue is closed or full. */
  add(key: string): boolean {
    if (this.#isClosed) return false;
    if (this.#running.has(key)) {
      this.#dirtyRunning.add(key);
      return true;
    }
    if (this.#waiting.has(key)) return true;
    if (this.#waiting.size >= MAX_WORKQUEUE_KEYS) return false;
    this.#waiting.add(key);
    this.#line.push(key);
    this.#onReady();
    return true;
  }

  /** Adds the key after `delayMs`; of several delays asked for the earliest counts. */
  addAfter(key: string, delayMs: number): boolean {
    if (this.#isClosed) return false;
    if (delayMs <= 0) return this.add(key);
    const dueMs = this.#clock.monotonicMs() + delayMs;
    const existing = this.#delayed.get(key);
    if (existing !== undefined) {
      if (existing.dueMs <= dueMs) return true;
      existing.timer.cancel();
    } else if (this.#delayed.size >= MAX_WORKQUEUE_KEYS) {
      return false;
    }
    const timer = this.#clock.setTimer(delayMs, () => this.#fire(key), { background: true });
    this.#delayed.set(key, { dueMs, timer });
    return true;
  }

  /** Adds the key after a back-off that grows with every call since `forget`. Returns the delay. */
  addRateLimited(key: string): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const delayMs = backoffMs(failures, this.#random());
    this.addAfter(key, delayMs);
    return delayMs;
  }

  /** Failures in a row. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The longest waiting key, now running until `done`; undefined when none waits. */
  take(): string | undefined {
    const key = this.#line[this.#head];
    if (key === undefined) return undefined;
    this.#head += 1;
    if (this.#head === this.#line.length || this.#head >= COMPACT_AFTER) {
      this.#line = this.#line.slice(this.#head);
      this.#head = 0;
    }
    this.#waiting.delete(key);
    this.#running.add(key);
    return key;
  }

  /** The key's work is over; if it was added meanwhile it waits again. */
  done(key: string): void {
    if (!this.#running.delete(key)) throw new Error(`workqueue: done without take: ${key}`);
    if (this.#dirtyRunning.delete(key)) this.add(key);
  }

  /** Forgets everything that waits and refuses more; running keys may still be `done`. */
  close(): void {
    this.#isClosed = true;
    for (const delayed of this.#delayed.values()) delayed.timer.cancel();
    this.#delayed.clear();
    this.#waiting.clear();
    this.#line = [];
    this.#head = 0;
  }

  #fire(key: string): void {
    this.#delayed.delete(key);
    this.add(key);
  }
}

/** `random` in [0, 1). */
export function backoffMs(failures: number, random: number): number {
  const plainMs = BACKOFF_BASE_MS * 2 ** Math.min(failures - 1, 30);
  const jitter = 1 + BACKOFF_JITTER * (2 * random - 1);
  return Math.min(plainMs, BACKOFF_LIMIT_MS) * jitter;
}
