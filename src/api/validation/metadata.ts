// Metadata of the Knative kinds (WH-51 to WH-55). Pure; paths are relative to the object.

import { misplacedAutoscalingKeys } from '../autoscaling-validation.ts';
import type { ServingConfig } from '../config/registry.ts';
import { NS_PER_SECOND, parseDurationNs } from '../duration.ts';
import { type FieldError, fieldError, invalidValue, missingField } from '../field-errors.ts';
import {
  CREATOR_ANNOTATION,
  firstAnnotationEntry,
  LAST_MODIFIER_ANNOTATION,
  ROLLOUT_DURATION_ANNOTATIONS,
} from '../labels.ts';
import type { KubeObject, ObjectMeta } from '../objects.ts';
import { deepEqualJson } from './diff.ts';
import { dns1035PrefixProblems, dns1035Problems } from './names.ts';

/** What validation needs of the config maps. */
export type ValidationConfig = Pick<ServingConfig, 'autoscaler' | 'defaults' | 'features'>;

/** WH-51. */
export function validateName({ name, generateName }: Partial<ObjectMeta>): FieldError[] {
  if (name) {
    const problems = dns1035Problems(name);
    if (problems === '') return [];
    return [fieldError(`not a DNS 1035 label: [${problems}]`, 'metadata.name')];
  }
  if (generateName) {
    const problems = dns1035PrefixProblems(generateName);
    if (problems === '') return [];
    return [fieldError(`not a DNS 1035 label prefix: [${problems}]`, 'metadata.generateName')];
  }
  return [fieldError('name or generateName is required', 'metadata.name')];
}

/** WH-52. */
export function validateNoAutoscalingKeys({ metadata }: KubeObject): FieldError[] {
  return misplacedAutoscalingKeys(metadata.annotations);
}

/** WH-53. */
export function validateRolloutDuration({ metadata }: KubeObject): FieldError[] {
  return validateWholeSeconds(
    metadata.annotations,
    ROLLOUT_DURATION_ANNOTATIONS,
    'rollout-duration',
  );
}

/** A Go duration of whole seconds, not negative; `0s` passes (WH-53, WH-64). */
export function validateWholeSeconds(
  annotations: Record<string, string> | undefined,
  keys: readonly string[],
  noun: string,
): FieldError[] {
  const entry = firstAnnotationEntry(annotations, keys);
  if (entry === undefined) return [];
  const path = `metadata.annotations.${entry.key}`;
  let ns: number;
  try {
    ns = parseDurationNs(entry.value);
  } catch {
    return [invalidValue(entry.value, path)]; // The only failure is the syntax error.
  }
  if (ns % NS_PER_SECOND !== 0) {
    return [fieldError(`${noun}=${entry.value} is not at second precision`, path)];
  }
  return ns < 0 ? [fieldError(`${noun}=${entry.value} must be positive`, path)] : [];
}

/** WH-54: such a label may be worn only by what the owner it names has made. */
export function validateOwnerLabel(
  { metadata }: KubeObject,
  label: string,
  ownerKind: string,
): FieldError[] {
  const owner = metadata.labels?.[label];
  if (owner === undefined) return [];
  const isOwned = metadata.ownerReferences?.some(
    ({ kind, name }) => kind === ownerKind && name === owner,
  );
  return isOwned ? [] : [missingField(`metadata.labels.${label}`)];
}

/** WH-55. */
export function validateUserInfo(
  object: KubeObject & { spec?: unknown },
  old: KubeObject & { spec?: unknown },
): FieldError[] {
  const before = old.metadata.annotations ?? {};
  const after = object.metadata.annotations ?? {};
  const errors: FieldError[] = [];
  if (before[CREATOR_ANNOTATION] !== after[CREATOR_ANNOTATION]) {
    const path = `metadata.annotations.${CREATOR_ANNOTATION}`;
    errors.push(fieldError('annotation value is immutable', path));
  }
  const modifier = after[LAST_MODIFIER_ANNOTATION];
  if (deepEqualJson(object.spec, old.spec) && before[LAST_MODIFIER_ANNOTATION] !== modifier) {
    errors.push(invalidValue(modifier ?? '', `metadata.annotations.${LAST_MODIFIER_ANNOTATION}`));
  }
  return errors;
}
