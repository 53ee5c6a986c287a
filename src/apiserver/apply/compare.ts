// What a write did to an object, as sets of fields: added, modified, removed. Values that are the
// very same reference are skipped, so a patch costs by what it touches. Pure. Warm: once per write.

import { deepEqual } from '../../kube/equal.ts';
import { isJsonObject, type JsonObject } from '../patch/json-value.ts';
import {
  difference,
  type FieldNode,
  type FieldSet,
  fieldElement,
  MEMBER,
  makeNode,
  union,
} from './field-set.ts';
import type { FieldType, ListType, MapType } from './field-type.ts';
import { indexItems, ListItemError } from './list-items.ts';

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

export const SAME: Comparison = { added: null, modified: null, removed: null };
const MODIFIED: Comparison = { added: null, modified: MEMBER, removed: null };

/** Fields that were set: added or modified. */
export const writtenFields = ({ added, modified }: Comparison): FieldSet => union(added, modified);

const isEmpty = (value: object): boolean => {
  for (const _ in value) return false;
  return true;
};

/** A map or list that is looked into; null = a leaf. */
function contentType(type: FieldType, value: unknown): MapType | ListType | null {
  if (type.kind === 'map') return isJsonObject(value) && !isEmpty(value) ? type : null;
  if (type.kind === 'list') return Array.isArray(value) && value.length > 0 ? type : null;
  return null;
}

/** Every field of a value that was not there before, or is no longer. */
export function allFields(type: FieldType, value: unknown): FieldNode | null {
  const content = contentType(type, value);
  if (content === null) return isPresentAnyway(type, value) ? null : MEMBER;
  if (content.kind === 'map') {
    const children: [string, FieldNode][] = [];
    for (const name of Object.keys(value as JsonObject)) {
      const member = (value as JsonObject)[name];
      if (member === undefined) continue;
      const node = allFields(content.fields[name] ?? content.rest, member);
      if (node !== null) children.push([fieldElement(name), node]);
    }
    return makeNode(!content.isPresent, children);
  }
  const children = [...tryIndex(content, value as unknown[])].map(([element, items]) => {
    const node = items.length > 1 ? MEMBER : allFields(content.items, items[0]);
    return [element, node ?? MEMBER] as const;
  });
  return makeNode(!content.isPresent, children);
}

function isPresentAnyway(type: FieldType, value: unknown): boolean {
  return type.kind !== 'leaf' && type.isPresent && typeof value === 'object';
}

/** Stored lists may break the rules (built-in kinds are not checked); such an item has no name. */
function tryIndex(type: ListType, list: readonly unknown[]): Map<string, unknown[]> {
  try {
    return indexItems(type, list);
  } catch (error) {
    if (!(error instanceof ListItemError)) throw error;
    return new Map();
  }
}

/** undefined = absent. */
export function compareValues(type: FieldType, before: unknown, after: unknown): Comparison {
  if (before === after) return SAME;
  if (before === undefined) return { ...SAME, added: allFields(type, after) };
  if (after === undefined) return { ...SAME, removed: allFields(type, before) };
  const content = contentType(type, before) ?? contentType(type, after);
  if (content?.kind === 'map') return compareMaps(content, before, after);
  if (content?.kind === 'list') return compareLists(content, before, after);
  return deepEqual(before, after) ? SAME : MODIFIED;
}

/** Puts the comparisons of members together. */
class Gathered {
  readonly #added: [string, FieldNode][] = [];
  readonly #modified: [string, FieldNode][] = [];
  readonly #removed: [string, FieldNode][] = [];

  add(element: string, { added, modified, removed }: Comparison): void {
    if (added !== null) this.#added.push([element, added]);
    if (modified !== null) this.#modified.push([element, modified]);
    if (removed !== null) this.#removed.push([element, removed]);
  }

  done(): Comparison {
    return {
      added: makeNode(false, this.#added),
      modified: makeNode(false, this.#modified),
      removed: makeNode(false, this.#removed),
    };
  }
}

function compareMaps(type: MapType, before: unknown, after: unknown): Comparison {
  const was = isJsonObject(before) ? before : {};
  const is = isJsonObject(after) ? after : {};
  let gathered: Gathered | null = null;
  const visit = (name: string): void => {
    const found = compareValues(type.fields[name] ?? type.rest, was[name], is[name]);
    if (found === SAME) return;
    gathered ??= new Gathered();
    gathered.add(fieldElement(name), found);
  };
  for (const name in was) visit(name);
  for (const name in is) if (was[name] === undefined) visit(name);
  return (gathered as Gathered | null)?.done() ?? SAME;
}

function compareLists(type: ListType, before: unknown, after: unknown): Comparison {
  const was = tryIndex(type, Array.isArray(before) ? before : []);
  const is = tryIndex(type, Array.isArray(after) ? after : []);
  let gathered: Gathered | null = null;
  for (const element of new Set([...was.keys(), ...is.keys()])) {
    const found = compareItems(type.items, was.get(element) ?? [], is.get(element) ?? []);
    if (found === SAME) continue;
    gathered ??= new Gathered();
    gathered.add(element, found);
  }
  return (gathered as Gathered | null)?.done() ?? SAME;
}

const itemFields = (type: FieldType, item: unknown): FieldNode =>
  union(allFields(type, item), MEMBER)!;

/** Items of one name: normally one each; several are taken as a whole. */
function compareItems(
  type: FieldType,
  was: readonly unknown[],
  is: readonly unknown[],
): Comparison {
  if (was.length > 1 && is.length > 1) return deepEqual(was, is) ? SAME : MODIFIED;
  if (was.length > 1) {
    const added = is.length === 0 ? null : itemFields(type, is[0]);
    return { added, modified: null, removed: MEMBER };
  }
  if (is.length > 1) {
    const removed = was.length === 0 ? null : difference(itemFields(type, was[0]), MEMBER);
    return { added: MEMBER, modified: null, removed };
  }
  return compareValues(type, was[0], is[0]);
}
