// Garbage collection on the in-memory API, and against a model of who should survive.

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ClusterDomainClaim, ConfigMap, type Kind, Secret } from '../../api/kinds.ts';
import type { KubeObject, OwnerReference } from '../../api/objects.ts';
import { ClusterHarness, NAMESPACE } from '../testing/harness.ts';

let world: ClusterHarness;

beforeEach(async () => {
  world = new ClusterHarness();
  await world.start();
});

afterEach(() => world.stop());

async function create(name: string, owners: OwnerReference[] = [], kind: Kind = ConfigMap) {
  const object: KubeObject = {
    apiVersion: kind.group === '' ? 'v1' : `${kind.group}/${kind.version}`,
    kind: kind.kind,
    metadata: {
      name,
      ...(kind.namespaced ? { namespace: NAMESPACE } : {}),
      ...(owners.length === 0 ? {} : { ownerReferences: owners }),
    },
  };
  return world.client.create(kind, object);
}

const refTo = (owner: KubeObject, more: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid ?? '',
  ...more,
});

async function names(kind: Kind = ConfigMap): Promise<string[]> {
  const { items } = await world.client.list(kind, { namespace: NAMESPACE });
  return items.map((item) => item.metadata.name);
}

const remove = async (
  name: string,
  propagationPolicy: 'Background' | 'Foreground' | 'Orphan' = 'Background',
): Promise<void> => {
  await world.client.delete(ConfigMap, { namespace: NAMESPACE, name }, { propagationPolicy });
  await world.settle();
};

describe('garbage collection', () => {
  test('KN-203: dependents follow their owner through any depth', async () => {
    const a = await create('a');
    const b = await create('b', [refTo(a)]);
    await create('c', [refTo(b)], Secret);
    await world.settle();
    await remove('a');
    expect(await names()).toEqual([]);
    expect(await names(Secret)).toEqual([]);
  });

  test('KN-203: one living owner is enough, and dead references are dropped', async () => {
    const a = await create('a');
    const b = await create('b');
    await create('c', [refTo(a), refTo(b)]);
    await world.settle();
    await remove('a');
    expect(await names()).toEqual(['b', 'c']);
    const c = await world.client.get(ConfigMap, { namespace: NAMESPACE, name: 'c' });
    expect(c.metadata.ownerReferences).toEqual([refTo(b)]);
  });

  test('KN-203: an owner by the same name with another uid counts as gone', async () => {
    const a = await create('a');
    await world.settle();
    await create('b', [{ ...refTo(a), uid: 'somebody-else' }]);
    await world.settle();
    expect(await names()).toEqual(['a']);
  });

  test('KN-203: an owner in another namespace is a missing owner', async () => {
    const elsewhere = await world.client.create(ConfigMap, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: 'knative-serving', name: 'far' },
    });
    await world.settle();
    await create('b', [refTo(elsewhere)]);
    await world.settle();
    expect(await names()).toEqual([]);
  });

  test('a cluster-scoped owner may own anything', async () => {
    const claim = await create('example.com', [], ClusterDomainClaim);
    await create('b', [refTo(claim)]);
    await world.settle();
    expect(await names()).toEqual(['b']);
    await world.client.delete(ClusterDomainClaim, { name: 'example.com' });
    await world.settle();
    expect(await names()).toEqual([]);
  });

  test('an owner of an unknown kind is never judged gone', async () => {
    await create('b', [{ apiVersion: 'other/v1', kind: 'Thing', name: 'x', uid: 'u' }]);
    await world.settle();
    expect(await names()).toEqual(['b']);
  });

  test('an owner the cache does not show yet is asked for, not presumed gone', async () => {
    world.client.intercept = (call) => {
      if (call.verb === 'watch' && call.kind === Secret) throw new Error('no secrets to be seen');
    };
    world.client.breakWatches();
    await world.advance(100);
    const owner = await create('s', [], Secret);
    await create('b', [refTo(owner)]);
    await world.advance(100);
    expect(await names()).toEqual(['b']);
  });

  test('KN-201: Foreground waits for blocking dependents, then lets the owner go', async () => {
    const a = await create('a');
    const b = await create('b', [refTo(a, { blockOwnerDeletion: true })]);
    const held = { metadata: { finalizers: ['test/hold'] } };
    const key = { namespace: NAMESPACE, name: 'b' };
    await world.client.patch(ConfigMap, key, { type: 'merge', body: held });
    await create('c', [refTo(b, { blockOwnerDeletion: true })]);
    await world.settle();
    await remove('a', 'Foreground');
    await world.advance(100);
    expect(await names()).toEqual(['a', 'b']);
    const release = { metadata: { finalizers: [] } };
    await world.client.patch(ConfigMap, key, { type: 'merge', body: release });
    await world.advance(100);
    expect(await names()).toEqual([]);
  });

  test('KN-201: Foreground does not wait for dependents that do not block', async () => {
    const a = await create('a');
    await create('b', [refTo(a)]);
    await world.settle();
    await remove('a', 'Foreground');
    await world.advance(100);
    expect(await names()).toEqual([]);
  });

  test('KN-201: Orphan frees the dependents before the owner goes', async () => {
    const a = await create('a');
    await create('b', [refTo(a)]);
    await world.settle();
    await remove('a', 'Orphan');
    await world.advance(100);
    expect(await names()).toEqual(['b']);
    const b = await world.client.get(ConfigMap, { namespace: NAMESPACE, name: 'b' });
    expect(b.metadata.ownerReferences ?? []).toEqual([]);
  });

  test('events lost in a gap are made up for by the next list', async () => {
    const a = await create('a');
    await create('b', [refTo(a)]);
    await world.settle();
    world.client.intercept = (call) => {
      if (call.verb === 'watch') throw new Error('down');
    };
    world.client.breakWatches();
    await remove('a');
    world.client.intercept = () => undefined;
    await world.advance(10_000);
    await world.advance(10_000);
    expect(await names()).toEqual([]);
  });

  test('model: what survives is exactly what has a living chain to something unowned', async () => {
    const graph = fc.record({
      owners: fc.array(fc.uniqueArray(fc.nat(6), { maxLength: 2 }), { minLength: 3, maxLength: 7 }),
      deleted: fc.uniqueArray(fc.nat(6), { minLength: 1, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(graph, async ({ owners, deleted }) => {
        await world.stop();
        world = new ClusterHarness();
        await world.start();
        const created: KubeObject[] = [];
        for (const [index, given] of owners.entries()) {
          // Only earlier objects can own: references need their uid.
          const references = given.filter((owner) => owner < index);
          const refs = references.map((owner) => refTo(created[owner]!));
          created.push(await create(`m${index}`, refs));
        }
        await world.settle();
        const roots = deleted.filter((index) => index < created.length);
        await Promise.all(
          roots.map((index) =>
            world.client.delete(ConfigMap, { namespace: NAMESPACE, name: `m${index}` }),
          ),
        );
        await world.advance(1_000);
        await world.advance(1_000);
        expect(await names()).toEqual(survivors(owners, new Set(roots)));
      }),
      { numRuns: 60 },
    );
  });
});

/** An object lives unless it was deleted, or it had owners and none of them lives. */
function survivors(owners: number[][], deleted: Set<number>): string[] {
  const alive: boolean[] = [];
  for (const [index, given] of owners.entries()) {
    const references = given.filter((owner) => owner < index);
    const isOwned = references.length === 0 || references.some((owner) => alive[owner]);
    alive.push(!deleted.has(index) && isOwned);
  }
  return alive.flatMap((isAlive, index) => (isAlive ? [`m${index}`] : []));
}
