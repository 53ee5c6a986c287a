import { describe, expect, it } from 'vitest';
import { planScale, type ScalePlan, type ScalePlanInput } from './scale-plan.ts';

const S = 1000;
const BASE: ScalePlanInput = {
  recommendation: 0,
  settings: {
    minScale: 0,
    maxScale: 0,
    initialScale: 1,
    isReachable: true,
    stableWindowMs: 60 * S,
    podRetentionMs: 0,
    activationTimeoutMs: 630 * S,
    targetBurstCapacity: 211,
  },
  config: { enableScaleToZero: true, scaleToZeroGracePeriodMs: 30 * S },
  wasInitialized: true,
  active: 'False',
  activeForMs: 0,
  isSksProxy: true,
  backedByActivatorForMs: 0,
  probe: 'succeeded',
};
const scale = (replicas: number): ScalePlan => ({ action: 'scale', replicas, wanted: replicas });
const hold = (wanted: number, requeueAfterMs?: number): ScalePlan => ({
  action: 'none',
  wanted,
  ...(requeueAfterMs === undefined ? {} : { requeueAfterMs }),
});

type Row = [
  name: string,
  input: Partial<Omit<ScalePlanInput, 'settings'>>,
  settings: Partial<ScalePlanInput['settings']>,
  plan: ScalePlan,
];

describe('applying a recommendation', () => {
  it.each<Row>([
    ['AS-126: unknown and not activating', { recommendation: -1 }, {}, hold(-1)],
    ['AS-126: unknown while active', { recommendation: -1, active: 'True' }, {}, hold(-1)],
    [
      'AS-126: unknown while activating becomes the lower bound',
      { recommendation: -1, active: 'Unknown' },
      { minScale: 2 },
      scale(2),
    ],
    ['AS-127: min-scale', { recommendation: 1 }, { minScale: 3 }, scale(3)],
    [
      'AS-129: a lower bound keeps even a failed activation from zero',
      { recommendation: 0, active: 'Unknown', activeForMs: 9999 * S },
      { minScale: 1 },
      scale(1),
    ],
    [
      'AS-127: initial scale until it was reached once',
      { recommendation: 1, wasInitialized: false },
      { initialScale: 5, maxScale: 3 },
      scale(5),
    ],
    [
      'AS-127: not for an unreachable revision',
      { recommendation: 1, wasInitialized: false },
      { initialScale: 5, isReachable: false },
      scale(1),
    ],
    ['AS-116, AS-128: max-scale', { recommendation: 9 }, { maxScale: 3 }, scale(3)],
    [
      'AS-130: scale to zero off',
      { config: { enableScaleToZero: false, scaleToZeroGracePeriodMs: 1 } },
      {},
      scale(1),
    ],
    ['AS-131: activating', { active: 'Unknown', activeForMs: 630 * S }, {}, hold(-1, 630 * S)],
    ['AS-131: activation failed', { active: 'Unknown', activeForMs: 630 * S + 1 }, {}, scale(0)],
    [
      'AS-147: a missing Active condition never times out',
      { active: 'Unknown', activeForMs: -1 },
      {},
      hold(-1, 630 * S),
    ],
    [
      'AS-132: active for less than the stable window',
      { active: 'True', activeForMs: 59 * S },
      {},
      { action: 'scale', replicas: 1, wanted: 1, requeueAfterMs: 1 * S },
    ],
    [
      'AS-132: active long enough, activator in the path',
      { active: 'True', activeForMs: 60 * S },
      {},
      hold(0, 3 * S),
    ],
    [
      'AS-132: active long enough, served directly',
      { active: 'True', activeForMs: 60 * S, isSksProxy: false },
      {},
      hold(0),
    ],
    ['AS-133: inactive asks for the probe first', { probe: 'untried' }, {}, { action: 'probe' }],
    [
      'AS-133: without an answer it waits',
      { probe: 'failed', activeForMs: 99 * S },
      {},
      { action: 'probe in background', wanted: 0 },
    ],
    [
      'AS-133: with unlimited burst capacity nothing is probed',
      { probe: 'untried', activeForMs: 30 * S },
      { targetBurstCapacity: -1 },
      scale(0),
    ],
    ['AS-134a: inactive for the grace period', { activeForMs: 30 * S }, {}, scale(0)],
    [
      'AS-134a: inactive for the longer retention period',
      { activeForMs: 45 * S },
      { podRetentionMs: 45 * S },
      scale(0),
    ],
    [
      'AS-134b: retention is a lower limit',
      { activeForMs: 40 * S, backedByActivatorForMs: 999 * S },
      { podRetentionMs: 45 * S },
      hold(0, 5 * S),
    ],
    [
      'AS-134c: backed by the activator for the grace period',
      { activeForMs: 3 * S, backedByActivatorForMs: 30 * S },
      {},
      scale(0),
    ],
    [
      'AS-134d: not yet',
      { activeForMs: 3 * S, backedByActivatorForMs: 12 * S },
      {},
      hold(0, 18 * S),
    ],
  ])('%s', (_name, input, settings, plan) => {
    expect(planScale({ ...BASE, ...input, settings: { ...BASE.settings, ...settings } })).toEqual(
      plan,
    );
  });
});
