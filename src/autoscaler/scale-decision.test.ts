import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideScale,
  initialScaleState,
  REASON,
  REASON_NAMES,
  type ReasonCode,
  type ScaleSpec,
  type ScaleState,
  type SeenLoad,
} from './scale-decision.ts';

const SPEC: ScaleSpec = {
  target: 10,
  capacity: 100,
  targetBurstCapacity: 0,
  panicThreshold: 2,
  stableWindowMs: 60_000,
  maxScaleUpRate: 10,
  maxScaleDownRate: 2,
  activationScale: 0,
  reachable: true,
};
const CALM: ScaleState = {
  panicSinceMs: Number.NaN,
  panicFloor: 0,
  recommendation: 1,
  excessBurstCapacity: 0,
};
const seen = (over: Partial<SeenLoad>): SeenLoad => ({
  stable: 0,
  panic: 0,
  hasData: true,
  readyPods: 1,
  delayedMaximum: -1,
  ...over,
});

describe('a decision says what bound it', () => {
  it.each<[string, Partial<SeenLoad>, Partial<ScaleSpec>, Partial<ScaleState>, number, ReasonCode]>(
    [
      ['load over target', { stable: 45, readyPods: 4 }, {}, {}, 5, REASON.demand],
      ['nothing to do', { readyPods: 1 }, {}, {}, 0, REASON.idle],
      ['AS-104 growth', { stable: 999 }, { panicThreshold: 1e9 }, {}, 10, REASON.growthLimit],
      ['AS-104 shrink', { stable: 1, readyPods: 9 }, {}, {}, 4, REASON.shrinkLimit],
      ['AS-104 unreachable', { readyPods: 9 }, { reachable: false }, {}, 0, REASON.idle],
      [
        'AS-106, AS-193 floor',
        { stable: 1 },
        { activationScale: 3 },
        {},
        3,
        REASON.activationScale,
      ],
      ['AS-106 not when idle', {}, { activationScale: 3 }, {}, 0, REASON.idle],
      ['AS-111 panic load', { stable: 10, panic: 40 }, {}, {}, 4, REASON.panicDemand],
      [
        'AS-111 panic peak',
        { stable: 10, panic: 10 },
        {},
        { panicSinceMs: 0, panicFloor: 7 },
        7,
        REASON.panicHold,
      ],
      ['AS-112 delay', { stable: 10, delayedMaximum: 6 }, {}, {}, 6, REASON.scaleDownDelay],
    ],
  )('%s', (_name, load, spec, state, recommendation, reason) => {
    const decision = decideScale({ ...CALM, ...state }, seen(load), { ...SPEC, ...spec }, 30_000);
    expect(decision.valid).toBe(true);
    expect(decision.state.recommendation).toBe(recommendation);
    expect(REASON_NAMES[decision.reason]).toBe(REASON_NAMES[reason]);
  });

  it.each([
    ['AS-101: pods cannot be counted', { readyPods: -1 }, REASON.podsUncountable],
    ['AS-102: no averages', { hasData: false }, REASON.noData],
  ])('%s: nothing changes', (_name, load, reason) => {
    const prev = { ...CALM, panicSinceMs: -1e6, panicFloor: 4 };
    const decision = decideScale(prev, seen(load), SPEC, 30_000);
    expect(decision).toEqual({ valid: false, reason, recordDelayed: -1, state: prev });
  });
});

describe('panic mode over time', () => {
  it('AS-108 to AS-111: holds its peak until a stable window after the last overload', () => {
    const timeline: [atS: number, panic: number, stable: number, pods: number, want: number][] = [
      [0, 10, 10, 1, 1],
      [2, 50, 15, 1, 5],
      [4, 80, 20, 5, 8],
      [6, 20, 20, 8, 8],
      [10, 160, 40, 8, 16],
      [12, 5, 35, 16, 16],
      [70, 5, 5, 16, 16],
      [71, 5, 5, 16, 8],
      [73, 5, 5, 8, 4],
    ];
    let state = initialScaleState(1, 0, 0);
    for (const [atS, panic, stable, readyPods, want] of timeline) {
      const decision = decideScale(state, seen({ stable, panic, readyPods }), SPEC, atS * 1000);
      state = decision.state;
      expect([atS, state.recommendation]).toEqual([atS, want]);
    }
  });
});

describe('every decision', () => {
  const load = fc.record({
    stable: fc.double({ min: 0, max: 5000, noNaN: true }),
    panic: fc.double({ min: 0, max: 5000, noNaN: true }),
    hasData: fc.constant(true),
    readyPods: fc.nat(50),
    delayedMaximum: fc.constant(-1),
  });
  const spec = fc.record({
    target: fc.double({ min: 0.01, max: 500, noNaN: true }),
    capacity: fc.double({ min: 0.01, max: 500, noNaN: true }),
    targetBurstCapacity: fc.constantFrom(-1, 0, 50, 211),
    panicThreshold: fc.double({ min: 1.1, max: 10, noNaN: true }),
    stableWindowMs: fc.constantFrom(6000, 60_000),
    maxScaleUpRate: fc.double({ min: 1.01, max: 1000, noNaN: true }),
    maxScaleDownRate: fc.double({ min: 1.01, max: 100, noNaN: true }),
    activationScale: fc.constantFrom(0, 2, 5),
    reachable: fc.boolean(),
  });

  it('AS-104, AS-111: stays within its limits, never falls in panic, is a whole number', () => {
    fc.assert(
      fc.property(spec, fc.array(load, { minLength: 1, maxLength: 20 }), (settings, loads) => {
        let state = initialScaleState(2, 0, 0);
        loads.forEach((given, index) => {
          const before = state;
          const nowMs = index * 2000;
          const decision = decideScale(before, given, settings, nowMs);
          state = decision.state;
          const { recommendation } = state;
          expect(Number.isInteger(recommendation) && recommendation >= 0).toBe(true);
          const pods = Math.max(1, given.readyPods);
          const up = Math.ceil(settings.maxScaleUpRate * pods);
          const floor = Number.isNaN(state.panicSinceMs) ? 0 : before.panicFloor;
          expect(recommendation).toBeLessThanOrEqual(Math.max(up, settings.activationScale, floor));
          const down = settings.reachable ? Math.floor(pods / settings.maxScaleDownRate) : 0;
          expect(recommendation).toBeGreaterThanOrEqual(Math.min(down, up));
          const isStillPanicking = !Number.isNaN(before.panicSinceMs + state.panicSinceMs);
          if (isStillPanicking && before.recommendation > 0) {
            expect(recommendation).toBeGreaterThanOrEqual(
              Math.min(before.recommendation, before.panicFloor),
            );
          }
        });
      }),
    );
  });

  it('more load never asks for fewer pods', () => {
    fc.assert(
      fc.property(
        spec,
        load,
        fc.double({ min: 0, max: 1000, noNaN: true }),
        (settings, given, more) => {
          const less = decideScale(CALM, given, settings, 0).state.recommendation;
          const heavier = { ...given, stable: given.stable + more, panic: given.panic + more };
          expect(
            decideScale(CALM, heavier, settings, 0).state.recommendation,
          ).toBeGreaterThanOrEqual(less);
        },
      ),
    );
  });
});
