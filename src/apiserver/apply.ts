// Server-side apply, the minimum of KN-195: create or merge, with a memory of what each manager
// sent last, so that fields it leaves out later are removed unless another manager's last
// configuration still has them. No conflicts, no managedFields: whoever applies last wins. Pure.

import { apiVersionOf, type Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { isJsonObject, type JsonObject } from './patch/json-value.ts';
import { type MergeField, type MergeNode, mergeNodeOf } from './patch/merge-keys.ts';
import { badRequest, invalid } from './status-error.ts';
import type { AppliedConfigurations } from './store/stored.ts';
import type { StructuralSchema } from './structural-schema.ts';

/** Managers remembered per object; the one that applied longest ago is forgotten first. */
export const MAX_MANAGERS = 16;

/** KN-190, KN-191. Throws what is wrong with the body. */
export function checkApplyBody(kind: Kind, name: string, body: KubeObject, manager: string): void {
  if (manager === '') {
    throw invalid({ ...kind, kind: 'PatchOptions', group: 'meta.k8s.io' }, '', [
      { type: 'Required', field: 'fieldManager', detail: 'is required for apply patch' },
    ]);
  }
  if (body.apiVersion !== apiVersionOf(kind) || body.kind !== kind.kind) {
    throw badRequest(
      `the applied object is ${body.apiVersion} ${body.kind}, expected ` +
        `${apiVersionOf(kind)} ${kind.kind}`,
    );
  }
  if (body.metadata.name !== undefined && body.metadata.name !== name) {
    throw badRequest(
      `the name of the object (${body.metadata.name}) does not match ` +
        `the name on the URL (${name})`,
    );
  }
  if (body.metadata.managedFields !== undefined && body.metadata.managedFields !== null) {
    throw badRequest('metadata.managedFields must be nil');
  }
}

/** How lists merge: built-in kinds by their merge keys, others by their schema. */
export function applyNodeOf(kind: Kind, schema: StructuralSchema | undefined): MergeNode {
  return kind.custom && schema !== undefined
    ? (nodeFromSchema(schema).of ?? {})
    : mergeNodeOf(kind.group, kind.kind);
}

function nodeFromSchema(schema: StructuralSchema): MergeField {
  const members = (schema.items ?? schema).properties ?? {};
  const of: Record<string, MergeField> = {};
  for (const [name, child] of Object.entries(members)) {
    const field = nodeFromSchema(child);
    const isUseful = field.mergeKey !== undefined || field.isSet || field.of !== undefined;
    if (isUseful) of[name] = field;
  }
  const type = schema['x-kubernetes-list-type'];
  const [mergeKey] = schema['x-kubernetes-list-map-keys'] ?? [];
  return {
    ...(type === 'map' && mergeKey !== undefined ? { mergeKey } : {}),
    ...(type === 'set' ? { isSet: true as const } : {}),
    ...(Object.keys(of).length === 0 ? {} : { of }),
  };
}

/** `live` after `manager` applies `wanted`. */
export function applyConfiguration(
  live: KubeObject,
  wanted: KubeObject,
  node: MergeNode,
  memory: AppliedConfigurations | null,
  manager: string,
): KubeObject {
  const last = memory?.[manager];
  const others = Object.entries(memory ?? {})
    .filter(([name]) => name !== manager)
    .map(([, configuration]) => configuration);
  const cleaned = last === undefined ? live : removeDropped(live, last, wanted, node, others);
  return mergeWanted(cleaned, wanted, { of: node }) as KubeObject;
}

/** The memory after the apply; preconditions are not part of a configuration. */
export function rememberApplied(
  memory: AppliedConfigurations | null,
  manager: string,
  wanted: KubeObject,
): AppliedConfigurations {
  const { resourceVersion: _rv, uid: _uid, ...metadata } = wanted.metadata;
  const entries = Object.entries(memory ?? {}).filter(([name]) => name !== manager);
  entries.push([manager, { ...wanted, metadata }]);
  return Object.fromEntries(entries.slice(-MAX_MANAGERS));
}

const itemKey = (item: unknown, mergeKey: string): unknown =>
  isJsonObject(item) ? item[mergeKey] : undefined;

function find(list: unknown, mergeKey: string, key: unknown): unknown {
  return Array.isArray(list) ? list.find((item) => itemKey(item, mergeKey) === key) : undefined;
}

/** Takes out of `live` what `last` had and neither `wanted` nor any of `others` has. */
function removeDropped<T>(
  live: T,
  last: unknown,
  wanted: unknown,
  node: MergeNode,
  others: readonly unknown[],
): T {
  if (!isJsonObject(live) || !isJsonObject(last)) return live;
  const result: JsonObject = { ...live };
  const want = isJsonObject(wanted) ? wanted : {};
  for (const key of Object.keys(last)) {
    if (result[key] === undefined) continue;
    const rest = others.map((other) => (isJsonObject(other) ? other[key] : undefined));
    if (want[key] === undefined) {
      const isHeld = rest.some((value) => value !== undefined);
      if (!isHeld && !hasForeignMembers(result[key], last[key])) delete result[key];
      else if (!isHeld) result[key] = removeDropped(result[key], last[key], {}, {}, []);
    } else {
      result[key] = dropInside(result[key], last[key], want[key], node[key], rest);
    }
  }
  return result as T;
}

/** True when a map has members that the manager did not put there. */
function hasForeignMembers(live: unknown, last: unknown): boolean {
  if (!isJsonObject(live) || !isJsonObject(last)) return false;
  return Object.keys(live).some(
    (key) => !Object.hasOwn(last, key) || hasForeignMembers(live[key], last[key]),
  );
}

function dropInside(
  live: unknown,
  last: unknown,
  wanted: unknown,
  field: MergeField | undefined,
  others: readonly unknown[],
): unknown {
  if (isJsonObject(live)) return removeDropped(live, last, wanted, field?.of ?? {}, others);
  if (!Array.isArray(live) || !Array.isArray(last)) return live;
  if (field?.isSet) {
    const kept = [wanted, ...others].flatMap((list) => (Array.isArray(list) ? list : []));
    return live.filter((item) => !last.includes(item) || kept.includes(item));
  }
  const { mergeKey } = field ?? {};
  if (mergeKey === undefined) return live;
  return live.flatMap((item) => {
    const key = itemKey(item, mergeKey);
    const before = find(last, mergeKey, key);
    if (before === undefined) return [item];
    const now = find(wanted, mergeKey, key);
    const held = others.map((list) => find(list, mergeKey, key));
    if (now !== undefined) return [removeDropped(item, before, now, field?.of ?? {}, held)];
    return held.some((value) => value !== undefined) ? [item] : [];
  });
}

/** `wanted` laid over `live`: maps merge, keyed lists merge by key, everything else is replaced. */
function mergeWanted(live: unknown, wanted: unknown, field: MergeField | undefined): unknown {
  if (isJsonObject(wanted)) {
    const merged: JsonObject = isJsonObject(live) ? { ...live } : {};
    for (const key of Object.keys(wanted)) {
      const value = mergeWanted(merged[key], wanted[key], field?.of?.[key]);
      if (value === null) delete merged[key];
      else merged[key] = value;
    }
    return merged;
  }
  if (!Array.isArray(wanted) || !Array.isArray(live)) return wanted;
  if (field?.isSet) return [...new Set([...live, ...wanted])];
  const { mergeKey } = field ?? {};
  if (mergeKey === undefined) return wanted;
  const merged = [...live];
  for (const item of wanted) {
    const key = itemKey(item, mergeKey);
    const at = merged.findIndex((entry) => itemKey(entry, mergeKey) === key);
    if (at < 0) merged.push(item);
    else merged[at] = mergeWanted(merged[at], item, { ...(field?.of ? { of: field.of } : {}) });
  }
  return merged;
}
