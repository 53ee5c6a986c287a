// DomainMappings (WH-140, WH-141). Pure.

import {
  detailedError,
  disallowedFields,
  type FieldError,
  fieldError,
  missingField,
} from '../field-errors.ts';
import type { DomainMapping } from '../serving.ts';
import { isDns1123Label } from './names.ts';

const MAX_DOMAIN_LENGTH = 253;
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

function validateHost(name: string, clusterDomain: string): FieldError[] {
  const labels = name.split('.');
  let problem = '';
  if (name.length > MAX_DOMAIN_LENGTH) problem = 'must be no more than 253 characters';
  else if (labels.length < 2) {
    problem = 'should be a domain with at least two segments separated by dots';
  } else if (!labels.every(isDns1123Label)) {
    problem =
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and " +
      "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex " +
      "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
  }
  if (problem !== '') {
    const words = `invalid name "${name}": name: Invalid value: "${name}": ${problem}`;
    return [fieldError(words, 'metadata.name')];
  }
  if (!name.endsWith(`.${clusterDomain}`)) return [];
  const words = `invalid name "${name}": must not be a subdomain of cluster local domain "${clusterDomain}"`;
  return [fieldError(words, 'metadata.name')];
}
