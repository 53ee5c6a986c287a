// Reads an object of a request into a copy of our own: types are checked against the kind's schema
// and nulls are taken for absent, as a typed client would. Defaulting and validation may then trust
// the shape. Unknown fields stay: the API server has dropped what it does not know, and validation
// refuses the rest by name. Pure; a status is not looked into.

import type { Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { type JsonSchema, schemaOf } from '../api/schema.ts';

/** Longest offending value an error repeats. */
const MAX_SHOWN_CHARACTERS = 64;

const metadata: JsonSchema = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    generateName: { type: 'string' },
    namespace: { type: 'string' },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    annotations: { type: 'object', additionalProperties: { type: 'string' } },
    ownerReferences: { type: 'array', items: { type: 'object' } },
  },
};
const ZERO_OF: Readonly<Record<string, () => unknown>> = {
  object: () => ({}),
  array: () => [],
  string: () => '',
  integer: () => 0,
  number: () => 0,
  boolean: () => false,
};

/** Throws an Error that names the field and what it holds. */
export function decodeObject(kind: Kind, given: unknown): KubeObject {
  if (!isObject(given)) throw mismatch(given, '', 'object');
  const { properties = {} } = schemaOf(kind) ?? {};
  const decoded: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(given)) {
    if (value === null) continue;
    if (field === 'status') decoded[field] = value;
    else if (field === 'metadata') decoded[field] = decode(value, metadata, field);
    else decoded[field] = decode(value, properties[field], field);
  }
  decoded['metadata'] ??= {};
  return decoded as unknown as KubeObject;
}

function decode(value: unknown, schema: JsonSchema | undefined, path: string): unknown {
  if (schema !== undefined && !fits(value, schema)) {
    throw mismatch(value, path, schema.type ?? 'integer or string');
  }
  if (Array.isArray(value)) {
    const items = schema?.items;
    return value.map((item, index) =>
      item === null ? zeroOf(items) : decode(item, items, `${path}[${index}]`),
    );
  }
  if (!isObject(value)) return value;
  const decoded: Record<string, unknown> = {};
  for (const [field, item] of Object.entries(value)) {
    const known = schema?.properties?.[field];
    if (item !== null) decoded[field] = decode(item, known ?? entryOf(schema), `${path}.${field}`);
    else if (known === undefined && entryOf(schema) !== undefined) {
      decoded[field] = zeroOf(entryOf(schema));
    }
  }
  return decoded;
}

/** Of a map: the schema of its entries. */
function entryOf(schema: JsonSchema | undefined): JsonSchema | undefined {
  const entry = schema?.additionalProperties;
  return typeof entry === 'object' ? entry : undefined;
}

function zeroOf(schema: JsonSchema | undefined): unknown {
  return ZERO_OF[schema?.type ?? '']?.() ?? null;
}

function fits(value: unknown, schema: JsonSchema): boolean {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return typeof value === 'string' || typeof value === 'number';
  }
  switch (schema.type) {
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case undefined:
      return true;
    default:
      return typeof value === schema.type;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mismatch(value: unknown, path: string, type: string): Error {
  const given = Array.isArray(value) ? 'array' : typeof value;
  const shown = (JSON.stringify(value) ?? '').slice(0, MAX_SHOWN_CHARACTERS);
  const place = path === '' ? 'the object' : `field ${path}`;
  return new Error(`json: cannot unmarshal ${given} ${shown} into ${place} of type ${type}`);
}
