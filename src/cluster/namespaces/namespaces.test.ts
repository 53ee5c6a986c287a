import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigMap, Namespace as NamespaceKind } from '../../api/kinds.ts';
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

  test('KN-205: a namespace being deleted loses its content first, then its own finalizer', async () => {
    const finalized: string[] = [];
    const memory = world.client.request.bind(world.client);
    world.client.request = async (method, path, options) => {
      if (method !== 'PUT') return memory(method, path, options);
      const { spec } = (options?.body ?? {}) as { spec?: object };
      finalized.push(`${path} ${JSON.stringify(spec)}`);
      await world.client.patch(
        NamespaceKind,
        { name: 'team' },
        { type: 'merge', body: { metadata: { finalizers: [] } } },
      );
      return memory('GET', '/api/v1/pods?watch=true');
    };
    await world.client.create(NamespaceKind, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'team', finalizers: ['test/hold'] },
      spec: { finalizers: ['kubernetes'] },
    } as never);
    await world.client.create(ConfigMap, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: 'team', name: 'a' },
    });
    await world.settle();
    await world.client.delete(NamespaceKind, { name: 'team' });
    await world.settle();
    expect((await world.client.list(ConfigMap, { namespace: 'team' })).items).toEqual([]);
    expect(finalized).toEqual([]);
    await world.advance(250);
    expect(finalized).toEqual(['/api/v1/namespaces/team/finalize {"finalizers":[]}']);
    expect(await namespaceNames()).not.toContain('team');
  });
});
