import { describe, expect, it } from 'vitest';
import {
  defaultMetricOf,
  isWeightedAggregation,
  readInitialScale,
  readMinScale,
  readTarget,
  readWindowMs,
} from './autoscaling-annotations.ts';
import {
  misplacedAutoscalingKeys,
  validateAutoscalingAnnotations,
} from './autoscaling-validation.ts';
import { DEFAULT_AUTOSCALER_CONFIG } from './config/autoscaler.ts';
import { renderErrors } from './field-errors.ts';

const P = 'autoscaling.knative.dev/';
const prefixed = (short: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(short).map(([key, value]) => [P + key, value]));
const problems = (short: Record<string, string>, limit = 0): string =>
  renderErrors(
    validateAutoscalingAnnotations(prefixed(short), {
      ...DEFAULT_AUTOSCALER_CONFIG,
      maxScaleLimit: limit,
    }),
  );

describe('reading autoscaling annotations', () => {
  it('AS-14: the primary key wins even when its value is unusable', () => {
    expect(readMinScale(prefixed({ minScale: '3' }))).toBe(3);
    expect(readMinScale(prefixed({ 'min-scale': '2', minScale: '3' }))).toBe(2);
    expect(readMinScale(prefixed({ 'min-scale': 'x', minScale: '3' }))).toBeUndefined();
  });

  it('AS-16: what does not parse counts as not set, integers have 32 bits', () => {
    expect(readInitialScale(prefixed({ 'initial-scale': '3000000000' }))).toBeUndefined();
    expect(readTarget(prefixed({ target: 'Inf' }))).toBeUndefined();
    expect(readTarget(prefixed({ target: '.5' }))).toBe(0.5);
    expect(readWindowMs(prefixed({ window: '1m30s' }))).toBe(90_000);
    expect(readWindowMs(undefined)).toBeUndefined();
  });

  it('AS-15, AS-54: defaults by class and aggregation names', () => {
    expect(defaultMetricOf('kpa.autoscaling.knative.dev')).toBe('concurrency');
    expect(defaultMetricOf('hpa.autoscaling.knative.dev')).toBe('cpu');
    expect(defaultMetricOf('other')).toBe('');
    const algorithm = 'metric-aggregation-algorithm';
    expect(isWeightedAggregation(prefixed({ [algorithm]: 'weightedExponential' }))).toBe(true);
    expect(isWeightedAggregation(prefixed({ [algorithm]: 'median' }))).toBe(false);
  });
});

