// Gradual rollouts against the vectors of the reference, and one whole rollout on a timeline.

import { describe, expect, it } from 'vitest';
import { goldenRoute } from '../testing/golden.ts';
import {
  type ConfigurationRollout,
  isRollingOut,
  nextStepAtMs,
  type RevisionShare,
  type Rollout,
} from './rollout.ts';
import {
  moveShares,
  parseRollout,
  planRollout,
  rolloutSeconds,
  withPercent,
} from './rollout-plan.ts';

const START_MS = 1_700_000_000_000;

const shares = (...percents: number[]): RevisionShare[] =>
  percents.map((percent, index) => ({ revisionName: `r${index + 1}`, percent }));
const percentsOf = (revisions: readonly RevisionShare[]): number[] =>
  revisions.map(({ percent }) => percent);

function state(percent: number, revisions: RevisionShare[], stepParams = {}): Rollout {
  return { configurations: [{ configurationName: 'c', percent, revisions, stepParams }] };
}

interface Moment {
  nowMs?: number;
  seconds?: number;
  isIngressReady?: boolean;
  isRouteReady?: boolean;
}

function plan(previous: Rollout | undefined, wanted: Rollout, moment: Moment = {}): Rollout {
  const route = goldenRoute();
  route.metadata.annotations = {};
  return planRollout({
    previous: previous === undefined ? undefined : JSON.stringify(previous),
    wanted,
    route,
    defaultDurationSeconds: moment.seconds ?? 60,
    isIngressReady: moment.isIngressReady ?? false,
    isRouteIngressReady: moment.isRouteReady ?? false,
    nowMs: moment.nowMs ?? START_MS,
  });
}

const only = (rollout: Rollout): ConfigurationRollout => rollout.configurations![0]!;
const toNew = (percent = 100): Rollout => state(percent, [{ revisionName: 'r2', percent }]);

describe('CP-361: duration', () => {
  it.each([
    ['30s', 30],
    ['0s', 7],
    ['1m', 60],
    ['1500ms', 1],
  ])('annotation %s gives %i s', (text, seconds) => {
    const route = goldenRoute();
    route.metadata.annotations = { 'serving.knative.dev/rollout-duration': text };
    expect(rolloutSeconds(route, 7)).toBe(seconds);
  });

  it('without a duration the newest Revision takes everything at once', () => {
    expect(plan(state(100, shares(100)), toNew(), { seconds: 0 })).toEqual(toNew());
  });
});

describe('CP-362: a state that cannot be trusted is discarded', () => {
  it.each([
    ['not JSON', '{'],
    ['more than everything', JSON.stringify(state(101, shares(101)))],
    ['shares that do not add up', JSON.stringify(state(100, shares(50, 40)))],
    ['a step beyond the share', JSON.stringify(state(50, shares(50), { stepSize: 51 }))],
  ])('%s', (_name, text) => {
    expect(parseRollout(text)).toBeNull();
  });
});

describe('CP-365: step parameters', () => {
  it.each([
    [120, 0.5, 100, 1, 1.202020202],
    [120, 3, 100, 3, 3],
    [120, 3, 75, 2, 3],
    [120, 3, 50, 1, 3],
    [120, 121, 13, 12, 1],
  ])('T=%i, elapsed %d s, P=%i: size %i every %d s', (seconds, elapsed, percent, size, every) => {
    const started = START_MS - elapsed * 1000;
    const previous = state(percent, shares(percent - 1, 1), { starttime: started * 1e6 });
    const next = only(plan(previous, toNew(percent), { seconds, isIngressReady: true }));
    expect(next.stepParams.stepSize).toBe(size);
    expect(next.stepParams.stepDuration! / 1e9).toBeCloseTo(every, 6);
  });
});

describe('CP-363, CP-366: changes of shares', () => {
  it.each([
    [shares(30, 60), 10, 90, [20, 70]],
    [shares(22, 5, 3, 60), 10, 90, [20, 70]],
    [shares(5, 1, 1, 8), 10, 15, [15]],
  ])('a step of %j by %i of %i', (given, size, percent, expected) => {
    expect(percentsOf(moveShares(given, size, percent))).toEqual(expected);
  });

  it.each([
    [shares(21, 22, 32), 42, [10, 32]],
    [shares(21, 54), 42, [42]],
    [shares(21, 21), 75, [21, 54]],
  ])('%j to %i percent', (given, percent, expected) => {
    expect(percentsOf(withPercent(given, percent))).toEqual(expected);
  });

  it('a re-targeted rollout keeps its intermediate shares', () => {
    const wanted = state(100, [{ revisionName: 'r3', percent: 100 }]);
    const next = only(plan(state(100, shares(60, 40), { starttime: 1 }), wanted));
    expect(percentsOf(next.revisions)).toEqual([60, 39, 1]);
    expect(next.stepParams).toEqual({ starttime: START_MS * 1e6 });
  });

  it('a percent reduced in mid-rollout compares with the last Revision that remains', () => {
    const next = only(plan(state(100, shares(50, 50)), toNew(40)));
    expect(next.revisions).toEqual([{ revisionName: 'r2', percent: 40 }]);
  });
});

it('CP-368: a whole rollout of 60 s, step by step', () => {
  let current = plan(state(100, shares(100)), toNew());
  expect(percentsOf(only(current).revisions)).toEqual([99, 1]);
  expect(nextStepAtMs(current)).toBeNull();
  const seen: [number, number][] = [];
  const ready = { isIngressReady: true };
  current = plan(current, toNew(), { ...ready, nowMs: START_MS + 4_001 });
  expect(only(current).stepParams.stepSize).toBe(9);
  for (let round = 0; isRollingOut(current) && round < 20; round += 1) {
    const nowMs = Math.ceil(nextStepAtMs(current)!);
    current = plan(current, toNew(), { ...ready, isRouteReady: false, nowMs });
    const newest = only(current).revisions.at(-1)!.percent;
    seen.push([Math.round((nowMs - START_MS) / 1000), newest]);
  }
  expect(seen).toEqual([
    [9, 10],
    [14, 19],
    [19, 28],
    [24, 37],
    [29, 46],
    [34, 55],
    [39, 64],
    [44, 73],
    [49, 82],
    [54, 91],
    [59, 100],
  ]);
  expect(only(current).stepParams).toEqual({});
});
