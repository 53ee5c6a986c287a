// The customary columns of built-in kinds (KN-144), where a cell is more than one path. Pure.

import type * as core from '../api/core.ts';
import type { KubeObject } from '../api/objects.ts';
import { humanAge } from './human-age.ts';
import type { TableShape } from './table.ts';
import { endpointSlices, horizontalPodAutoscalers } from './table-scaling.ts';
import { columns, MAX_SHOWN_ENDPOINTS, NONE, shape } from './table-shape.ts';

const pairs = (labels: Readonly<Record<string, string>> | undefined): string => {
  const list = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return list.length === 0 ? NONE : list.join(',');
};

/** Why a container is not simply running, or ''. */
function containerReason({ state }: core.ContainerStatus): string {
  if (state?.waiting?.reason) return state.waiting.reason;
  const ended = state?.terminated;
  if (ended === undefined) return '';
  if (ended.reason) return ended.reason;
  return ended.signal ? `Signal:${ended.signal}` : `ExitCode:${ended.exitCode}`;
}

/** What kubectl calls STATUS: the phase, unless something more telling is known. */
export function podStatusText(pod: core.Pod): string {
  const { status } = pod;
  const containers = status?.containerStatuses ?? [];
  let text = status?.reason || status?.phase || 'Unknown';
  for (const container of [...containers].reverse()) {
    const reason = containerReason(container);
    if (reason !== '') text = reason;
  }
  const isRunning = containers.some(({ ready, state }) => ready && state?.running !== undefined);
  if (text === 'Completed' && isRunning) {
    const isReady = status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
    text = isReady ? 'Running' : 'NotReady';
  }
  return pod.metadata.deletionTimestamp === undefined ? text : 'Terminating';
}

const pods = shape<core.Pod>(
  columns(
    'Name',
    'Ready',
    'Status',
    'Restarts',
    'Age',
    '+IP',
    '+Node',
    '+Nominated Node',
    '+Readiness Gates',
  ),
  (pod, age) => {
    const statuses = pod.status?.containerStatuses ?? [];
    const ready = statuses.filter((status) => status.ready).length;
    const restarts = statuses.reduce((sum, status) => sum + (status.restartCount ?? 0), 0);
    return [
      pod.metadata.name,
      `${ready}/${pod.spec?.containers?.length ?? 0}`,
      podStatusText(pod),
      String(restarts),
      age,
      pod.status?.podIP || NONE,
      pod.spec?.nodeName || NONE,
      NONE,
      NONE,
    ];
  },
);

const deployments = shape<core.Deployment>(
  columns(
    'Name',
    'Ready',
    'Up-to-date#',
    'Available#',
    'Age',
    '+Containers',
    '+Images',
    '+Selector',
  ),
  (deployment, age) => {
    const { spec, status } = deployment;
    const containers = spec?.template?.spec?.containers ?? [];
    return [
      deployment.metadata.name,
      `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 1}`,
      status?.updatedReplicas ?? 0,
      status?.availableReplicas ?? 0,
      age,
      containers.map(({ name }) => name).join(','),
      containers.map(({ image }) => image ?? '').join(','),
      pairs(spec?.selector?.matchLabels),
    ];
  },
);

const services = shape<core.CoreService>(
  columns('Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', '+Selector'),
  (service, age) => {
    const { spec } = service;
    const ports = (spec?.ports ?? []).map(({ port, protocol = 'TCP' }) => `${port}/${protocol}`);
    return [
      service.metadata.name,
      spec?.type ?? 'ClusterIP',
      spec?.clusterIP || NONE,
      spec?.type === 'ExternalName' ? (spec.externalName ?? NONE) : NONE,
      ports.length === 0 ? NONE : ports.join(','),
      age,
      pairs(spec?.selector),
    ];
  },
);

const endpoints = shape<core.Endpoints>(columns('Name', 'Endpoints', 'Age'), (object, age) => {
  const all = (object.subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : addresses.flatMap(({ ip }) => ports.map(({ port }) => `${ip}:${port}`)),
  );
  const shown = all.slice(0, MAX_SHOWN_ENDPOINTS).join(',');
  const more = all.length - MAX_SHOWN_ENDPOINTS;
  const text = more > 0 ? `${shown} + ${more} more...` : shown;
  return [object.metadata.name, text === '' ? NONE : text, age];
});

