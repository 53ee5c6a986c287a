// What the webhook lets through under `autoscaling.knative.dev/` (AS-17 to AS-31, WH-150). Returns
// every problem with paths relative to the annotations (`autoscaling.knative.dev/…`): the caller
// puts its position in front (`underPath('metadata.annotations', …)`), merges and prints.
// NaN and infinities are refused everywhere (AS-31). Pure.

import {
  type Annotations,
  CONCURRENCY_METRIC,
  RPS_METRIC,
  readClass,
  readMetric,
} from './autoscaling-annotations.ts';
import {
  type AutoscalerConfig,
  MAX_STABLE_WINDOW_MS,
  MIN_STABLE_WINDOW_MS,
  MIN_TARGET,
} from './config/autoscaler.ts';
import { formatDurationMs, NS_PER_MS, parseDurationNs } from './duration.ts';
import { type FieldError, fieldError, invalidValue, outOfBounds } from './field-errors.ts';
import { MAX_INT32, tryParseFloat, tryParseInt32, tryParseInteger } from './go-values.ts';
import {
  ACTIVATION_SCALE_ANNOTATIONS,
  AUTOSCALING_CLASS_ANNOTATION,
  AUTOSCALING_METRIC_ANNOTATION,
  AUTOSCALING_PREFIX,
  firstAnnotationEntry,
  HPA_CLASS,
  INITIAL_SCALE_ANNOTATIONS,
  KPA_CLASS,
  MAX_SCALE_ANNOTATIONS,
  METRIC_AGGREGATION_ANNOTATIONS,
  MIN_SCALE_ANNOTATIONS,
  PANIC_THRESHOLD_ANNOTATIONS,
  PANIC_WINDOW_ANNOTATIONS,
  POD_RETENTION_ANNOTATIONS,
  SCALE_DOWN_DELAY_ANNOTATIONS,
  TARGET_ANNOTATIONS,
  TARGET_BURST_CAPACITY_ANNOTATIONS,
  TARGET_UTILIZATION_ANNOTATIONS,
  WINDOW_ANNOTATIONS,
} from './labels.ts';

type Limits = Pick<
  AutoscalerConfig,
  'allowZeroInitialScale' | 'maxScaleLimit' | 'podAutoscalerClass'
>;

const MIN_SCALE = MIN_SCALE_ANNOTATIONS[0];
const MAX_SCALE = MAX_SCALE_ANNOTATIONS[0];
const ACTIVATION_SCALE = ACTIVATION_SCALE_ANNOTATIONS[0];
const ALGORITHMS = new Set(['', 'linear', 'weighted-exponential', 'weightedExponential']);
const SECOND_PRECISION = 'must be specified with at most second precision';

/** Every problem found; empty when there is none. `config` is the current config-autoscaler. */
export function validateAutoscalingAnnotations(
  annotations: Annotations,
  config: Limits,
): FieldError[] {
  if (annotations === undefined || !hasAutoscalingKey(annotations)) return [];
  return [
    ...validateClass(annotations),
    ...validateScales(annotations, config),
    ...validateInitialScale(annotations, config.allowZeroInitialScale),
    ...validateFloats(annotations),
    ...validateDurations(annotations),
    ...validateMetric(annotations, config.podAutoscalerClass),
    ...validateAlgorithm(annotations),
  ];
}

/** AS-13, WH-52: on Service, Configuration and Route metadata such a key is in the wrong place. */
export function misplacedAutoscalingKeys(annotations: Annotations): FieldError[] {
  return Object.keys(annotations ?? {})
    .filter((key) => key.startsWith(AUTOSCALING_PREFIX.slice(0, -1)))
    .map((key) => ({
      message: `invalid key name "${key}"`,
      paths: ['metadata.annotations'],
      details:
        'autoscaling annotations must be put under "spec.template.metadata.annotations" to work',
    }));
}

function hasAutoscalingKey(annotations: Record<string, string>): boolean {
  for (const key in annotations) if (key.startsWith(AUTOSCALING_PREFIX)) return true;
  return false;
}

