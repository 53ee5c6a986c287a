import { describe, expect, it } from 'vitest';
import type { PodAutoscaler } from '../api/autoscaling.ts';
import { CONDITION_SETS, ConditionManager } from '../api/conditions.ts';
import type { ServerlessService } from '../api/networking.ts';
import { activatorCount, backedByActivatorForMs, sksMode } from './activator-path.ts';
import { desiredMetric, desiredSks } from './child-objects.ts';
import type { EffectiveSettings } from './effective-settings.ts';
import { ACTIVE, markFailedCreate, SKS_READY } from './pod-autoscaler-status.ts';

const P = 'autoscaling.knative.dev/';
const pa: PodAutoscaler = {
  apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
  kind: 'PodAutoscaler',
  metadata: {
    namespace: 'default',
    name: 'r',
    uid: 'u',
    labels: { app: 'r' },
    annotations: { [`${P}metric`]: 'rps', [`${P}target`]: '5' },
  },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'r-deployment' },
    protocolType: 'h2c',
  },
  status: { metricsServiceName: 'r-private' },
} as PodAutoscaler;
const NOW = Date.parse('2026-11-21T10:00:00Z');

describe('what a PodAutoscaler owns', () => {
  it('AS-149: the SKS has its name, labels and target, and all annotations but the metric', () => {
    const sks = desiredSks(pa, 'Proxy', 3);
    expect(sks.metadata).toMatchObject({
      namespace: 'default',
      name: 'r',
      labels: { app: 'r' },
      ownerReferences: [{ kind: 'PodAutoscaler', name: 'r', uid: 'u', controller: true }],
    });
    expect(sks.metadata.annotations).toEqual({ [`${P}target`]: '5' });
    expect(sks.spec).toEqual({
      mode: 'Proxy',
      objectRef: pa.spec.scaleTargetRef,
      protocolType: 'h2c',
      numActivators: 3,
    });
  });

  it('AS-51, AS-52: the Metric has all annotations and whole nanoseconds', () => {
    const settings = { stableWindowMs: 60_000, panicWindowMs: 6000, targetBurstCapacity: 211 };
    const metric = desiredMetric(pa, settings as EffectiveSettings);
    expect(metric.metadata.annotations).toEqual(pa.metadata.annotations);
    const spec = { stableWindow: 60e9, panicWindow: 6e9, scrapeTarget: 'r-private' };
    expect(metric.spec).toEqual(spec);
  });
});

describe('the way through activators', () => {
  it.each([
    [1, 0, 'Serve'],
    [1, -1, 'Proxy'],
    [0, 5, 'Proxy'],
    [-1, 5, 'Proxy'],
  ])('AS-138, AS-150: wanted %d with a spare of %d is %s', (wanted, spare, mode) => {
    expect(sksMode(wanted, spare)).toBe(mode);
  });

  it.each([
    ['TBC 0', 50, 100, 0, 2],
    ['the default', 1, 100, 211, 4],
    ['no limit', 1, 100, -1, 2],
    ['many pods', 10, 100, 211, 13],
  ])('AS-151, AS-192: activators for %s', (_name, ready, capacity, tbc, expected) => {
    expect(activatorCount(ready, capacity, tbc, 100)).toBe(expected);
  });

  it('AS-152: backed since the condition became True, 0 while it is not', () => {
    const backed = (status: string, lastTransitionTime?: string): number =>
      backedByActivatorForMs(
        {
          status: {
            conditions: [{ type: 'ActivatorEndpointsPopulated', status, lastTransitionTime }],
          },
        } as unknown as ServerlessService,
        NOW,
      );
    expect(backed('True', '2026-11-21T09:59:30Z')).toBe(30_000);
    expect(backed('False', '2026-11-21T09:59:30Z')).toBe(0);
    expect(backed('True')).toBe(0);
  });
});

describe('conditions', () => {
  const manager = (): ConditionManager => {
    const conditions = new ConditionManager(CONDITION_SETS.PodAutoscaler, {}, NOW);
    conditions.initialize();
    return conditions;
  };

  it('AS-140: Ready sums up the three others; False beats Unknown', () => {
    const conditions = manager();
    expect(conditions.get('Ready')?.status).toBe('Unknown');
    conditions.markTrue('ScaleTargetInitialized');
    conditions.markTrue(SKS_READY);
    expect(conditions.get('Ready')?.status).toBe('Unknown');
    conditions.markTrue(ACTIVE);
    expect(conditions.get('Ready')?.status).toBe('True');
    conditions.markUnknown(SKS_READY, 'NotReady', 'why');
    conditions.markFalse(ACTIVE, 'NoTraffic', 'none');
    expect(conditions.get('Ready')).toMatchObject({ status: 'False', reason: 'NoTraffic' });
  });

  it('AS-145: an HPA that cannot be made', () => {
    const conditions = manager();
    markFailedCreate(conditions, 'HorizontalPodAutoscaler', 'r');
    const message = 'Failed to create HorizontalPodAutoscaler "r".';
    expect(conditions.get(ACTIVE)).toMatchObject({ reason: 'FailedCreate', message });
  });
});
