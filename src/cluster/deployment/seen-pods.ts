// The pods of one Deployment as its decisions need them: sorted into current and old template, with
// readiness and availability worked out. Pure.

import { findCondition, isConditionTrue } from '../../api/conditions.ts';
import type { Deployment, Pod } from '../../api/core.ts';
import { TEMPLATE_HASH_LABEL, templateHash } from './pod-template.ts';

/** The members of a Deployment's spec only this controller reads, beside those everybody knows. */
export type DeploymentSpec = Deployment['spec'] & { minReadySeconds?: number };

export interface SeenPod {
  pod: Pod;
  isReady: boolean;
  /** Ready for at least `minReadySeconds`. */
  isAvailable: boolean;
}

export interface SeenPods {
  /** Made from the present template; neither finished nor terminating. */
  current: readonly SeenPod[];
  /** Made from an earlier template. */
  old: readonly SeenPod[];
  /** Phase Failed or Succeeded: they will never run again. */
  finished: readonly Pod[];
  terminating: number;
  /** Until the next pod becomes available by waiting alone; null when none will. */
  nextAvailableInMs: number | null;
}

export function seePods(spec: DeploymentSpec, pods: readonly Pod[], nowMs: number): SeenPods {
  const hash = templateHash(spec.template);
  const minReadyMs = (spec.minReadySeconds ?? 0) * 1000;
  const current: SeenPod[] = [];
  const old: SeenPod[] = [];
  const finished: Pod[] = [];
  let terminating = 0;
  let nextAvailableInMs: number | null = null;
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp !== undefined) {
      terminating += 1;
    } else if (isFinished(pod)) {
      finished.push(pod);
    } else {
      const waitMs = availableInMs(pod, minReadyMs, nowMs);
      if (waitMs !== null && waitMs > 0) {
        nextAvailableInMs = Math.min(nextAvailableInMs ?? waitMs, waitMs);
      }
      const seen = { pod, isReady: waitMs !== null, isAvailable: waitMs !== null && waitMs <= 0 };
      (pod.metadata.labels?.[TEMPLATE_HASH_LABEL] === hash ? current : old).push(seen);
    }
  }
  return { current, old, finished, terminating, nextAvailableInMs };
}

function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
}

/** null = not ready; 0 or less = available. */
function availableInMs(pod: Pod, minReadyMs: number, nowMs: number): number | null {
  if (!isConditionTrue(pod, 'Ready')) return null;
  if (minReadyMs === 0) return 0;
  const sinceMs = Date.parse(findCondition(pod, 'Ready')?.lastTransitionTime ?? '');
  return Number.isNaN(sinceMs) ? minReadyMs : sinceMs + minReadyMs - nowMs;
}