const configMaps = shape<core.ConfigMap>(columns('Name', 'Data#', 'Age'), (object, age) => [
  object.metadata.name,
  Object.keys(object.data ?? {}).length + Object.keys(object.binaryData ?? {}).length,
  age,
]);

const secrets = shape<core.Secret>(columns('Name', 'Type', 'Data#', 'Age'), (object, age) => [
  object.metadata.name,
  object.type ?? 'Opaque',
  Object.keys(object.data ?? {}).length,
  age,
]);

interface EventObject extends KubeObject {
  type?: string;
  reason?: string;
  message?: string;
  count?: number;
  firstTimestamp?: string;
  lastTimestamp?: string;
  eventTime?: string;
  involvedObject?: { kind?: string; name?: string; fieldPath?: string };
  source?: { component?: string; host?: string };
  reportingComponent?: string;
}

const events = shape<EventObject>(
  columns(
    'Last Seen',
    'Type',
    'Reason',
    'Object',
    '+Subobject',
    '+Source',
    'Message',
    '+First Seen',
    '+Count#',
    '+Name',
  ),
  (event, age, nowMs) => {
    const { involvedObject, source } = event;
    const first = event.firstTimestamp ?? event.eventTime;
    const last = event.lastTimestamp ?? first;
    return [
      last === undefined ? age : humanAge(last, nowMs),
      event.type ?? '',
      event.reason ?? '',
      `${(involvedObject?.kind ?? '').toLowerCase()}/${involvedObject?.name ?? ''}`,
      involvedObject?.fieldPath ?? '',
      [source?.component ?? event.reportingComponent, source?.host].filter(Boolean).join(', '),
      (event.message ?? '').trim(),
      first === undefined ? age : humanAge(first, nowMs),
      event.count ?? 1,
      event.metadata.name,
    ];
  },
);

interface NodeObject extends KubeObject {
  spec?: { unschedulable?: boolean };
  status?: {
    conditions?: { type: string; status: string }[];
    addresses?: { type: string; address: string }[];
    nodeInfo?: {
      kubeletVersion?: string;
      osImage?: string;
      kernelVersion?: string;
      containerRuntimeVersion?: string;
    };
  };
}

const ROLE_PREFIX = 'node-role.kubernetes.io/';

const nodes = shape<NodeObject>(
  columns(
    'Name',
    'Status',
    'Roles',
    'Age',
    'Version',
    '+Internal-IP',
    '+External-IP',
    '+OS-Image',
    '+Kernel-Version',
    '+Container-Runtime',
  ),
  (node, age) => {
    const { status } = node;
    const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status;
    const word = ready === 'True' ? 'Ready' : ready === undefined ? 'Unknown' : 'NotReady';
    const roles = Object.keys(node.metadata.labels ?? {})
      .filter((label) => label.startsWith(ROLE_PREFIX))
      .map((label) => label.slice(ROLE_PREFIX.length));
    const address = (type: string): string =>
      status?.addresses?.find((entry) => entry.type === type)?.address ?? NONE;
    return [
      node.metadata.name,
      node.spec?.unschedulable ? `${word},SchedulingDisabled` : word,
      roles.length === 0 ? NONE : roles.join(','),
      age,
      status?.nodeInfo?.kubeletVersion ?? '',
      address('InternalIP'),
      address('ExternalIP'),
      status?.nodeInfo?.osImage ?? '<unknown>',
      status?.nodeInfo?.kernelVersion ?? '<unknown>',
      status?.nodeInfo?.containerRuntimeVersion ?? '<unknown>',
    ];
  },
);

/** By `group/kind`. */
export const BUILTIN_TABLES: Readonly<Record<string, TableShape>> = {
  '/Pod': pods,
  'apps/Deployment': deployments,
  '/Service': services,
  '/Endpoints': endpoints,
  '/ConfigMap': configMaps,
  '/Secret': secrets,
  '/Event': events,
  '/Node': nodes,
  'autoscaling/HorizontalPodAutoscaler': horizontalPodAutoscalers,
  'discovery.k8s.io/EndpointSlice': endpointSlices,
};