describe('validating autoscaling annotations', () => {
  it.each<[Record<string, string>, string]>([
    [{}, ''],
    [{ class: 'mine.example.com' }, ''],
    [{ class: 'x.knative.dev' }, `invalid value: x.knative.dev: ${P}class`],
    [{ 'min-scale': '1.5' }, `invalid value: 1.5: ${P}min-scale`],
    [{ minScale: '-1' }, `expected 0 <= -1 <= 2147483647: ${P}minScale`],
    [{ 'max-scale': '2147483648' }, `expected 0 <= 2147483648 <= 2147483647: ${P}max-scale`],
    [
      { maxScale: '2', minScale: '3' },
      `max-scale=2 is less than min-scale=3: ${P}max-scale, ${P}min-scale`,
    ],
    [{ 'max-scale': '0', 'min-scale': '3' }, ''],
    [{ 'activation-scale': 'x' }, `invalid value: x: ${P}activation-scale`],
    [
      { 'activation-scale': '2', 'min-scale': '3' },
      `min-scale=3 is greater than activation-scale=2: ${P}activation-scale`,
    ],
    [
      { 'activation-scale': '5', 'max-scale': '4' },
      `max-scale=4 is less than activation-scale=5: ${P}activation-scale`,
    ],
    [
      { 'activation-scale': '1' },
      `activation-scale=1 must be greater than 1: ${P}activation-scale`,
    ],
    [{ 'initial-scale': '-1' }, `invalid value: -1: ${P}initial-scale must be greater than 0`],
    [{ initialScale: '0' }, `invalid value: 0: ${P}initialScale=0 not allowed by cluster`],
    [{ 'initial-scale': '3000000000' }, ''],
    [{ 'panic-window-percentage': '0.5' }, `expected 1 <= 0.5 <= 100: ${P}panic-window-percentage`],
    [
      { panicThresholdPercentage: '109' },
      `expected 110 <= 109 <= 1000: ${P}panicThresholdPercentage`,
    ],
    [
      { 'target-utilization-percentage': 'NaN' },
      `invalid value: NaN: ${P}target-utilization-percentage`,
    ],
    [{ target: '0.001' }, `target 0.001 should be at least 0.01: ${P}target`],
    [{ 'target-burst-capacity': '-2' }, `invalid value: -2: ${P}target-burst-capacity`],
    [{ 'target-burst-capacity': '-1' }, ''],
    [{ window: '5s' }, `expected 6s <= 5s <= 1h0m0s: ${P}window`],
    [{ window: '6500ms' }, `must be specified with at most second precision: ${P}window`],
    [{ 'scale-down-delay': '61m' }, `expected 0s <= 61m <= 1h0m0s: ${P}scale-down-delay`],
    [{ 'scale-to-zero-pod-retention-period': '1500ms' }, ''],
    [{ metric: 'cpu' }, `invalid value: cpu: ${P}metric`],
    [{ metric: 'cpu', class: 'hpa.autoscaling.knative.dev' }, ''],
    [{ metric: '', class: 'hpa.autoscaling.knative.dev' }, `invalid value: : ${P}metric`],
    [{ 'metric-aggregation-algorithm': 'median' }, ''],
    [
      { 'metric-aggregation-algorithm': 'median', class: 'kpa.autoscaling.knative.dev' },
      `invalid value: median: ${P}metric-aggregation-algorithm`,
    ],
    [
      { window: '5s', target: '0' },
      `expected 6s <= 5s <= 1h0m0s: ${P}window\ntarget 0 should be at least 0.01: ${P}target`,
    ],
    [{ 'min-scale': 'x', 'max-scale': 'x' }, `invalid value: x: ${P}max-scale, ${P}min-scale`],
  ])('AS-17 to AS-30: %j', (annotations, text) => {
    expect(problems(annotations)).toBe(text);
  });

  it.each(['NaN', 'Inf', '-Inf'])('AS-31: %s is no number for any setting', (text) => {
    for (const key of [
      'target',
      'target-burst-capacity',
      'target-utilization-percentage',
      'panic-window-percentage',
      'panic-threshold-percentage',
    ]) {
      expect(problems({ [key]: text }), key).toBe(`invalid value: ${text}: ${P}${key}`);
    }
  });

  it('AS-20: the cluster limit binds a max-scale that is present', () => {
    expect(problems({ 'max-scale': '6' }, 5)).toBe(`expected 1 <= 6 <= 5: ${P}max-scale`);
    expect(problems({ maxScale: '0' }, 5)).toBe(
      `max-scale=0 (unlimited), must be less than 5: ${P}maxScale`,
    );
    expect(problems({ 'min-scale': '6' }, 5)).toBe('');
    expect(problems({ 'min-scale': 'x', 'max-scale': '6' }, 5)).toBe(
      `expected 1 <= 6 <= 5: ${P}max-scale\ninvalid value: x: ${P}min-scale`,
    );
    expect(problems({ 'max-scale': 'x' }, 5)).toBe(`invalid value: x: ${P}max-scale`);
  });

  it('AS-13: outside the template such keys are in the wrong place', () => {
    expect(renderErrors(misplacedAutoscalingKeys(prefixed({ 'min-scale': '1' })))).toBe(
      `invalid key name "${P}min-scale": metadata.annotations\nautoscaling annotations must be ` +
        'put under "spec.template.metadata.annotations" to work',
    );
  });
});
