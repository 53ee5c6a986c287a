// What an author may leave out (WH-30 to WH-42): fills in a Revision's spec, container names,
// probes and traffic from the current config maps. The webhook stores the result; reconcilers apply
// it to copies before they compare (CP-23, CP-124). Every function changes the object it is given,
// which must be the caller's own copy, and applying it twice equals applying it once.

import type { FeaturesConfig } from './config/features.ts';
import type { Template } from './config/go-template.ts';
import type { ServingConfig } from './config/registry.ts';
import type { Container, PodSpec, Probe } from './core.ts';
import { childName } from './naming.ts';
import type { ObjectMeta } from './objects.ts';
import {
  type RevisionSpec,
  type RevisionTemplate,
  servingContainer,
  type TrafficTarget,
} from './serving.ts';

export type DefaultingConfig = Pick<ServingConfig, 'defaults' | 'features'>;

export interface DefaultingOptions {
  /** Metadata of the Service, Configuration or Revision; container name templates may use it. */
  parent: Partial<ObjectMeta>;
  isCreate: boolean;
}

/** Ports below this need the capability to bind them. */
const FIRST_UNPRIVILEGED_PORT = 1024;

export function defaultTemplate(
  template: RevisionTemplate,
  config: DefaultingConfig,
  options: DefaultingOptions,
): void {
  if (template.spec === undefined) return;
  defaultRevisionSpec(template.spec, config, options);
  // WH-15: typed clients write it empty or leave it out; that may not make another generation
  // (KN-280). Not on Revisions, which may not change.
  for (const container of template.spec.containers ?? []) container.resources ??= {};
}

/** WH-32. */
export function defaultRevisionSpec(
  spec: RevisionSpec,
  config: DefaultingConfig,
  options: DefaultingOptions,
): void {
  const { defaults } = config;
  const timeout = spec.timeoutSeconds || defaults.revisionTimeoutSeconds;
  spec.timeoutSeconds = timeout;
  const idle = defaults.revisionIdleTimeoutSeconds;
  if (spec.idleTimeoutSeconds === undefined && idle !== 0 && idle < timeout) {
    spec.idleTimeoutSeconds = idle;
  }
  const start = defaults.revisionResponseStartTimeoutSeconds;
  if (spec.responseStartTimeoutSeconds === undefined && start !== 0 && start < timeout) {
    spec.responseStartTimeoutSeconds = start;
  }
  spec.containerConcurrency ??= defaults.containerConcurrency;
  if (options.isCreate && defaults.enableServiceLinks !== null) {
    spec.enableServiceLinks ??= defaults.enableServiceLinks;
  }
  defaultPodSpec(spec, config, options.parent);
}

function defaultPodSpec(
  spec: PodSpec,
  { defaults, features }: DefaultingConfig,
  parent: Partial<ObjectMeta>,
): void {
  const containers = spec.containers ?? [];
  nameContainers(spec, defaults.containerNameTemplate, defaults.initContainerNameTemplate, parent);
  const serving = containers.length === 0 ? undefined : servingContainer(spec);
  for (const container of containers) {
    defaultResources(container, defaults.revisionRequests, 'requests');
    defaultResources(container, defaults.revisionLimits, 'limits');
    defaultProbes(container, container === serving);
    defaultMounts(container, spec);
    defaultSecurity(container, spec, features);
  }
  for (const container of spec.initContainers ?? []) {
    defaultSecurity(container, spec, features);
  }
}

/** WH-33. */
function nameContainers(
  spec: PodSpec,
  template: Template,
  initTemplate: Template,
  parent: Partial<ObjectMeta>,
): void {
  const taken = new Set<string>();
  const containers = spec.containers ?? [];
  const initContainers = spec.initContainers ?? [];
  for (const { name } of [...containers, ...initContainers]) {
    if (name !== undefined && name !== '') taken.add(name);
  }
  const data = {
    Name: parent.name ?? '',
    GenerateName: parent.generateName ?? '',
    Namespace: parent.namespace ?? '',
    UID: parent.uid ?? '',
    Labels: parent.labels ?? {},
    Annotations: parent.annotations ?? {},
  };
  nameUnnamed(containers, () => template.render(data), taken);
  nameUnnamed(initContainers, () => initTemplate.render(data), taken);
}

