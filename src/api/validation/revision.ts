// Revision templates and Revisions (WH-60 to WH-67). Pure; paths are relative to the template, or
// to the Revision itself.

import { validateAutoscalingAnnotations } from '../autoscaling-validation.ts';
import type { DefaultsConfig } from '../config/defaults.ts';
import {
  type FieldError,
  fieldError,
  invalidKeyName,
  invalidValue,
  outOfBounds,
  underPath,
} from '../field-errors.ts';
import { tryParseFloat } from '../go-values.ts';
import {
  firstAnnotationEntry,
  PROGRESS_DEADLINE_ANNOTATION,
  QUEUE_SIDECAR_PREFIX,
  QUEUE_SIDECAR_RESOURCE_PERCENTAGE_ANNOTATIONS,
} from '../labels.ts';
import type { ObjectMeta } from '../objects.ts';
import { isQuantity } from '../quantity.ts';
import type { Revision, RevisionSpec, RevisionTemplate } from '../serving.ts';
import { deepEqualJson, renderDiff } from './diff.ts';
import { type ValidationConfig, validateWholeSeconds } from './metadata.ts';
import { dns1035PrefixProblems, dns1035Problems } from './names.ts';
import { validatePodSpec } from './pod-spec.ts';

type Annotations = Record<string, string> | undefined;

const NETWORKING_PREFIX = 'networking.knative.dev';
const NETWORKING_KEYS = new Set(
  [
    'ingress.class',
    'certificate.class',
    'disableAutoTLS',
    'disable-external-domain-tls',
    'httpOption',
    'ingress-class',
    'certificate-class',
    'disable-auto-tls',
    'http-protocol',
  ].map((name) => `${NETWORKING_PREFIX}/${name}`),
);
const RESOURCE_KEYS = ['cpu', 'memory', 'ephemeral-storage'].flatMap((resource) =>
  ['request', 'limit'].map((what) => `${QUEUE_SIDECAR_PREFIX}${resource}-resource-${what}`),
);
const MIN_PERCENTAGE = 0.1;
const MAX_PERCENTAGE = 100;

/** WH-60; `parent` is the Service or Configuration. */
export function validateTemplate(
  template: RevisionTemplate,
  parent: Partial<ObjectMeta>,
  config: ValidationConfig,
): FieldError[] {
  return [
    ...validateTemplateName(template.metadata ?? {}, parent),
    ...validateRevisionAnnotations(template.metadata?.annotations, config),
    ...underPath('spec', validateRevisionSpec(template.spec ?? { containers: [] }, config)),
  ];
}

/** WH-62. */
function validateTemplateName(
  { name, generateName }: Partial<ObjectMeta>,
  parent: Partial<ObjectMeta>,
): FieldError[] {
  const errors: FieldError[] = [];
  if (generateName) {
    const problems = dns1035PrefixProblems(generateName);
    const value = `not a DNS 1035 label prefix: [${problems}]`;
    if (problems !== '') errors.push(invalidValue(value, 'metadata.generateName'));
  }
  if (!name) return errors;
  const problems = dns1035Problems(name);
  if (problems !== '') {
    const value = `not a DNS 1035 label: [${problems}]`;
    return [...errors, invalidValue(value, 'metadata.name')];
  }
  // A generated name is known only once the object is stored, so nothing can be derived from it.
  if (parent.generateName && isNameGenerated(parent)) {
    return [...errors, fieldError('must not set the field(s)', 'metadata.name')];
  }
  if (name.startsWith(`${parent.name ?? ''}-`)) return errors;
  const value = `"${name}" must have prefix "${parent.name ?? ''}-"`;
  return [...errors, invalidValue(value, 'metadata.name')];
}

function isNameGenerated({ name }: Partial<ObjectMeta>): boolean {
  return name === undefined || name === '';
}

