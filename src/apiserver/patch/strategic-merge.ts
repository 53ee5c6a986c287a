// Strategic merge patch for built-in kinds (KN-173): a merge patch whose lists merge by key, with
// the directives `$patch`, `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…`.
// Copies only what it changes. Pure.

import { badRequest } from '../status-error.ts';
import { isJsonObject, type JsonObject } from './json-value.ts';
import type { MergeField, MergeNode } from './merge-keys.ts';

const ORDER = '$setElementOrder/';
const DELETE_FROM_SET = '$deleteFromPrimitiveList/';
const EMPTY: MergeNode = {};

/** The result of patching `target`; `patch` is the body of the request. */
export function applyStrategicMerge(
  target: unknown,
  patch: JsonObject,
  node: MergeNode,
): JsonObject {
  const base = isJsonObject(target) ? target : {};
  if (patch['$patch'] === 'replace') return withoutDirectives(patch);
  if (patch['$patch'] === 'delete') return {};
  const merged = retained(base, patch);
  for (const key of Object.keys(patch)) {
    if (key.startsWith(DELETE_FROM_SET)) removeFromSet(merged, key, patch[key]);
    if (key.startsWith('$')) continue;
    const value = mergeMember(merged[key], patch[key], node[key]);
    if (value === undefined) delete merged[key];
    else merged[key] = value;
  }
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(ORDER)) continue;
    const field = key.slice(ORDER.length);
    const list = merged[field];
    if (Array.isArray(list)) merged[field] = reorder(list, patch[key], node[field]);
  }
  return merged;
}

/** undefined = the member goes. */
function mergeMember(current: unknown, value: unknown, field: MergeField | undefined): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value)) return mergeList(current, value, field);
  if (!isJsonObject(value)) return value;
  if (value['$patch'] === 'delete') return undefined;
  return applyStrategicMerge(current, value, field?.of ?? EMPTY);
}

function mergeList(
  current: unknown,
  patch: readonly unknown[],
  field: MergeField | undefined,
): unknown[] {
  const target = Array.isArray(current) ? current : [];
  if (field?.isSet) return [...new Set([...target, ...patch])];
  if (field?.mergeKey === undefined) return patch.map(stripped);
  if (patch.some((item) => isJsonObject(item) && item['$patch'] === 'replace')) {
    return patch
      .filter((item) => !(isJsonObject(item) && item['$patch'] === 'replace'))
      .map(stripped);
  }
  const merged = [...target];
  for (const item of patch) mergeItem(merged, item, field, field.mergeKey);
  return merged;
}

function mergeItem(list: unknown[], item: unknown, field: MergeField, mergeKey: string): void {
  if (!isJsonObject(item)) throw badRequest(`a list merged by ${mergeKey} holds objects`);
  const key = item[mergeKey];
  if (key === undefined) {
    throw badRequest(
      `map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`,
    );
  }
  const at = list.findIndex((entry) => isJsonObject(entry) && entry[mergeKey] === key);
  if (item['$patch'] === 'delete') {
    if (at >= 0) list.splice(at, 1);
  } else if (at >= 0) {
    list[at] = applyStrategicMerge(list[at], item, field.of ?? EMPTY);
  } else {
    list.push(applyStrategicMerge({}, item, field.of ?? EMPTY));
  }
}

/** `$retainKeys`: members of the target not listed go. */
function retained(base: JsonObject, patch: JsonObject): JsonObject {
  const keep = patch['$retainKeys'];
  if (!Array.isArray(keep)) return { ...base };
  return Object.fromEntries(Object.entries(base).filter(([key]) => keep.includes(key)));
}

function removeFromSet(merged: JsonObject, directive: string, values: unknown): void {
  const field = directive.slice(DELETE_FROM_SET.length);
  const list = merged[field];
  if (!Array.isArray(list) || !Array.isArray(values)) return;
  merged[field] = list.filter((value) => !values.includes(value));
}

/**
 * Items the client listed come in its order; each item only the server knows stays behind the one
 * it followed.
 */
function reorder(
  list: readonly unknown[],
  order: unknown,
  field: MergeField | undefined,
): unknown[] {
  if (!Array.isArray(order)) return [...list];
  const mergeKey = field?.mergeKey;
  const identity = (item: unknown): unknown =>
    mergeKey !== undefined && isJsonObject(item) ? item[mergeKey] : item;
  const rank = new Map(order.map((item, index) => [identity(item), index]));
  const listed = list
    .filter((item) => rank.has(identity(item)))
    .sort((a, b) => rank.get(identity(a))! - rank.get(identity(b))!);
  const followers = new Map<unknown, unknown[]>();
  let anchor: unknown = null;
  for (const item of list) {
    if (rank.has(identity(item))) anchor = item;
    else followers.set(anchor, [...(followers.get(anchor) ?? []), item]);
  }
  return [
    ...(followers.get(null) ?? []),
    ...listed.flatMap((item) => [item, ...(followers.get(item) ?? [])]),
  ];
}

function withoutDirectives(patch: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(patch)
      .filter(([key, value]) => !key.startsWith('$') && value !== null)
      .map(([key, value]) => [key, stripped(value)]),
  );
}

function stripped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stripped);
  return isJsonObject(value) ? withoutDirectives(value) : value;
}
