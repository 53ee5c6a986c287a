// Internal kinds (WH-160 to WH-163). Only controllers write them, so these checks catch our own
// mistakes and hand-made edits. Pure; paths are relative to the object.

import type { Metric, PodAutoscaler } from '../autoscaling.ts';
import { validateAutoscalingAnnotations } from '../autoscaling-validation.ts';
import {
  disallowedFields,
  type FieldError,
  fieldError,
  invalidValue,
  missingField,
  underPath,
} from '../field-errors.ts';
import type {
  Certificate,
  Ingress,
  IngressPath,
  IngressSplit,
  ServerlessService,
} from '../networking.ts';
import { type ValidationConfig, validateName } from './metadata.ts';
import { validateConcurrency, validateNetworkingKeys } from './revision.ts';

const REFERENCE_FIELDS = ['apiVersion', 'kind', 'name'] as const;
const PROTOCOLS = new Set(['http1', 'h2c']);
const HTTP_OPTIONS = new Set(['', 'Enabled', 'Redirected']);

type Reference = { apiVersion?: string; kind?: string; name?: string };

function validateReference(reference: Reference | undefined): FieldError[] {
  const missing = REFERENCE_FIELDS.filter((field) => !reference?.[field]);
  const extra = Object.keys(reference ?? {}).filter(
    (field) => !(REFERENCE_FIELDS as readonly string[]).includes(field),
  );
  return [
    ...(missing.length === 0 ? [] : [missingField(...missing)]),
    ...(extra.length === 0 ? [] : [disallowedFields(...extra)]),
  ];
}

function validateProtocol(protocol: string | undefined): FieldError[] {
  return PROTOCOLS.has(protocol ?? '') ? [] : [invalidValue(protocol ?? '', 'spec.protocolType')];
}

/** WH-163. */
export function validatePodAutoscaler(
  { metadata, spec }: PodAutoscaler,
  config: ValidationConfig,
): FieldError[] {
  const { defaults, autoscaler } = config;
  return [
    ...validateName(metadata),
    ...underPath(
      'metadata.annotations',
      validateAutoscalingAnnotations(metadata.annotations, autoscaler),
    ),
    ...underPath('spec.scaleTargetRef', validateReference(spec?.scaleTargetRef)),
    ...validateProtocol(spec?.protocolType),
    ...underPath('spec', validateConcurrency(spec?.containerConcurrency ?? 0, defaults)),
  ];
}

export function validateMetric(
  { metadata, spec }: Metric,
  { autoscaler }: ValidationConfig,
): FieldError[] {
  return [
    ...validateName(metadata),
    ...underPath(
      'metadata.annotations',
      validateAutoscalingAnnotations(metadata.annotations, autoscaler),
    ),
    ...(Object.keys(spec ?? {}).length === 0 ? [missingField('spec')] : []),
  ];
}

/** WH-161. */
export function validateServerlessService({ metadata, spec }: ServerlessService): FieldError[] {
  const errors = [
    ...validateNetworkingKeys(metadata.annotations, 'annotations'),
    ...underPath('spec.objectRef', validateReference(spec?.objectRef)),
    ...validateProtocol(spec?.protocolType),
  ];
  if (!spec?.mode) errors.push(missingField('spec.mode'));
  else if (spec.mode !== 'Serve' && spec.mode !== 'Proxy') {
    errors.push(invalidValue(spec.mode, 'spec.mode'));
  }
  if ((spec?.numActivators ?? 0) < 0) {
    errors.push(invalidValue(spec.numActivators, 'spec.numActivators'));
  }
  return errors;
}

/** WH-162. */
export function validateCertificate({ spec }: Certificate): FieldError[] {
  const names = spec?.dnsNames ?? [];
  const errors: FieldError[] = names.length === 0 ? [missingField('spec.dnsNames')] : [];
  for (const [index, name] of names.entries()) {
    if (name === '') errors.push(invalidValue('', `spec.dnsNames[${index}]`));
  }
  if (!spec?.secretName) errors.push(missingField('spec.secretName'));
  const domain = spec?.domain ?? '';
  const isCovered = names.some((name) => name === domain || name.endsWith(`.${domain}`));
  if (domain !== '' && !isCovered) {
    const words =
      'spec.domain must be a suffix of, or match exactly, at least one entry in dnsNames';
    errors.push(invalidValue('domain', words));
  }
  return errors;
}

/** WH-160. */
export function validateIngress({ metadata, spec }: Ingress): FieldError[] {
  if (Object.keys(spec ?? {}).length === 0) return [missingField('spec')];
  const errors: FieldError[] = [];
  const option = spec.httpOption ?? '';
  if (!HTTP_OPTIONS.has(option)) errors.push(invalidValue(option, 'spec.httpOption'));
  if ((spec.rules?.length ?? 0) === 0) errors.push(missingField('spec.rules'));
  for (const [index, rule] of (spec.rules ?? []).entries()) {
    const path = `spec.rules[${index}]`;
    if (Object.keys(rule).length === 0) errors.push(missingField(path));
    else if (rule.http === undefined) errors.push(missingField(`${path}.http`));
    else {
      const found = validatePaths(rule.http.paths ?? [], metadata.namespace ?? '');
      errors.push(...underPath(`${path}.http`, found));
    }
  }
  for (const [index, tls] of (spec.tls ?? []).entries()) {
    for (const field of ['secretName', 'secretNamespace'] as const) {
      if (!tls[field]) errors.push(missingField(`spec.tls[${index}].${field}`));
    }
  }
  return errors;
}

function validatePaths(paths: readonly IngressPath[], namespace: string): FieldError[] {
  if (paths.length === 0) return [missingField('paths')];
  return paths.flatMap(({ splits = [] }, index) => {
    const errors: FieldError[] = splits.length === 0 ? [missingField('splits')] : [];
    const total = splits.reduce((sum, { percent = 0 }) => sum + percent, 0);
    const isSingle = splits.length === 1 && (splits[0]?.percent ?? 0) === 0;
    if (splits.length > 0 && total !== 100 && !isSingle) {
      const words = `traffic split percentage must total to 100, but was ${total}`;
      errors.push(fieldError(words, 'splits'));
    }
    for (const [at, split] of splits.entries()) {
      errors.push(...underPath(`splits[${at}]`, validateSplit(split, namespace)));
    }
    return underPath(`paths[${index}]`, errors);
  });
}

function validateSplit(split: IngressSplit, namespace: string): FieldError[] {
  const errors: FieldError[] = [];
  const percent = split.percent ?? 0;
  if (percent < 0 || percent > 100) errors.push(invalidValue(percent, 'percent'));
  if (!split.serviceNamespace) errors.push(missingField('serviceNamespace'));
  else if (split.serviceNamespace !== namespace) {
    const words = 'service namespace must match ingress namespace';
    errors.push(fieldError(words, 'serviceNamespace'));
  }
  if (!split.serviceName) errors.push(missingField('serviceName'));
  if (split.servicePort === undefined || split.servicePort === 0 || split.servicePort === '') {
    errors.push(missingField('servicePort'));
  }
  return errors;
}
