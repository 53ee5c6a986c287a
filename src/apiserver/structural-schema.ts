// What a structural schema does to an object on its way in: drop unknown fields (and name them,
// KN-176), fill defaults. Each pass copies only what it changes. Pure.

import { isJsonObject, type JsonObject } from './patch/json-value.ts';

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
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly StructuralSchema[];
  readonly anyOf?: readonly StructuralSchema[];
  readonly oneOf?: readonly StructuralSchema[];
  readonly not?: StructuralSchema;
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

export const joined = (path: string, field: string): string =>
  path === '' ? field : `${path}.${field}`;

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

export function isSame(value: JsonObject, baseline: JsonObject | undefined, key: string): boolean {
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
    (schema.type !== 'object' && properties === undefined && additionalProperties === undefined);
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

const withDefaults = new WeakMap<StructuralSchema, boolean>();

/** False = nothing below this schema has a default, and values need no look. */
function hasDefaults(schema: StructuralSchema): boolean {
  let known = withDefaults.get(schema);
  if (known === undefined) {
    const { properties = {}, additionalProperties, items } = schema;
    const children = [...Object.values(properties), ...(items === undefined ? [] : [items])];
    if (typeof additionalProperties === 'object') children.push(additionalProperties);
    known = schema.default !== undefined || children.some(hasDefaults);
    withDefaults.set(schema, known);
  }
  return known;
}

type Member = readonly [string, StructuralSchema];
const declaredDefaults = new WeakMap<StructuralSchema, readonly Member[]>();

/** Members that may get a default, or hold something that does. */
function defaultedMembers(value: JsonObject, schema: StructuralSchema): readonly Member[] {
  const { properties = {}, additionalProperties: others } = schema;
  let declared = declaredDefaults.get(schema);
  if (declared === undefined) {
    declared = Object.entries(properties).filter(([, member]) => hasDefaults(member));
    declaredDefaults.set(schema, declared);
  }
  if (typeof others !== 'object' || !hasDefaults(others)) return declared;
  const open = Object.keys(value).filter((key) => !Object.hasOwn(properties, key));
  return [...declared, ...open.map((key): Member => [key, others])];
}

/** The value with absent members that have a default filled in. */
export function fillDefaults(
  value: unknown,
  schema: StructuralSchema,
  baseline?: JsonObject,
): unknown {
  if (!hasDefaults(schema)) return value;
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return value;
    const filled = value.map((item) => fillDefaults(item, items));
    return filled.some((item, index) => item !== value[index]) ? filled : value;
  }
  if (!isJsonObject(value)) return value;
  let copy: JsonObject | null = null;
  for (const [key, child] of defaultedMembers(value, schema)) {
    if (isSame(value, baseline, key)) continue;
    const given = value[key];
    const isAbsent = given === undefined || (given === null && child.nullable !== true);
    const current = isAbsent ? (child.default ?? given) : given;
    if (current === undefined) continue;
    const next = fillDefaults(current, child);
    if (next === value[key]) continue;
    copy ??= { ...value };
    copy[key] = next;
  }
  return copy ?? value;
}
