// What is remembered of earlier starts, and where attempts fall because of it.

import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { Prober } from './prober.ts';
import { type StartTime, StartTimes } from './start-times.ts';

/** Starts an app that listens after `readyMs`; hands back when it was tried, in ms. */
async function start(startTime: StartTime | null, readyMs: number): Promise<number[]> {
  const clock = new FakeClock();
  const attempts: number[] = [];
  const action = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;
  const probe = { action, aggressive: true, timeoutMs: 0, successThreshold: 1 };
  const prober = new Prober([probe], {
    clock,
    logger: silentLogger,
    intervalMs: 1,
    startTime,
    attemptFor: () => async () => {
      attempts.push(clock.monotonicMs());
      return clock.monotonicMs() >= readyMs ? null : 'refused';
    },
  });
  let isReady = false;
  void prober.isReady().then((ready) => {
    isReady = ready;
  });
  while (!isReady) await clock.advanceAsync(0.25);
  return attempts;
}

describe('start times', () => {
  it('QP-100: an app that starts as it did before is noticed within 1.25 ms by half of the attempts', async () => {
    const startTime = new StartTimes().of('default/hello');
    const first = await start(startTime, 52);
    const second = await start(startTime, 52);
    expect(startTime.expectedMs()).toBeCloseTo(52, -1);
    expect(second.length).toBeLessThanOrEqual(first.length / 2);
    expect(second.at(-1)).toBeLessThanOrEqual(53.25);
  });

  it('an app twice as fast, or twice as slow, as expected is noticed within a fifth', async () => {
    for (const readyMs of [26, 40, 70, 104]) {
      const startTime = new StartTimes().of('default/hello');
      startTime.observed(52);
      const attempts = await start(startTime, readyMs);
      expect(attempts.at(-1)! - readyMs, `ready at ${readyMs}`).toBeLessThanOrEqual(readyMs / 5);
    }
  });

  it('a fast start counts at once, a slow one by an eighth', () => {
    const startTime = new StartTimes().of('default/hello');
    startTime.observed(80);
    startTime.observed(50);
    expect(startTime.expectedMs()).toBe(50);
    startTime.observed(90);
    expect(startTime.expectedMs()).toBe(55);
  });

  it('an app found ready at the first attempt teaches nothing', async () => {
    const startTime = new StartTimes().of('default/hello');
    await start(startTime, 0);
    expect(startTime.expectedMs()).toBeNull();
  });

  it('remembers a thousand revisions and forgets the one that started longest ago', () => {
    const startTimes = new StartTimes();
    for (let index = 0; index <= 1_000; index += 1) startTimes.of(`ns/${index}`).observed(10);
    expect(startTimes.of('ns/0').expectedMs()).toBeNull();
    expect(startTimes.of('ns/1').expectedMs()).toBe(10);
    expect(startTimes.of('ns/1000').expectedMs()).toBe(10);
  });
});
