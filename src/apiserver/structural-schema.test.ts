// Pruning, defaults, violations and duplicated members.

import { expect, test } from 'vitest';
import { findDuplicateFields } from './duplicate-fields.ts';
import { findViolations } from './schema-validation.ts';
import { fillDefaults, pruneObject, type StructuralSchema } from './structural-schema.ts';

const schema: StructuralSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: 'string', minLength: 1 },
        replicas: { type: 'integer', minimum: 0, default: 1 },
        port: { 'x-kubernetes-int-or-string': true },
        mode: { type: 'string', enum: ['Serve', 'Proxy'] },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        items: { type: 'array', items: { type: 'object', properties: { a: { type: 'string' } } } },
      },
    },
  },
};

test('KN-176: unknown fields are dropped and every one is named with its path', () => {
  const unknown: string[] = [];
  const object = {
    apiVersion: 'v1',
    kind: 'X',
    metadata: { name: 'x', colour: 'red' },
    spec: { name: 'n', foo: 1, labels: { any: 'x' }, free: { deep: {} }, items: [{ a: '', b: 1 }] },
    extra: true,
  };
  const pruned = pruneObject(object, schema, unknown);
  expect(unknown).toEqual(['spec.foo', 'spec.items[0].b', 'extra', 'metadata.colour']);
  expect(pruned).toEqual({
    apiVersion: 'v1',
    kind: 'X',
    metadata: { name: 'x' },
    spec: { name: 'n', labels: { any: 'x' }, free: { deep: {} }, items: [{ a: '' }] },
  });
});

test('an object that has only known fields comes back as it is', () => {
  const object = { metadata: { name: 'x' }, spec: { name: 'n', items: [{ a: 'x' }] } };
  expect(pruneObject(object, schema, [])).toBe(object);
});

test('defaults are filled in where their parent exists', () => {
  expect(fillDefaults({ spec: { name: 'n' } }, schema)).toEqual({
    spec: { name: 'n', replicas: 1 },
  });
  const complete = { spec: { name: 'n', replicas: 0 } };
  expect(fillDefaults(complete, schema)).toBe(complete);
  expect(fillDefaults({}, schema)).toEqual({});
});

test('KN-211: every violation is found, with its path', () => {
  const spec = { replicas: -1, port: true, mode: 'Other', labels: { a: 1 }, items: 'x' };
  const found = findViolations({ spec }, schema);
  expect(found.map(({ type, field }) => [type, field])).toEqual([
    ['Required', 'spec.name'],
    ['Invalid', 'spec.replicas'],
    ['TypeInvalid', 'spec.port'],
    ['NotSupported', 'spec.mode'],
    ['TypeInvalid', 'spec.labels.a'],
    ['TypeInvalid', 'spec.items'],
  ]);
});

test.each([
  ['{"a":1,"b":{"a":1}}', []],
  ['{"a":1,"a":2}', ['a']],
  ['{"spec":{"x":[{"k":1},{"k":1,"k":2}]},"spec":{}}', ['spec.x[1].k', 'spec']],
  ['{"a":"x\\"a\\":1","b":["a","a"]}', []],
  ['{"a":{"b":1,"c":{"d":1},"b":2}}', ['a.b']],
])('KN-176: duplicates in %s are %j', (json, expected) => {
  expect(findDuplicateFields(json)).toEqual(expected);
});
