// What a structural schema does to an object: drop unknown fields (and name them, KN-176), fill
// defaults, check types and limits. Each pass copies only what it changes. Pure.

import { isJsonObject, type JsonObject } from './patch/json-value.ts';
import type { Violation } from './status-error.ts';

/** The part of OpenAPI v3 that CRDs use. `src/api` writes these; this file only follows them. */
export interface StructuralSchema {
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: boolean | StructuralSchema;
  readonly items?: StructuralSchema;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: string;
}

/** Unknown fields named in one answer. */
export const MAX_REPORTED_FIELDS = 100;

const METADATA_FIELDS = new Set([
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
]);
const TYPE_FIELDS = new Set(['apiVersion', 'kind', 'metadata']);

const joined = (path: string, field: string): string => (path === '' ? field : `${path}.${field}`);

/**
 * The object without fields its schema does not know; paths of dropped ones go to `unknown`.
 * Without schema only `metadata` is checked. Returns the same reference when nothing was dropped.
 * Here and below, members that are the very same value in `baseline` went through before and are
 * skipped.
 */
export function pruneObject(
  object: JsonObject,
  schema: StructuralSchema | undefined,
  unknown: string[],
  baseline?: JsonObject,
): JsonObject {
  let pruned = object;
  if (schema !== undefined) {
    const skip = (key: string): boolean => TYPE_FIELDS.has(key) || isSame(object, baseline, key);
    pruned = pruneMembers(object, schema, '', unknown, skip);
  }
  const { metadata } = pruned;
  if (!isJsonObject(metadata)) return pruned;
  const extra = Object.keys(metadata).filter((key) => !METADATA_FIELDS.has(key));
  if (extra.length === 0) return pruned;
  for (const key of extra) report(unknown, `metadata.${key}`);
  const kept = Object.entries(metadata).filter(([key]) => METADATA_FIELDS.has(key));
  return { ...pruned, metadata: Object.fromEntries(kept) };
}

function isSame(value: JsonObject, baseline: JsonObject | undefined, key: string): boolean {
  return baseline !== undefined && value[key] !== undefined && value[key] === baseline[key];
}

function report(unknown: string[], path: string): void {
  if (unknown.length < MAX_REPORTED_FIELDS) unknown.push(path);
}

function pruneValue(
  value: unknown,
  schema: StructuralSchema,
  path: string,
  unknown: string[],
): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return value;
    let copy: unknown[] | null = null;
    for (let index = 0; index < value.length; index += 1) {
      const next = pruneValue(value[index], items, `${path}[${index}]`, unknown);
      if (next === value[index]) continue;
      copy ??= [...value];
      copy[index] = next;
    }
    return copy ?? value;
  }
  return isJsonObject(value) ? pruneMembers(value, schema, path, unknown, null) : value;
}

function pruneMembers(
  value: JsonObject,
  schema: StructuralSchema,
  path: string,
  unknown: string[],
  skip: ((key: string) => boolean) | null,
): JsonObject {
  const { properties, additionalProperties } = schema;
  const keepsUnknown =
    schema['x-kubernetes-preserve-unknown-fields'] === true ||
    additionalProperties === true ||
    (properties === undefined && additionalProperties === undefined);
  let copy: JsonObject | null = null;
  for (const key of Object.keys(value)) {
    if (skip?.(key)) continue;
    const child =
      properties !== undefined && Object.hasOwn(properties, key)
        ? properties[key]
        : typeof additionalProperties === 'object'
          ? additionalProperties
          : undefined;
    if (child !== undefined) {
      const next = pruneValue(value[key], child, joined(path, key), unknown);
      if (next === value[key]) continue;
      copy ??= { ...value };
      copy[key] = next;
    } else if (!keepsUnknown) {
      report(unknown, joined(path, key));
      copy ??= { ...value };
      delete copy[key];
    }
  }
  return copy ?? value;
}

/** The value with absent members that have a default filled in. */
export function fillDefaults(
  value: unknown,
  schema: StructuralSchema,
  baseline?: JsonObject,
): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return value;
    const filled = value.map((item) => fillDefaults(item, items));
    return filled.some((item, index) => item !== value[index]) ? filled : value;
  }
  if (!isJsonObject(value) || schema.properties === undefined) return value;
  let copy: JsonObject | null = null;
  for (const [key, child] of Object.entries(schema.properties)) {
    if (isSame(value, baseline, key)) continue;
    const current = value[key] === undefined ? child.default : value[key];
    if (current === undefined) continue;
    const next = fillDefaults(current, child);
    if (next === value[key]) continue;
    copy ??= { ...value };
    copy[key] = next;
  }
  return copy ?? value;
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case 'object':
      return isJsonObject(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type; // string, number, boolean
  }
}

/** Everything about `value` the schema does not allow. */
export function findViolations(
  value: unknown,
  schema: StructuralSchema,
  path = '',
  found: Violation[] = [],
  baseline?: JsonObject,
): Violation[] {
  if (value === undefined || (value === null && path !== '')) return found;
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (typeof value !== 'string' && !Number.isInteger(value)) {
      found.push(typeViolation(value, path, 'integer or string'));
    }
    return found;
  }
  if (schema.type !== undefined && !isOfType(value, schema.type)) {
    found.push(typeViolation(value, path, schema.type));
    return found;
  }
  checkScalar(value, schema, path, found);
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items !== undefined) {
      value.forEach((item, index) => {
        findViolations(item, items, `${path}[${index}]`, found);
      });
    }
  } else if (isJsonObject(value)) {
    checkMembers(value, schema, path, found, baseline);
  }
  return found;
}

function typeViolation(value: unknown, path: string, type: string): Violation {
  const actual = Array.isArray(value) ? 'array' : typeof value;
  return {
    type: 'TypeInvalid',
    field: path,
    value: actual,
    detail: `${path} in body must be of type ${type}: ${JSON.stringify(actual)}`,
  };
}

function checkScalar(
  value: unknown,
  schema: StructuralSchema,
  path: string,
  found: Violation[],
): void {
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    const names = schema.enum.map((allowed) => JSON.stringify(allowed)).join(', ');
    found.push({ type: 'NotSupported', field: path, value, detail: `supported values: ${names}` });
  }
  const refuse = (detail: string): void => {
    found.push({ type: 'Invalid', field: path, value, detail: `${path} in body ${detail}` });
  };
  if (typeof value === 'number') {
    const { minimum, maximum } = schema;
    if (minimum !== undefined && value < minimum) {
      refuse(`should be greater than or equal to ${minimum}`);
    }
    if (maximum !== undefined && value > maximum) {
      refuse(`should be less than or equal to ${maximum}`);
    }
  }
  if (typeof value === 'string') {
    const { minLength, pattern } = schema;
    if (minLength !== undefined && value.length < minLength) {
      refuse(`should be at least ${minLength} chars long`);
    }
    if (pattern !== undefined && !new RegExp(pattern).test(value)) {
      refuse(`should match '${pattern}'`);
    }
  }
}

function checkMembers(
  value: JsonObject,
  schema: StructuralSchema,
  path: string,
  found: Violation[],
  baseline: JsonObject | undefined,
): void {
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) {
      found.push({ type: 'Required', field: joined(path, name), detail: '' });
    }
  }
  for (const key of Object.keys(value)) {
    if (isSame(value, baseline, key)) continue;
    const child =
      schema.properties?.[key] ??
      (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined);
    if (child !== undefined) findViolations(value[key], child, joined(path, key), found);
  }
}
