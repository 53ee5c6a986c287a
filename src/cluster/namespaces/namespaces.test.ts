// Which namespaces exist without anybody asking.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Namespace as NamespaceKind } from '../../api/kinds.ts';
import { ClusterHarness } from '../testing/harness.ts';
import { REQUIRED_NAMESPACES } from './reconciler.ts';

let world: ClusterHarness;

beforeEach(async () => {
  world = new ClusterHarness();
  await world.start();
});

afterEach(() => world.stop());

const namespaceNames = async (): Promise<string[]> =>
  (await world.client.list(NamespaceKind)).items.map((item) => item.metadata.name);

describe('namespaces', () => {
  test('the required ones exist, and come back when they disappear', async () => {
    expect(await namespaceNames()).toEqual([...REQUIRED_NAMESPACES].sort());
    await world.client.delete(NamespaceKind, { name: 'default' });
    await world.settle();
    expect(await namespaceNames()).toEqual([...REQUIRED_NAMESPACES].sort());
  });

  test('CP-510: the system namespace is labelled as such', async () => {
    const namespace = await world.client.get(NamespaceKind, { name: 'knative-serving' });
    expect(namespace.metadata.labels).toMatchObject({
      'app.kubernetes.io/name': 'knative-serving',
    });
  });

  test('others come and go as they like', async () => {
    const metadata = { name: 'team' };
    await world.client.create(NamespaceKind, { apiVersion: 'v1', kind: 'Namespace', metadata });
    await world.client.delete(NamespaceKind, metadata);
    await world.settle();
    expect(await namespaceNames()).not.toContain('team');
  });
});
