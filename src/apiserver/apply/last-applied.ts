// The way over from client-side apply (KN-177): what kubectl recorded in its annotation counts as
// its own when it changes to server-side apply, and the annotation is kept current for the way
// back. Only for the manager `kubectl`; any other name opts out. Pure.

import type { KubeObject } from '../../api/objects.ts';
import { MAX_ANNOTATION_BYTES } from '../object-meta.ts';
import { isJsonObject } from '../patch/json-value.ts';
import { compareValues } from './compare.ts';
import { fieldsOf } from './configuration.ts';
import { difference, type FieldSet } from './field-set.ts';
import type { FieldType } from './field-type.ts';

const ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';
const MANAGER = 'kubectl';

/** Fields whose value is still the one client-side apply wrote. */
export function allowedByLastApplied(type: FieldType, live: KubeObject): FieldSet {
  const text = live.metadata.annotations?.[ANNOTATION];
  const last = text === undefined ? undefined : parseObject(text);
  if (last === undefined) return null;
  const { added, modified, removed } = compareValues(type, last, live);
  const fields = fieldsOf(type, last);
  return difference(difference(difference(fields, modified), added), removed);
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined; // written by hand; then it proves nothing
  }
}

/** The object with its annotation, if it has one, renewed by what kubectl applied. */
export function withLastApplied(
  object: KubeObject,
  config: KubeObject,
  manager: string,
): KubeObject {
  const annotations = object.metadata.annotations ?? {};
  if (manager !== MANAGER || annotations[ANNOTATION] === undefined) return object;
  const { [ANNOTATION]: _old, ...others } = annotations;
  const renewed = { ...others, [ANNOTATION]: `${sortedJson(plain(config))}\n` };
  const size = Object.entries(renewed).reduce(
    (sum, [key, text]) => sum + key.length + text.length,
    0,
  );
  const kept = size > MAX_ANNOTATION_BYTES ? others : renewed;
  return { ...object, metadata: { ...object.metadata, annotations: kept } };
}

function plain(config: KubeObject): KubeObject {
  const { annotations } = config.metadata;
  if (annotations?.[ANNOTATION] === undefined) return config;
  const { [ANNOTATION]: _old, ...others } = annotations;
  return { ...config, metadata: { ...config.metadata, annotations: others } };
}

/** kubectl compares the text, and writes members in order. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    isJsonObject(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
