// The status of a pod as a kubelet would report it (CP-517, KN-235), computed from what its
// containers are doing. Pure: the same facts give the same status, so an unchanged one is not sent.

import type { Container, ContainerState, ContainerStatus, Pod, PodStatus } from '../api/core.ts';
import type { Condition } from '../api/objects.ts';
import type { PodAddress } from './addresses.ts';

/** What is known about one container. */
export interface ContainerFacts {
  state: ContainerState;
  lastState: ContainerState;
  restartCount: number;
  /** Its startup probe, if any, has succeeded. */
  started: boolean;
  ready: boolean;
  /** `local://<id>`, absent before the first start. */
  containerId: string | null;
}

/** A pod that cannot run here at all, for a reason a person has to remove. */
export interface Unschedulable {
  reason: string;
  message: string;
}

export interface PodFacts {
  address: PodAddress | null;
  startTime: string | null;
  containers: ReadonlyMap<string, ContainerFacts>;
  unschedulable: Unschedulable | null;
  /** What the pod asks for and a local process cannot have; becomes an informational condition. */
  warnings: readonly string[];
}

export const WAITING: ContainerFacts = {
  state: { waiting: { reason: 'ContainerCreating' } },
  lastState: {},
  restartCount: 0,
  started: false,
  ready: false,
  containerId: null,
};

const HOST_IP = '127.0.0.1';

/** RFC 3339 in whole seconds, as every Kubernetes timestamp. */
export function timestamp(unixMs: number): string {
  return new Date(Math.floor(unixMs / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

export function buildPodStatus(pod: Pod, facts: PodFacts, nowMs: number): PodStatus {
  const statuses = pod.spec.containers.map((container) =>
    containerStatus(container, facts.containers.get(container.name) ?? WAITING),
  );
  const status: PodStatus = {
    phase: phaseOf(statuses),
    conditions: conditionsOf(pod, facts, statuses, timestamp(nowMs)),
    containerStatuses: statuses,
    hostIP: HOST_IP,
    qosClass: 'BestEffort',
  };
  if (facts.startTime !== null) status.startTime = facts.startTime;
  if (facts.address !== null) {
    status.podIP = facts.address.ip;
    status.podIPs = [{ ip: facts.address.ip }];
  }
  return status;
}

/** Running from the moment one container runs or is being restarted; restartPolicy is Always. */
function phaseOf(statuses: readonly ContainerStatus[]): NonNullable<PodStatus['phase']> {
  const allBegan = statuses.every(
    (status) =>
      status.state?.running !== undefined ||
      status.state?.terminated !== undefined ||
      status.lastState?.terminated !== undefined,
  );
  return allBegan && statuses.length > 0 ? 'Running' : 'Pending';
}

function containerStatus(container: Container, facts: ContainerFacts): ContainerStatus {
  const status: ContainerStatus = {
    name: container.name,
    ready: facts.ready,
    started: facts.started,
    restartCount: facts.restartCount,
    image: container.image ?? '',
    imageID: container.image ?? '',
    state: facts.state,
    lastState: facts.lastState,
  };
  if (facts.containerId !== null) status.containerID = facts.containerId;
  return status;
}

function conditionsOf(
  pod: Pod,
  facts: PodFacts,
  statuses: readonly ContainerStatus[],
  now: string,
): Condition[] {
  const unready = statuses.filter((status) => !status.ready).map((status) => status.name);
  const allReady = unready.length === 0 && statuses.length > 0;
  const readiness = allReady
    ? ({ status: 'True' } as const)
    : ({
        status: 'False',
        reason: 'ContainersNotReady',
        message: `containers with unready status: [${unready.join(' ')}]`,
      } as const);
  const conditions: Condition[] = [
    facts.unschedulable === null
      ? { type: 'PodScheduled', status: 'True' }
      : { type: 'PodScheduled', status: 'False', ...facts.unschedulable },
    { type: 'Initialized', status: 'True' },
    { type: 'ContainersReady', ...readiness },
    { type: 'Ready', ...readiness },
  ];
  if (facts.warnings.length > 0) {
    const message = facts.warnings.join('; ');
    conditions.push({ type: 'LocalProcess', status: 'True', reason: 'NotHonoured', message });
  }
  return conditions.map((condition) => withTransitionTime(pod, condition, now));
}

/** Keeps the time of a condition whose status did not change. */
function withTransitionTime(pod: Pod, condition: Condition, now: string): Condition {
  const before = pod.status?.conditions?.find((existing) => existing.type === condition.type);
  const same = before?.status === condition.status && before.lastTransitionTime !== undefined;
  return { ...condition, lastTransitionTime: same ? (before?.lastTransitionTime ?? now) : now };
}

/** What a local process cannot give, in words (decision 0007): said once, never refused. */
export function localWarnings(pod: Pod): string[] {
  const warnings: string[] = [];
  for (const container of pod.spec.containers) {
    if (container.name === 'queue-proxy') continue;
    const say = (what: string) => warnings.push(`container ${container.name}: ${what}`);
    if (container.securityContext?.runAsUser !== undefined) say('runAsUser is not applied');
    if (container.securityContext?.readOnlyRootFilesystem === true) {
      say('the file system stays writable');
    }
    if (container.resources?.limits !== undefined) say('resource limits are not enforced');
    if ((container.volumeMounts?.length ?? 0) > 0) say('volumes are not mounted');
  }
  if ((pod.spec.initContainers?.length ?? 0) > 0) warnings.push('init containers are not run');
  return warnings;
}
