// `spec.traffic` of Services and Routes (WH-130 to WH-134). Pure; paths are relative to the object.

import {
  disallowedFields,
  type FieldError,
  fieldError,
  invalidKeyName,
  invalidValue,
  missingOneOf,
  multipleOneOf,
  outOfBounds,
  underPath,
} from '../field-errors.ts';
import type { TrafficTarget } from '../serving.ts';
import { dns1035Problems, qualifiedNameProblems } from './names.ts';

const PATH = 'spec.traffic';
const FULL_PERCENT = 100;

export function validateTraffic(
  targets: readonly TrafficTarget[],
  owner: 'Service' | 'Route',
): FieldError[] {
  const errors: FieldError[] = [];
  const firstIndexOf = new Map<string, number>();
  let sum = 0;
  for (const [index, target] of targets.entries()) {
    const path = `${PATH}[${index}]`;
    errors.push(...underPath(path, validateTarget(target, owner)));
    errors.push(...validateTag(target.tag ?? '', index, firstIndexOf));
    sum += target.percent ?? 0;
  }
  if (sum !== FULL_PERCENT) {
    errors.push(fieldError(`Traffic targets sum to ${sum}, want 100`, PATH));
  }
  return errors;
}

/** WH-131: the index comes after the word, as in the reference. */
function validateTag(tag: string, index: number, firstIndexOf: Map<string, number>): FieldError[] {
  if (tag === '') return [];
  const errors: FieldError[] = [];
  const problems = dns1035Problems(tag);
  if (problems !== '') {
    errors.push(invalidValue(`not a DNS 1035 label: [${problems}]`, `${PATH}.tag[${index}]`));
  }
  const first = firstIndexOf.get(tag);
  if (first === undefined) firstIndexOf.set(tag, index);
  else {
    const paths = [`${PATH}[${first}].tag`, `${PATH}[${index}].tag`];
    errors.push(fieldError(`Multiple definitions for "${tag}"`, ...paths));
  }
  return errors;
}

function validateTarget(target: TrafficTarget, owner: 'Service' | 'Route'): FieldError[] {
  const { revisionName = '', percent = 0, latestRevision, url } = target;
  const errors = validateTargetName(target, owner);
  if (latestRevision !== undefined && latestRevision !== (revisionName === '')) {
    const words = `may not set revisionName "${revisionName}" when latestRevision is ${latestRevision}`;
    errors.push(fieldError(words, 'latestRevision'));
  }
  if (percent < 0 || percent > FULL_PERCENT) {
    errors.push(outOfBounds(percent, 0, FULL_PERCENT, 'percent'));
  }
  if (url !== undefined) errors.push(disallowedFields('url'));
  return errors;
}

/** WH-133. */
function validateTargetName(target: TrafficTarget, owner: 'Service' | 'Route'): FieldError[] {
  const { revisionName = '', configurationName = '' } = target;
  const errors: FieldError[] = [];
  if (owner === 'Service') {
    if (configurationName !== '') errors.push(disallowedFields('configurationName'));
  } else {
    const paths = ['configurationName', 'revisionName'];
    if (revisionName !== '' && configurationName !== '') errors.push(multipleOneOf(...paths));
    if (revisionName === '' && configurationName === '') errors.push(missingOneOf(...paths));
  }
  for (const [path, name] of [
    ['revisionName', revisionName],
    ['configurationName', owner === 'Route' ? configurationName : ''],
  ] as const) {
    const problems = name === '' ? '' : qualifiedNameProblems(name);
    if (problems !== '') errors.push(invalidKeyName(name, path, problems));
  }
  return errors;
}
