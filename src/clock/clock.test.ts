// The system's clock where Node's own timers are not enough.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from './clock.ts';

const DAY_MS = 86_400_000;

describe('the clock of the system', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('takes timers longer than 25 days: a certificate is renewed after 60, not at once', () => {
    const fired = vi.fn();
    systemClock.setTimer(60 * DAY_MS, fired);
    vi.advanceTimersByTime(60 * DAY_MS - 1);
    expect(fired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(fired).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(60 * DAY_MS);
    expect(fired).toHaveBeenCalledTimes(1);
  });

  it('ends such a timer whenever it is cancelled', () => {
    const fired = vi.fn();
    const early = systemClock.setTimer(60 * DAY_MS, fired);
    const late = systemClock.setTimer(60 * DAY_MS, fired);
    early.cancel();
    vi.advanceTimersByTime(50 * DAY_MS);
    late.cancel();
    vi.advanceTimersByTime(50 * DAY_MS);
    expect(fired).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});
