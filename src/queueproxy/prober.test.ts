// Readiness evaluation under fake time with scripted attempts, QP-96 to QP-104.

import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { Prober } from './prober.ts';
import type { ReadinessProbe } from './readiness-probe.ts';

const base: ReadinessProbe = {
  action: { kind: 'tcp', host: '127.0.0.1', port: 1 },
  aggressive: true,
  timeoutMs: 0,
  successThreshold: 1,
};

/** `script` gives the result of each attempt by its number from 1, and how long it takes. */
function setUp(
  probes: readonly ReadinessProbe[],
  script: (attempt: number) => { error: string | null; takesMs?: number },
) {
  const clock = new FakeClock();
  const attempts: { atMs: number; timeoutMs: number }[] = [];
  const warnings: object[] = [];
  const prober = new Prober(probes, {
    clock,
    logger: { ...silentLogger, warn: (fields) => warnings.push(fields) },
    intervalMs: 1,
    attemptFor: () => async (timeoutMs) => {
      attempts.push({ atMs: clock.monotonicMs(), timeoutMs });
      const { error, takesMs = 0 } = script(attempts.length);
      if (takesMs > 0) await clock.sleep(takesMs);
      return error;
    },
  });
  const settle = async (result: Promise<boolean>, withinMs = 20_000): Promise<boolean> => {
    let ready: boolean | null = null;
    void result.then((value) => {
      ready = value;
    });
    for (let ms = 0; ms < withinMs && ready === null; ms += 0.25) await clock.advanceAsync(0.25);
    if (ready === null) throw new Error('no result in time');
    return ready;
  };
  return { clock, prober, attempts, warnings, settle };
}

describe('prober', () => {
  it('QP-24: without a probe the app is ready', async () => {
    expect(await setUp([], () => ({ error: null })).prober.isReady()).toBe(true);
  });

  it('D9: attempts come at once, then every millisecond, then a sixteenth later, 50 ms at most', async () => {
    const { prober, attempts, settle } = setUp([base], (attempt) => ({
      error: attempt < 100 ? 'refused' : null,
    }));
    expect(await settle(prober.isReady())).toBe(true);
    const pauses = attempts.slice(1).map(({ atMs }, index) => atMs - attempts[index]!.atMs);
    expect(pauses.slice(0, 15)).toEqual(Array(15).fill(1));
    for (const [index, pauseMs] of pauses.entries()) {
      const ageMs = attempts[index]!.atMs;
      const wantedMs = Math.min(50, Math.max(1, ageMs / 16));
      // The clock of this test goes in steps of a quarter.
      expect(pauseMs).toBeGreaterThanOrEqual(wantedMs);
      expect(pauseMs).toBeLessThan(wantedMs + 0.25);
    }
    expect(pauses.at(-1)).toBe(50);
    expect(attempts[0]).toEqual({ atMs: 0, timeoutMs: 100 });
  });

  it('QP-100: a pause that ended during an attempt is over right after it', async () => {
    const { prober, attempts, settle } = setUp([base], (attempt) => ({
      error: attempt < 3 ? 'timeout' : null,
      takesMs: 100,
    }));
    expect(await settle(prober.isReady())).toBe(true);
    expect(attempts.map(({ atMs }) => atMs)).toEqual([0, 100, 200]);
  });

  it('QP-100: after ten seconds it is not ready, and says so once', async () => {
    const { clock, prober, warnings, settle } = setUp([base], () => ({ error: 'refused' }));
    expect(await settle(prober.isReady())).toBe(false);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(10_000);
    expect(clock.monotonicMs()).toBeLessThanOrEqual(10_001);
    expect(warnings).toHaveLength(1);
    expect(JSON.stringify(warnings)).toMatch(
      /aggressive probe error \(failed \d+ times\): refused/,
    );
  });

  it('QP-103: threshold three with a failing second attempt takes five attempts', async () => {
    const { prober, attempts, settle } = setUp([{ ...base, successThreshold: 3 }], (attempt) => ({
      error: attempt === 2 ? 'refused' : null,
    }));
    expect(await settle(prober.isReady())).toBe(true);
    expect(attempts).toHaveLength(5);
  });

  it('QP-101: a threshold once reached needs one success in later evaluations', async () => {
    const { prober, attempts, settle } = setUp([{ ...base, successThreshold: 3 }], () => ({
      error: null,
    }));
    await settle(prober.isReady());
    expect(attempts).toHaveLength(3);
    await settle(prober.isReady());
    expect(attempts).toHaveLength(4);
  });

  it('QP-99: single shot is one attempt with its own timeout, whatever the thresholds', async () => {
    const probe = { ...base, aggressive: false, timeoutMs: 2500, successThreshold: 3 };
    const { prober, attempts, settle } = setUp([probe], (attempt) => ({
      error: attempt === 1 ? 'refused' : null,
    }));
    expect(await settle(prober.isReady())).toBe(false);
    expect(await settle(prober.isReady())).toBe(true);
    expect(attempts.map(({ timeoutMs }) => timeoutMs)).toEqual([2500, 2500]);
  });

  it('QP-104: concurrent callers share one evaluation, the next caller starts a new one', async () => {
    const { prober, attempts, settle } = setUp([{ ...base, aggressive: false }], () => ({
      error: null,
      takesMs: 5,
    }));
    const together = [prober.isReady(), prober.isReady(), prober.isReady()];
    expect(await settle(Promise.all(together).then((all) => all.every(Boolean)))).toBe(true);
    expect(attempts).toHaveLength(1);
    await settle(prober.isReady());
    expect(attempts).toHaveLength(2);
  });

  it('QP-97: several probes run in parallel and all must succeed', async () => {
    const single = { ...base, aggressive: false };
    const { prober, attempts, settle } = setUp([single, single, single], (attempt) => ({
      error: attempt === 2 ? 'refused' : null,
      takesMs: 10,
    }));
    expect(await settle(prober.isReady())).toBe(false);
    expect(attempts.map(({ atMs }) => atMs)).toEqual([0, 0, 0]);
  });

  it('an app that gives a sign of life is asked at once, then often for a while', async () => {
    const { clock, prober, attempts, settle } = setUp([base], () => ({
      error: clock.monotonicMs() >= 803 ? null : 'refused',
    }));
    const result = prober.isReady();
    // At 800 ms attempts are 46 ms apart.
    while (clock.monotonicMs() < 800) await clock.advanceAsync(0.25);
    const before = attempts.length;
    expect(attempts.at(-1)?.atMs).toBeLessThan(799);
    prober.nudge();
    await clock.advanceAsync(0);
    expect(await settle(result)).toBe(true);
    expect(attempts.slice(before).map(({ atMs }) => atMs)).toEqual([800, 801, 802, 803]);
  });

  it('a sign of life while nobody asks is no question', async () => {
    const { clock, prober, attempts } = setUp([base], () => ({ error: null }));
    prober.nudge();
    await clock.advanceAsync(100);
    expect(attempts).toEqual([]);
  });

  it('stop ends an aggressive evaluation with its current attempt', async () => {
    const { clock, prober, settle } = setUp([base], () => ({ error: 'refused' }));
    const result = prober.isReady();
    await clock.advanceAsync(30);
    prober.stop();
    expect(await settle(result, 100)).toBe(false);
  });
});