/** WH-61, WH-63, WH-64 and section 15. */
export function validateRevisionAnnotations(
  annotations: Annotations,
  config: ValidationConfig,
): FieldError[] {
  return [
    ...underPath(
      'metadata.annotations',
      validateAutoscalingAnnotations(annotations, config.autoscaler),
    ),
    ...validateNetworkingKeys(annotations, 'metadata.annotations'),
    ...validateQueueSidecar(annotations),
    ...validateWholeSeconds(annotations, [PROGRESS_DEADLINE_ANNOTATION], 'progress-deadline'),
  ];
}

/** WH-61. */
export function validateNetworkingKeys(annotations: Annotations, path: string): FieldError[] {
  return Object.keys(annotations ?? {})
    .filter((key) => key.startsWith(NETWORKING_PREFIX) && !NETWORKING_KEYS.has(key))
    .map((key) => invalidKeyName(key, path));
}

/** WH-63. */
function validateQueueSidecar(annotations: Annotations): FieldError[] {
  const errors: FieldError[] = [];
  const pathOf = (key: string): string => `metadata.annotations.[${key}]`;
  const share = firstAnnotationEntry(annotations, QUEUE_SIDECAR_RESOURCE_PERCENTAGE_ANNOTATIONS);
  if (share !== undefined) {
    errors.push({
      message:
        'Queue proxy resource percentage annotation is deprecated. Please use the available ' +
        'annotations to explicitly set resource values per service',
      paths: [],
      level: 'warning',
    });
    const percent = tryParseFloat(share.value);
    if (percent === undefined) errors.push(invalidValue(share.value, pathOf(share.key)));
    else if (percent < MIN_PERCENTAGE || percent > MAX_PERCENTAGE) {
      const path = pathOf(share.key);
      errors.push(outOfBounds(share.value, MIN_PERCENTAGE, MAX_PERCENTAGE, path));
    }
  }
  for (const key of RESOURCE_KEYS) {
    const value = annotations?.[key];
    if (value !== undefined && !isQuantity(value)) errors.push(invalidValue(value, pathOf(key)));
  }
  return errors;
}

/** WH-67 and sections 8 to 12; paths relative to the spec. */
export function validateRevisionSpec(spec: RevisionSpec, config: ValidationConfig): FieldError[] {
  const { defaults, features } = config;
  const errors = [
    ...validatePodSpec(spec, features),
    ...validateConcurrency(spec.containerConcurrency, defaults),
  ];
  const timeout = spec.timeoutSeconds ?? 0;
  const longest = defaults.maxRevisionTimeoutSeconds;
  if (timeout < 0 || timeout > longest) {
    errors.push(outOfBounds(timeout, 0, longest, 'timeoutSeconds'));
  }
  return errors;
}

/** WH-67, WH-163: of a Revision, and of its PodAutoscaler. */
export function validateConcurrency(
  concurrency: number | undefined,
  limits: DefaultsConfig,
): FieldError[] {
  if (concurrency === undefined) return [];
  const low = limits.allowContainerConcurrencyZero ? 0 : 1;
  const high = limits.containerConcurrencyMaxLimit;
  if (concurrency >= low && concurrency <= high) return [];
  return [outOfBounds(concurrency, low, high, 'containerConcurrency')];
}

/** WH-65: a named template may not change under its name. */
export function validateNameChange(
  template: RevisionTemplate,
  old: RevisionTemplate,
): FieldError[] {
  const name = template.metadata?.name;
  if (!name || name !== old.metadata?.name || deepEqualJson(template, old)) return [];
  return [
    {
      message: 'Saw the following changes without a name change (-old +new)',
      paths: ['spec.template.metadata.name'],
      details: renderDiff('*v1.RevisionTemplateSpec', old, template),
    },
  ];
}

/** WH-66. */
export function validateImmutableSpec(revision: Revision, old: Revision): FieldError[] {
  if (deepEqualJson(revision.spec, old.spec)) return [];
  return [
    {
      message: 'Immutable fields changed (-old +new)',
      paths: ['spec'],
      details: renderDiff('v1.RevisionSpec', old.spec, revision.spec),
    },
  ];
}
