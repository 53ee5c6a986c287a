// The autoscaling annotations of a revision as the autoscaler reads them at run time (AS-13 to
// AS-16). The primary key wins whenever it is present, even with an unusable value (AS-14); a value
// that does not parse counts as not set (AS-16). What may be stored at all is decided beside, in
// autoscaling-validation.ts. Pure.

import { tryParseDurationMs } from './duration.ts';
import { tryParseFloat, tryParseInt32 } from './go-values.ts';
import {
  ACTIVATION_SCALE_ANNOTATIONS,
  AUTOSCALING_CLASS_ANNOTATION,
  AUTOSCALING_METRIC_ANNOTATION,
  firstAnnotation,
  HPA_CLASS,
  INITIAL_SCALE_ANNOTATIONS,
  KPA_CLASS,
  MAX_SCALE_ANNOTATIONS,
  METRIC_AGGREGATION_ANNOTATIONS,
  MIN_SCALE_ANNOTATIONS,
  PANIC_THRESHOLD_ANNOTATIONS,
  PANIC_WINDOW_ANNOTATIONS,
  POD_RETENTION_ANNOTATIONS,
  PROGRESS_DEADLINE_ANNOTATION,
  SCALE_DOWN_DELAY_ANNOTATIONS,
  TARGET_ANNOTATIONS,
  TARGET_BURST_CAPACITY_ANNOTATIONS,
  TARGET_UTILIZATION_ANNOTATIONS,
  WINDOW_ANNOTATIONS,
} from './labels.ts';

export type Annotations = Readonly<Record<string, string>> | undefined;

export const CONCURRENCY_METRIC = 'concurrency';
export const RPS_METRIC = 'rps';
export const CPU_METRIC = 'cpu';
export const MEMORY_METRIC = 'memory';

/** AS-15: metric a class scales on when no annotation says otherwise. */
export function defaultMetricOf(autoscalerClass: string): string {
  if (autoscalerClass === KPA_CLASS) return CONCURRENCY_METRIC;
  return autoscalerClass === HPA_CLASS ? CPU_METRIC : '';
}

function read<T>(
  annotations: Annotations,
  keys: readonly string[],
  parse: (text: string) => T | undefined,
): T | undefined {
  const text = firstAnnotation(annotations, keys);
  return text === undefined ? undefined : parse(text);
}

export const readClass = (annotations: Annotations): string | undefined =>
  annotations?.[AUTOSCALING_CLASS_ANNOTATION];
export const readMetric = (annotations: Annotations): string | undefined =>
  annotations?.[AUTOSCALING_METRIC_ANNOTATION];
export const readTarget = (annotations: Annotations): number | undefined =>
  read(annotations, TARGET_ANNOTATIONS, tryParseFloat);
/** Percent. */
export const readTargetUtilization = (annotations: Annotations): number | undefined =>
  read(annotations, TARGET_UTILIZATION_ANNOTATIONS, tryParseFloat);
export const readTargetBurstCapacity = (annotations: Annotations): number | undefined =>
  read(annotations, TARGET_BURST_CAPACITY_ANNOTATIONS, tryParseFloat);
export const readWindowMs = (annotations: Annotations): number | undefined =>
  read(annotations, WINDOW_ANNOTATIONS, tryParseDurationMs);
export const readPanicWindowPercentage = (annotations: Annotations): number | undefined =>
  read(annotations, PANIC_WINDOW_ANNOTATIONS, tryParseFloat);
export const readPanicThresholdPercentage = (annotations: Annotations): number | undefined =>
  read(annotations, PANIC_THRESHOLD_ANNOTATIONS, tryParseFloat);
export const readMinScale = (annotations: Annotations): number | undefined =>
  read(annotations, MIN_SCALE_ANNOTATIONS, tryParseInt32);
export const readMaxScale = (annotations: Annotations): number | undefined =>
  read(annotations, MAX_SCALE_ANNOTATIONS, tryParseInt32);
export const readInitialScale = (annotations: Annotations): number | undefined =>
  read(annotations, INITIAL_SCALE_ANNOTATIONS, tryParseInt32);
export const readActivationScale = (annotations: Annotations): number | undefined =>
  read(annotations, ACTIVATION_SCALE_ANNOTATIONS, tryParseInt32);
export const readScaleDownDelayMs = (annotations: Annotations): number | undefined =>
  read(annotations, SCALE_DOWN_DELAY_ANNOTATIONS, tryParseDurationMs);
export const readPodRetentionMs = (annotations: Annotations): number | undefined =>
  read(annotations, POD_RETENTION_ANNOTATIONS, tryParseDurationMs);
export const readProgressDeadlineMs = (annotations: Annotations): number | undefined =>
  read(annotations, [PROGRESS_DEADLINE_ANNOTATION], tryParseDurationMs);

/** AS-54: every value but the two spellings of "weighted" is linear. */
export function isWeightedAggregation(annotations: Annotations): boolean {
  const name = firstAnnotation(annotations, METRIC_AGGREGATION_ANNOTATIONS);
  return name === 'weighted-exponential' || name === 'weightedExponential';
}
