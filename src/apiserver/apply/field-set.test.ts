// The algebra of field sets against sets of path strings, and sets that clients hand in.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  checkedSet,
  difference,
  differenceDeep,
  type FieldSet,
  intersection,
  pathsOf,
  union,
} from './field-set.ts';
import { decodeManaged } from './managed-fields.ts';

const SEED = 20261121;

/** Members as dotted paths, e.g. `a.b`. */
function fromPaths(paths: readonly string[]): FieldSet {
  return paths.reduce((set: FieldSet, path) => {
    const nested = path
      .split('.')
      .reduceRight((below: object, name) => ({ [`f:${name}`]: below }), {});
    return union(set, checkedSet(nested));
  }, null);
}

const path = fc
  .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
  .map((names) => names.join('.'));
const paths = fc.uniqueArray(path, { maxLength: 8 });
const sorted = (set: FieldSet): string[] =>
  pathsOf(set)
    .map((text) => text.slice(1))
    .sort();

test('KN-192: union, difference and intersection are those of sets of paths', () => {
  fc.assert(
    fc.property(paths, paths, (left, right) => {
      const [a, b] = [fromPaths(left), fromPaths(right)];
      expect(sorted(a)).toEqual([...left].sort());
      expect(sorted(union(a, b))).toEqual([...new Set([...left, ...right])].sort());
      expect(sorted(difference(a, b))).toEqual(left.filter((each) => !right.includes(each)).sort());
      expect(sorted(intersection(a, b))).toEqual(
        left.filter((each) => right.includes(each)).sort(),
      );
      const isBelow = (each: string) =>
        right.some((other) => each === other || each.startsWith(`${other}.`));
      expect(sorted(differenceDeep(a, b))).toEqual(left.filter((each) => !isBelow(each)).sort());
    }),
    { seed: SEED },
  );
});

test('operations that change nothing give back the same set', () => {
  const a = fromPaths(['a', 'a.b', 'c']);
  expect(union(a, fromPaths(['a.b']))).toBe(a);
  expect(difference(a, fromPaths(['b', 'a.c']))).toBe(a);
});

test('KN-193: paths are printed as Kubernetes prints them', () => {
  const set = checkedSet({
    'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:name': {} } } },
    'f:metadata': { 'f:finalizers': { 'v:"x"': {} } },
  });
  expect(pathsOf(set)).toEqual([
    '.metadata.finalizers[="x"]',
    '.spec.ports[port=80,protocol="TCP"]',
    '.spec.ports[port=80,protocol="TCP"].name',
  ]);
});

test.each([
  [[{ operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} }], 0],
  [[{ operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:a': {} } }], 1],
])('KN-192: entries that own nothing are dropped (%#)', (entries, count) => {
  expect(decodeManaged(entries)?.length).toBe(count);
});

test.each([
  [{ operation: 'Other', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} }],
  [{ operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV2', fieldsV1: {} }],
  [{ operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { x: {} } }],
  [{ operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { 'k:{': {} } }],
])('KN-192: entries that are none are not taken (%#)', (entry) => {
  expect(decodeManaged([entry])).toBeNull();
});
