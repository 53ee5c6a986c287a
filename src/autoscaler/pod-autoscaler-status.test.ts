import { describe, expect, it } from 'vitest';
import type { PodAutoscalerStatus } from '../api/autoscaling.ts';
import { CONDITION_SETS, ConditionManager } from '../api/conditions.ts';
import type { Condition } from '../api/objects.ts';
import type { EffectiveSettings } from './effective-settings.ts';
import { ACTIVE, computeScaleStatus, SCALE_TARGET_INITIALIZED } from './pod-autoscaler-status.ts';

const settings = (minScale: number, initialScale: number): EffectiveSettings =>
  ({ minScale, initialScale }) as EffectiveSettings;

interface Situation {
  active?: Condition['status'];
  initialized?: boolean;
  minScale?: number;
  initialScale?: number;
  wanted: number;
  ready: number;
}

const run = (given: Situation): { status: PodAutoscalerStatus; conditions: ConditionManager } => {
  const status: PodAutoscalerStatus = { serviceName: 'hello', desiredScale: 4 };
  const conditions = new ConditionManager(CONDITION_SETS.PodAutoscaler, status, 0);
  conditions.initialize();
  if (given.initialized) conditions.markTrue(SCALE_TARGET_INITIALIZED);
  if (given.active === 'True') conditions.markTrue(ACTIVE);
  if (given.active === 'False') conditions.markFalse(ACTIVE, 'NoTraffic', 'before');
  const effective = settings(given.minScale ?? 0, given.initialScale ?? 1);
  computeScaleStatus(status, conditions, effective, given.wanted, given.ready);
  return { status, conditions };
};

describe('status of a PodAutoscaler', () => {
  it.each<[string, Situation, string]>([
    ['wanted 0', { active: 'True', initialized: true, wanted: 0, ready: 1 }, 'False NoTraffic'],
    ['wanted 0 while activating', { wanted: 0, ready: 0 }, 'False TimedOut'],
    ['initial scale 0', { initialScale: 0, wanted: -1, ready: 0 }, 'False NoTraffic'],
    ['pods to come', { active: 'False', initialized: true, wanted: 1, ready: 0 }, 'Unknown Queued'],
    ['unknown scale while active', { active: 'True', wanted: -1, ready: 0 }, 'Unknown Queued'],
    [
      'unknown scale while inactive',
      { active: 'False', initialized: true, wanted: -1, ready: 0 },
      'False NoTraffic',
    ],
    ['enough pods', { initialized: true, wanted: 1, ready: 1 }, 'True'],
    [
      'fewer than min-scale',
      { minScale: 3, initialized: true, wanted: 3, ready: 2 },
      'Unknown Queued',
    ],
    [
      'enough pods but inactive and unknown: unchanged',
      { active: 'False', initialized: true, wanted: -1, ready: 1 },
      'False NoTraffic',
    ],
  ])('AS-143: %s', (_name, situation, expected) => {
    const active = run(situation).conditions.get(ACTIVE);
    expect([active?.status, active?.reason].filter(Boolean).join(' ')).toBe(expected);
  });

  it('AS-141: an unknown scale does not overwrite a known one', () => {
    expect(run({ wanted: -1, ready: 2 }).status).toMatchObject({ desiredScale: 4, actualScale: 2 });
    expect(run({ wanted: 3, ready: 2 }).status).toMatchObject({ desiredScale: 3 });
  });

  it('AS-142: initialised once the threshold is reached and the service is known', () => {
    const initialized = (given: Situation): string | undefined =>
      run(given).conditions.get(SCALE_TARGET_INITIALIZED)?.status;
    expect(initialized({ wanted: 3, ready: 2, initialScale: 3 })).toBe('Unknown');
    expect(initialized({ wanted: 3, ready: 3, initialScale: 3 })).toBe('True');
    expect(initialized({ wanted: 0, ready: 0, initialScale: 0 })).toBe('True');
    expect(initialized({ wanted: 0, ready: 0, initialized: true })).toBe('True');
  });
});
