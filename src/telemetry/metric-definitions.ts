// Every metric the product exposes, as data: the recorder, the Prometheus text, the OTLP export and
// docs/metrics.md (scripts/metrics.js) all read this one table; metrics no sidecar has are kept out
// of its bundle and added by who has them. No imports of code, so that the script can load it alone. Names and units follow OpenTelemetry; `prometheus` is the exposed name
// after translation (QP-140, QP-145). Cold: read once, when instruments are made.

export type MetricKind = 'histogram' | 'gauge' | 'counter';

export interface MetricDefinition {
  /** OpenTelemetry name, unique. */
  readonly name: string;
  readonly prometheus: string;
  readonly kind: MetricKind;
  /** UCUM, as OTLP wants it. */
  readonly unit: string;
  readonly help: string;
  /** Attribute names; in Prometheus dots become underscores. */
  readonly labels: readonly string[];
  /** Instrumentation scope; '' for the ones OTLP does not carry. */
  readonly scope: string;
  /** Upper bounds of a histogram, +Inf left out. */
  readonly bounds: readonly number[];
  /** Which form of names it belongs to; `always` whatever is asked for. */
  readonly names: 'current' | 'legacy' | 'always';
  /** Spec number. */
  readonly spec: string;
}

/** Seconds, QP-141. */
export const DURATION_BOUNDS = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const;
/** Bytes, QP-141. */
export const SIZE_BOUNDS = [
  0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000,
] as const;
/** Milliseconds, QP-149. */
export const LEGACY_BOUNDS = [
  5, 10, 20, 40, 60, 80, 100, 150, 200, 250, 300, 350, 400, 450, 500, 600, 700, 800, 900, 1000,
  2000, 5000, 10000, 20000, 50000, 100000,
] as const;

export const QUEUE_SCOPE = 'knative.dev/serving/pkg/queue';
export const HTTP_SCOPE = 'go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp';
const OWN_SCOPE = 'pilotlight/queueproxy';

const SERVER_LABELS = [
  'http.request.method',
  'http.response.status_code',
  'kn.route.tag',
  'network.protocol.name',
  'network.protocol.version',
  'server.address',
  'server.port',
  'url.scheme',
] as const;
const CLIENT_LABELS = ['error.type', ...SERVER_LABELS] as const;
const CLASS_LABELS = ['response_code', 'response_code_class'] as const;

const histogram = (
  name: string,
  unit: string,
  help: string,
  labels: readonly string[],
  scope: string,
): MetricDefinition => ({
  name,
  prometheus: `${name.replaceAll('.', '_')}_${unit === 's' ? 'seconds' : 'bytes'}`,
  kind: 'histogram',
  unit,
  help,
  labels,
  scope,
  bounds: unit === 's' ? DURATION_BOUNDS : SIZE_BOUNDS,
  names: 'current',
  spec: scope === HTTP_SCOPE ? 'QP-140, QP-143' : 'QP-140, QP-142',
});

const legacy = (
  prometheus: string,
  kind: MetricKind,
  help: string,
  labels: readonly string[],
): MetricDefinition => ({
  name: prometheus,
  prometheus,
  kind,
  unit: kind === 'histogram' ? 'ms' : '1',
  help,
  labels,
  scope: '',
  bounds: kind === 'histogram' ? LEGACY_BOUNDS : [],
  names: 'legacy',
  spec: 'QP-148',
});

const plain = (
  name: string,
  prometheus: string,
  kind: MetricKind,
  unit: string,
  help: string,
  scope: string,
  spec: string,
  labels: readonly string[] = [],
): MetricDefinition => ({
  name,
  prometheus,
  kind,
  unit,
  help,
  labels,
  scope,
  bounds: [],
  names: 'always',
  spec,
});

const CODE = 'The number of requests that are routed to ';

