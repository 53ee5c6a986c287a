// The environment of a container: envFrom, then env in order with $(NAME) expansion, then what the
// process runtime changes because ports are shared by the whole machine. Pure: the objects that are
// referred to are fetched by the caller and passed in. Errors carry a kubelet's words.

import type { Container, EnvVar, Pod } from '../api/core.ts';
import type { PodAddress } from './addresses.ts';

export interface ReferencedData {
  /** Undefined: no such object. Values are plain text (Secrets already decoded). */
  configMap(name: string): Readonly<Record<string, string>> | undefined;
  secret(name: string): Readonly<Record<string, string>> | undefined;
}

/** A container that cannot be configured; its waiting reason is `CreateContainerConfigError`. */
export class ContainerConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ContainerConfigError';
  }
}

/** Names of the ConfigMaps and Secrets that `resolveEnv` will ask for. */
export function referencedNames(container: Container): { configMaps: string[]; secrets: string[] } {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  for (const source of container.envFrom ?? []) {
    if (source.configMapRef?.name !== undefined) configMaps.add(source.configMapRef.name);
    if (source.secretRef?.name !== undefined) secrets.add(source.secretRef.name);
  }
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.configMapKeyRef?.name !== undefined) {
      configMaps.add(valueFrom.configMapKeyRef.name);
    }
    if (valueFrom?.secretKeyRef?.name !== undefined) secrets.add(valueFrom.secretKeyRef.name);
  }
  return { configMaps: [...configMaps], secrets: [...secrets] };
}

/**
 * Kubernetes' rules (RC-4): later entries win, $(NAME) sees entries before it. `overrides` are the
 * values the platform decides (PORT and its like); they also win over the pod's and may be referred
 * to from anywhere, since a local app cannot know its port beforehand.
 */
export function resolveEnv(
  container: Container,
  pod: Pod,
  address: PodAddress,
  data: ReferencedData,
  overrides: Readonly<Record<string, string>>,
): Record<string, string> {
  const values: Record<string, string> = {};
  for (const source of container.envFrom ?? []) {
    const prefix = source.prefix ?? '';
    for (const [key, value] of Object.entries(envFromValues(source, data))) {
      values[`${prefix}${key}`] = value;
    }
  }
  for (const variable of container.env ?? []) {
    const value = variableValue(variable, pod, address, data, { ...values, ...overrides });
    if (value !== undefined) values[variable.name] = value;
  }
  return { ...values, ...overrides };
}

/** `$(NAME)` becomes its value, `$$(NAME)` becomes `$(NAME)`, unknown names stay as they are. */
export function expand(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)/g, (whole, name?: string) => {
    if (whole === '$$') return '$';
    return name === undefined || values[name] === undefined ? whole : (values[name] ?? whole);
  });
}

function envFromValues(
  source: NonNullable<Container['envFrom']>[number],
  data: ReferencedData,
): Readonly<Record<string, string>> {
  const reference = source.configMapRef ?? source.secretRef;
  const name = reference?.name;
  if (name === undefined) return {};
  const isConfigMap = source.configMapRef !== undefined;
  const found = isConfigMap ? data.configMap(name) : data.secret(name);
  if (found === undefined && reference?.optional !== true) {
    throw new ContainerConfigError(`${isConfigMap ? 'configmap' : 'secret'} "${name}" not found`);
  }
  return found ?? {};
}

function variableValue(
  variable: EnvVar,
  pod: Pod,
  address: PodAddress,
  data: ReferencedData,
  known: Readonly<Record<string, string>>,
): string | undefined {
  const from = variable.valueFrom;
  if (from === undefined) return expand(variable.value ?? '', known);
  if (from.fieldRef !== undefined) return fieldValue(from.fieldRef.fieldPath, pod, address);
  if (from.configMapKeyRef !== undefined) {
    const { name = '', key, optional } = from.configMapKeyRef;
    return keyValue('configmap', name, key, optional === true, data.configMap(name));
  }
  if (from.secretKeyRef !== undefined) {
    const { name = '', key, optional } = from.secretKeyRef;
    return keyValue('secret', name, key, optional === true, data.secret(name));
  }
  // Resources are not limited here, which is what 0 says.
  return from.resourceFieldRef === undefined ? '' : '0';
}

function keyValue(
  kind: 'configmap' | 'secret',
  name: string,
  key: string,
  optional: boolean,
  found: Readonly<Record<string, string>> | undefined,
): string | undefined {
  const value = found?.[key];
  if (value !== undefined || optional) return value;
  throw new ContainerConfigError(
    found === undefined ? `${kind} "${name}" not found` : `${kind} "${name}" has no key "${key}"`,
  );
}

function fieldValue(path: string, pod: Pod, address: PodAddress): string {
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed !== null) {
    const map = keyed[1] === 'labels' ? pod.metadata.labels : pod.metadata.annotations;
    return map?.[keyed[2] ?? ''] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid ?? '';
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? 'default';
    case 'status.podIP':
    case 'status.podIPs':
      return address.ip;
    case 'status.hostIP':
    case 'status.hostIPs':
      return '127.0.0.1';
    default:
      throw new ContainerConfigError(`fieldRef "${path}" is not supported`);
  }
}
