// Class HPA against the in-memory API: the HorizontalPodAutoscaler it writes and the status it
// takes from it.

import { afterEach, describe, expect, it } from 'vitest';
import { findCondition } from '../../api/conditions.ts';
import type { HorizontalPodAutoscaler } from '../../api/horizontal-pod-autoscaler.ts';
import * as kinds from '../../api/kinds.ts';
import { NAMESPACE, World } from '../testing/world.ts';

let world: World | null = null;
afterEach(async () => {
  await world?.stop();
  world = null;
});

const PREFIX = 'autoscaling.knative.dev/';
const key = { namespace: NAMESPACE, name: 'hello' };

async function startWith(annotations: Record<string, string>): Promise<World> {
  world = await World.start();
  const prefixed = Object.fromEntries(
    Object.entries(annotations).map(([name, value]) => [PREFIX + name, value]),
  );
  await world.createRevision('hello', {
    annotations: { [`${PREFIX}class`]: 'hpa.autoscaling.knative.dev', ...prefixed },
  });
  await world.settle();
  return world;
}

const hpa = (from: World): Promise<HorizontalPodAutoscaler> =>
  from.client.get<HorizontalPodAutoscaler>(kinds.HorizontalPodAutoscaler, key);

async function setReplicas(from: World, current: number, desired: number): Promise<void> {
  const status = { currentReplicas: current, desiredReplicas: desired };
  const patch = { type: 'merge', body: { status } } as const;
  await from.client.patch(kinds.HorizontalPodAutoscaler, key, patch, { subresource: 'status' });
  await from.settle();
}

describe('class HPA', () => {
  it('AS-157, AS-158: one object per PodAutoscaler, owned by it, without a lower bound', async () => {
    const made = await hpa(await startWith({ metric: 'cpu' }));
    expect(made.metadata.ownerReferences?.[0]).toMatchObject({
      kind: 'PodAutoscaler',
      name: 'hello',
      controller: true,
    });
    expect(made.spec).toEqual({
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'hello-deployment' },
      maxReplicas: 2_147_483_647,
    });
  });

  it.each([
    [
      'cpu',
      '49.2',
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
      },
    ],
    [
      'memory',
      '200',
      {
        type: 'Resource',
        resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '200Mi' } },
      },
    ],
    [
      'queue_length',
      '3.7',
      {
        type: 'Pods',
        pods: {
          metric: { name: 'queue_length' },
          target: { type: 'AverageValue', averageValue: '3' },
        },
      },
    ],
  ])('AS-159: metric %s with target %s', async (metric, target, expected) => {
    const made = await hpa(await startWith({ metric, target }));
    expect(made.spec.metrics).toEqual([expected]);
  });

  it('AS-158, AS-160: bounds and window', async () => {
    const made = await hpa(
      await startWith({ metric: 'cpu', 'min-scale': '2', 'max-scale': '5', window: '30s' }),
    );
    expect(made.spec).toMatchObject({
      minReplicas: 2,
      maxReplicas: 5,
      behavior: {
        scaleUp: { stabilizationWindowSeconds: 30 },
        scaleDown: { stabilizationWindowSeconds: 30 },
      },
    });
  });

  it('AS-162 to AS-165: Serve through all activators; status comes from the object', async () => {
    const from = await startWith({ metric: 'cpu' });
    await setReplicas(from, 1, 3);
    const sks = await from.sks('hello');
    expect(sks.spec).toMatchObject({ mode: 'Serve', numActivators: 0 });
    const pa = await from.pa('hello');
    expect(pa.status).toMatchObject({ actualScale: 1, desiredScale: 3 });
    for (const type of ['Active', 'SKSReady', 'ScaleTargetInitialized', 'Ready']) {
      expect(findCondition(pa, type)?.status, type).toBe('True');
    }
    await expect(from.client.get(kinds.Metric, key)).rejects.toThrow();
    expect(from.autoscaler.decisions(`${NAMESPACE}/hello`)).toBeNull();
  });

  it('AS-161: a changed setting changes the object, and only then is it written', async () => {
    const from = await startWith({ metric: 'cpu', target: '50' });
    const before = (await hpa(from)).metadata.resourceVersion;
    await setReplicas(from, 1, 1);
    const afterStatus = (await hpa(from)).metadata.resourceVersion;
    await from.seconds(5);
    expect((await hpa(from)).metadata.resourceVersion).toBe(afterStatus);
    expect(before).not.toBe(afterStatus);
    const annotations = { [`${PREFIX}target`]: '70' };
    const patch = { type: 'merge', body: { metadata: { annotations } } } as const;
    await from.client.patch(kinds.PodAutoscaler, key, patch);
    await from.settle();
    expect((await hpa(from)).spec.metrics?.[0]).toMatchObject({
      resource: { target: { averageUtilization: 70 } },
    });
  });

  it("AS-144: somebody else's object is left alone and reported", async () => {
    world = await World.start();
    await world.client.create(kinds.HorizontalPodAutoscaler, {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { ...key },
      spec: { maxReplicas: 1 },
    } as never);
    await world.createRevision('hello', {
      annotations: { [`${PREFIX}class`]: 'hpa.autoscaling.knative.dev' },
    });
    await world.settle();
    const active = findCondition(await world.pa('hello'), 'Active');
    expect(active).toMatchObject({
      status: 'False',
      reason: 'NotOwned',
      message: 'There is an existing HorizontalPodAutoscaler "hello" that we do not own.',
    });
    expect((await hpa(world)).spec).toEqual({ maxReplicas: 1 });
  });
});
