// Config map `config-autoscaler` as a value (AS-4 to AS-12): one table of keys, one ordered list of
// checks, the first failing one reported as Knative words it. Read by the autoscaler, the
// controller and the webhook with these same rules. Pure; the result is frozen and replaced as a
// whole.

import { formatDurationMs, NS_PER_MS, parseDurationNs } from '../duration.ts';
import {
  formatFloat,
  parseBooleanStrictly,
  parseFloatStrictly,
  parseInt32Strictly,
} from '../go-values.ts';

export const AUTOSCALER_CONFIG_NAME = 'config-autoscaler';

export interface AutoscalerConfig {
  /** Fraction in (0, 1] (AS-8). */
  readonly containerConcurrencyTargetFraction: number;
  readonly containerConcurrencyTargetDefault: number;
  readonly requestsPerSecondTargetDefault: number;
  /** >= 0, or -1 = unlimited: the activator always stays in the path. */
  readonly targetBurstCapacity: number;
  readonly stableWindowMs: number;
  /** [1, 100] */
  readonly panicWindowPercentage: number;
  readonly panicThresholdPercentage: number;
  readonly maxScaleUpRate: number;
  readonly maxScaleDownRate: number;
  readonly enableScaleToZero: boolean;
  readonly scaleToZeroGracePeriodMs: number;
  readonly scaleToZeroPodRetentionPeriodMs: number;
  readonly scaleDownDelayMs: number;
  readonly podAutoscalerClass: string;
  readonly activatorCapacity: number;
  readonly initialScale: number;
  readonly allowZeroInitialScale: boolean;
  readonly minScale: number;
  /** 0 = no limit. */
  readonly maxScale: number;
  /** 0 = no limit. */
  readonly maxScaleLimit: number;
}

/** AS-7: utilisation aimed for with every metric other than concurrency. */
export const OTHER_METRIC_UTILIZATION = 0.7;
/** AS-6, AS-24: the smallest target there is. */
export const MIN_TARGET = 0.01;
/** AS-6, AS-26. */
export const MIN_STABLE_WINDOW_MS = 6_000;
export const MAX_STABLE_WINDOW_MS = 3_600_000;

/** Later keys keep their default when absent (AS-5). */
export const DEFAULT_AUTOSCALER_CONFIG: AutoscalerConfig = Object.freeze({
  containerConcurrencyTargetFraction: 0.7,
  containerConcurrencyTargetDefault: 100,
  requestsPerSecondTargetDefault: 200,
  targetBurstCapacity: 211,
  stableWindowMs: 60_000,
  panicWindowPercentage: 10,
  panicThresholdPercentage: 200,
  maxScaleUpRate: 1000,
  maxScaleDownRate: 2,
  enableScaleToZero: true,
  scaleToZeroGracePeriodMs: 30_000,
  scaleToZeroPodRetentionPeriodMs: 0,
  scaleDownDelayMs: 0,
  podAutoscalerClass: 'kpa.autoscaling.knative.dev',
  activatorCapacity: 100,
  initialScale: 1,
  allowZeroInitialScale: false,
  minScale: 0,
  maxScale: 0,
  maxScaleLimit: 0,
});

type Value = AutoscalerConfig[keyof AutoscalerConfig];
type Field = readonly [key: string, field: keyof AutoscalerConfig, parse: (text: string) => Value];

const durationMs = (text: string): number => parseDurationNs(text) / NS_PER_MS;
/** AS-8: above 1 it is a percentage, up to 1 already a fraction. */
const fraction = (text: string): number => {
  const value = parseFloatStrictly(text);
  return value > 1 ? value / 100 : value;
};

/** AS-6: config map key, field, reader. */
const FIELDS: readonly Field[] = [
  ['pod-autoscaler-class', 'podAutoscalerClass', (text) => text.trim()],
  ['enable-scale-to-zero', 'enableScaleToZero', parseBooleanStrictly],
  ['allow-zero-initial-scale', 'allowZeroInitialScale', parseBooleanStrictly],
  ['max-scale-up-rate', 'maxScaleUpRate', parseFloatStrictly],
  ['max-scale-down-rate', 'maxScaleDownRate', parseFloatStrictly],
  ['container-concurrency-target-percentage', 'containerConcurrencyTargetFraction', fraction],
  ['container-concurrency-target-default', 'containerConcurrencyTargetDefault', parseFloatStrictly],
  ['requests-per-second-target-default', 'requestsPerSecondTargetDefault', parseFloatStrictly],
  ['target-burst-capacity', 'targetBurstCapacity', parseFloatStrictly],
  ['panic-window-percentage', 'panicWindowPercentage', parseFloatStrictly],
  ['activator-capacity', 'activatorCapacity', parseFloatStrictly],
  ['panic-threshold-percentage', 'panicThresholdPercentage', parseFloatStrictly],
  ['initial-scale', 'initialScale', parseInt32Strictly],
  ['min-scale', 'minScale', parseInt32Strictly],
  ['max-scale', 'maxScale', parseInt32Strictly],
  ['max-scale-limit', 'maxScaleLimit', parseInt32Strictly],
  ['stable-window', 'stableWindowMs', durationMs],
  ['scale-down-delay', 'scaleDownDelayMs', durationMs],
  ['scale-to-zero-grace-period', 'scaleToZeroGracePeriodMs', durationMs],
  ['scale-to-zero-pod-retention-period', 'scaleToZeroPodRetentionPeriodMs', durationMs],
];

const hasWholeSeconds = (ms: number): boolean => ms % 1000 === 0;

/** AS-10: what is wrong, in the order in which it is reported. */
function* problems(config: AutoscalerConfig): Generator<string> {
  yield* durationProblems(config);
  yield* targetProblems(config);
  yield* rateProblems(config);
  yield* windowProblems(config);
  yield* scaleProblems(config);
}

