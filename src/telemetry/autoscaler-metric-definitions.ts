// The metrics of the autoscaler as data (AS-184 to AS-187), apart from the table of
// metric-definitions.ts so that the sidecar does not carry them. Each gauge exists under Knative's present name and under the
// one it had up to release 1.18. No imports of code. Cold: read once.

import type { MetricDefinition } from './metric-definitions.ts';

export const AUTOSCALER_SCOPE = 'knative.dev/serving/pkg/autoscaler';

/** Seconds, AS-184. */
const SCRAPE_BOUNDS = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const;
/** Milliseconds, AS-187. */
const LEGACY_SCRAPE_BOUNDS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000,
] as const;
const LABELS = [
  'k8s.namespace.name',
  'kn.service.name',
  'kn.configuration.name',
  'kn.revision.name',
] as const;
const LEGACY_LABELS = [
  'namespace_name',
  'service_name',
  'configuration_name',
  'revision_name',
] as const;
const PER_SECOND = '{request}/s';

/** One value of a revision under both of its names. */
export interface RevisionGauge {
  readonly current: MetricDefinition;
  readonly legacy: MetricDefinition;
}

function gauge(name: string, unit: string, legacyName: string, help: string): RevisionGauge {
  const prometheus = `kn_revision_${name.replaceAll('.', '_')}`;
  const common = { kind: 'gauge', help, bounds: [] } as const;
  const legacy = `autoscaler_${legacyName}`;
  return {
    current: {
      ...common,
      name: `kn.revision.${name}`,
      prometheus: unit === PER_SECOND ? `${prometheus}_per_second` : prometheus,
      unit,
      labels: LABELS,
      scope: AUTOSCALER_SCOPE,
      names: 'current',
      spec: 'AS-184, AS-186',
    },
    legacy: {
      ...common,
      name: legacy,
      prometheus: legacy,
      unit: '1',
      labels: LEGACY_LABELS,
      scope: '',
      names: 'legacy',
      spec: 'AS-187',
    },
  };
}

const BURST = '{concurrency}';

export const REVISION_GAUGES = {
  desired: gauge('pods.desired', '{item}', 'desired_pods', 'Pods the autoscaler wants.'),
  excess: gauge('capacity.excess', BURST, 'excess_burst_capacity', 'Excess burst capacity.'),
  panic: gauge('panic.mode', '', 'panic_mode', '1 in panic mode, otherwise 0.'),
  concurrencyStable: gauge(
    'concurrency.stable',
    BURST,
    'stable_request_concurrency',
    'Average concurrency of the stable window at the last decision.',
  ),
  concurrencyPanic: gauge(
    'concurrency.panic',
    BURST,
    'panic_request_concurrency',
    'Average concurrency of the panic window at the last decision.',
  ),
  concurrencyTarget: gauge(
    'concurrency.target',
    BURST,
    'target_concurrency_per_pod',
    'Concurrency each pod is to have.',
  ),
  rpsStable: gauge(
    'rps.stable',
    PER_SECOND,
    'stable_requests_per_second',
    'Average rate of the stable window at the last decision.',
  ),
  rpsPanic: gauge(
    'rps.panic',
    PER_SECOND,
    'panic_requests_per_second',
    'Average rate of the panic window at the last decision.',
  ),
  rpsTarget: gauge(
    'rps.target',
    PER_SECOND,
    'target_requests_per_second',
    'Rate each pod is to have.',
  ),
  requested: gauge('pods.requested', '{pod}', 'requested_pods', 'Pods asked of Kubernetes.'),
  ready: gauge('pods.count', '{pod}', 'actual_pods', 'Ready pods.'),
  notReady: gauge('pods.not_ready.count', '{pod}', 'not_ready_pods', 'Pods that are not ready.'),
  pending: gauge('pods.pending.count', '{pod}', 'pending_pods', 'Pods that are pending.'),
  terminating: gauge(
    'pods.terminating.count',
    '{pod}',
    'terminating_pods',
    'Pods that are ending.',
  ),
} satisfies Readonly<Record<string, RevisionGauge>>;

export const SCRAPE_DURATION: MetricDefinition = {
  name: 'kn.autoscaler.scrape.duration',
  prometheus: 'kn_autoscaler_scrape_duration_seconds',
  kind: 'histogram',
  unit: 's',
  help: 'Time to read the stats of one revision.',
  labels: [],
  scope: AUTOSCALER_SCOPE,
  bounds: SCRAPE_BOUNDS,
  names: 'current',
  spec: 'AS-184, AS-186',
};

export const LEGACY_SCRAPE_TIME: MetricDefinition = {
  name: 'autoscaler_scrape_time',
  prometheus: 'autoscaler_scrape_time',
  kind: 'histogram',
  unit: 'ms',
  help: 'Time to read the stats of one revision.',
  labels: [],
  scope: '',
  bounds: LEGACY_SCRAPE_BOUNDS,
  names: 'legacy',
  spec: 'AS-187',
};

/** All of them, in the order they are shown. */
export const AUTOSCALER_METRICS: readonly MetricDefinition[] = [
  ...Object.values(REVISION_GAUGES).map(({ current }) => current),
  SCRAPE_DURATION,
  ...Object.values(REVISION_GAUGES).map(({ legacy }) => legacy),
  LEGACY_SCRAPE_TIME,
];
