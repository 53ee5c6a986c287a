// Containers of a Revision (WH-80 to WH-87). Pure; paths are relative to the container unless said.

import { type FeaturesConfig, isAdmitted, isEnabled } from '../config/features.ts';
import type { Container, EnvVar, PodSpec } from '../core.ts';
import {
  detailedError,
  disallowedFields,
  type FieldError,
  fieldError,
  invalidValue,
  missingField,
  missingOneOf,
  multipleOneOf,
  outOfBounds,
  underPath,
} from '../field-errors.ts';
import { QUEUE_PROXY_CONTAINER } from '../labels.ts';
import { isImageReference } from './names.ts';
import { disallowedProbes, PROBE_FIELDS, validateProbes } from './probes.ts';
import { validateContainerSecurity } from './security.ts';
import { validateMounts } from './volumes.ts';

export type ContainerRole = 'serving' | 'sidecar' | 'init';

const ALLOWED_FIELDS = new Set([
  'name',
  'args',
  'command',
  'env',
  'workingDir',
  'envFrom',
  'image',
  'imagePullPolicy',
  'livenessProbe',
  'ports',
  'readinessProbe',
  'resources',
  'securityContext',
  'startupProbe',
  'terminationMessagePath',
  'terminationMessagePolicy',
  'volumeMounts',
]);
const RESERVED_ENV = new Set(['K_SERVICE', 'K_CONFIGURATION', 'K_REVISION']);
const RESERVED_PORTS = new Set([8008, 8012, 8013, 8022, 9090, 9091]);
const MAX_PORT = 65_535;
const MESSAGE_POLICIES = new Set(['', 'File', 'FallbackToLogsOnError']);
const PORT_FIELDS = new Set(['containerPort', 'name', 'protocol']);
const PORT_NAMES = new Set(['', 'h2c', 'http1']);

export function validateContainer(
  container: Container,
  role: ContainerRole,
  spec: PodSpec,
  features: FeaturesConfig,
): FieldError[] {
  if (Object.keys(container).length === 0) return [missingField('')];
  const errors: FieldError[] = [
    ...validateFields(container, role),
    ...validateEnv(container.env ?? [], role, features),
    ...validateEnvFrom(container),
    ...validateImage(container),
    ...validatePorts(container, role),
    ...validateMounts(container, spec, features),
    ...underPath(
      'securityContext',
      validateContainerSecurity(container.securityContext ?? {}, features),
    ),
  ];
  if (container.name === QUEUE_PROXY_CONTAINER) {
    errors.push(fieldError('"queue-proxy" is a reserved container name', 'name'));
  }
  const policy = container.terminationMessagePolicy ?? '';
  if (!MESSAGE_POLICIES.has(policy)) {
    errors.push(invalidValue(policy, 'terminationMessagePolicy'));
  }
  return [...errors, ...roleErrors(container, role, features)];
}

/** WH-80, WH-86. */
function validateFields(container: Container, role: ContainerRole): FieldError[] {
  const refused = Object.entries(container)
    .filter(([field, value]) => !ALLOWED_FIELDS.has(field) && isSet(value))
    .map(([field]) => field)
    .filter((field) => role !== 'init' || field !== 'lifecycle');
  const resources = Object.keys(container.resources ?? {})
    .filter((field) => field !== 'requests' && field !== 'limits')
    .map((field) => `resources.${field}`);
  const paths = [...refused, ...resources];
  return paths.length === 0 ? [] : [disallowedFields(...paths)];
}

/** `stdin: false`, `hostPort: 0` and the like say nothing. */
function isSet(value: unknown): boolean {
  return value !== false && value !== 0 && value !== '';
}

/** WH-73, WH-91. */
function roleErrors(
  container: Container,
  role: ContainerRole,
  features: FeaturesConfig,
): FieldError[] {
  if (role === 'serving') return validateProbes(container, true);
  if (role === 'sidecar') {
    return isEnabled(features, 'multi-container-probing')
      ? validateProbes(container, false)
      : disallowedProbes(container);
  }
  return [...PROBE_FIELDS, 'lifecycle' as const]
    .filter((field) => container[field] !== undefined)
    .map((field) => fieldError('field not allowed in an init container', field));
}

/** WH-82. */
function validateEnv(
  variables: readonly EnvVar[],
  role: ContainerRole,
  features: FeaturesConfig,
): FieldError[] {
  return variables.flatMap(({ name, valueFrom }, index) => {
    const errors: FieldError[] = [];
    if (!name) errors.push(missingField('name'));
    else if (RESERVED_ENV.has(name) || (name === 'PORT' && role === 'serving')) {
      errors.push(fieldError(`"${name}" is a reserved environment variable`, 'name'));
    }
    for (const field of Object.keys(valueFrom ?? {})) {
      if (!isEnvSource(field, features)) errors.push(disallowedFields(`valueFrom.${field}`));
    }
    return underPath(`env[${index}]`, errors);
  });
}

function isEnvSource(field: string, features: FeaturesConfig): boolean {
  if (field === 'configMapKeyRef' || field === 'secretKeyRef') return true;
  const isField = field === 'fieldRef' || field === 'resourceFieldRef';
  return isField && isAdmitted(features, 'kubernetes.podspec-fieldref');
}

/** WH-83: the path has no index, as in the reference. */
function validateEnvFrom({ envFrom = [] }: Container): FieldError[] {
  const paths = ['envFrom.configMapRef', 'envFrom.secretRef'];
  return envFrom.flatMap(({ configMapRef, secretRef }) => {
    if (configMapRef === undefined && secretRef === undefined) return [missingOneOf(...paths)];
    if (configMapRef !== undefined && secretRef !== undefined) return [multipleOneOf(...paths)];
    return [];
  });
}

/** WH-84. */
function validateImage({ image }: Container): FieldError[] {
  if (!image) return [missingField('image')];
  if (isImageReference(image)) return [];
  const details = `image: "${image}", error: could not parse reference: ${image}`;
  return [detailedError('Failed to parse image reference', details, 'image')];
}

/** WH-85: paths without index, as in the reference. */
function validatePorts({ ports = [] }: Container, role: ContainerRole): FieldError[] {
  return ports.flatMap((port) => {
    const errors = Object.entries(port)
      .filter(([field, value]) => !PORT_FIELDS.has(field) && isSet(value))
      .map(([field]) => disallowedFields(`ports.${field}`));
    const number = port.containerPort ?? 0;
    if (RESERVED_PORTS.has(number)) {
      const words = `${number} is a reserved port`;
      const details = `${words}, please use a different value`;
      errors.push(invalidValue(words, 'ports.containerPort', details));
    }
    if (number < 0 || number > MAX_PORT) {
      errors.push(outOfBounds(number, 0, MAX_PORT, 'ports.containerPort'));
    }
    if (role === 'init') return errors;
    const { protocol = '', name = '' } = port;
    if (protocol !== '' && protocol !== 'TCP') {
      errors.push(invalidValue(protocol, 'ports.protocol'));
    }
    if (!PORT_NAMES.has(name)) {
      const details = "Name must be empty, or one of: 'h2c', 'http1'";
      errors.push(detailedError(`Port name ${name} is not allowed`, details, 'ports'));
    }
    return errors;
  });
}
