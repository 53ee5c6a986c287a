// Whether an object is what its structural schema allows (KN-211): types, limits, patterns, enums,
// combinations, lists that are sets or maps. Messages are those of Kubernetes. Pure.

import { deepEqual } from '../kube/equal.ts';
import { isJsonObject, type JsonObject } from './patch/json-value.ts';
import type { Violation } from './status-error.ts';
import { isSame, joined, type StructuralSchema } from './structural-schema.ts';

/** Compiled patterns kept; a definition could name any number. */
const MAX_PATTERNS = 1000;
const patterns = new Map<string, RegExp>();

function matches(pattern: string, text: string): boolean {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    if (patterns.size >= MAX_PATTERNS) patterns.clear();
    compiled = new RegExp(pattern, 'u');
    patterns.set(pattern, compiled);
  }
  return compiled.test(text);
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

/** Everything about `value` the schema does not allow; what is the same in `baseline` is not seen. */
export function findViolations(
  value: unknown,
  schema: StructuralSchema,
  path = '',
  found: Violation[] = [],
  baseline?: JsonObject,
): Violation[] {
  if (value === undefined || (value === null && schema.nullable === true)) return found;
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (typeof value !== 'string' && !Number.isInteger(value)) {
      found.push(typeViolation(value, path, 'integer or string'));
    }
  } else if (schema.type !== undefined && !isOfType(value, schema.type)) {
    found.push(typeViolation(value, path, schema.type));
    return found;
  }
  checkScalar(value, schema, path, found);
  checkCombinations(value, schema, path, found);
  if (Array.isArray(value)) checkItems(value, schema, path, found);
  else if (isJsonObject(value)) checkMembers(value, schema, path, found, baseline);
  return found;
}

function typeViolation(value: unknown, path: string, type: string): Violation {
  const actual = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const named = actual === 'number' && Number.isInteger(value) ? 'integer' : actual;
  return {
    type: 'TypeInvalid',
    field: path,
    value: named,
    detail: `${path} in body must be of type ${type}: ${JSON.stringify(named)}`,
  };
}

function checkScalar(
  value: unknown,
  schema: StructuralSchema,
  path: string,
  found: Violation[],
): void {
  if (schema.enum !== undefined && !schema.enum.some((allowed) => deepEqual(allowed, value))) {
    const names = schema.enum.map((allowed) => JSON.stringify(allowed)).join(', ');
    found.push({ type: 'NotSupported', field: path, value, detail: `supported values: ${names}` });
  }
  const refuse = (detail: string): void => {
    found.push({ type: 'Invalid', field: path, value, detail: `${path} in body ${detail}` });
  };
  if (typeof value === 'number') checkNumber(value, schema, refuse);
  if (typeof value === 'string') {
    const { minLength, maxLength, pattern } = schema;
    const length = minLength === undefined && maxLength === undefined ? 0 : [...value].length;
    if (minLength !== undefined && length < minLength) {
      refuse(`should be at least ${minLength} chars long`);
    }
    if (maxLength !== undefined && length > maxLength) {
      const detail = `may not be more than ${maxLength} byte${maxLength === 1 ? '' : 's'}`;
      found.push({ type: 'TooLong', field: path, detail });
    }
    if (pattern !== undefined && !matches(pattern, value)) refuse(`should match '${pattern}'`);
  }
}

function checkNumber(
  value: number,
  schema: StructuralSchema,
  refuse: (detail: string) => void,
): void {
  const { minimum, maximum, multipleOf } = schema;
  if (minimum !== undefined) {
    if (schema.exclusiveMinimum === true ? value <= minimum : value < minimum) {
      const orEqual = schema.exclusiveMinimum === true ? '' : ' or equal to';
      refuse(`should be greater than${orEqual} ${minimum}`);
    }
  }
  if (maximum !== undefined) {
    if (schema.exclusiveMaximum === true ? value >= maximum : value > maximum) {
      const orEqual = schema.exclusiveMaximum === true ? '' : ' or equal to';
      refuse(`should be less than${orEqual} ${maximum}`);
    }
  }
  if (multipleOf !== undefined && value % multipleOf !== 0) {
    refuse(`should be a multiple of ${multipleOf}`);
  }
}

