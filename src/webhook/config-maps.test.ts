// Every ConfigMap of the system is parsed before it is stored: section 17.

import { describe, expect, it } from 'vitest';
import { CONFIG_MAPS } from '../api/config/registry.ts';
import type { KubeObject } from '../api/objects.ts';
import { exampleChecksum } from './config-maps.ts';
import { admit } from './testing/requests.ts';

const PREFIX =
  'admission webhook "config.webhook.serving.knative.dev" denied the request: validation failed: ';
const IMAGE = { 'queue-sidecar-image': 'q' };

const map = (name: string, data: Record<string, string>, metadata: object = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: 'anywhere',
      labels: {
        'app.kubernetes.io/name': 'knative-serving',
        'app.kubernetes.io/component': 'autoscaler',
      },
      ...metadata,
    },
    data,
  }) as KubeObject;

const problem = (object: KubeObject): string => {
  const response = admit(object);
  return response.allowed ? '' : response.message.slice(PREFIX.length);
};

describe('WH-170: a map that does not parse is refused', () => {
  it.each<[string, Record<string, string>, string]>([
    [
      'config-autoscaler',
      { 'stable-window': '1s' },
      'stable-window = 1s, must be in [6s; 1h0m0s] range',
    ],
    [
      'config-autoscaler',
      { 'enable-scale-to-zero': 'x' },
      'failed to parse data: failed to parse "enable-scale-to-zero": strconv.ParseBool: parsing "x": invalid syntax',
    ],
    [
      'config-gc',
      { 'retain-since-create-time': '-1s' },
      'failed to parse retain-since-create-time: must be non-negative',
    ],
    [
      'config-network',
      { 'http-protocol': 'x' },
      'httpProtocol x in config-network ConfigMap is not supported',
    ],
    [
      'config-network',
      { 'rollout-duration': '-1' },
      'rollout-duration must be a positive integer, but was -1',
    ],
    [
      'config-deployment',
      { 'queue-sidecar-image': '' },
      'queue-sidecar-image cannot be empty or unset',
    ],
    [
      'config-deployment',
      { ...IMAGE, 'default-affinity-type': 'x' },
      'unsupported default-affinity-type value: "x"',
    ],
    ['config-observability', { 'metrics-protocol': 'x' }, 'unsupported protocol "x"'],
    [
      'config-observability',
      { 'tracing-protocol': 'grpc' },
      'endpoint should be set for protocol "grpc"',
    ],
    ['config-logging', { 'loglevel.webhook': 'x' }, 'invalid logging level: x'],
    ['config-leader-election', { buckets: '11' }, 'buckets: value must be between 1 <= 11 <= 10'],
    [
      'config-defaults',
      { 'container-concurrency': '1001' },
      'expected 0 <= 1001 <= 1000: container-concurrency',
    ],
    [
      'config-defaults',
      { 'revision-timeout-seconds': '601' },
      'revision-timeout-seconds (601) cannot be greater than max-revision-timeout-seconds (600)',
    ],
    ['config-features', { 'multi-container': 'x' }, ''],
    ['config-tracing', { anything: 'x' }, ''],
  ])('%s %o', (name, data, expected) => {
    expect(problem(map(name, data))).toBe(expected);
  });

  it.each([
    ['config-domain', { 'example.com': '[' }],
    ['config-certmanager', { issuerRef: '[' }],
  ])('%s, whose YAML is broken', (name, data) => {
    expect(problem(map(name, data))).toMatch(/^failed to parse "/);
  });

  it('all of them are looked at, by name, wherever they are', () => {
    const names = CONFIG_MAPS.map(({ name }) => name).sort();
    expect(names).toEqual(
      ['autoscaler', 'certmanager', 'defaults', 'deployment', 'domain', 'features', 'gc']
        .concat('leader-election', 'logging', 'network', 'observability')
        .map((word) => `config-${word}`),
    );
  });

  it('maps without the labels of the system are not ours', () => {
    expect(problem(map('config-gc', { 'min-non-active-revisions': 'x' }, { labels: {} }))).toBe('');
  });
});

it('WH-171: the example comes before everything else', () => {
  const data = { _example: 'a', 'min-non-active-revisions': 'x' };
  const annotations = { 'knative.dev/example-checksum': exampleChecksum('b') };
  expect(problem(map('config-gc', data, { annotations }))).toBe(
    'the update modifies a key in "_example" which is probably not what you want. Instead, copy ' +
      'the respective setting to the top-level of the ConfigMap, directly below "data"',
  );
  expect(problem(map('config-gc', { _example: 'a' }))).toBe('');
});

it('WH-172: what config-autoscaler means when it is empty', () => {
  const row = CONFIG_MAPS.find(({ name }) => name === 'config-autoscaler');
  expect(row?.parse({}, 'cluster.local')).toEqual({
    ok: true,
    value: {
      podAutoscalerClass: 'kpa.autoscaling.knative.dev',
      enableScaleToZero: true,
      allowZeroInitialScale: false,
      containerConcurrencyTargetFraction: 0.7,
      containerConcurrencyTargetDefault: 100,
      requestsPerSecondTargetDefault: 200,
      targetBurstCapacity: 211,
      maxScaleUpRate: 1000,
      maxScaleDownRate: 2,
      stableWindowMs: 60_000,
      panicWindowPercentage: 10,
      panicThresholdPercentage: 200,
      scaleToZeroGracePeriodMs: 30_000,
      scaleToZeroPodRetentionPeriodMs: 0,
      scaleDownDelayMs: 0,
      activatorCapacity: 100,
      initialScale: 1,
      minScale: 0,
      maxScale: 0,
      maxScaleLimit: 0,
    },
  });
});
