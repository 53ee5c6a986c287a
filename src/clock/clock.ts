// The one source of time. Everything that waits or measures takes a Clock, so tests drive time by
// hand and the whole program can be replayed. Lint forbids Date.now, performance.now and setTimeout
// elsewhere. Two scales: `nowMs` is Unix time for timestamps people and other processes read;
// `monotonicMs` never jumps and is what durations, deadlines and rates are computed from.

import { performance } from 'node:perf_hooks';

export interface TimerHandle {
  /** Stops the timer; calling it twice, or after it fired, does nothing. */
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch, whole. */
  nowMs(): number;
  /**
   * The same with fraction, comparable between processes of one machine; may drift from `nowMs`.
   */
  preciseNowMs(): number;
  /** Milliseconds since an arbitrary start, with fraction; never goes back. */
  monotonicMs(): number;
  /**
   * Calls `callback` once after `delayMs` (>= 0). Does not keep the process alive when
   * `background`.
   */
  setTimer(delayMs: number, callback: () => void, options?: { background?: boolean }): TimerHandle;
  /** Calls `callback` every `periodMs` (> 0) until cancelled. */
  setTicker(
    periodMs: number,
    callback: () => void,
    options?: { background?: boolean },
  ): TimerHandle;
  /** Resolves after `delayMs`. */
  sleep(delayMs: number): Promise<void>;
}

/** Node fires a longer timer at once (25 days); a certificate is renewed after 60. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  preciseNowMs: () => performance.timeOrigin + performance.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, callback, options) {
    if (delayMs > LONGEST_TIMEOUT_MS) return setLongTimer(delayMs, callback, options);
    const timer = setTimeout(callback, delayMs);
    if (options?.background) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  setTicker(periodMs, callback, options) {
    const timer = setInterval(callback, periodMs);
    if (options?.background) timer.unref();
    return { cancel: () => clearInterval(timer) };
  },
  sleep: (delayMs) => new Promise((resolve) => systemClock.setTimer(delayMs, () => resolve())),
};

/** In steps that Node's timers can take. */
const setLongTimer: Clock['setTimer'] = (delayMs, callback, options) => {
  const leftMs = delayMs - LONGEST_TIMEOUT_MS;
  let handle = systemClock.setTimer(
    LONGEST_TIMEOUT_MS,
    () => {
      handle = systemClock.setTimer(leftMs, callback, options);
    },
    options,
  );
  return { cancel: () => handle.cancel() };
};
