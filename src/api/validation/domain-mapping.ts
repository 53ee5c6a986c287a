// DomainMappings (WH-140, WH-141). Pure.

import {
  detailedError,
  disallowedFields,
  type FieldError,
  fieldError,
  missingField,
} from '../field-errors.ts';
import type { DomainMapping } from '../serving.ts';
import { domainNameProblem } from './names.ts';

const REQUIRED = ['apiVersion', 'kind', 'name'] as const;

export function validateDomainMapping(
  { metadata, spec }: DomainMapping,
  clusterDomain: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (metadata.generateName) errors.push(disallowedFields('metadata.generateName'));
  else errors.push(...validateHost(metadata.name, clusterDomain));
  const ref = spec?.ref;
  const missing = REQUIRED.filter((field) => !ref?.[field]);
  if (missing.length > 0) errors.push(missingField(...missing.map((field) => `spec.ref.${field}`)));
  if (ref?.group !== undefined) errors.push(disallowedFields('spec.ref.group'));
  if (ref?.namespace && ref.namespace !== metadata.namespace) {
    const details = `parent namespace: "${metadata.namespace ?? ''}" does not match ref: "${ref.namespace}"`;
    errors.push(detailedError('mismatched namespaces', details, 'spec.ref.namespace'));
  }
  return errors;
}

/** WH-140. */
function validateHost(name: string, clusterDomain: string): FieldError[] {
  const problem = domainNameProblem(name);
  if (problem !== null) {
    const words = `invalid name "${name}": name: Invalid value: "${problem.value}": ${problem.text}`;
    return [fieldError(words, 'metadata.name')];
  }
  if (!name.endsWith(`.${clusterDomain}`)) return [];
  const words = `invalid name "${name}": must not be a subdomain of cluster local domain "${clusterDomain}"`;
  return [fieldError(words, 'metadata.name')];
}
