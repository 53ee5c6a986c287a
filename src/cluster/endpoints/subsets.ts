// The addresses of a Service with a selector (CP-518). Every pod brings its own actual ports: a
// target port, by number or by name, is resolved to the pod's container port and then through the
// port map the node agent wrote on the pod, so pods whose ports differ land in different subsets.
// Pure, and independent of the order of the pods, so that an unchanged world compares equal.

import { isConditionTrue } from '../../api/conditions.ts';
import type {
  CoreService,
  EndpointAddress,
  EndpointPort,
  EndpointSubset,
  Pod,
  ServicePort,
} from '../../api/core.ts';
import { PORT_MAP_ANNOTATION } from '../../api/labels.ts';

/** Addresses of one Endpoints object, as in Kubernetes; not-ready ones are left out first. */
export const MAX_ENDPOINT_ADDRESSES = 1_000;

type PortMap = Readonly<Record<string, unknown>>;

interface Group {
  ports: EndpointPort[];
  ready: EndpointAddress[];
  notReady: EndpointAddress[];
}

/** `pods` are those the selector matches, in any state. */
export function buildSubsets(service: CoreService, pods: readonly Pod[]): EndpointSubset[] {
  const groups = new Map<string, Group>();
  for (const pod of withinLimit(pods.filter(hasEndpoint))) addPod(groups, service, pod);
  return [...groups.entries()].sort(byKey).map(([, group]) => subsetOf(group));
}

/** A pod counts from its address on and until it starts to end. */
function hasEndpoint(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return (
    (pod.status?.podIP ?? '') !== '' &&
    pod.metadata.deletionTimestamp === undefined &&
    phase !== 'Failed' &&
    phase !== 'Succeeded'
  );
}

function withinLimit(pods: Pod[]): Pod[] {
  if (pods.length <= MAX_ENDPOINT_ADDRESSES) return pods;
  const readyFirst = pods.sort((a, b) => Number(isReady(b)) - Number(isReady(a)));
  return readyFirst.slice(0, MAX_ENDPOINT_ADDRESSES);
}

const isReady = (pod: Pod): boolean => isConditionTrue(pod, 'Ready');

function addPod(groups: Map<string, Group>, service: CoreService, pod: Pod): void {
  const ports = portsOf(service, pod);
  // A Service without ports (headless) still has addresses; one none of whose ports the pod has,
  // not.
  if (ports.length === 0 && (service.spec.ports ?? []).length > 0) return;
  const key = JSON.stringify(ports);
  let group = groups.get(key);
  if (group === undefined) {
    group = { ports, ready: [], notReady: [] };
    groups.set(key, group);
  }
  const takesAll =
    (service.spec as { publishNotReadyAddresses?: boolean }).publishNotReadyAddresses === true;
  (isReady(pod) || takesAll ? group.ready : group.notReady).push(addressOf(pod));
}

function portsOf(service: CoreService, pod: Pod): EndpointPort[] {
  const portMap = readPortMap(pod);
  const ports: EndpointPort[] = [];
  for (const servicePort of service.spec.ports ?? []) {
    const containerPort = resolveTargetPort(servicePort, pod);
    if (containerPort === null) continue;
    const mapped = portMap[String(containerPort)];
    ports.push({
      ...(servicePort.name === undefined ? {} : { name: servicePort.name }),
      port: typeof mapped === 'number' ? mapped : containerPort,
      protocol: servicePort.protocol ?? 'TCP',
      ...(servicePort.appProtocol === undefined ? {} : { appProtocol: servicePort.appProtocol }),
    });
  }
  return ports;
}

/** A container port number; null when the pod has no port of that name. */
function resolveTargetPort(servicePort: ServicePort, pod: Pod): number | null {
  const target = servicePort.targetPort ?? servicePort.port;
  if (typeof target === 'number') return target === 0 ? servicePort.port : target;
  const protocol = servicePort.protocol ?? 'TCP';
  for (const container of pod.spec.containers) {
    for (const port of container.ports ?? []) {
      if (port.name === target && (port.protocol ?? 'TCP') === protocol) return port.containerPort;
    }
  }
  return null;
}

/** A map nobody can read is no map: ports are then what the pod declares. */
function readPortMap(pod: Pod): PortMap {
  const text = pod.metadata.annotations?.[PORT_MAP_ANNOTATION];
  if (text === undefined) return {};
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? (parsed as PortMap) : {};
  } catch {
    return {};
  }
}

function addressOf(pod: Pod): EndpointAddress {
  const { namespace, name, uid } = pod.metadata;
  const { nodeName } = pod.spec;
  return {
    ip: pod.status?.podIP ?? '',
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef: {
      kind: 'Pod',
      ...(namespace === undefined ? {} : { namespace }),
      name,
      ...(uid === undefined ? {} : { uid }),
    },
  };
}

function subsetOf(group: Group): EndpointSubset {
  return {
    ...(group.ready.length === 0 ? {} : { addresses: group.ready.sort(byIp) }),
    ...(group.notReady.length === 0 ? {} : { notReadyAddresses: group.notReady.sort(byIp) }),
    ...(group.ports.length === 0 ? {} : { ports: group.ports }),
  };
}

const byKey = ([a]: [string, Group], [b]: [string, Group]): number => (a < b ? -1 : 1);

function byIp(a: EndpointAddress, b: EndpointAddress): number {
  if (a.ip !== b.ip) return a.ip < b.ip ? -1 : 1;
  return (a.targetRef?.name ?? '') < (b.targetRef?.name ?? '') ? -1 : 1;
}
