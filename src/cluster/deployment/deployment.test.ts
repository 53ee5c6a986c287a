// Deployments over time: creation, scaling, rollouts, deadlines and failures, step by step.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Deployment, Pod } from '../../api/core.ts';
import { Deployment as DeploymentKind, Pod as PodKind } from '../../api/kinds.ts';
import { failure } from '../../kube/testing/failures.ts';
import { ClusterHarness, NAMESPACE } from '../testing/harness.ts';

let world: ClusterHarness;

beforeEach(async () => {
  world = new ClusterHarness();
  await world.start();
});

afterEach(() => world.stop());

const conditionOf = (deployment: Deployment, type: string): string | undefined => {
  const found = deployment.status?.conditions?.find((condition) => condition.type === type);
  return found === undefined ? undefined : `${found.status} ${found.reason}`;
};
const progressing = async (): Promise<string | undefined> =>
  conditionOf(await world.deployment(), 'Progressing');
const images = async (): Promise<string> =>
  (await world.pods())
    .map((pod) => pod.spec.containers[0]?.image)
    .sort()
    .join(' ');
const creations = (): number =>
  world.client.calls.filter((call) => call.verb === 'create' && call.kind === PodKind).length;

describe('deployment controller', () => {
  test('pods are named after their Deployment, labelled, annotated and owned by it', async () => {
    await world.createDeployment({ replicas: 2 });
    const pods = await world.pods();
    expect(pods).toHaveLength(2);
    for (const pod of pods) {
      expect(pod.metadata.name).toMatch(/^web-[a-z0-9]{5}$/);
      expect(pod.metadata.labels).toMatchObject({ app: 'web' });
      expect(pod.metadata.labels?.['pod-template-hash']).toMatch(/^[0-9a-f]{10}$/);
      expect(pod.metadata.annotations).toEqual({ note: 'kept' });
      const { uid } = (await world.deployment()).metadata;
      expect(pod.metadata.ownerReferences).toMatchObject([
        { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid, controller: true },
      ]);
    }
  });

  test('CP-516: status counts pods and Progressing completes when all are available', async () => {
    await world.createDeployment({ replicas: 2 });
    expect((await world.deployment()).status).toMatchObject({
      observedGeneration: 1,
      replicas: 2,
      updatedReplicas: 2,
      readyReplicas: 0,
      unavailableReplicas: 2,
    });
    expect(await progressing()).toBe('True NewReplicaSetCreated');
    await world.report((await world.pods())[0]!, { ready: true });
    expect(await progressing()).toBe('True ReplicaSetUpdated');
    await world.readyAll();
    const deployment = await world.deployment();
    expect(deployment.status).toMatchObject({ readyReplicas: 2, availableReplicas: 2 });
    expect(conditionOf(deployment, 'Progressing')).toBe('True NewReplicaSetAvailable');
    expect(conditionOf(deployment, 'Available')).toBe('True MinimumReplicasAvailable');
  });

  test('a pod that disappears is replaced at once', async () => {
    await world.createDeployment();
    const [pod] = await world.pods();
    const { namespace, name } = pod!.metadata;
    await world.client.delete(PodKind, { namespace, name });
    await world.settle();
    const [next] = await world.pods();
    expect(next?.metadata.name).not.toBe(name);
  });

  test('scaling up and down changes only what differs', async () => {
    await world.createDeployment({ replicas: 1 });
    await world.readyAll();
    const first = (await world.pods())[0]!.metadata.name;
    await world.scale(3);
    expect((await world.pods()).map((pod) => pod.metadata.name)).toContain(first);
    expect(await world.pods()).toHaveLength(3);
    await world.scale(1);
    expect((await world.pods()).map((pod) => pod.metadata.name)).toEqual([first]);
    await world.scale(0);
    expect(await world.pods()).toEqual([]);
    expect((await world.deployment()).status).toMatchObject({ replicas: 0, readyReplicas: 0 });
  });

  test('a pass on a cache that shows nothing yet creates no pod twice', async () => {
    // Pod events are held back: the controller sees its Deployment change, never its own pods.
    world.client.intercept = (call) => {
      if (call.verb === 'watch' && call.kind === PodKind) throw new Error('no pods to be seen');
    };
    world.client.breakWatches();
    await world.createDeployment({ replicas: 3 });
    await world.advance(100);
    for (const replicas of [4, 5]) {
      await world.scale(replicas);
      await world.advance(100);
    }
    expect(creations()).toBe(5);
    expect(await world.pods()).toHaveLength(5);
  });

  test('an update replaces pods one by one without ever losing an available one', async () => {
    await world.createDeployment({ replicas: 3 });
    await world.readyAll();
    await world.setImage('v2');
    for (let round = 0; round < 3; round += 1) {
      const pods = await world.pods();
      expect(pods.length).toBeLessThanOrEqual(4);
      const fresh = pods.filter((pod) => pod.status === undefined);
      expect(fresh).toHaveLength(1);
      expect(pods.length - fresh.length).toBe(3);
      await world.report(fresh[0]!, { ready: true });
    }
    expect(await images()).toBe('v2 v2 v2');
    expect(await progressing()).toBe('True NewReplicaSetAvailable');
  });

  test('an update whose pods never become ready keeps the old ones and fails its deadline', async () => {
    await world.createDeployment({ replicas: 2, progressDeadlineSeconds: 60 });
    await world.readyAll();
    await world.setImage('broken');
    expect(await images()).toBe('broken v1 v1');
    expect(await progressing()).toBe('True ReplicaSetUpdated');
    await world.advance(59_000);
    expect(await progressing()).toBe('True ReplicaSetUpdated');
    await world.advance(1_000);
    expect(await progressing()).toBe('False ProgressDeadlineExceeded');
    expect(await images()).toBe('broken v1 v1');
    await world.setImage('v3');
    await world.advance(0);
    expect(await images()).toBe('v1 v1 v3');
    await world.readyAll();
    await world.readyAll();
    expect(await images()).toBe('v3 v3');
    expect(await progressing()).toBe('True NewReplicaSetAvailable');
  });

  test('CP-516: a first rollout times out, and scaling to 0 makes Progressing True again', async () => {
    await world.createDeployment({ replicas: 1, progressDeadlineSeconds: 10 });
    await world.advance(10_000);
    expect(await progressing()).toBe('False ProgressDeadlineExceeded');
    await world.scale(0);
    expect(await progressing()).toBe('True NewReplicaSetAvailable');
    await world.scale(1);
    await world.advance(60_000);
    expect(await progressing()).toBe('True NewReplicaSetAvailable');
  });

  test('CP-516: ReplicaFailure is True while pods cannot be created, and goes when they can', async () => {
    world.client.intercept = (call) => {
      if (call.verb !== 'create' || call.kind !== PodKind) return;
      throw failure(403, 'Forbidden', 'pods "web" is forbidden: exceeded quota');
    };
    await world.createDeployment({ replicas: 3 });
    expect(conditionOf(await world.deployment(), 'ReplicaFailure')).toBe('True FailedCreate');
    expect(creations()).toBeLessThanOrEqual(8);
    world.client.intercept = () => undefined;
    await world.advance(1_000);
    expect(await world.pods()).toHaveLength(3);
    expect(conditionOf(await world.deployment(), 'ReplicaFailure')).toBeUndefined();
  });

  test('a creation with unknown outcome is tried again under the same name', async () => {
    let attempts = 0;
    const names: string[] = [];
    world.client.intercept = async (call) => {
      if (call.verb !== 'create' || call.kind !== PodKind) return;
      attempts += 1;
      names.push(call.key);
      if (attempts === 1) throw new Error('connection reset');
    };
    await world.createDeployment();
    await world.advance(100);
    expect(names).toHaveLength(2);
    expect(names[0]).toBe(names[1]);
    expect(conditionOf(await world.deployment(), 'ReplicaFailure')).toBeUndefined();
  });

  test('failed pods are removed and replaced', async () => {
    await world.createDeployment();
    const [pod] = await world.pods();
    await world.report(pod!, { phase: 'Failed' });
    const [next] = await world.pods();
    expect(next?.metadata.name).not.toBe(pod?.metadata.name);
    expect(await world.pods()).toHaveLength(1);
  });

  test('a terminating pod no longer counts, its replacement is made at once', async () => {
    await world.createDeployment();
    const [pod] = await world.pods();
    const key = { namespace: NAMESPACE, name: pod!.metadata.name };
    const body = { spec: { nodeName: 'local' } };
    await world.client.patch(PodKind, key, { type: 'merge', body });
    await world.client.delete(PodKind, key);
    await world.settle();
    expect(await world.pods()).toHaveLength(2);
    expect((await world.deployment()).status).toMatchObject({ replicas: 1 });
  });

  test('Recreate ends all old pods before it makes new ones', async () => {
    await world.createDeployment({ replicas: 2, strategy: { type: 'Recreate' } });
    await world.readyAll();
    const [kept] = await world.pods();
    const key = { namespace: NAMESPACE, name: kept!.metadata.name };
    const body = { spec: { nodeName: 'local' } };
    await world.client.patch(PodKind, key, { type: 'merge', body });
    await world.setImage('v2');
    expect(await images()).toBe('v1');
    await world.client.delete(PodKind, key, { gracePeriodSeconds: 0 });
    await world.settle();
    expect(await images()).toBe('v2 v2');
  });

  test('minReadySeconds delays availability, not readiness', async () => {
    const spec = { replicas: 1, minReadySeconds: 5 } as Partial<Deployment['spec']>;
    await world.createDeployment(spec);
    await world.readyAll();
    expect((await world.deployment()).status).toMatchObject({
      readyReplicas: 1,
      availableReplicas: 0,
    });
    await world.advance(5_000);
    expect((await world.deployment()).status).toMatchObject({ availableReplicas: 1 });
  });

  test('a Deployment being deleted is left alone', async () => {
    await world.createDeployment({ replicas: 1 });
    const key = { namespace: NAMESPACE, name: 'web' };
    const body = { metadata: { finalizers: ['test/hold'] } };
    await world.client.patch(DeploymentKind, key, { type: 'merge', body });
    await world.client.delete(DeploymentKind, key);
    await world.settle();
    const before = creations();
    for (const { metadata } of await world.pods()) {
      await world.client.delete(PodKind, { namespace: NAMESPACE, name: metadata.name });
    }
    await world.settle();
    expect(creations()).toBe(before);
  });

  test('an unchanged world causes no writes', async () => {
    await world.createDeployment({ replicas: 2 });
    await world.readyAll();
    const before = world.client.calls.length;
    await world.client.patch<Pod>(
      PodKind,
      { namespace: NAMESPACE, name: (await world.pods())[0]!.metadata.name },
      { type: 'merge', body: { metadata: { annotations: { seen: 'yes' } } } },
    );
    await world.settle();
    const writes = world.client.calls.slice(before).filter(({ verb }) => verb !== 'list');
    expect(writes).toHaveLength(1);
  });
});
