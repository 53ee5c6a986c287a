// Cache indexes hold exactly what the cache holds.

import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../api/objects.ts';
import { MAX_LABEL_INDEXES, ObjectStore } from './object-store.ts';

function object(name: string, labels: Record<string, string>, owner?: string): KubeObject {
  const reference = { apiVersion: 'v1', kind: 'X', name: 'x', uid: owner ?? '', controller: true };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: name.startsWith('b') ? 'two' : 'one',
      name,
      labels,
      ...(owner === undefined ? {} : { ownerReferences: [reference] }),
    },
  };
}

const names = (objects: KubeObject[]): string[] => objects.map((one) => one.metadata.name).sort();

describe('object store', () => {
  test('indexes asked for late hold what was there and follow what changes', () => {
    const store = new ObjectStore();
    store.set(object('a1', { app: 'x' }, 'u1'));
    store.set(object('b1', { app: 'x' }, 'u1'));
    expect(names(store.byLabel('app', 'x'))).toEqual(['a1', 'b1']);
    expect(names(store.byOwner('u1'))).toEqual(['a1', 'b1']);
    expect(names(store.list('two'))).toEqual(['b1']);
    store.set(object('a1', { app: 'y' }, 'u2'));
    store.set(object('a2', { app: 'y' }));
    expect(names(store.byLabel('app', 'x'))).toEqual(['b1']);
    expect(names(store.byLabel('app', 'y'))).toEqual(['a1', 'a2']);
    expect(names(store.byOwner('u2'))).toEqual(['a1']);
    store.remove(object('b1', { app: 'x' }, 'u1'));
    expect(store.byLabel('app', 'x')).toEqual([]);
    expect(store.list('two')).toEqual([]);
    expect(names(store.list())).toEqual(['a1', 'a2']);
    expect(store.get('one', 'a2')?.metadata.name).toBe('a2');
  });

  test('beyond the limit of indexes lookups still answer, by scanning', () => {
    const store = new ObjectStore();
    for (let count = 0; count < MAX_LABEL_INDEXES; count += 1) store.byLabel(`l${count}`, 'x');
    store.set(object('a1', { more: 'x' }));
    expect(names(store.byLabel('more', 'x'))).toEqual(['a1']);
  });
});
