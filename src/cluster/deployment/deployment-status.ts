// The status of a Deployment from its pods (CP-516). Pure: time is passed in, and the same pods at
// the same time give the same status. Progress is judged only until a rollout is complete:
// afterwards `Progressing` stays True whatever becomes of the pods, and scaling to 0 completes any
// rollout, a failed one included.

import type { Deployment, DeploymentStatus } from '../../api/core.ts';
import type { Condition } from '../../api/objects.ts';
import { countAvailable, rollingLimits } from './replica-plan.ts';
import type { DeploymentSpec, SeenPods } from './seen-pods.ts';

/** What the Kubernetes API fills in when it is absent. */
export const DEFAULT_PROGRESS_DEADLINE_SECONDS = 600;

interface DeploymentCondition extends Condition {
  lastUpdateTime?: string;
}

type Counts = Required<Omit<DeploymentStatus, 'conditions' | 'observedGeneration'>>;

const COMPLETE = 'NewReplicaSetAvailable';
const STARTED = 'NewReplicaSetCreated';
const ADVANCED = 'ReplicaSetUpdated';
const EXCEEDED = 'ProgressDeadlineExceeded';

/** `createFailure` is why pods could not be created in this pass, null if they could. */
export function deploymentStatus(
  deployment: Deployment,
  seen: SeenPods,
  createFailure: Error | null,
  nowMs: number,
): DeploymentStatus {
  const counts = countPods(seen);
  const { generation } = deployment.metadata;
  const previous = (deployment.status?.conditions ?? []) as DeploymentCondition[];
  const wanted = [
    availableCondition(deployment.spec, counts),
    progressingCondition(deployment, counts, nowMs),
    ...(createFailure === null ? [] : [failureCondition(createFailure)]),
  ];
  const now = timestamp(nowMs);
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...counts,
    conditions: wanted.map((condition) => stamp(condition, previous, now)),
  };
}

function countPods(seen: SeenPods): Counts {
  const all = [...seen.current, ...seen.old];
  const availableReplicas = countAvailable(all);
  return {
    replicas: all.length,
    updatedReplicas: seen.current.length,
    readyReplicas: all.filter((one) => one.isReady).length,
    availableReplicas,
    unavailableReplicas: all.length - availableReplicas,
  };
}

function availableCondition(spec: DeploymentSpec, counts: Counts): DeploymentCondition {
  const replicas = spec.replicas ?? 1;
  const needed = replicas - rollingLimits(spec, replicas).maxUnavailable;
  return counts.availableReplicas >= needed
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
}

function failureCondition(error: Error): DeploymentCondition {
  return {
    type: 'ReplicaFailure',
    status: 'True',
    reason: 'FailedCreate',
    message: error.message,
  };
}

function progressingCondition(
  deployment: Deployment,
  counts: Counts,
  nowMs: number,
): DeploymentCondition {
  const previous = findProgressing(deployment);
  const { name } = deployment.metadata;
  const isRolledOut = counts.replicas === counts.updatedReplicas;
  if (previous?.reason === COMPLETE && isRolledOut) return previous;
  if (isComplete(deployment, counts)) {
    return progressing('True', COMPLETE, `Deployment "${name}" has successfully progressed.`);
  }
  if (previous === undefined) {
    return progressing('True', STARTED, `Deployment "${name}" has started its first rollout.`);
  }
  if (previous.reason === COMPLETE || hasAdvanced(deployment.status, counts)) {
    const message = `Deployment "${name}" is progressing.`;
    return { ...progressing('True', ADVANCED, message), lastUpdateTime: timestamp(nowMs) };
  }
  if (previous.status === 'True' && progressLeftMs(deployment, nowMs) <= 0) {
    return progressing('False', EXCEEDED, `Deployment "${name}" has timed out progressing.`);
  }
  return previous;
}

const progressing = (
  status: Condition['status'],
  reason: string,
  message: string,
): DeploymentCondition => ({ type: 'Progressing', status, reason, message });

function findProgressing(deployment: Deployment): DeploymentCondition | undefined {
  const conditions = (deployment.status?.conditions ?? []) as DeploymentCondition[];
  return conditions.find((condition) => condition.type === 'Progressing');
}

function isComplete(deployment: Deployment, counts: Counts): boolean {
  const replicas = deployment.spec.replicas ?? 1;
  return (
    counts.updatedReplicas === replicas &&
    counts.replicas === replicas &&
    counts.availableReplicas === replicas
  );
}

function hasAdvanced(before: DeploymentStatus | undefined, counts: Counts): boolean {
  const oldBefore = (before?.replicas ?? 0) - (before?.updatedReplicas ?? 0);
  return (
    counts.updatedReplicas > (before?.updatedReplicas ?? 0) ||
    counts.replicas - counts.updatedReplicas < oldBefore ||
    counts.readyReplicas > (before?.readyReplicas ?? 0) ||
    counts.availableReplicas > (before?.availableReplicas ?? 0)
  );
}

/**
 * Until the progress deadline, from the stored status; Infinity when nothing is being waited for.
 */
export function progressLeftMs(deployment: Deployment, nowMs: number): number {
  const condition = findProgressing(deployment);
  const isWaiting = condition?.status === 'True' && condition.reason !== COMPLETE;
  if (!isWaiting) return Number.POSITIVE_INFINITY;
  const sinceMs = Date.parse(condition.lastUpdateTime ?? condition.lastTransitionTime ?? '');
  if (Number.isNaN(sinceMs)) return Number.POSITIVE_INFINITY;
  const seconds = deployment.spec.progressDeadlineSeconds ?? DEFAULT_PROGRESS_DEADLINE_SECONDS;
  return sinceMs + seconds * 1000 - nowMs;
}

/** Times move only with what they describe, so that an unchanged status stays equal. */
function stamp(
  condition: DeploymentCondition,
  previous: readonly DeploymentCondition[],
  now: string,
): DeploymentCondition {
  const before = previous.find((one) => one.type === condition.type);
  const isSame =
    before?.status === condition.status &&
    before.reason === condition.reason &&
    before.message === condition.message;
  const lastUpdateTime =
    condition.lastUpdateTime ?? (isSame ? (before.lastUpdateTime ?? now) : now);
  const lastTransitionTime =
    before?.status === condition.status ? (before.lastTransitionTime ?? now) : now;
  return { ...condition, lastUpdateTime, lastTransitionTime };
}

function timestamp(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
