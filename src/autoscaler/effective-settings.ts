// The settings in force for one PodAutoscaler: its annotations over the cluster's config maps
// (AS-40 to AS-50). Pure; computed once per reconciliation.

import type { PodAutoscaler } from '../api/autoscaling.ts';
import {
  CONCURRENCY_METRIC,
  defaultMetricOf,
  RPS_METRIC,
  readActivationScale,
  readClass,
  readInitialScale,
  readMaxScale,
  readMetric,
  readMinScale,
  readPanicThresholdPercentage,
  readPanicWindowPercentage,
  readPodRetentionMs,
  readProgressDeadlineMs,
  readScaleDownDelayMs,
  readTarget,
  readTargetBurstCapacity,
  readTargetUtilization,
  readWindowMs,
} from '../api/autoscaling-annotations.ts';
import {
  type AutoscalerConfig,
  MIN_TARGET,
  OTHER_METRIC_UTILIZATION,
} from '../api/config/autoscaler.ts';

/** AS-49: added to the progress deadline before an activation counts as failed. */
const ACTIVATION_SLACK_MS = 30_000;

export interface EffectiveSettings {
  metric: string;
  /** AS-45: what decisions divide by. */
  target: number;
  /** AS-43: what one pod can take. */
  capacity: number;
  targetBurstCapacity: number;
  stableWindowMs: number;
  panicWindowMs: number;
  /** A ratio: 2 = twice what the pods aim for. */
  panicThreshold: number;
  minScale: number;
  /** 0 = no limit. */
  maxScale: number;
  initialScale: number;
  /** 0 = off. */
  activationScale: number;
  scaleDownDelayMs: number;
  podRetentionMs: number;
  activationTimeoutMs: number;
  isReachable: boolean;
}

export function effectiveSettings(
  pa: Pick<PodAutoscaler, 'metadata' | 'spec'>,
  config: AutoscalerConfig,
  progressDeadlineMs: number,
): EffectiveSettings {
  const annotations = pa.metadata.annotations;
  const autoscalerClass = readClass(annotations) ?? config.podAutoscalerClass;
  const metric = readMetric(annotations) ?? defaultMetricOf(autoscalerClass);
  const stableWindowMs = readWindowMs(annotations) ?? config.stableWindowMs;
  const panicPercentage = readPanicWindowPercentage(annotations) ?? config.panicWindowPercentage;
  const threshold = readPanicThresholdPercentage(annotations) ?? config.panicThresholdPercentage;
  const isReachable = pa.spec.reachability !== 'Unreachable';
  const retentionMs = readPodRetentionMs(annotations) ?? config.scaleToZeroPodRetentionPeriodMs;
  return {
    metric,
    ...resolveTarget(metric, pa.spec.containerConcurrency ?? 0, annotations, config),
    targetBurstCapacity: readTargetBurstCapacity(annotations) ?? config.targetBurstCapacity,
    stableWindowMs,
    panicWindowMs: panicWindowMs(stableWindowMs, panicPercentage),
    panicThreshold: threshold / 100,
    minScale: isReachable ? (readMinScale(annotations) ?? config.minScale) : 0,
    maxScale: readMaxScale(annotations) ?? config.maxScale,
    initialScale: resolveInitialScale(readInitialScale(annotations), config),
    activationScale: readActivationScale(annotations) ?? 0,
    scaleDownDelayMs: readScaleDownDelayMs(annotations) ?? config.scaleDownDelayMs,
    podRetentionMs: isReachable ? retentionMs : 0,
    activationTimeoutMs:
      (readProgressDeadlineMs(annotations) ?? progressDeadlineMs) + ACTIVATION_SLACK_MS,
    isReachable,
  };
}

/** AS-43 to AS-45. */
export function resolveTarget(
  metric: string,
  containerConcurrency: number,
  annotations: Readonly<Record<string, string>> | undefined,
  config: AutoscalerConfig,
): { target: number; capacity: number } {
  const isRps = metric === RPS_METRIC;
  let utilization = isRps ? OTHER_METRIC_UTILIZATION : config.containerConcurrencyTargetFraction;
  let capacity = config.requestsPerSecondTargetDefault;
  if (!isRps) capacity = containerConcurrency || config.containerConcurrencyTargetDefault;
  const annotated = readTarget(annotations);
  if (annotated !== undefined) {
    const isCapped = metric === CONCURRENCY_METRIC && containerConcurrency > 0;
    capacity = isCapped ? Math.min(annotated, containerConcurrency) : annotated;
  }
  const percentage = readTargetUtilization(annotations);
  if (percentage !== undefined) utilization = percentage / 100;
  return { target: Math.max(MIN_TARGET, capacity * utilization), capacity };
}

/** AS-47. */
export function panicWindowMs(stableWindowMs: number, percentage: number): number {
  return Math.max(1, Math.round((stableWindowMs * percentage) / 100 / 1000)) * 1000;
}

/** AS-41. */
function resolveInitialScale(annotated: number | undefined, config: AutoscalerConfig): number {
  if (annotated === undefined) return config.initialScale;
  return annotated === 0 && !config.allowZeroInitialScale ? config.initialScale : annotated;
}

/** AS-42: ready pods that make a revision active. */
export function activeThreshold(
  settings: Pick<EffectiveSettings, 'minScale' | 'initialScale'>,
  wasInitialized: boolean,
): number {
  return Math.max(settings.minScale, wasInitialized ? 1 : settings.initialScale);
}
