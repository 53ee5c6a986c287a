// `metadata.managedFields` (KN-192): who owns which fields. Entries keep the wire form; an entry is
// one manager with one operation on one subresource, and updates also apart by apiVersion. Lists
// are never changed, and given back as they are when nothing changes. Pure; time is an argument.

import { deepEqual } from '../../kube/equal.ts';
import { timestamp } from '../object-meta.ts';
import { isJsonObject } from '../patch/json-value.ts';
import { checkedSet, childrenOf, type FieldSet, makeNode, union } from './field-set.ts';

/** Managers that updated, per object; above it the oldest are put together as `ancient-changes`. */
export const MAX_UPDATE_MANAGERS = 10;
/** Entries of one object; what a client sends beyond is not taken, the stored ones stay. */
export const MAX_MANAGED_ENTRIES = 200;
const OLD_UPDATES = 'ancient-changes';
const FIELDS_TYPE = 'FieldsV1';

export interface ManagedEntry {
  readonly manager?: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** RFC 3339, whole seconds. */
  readonly time?: string;
  readonly fieldsType: typeof FIELDS_TYPE;
  readonly fieldsV1: FieldSet;
  readonly subresource?: string;
}

/** Who writes, and how. */
export interface Writer {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
}

export type ManagedFields = readonly ManagedEntry[];

export const NOBODY: ManagedFields = [];

export function isOwn(entry: ManagedEntry, writer: Writer): boolean {
  return (
    entry.operation === writer.operation &&
    (entry.manager ?? '') === writer.manager &&
    (entry.subresource ?? '') === writer.subresource &&
    (writer.operation === 'Apply' || entry.apiVersion === writer.apiVersion)
  );
}

export function makeEntry(writer: Writer, fieldsV1: FieldSet, nowMs: number): ManagedEntry {
  const { manager, operation, apiVersion, subresource } = writer;
  const time = timestamp(nowMs);
  const fieldsType = FIELDS_TYPE;
  if (manager === '') {
    const entry = { operation, apiVersion, time, fieldsType, fieldsV1 } as const;
    return subresource === '' ? entry : { ...entry, subresource };
  }
  // The usual forms have a shape of their own: spreading costs most of the work here.
  if (subresource === '') return { manager, operation, apiVersion, time, fieldsType, fieldsV1 };
  return { manager, operation, apiVersion, time, fieldsType, fieldsV1, subresource };
}

/** Entries from an object; null when they are none of ours to understand. */
export function decodeManaged(value: unknown): ManagedFields | null {
  if (value === undefined || value === null) return NOBODY;
  if (!Array.isArray(value) || value.length > MAX_MANAGED_ENTRIES) return null;
  const entries: ManagedEntry[] = [];
  for (const item of value) {
    const entry = decodeEntry(item);
    if (entry === null) return null;
    if (entry.fieldsV1 !== null) entries.push(entry);
  }
  return entries;
}

function decodeEntry(value: unknown): ManagedEntry | null {
  if (!isJsonObject(value)) return null;
  const { manager, operation, apiVersion, time, fieldsType, fieldsV1, subresource } = value;
  if (operation !== 'Apply' && operation !== 'Update') return null;
  if (typeof apiVersion !== 'string' || fieldsType !== FIELDS_TYPE) return null;
  const set = checkedSet(fieldsV1 ?? {});
  if (set === null) return null;
  return {
    ...(typeof manager === 'string' && manager !== '' ? { manager } : {}),
    operation,
    apiVersion,
    ...(typeof time === 'string' ? { time } : {}),
    fieldsType,
    // The object as a whole is nobody's.
    fieldsV1: makeNode(false, childrenOf(set)),
    ...(typeof subresource === 'string' && subresource !== '' ? { subresource } : {}),
  };
}

/** `[]` or `[{}]`: the client asks to forget who owns what. */
export function isReset(value: unknown): boolean {
  if (!Array.isArray(value) || value.length > 1) return false;
  return value.length === 0 || (isJsonObject(value[0]) && Object.keys(value[0]).length === 0);
}

/** As the server writes them: then their order is that of the texts. */
const PLAIN_TIME_LENGTH = '2026-11-21T04:53:00Z'.length;

const seconds = (time: string): number => Math.floor(Date.parse(time) / 1000) || 0;

function compareTimes(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
  if (a.length === PLAIN_TIME_LENGTH && b.length === PLAIN_TIME_LENGTH) return byText(a, b);
  return seconds(a) - seconds(b);
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Appliers first, then oldest first. */
function compareEntries(a: ManagedEntry, b: ManagedEntry): number {
  return (
    byText(a.operation, b.operation) ||
    compareTimes(a.time, b.time) ||
    byText(a.manager ?? '', b.manager ?? '') ||
    byText(a.apiVersion, b.apiVersion) ||
    byText(a.subresource ?? '', b.subresource ?? '')
  );
}

/** True when nothing but the times of writes differs. */
export function isSameOwnership(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  return a.every((entry: ManagedEntry, index) =>
    deepEqual({ ...entry, time: undefined }, { ...(b[index] as ManagedEntry), time: undefined }),
  );
}

/** As stored: without entries that own nothing, bounded, in order. */
export function settleManaged(entries: ManagedFields): ManagedFields {
  return capUpdates(entries.filter(({ fieldsV1 }) => fieldsV1 !== null)).sort(compareEntries);
}

function capUpdates(entries: ManagedEntry[]): ManagedEntry[] {
  if (entries.length <= MAX_UPDATE_MANAGERS) return entries;
  const updates = entries.filter(({ operation }) => operation === 'Update').sort(compareEntries);
  let over = updates.length - MAX_UPDATE_MANAGERS;
  const buckets = new Map<string, ManagedEntry>();
  const gone = new Set<ManagedEntry>();
  for (const entry of updates) {
    if (over <= 0) break;
    const bucket = buckets.get(entry.apiVersion);
    buckets.set(entry.apiVersion, bucket === undefined ? entry : joined(bucket, entry));
    gone.add(entry);
    if (bucket !== undefined) over -= 1;
  }
  if (gone.size === 0) return entries;
  return [...entries.filter((entry) => !gone.has(entry)), ...buckets.values()];
}

function joined(bucket: ManagedEntry, entry: ManagedEntry): ManagedEntry {
  const { subresource: _subresource, ...rest } = entry;
  return { ...rest, manager: OLD_UPDATES, fieldsV1: union(bucket.fieldsV1, entry.fieldsV1) };
}
