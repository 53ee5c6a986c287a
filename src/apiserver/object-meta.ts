// Rules about `metadata`: names, labels, owner references, what a client may change and what only
// the server sets (KN-170 to KN-172, KN-202). Pure, apart from the uid and suffix it is handed.

import type { Kind } from '../api/kinds.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '../api/objects.ts';
import { deepEqual } from '../kube/equal.ts';
import { isJsonObject } from './patch/json-value.ts';
import type { Violation } from './status-error.ts';

/** KN-177: sum of keys and values. */
export const MAX_ANNOTATION_BYTES = 256 * 1024;
const SUFFIX_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
const MAX_GENERATED_BASE = 63 - SUFFIX_LENGTH;

const LABEL_TEXT = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = new RegExp(`^${LABEL_TEXT}(\\.${LABEL_TEXT})*$`);
const DNS_LABEL = new RegExp(`^${LABEL_TEXT}$`);
const DNS_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const QUALIFIED_NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " +
  "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for " +
  `validation is '${LABEL_TEXT}(\\.${LABEL_TEXT})*')`;
const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must " +
  "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for " +
  `validation is '${LABEL_TEXT}')`;
const DNS_1035_RULE =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an " +
  "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', " +
  "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

let lastSecond = Number.NaN;
let lastTimestamp = '';

/** `2026-11-21T04:53:00Z`. The last second's text is kept: every write asks for it. */
export function timestamp(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastTimestamp = `${new Date(second * 1000).toISOString().slice(0, 19)}Z`;
  }
  return lastTimestamp;
}

/** KN-170: the base, cut to fit, and five letters that spell no words. */
export function generateName(base: string, random: () => number): string {
  let suffix = '';
  for (let count = 0; count < SUFFIX_LENGTH; count += 1) {
    suffix += SUFFIX_LETTERS[Math.floor(random() * SUFFIX_LETTERS.length)];
  }
  return base.slice(0, MAX_GENERATED_BASE) + suffix;
}

function nameViolation(kind: Kind, name: string): Violation | null {
  const rule =
    kind.group === '' && kind.kind === 'Service'
      ? { pattern: DNS_1035, limit: 63, text: DNS_1035_RULE }
      : kind.group === '' && kind.kind === 'Namespace'
        ? { pattern: DNS_LABEL, limit: 63, text: LABEL_RULE }
        : { pattern: SUBDOMAIN, limit: 253, text: SUBDOMAIN_RULE };
  const isGood = name.length <= rule.limit && rule.pattern.test(name);
  const isDotted = rule.text === LABEL_RULE && SUBDOMAIN.test(name);
  const detail =
    name.length > rule.limit
      ? `must be no more than ${rule.limit} characters`
      : isDotted
        ? 'must not contain dots'
        : rule.text;
  return isGood ? null : { type: 'Invalid', field: 'metadata.name', value: name, detail };
}

function isQualified(key: string): boolean {
  const slash = key.lastIndexOf('/');
  const prefix = slash < 0 ? null : key.slice(0, slash);
  const name = key.slice(slash + 1);
  const isPrefixGood = prefix === null || (prefix.length <= 253 && SUBDOMAIN.test(prefix));
  return isPrefixGood && name.length <= 63 && QUALIFIED_NAME.test(name);
}

const NAME_RULE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with " +
  "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for " +
  "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const QUALIFIED_RULE = `name part ${NAME_RULE}`;
/** What has more parts than a prefix and a name. */
const KEY_RULE =
  `a valid label key ${NAME_RULE} with an optional DNS subdomain prefix and '/' ` +
  "(e.g. 'example.com/MyName')";
const VALUE_RULE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', " +
  "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or " +
  "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

function checkStrings(value: unknown, field: string, found: Violation[]): [string, string][] {
  if (value === undefined || value === null) return [];
  if (!isJsonObject(value)) {
    found.push({ type: 'Invalid', field, value, detail: 'must be a map of strings' });
    return [];
  }
  const entries = Object.entries(value);
  const wrong = entries.find(([, text]) => typeof text !== 'string');
  if (wrong === undefined) return entries as [string, string][];
  found.push({
    type: 'Invalid',
    field: `${field}.${wrong[0]}`,
    value: wrong[1],
    detail: 'must be a string',
  });
  return [];
}

function checkLabels(metadata: ObjectMeta, found: Violation[]): void {
  const field = 'metadata.labels';
  for (const [key, value] of checkStrings(metadata.labels, field, found)) {
    if (!isQualified(key))
      found.push({ type: 'Invalid', field, value: key, detail: QUALIFIED_RULE });
    if (value.length > 63) {
      found.push({ type: 'Invalid', field, value, detail: 'must be no more than 63 bytes' });
    } else if (!LABEL_VALUE.test(value)) {
      found.push({ type: 'Invalid', field, value, detail: VALUE_RULE });
    }
  }
}

