// What an apply takes away: fields its manager applied last time and left out this time, unless
// somebody else holds them (KN-192). The steps are those of structured-merge-diff: take out all
// the manager had, put back what anybody owns, then put back what nobody ever owned. Pure.

import { isJsonObject, type JsonObject } from '../patch/json-value.ts';
import { childType, fieldsOf } from './configuration.ts';
import {
  child,
  childrenOf,
  difference,
  type FieldNode,
  type FieldSet,
  fieldElement,
  intersection,
  isMember,
  makeNode,
  union,
} from './field-set.ts';
import type { FieldType } from './field-type.ts';
import { itemElement } from './list-items.ts';

/**
 * `merged` without what `last` had and `owned` (all managers, the new configuration included) has
 * not.
 */
export function pruneDropped(
  type: FieldType,
  merged: JsonObject,
  last: FieldSet,
  owned: FieldSet,
): JsonObject {
  if (last === null) return merged;
  const named = (set: FieldSet): FieldSet => withNamedContainers(type, set);
  const mergedSet = named(fieldsOf(type, merged));
  const lastSet = named(last);
  const bare = without(type, merged, lastSet);
  const held = union(named(fieldsOf(type, bare)), named(owned));
  const kept = without(type, merged, difference(mergedSet, held));
  const dropped = difference(mergedSet, named(fieldsOf(type, kept)));
  return without(type, merged, intersection(dropped, lastSet)) as JsonObject;
}

/** The set with the declared containers on the way to its members. */
function withNamedContainers(type: FieldType, set: FieldSet): FieldSet {
  if (set === null) return null;
  const children = childrenOf(set).map(([element, node]): [string, FieldNode] => {
    const below = withNamedContainers(childType(type, element), node) ?? node;
    const isNamed =
      type.kind === 'map' &&
      element.startsWith('f:') &&
      (type.isNamed || Object.hasOwn(type.fields, element.slice(2)));
    if (!isNamed || isMember(below)) return [element, below];
    return [element, makeNode(true, childrenOf(below))!];
  });
  return makeNode(isMember(set), children);
}

/** The value without the members of a set; containers that become empty go too. */
function without(type: FieldType, value: unknown, set: FieldSet): unknown {
  if (set === null) return value;
  if (type.kind === 'map' && isJsonObject(value)) {
    const kept: JsonObject = {};
    for (const [name, member] of Object.entries(value)) {
      const left = memberWithout(
        type.fields[name] ?? type.rest,
        member,
        child(set, fieldElement(name)),
      );
      if (left !== undefined) kept[name] = left;
    }
    return kept;
  }
  if (type.kind === 'list' && Array.isArray(value)) {
    return value.flatMap((item) => {
      const left = memberWithout(type.items, item, child(set, itemElement(type, item)));
      return left === undefined ? [] : [left];
    });
  }
  return value;
}

/** undefined = the member itself goes. */
function memberWithout(type: FieldType, member: unknown, set: FieldSet): unknown {
  if (set === null) return member;
  if (isMember(set)) return undefined;
  const left = without(type, member, set);
  return isEmptied(member, left) ? undefined : left;
}

function isEmptied(before: unknown, left: unknown): boolean {
  const size = (value: unknown): number =>
    typeof value === 'object' && value !== null ? Object.keys(value).length : 1;
  return size(left) === 0 && size(before) > 0;
}