function checkItems(
  value: readonly unknown[],
  schema: StructuralSchema,
  path: string,
  found: Violation[],
): void {
  const { items, minItems, maxItems } = schema;
  if (minItems !== undefined && value.length < minItems) {
    const detail = `${path} in body should have at least ${minItems} items`;
    found.push({ type: 'Invalid', field: path, value: value.length, detail });
  }
  if (maxItems !== undefined && value.length > maxItems) {
    const detail = `must have at most ${maxItems} item${maxItems === 1 ? '' : 's'}`;
    found.push({ type: 'TooMany', field: path, value: value.length, detail });
  }
  if (items !== undefined) {
    value.forEach((item, index) => {
      findViolations(item, items, `${path}[${index}]`, found);
    });
  }
  checkDuplicates(value, schema, path, found);
}

/** Items of a set are different; items of a map list have different keys. */
function checkDuplicates(
  value: readonly unknown[],
  schema: StructuralSchema,
  path: string,
  found: Violation[],
): void {
  const listType = schema['x-kubernetes-list-type'];
  if (listType !== 'set' && listType !== 'map') return;
  if (value.length < 2) return;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    const identity = listType === 'set' ? item : identityOf(item, keys);
    const text = JSON.stringify(identity);
    if (seen.has(text)) {
      found.push({ type: 'Duplicate', field: `${path}[${index}]`, value: identity, detail: '' });
    }
    seen.add(text);
  }
}

function identityOf(item: unknown, keys: readonly string[]): JsonObject {
  const known = keys.filter((key) => isJsonObject(item) && item[key] !== undefined);
  return Object.fromEntries(known.map((key) => [key, (item as JsonObject)[key]]));
}

function checkMembers(
  value: JsonObject,
  schema: StructuralSchema,
  path: string,
  found: Violation[],
  baseline: JsonObject | undefined,
): void {
  const { minProperties, maxProperties } = schema;
  const names = Object.keys(value);
  if (minProperties !== undefined && names.length < minProperties) {
    const detail = `${path} in body should have at least ${minProperties} properties`;
    found.push({ type: 'Invalid', field: path, value: names.length, detail });
  }
  if (maxProperties !== undefined && names.length > maxProperties) {
    const detail = `must have at most ${maxProperties} item${maxProperties === 1 ? '' : 's'}`;
    found.push({ type: 'TooMany', field: path, value: names.length, detail });
  }
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) {
      found.push({ type: 'Required', field: joined(path, name), detail: '' });
    }
  }
  for (const key of names) {
    if (isSame(value, baseline, key)) continue;
    const child =
      schema.properties?.[key] ??
      (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined);
    if (child !== undefined) findViolations(value[key], child, joined(path, key), found);
  }
}

/** `allOf` adds its violations; of the others only the verdict counts. */
function checkCombinations(
  value: unknown,
  schema: StructuralSchema,
  path: string,
  found: Violation[],
): void {
  const { allOf, anyOf, oneOf, not } = schema;
  const isGood = (option: StructuralSchema): boolean =>
    findViolations(value, option, path).length === 0;
  const refuse = (detail: string): void => {
    found.push({ type: 'Invalid', field: path, value: '', detail: JSON.stringify(path) + detail });
  };
  for (const option of allOf ?? []) findViolations(value, option, path, found);
  if (anyOf !== undefined && !anyOf.some(isGood)) {
    refuse(' must validate at least one schema (anyOf)');
  }
  if (oneOf !== undefined) {
    const count = oneOf.filter(isGood).length;
    const what = count === 0 ? 'Found none valid' : `Found ${count} valid alternatives`;
    if (count !== 1) refuse(` must validate one and only one schema (oneOf). ${what}`);
  }
  if (not !== undefined && isGood(not)) refuse(' must not validate the schema (not)');
}
