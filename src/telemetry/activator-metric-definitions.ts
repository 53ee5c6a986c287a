// The metrics only the activator has, as data (ACT-200 to ACT-207), apart from the table of
// metric-definitions.ts so that the sidecar does not carry them. Its HTTP metrics are those of that
// table with the labels of a revision added (ACT-202). No imports of code. Cold: read once.

import type { MetricDefinition, MetricKind } from './metric-definitions.ts';

export const ACTIVATOR_SCOPE = 'knative.dev/serving/pkg/activator';
const OWN_SCOPE = 'pilotlight/activator';

/** ACT-31: what HTTP metrics and the concurrency carry of a revision. */
export const REVISION_LABELS = [
  'kn.service.name',
  'kn.configuration.name',
  'kn.revision.name',
  'k8s.namespace.name',
] as const;
const SHORT_LABELS = ['k8s.namespace.name', 'kn.revision.name'] as const;
const LEGACY_LABELS = [
  'namespace_name',
  'service_name',
  'configuration_name',
  'revision_name',
  'pod_name',
  'container_name',
] as const;
const CLASS_LABELS = ['response_code', 'response_code_class'] as const;
/** Milliseconds, ACT-207. */
const LEGACY_BOUNDS = [
  5, 10, 20, 40, 60, 80, 100, 150, 200, 250, 300, 350, 400, 450, 500, 600, 700, 800, 900, 1000,
  2000, 5000, 10000, 20000, 50000, 100000,
] as const;
/** Seconds; a wake takes milliseconds here and minutes where an image is pulled. */
const WAKE_BOUNDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;

function metric(
  name: string,
  prometheus: string,
  kind: MetricKind,
  unit: string,
  help: string,
  rest: Pick<MetricDefinition, 'labels' | 'scope' | 'names' | 'spec'> & {
    bounds?: readonly number[];
  },
): MetricDefinition {
  return { name, prometheus, kind, unit, help, bounds: [], ...rest };
}

const PEER = {
  labels: ['peer'],
  scope: ACTIVATOR_SCOPE,
  names: 'current',
  spec: 'ACT-201',
} as const;
const SHORT = {
  labels: SHORT_LABELS,
  scope: ACTIVATOR_SCOPE,
  names: 'current',
  spec: 'ACT-201, ACT-203',
} as const;
const LEGACY = { scope: '', names: 'legacy', spec: 'ACT-207' } as const;
const OWN = { scope: OWN_SCOPE, names: 'always' } as const;

export const ACTIVATOR = {
  CONCURRENCY: metric(
    'kn.revision.request.concurrency',
    'kn_revision_request_concurrency',
    'gauge',
    '{request}',
    'Concurrent requests of the revision at this activator, average of the last second.',
    { labels: REVISION_LABELS, scope: ACTIVATOR_SCOPE, names: 'current', spec: 'ACT-133, ACT-201' },
  ),
  QUEUED: metric(
    'kn.revision.request.queued',
    'kn_revision_request_queued',
    'gauge',
    '{request}',
    'Requests waiting for capacity.',
    SHORT,
  ),
  ACTIVE: metric(
    'kn.revision.request.active',
    'kn_revision_request_active',
    'gauge',
    '{request}',
    'Requests that have capacity and are not over.',
    SHORT,
  ),
  REACHABLE: metric(
    'kn.activator.stats.conn.reachable',
    'kn_activator_stats_conn_reachable',
    'gauge',
    '{reachable}',
    '1 while there is a connection to the autoscaler.',
    PEER,
  ),
  CONNECTION_ERRORS: metric(
    'kn.activator.stats.conn.errors',
    'kn_activator_stats_conn_errors_total',
    'counter',
    '{error}',
    'Connections to the autoscaler that were lost.',
    PEER,
  ),
  LEGACY_CONCURRENCY: metric(
    'activator_request_concurrency',
    'activator_request_concurrency',
    'gauge',
    '1',
    'Concurrent requests that are routed to Activator',
    { ...LEGACY, labels: LEGACY_LABELS },
  ),
  LEGACY_COUNT: metric(
    'activator_request_count',
    'activator_request_count',
    'counter',
    '1',
    'The number of requests that are routed to Activator',
    { ...LEGACY, labels: [...LEGACY_LABELS, ...CLASS_LABELS] },
  ),
  LEGACY_LATENCIES: metric(
    'activator_request_latencies',
    'activator_request_latencies',
    'histogram',
    'ms',
    'The response time in millisecond',
    { ...LEGACY, labels: [...LEGACY_LABELS, ...CLASS_LABELS], bounds: LEGACY_BOUNDS },
  ),
  WAKE: metric(
    'pilotlight.wake.phase',
    'pilotlight_wake_phase_seconds',
    'histogram',
    's',
    'Time from the arrival of a request held at zero pods until its revision reached the phase.',
    {
      ...OWN,
      labels: [...REVISION_LABELS, 'phase'],
      bounds: WAKE_BOUNDS,
      spec: 'ACT-199',
    },
  ),
  RETRIED: metric(
    'pilotlight.activator.retried.requests',
    'pilotlight_activator_retried_requests_total',
    'counter',
    '{request}',
    'Requests sent to another pod because the first one gave no answer and had used none of it.',
    { ...OWN, labels: [], spec: 'ACT-113' },
  ),
  FAILED: metric(
    'pilotlight.activator.failed.requests',
    'pilotlight_activator_failed_requests_total',
    'counter',
    '{request}',
    'Requests answered 502 because a pod that may have run them gave no answer.',
    { ...OWN, labels: [], spec: 'ACT-123' },
  ),
} satisfies Readonly<Record<string, MetricDefinition>>;

/** All of them, in the order they are shown. */
export const ACTIVATOR_METRICS: readonly MetricDefinition[] = Object.values(ACTIVATOR);
