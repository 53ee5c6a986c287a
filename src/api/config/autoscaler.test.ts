import { describe, expect, it } from 'vitest';
import { DEFAULT_AUTOSCALER_CONFIG, parseAutoscalerConfig } from './autoscaler.ts';

const messageOf = (data: Record<string, string>): string => {
  try {
    parseAutoscalerConfig(data);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('config-autoscaler', () => {
  it('AS-5: missing keys keep their defaults, unknown keys are ignored', () => {
    expect(parseAutoscalerConfig(undefined)).toEqual(DEFAULT_AUTOSCALER_CONFIG);
    expect(parseAutoscalerConfig({ 'tick-interval': 'x', _example: 'y' })).toEqual(
      DEFAULT_AUTOSCALER_CONFIG,
    );
  });

  it('AS-6: every key is read', () => {
    const config = parseAutoscalerConfig({
      'container-concurrency-target-percentage': '80',
      'container-concurrency-target-default': '50.',
      'requests-per-second-target-default': '+5e1',
      'target-burst-capacity': '-1',
      'stable-window': '1m30s',
      'panic-window-percentage': '20',
      'panic-threshold-percentage': '50',
      'max-scale-up-rate': '1.01',
      'max-scale-down-rate': '3',
      'enable-scale-to-zero': 'F',
      'scale-to-zero-grace-period': '1ms',
      'scale-to-zero-pod-retention-period': '500ms',
      'scale-down-delay': '15m',
      'pod-autoscaler-class': ' hpa.autoscaling.knative.dev ',
      'activator-capacity': '905',
      'initial-scale': '0',
      'allow-zero-initial-scale': 'TRUE',
      'min-scale': '1',
      'max-scale': '7',
      'max-scale-limit': '9',
    });
    expect(config).toEqual({
      containerConcurrencyTargetFraction: 0.8,
      containerConcurrencyTargetDefault: 50,
      requestsPerSecondTargetDefault: 50,
      targetBurstCapacity: -1,
      stableWindowMs: 90_000,
      panicWindowPercentage: 20,
      panicThresholdPercentage: 50,
      maxScaleUpRate: 1.01,
      maxScaleDownRate: 3,
      enableScaleToZero: false,
      scaleToZeroGracePeriodMs: 1,
      scaleToZeroPodRetentionPeriodMs: 500,
      scaleDownDelayMs: 900_000,
      podAutoscalerClass: 'hpa.autoscaling.knative.dev',
      activatorCapacity: 905,
      initialScale: 0,
      allowZeroInitialScale: true,
      minScale: 1,
      maxScale: 7,
      maxScaleLimit: 9,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it.each([
    ['1', 1],
    ['1.5', 0.015],
    ['0.7', 0.7],
    ['70', 0.7],
    ['100', 1],
  ])('AS-8: a percentage written %s is the fraction %d', (text, fraction) => {
    const config = parseAutoscalerConfig({ 'container-concurrency-target-percentage': text });
    expect(config.containerConcurrencyTargetFraction).toBeCloseTo(fraction, 12);
  });

  it.each<[string, string, string]>([
    ['max-scale-up-rate', 'fast', 'strconv.ParseFloat: parsing "fast": invalid syntax'],
    ['max-scale-up-rate', ' 2', 'strconv.ParseFloat: parsing " 2": invalid syntax'],
    ['target-burst-capacity', 'NaN', 'strconv.ParseFloat: parsing "NaN": invalid syntax'],
    ['min-scale', '1.5', 'strconv.ParseInt: parsing "1.5": invalid syntax'],
    ['min-scale', '2147483648', 'strconv.ParseInt: parsing "2147483648": value out of range'],
    ['enable-scale-to-zero', 'yes', 'strconv.ParseBool: parsing "yes": invalid syntax'],
    ['stable-window', '60', 'time: missing unit in duration "60"'],
  ])('AS-5: %s = %s does not parse', (key, text, detail) => {
    expect(messageOf({ [key]: text })).toBe(
      `failed to parse data: failed to parse "${key}": ${detail}`,
    );
  });

  it.each<[Record<string, string>, string]>([
    [
      { 'scale-to-zero-grace-period': '-1m' },
      'scale-to-zero-grace-period must be positive, was: -1m0s',
    ],
    [{ 'scale-down-delay': '-1s' }, 'scale-down-delay cannot be negative, was: -1s'],
    [
      { 'scale-down-delay': '1.5s' },
      'scale-down-delay = 1.5s, must be specified with at most second precision',
    ],
    [
      { 'scale-to-zero-pod-retention-period': '-4s' },
      'scale-to-zero-pod-retention-period cannot be negative, was: -4s',
    ],
    [
      { 'target-burst-capacity': '-2' },
      'target-burst-capacity must be either non-negative or -1 (for unlimited), was: -2.000000',
    ],
    [
      { 'container-concurrency-target-percentage': '105' },
      'container-concurrency-target-percentage = 1.050000 is outside of valid range of (0, 100]',
    ],
    [
      { 'container-concurrency-target-default': '0.001' },
      'container-concurrency-target-percentage and container-concurrency-target-default yield ' +
        "target concurrency of 0.0007, can't be less than 0.01",
    ],
    [
      { 'requests-per-second-target-default': '0.00001' },
      'requests-per-second-target-default must be at least 0.01, was: 1e-05',
    ],
    [{ 'activator-capacity': '0.9' }, 'activator-capacity = 0.9, must be at least 1'],
    [{ 'max-scale-up-rate': '1' }, 'max-scale-up-rate = 1, must be greater than 1.0'],
    [{ 'max-scale-down-rate': '0.5' }, 'max-scale-down-rate = 0.5, must be greater than 1.0'],
    [{ 'stable-window': '5s' }, 'stable-window = 5s, must be in [6s; 1h0m0s] range'],
    [{ 'stable-window': '61m' }, 'stable-window = 1h1m0s, must be in [6s; 1h0m0s] range'],
    [
      { 'stable-window': '6.5s' },
      'stable-window = 6.5s, must be specified with at most second precision',
    ],
    [
      { 'panic-window-percentage': '0' },
      'panic-window-percentage = 0, must be in [1, 100] interval',
    ],
    [
      { 'initial-scale': '0' },
      'initial-scale = 0, must be at least 0 (or at least 1 when allow-zero-initial-scale is false)',
    ],
    [{ 'min-scale': '-1' }, 'min-scale = -1, must be at least 0'],
    [{ 'max-scale': '-1' }, 'max-scale = -1, must be in [0, max-scale-limit(0)] range'],
    [{ 'max-scale-limit': '5' }, 'max-scale = 0, must be in [1, max-scale-limit(5)] range'],
    [
      { 'max-scale': '6', 'max-scale-limit': '5' },
      'max-scale = 6, must be in [1, max-scale-limit(5)] range',
    ],
    [{ 'max-scale-limit': '-1' }, 'max-scale-limit = -1, must be at least 0'],
    [{ 'min-scale': '3', 'max-scale': '2' }, 'min-scale (3) must be less than max-scale (2)'],
    [{ 'min-scale': '2', 'max-scale': '2' }, 'accepted'],
    [
      { 'min-scale': '-1', 'scale-down-delay': '-2s' },
      'scale-down-delay cannot be negative, was: -2s',
    ],
  ])('AS-9, AS-10: %j', (data, message) => {
    expect(messageOf(data)).toBe(message);
  });
});
