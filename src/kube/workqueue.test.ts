// The order, merging and delays of keys.

import { describe, expect, test } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { BACKOFF_LIMIT_MS, backoffMs, WorkQueue } from './workqueue.ts';

function setUp(): { clock: FakeClock; queue: WorkQueue } {
  const clock = new FakeClock();
  return { clock, queue: new WorkQueue({ clock, random: () => 0.5 }) };
}

describe('work queue', () => {
  test('a key added twice is taken once', () => {
    const { queue } = setUp();
    queue.add('a');
    queue.add('b');
    queue.add('a');
    expect([queue.take(), queue.take(), queue.take()]).toEqual(['a', 'b', undefined]);
  });

  test('a key added while it runs comes back when it is done, once', () => {
    const { queue } = setUp();
    queue.add('a');
    queue.take();
    queue.add('a');
    queue.add('a');
    expect(queue.take()).toBeUndefined();
    queue.done('a');
    expect([queue.take(), queue.take()]).toEqual(['a', undefined]);
  });

  test('done without take is a programming error', () => {
    expect(() => setUp().queue.done('a')).toThrow('done without take');
  });

  test('of several delays the earliest counts', () => {
    const { clock, queue } = setUp();
    queue.addAfter('a', 100);
    queue.addAfter('a', 50);
    queue.addAfter('a', 200);
    clock.advance(49);
    expect(queue.take()).toBeUndefined();
    clock.advance(1);
    expect(queue.take()).toBe('a');
    queue.done('a');
    clock.advance(1000);
    expect(queue.take()).toBeUndefined();
  });

  test('back-off doubles with every failure and starts over after forget', () => {
    const { queue } = setUp();
    const delays = [1, 2, 3].map(() => queue.addRateLimited('a'));
    expect(delays).toEqual([5, 10, 20]);
    queue.forget('a');
    expect(queue.addRateLimited('a')).toBe(5);
  });

  test('back-off never exceeds its limit by more than the jitter', () => {
    for (const failures of [14, 20, 1_000_000]) {
      expect(backoffMs(failures, 0.999)).toBeLessThanOrEqual(BACKOFF_LIMIT_MS * 1.2);
      expect(backoffMs(failures, 0)).toBeGreaterThanOrEqual(BACKOFF_LIMIT_MS * 0.8 - 1);
    }
  });

  test('a closed queue forgets what waits and refuses more', () => {
    const { clock, queue } = setUp();
    queue.add('a');
    queue.addAfter('b', 10);
    queue.close();
    expect(queue.add('c')).toBe(false);
    clock.advance(10);
    expect(queue.take()).toBeUndefined();
    expect(clock.pendingCount).toBe(0);
  });

  test('order survives many keys', () => {
    const { queue } = setUp();
    const keys = Array.from({ length: 5_000 }, (_, index) => `k${index}`);
    for (const key of keys) queue.add(key);
    expect(keys.map(() => queue.take())).toEqual(keys);
  });
});