export const METRICS = {
  INVOCATION_DURATION: histogram(
    'kn.serving.invocation.duration',
    's',
    'The duration of task execution',
    ['http.response.status_code'],
    QUEUE_SCOPE,
  ),
  QUEUE_DEPTH: {
    ...plain(
      'kn.serving.queue.depth',
      'kn_serving_queue_depth',
      'gauge',
      '{request}',
      'Number of current items in the queue proxy queue',
      QUEUE_SCOPE,
      'QP-142',
    ),
    names: 'current',
  },
  SERVER_DURATION: histogram(
    'http.server.request.duration',
    's',
    'Duration of HTTP server requests.',
    SERVER_LABELS,
    HTTP_SCOPE,
  ),
  SERVER_REQUEST_SIZE: histogram(
    'http.server.request.body.size',
    'By',
    'Size of HTTP server request bodies.',
    SERVER_LABELS,
    HTTP_SCOPE,
  ),
  SERVER_RESPONSE_SIZE: histogram(
    'http.server.response.body.size',
    'By',
    'Size of HTTP server response bodies.',
    SERVER_LABELS,
    HTTP_SCOPE,
  ),
  CLIENT_DURATION: histogram(
    'http.client.request.duration',
    's',
    'Duration of HTTP client requests.',
    CLIENT_LABELS,
    HTTP_SCOPE,
  ),
  CLIENT_REQUEST_SIZE: histogram(
    'http.client.request.body.size',
    'By',
    'Size of HTTP client request bodies.',
    CLIENT_LABELS,
    HTTP_SCOPE,
  ),
  LEGACY_REQUEST_COUNT: legacy('revision_request_count', 'counter', `${CODE}queue-proxy`, [
    ...CLASS_LABELS,
    'route_tag',
  ]),
  LEGACY_REQUEST_LATENCIES: legacy(
    'revision_request_latencies',
    'histogram',
    'The response time in millisecond',
    [...CLASS_LABELS, 'route_tag'],
  ),
  LEGACY_APP_REQUEST_COUNT: legacy(
    'revision_app_request_count',
    'counter',
    `${CODE}user-container`,
    CLASS_LABELS,
  ),
  LEGACY_APP_REQUEST_LATENCIES: legacy(
    'revision_app_request_latencies',
    'histogram',
    'The response time in millisecond',
    CLASS_LABELS,
  ),
  LEGACY_QUEUE_DEPTH: legacy(
    'revision_queue_depth',
    'gauge',
    'The number of items queued at this queue proxy.',
    CLASS_LABELS,
  ),
  REJECTED_REQUESTS: plain(
    'pilotlight.rejected.requests',
    'pilotlight_rejected_requests_total',
    'counter',
    '{request}',
    'Requests refused for their framing before any handler saw them.',
    OWN_SCOPE,
    'QP-7',
  ),
  DROPPED_LOG_LINES: plain(
    'pilotlight.request_log.dropped.lines',
    'pilotlight_request_log_dropped_lines_total',
    'counter',
    '{line}',
    'Request log lines dropped because stdout was not read.',
    OWN_SCOPE,
    'QP-127',
  ),
  DROPPED_SPANS: plain(
    'pilotlight.tracing.dropped.spans',
    'pilotlight_tracing_dropped_spans_total',
    'counter',
    '{span}',
    'Spans dropped because the collector did not take them.',
    OWN_SCOPE,
    'QP-157',
  ),
  CPU_SECONDS: plain(
    'process.cpu.seconds',
    'process_cpu_seconds_total',
    'counter',
    's',
    'Total user and system CPU time spent in seconds.',
    '',
    'QP-145',
  ),
  MAX_FDS: plain(
    'process.max.fds',
    'process_max_fds',
    'gauge',
    '1',
    'Maximum number of open file descriptors.',
    '',
    'QP-145',
  ),
  OPEN_FDS: plain(
    'process.open.fds',
    'process_open_fds',
    'gauge',
    '1',
    'Number of open file descriptors.',
    '',
    'QP-145',
  ),
  RESIDENT_MEMORY: plain(
    'process.resident.memory',
    'process_resident_memory_bytes',
    'gauge',
    'By',
    'Resident memory size in bytes.',
    '',
    'QP-145',
  ),
  START_TIME: plain(
    'process.start.time',
    'process_start_time_seconds',
    'gauge',
    's',
    'Start time of the process since unix epoch in seconds.',
    '',
    'QP-145',
  ),
  VIRTUAL_MEMORY: plain(
    'process.virtual.memory',
    'process_virtual_memory_bytes',
    'gauge',
    'By',
    'Virtual memory size in bytes.',
    '',
    'QP-145',
  ),
  HANDLER_REQUESTS: plain(
    'promhttp.metric.handler.requests',
    'promhttp_metric_handler_requests_total',
    'counter',
    '1',
    'Total number of scrapes by HTTP status code.',
    '',
    'QP-145',
    ['code'],
  ),
  HANDLER_IN_FLIGHT: plain(
    'promhttp.metric.handler.requests.in.flight',
    'promhttp_metric_handler_requests_in_flight',
    'gauge',
    '1',
    'Current number of scrapes being served.',
    '',
    'QP-145',
  ),
} satisfies Readonly<Record<string, MetricDefinition>>;

/** Looks a definition up by its OpenTelemetry name; names come from this table, so it is there. */
export function metricNamed(name: string): MetricDefinition {
  const found = BY_NAME.get(name);
  if (found === undefined) throw new Error(`no metric is called ${name}`);
  return found;
}

/** Metrics of another role. */
export function addMetrics(metrics: readonly MetricDefinition[]): void {
  for (const metric of metrics) BY_NAME.set(metric.name, metric);
}

const BY_NAME = new Map<string, MetricDefinition>(
  Object.values<MetricDefinition>(METRICS).map((metric) => [metric.name, metric]),
);
