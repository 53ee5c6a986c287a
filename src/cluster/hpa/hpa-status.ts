// Status of a HorizontalPodAutoscaler after a pass: replicas, what was measured, and the three
// conditions people look for in `kubectl describe hpa`. Pure.

import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerStatus,
} from '../../api/horizontal-pod-autoscaler.ts';
import type { Condition } from '../../api/objects.ts';
import type { Measured } from './metrics.ts';

export interface HpaFacts {
  current: number;
  desired: number;
  /** Null = nothing was measured: no target, or scaled to zero by somebody. */
  measured: readonly Measured[] | null;
  /** Which bound cut the advice. */
  bound: 'min' | 'max' | null;
  /** Why there is no target; null = there is one. */
  missing: string | null;
  scaleError: string | null;
}

type Verdict = [status: Condition['status'], reason: string, message: string];

export function hpaStatus(
  hpa: HorizontalPodAutoscaler,
  facts: HpaFacts,
  nowMs: number,
): HorizontalPodAutoscalerStatus {
  const now = new Date(Math.floor(nowMs / 1000) * 1000).toISOString().replace('.000Z', 'Z');
  const before = hpa.status?.conditions ?? [];
  const wasScaled = facts.desired !== facts.current && facts.scaleError === null;
  const lastScaleTime = wasScaled ? now : hpa.status?.lastScaleTime;
  return {
    ...(hpa.metadata.generation === undefined
      ? {}
      : { observedGeneration: hpa.metadata.generation }),
    ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
    currentReplicas: facts.current,
    desiredReplicas: facts.desired,
    currentMetrics: (facts.measured ?? []).flatMap(currentMetric),
    conditions: [
      condition('AbleToScale', ableToScale(facts), before, now),
      condition('ScalingActive', scalingActive(facts), before, now),
      condition('ScalingLimited', scalingLimited(facts), before, now),
    ],
  };
}

function ableToScale({ missing, scaleError, current, desired }: HpaFacts): Verdict {
  if (missing !== null) return ['False', 'FailedGetScale', missing];
  if (scaleError !== null) return ['False', 'FailedUpdateScale', scaleError];
  if (current !== desired) return ['True', 'SucceededRescale', `the new size is ${desired}`];
  return ['True', 'ReadyForNewScale', 'the recommended size matches the current size'];
}

function scalingActive({ missing, measured }: HpaFacts): Verdict {
  if (missing !== null) return ['False', 'FailedGetScale', missing];
  if (measured === null) {
    return ['False', 'ScalingDisabled', 'the target has been scaled to zero'];
  }
  const problem = measured.find((one) => one.problem !== null)?.problem;
  if (problem != null) return ['False', problem.reason, problem.message];
  return ['True', 'ValidMetricFound', 'the replica count follows from what was measured'];
}

function scalingLimited({ bound }: HpaFacts): Verdict {
  if (bound === 'max') return ['True', 'TooManyReplicas', 'more would be wanted than maxReplicas'];
  if (bound === 'min') return ['True', 'TooFewReplicas', 'fewer would be wanted than minReplicas'];
  return ['False', 'DesiredWithinRange', 'the wanted count is within the acceptable range'];
}

function condition(
  type: string,
  [status, reason, message]: Verdict,
  before: readonly Condition[],
  now: string,
): Condition {
  const same = before.find((old) => old.type === type && old.status === status);
  return { type, status, lastTransitionTime: same?.lastTransitionTime ?? now, reason, message };
}

function currentMetric({ metric, advice }: Measured): object[] {
  if (advice === null || metric.type !== 'Resource') return [];
  const { name, target } = metric.resource;
  const value = Math.round(advice.current);
  const current =
    target.type === 'Utilization'
      ? { averageUtilization: value }
      : { averageValue: name === 'cpu' ? `${value}m` : String(value) };
  return [{ type: 'Resource', resource: { name, current } }];
}
