import { describe, expect, it } from 'vitest';
import type { PodAutoscaler } from '../api/autoscaling.ts';
import type { Deployment } from '../api/core.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { ApiError, type KubeClient, type Lister } from '../kube/types.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { ScaleTargets } from './scale-target.ts';

interface Sent {
  path: string;
  replicas: unknown;
  answer: (resourceVersion?: string) => void;
  fail: (error: Error) => void;
}

function make(replicas: number | undefined): {
  sent: Sent[];
  deployment: Deployment;
  targets: ScaleTargets;
} {
  const sent: Sent[] = [];
  const deployment = {
    metadata: { name: 'd', namespace: 'default', resourceVersion: '10' },
    spec: replicas === undefined ? {} : { replicas },
  } as Deployment;
  const client = {
    get: async () => ({ metadata: { resourceVersion: '1' }, spec: { replicas: 1 } }),
    patch: (
      kind: { plural: string; group: string; version: string },
      key: { name: string },
      patch: { body: { value: unknown }[] },
      options: { subresource: string },
    ) =>
      new Promise((resolve, reject) => {
        sent.push({
          path: `${kind.group}/${kind.version}/${kind.plural}/${key.name}/${options.subresource}`,
          replicas: patch.body[0]!.value,
          answer: (resourceVersion = '20') => resolve({ metadata: { resourceVersion } }),
          fail: reject,
        });
      }),
  } as unknown as KubeClient;
  const deployments = {
    getByKey: (key: string) => (key === 'default/d' ? deployment : undefined),
  } as unknown as Lister<Deployment>;
  const clock = new FakeClock();
  const targets = new ScaleTargets({ client, deployments, clock, logger: silentLogger });
  return { sent, deployment, targets };
}

const pa = (target: Partial<PodAutoscaler['spec']['scaleTargetRef']> = {}): PodAutoscaler =>
  ({
    metadata: { name: 'r', namespace: 'default' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd', ...target } },
  }) as PodAutoscaler;

describe('scaling a target', () => {
  it('AS-137: sends one JSON patch to the scale subresource, before the call returns', async () => {
    const { sent, targets } = make(0);
    const done = targets.scale(pa(), 3);
    expect(sent[0]).toMatchObject({ path: 'apps/v1/deployments/d/scale', replicas: 3 });
    sent[0]!.answer();
    await done;
  });

  it('AS-137: nothing is sent for the number it already has; absent means one', async () => {
    const { sent, targets } = make(undefined);
    await targets.scale(pa(), 1);
    expect(sent).toHaveLength(0);
  });

  it('a wake does not overtake a write to zero, nor believe the cache of before', async () => {
    const { sent, targets } = make(1);
    const down = targets.scale(pa(), 0);
    const up = targets.scale(pa(), 1);
    expect(sent.map((one) => one.replicas)).toEqual([0]);
    sent[0]!.answer('20');
    await down;
    await Promise.resolve();
    expect(sent.map((one) => one.replicas)).toEqual([0, 1]);
    sent[1]!.answer('21');
    await up;
  });

  it('once the cache has caught up it is believed again', async () => {
    const { sent, deployment, targets } = make(1);
    const down = targets.scale(pa(), 0);
    sent[0]!.answer('20');
    await down;
    await targets.scale(pa(), 0);
    expect(sent).toHaveLength(1);
    deployment.metadata.resourceVersion = '30';
    deployment.spec.replicas = 4;
    const again = targets.scale(pa(), 0);
    expect(sent).toHaveLength(2);
    sent[1]!.answer('31');
    await again;
  });

  it('AS-137: failures name the step, and do not hold up the next write', async () => {
    const { sent, targets } = make(1);
    const down = targets.scale(pa(), 0);
    const up = targets.scale(pa(), 2);
    sent[0]!.fail(
      new ApiError({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'no',
      }),
    );
    await expect(down).rejects.toThrow('failed to apply scale 0 to scale target d: no');
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent[1]!.replicas).toBe(2);
    sent[1]!.answer();
    await up;
    await expect(targets.scale(pa({ name: 'gone' }), 1)).rejects.toThrow(
      'failed to get scale target apps/v1 Deployment gone: deployments.apps "gone" not found',
    );
  });

  it('AS-199: any kind with replicas and a scale subresource will do', async () => {
    const { sent, targets } = make(1);
    const done = targets.scale(pa({ apiVersion: 'example.com/v2', kind: 'Bus', name: 'b' }), 5);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent[0]!.path).toBe('example.com/v2/buses/b/scale');
    sent[0]!.answer();
    await done;
  });
});
