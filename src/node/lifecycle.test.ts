// Restart back-off, probe rhythm and the order in which a pod ends, on a clock moved by hand.

import { describe, expect, it } from 'vitest';
import type { Probe } from '../api/core.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { afterAttempt, initialProbeState, nextDelayMs } from './probe-schedule.ts';
import { afterExit, NO_CRASHES } from './restart-backoff.ts';
import { type Terminable, terminate } from './termination.ts';

describe('restart back-off', () => {
  it('restarts at once, then after 1 s doubling to a minute', () => {
    let state = NO_CRASHES;
    const delays: number[] = [];
    for (let crash = 0; crash < 9; crash++) {
      const next = afterExit(state, 100);
      state = next.state;
      delays.push(next.delayMs / 1000);
    }
    expect(delays).toEqual([0, 1, 2, 4, 8, 16, 32, 60, 60]);
  });

  it('forgives after ten minutes of running', () => {
    const { state } = afterExit({ crashes: 6 }, 600_000);
    expect(state.crashes).toBe(1);
  });
});

describe('probe rhythm', () => {
  it('CP-222: asks eagerly until the first success, then every ten seconds', () => {
    const probe: Probe = {};
    let state = initialProbeState(false);
    const delays: number[] = [];
    for (let attempt = 0; attempt < 10; attempt++) {
      state = afterAttempt(probe, state, attempt === 9);
      delays.push(Math.round(nextDelayMs(probe, state)));
    }
    expect(delays).toEqual([5, 8, 11, 17, 25, 38, 57, 85, 100, 10_000]);
    expect(state.passing).toBe(true);
  });

  it('turns unready only after failureThreshold failures in a row', () => {
    const probe: Probe = { periodSeconds: 1, failureThreshold: 2 };
    let state = afterAttempt(probe, initialProbeState(false), true);
    state = afterAttempt(probe, state, false);
    expect(state.passing).toBe(true);
    state = afterAttempt(probe, state, false);
    expect(state.passing).toBe(false);
    expect(nextDelayMs(probe, state)).toBe(1000);
  });
});

/** A container that writes what happens to it into a shared timeline. */
function fakeContainer(
  name: string,
  timeline: string[],
  clock: FakeClock,
  options: { preStopMs?: number; stopsAfterMs?: number },
): Terminable {
  let stopped: () => void = () => undefined;
  const whenStopped = new Promise<void>((resolve) => {
    stopped = resolve;
  });
  const at = (event: string) => timeline.push(`${clock.monotonicMs()} ${name} ${event}`);
  const { preStopMs, stopsAfterMs } = options;
  return {
    name,
    preStop:
      preStopMs === undefined
        ? null
        : async () => {
            at('preStop');
            await clock.sleep(preStopMs);
          },
    signal(signal) {
      at(signal);
      if (signal === 'SIGKILL') stopped();
      else if (stopsAfterMs !== undefined) clock.setTimer(stopsAfterMs, stopped);
    },
    whenStopped: () => whenStopped,
  };
}

describe('terminate', () => {
  it('RC-70: sidecar signalled at once, app only after its preStop hook', async () => {
    const clock = new FakeClock();
    const timeline: string[] = [];
    const app = fakeContainer('app', timeline, clock, { preStopMs: 1000, stopsAfterMs: 100 });
    const sidecar = fakeContainer('queue-proxy', timeline, clock, { stopsAfterMs: 1100 });
    const done = terminate([app, sidecar], 30_000, clock);
    await clock.advanceAsync(2000, 50);
    await done;
    expect(timeline).toEqual(['0 app preStop', '0 queue-proxy SIGTERM', '1000 app SIGTERM']);
    expect(clock.pendingCount).toBe(0);
  });

  it('RC-75: SIGKILL wins when the grace period is shorter than the drain', async () => {
    const clock = new FakeClock();
    const timeline: string[] = [];
    const app = fakeContainer('app', timeline, clock, { preStopMs: 60_000 });
    const done = terminate([app], 5000, clock);
    await clock.advanceAsync(6000, 500);
    await done;
    expect(timeline).toEqual(['0 app preStop', '5000 app SIGKILL']);
  });

  it('KN-206: grace 0 kills without asking', async () => {
    const clock = new FakeClock();
    const timeline: string[] = [];
    const app = fakeContainer('app', timeline, clock, { preStopMs: 60_000 });
    const done = terminate([app], 0, clock);
    await clock.advanceAsync(1, 1);
    await done;
    expect(timeline).toEqual(['0 app SIGKILL']);
  });
});