/** AS-10, 1 to 4. */
function* durationProblems(config: AutoscalerConfig): Generator<string> {
  const graceMs = config.scaleToZeroGracePeriodMs;
  if (graceMs <= 0) {
    yield `scale-to-zero-grace-period must be positive, was: ${formatDurationMs(graceMs)}`;
  }
  const delayMs = config.scaleDownDelayMs;
  const delay = formatDurationMs(delayMs);
  if (delayMs < 0) yield `scale-down-delay cannot be negative, was: ${delay}`;
  if (!hasWholeSeconds(delayMs)) {
    yield `scale-down-delay = ${delay}, must be specified with at most second precision`;
  }
  const retentionMs = config.scaleToZeroPodRetentionPeriodMs;
  if (retentionMs < 0) {
    const retention = formatDurationMs(retentionMs);
    yield `scale-to-zero-pod-retention-period cannot be negative, was: ${retention}`;
  }
}

/** AS-10, 5 to 8. */
function* targetProblems(config: AutoscalerConfig): Generator<string> {
  const tbc = config.targetBurstCapacity;
  if (tbc < 0 && tbc !== -1) {
    const rule = 'must be either non-negative or -1 (for unlimited)';
    yield `target-burst-capacity ${rule}, was: ${tbc.toFixed(6)}`;
  }
  const fraction = config.containerConcurrencyTargetFraction;
  if (fraction <= 0 || fraction > 1) {
    const text = fraction.toFixed(6);
    yield `container-concurrency-target-percentage = ${text} is outside of valid range of (0, 100]`;
  }
  const target = fraction * config.containerConcurrencyTargetDefault;
  if (target < MIN_TARGET) {
    yield 'container-concurrency-target-percentage and container-concurrency-target-default ' +
      `yield target concurrency of ${formatFloat(target)}, can't be less than 0.01`;
  }
  const rate = config.requestsPerSecondTargetDefault;
  if (rate < MIN_TARGET) {
    yield `requests-per-second-target-default must be at least 0.01, was: ${formatFloat(rate)}`;
  }
}

/** AS-10, 9 to 11. */
function* rateProblems(config: AutoscalerConfig): Generator<string> {
  const { activatorCapacity, maxScaleUpRate, maxScaleDownRate } = config;
  if (activatorCapacity < 1) {
    yield `activator-capacity = ${formatFloat(activatorCapacity)}, must be at least 1`;
  }
  if (maxScaleUpRate <= 1) {
    yield `max-scale-up-rate = ${formatFloat(maxScaleUpRate)}, must be greater than 1.0`;
  }
  if (maxScaleDownRate <= 1) {
    yield `max-scale-down-rate = ${formatFloat(maxScaleDownRate)}, must be greater than 1.0`;
  }
}

/** AS-10, 12 to 14. */
function* windowProblems(config: AutoscalerConfig): Generator<string> {
  const { stableWindowMs, panicWindowPercentage } = config;
  const stable = formatDurationMs(stableWindowMs);
  if (stableWindowMs < MIN_STABLE_WINDOW_MS || stableWindowMs > MAX_STABLE_WINDOW_MS) {
    yield `stable-window = ${stable}, must be in [6s; 1h0m0s] range`;
  }
  if (!hasWholeSeconds(stableWindowMs)) {
    yield `stable-window = ${stable}, must be specified with at most second precision`;
  }
  if (panicWindowPercentage < 1 || panicWindowPercentage > 100) {
    const percentage = formatFloat(panicWindowPercentage);
    yield `panic-window-percentage = ${percentage}, must be in [1, 100] interval`;
  }
}

/** AS-10, 15 to 19. AS-9: with a limit, "no maximum" is itself out of range. */
function* scaleProblems(config: AutoscalerConfig): Generator<string> {
  const { initialScale, allowZeroInitialScale, minScale, maxScale, maxScaleLimit } = config;
  if (initialScale < (allowZeroInitialScale ? 0 : 1)) {
    const rule = 'must be at least 0 (or at least 1 when allow-zero-initial-scale is false)';
    yield `initial-scale = ${initialScale}, ${rule}`;
  }
  if (minScale < 0) yield `min-scale = ${minScale}, must be at least 0`;
  const lowest = maxScaleLimit > 0 ? 1 : 0;
  if (maxScale < lowest || (maxScaleLimit > 0 && maxScale > maxScaleLimit)) {
    const range = `[${lowest}, max-scale-limit(${maxScaleLimit})]`;
    yield `max-scale = ${maxScale}, must be in ${range} range`;
  }
  if (maxScaleLimit < 0) yield `max-scale-limit = ${maxScaleLimit}, must be at least 0`;
  if (maxScale > 0 && minScale > maxScale) {
    yield `min-scale (${minScale}) must be less than max-scale (${maxScale})`;
  }
}

/** Throws an Error with Knative's text for the first thing that is wrong (AS-5, AS-10). */
export function parseAutoscalerConfig(
  data: Readonly<Record<string, string>> | undefined,
): AutoscalerConfig {
  const config: Record<string, Value> = { ...DEFAULT_AUTOSCALER_CONFIG };
  for (const [key, field, parse] of FIELDS) {
    const text = data?.[key];
    if (text === undefined) continue;
    try {
      config[field] = parse(text);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      throw new Error(`failed to parse data: failed to parse "${key}": ${detail}`, {
        cause: error,
      });
    }
  }
  const parsed = config as unknown as AutoscalerConfig;
  for (const problem of problems(parsed)) throw new Error(problem);
  return Object.freeze(parsed);
}
