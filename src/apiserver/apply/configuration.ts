// An applied configuration: the fields it claims, and the object with the configuration laid over
// it (KN-192, KN-194). Maps merge by member, keyed lists and sets by item, the rest is replaced.
// Pure; copies what it changes.

import { isJsonObject, type JsonObject } from '../patch/json-value.ts';
import {
  type FieldNode,
  type FieldSet,
  fieldElement,
  MEMBER,
  makeNode,
  union,
} from './field-set.ts';
import { type FieldType, LEAF, type ListType, type MapType } from './field-type.ts';
import { indexItems } from './list-items.ts';

const isEmptyMap = (value: unknown): boolean =>
  isJsonObject(value) && Object.keys(value).length === 0;

/** The fields a value names. Throws ListItemError for a list whose items cannot be told apart. */
export function fieldsOf(type: FieldType, value: unknown): FieldSet {
  if (type.kind === 'map' && isJsonObject(value)) return fieldsOfMap(type, value);
  if (type.kind === 'list' && Array.isArray(value)) {
    const children = [...indexItems(type, value)].map(([element, items]) => {
      const below = items.length > 1 ? null : fieldsOf(type.items, items[0]);
      return [element, union(below, MEMBER)!] as const;
    });
    return makeNode(false, children);
  }
  return MEMBER;
}

function fieldsOfMap(type: MapType, value: JsonObject): FieldSet {
  const children: [string, FieldNode][] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const below = fieldsOf(type.fields[name] ?? type.rest, member);
    const isDeclared = type.isNamed || Object.hasOwn(type.fields, name);
    const isOwned = !isDeclared || member === null || isEmptyMap(member);
    const node = isOwned ? union(below, MEMBER) : below;
    if (node !== null) children.push([fieldElement(name), node]);
  }
  return makeNode(false, children);
}

/** `config` laid over `live`. Throws ListItemError. */
export function mergeConfiguration(type: FieldType, live: unknown, config: unknown): unknown {
  if (type.kind === 'map' && isJsonObject(config)) {
    if (!isJsonObject(live)) return withoutNulls(config);
    return mergeMaps(type, live, config);
  }
  if (type.kind === 'list' && Array.isArray(config) && Array.isArray(live)) {
    return mergeLists(type, live, config);
  }
  // A null for something with content of its own says nothing about that content.
  const keeps = config === null && type.kind !== 'leaf' && isContent(live);
  return keeps ? live : config;
}

const isContent = (value: unknown): boolean =>
  (Array.isArray(value) && value.length > 0) || (isJsonObject(value) && !isEmptyMap(value));

function mergeMaps(type: MapType, live: JsonObject, config: JsonObject): JsonObject {
  const merged: JsonObject = { ...live };
  for (const name of Object.keys(config)) {
    const value = mergeConfiguration(type.fields[name] ?? type.rest, live[name], config[name]);
    if (value === null || value === undefined) delete merged[name];
    else merged[name] = value;
  }
  return merged;
}

/** Null stands for absent, as everywhere in stored objects. */
function withoutNulls(config: JsonObject): JsonObject {
  const kept = Object.entries(config).filter(([, value]) => value !== null);
  return Object.fromEntries(
    kept.map(([name, value]) => [name, isJsonObject(value) ? withoutNulls(value) : value]),
  );
}

/**
 * Items of both come in the order of the configuration; items only the object has keep their place
 * before the shared item that follows them.
 */
function mergeLists(type: ListType, live: readonly unknown[], config: readonly unknown[]) {
  const before = indexItems(type, live);
  const wanted = indexItems(type, config);
  const shared = [...wanted.keys()].filter((element) => before.has(element));
  const liveOrder = [...before.keys()];
  const merged: unknown[] = [];
  let at = 0;
  /** Takes what only the object has, up to the item `stop`; shared ones come in their own turn. */
  const takeLive = (stop: string | undefined): void => {
    for (; at < liveOrder.length && liveOrder[at] !== stop; at += 1) {
      const element = liveOrder[at]!;
      if (!wanted.has(element)) merged.push(...before.get(element)!);
    }
  };
  for (const [element, [item]] of wanted) {
    takeLive(shared[0]);
    merged.push(mergeConfiguration(type.items, before.get(element)?.[0], item));
    if (shared[0] !== element) continue;
    shared.shift();
    if (liveOrder[at] === element) at += 1;
  }
  takeLive(undefined);
  return merged;
}

/** Type of what an element leads to. */
export function childType(type: FieldType, element: string): FieldType {
  if (type.kind === 'map') {
    const name = element.slice(2);
    return type.fields[name] ?? type.rest;
  }
  return type.kind === 'list' && element.startsWith('k:') ? type.items : LEAF;
}
