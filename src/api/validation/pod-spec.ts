// The pod part of a Revision's spec (WH-70 to WH-77). Pure; paths are relative to the spec.

import {
  type FeatureName,
  type FeaturesConfig,
  isAdmitted,
  isEnabled,
} from '../config/features.ts';
import type { PodSpec } from '../core.ts';
import {
  detailedError,
  disallowedFields,
  type FieldError,
  fieldError,
  invalidValue,
  missingField,
  underPath,
} from '../field-errors.ts';
import { servingContainer } from '../serving.ts';
import { validateContainer } from './containers.ts';
import { subdomainProblems } from './names.ts';
import { insecureDefaultWarnings, validatePodSecurity } from './security.ts';
import { validateVolumes } from './volumes.ts';

/** Left out and empty mean the same, so an empty one is not "set". */
const EMPTY_IS_UNSET = new Set([
  'dnsPolicy',
  'hostIPC',
  'hostNetwork',
  'hostPID',
  'hostname',
  'nodeName',
  'priorityClassName',
  'restartPolicy',
  'schedulerName',
  'serviceAccount',
  'subdomain',
]);
const PLAIN_FIELDS = new Set([
  'containers',
  'volumes',
  'serviceAccountName',
  'imagePullSecrets',
  'enableServiceLinks',
  'securityContext',
]);
/** WH-70: field -> the feature that admits it. */
const FLAGGED_FIELDS: Readonly<Record<string, FeatureName>> = {
  affinity: 'kubernetes.podspec-affinity',
  nodeSelector: 'kubernetes.podspec-nodeselector',
  tolerations: 'kubernetes.podspec-tolerations',
  topologySpreadConstraints: 'kubernetes.podspec-topologyspreadconstraints',
  hostAliases: 'kubernetes.podspec-hostaliases',
  runtimeClassName: 'kubernetes.podspec-runtimeclassname',
  schedulerName: 'kubernetes.podspec-schedulername',
  priorityClassName: 'kubernetes.podspec-priorityclassname',
  shareProcessNamespace: 'kubernetes.podspec-shareprocessnamespace',
  dnsPolicy: 'kubernetes.podspec-dnspolicy',
  dnsConfig: 'kubernetes.podspec-dnsconfig',
  hostIPC: 'kubernetes.podspec-hostipc',
  hostPID: 'kubernetes.podspec-hostpid',
  hostNetwork: 'kubernetes.podspec-hostnetwork',
  initContainers: 'kubernetes.podspec-init-containers',
};
/** Knative's own, checked elsewhere (WH-67). */
const REVISION_FIELDS = new Set([
  'containerConcurrency',
  'timeoutSeconds',
  'responseStartTimeoutSeconds',
  'idleTimeoutSeconds',
]);

export function validatePodSpec(spec: PodSpec, features: FeaturesConfig): FieldError[] {
  return [
    ...validateFields(spec, features),
    ...validatePodSecurity(spec, features),
    ...(features.securePodDefaults === 'Disabled' ? insecureDefaults(spec) : []),
    ...validateVolumes(spec, features),
    ...validateInitContainers(spec, features),
    ...validateContainers(spec, features),
    ...validateServiceAccount(spec),
  ];
}

function validateFields(spec: PodSpec, features: FeaturesConfig): FieldError[] {
  return Object.entries(spec).flatMap(([field, value]) => {
    if (PLAIN_FIELDS.has(field) || REVISION_FIELDS.has(field)) return [];
    if (field === 'automountServiceAccountToken' && value === false) return [];
    if (EMPTY_IS_UNSET.has(field) && !value) return [];
    const feature = FLAGGED_FIELDS[field];
    if (feature !== undefined && isAdmitted(features, feature)) return [];
    return [disallowedFields(field)];
  });
}

/** WH-77: init containers under their own name, unlike their errors. */
function insecureDefaults(spec: PodSpec): FieldError[] {
  return (['containers', 'initContainers'] as const).flatMap((list) =>
    (spec[list] ?? []).flatMap((container, index) =>
      underPath(`${list}[${index}].securityContext`, insecureDefaultWarnings(container, spec)),
    ),
  );
}

/** WH-72, WH-74. */
function validateContainers(spec: PodSpec, features: FeaturesConfig): FieldError[] {
  const containers = spec.containers ?? [];
  if (containers.length === 0) return [missingField('containers')];
  const errors = validatePortCount(spec);
  if (containers.length > 1 && !isEnabled(features, 'multi-container')) {
    const words = `multi-container is off, but found ${containers.length} containers`;
    return [...errors, fieldError(words)];
  }
  const serving = servingContainer(spec);
  const seen = new Set<string>();
  for (const [index, container] of containers.entries()) {
    const found = duplicateName(container.name, seen);
    const role = container === serving ? 'serving' : 'sidecar';
    found.push(...validateContainer(container, role, spec, features));
    errors.push(...underPath(`containers[${index}]`, found));
  }
  return errors;
}

function duplicateName(name: string, seen: Set<string>): FieldError[] {
  if (!name) return [];
  const errors = seen.has(name) ? [fieldError(`duplicate container name "${name}"`, 'name')] : [];
  seen.add(name);
  return errors;
}

/** WH-75. */
function validatePortCount({ containers }: PodSpec): FieldError[] {
  const path = 'containers[*].ports';
  const count = containers.reduce((sum, { ports = [] }) => sum + ports.length, 0);
  if (count > 1) {
    const details = 'Only a single port is allowed across all containers';
    return [detailedError('more than one container port is set', details, path)];
  }
  return count === 0 && containers.length > 1 ? [missingField(path)] : [];
}

/** WH-73: reported under `containers`, as in the reference. */
function validateInitContainers(spec: PodSpec, features: FeaturesConfig): FieldError[] {
  const containers = spec.initContainers ?? [];
  if (containers.length === 0) return [];
  if (!isEnabled(features, 'kubernetes.podspec-init-containers')) {
    const words = `pod spec support for init-containers is off, but found ${containers.length} init containers`;
    return [fieldError(words)];
  }
  const seen = new Set((spec.containers ?? []).map(({ name }) => name));
  return containers.flatMap((container, index) =>
    underPath(`containers[${index}]`, [
      ...duplicateName(container.name, seen),
      ...validateContainer(container, 'init', spec, features),
    ]),
  );
}

/** WH-76. */
function validateServiceAccount({ serviceAccountName }: PodSpec): FieldError[] {
  if (!serviceAccountName) return [];
  return subdomainProblems(serviceAccountName).map((problem) =>
    invalidValue(serviceAccountName, 'serviceAccountName', problem),
  );
}
