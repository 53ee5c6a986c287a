// Wrong types in objects of built-in kinds. Kubernetes decodes those into Go structures and answers
// 400 in the words of its decoder, which clients show as they are; so these are the words. Pure.

import { structureName } from '../api/builtin-schema.ts';
import { isJsonObject, type JsonObject } from './patch/json-value.ts';
import { isSame, type StructuralSchema } from './structural-schema.ts';

const GO_TYPES: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'int32',
  boolean: 'bool',
  array: '[]',
  object: 'map',
};

/** The first value of a wrong type, or null. Members the same in `baseline` are skipped. */
export function findDecodingError(
  object: JsonObject,
  schema: StructuralSchema,
  baseline?: JsonObject,
): string | null {
  for (const name of Object.keys(object)) {
    const member = schema.properties?.[name];
    if (member === undefined || name === 'metadata' || isSame(object, baseline, name)) continue;
    const found = check(object[name], member, structureName(schema), name);
    if (found !== null) return found;
  }
  return null;
}

function check(
  value: unknown,
  schema: StructuralSchema,
  structure: string,
  path: string,
): string | null {
  if (value === null || value === undefined) return null;
  if (schema['x-kubernetes-int-or-string'] === true) {
    const isGood = typeof value === 'string' || typeof value === 'number';
    return isGood ? null : mismatch(value, structure, path, 'intstr.IntOrString');
  }
  switch (schema.type) {
    case undefined:
      return null;
    case 'array':
      if (!Array.isArray(value)) return mismatch(value, structure, path, '[]');
      return first(value, (item) => check(item, schema.items ?? {}, structure, path));
    case 'object':
      if (!isJsonObject(value)) return mismatch(value, structure, path, 'map');
      return checkMembers(value, schema, structure, path);
    case 'integer':
      if (Number.isInteger(value)) return null;
      break;
    default:
      if (typeof value === schema.type) return null; // string, boolean
  }
  return mismatch(value, structure, path, GO_TYPES[schema.type] ?? schema.type);
}

function checkMembers(
  value: JsonObject,
  schema: StructuralSchema,
  structure: string,
  path: string,
): string | null {
  const { properties, additionalProperties } = schema;
  if (typeof additionalProperties === 'object') {
    return first(Object.values(value), (item) =>
      check(item, additionalProperties, structure, path),
    );
  }
  const inner = structureName(schema) || structure;
  return first(Object.keys(value), (name) => {
    const member = properties?.[name];
    return member === undefined ? null : check(value[name], member, inner, `${path}.${name}`);
  });
}

function first<T>(items: readonly T[], find: (item: T) => string | null): string | null {
  for (const item of items) {
    const found = find(item);
    if (found !== null) return found;
  }
  return null;
}

function mismatch(value: unknown, structure: string, path: string, wanted: string): string {
  const actual = Array.isArray(value)
    ? 'array'
    : typeof value === 'boolean'
      ? 'bool'
      : typeof value;
  const shown = typeof value === 'number' && !Number.isInteger(value) ? `number ${value}` : actual;
  return `json: cannot unmarshal ${shown} into Go struct field ${structure}.${path} of type ${wanted}`;
}