/** AS-18. */
function validateClass(annotations: Annotations): FieldError[] {
  const name = readClass(annotations);
  if (name === undefined || !name.endsWith('.knative.dev')) return [];
  if (name === KPA_CLASS || name === HPA_CLASS) return [];
  return [invalidValue(name, AUTOSCALING_CLASS_ANNOTATION)];
}

/** AS-19 to AS-21. */
function validateScales(annotations: Annotations, config: Limits): FieldError[] {
  const errors: FieldError[] = [];
  const min = readScale(annotations, MIN_SCALE_ANNOTATIONS, errors);
  const max = readScale(annotations, MAX_SCALE_ANNOTATIONS, errors);
  const maxEntry = firstAnnotationEntry(annotations, MAX_SCALE_ANNOTATIONS);
  if (max !== 0 && max < min) {
    errors.push(fieldError(`max-scale=${max} is less than min-scale=${min}`, MAX_SCALE, MIN_SCALE));
  }
  const isMaxUsable =
    maxEntry !== undefined && !errors.some(({ paths }) => paths[0] === maxEntry.key);
  if (isMaxUsable && config.maxScaleLimit > 0) {
    errors.push(...validateMaxScaleLimit(max, config.maxScaleLimit, maxEntry.key));
  }
  return [...errors, ...validateActivationScale(annotations, min, max)];
}

/** 0 when absent or unusable; in the latter case `errors` gains the problem. */
function readScale(
  annotations: Annotations,
  keys: readonly string[],
  errors: FieldError[],
): number {
  const entry = firstAnnotationEntry(annotations, keys);
  if (entry === undefined) return 0;
  const value = tryParseInteger(entry.value);
  if (value === undefined) {
    const isHuge = /^[+-]?\d+$/.test(entry.value);
    errors.push(
      isHuge
        ? outOfBounds(entry.value, 0, MAX_INT32, entry.key)
        : invalidValue(entry.value, entry.key),
    );
    return 0;
  }
  if (value >= 0 && value <= MAX_INT32) return value;
  errors.push(outOfBounds(entry.value, 0, MAX_INT32, entry.key));
  return 0;
}

/** AS-20. */
function validateMaxScaleLimit(max: number, limit: number, key: string): FieldError[] {
  if (max > limit) return [outOfBounds(max, 1, limit, key)];
  if (max > 0) return [];
  return [fieldError(`max-scale=0 (unlimited), must be less than ${limit}`, key)];
}

/** AS-21: the first failing rule. */
function validateActivationScale(annotations: Annotations, min: number, max: number): FieldError[] {
  const text = annotations?.[ACTIVATION_SCALE];
  if (text === undefined) return [];
  const value = tryParseInt32(text);
  if (value === undefined) return [invalidValue(text, ACTIVATION_SCALE)];
  const problem = (message: string): FieldError[] => [fieldError(message, ACTIVATION_SCALE)];
  if (min > value) return problem(`min-scale=${min} is greater than activation-scale=${value}`);
  if (max !== 0 && max < value) {
    return problem(`max-scale=${max} is less than activation-scale=${value}`);
  }
  return value < 2 ? problem(`activation-scale=${value} must be greater than 1`) : [];
}

/** AS-22: the check is wider than 32 bits although readers are not. */
function validateInitialScale(annotations: Annotations, allowZero: boolean): FieldError[] {
  const entry = firstAnnotationEntry(annotations, INITIAL_SCALE_ANNOTATIONS);
  if (entry === undefined) return [];
  const value = tryParseInteger(entry.value);
  if (value === undefined) return [invalidValue(entry.value, entry.key)];
  if (value < 0) return [invalidValue(entry.value, `${entry.key} must be greater than 0`)];
  if (value > 0 || allowZero) return [];
  return [invalidValue(entry.value, `${entry.key}=0 not allowed by cluster`)];
}

