// HorizontalPodAutoscalers over the in-memory API: pods with a usage made up by the test, time
// moved by hand.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HorizontalPodAutoscaler, HpaMetric } from '../../api/horizontal-pod-autoscaler.ts';
import { HorizontalPodAutoscaler as HpaKind } from '../../api/kinds.ts';
import type { PodUsage } from '../../api/pod-usage.ts';
import { ClusterHarness, NAMESPACE } from '../testing/harness.ts';
import { PERIOD_MS } from './reconciler.ts';

/** Of every pod. */
let usage: PodUsage | null = null;
let cluster: ClusterHarness;

const cpu = (percent: number): HpaMetric => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } },
});

beforeEach(async () => {
  usage = null;
  cluster = new ClusterHarness({ usage: () => usage });
  await cluster.start();
  await cluster.createDeployment();
  await cluster.readyAll();
});
afterEach(() => cluster.stop());

async function create(spec: Partial<HorizontalPodAutoscaler['spec']>): Promise<void> {
  await cluster.client.create<HorizontalPodAutoscaler>(HpaKind, {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { namespace: NAMESPACE, name: 'web' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      maxReplicas: 10,
      metrics: [cpu(50)],
      ...spec,
    },
  });
  await cluster.settle();
}

const use = (cpuMilli: number, memoryBytes = 0): void => {
  usage = { cpuMilli, memoryBytes, containers: ['app'] };
};

async function periods(count: number): Promise<number> {
  for (let period = 0; period < count; period += 1) {
    await cluster.advance(PERIOD_MS);
    await cluster.readyAll();
  }
  return (await cluster.deployment()).spec.replicas ?? 0;
}

const hpa = (): Promise<HorizontalPodAutoscaler> =>
  cluster.client.get<HorizontalPodAutoscaler>(HpaKind, { namespace: NAMESPACE, name: 'web' });

const conditionOf = async (type: string) =>
  (await hpa()).status?.conditions?.find((condition) => condition.type === type);

describe('the embedded HorizontalPodAutoscaler', () => {
  it('grows with the CPU its pods use and says so', async () => {
    use(1000); // A whole core each, which is also what a pod without a request may use.
    await create({});
    expect(await periods(1)).toBe(2);
    expect(await periods(1)).toBe(4);
    const { status } = await hpa();
    expect(status).toMatchObject({
      currentMetrics: [{ resource: { name: 'cpu', current: { averageUtilization: 100 } } }],
    });
    expect(status?.lastScaleTime).toBeDefined();
    expect((await conditionOf('ScalingActive'))?.reason).toBe('ValidMetricFound');
  });

  it('stops at maxReplicas and names the bound', async () => {
    use(1000);
    await create({ maxReplicas: 3 });
    expect(await periods(4)).toBe(3);
    expect((await conditionOf('ScalingLimited'))?.reason).toBe('TooManyReplicas');
  });

  it('shrinks after the down window, never below minReplicas', async () => {
    use(1000);
    await create({ maxReplicas: 4 });
    expect(await periods(4)).toBe(4);
    use(10);
    expect(await periods(5)).toBe(4);
    expect(await periods(20)).toBe(1);
  });

  it('measures memory per pod', async () => {
    use(0, 300 * 2 ** 20);
    const target = { type: 'AverageValue', averageValue: '100Mi' } as const;
    await create({ metrics: [{ type: 'Resource', resource: { name: 'memory', target } }] });
    expect(await periods(1)).toBe(3);
  });

  it('changes nothing while nothing is measured, and says why', async () => {
    await create({});
    expect(await periods(3)).toBe(1);
    expect(await conditionOf('ScalingActive')).toMatchObject({
      status: 'False',
      reason: 'FailedGetResourceMetric',
      message: 'no ready pod is measured for cpu yet',
    });
  });

  it('does not take pods away when one of several metrics cannot be read', async () => {
    use(10);
    await cluster.scale(4);
    await cluster.readyAll();
    const target = { type: 'AverageValue', averageValue: '5' } as const;
    const custom: HpaMetric = { type: 'Pods', pods: { metric: { name: 'queue' }, target } };
    await create({ metrics: [cpu(50), custom] });
    expect(await periods(30)).toBe(4);
    expect((await conditionOf('ScalingActive'))?.reason).toBe('FailedGetPodsMetric');
  });

  it('leaves a target alone that somebody scaled to zero', async () => {
    use(1000);
    await create({});
    await cluster.scale(0);
    expect(await periods(3)).toBe(0);
    expect((await conditionOf('ScalingActive'))?.reason).toBe('ScalingDisabled');
  });

  it('reports a target that is not there', async () => {
    await create({ scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'nobody' } });
    await periods(1);
    expect(await conditionOf('AbleToScale')).toMatchObject({
      status: 'False',
      reason: 'FailedGetScale',
    });
  });
});
