import { describe, expect, it } from 'vitest';
import type { PodAutoscaler } from '../api/autoscaling.ts';
import { DEFAULT_AUTOSCALER_CONFIG, parseAutoscalerConfig } from '../api/config/autoscaler.ts';
import {
  activeThreshold,
  type EffectiveSettings,
  effectiveSettings,
} from './effective-settings.ts';

const P = 'autoscaling.knative.dev/';

const resolve = (
  annotations: Record<string, string>,
  reachability: '' | 'Reachable' | 'Unreachable' = '',
  config: Record<string, string> = {},
): EffectiveSettings => {
  const pa = {
    metadata: { name: 'r', annotations },
    spec: { containerConcurrency: 0, reachability },
  } as unknown as PodAutoscaler;
  return effectiveSettings(pa, parseAutoscalerConfig(config), 600_000);
};

describe('effective settings', () => {
  it('come from the cluster where no annotation says otherwise', () => {
    expect(resolve({})).toEqual({
      metric: 'concurrency',
      target: 70,
      capacity: 100,
      targetBurstCapacity: 211,
      stableWindowMs: 60_000,
      panicWindowMs: 6000,
      panicThreshold: 2,
      minScale: 0,
      maxScale: 0,
      initialScale: 1,
      activationScale: 0,
      scaleDownDelayMs: 0,
      podRetentionMs: 0,
      activationTimeoutMs: 630_000,
      isReachable: true,
    });
    expect(DEFAULT_AUTOSCALER_CONFIG.podAutoscalerClass).toBe('kpa.autoscaling.knative.dev');
  });

  it('AS-40 to AS-49: annotations win', () => {
    expect(
      resolve({
        [`${P}metric`]: 'rps',
        [`${P}target`]: '150',
        [`${P}window`]: '30s',
        [`${P}panicWindowPercentage`]: '50',
        [`${P}panic-threshold-percentage`]: '150',
        [`${P}target-burst-capacity`]: '-1',
        [`${P}min-scale`]: '2',
        [`${P}max-scale`]: '9',
        [`${P}initial-scale`]: '4',
        [`${P}activation-scale`]: '3',
        [`${P}scale-down-delay`]: '15m',
        [`${P}scale-to-zero-pod-retention-period`]: '1m5s',
        'serving.knative.dev/progress-deadline': '30s',
      }),
    ).toEqual({
      metric: 'rps',
      target: 105,
      capacity: 150,
      targetBurstCapacity: -1,
      stableWindowMs: 30_000,
      panicWindowMs: 15_000,
      panicThreshold: 1.5,
      minScale: 2,
      maxScale: 9,
      initialScale: 4,
      activationScale: 3,
      scaleDownDelayMs: 900_000,
      podRetentionMs: 65_000,
      activationTimeoutMs: 60_000,
      isReachable: true,
    });
  });

  it('AS-40, AS-50: an unreachable revision has no lower bound and keeps no last pod', () => {
    const annotations = {
      [`${P}min-scale`]: '2',
      [`${P}max-scale`]: '9',
      [`${P}scale-to-zero-pod-retention-period`]: '1m',
    };
    const expected = { minScale: 0, maxScale: 9, podRetentionMs: 0, isReachable: false };
    expect(resolve(annotations, 'Unreachable')).toMatchObject(expected);
  });

  it('AS-41: an initial scale of 0 counts only where zero is allowed', () => {
    const zero = { [`${P}initial-scale`]: '0' };
    expect(resolve(zero).initialScale).toBe(1);
    expect(resolve(zero, '', { 'allow-zero-initial-scale': 'true' }).initialScale).toBe(0);
  });

  it('AS-42: the initial scale counts until it was reached once', () => {
    expect(activeThreshold({ minScale: 2, initialScale: 5 }, false)).toBe(5);
    expect(activeThreshold({ minScale: 2, initialScale: 5 }, true)).toBe(2);
    expect(activeThreshold({ minScale: 0, initialScale: 0 }, true)).toBe(1);
    expect(activeThreshold({ minScale: 0, initialScale: 0 }, false)).toBe(0);
  });
});
