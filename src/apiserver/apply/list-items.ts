// Items of lists that merge: which path element names an item, and which items share one.

import { isJsonObject } from '../patch/json-value.ts';
import type { ListType } from './field-type.ts';

/** A list that cannot merge, e.g. an item without its key. The message follows the path. */
export class ListItemError extends Error {}

/** `k:{"name":"a"}` or `v:"a"`. Throws ListItemError. */
export function itemElement(type: ListType, item: unknown): string {
  if (type.keys === null) {
    if (typeof item === 'object') {
      throw new ListItemError('associative list with values may not have non-scalar elements');
    }
    return `v:${JSON.stringify(item)}`;
  }
  if (!isJsonObject(item)) {
    throw new ListItemError('associative list with keys may not have non-map elements');
  }
  const key: Record<string, unknown> = {};
  for (const name of type.keys) {
    const value = item[name] ?? type.defaults[name];
    if (value === undefined) {
      throw new ListItemError(
        'associative list with keys has an element that omits key field ' +
          `${JSON.stringify(name)} (and doesn't have default value)`,
      );
    }
    key[name] = value;
  }
  return `k:${JSON.stringify(key)}`;
}

/** Items by element, in order of first appearance; several values = duplicates. */
export function indexItems(type: ListType, list: readonly unknown[]): Map<string, unknown[]> {
  const index = new Map<string, unknown[]>();
  for (const item of list) {
    const element = itemElement(type, item);
    const same = index.get(element);
    if (same === undefined) index.set(element, [item]);
    else same.push(item);
  }
  return index;
}
