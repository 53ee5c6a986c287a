// Merge, JSON and strategic merge patches; none may change its target.

import { expect, test } from 'vitest';
import { applyJsonPatch } from './json-patch.ts';
import { mergeNodeOf } from './merge-keys.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMerge } from './strategic-merge.ts';

test.each([
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  [['a'], { a: 1 }, { a: 1 }],
])('KN-173: merge patch of %j by %j is %j', (target, patch, expected) => {
  const before = structuredClone(target);
  expect(applyMergePatch(target, patch)).toEqual(expected);
  expect(target).toEqual(before);
});

test('a merge patch shares what it does not change', () => {
  const target = { metadata: { name: 'x' }, spec: { a: 1 } };
  const patched = applyMergePatch(target, { spec: { a: 2 } }) as typeof target;
  expect(patched.metadata).toBe(target.metadata);
});

test.each([
  [{ a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
  [{ a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
  [{ a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
  [{ a: 1, b: 2 }, [{ op: 'remove', path: '/a' }], { b: 2 }],
  [{ a: [1, 2] }, [{ op: 'remove', path: '/a/0' }], { a: [2] }],
  [{ a: 1 }, [{ op: 'replace', path: '/a', value: null }], { a: null }],
  [{ a: { b: 1 }, c: {} }, [{ op: 'move', from: '/a/b', path: '/c/d' }], { a: {}, c: { d: 1 } }],
  [{ a: 1 }, [{ op: 'copy', from: '/a', path: '/b' }], { a: 1, b: 1 }],
  [{ 'x/y': 1 }, [{ op: 'test', path: '/x~1y', value: 1 }], { 'x/y': 1 }],
  [{ a: 1 }, [{ op: 'add', path: '', value: { z: 1 } }], { z: 1 }],
])('KN-173: JSON patch of %j by %j is %j', (target, patch, expected) => {
  const before = structuredClone(target);
  expect(applyJsonPatch(target, patch)).toEqual(expected);
  expect(target).toEqual(before);
});

test.each([
  [[{ op: 'test', path: '/a', value: 2 }], 422],
  [[{ op: 'remove', path: '/missing' }], 422],
  [[{ op: 'replace', path: '/missing', value: 1 }], 422],
  [[{ op: 'add', path: '/a/b', value: 1 }], 422],
  [[{ op: 'frobnicate', path: '/a' }], 400],
  [{ op: 'add' }, 400],
  [[{ path: '/a' }], 400],
  [Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 })), 413],
])('KN-173: JSON patch %# is refused', (patch, code) => {
  expect(() => applyJsonPatch({ a: 1 }, patch)).toThrow(expect.objectContaining({ code }));
});

const pod = {
  metadata: { name: 'p', finalizers: ['a'] },
  spec: {
    containers: [
      { name: 'user', image: 'one', env: [{ name: 'A', value: '1' }] },
      { name: 'proxy', image: 'two' },
    ],
    tolerations: [{ key: 'x' }],
  },
};
const strategic = (patch: Record<string, unknown>): unknown =>
  applyStrategicMerge(pod, patch, mergeNodeOf('', 'Pod'));

test('KN-173: strategic merge matches containers and variables by name', () => {
  const patch = { spec: { containers: [{ name: 'user', env: [{ name: 'B', value: '2' }] }] } };
  expect(strategic(patch)).toMatchObject({
    spec: {
      containers: [
        {
          name: 'user',
          image: 'one',
          env: [
            { name: 'A', value: '1' },
            { name: 'B', value: '2' },
          ],
        },
        { name: 'proxy' },
      ],
      tolerations: [{ key: 'x' }],
    },
  });
});

test('KN-173: a list without merge key is replaced, a set is united', () => {
  expect(
    strategic({ spec: { tolerations: [{ key: 'y' }] }, metadata: { finalizers: ['b'] } }),
  ).toMatchObject({ spec: { tolerations: [{ key: 'y' }] }, metadata: { finalizers: ['a', 'b'] } });
});

test('KN-173: $patch deletes an item, or replaces a list or a map', () => {
  expect(strategic({ spec: { containers: [{ name: 'proxy', $patch: 'delete' }] } })).toMatchObject({
    spec: { containers: [{ name: 'user' }] },
  });
  expect(
    strategic({ spec: { containers: [{ $patch: 'replace' }, { name: 'only' }] } }),
  ).toMatchObject({ spec: { containers: [{ name: 'only' }] } });
  expect(strategic({ spec: { $patch: 'replace', containers: [] } })).toEqual({
    metadata: pod.metadata,
    spec: { containers: [] },
  });
});

test('KN-173: $setElementOrder, $deleteFromPrimitiveList and $retainKeys', () => {
  const ordered = strategic({
    spec: {
      '$setElementOrder/containers': [{ name: 'proxy' }, { name: 'new' }, { name: 'user' }],
      containers: [{ name: 'new' }],
    },
  }) as { spec: { containers: { name: string }[] } };
  expect(ordered.spec.containers.map(({ name }) => name)).toEqual(['proxy', 'new', 'user']);
  expect(strategic({ metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } })).toMatchObject({
    metadata: { finalizers: [] },
  });
  expect(strategic({ spec: { $retainKeys: ['containers'] } })).toEqual({
    metadata: pod.metadata,
    spec: { containers: pod.spec.containers },
  });
});

test('an item without its merge key is refused', () => {
  expect(() => strategic({ spec: { containers: [{ image: 'x' }] } })).toThrow(
    'does not contain declared merge key: name',
  );
});