function checkAnnotations(metadata: ObjectMeta, found: Violation[]): void {
  const field = 'metadata.annotations';
  let bytes = 0;
  for (const [key, value] of checkStrings(metadata.annotations, field, found)) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    if (!isQualified(key.toLowerCase())) {
      found.push({ type: 'Invalid', field, value: key, detail: QUALIFIED_RULE });
    }
  }
  if (bytes > MAX_ANNOTATION_BYTES) {
    found.push({
      type: 'TooLong',
      field,
      detail: `may not be more than ${MAX_ANNOTATION_BYTES} bytes`,
    });
  }
}

function checkOwners(metadata: ObjectMeta, found: Violation[]): void {
  const owners: readonly OwnerReference[] = metadata.ownerReferences ?? [];
  owners.forEach((owner) => {
    for (const name of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      const value = owner?.[name];
      if (typeof value === 'string' && value !== '') continue;
      const field = `metadata.ownerReferences.${name}`;
      found.push({ type: 'Invalid', field, value: value ?? '', detail: 'must not be empty' });
    }
  });
  const controllers = owners.filter((owner) => owner?.controller === true);
  if (controllers.length > 1) {
    const names = controllers.map((owner) => `${owner.kind}/${owner.name}`).join(' and ');
    found.push({
      type: 'Invalid',
      field: 'metadata.ownerReferences',
      value: owners,
      detail:
        'Only one reference can have Controller set to true. ' +
        `Found "true" in references for ${names}`,
    });
  }
}

/**
 * What is wrong with the metadata of an object about to be stored. What is the very same value in
 * `old` went through before and is skipped.
 */
export function metadataViolations(
  kind: Kind,
  metadata: ObjectMeta,
  old?: ObjectMeta,
): Violation[] {
  const found: Violation[] = [];
  const name = metadata.name === old?.name ? null : nameViolation(kind, metadata.name);
  if (name !== null) found.push(name);
  if (old === undefined || metadata.labels !== old.labels) checkLabels(metadata, found);
  if (old === undefined || metadata.annotations !== old.annotations) {
    checkAnnotations(metadata, found);
  }
  if (old === undefined || metadata.ownerReferences !== old.ownerReferences) {
    checkOwners(metadata, found);
  }
  for (const finalizer of metadata.finalizers ?? []) {
    if (typeof finalizer === 'string' && isQualified(finalizer)) continue;
    const field = 'metadata.finalizers';
    const hasManyParts = typeof finalizer === 'string' && finalizer.split('/').length > 2;
    const detail = hasManyParts ? KEY_RULE : QUALIFIED_RULE;
    found.push({ type: 'Invalid', field, value: finalizer, detail });
  }
  return found;
}

/** KN-171 and KN-202: what an update may not do to the metadata of `old`. */
export function metadataUpdateViolations(next: ObjectMeta, old: ObjectMeta): Violation[] {
  const found: Violation[] = [];
  if (old.deletionTimestamp === undefined) return found;
  const added = (next.finalizers ?? []).filter((name) => !(old.finalizers ?? []).includes(name));
  if (added.length > 0) {
    const names = added.map((name) => JSON.stringify(name)).join(', ');
    found.push({
      type: 'Forbidden',
      field: 'metadata.finalizers',
      detail:
        'no new finalizers can be added if the object is being deleted, ' +
        `found new finalizers []string{${names}}`,
    });
  }
  return found;
}

/** In the order Kubernetes writes them; with one order, most objects share a hidden class. */
const FIELDS = [
  'name',
  'generateName',
  'namespace',
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
] as const;
const CLIENT_FIELDS: ReadonlySet<string> = new Set([
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
]);
const KNOWN_FIELDS: ReadonlySet<string> = new Set([...FIELDS, 'selfLink']);

/**
 * `next` with everything only the server decides taken from `old`. Makes a new metadata object.
 * Absent and empty mean the same in metadata; storing one form keeps "no effect" cheap to see.
 */
export function keepServerMetadata(next: ObjectMeta, old: Partial<ObjectMeta>): ObjectMeta {
  const given = next as unknown as Record<string, unknown>;
  const previous = old as unknown as Record<string, unknown>;
  const kept: Record<string, unknown> = {};
  for (const field of FIELDS) {
    const isClients = CLIENT_FIELDS.has(field);
    const value = isClients ? given[field] : previous[field];
    if (value === undefined || (isClients && isEmpty(value))) continue;
    kept[field] = value;
  }
  // What nobody knows is complained about later.
  for (const field in given) if (!KNOWN_FIELDS.has(field)) kept[field] = given[field];
  return kept as unknown as ObjectMeta;
}

const isEmpty = (value: unknown): boolean =>
  value === null || (typeof value === 'object' && isEmptyContainer(value));

function isEmptyContainer(value: object): boolean {
  for (const _ in value) return false;
  return true;
}

/** KN-172: true when the write asks for something else than before. */
export function isSpecChanged(kind: Kind, next: KubeObject, old: KubeObject): boolean {
  const ignoresStatus = kind.subresources.includes('status');
  const a = next as unknown as Record<string, unknown>;
  const b = old as unknown as Record<string, unknown>;
  const differs = (key: string): boolean =>
    key !== 'metadata' && !(ignoresStatus && key === 'status') && !deepEqual(a[key], b[key]);
  return Object.keys(a).some(differs) || Object.keys(b).some((key) => !(key in a) && differs(key));
}
