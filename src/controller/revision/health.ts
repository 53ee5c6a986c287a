// What a Revision says about its pods: conditions derived from the Deployment (CP-176), from a pod
// that fails (CP-185) and from the PodAutoscaler (CP-194). Pure apart from the marks they set.

import type { PodAutoscaler } from '../../api/autoscaling.ts';
import type { ConditionManager } from '../../api/conditions.ts';
import { findCondition, READY } from '../../api/conditions.ts';
import type { ContainerStatus, Deployment, Pod } from '../../api/core.ts';
import { QUEUE_PROXY_CONTAINER } from '../../api/labels.ts';
import type { Condition } from '../../api/objects.ts';
import type { RevisionStatus } from '../../api/serving.ts';

export const RESOURCES_AVAILABLE = 'ResourcesAvailable';
export const CONTAINER_HEALTHY = 'ContainerHealthy';
export const ACTIVE = 'Active';
export const DEPLOYING = 'Deploying';
const DEADLINE_EXCEEDED = 'ProgressDeadlineExceeded';
/** A container waits with one of these when its image cannot be had, whoever looked it up. */
const IMAGE_REASONS = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
]);

type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

export function isFailed(conditions: ConditionManager): boolean {
  return (
    conditions.get(RESOURCES_AVAILABLE)?.status === 'False' ||
    conditions.get(CONTAINER_HEALTHY)?.status === 'False'
  );
}

/** CP-176. */
export function markDeploymentStatus(deployment: Deployment, conditions: ConditionManager): void {
  const found = deployment.status?.conditions ?? [];
  const progressing: Verdict = found.find(({ type }) => type === 'Progressing') ?? {
    status: 'Unknown',
    reason: DEPLOYING,
  };
  const failure = found.find(({ type }) => type === 'ReplicaFailure');
  const replicaSet: Verdict =
    failure === undefined || failure.status === 'False'
      ? { status: 'True' }
      : { ...failure, status: failure.status === 'True' ? 'False' : 'Unknown' };
  const verdict = worse(replicaSet, progressing);
  if (verdict.status === 'True') conditions.markTrue(RESOURCES_AVAILABLE);
  else mark(conditions, RESOURCES_AVAILABLE, verdict);
}

/** False wins over Unknown over True; of equals the first. */
function worse(a: Verdict, b: Verdict): Verdict {
  const rank = { False: 0, Unknown: 1, True: 2 } as const;
  return rank[a.status] <= rank[b.status] ? a : b;
}

function mark(conditions: ConditionManager, type: string, verdict: Verdict): void {
  if (verdict.status === 'True') conditions.markTrue(type, verdict.reason, verdict.message);
  else if (verdict.status === 'False') {
    conditions.markFalse(type, verdict.reason ?? '', verdict.message ?? '');
  } else conditions.markUnknown(type, verdict.reason, verdict.message);
}

/** CP-185: `pod` is any pod of a Deployment that wants replicas and has none available. */
export function markPodFailure(
  pod: Pod,
  deployment: Deployment,
  podIsAlwaysSchedulable: boolean,
  conditions: ConditionManager,
): void {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (!podIsAlwaysSchedulable && scheduled?.status === 'False') {
    mark(conditions, RESOURCES_AVAILABLE, scheduled);
  }
  const isOverdue = deployment.status?.conditions?.some(
    ({ type, status, reason }) =>
      type === 'Progressing' && status === 'False' && reason === DEADLINE_EXCEEDED,
  );
  for (const status of pod.status?.containerStatuses ?? []) {
    if (status.name === QUEUE_PROXY_CONTAINER) continue;
    if (markTerminated(status, conditions) || markMissingImage(status, pod, conditions)) return;
    const waiting = status.state?.waiting;
    if (waiting !== undefined && isOverdue) {
      const { reason, message } = waiting;
      conditions.markFalse(RESOURCES_AVAILABLE, reason ?? '', message ?? '');
      return;
    }
  }
}

/** A container that ended and has not been restarted yet says as much as one that was. */
function markTerminated(status: ContainerStatus, conditions: ConditionManager): boolean {
  const ended = status.lastState?.terminated ?? status.state?.terminated;
  if (ended === undefined) return false;
  // The tail of a log ends in a line break, which helps nobody in the middle of a sentence.
  const words = ended.message?.trimEnd() ?? '';
  const text = words || (ended.exitCode === 0 ? 'container exited with no error' : '');
  const message = `Container failed with: ${text}`;
  conditions.markFalse(CONTAINER_HEALTHY, `ExitCode${ended.exitCode}`, message);
  return true;
}

/** CP-166, with the node as the one who resolves images. */
function markMissingImage(
  status: ContainerStatus,
  pod: Pod,
  conditions: ConditionManager,
): boolean {
  const waiting = status.state?.waiting;
  if (waiting === undefined || !IMAGE_REASONS.has(waiting.reason ?? '')) return false;
  const container = pod.spec.containers.find(({ name }) => name === status.name);
  const cause = waiting.message ?? waiting.reason ?? '';
  conditions.markFalse(
    CONTAINER_HEALTHY,
    'ContainerMissing',
    `Unable to fetch image "${container?.image ?? ''}": failed to resolve image to digest: ${cause}`,
  );
  return true;
}

/** CP-194. */
export function markAutoscalerStatus(
  autoscaler: PodAutoscaler,
  status: RevisionStatus,
  conditions: ConditionManager,
): void {
  const seen = autoscaler.status;
  setCount(status, 'actualReplicas', seen?.actualScale);
  setCount(status, 'desiredReplicas', seen?.desiredScale);
  const ready = findCondition(autoscaler, READY);
  const failed = isFailed(conditions);
  if (ready === undefined) {
    conditions.markUnknown(ACTIVE, DEPLOYING);
    if (!failed) conditions.markUnknown(RESOURCES_AVAILABLE, DEPLOYING);
    return;
  }
  const isInitialized = findCondition(autoscaler, 'ScaleTargetInitialized')?.status === 'True';
  const hasService = Boolean(seen?.serviceName);
  if (isInitialized && !failed) {
    conditions.markTrue(RESOURCES_AVAILABLE);
    conditions.markTrue(CONTAINER_HEALTHY);
  }
  const isAvailable = conditions.get(RESOURCES_AVAILABLE)?.status === 'True';
  if (isAvailable && (!hasService || !isInitialized)) {
    conditions.markUnknown(RESOURCES_AVAILABLE, DEPLOYING);
  }
  mark(conditions, ACTIVE, ready);
  if (ready.status === 'False' && !isInitialized && !failed && hasService) {
    const message = 'Initial scale was never achieved';
    conditions.markFalse(RESOURCES_AVAILABLE, DEADLINE_EXCEEDED, message);
  }
}

function setCount(
  status: RevisionStatus,
  field: 'actualReplicas' | 'desiredReplicas',
  value: number | undefined,
): void {
  if (value === undefined || value < 0) delete status[field];
  else status[field] = value;
}
