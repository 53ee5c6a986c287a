// A clock that moves only when a test says so. Timers fire in order of their deadline, ties in the
// order they were set, and each sees the clock at exactly its own deadline.

import type { Clock, TimerHandle } from './clock.ts';

interface PendingTimer {
  dueMs: number;
  sequence: number;
  periodMs: number | null;
  callback: () => void;
}

export class FakeClock implements Clock {
  #elapsedMs = 0;
  readonly #startMs: number;
  #sequence = 0;
  readonly #pending = new Set<PendingTimer>();

  /** `startMs` is the Unix time at which the fake starts. */
  constructor(startMs = 1_700_000_000_000) {
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#startMs + Math.floor(this.#elapsedMs);
  }

  preciseNowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    return this.#add(delayMs, null, callback);
  }

  setTicker(periodMs: number, callback: () => void): TimerHandle {
    return this.#add(periodMs, periodMs, callback);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.setTimer(delayMs, resolve);
    });
  }

  /** How many timers and tickers are waiting. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Moves time forward by `ms`, firing what falls due on the way. */
  advance(ms: number): void {
    const targetMs = this.#elapsedMs + ms;
    for (let next = this.#nextDue(targetMs); next !== null; next = this.#nextDue(targetMs)) {
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
      if (next.periodMs === null) this.#pending.delete(next);
      else next.dueMs += next.periodMs;
      next.callback();
    }
    this.#elapsedMs = targetMs;
  }

  /** Like `advance`, in steps, letting promise callbacks run between timers. */
  async advanceAsync(ms: number, stepMs = ms): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.advance(Math.min(stepMs, left));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  #add(delayMs: number, periodMs: number | null, callback: () => void): TimerHandle {
    this.#sequence += 1;
    const timer = {
      dueMs: this.#elapsedMs + Math.max(0, delayMs),
      sequence: this.#sequence,
      periodMs,
      callback,
    };
    this.#pending.add(timer);
    return { cancel: () => this.#pending.delete(timer) };
  }

  #nextDue(untilMs: number): PendingTimer | null {
    let next: PendingTimer | null = null;
    for (const timer of this.#pending) {
      if (timer.dueMs > untilMs) continue;
      if (
        next === null ||
        timer.dueMs < next.dueMs ||
        (timer.dueMs === next.dueMs && timer.sequence < next.sequence)
      ) {
        next = timer;
      }
    }
    return next;
  }
}
