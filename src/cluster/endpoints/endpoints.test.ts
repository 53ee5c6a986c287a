// Endpoints follow Services and pods through their lives.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CoreService, Endpoints } from '../../api/core.ts';
import {
  Endpoints as EndpointsKind,
  Pod as PodKind,
  CoreService as ServiceKind,
} from '../../api/kinds.ts';
import { ClusterHarness, NAMESPACE } from '../testing/harness.ts';

let world: ClusterHarness;

beforeEach(async () => {
  world = new ClusterHarness();
  await world.start();
});

afterEach(() => world.stop());

const buildService = (selector?: Record<string, string>): CoreService => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: NAMESPACE, name: 'web', labels: { tier: 'front' } },
  spec: {
    ...(selector === undefined ? {} : { selector }),
    ports: [{ name: 'http', port: 80, targetPort: 8012 }],
  },
});

async function createService(selector?: Record<string, string>): Promise<void> {
  await world.client.create(ServiceKind, buildService(selector));
  await world.settle();
}

const summary = (endpoints: Endpoints): string => {
  const count = (list: 'addresses' | 'notReadyAddresses'): number =>
    (endpoints.subsets ?? []).reduce((sum, subset) => sum + (subset[list]?.length ?? 0), 0);
  return `${count('addresses')} ready, ${count('notReadyAddresses')} not`;
};

describe('endpoints controller', () => {
  test('CP-518: the object exists, empty and labelled, before the first pod', async () => {
    await createService({ app: 'web' });
    const endpoints = await world.endpoints('web');
    expect(endpoints.subsets).toEqual([]);
    expect(endpoints.metadata.labels).toEqual({ tier: 'front' });
  });

  test('CP-518: a pod moves from not ready to ready and leaves when it terminates', async () => {
    await createService({ app: 'web' });
    await world.createDeployment();
    expect(summary(await world.endpoints('web'))).toBe('0 ready, 0 not');
    const [pod] = await world.pods();
    await world.report(pod!, { ip: '127.1.0.1' });
    expect(summary(await world.endpoints('web'))).toBe('0 ready, 1 not');
    await world.report(pod!, { ip: '127.1.0.1', ready: true });
    expect(summary(await world.endpoints('web'))).toBe('1 ready, 0 not');
    const key = { namespace: NAMESPACE, name: pod!.metadata.name };
    const body = { spec: { nodeName: 'local' } };
    await world.client.patch(PodKind, key, { type: 'merge', body });
    await world.client.delete(PodKind, key);
    await world.settle();
    expect(summary(await world.endpoints('web'))).toBe('0 ready, 0 not');
  });

  test('a Service without a selector keeps the Endpoints others write', async () => {
    await createService();
    await expect(world.endpoints('web')).rejects.toThrow('not found');
    const byHand: Endpoints = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { namespace: NAMESPACE, name: 'web' },
      subsets: [{ addresses: [{ ip: '127.0.0.9' }] }],
    };
    await world.client.create(EndpointsKind, byHand);
    await world.settle();
    expect(summary(await world.endpoints('web'))).toBe('1 ready, 0 not');
  });

  test('a changed selector and changed labels take effect', async () => {
    await createService({ app: 'other' });
    await world.createDeployment();
    await world.readyAll();
    expect(summary(await world.endpoints('web'))).toBe('0 ready, 0 not');
    const key = { namespace: NAMESPACE, name: 'web' };
    const body = { metadata: { labels: { tier: 'back' } }, spec: { selector: { app: 'web' } } };
    await world.client.patch(ServiceKind, key, { type: 'merge', body });
    await world.settle();
    const endpoints = await world.endpoints('web');
    expect(summary(endpoints)).toBe('1 ready, 0 not');
    expect(endpoints.metadata.labels).toEqual({ tier: 'back' });
  });

  test('deleted or altered Endpoints are restored', async () => {
    await createService({ app: 'web' });
    await world.createDeployment();
    await world.readyAll();
    const key = { namespace: NAMESPACE, name: 'web' };
    await world.client.delete(EndpointsKind, key);
    await world.settle();
    expect(summary(await world.endpoints('web'))).toBe('1 ready, 0 not');
    await world.client.patch(EndpointsKind, key, { type: 'merge', body: { subsets: [] } });
    await world.settle();
    expect(summary(await world.endpoints('web'))).toBe('1 ready, 0 not');
  });

  test('Endpoints go with their Service, and come back with a new one', async () => {
    await createService({ app: 'web' });
    const before = await world.endpoints('web');
    await world.client.delete(ServiceKind, { namespace: NAMESPACE, name: 'web' });
    await world.settle();
    await expect(world.endpoints('web')).rejects.toThrow('not found');
    await createService({ app: 'web' });
    expect((await world.endpoints('web')).metadata.uid).not.toBe(before.metadata.uid);
  });
});
