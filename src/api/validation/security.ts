// Security contexts of containers and pods (WH-77, WH-100 to WH-110). Pure.

import { type FeaturesConfig, isAdmitted, isEnabled } from '../config/features.ts';
import type { Container, ContainerSecurityContext, PodSpec } from '../core.ts';
import {
  disallowedFields,
  type FieldError,
  invalidValue,
  joinPath,
  outOfBounds,
} from '../field-errors.ts';
import { MAX_INT32 } from '../go-values.ts';

const CONTAINER_FIELDS = new Set([
  'capabilities',
  'readOnlyRootFilesystem',
  'runAsUser',
  'runAsGroup',
  'runAsNonRoot',
  'allowPrivilegeEscalation',
  'seccompProfile',
]);
const POD_FIELDS = new Set([
  'runAsUser',
  'runAsGroup',
  'runAsNonRoot',
  'fsGroup',
  'supplementalGroups',
  'seccompProfile',
]);
const INSECURE_TEXT =
  'Kubernetes default value is insecure, Knative may default this to secure in a future release';

/** WH-100, WH-101; paths relative to `securityContext`. */
export function validateContainerSecurity(
  context: ContainerSecurityContext,
  features: FeaturesConfig,
): FieldError[] {
  const errors: FieldError[] = [];
  for (const [field, value] of Object.entries(context)) {
    const isHarmless = field === 'privileged' && value === false;
    if (!CONTAINER_FIELDS.has(field) && !isHarmless) errors.push(disallowedFields(field));
  }
  errors.push(...validateIds(context));
  const added = context.capabilities?.add ?? [];
  const mayAdd =
    isEnabled(features, 'kubernetes.containerspec-addcapabilities') ||
    (features.securePodDefaults !== 'Disabled' &&
      added.length === 1 &&
      added[0] === 'NET_BIND_SERVICE');
  if (added.length > 0 && !mayAdd) errors.push(disallowedFields('capabilities.add'));
  return errors;
}

/** WH-110; paths relative to the pod spec. */
export function validatePodSecurity(spec: PodSpec, features: FeaturesConfig): FieldError[] {
  const context = spec.securityContext;
  if (context === undefined) return [];
  const entries = Object.entries(context);
  const path = 'securityContext';
  if (isAdmitted(features, 'kubernetes.podspec-securitycontext')) {
    const errors = entries
      .filter(([field]) => !POD_FIELDS.has(field))
      .map(([field]) => disallowedFields(joinPath(path, field)));
    const groups = (context.supplementalGroups ?? []).flatMap((id, index) =>
      isId(id) ? [] : [outOfBounds(id, 0, MAX_INT32, `${path}.supplementalGroups[${index}]`)],
    );
    return [...errors, ...groups, ...validateIds(context, path)];
  }
  const isSecure = features.securePodDefaults !== 'Disabled';
  const refused = entries.flatMap(([field, value]) =>
    isSecure && field === 'seccompProfile' ? refusedSeccomp(value) : [field],
  );
  if (isSecure && refused.length === 0) return [];
  const paths = refused.map((field) => joinPath(path, field));
  return [disallowedFields(...(isSecure ? [] : [path]), ...paths)];
}

/** WH-110: only the two types that need nothing of the node. */
function refusedSeccomp(profile: { type?: string }): string[] {
  if (profile.type !== 'RuntimeDefault' && profile.type !== 'Unconfined') return ['seccompProfile'];
  return Object.keys(profile)
    .filter((field) => field !== 'type')
    .map((field) => `seccompProfile.${field}`);
}

function validateIds(
  context: { runAsUser?: number; runAsGroup?: number; fsGroup?: number },
  path = '',
): FieldError[] {
  return (['runAsUser', 'runAsGroup', 'fsGroup'] as const).flatMap((field) => {
    const id = context[field];
    if (id === undefined || isId(id)) return [];
    return [outOfBounds(id, 0, MAX_INT32, joinPath(path, field))];
  });
}

function isId(id: number): boolean {
  return id >= 0 && id <= MAX_INT32;
}

/** WH-77; paths relative to `securityContext`. */
export function insecureDefaultWarnings(container: Container, spec: PodSpec): FieldError[] {
  const context = container.securityContext ?? {};
  const pod = spec.securityContext ?? {};
  const paths: string[] = [];
  if (context.runAsNonRoot === undefined && pod.runAsNonRoot === undefined) {
    paths.push('runAsNonRoot');
  }
  if (context.allowPrivilegeEscalation === undefined) paths.push('allowPrivilegeEscalation');
  if (!context.seccompProfile?.type && !pod.seccompProfile?.type) {
    const isPresent = context.seccompProfile !== undefined || pod.seccompProfile !== undefined;
    paths.push(isPresent ? 'seccompProfile.type' : 'seccompProfile');
  }
  if (context.capabilities === undefined) paths.push('capabilities');
  else if (context.capabilities.drop === undefined) paths.push('capabilities.drop');
  const warnings: FieldError[] =
    paths.length === 0 ? [] : [{ message: INSECURE_TEXT, paths, level: 'warning' }];
  if (context.capabilities?.drop?.[0] === 'all') {
    const error = invalidValue('all', 'capabilities.drop', "Must be spelled as 'ALL'");
    warnings.push({ ...error, level: 'warning' });
  }
  return warnings;
}
