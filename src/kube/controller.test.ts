// The promises of the work loop: no timers before a pass, no key twice at once, no starvation.

import { describe, expect, test } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { Controller } from './controller.ts';
import type { Reconciler } from './types.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(reconcile: Reconciler['reconcile'], workers = 2, restMs = 0) {
  const clock = new FakeClock();
  const controller = new Controller({
    name: 'test',
    reconciler: { reconcile },
    workers,
    restMs,
    clock,
    logger: silentLogger,
    random: () => 0.5,
  });
  return { clock, controller };
}

describe('controller', () => {
  test('keys enqueued before start wait for it', async () => {
    const seen: string[] = [];
    const { controller } = setUp(async (key) => {
      seen.push(key);
      return undefined;
    });
    controller.enqueue('a');
    await turn();
    expect(seen).toEqual([]);
    controller.start();
    await turn();
    expect(seen).toEqual(['a']);
  });

  test('a pass starts within the microtasks of the event, without a timer', async () => {
    const seen: string[] = [];
    const { clock, controller } = setUp(async (key) => {
      seen.push(key);
      return undefined;
    });
    controller.start();
    controller.enqueue('a');
    await Promise.resolve();
    await Promise.resolve();
    expect(seen).toEqual(['a']);
    expect(clock.pendingCount).toBe(0);
  });

  test('a key never runs twice at once, and work arriving meanwhile is not lost', async () => {
    let running = 0;
    let passes = 0;
    const releases: (() => void)[] = [];
    const { controller } = setUp(async () => {
      running += 1;
      passes += 1;
      expect(running).toBe(1);
      await new Promise<void>((resolve) => releases.push(resolve));
      running -= 1;
      return undefined;
    });
    controller.start();
    controller.enqueue('a');
    await turn();
    controller.enqueue('a');
    controller.enqueue('a');
    releases.shift()!();
    await turn();
    expect(passes).toBe(2);
    releases.shift()!();
    await turn();
    expect(passes).toBe(2);
  });

  test('no more passes run than there are workers', async () => {
    let running = 0;
    let most = 0;
    const { controller } = setUp(async () => {
      running += 1;
      most = Math.max(most, running);
      await turn();
      running -= 1;
      return undefined;
    }, 3);
    controller.start();
    for (let index = 0; index < 20; index += 1) controller.enqueue(`k${index}`);
    for (let index = 0; index < 20; index += 1) await turn();
    expect(most).toBe(3);
    expect(controller.queueDepth).toBe(0);
  });

  test('a failing key is retried with growing back-off and does not hold up others', async () => {
    const seen: string[] = [];
    const { clock, controller } = setUp(async (key) => {
      seen.push(key);
      if (key === 'bad' && seen.filter((one) => one === 'bad').length < 3) throw new Error('no');
      return undefined;
    });
    controller.start();
    controller.enqueue('bad');
    controller.enqueue('good');
    await turn();
    expect(seen).toEqual(['bad', 'good']);
    await clock.advanceAsync(5);
    expect(seen).toEqual(['bad', 'good', 'bad']);
    await clock.advanceAsync(10);
    expect(seen).toEqual(['bad', 'good', 'bad', 'bad']);
    await clock.advanceAsync(60_000);
    expect(seen).toHaveLength(4);
  });

  test('requeueAfterMs asks again once that time has passed', async () => {
    let passes = 0;
    const { clock, controller } = setUp(async () => {
      passes += 1;
      return passes === 1 ? { requeueAfterMs: 250 } : undefined;
    });
    controller.start();
    controller.enqueue('a');
    await turn();
    await clock.advanceAsync(249);
    expect(passes).toBe(1);
    await clock.advanceAsync(1);
    expect(passes).toBe(2);
  });

  test('a flood of instant passes lets the event loop turn in between', async () => {
    let passes = 0;
    const { controller } = setUp(async () => {
      passes += 1;
      return undefined;
    }, 8);
    controller.start();
    for (let index = 0; index < 1_000; index += 1) controller.enqueue(`k${index}`);
    await turn();
    expect(passes).toBeGreaterThan(0);
    expect(passes).toBeLessThan(300);
    for (let index = 0; index < 20; index += 1) await turn();
    expect(passes).toBe(1_000);
  });

  test('stop waits for the passes that run and starts no others', async () => {
    let release: () => void = () => undefined;
    const seen: string[] = [];
    const { controller } = setUp(async (key) => {
      seen.push(key);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return undefined;
    }, 1);
    controller.start();
    controller.enqueue('a');
    controller.enqueue('b');
    await turn();
    let isStopped = false;
    const stopped = controller.stop().then(() => {
      isStopped = true;
    });
    await turn();
    expect(isStopped).toBe(false);
    release();
    await stopped;
    expect(seen).toEqual(['a']);
  });

  test('with a rest, the first event is answered at once and the echoes share one pass', async () => {
    const seen: string[] = [];
    const { clock, controller } = setUp(
      async (key) => {
        seen.push(key);
        return undefined;
      },
      1,
      20,
    );
    controller.start();
    controller.enqueue('a');
    await turn();
    for (const key of ['a', 'a', 'b', 'a']) controller.enqueue(key);
    await turn();
    expect(seen).toEqual(['a', 'b']);
    clock.advance(19);
    await turn();
    expect(seen).toEqual(['a', 'b']);
    clock.advance(1);
    await turn();
    expect(seen).toEqual(['a', 'b', 'a']);
    clock.advance(20);
    await turn();
    expect(seen).toHaveLength(3);
    await controller.stop();
  });

  test('an echo waits for a rest, unless an event comes first', async () => {
    const seen: string[] = [];
    const { clock, controller } = setUp(
      async (key) => {
        seen.push(key);
        return undefined;
      },
      1,
      20,
    );
    controller.start();
    controller.enqueueEcho('a');
    controller.enqueueEcho('b');
    await turn();
    controller.enqueue('b');
    await turn();
    expect(seen).toEqual(['b']);
    clock.advance(20);
    await turn();
    await turn();
    expect(seen.slice(0, 2)).toEqual(['b', 'a']);
  });
});