/** AS-23 to AS-25. */
function validateFloats(annotations: Annotations): FieldError[] {
  return [
    ...validateRange(annotations, PANIC_WINDOW_ANNOTATIONS, 1, 100),
    ...validateRange(annotations, PANIC_THRESHOLD_ANNOTATIONS, 110, 1000),
    ...validateRange(annotations, TARGET_UTILIZATION_ANNOTATIONS, 1, 100),
    ...validateTarget(annotations),
    ...validateTargetBurstCapacity(annotations),
  ];
}

function validateRange(
  annotations: Annotations,
  keys: readonly string[],
  low: number,
  high: number,
): FieldError[] {
  const entry = firstAnnotationEntry(annotations, keys);
  if (entry === undefined) return [];
  const value = tryParseFloat(entry.value);
  if (value === undefined) return [invalidValue(entry.value, entry.key)];
  return value >= low && value <= high ? [] : [outOfBounds(entry.value, low, high, entry.key)];
}

function validateTarget(annotations: Annotations): FieldError[] {
  const entry = firstAnnotationEntry(annotations, TARGET_ANNOTATIONS);
  if (entry === undefined) return [];
  const value = tryParseFloat(entry.value);
  if (value === undefined) return [invalidValue(entry.value, entry.key)];
  if (value >= MIN_TARGET) return [];
  return [fieldError(`target ${entry.value} should be at least 0.01`, entry.key)];
}

function validateTargetBurstCapacity(annotations: Annotations): FieldError[] {
  const entry = firstAnnotationEntry(annotations, TARGET_BURST_CAPACITY_ANNOTATIONS);
  if (entry === undefined) return [];
  const value = tryParseFloat(entry.value);
  if (value !== undefined && (value >= 0 || value === -1)) return [];
  return [invalidValue(entry.value, entry.key)];
}

/** AS-26 to AS-28. */
function validateDurations(annotations: Annotations): FieldError[] {
  return [
    ...validateDuration(annotations, WINDOW_ANNOTATIONS, MIN_STABLE_WINDOW_MS, true),
    ...validateDuration(annotations, SCALE_DOWN_DELAY_ANNOTATIONS, 0, true),
    ...validateDuration(annotations, POD_RETENTION_ANNOTATIONS, 0, false),
  ];
}

function validateDuration(
  annotations: Annotations,
  keys: readonly string[],
  lowMs: number,
  needsWholeSeconds: boolean,
): FieldError[] {
  const entry = firstAnnotationEntry(annotations, keys);
  if (entry === undefined) return [];
  let ms: number;
  try {
    ms = parseDurationNs(entry.value) / NS_PER_MS;
  } catch {
    return [invalidValue(entry.value, entry.key)]; // The only failure is the syntax error.
  }
  if (ms < lowMs || ms > MAX_STABLE_WINDOW_MS) {
    const [low, high] = [formatDurationMs(lowMs), formatDurationMs(MAX_STABLE_WINDOW_MS)];
    return [outOfBounds(entry.value, low, high, entry.key)];
  }
  if (!needsWholeSeconds || ms % 1000 === 0) return [];
  return [fieldError(SECOND_PRECISION, entry.key)];
}

/** AS-29. */
function validateMetric(annotations: Annotations, defaultClass: string): FieldError[] {
  const metric = readMetric(annotations);
  if (metric === undefined) return [];
  const autoscalerClass = readClass(annotations) ?? defaultClass;
  const isKnown = metric === CONCURRENCY_METRIC || metric === RPS_METRIC;
  if (autoscalerClass === KPA_CLASS && !isKnown) {
    return [invalidValue(metric, AUTOSCALING_METRIC_ANNOTATION)];
  }
  if (autoscalerClass === HPA_CLASS && metric === '') {
    return [invalidValue(metric, AUTOSCALING_METRIC_ANNOTATION)];
  }
  return [];
}

/** AS-30: checked only where the object itself says it is of class KPA. */
function validateAlgorithm(annotations: Annotations): FieldError[] {
  if (readClass(annotations) !== KPA_CLASS) return [];
  const entry = firstAnnotationEntry(annotations, METRIC_AGGREGATION_ANNOTATIONS);
  if (entry === undefined || ALGORITHMS.has(entry.value)) return [];
  return [invalidValue(entry.value, entry.key)];
}