function nameUnnamed(containers: Container[], baseName: () => string, taken: Set<string>): void {
  if (containers.every(({ name }) => name !== undefined && name !== '')) return;
  const base = baseName();
  let index = 0;
  for (const container of containers) {
    if (container.name !== undefined && container.name !== '') continue;
    let name = base;
    if (containers.length > 1 || taken.has(name)) {
      do {
        name = childName(base, `-${index}`);
        index += 1;
      } while (taken.has(name));
    }
    taken.add(name);
    container.name = name;
  }
}

/** WH-34. Nothing is added where there is nothing to add. */
function defaultResources(
  container: Container,
  values: Readonly<Record<string, string>>,
  what: 'requests' | 'limits',
): void {
  if (Object.keys(values).length === 0) return;
  container.resources = {
    ...container.resources,
    [what]: { ...values, ...container.resources?.[what] },
  };
}

/** WH-35. */
function defaultProbes(container: Container, isServing: boolean): void {
  if (isServing) container.readinessProbe ??= {};
  const probe = container.readinessProbe;
  if (isServing && probe !== undefined && !hasHandler(probe)) probe.tcpSocket = { port: 0 };
  if (probe !== undefined) {
    probe.successThreshold ||= 1;
    if ((probe.periodSeconds ?? 0) !== 0) {
      probe.failureThreshold ||= 3;
      probe.timeoutSeconds ||= 1;
    }
  }
  for (const each of [probe, container.livenessProbe, container.startupProbe]) {
    if (each?.grpc !== undefined) each.grpc.service ??= '';
  }
}

export function hasHandler(probe: Probe): boolean {
  return (
    probe.exec !== undefined ||
    probe.httpGet !== undefined ||
    probe.tcpSocket !== undefined ||
    probe.grpc !== undefined
  );
}

/** WH-36: only volumes made for writing are mounted writable. */
function defaultMounts(container: Container, spec: PodSpec): void {
  for (const mount of container.volumeMounts ?? []) {
    const volume = spec.volumes?.find(({ name }) => name === mount.name);
    const isWritable =
      volume?.emptyDir !== undefined ||
      volume?.persistentVolumeClaim !== undefined ||
      volume?.ephemeral !== undefined;
    if (volume !== undefined && !isWritable) mount.readOnly = true;
  }
}

/** WH-37. */
function defaultSecurity(container: Container, spec: PodSpec, features: FeaturesConfig): void {
  if (features.securePodDefaults === 'Disabled') return;
  container.securityContext ??= {};
  const context = container.securityContext;
  context.allowPrivilegeEscalation ??= false;
  if (!spec.securityContext?.seccompProfile?.type) {
    context.seccompProfile = {
      ...context.seccompProfile,
      type: context.seccompProfile?.type || 'RuntimeDefault',
    };
  }
  if (context.capabilities === undefined) {
    const ports = container.ports ?? [];
    const isPrivileged = ports.some(
      ({ containerPort }) => (containerPort ?? 0) < FIRST_UNPRIVILEGED_PORT,
    );
    context.capabilities = {
      drop: ['ALL'],
      ...(isPrivileged ? { add: ['NET_BIND_SERVICE'] } : {}),
    };
  }
  if (features.securePodDefaults === 'Enabled') {
    if (spec.securityContext?.runAsNonRoot === undefined) context.runAsNonRoot ??= true;
  }
}

/** WH-40. */
export function defaultTrafficTargets(targets: TrafficTarget[]): void {
  for (const target of targets) {
    target.latestRevision ??= (target.revisionName ?? '') === '';
    target.percent ??= 0;
  }
}

/** WH-40: a Service without traffic sends everything to its latest Revision. */
export function defaultServiceTraffic(spec: { traffic?: TrafficTarget[] }): void {
  if (spec.traffic === undefined || spec.traffic.length === 0) {
    spec.traffic = [{ latestRevision: true, percent: 100 }];
  }
  defaultTrafficTargets(spec.traffic);
}
