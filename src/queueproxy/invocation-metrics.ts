// The sidecar's two own instruments in Prometheus text (QP-139 to QP-145): how long the app took,
// by status, and how many requests are in or before it. Written by hand because a metrics library
// costs more start-up time than the sidecar is allowed. Queue depth is read at scrape time.
// Hot: `observe` runs once per request when metrics are on.

/** Seconds (QP-141); a value equal to a bound belongs to that bucket. */
const BOUNDS_SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const;
const BUCKET_COUNT = BOUNDS_SECONDS.length + 1;
const SUM = BUCKET_COUNT;
/** One series per status code; codes are three digits, so there can be no more. */
const MAX_STATUS = 1000;

const SCOPE =
  'otel_scope_name="knative.dev/serving/pkg/queue",otel_scope_schema_url="",otel_scope_version=""';
const DURATION = 'kn_serving_invocation_duration_seconds';
const DEPTH = 'kn_serving_queue_depth';

export interface MetricsIdentity {
  readonly namespace: string;
  readonly service: string;
  readonly configuration: string;
  readonly revision: string;
  readonly podName: string;
}

export class InvocationMetrics {
  /** Per status: counts by bucket, then the sum of seconds. */
  readonly #series: (Float64Array | undefined)[] = [];
  readonly #queueDepth: () => number | null;
  readonly #target: string;

  /** `queueDepth` returns running + waiting requests, null when concurrency is unlimited. */
  constructor(identity: MetricsIdentity, queueDepth: () => number | null) {
    this.#queueDepth = queueDepth;
    this.#target = targetLabels(identity);
  }

  observe(status: number, durationMs: number): void {
    const index = status > 0 && status < MAX_STATUS ? status : 0;
    let series = this.#series[index];
    if (series === undefined) {
      series = new Float64Array(BUCKET_COUNT + 1);
      this.#series[index] = series;
    }
    const seconds = durationMs / 1000;
    let bucket = 0;
    while (bucket < BOUNDS_SECONDS.length && seconds > BOUNDS_SECONDS[bucket]!) bucket += 1;
    series[bucket]! += 1;
    series[SUM]! += seconds;
  }

  /** Prometheus text format 0.0.4. */
  render(): string {
    const lines = [
      '# HELP target_info Target metadata',
      '# TYPE target_info gauge',
      `target_info{${this.#target}} 1`,
      `# HELP ${DURATION} The duration of task execution`,
      `# TYPE ${DURATION} histogram`,
    ];
    for (const [status, series] of this.#series.entries()) {
      if (series !== undefined) renderSeries(lines, status, series);
    }
    const depth = this.#queueDepth();
    if (depth !== null) {
      lines.push(`# HELP ${DEPTH} Number of current items in the queue proxy queue`);
      lines.push(`# TYPE ${DEPTH} gauge`, `${DEPTH}{${SCOPE}} ${depth}`);
    }
    return `${lines.join('\n')}\n`;
  }
}

function renderSeries(lines: string[], status: number, series: Float64Array): void {
  const labels = `http_response_status_code="${status}",${SCOPE}`;
  let total = 0;
  for (let bucket = 0; bucket < BUCKET_COUNT; bucket += 1) {
    total += series[bucket]!;
    const bound = BOUNDS_SECONDS[bucket] ?? '+Inf';
    lines.push(`${DURATION}_bucket{${labels},le="${bound}"} ${total}`);
  }
  lines.push(`${DURATION}_sum{${labels}} ${series[SUM]}`, `${DURATION}_count{${labels}} ${total}`);
}

/** QP-144: each label only if it has a value. */
function targetLabels(identity: MetricsIdentity): string {
  const { namespace, service, configuration, revision, podName } = identity;
  const labels: [string, string][] = [
    ['container_name', 'queue-proxy'],
    ['k8s_namespace_name', namespace],
    ['k8s_pod_name', podName],
    ['kn_configuration_name', configuration],
    ['kn_revision_name', revision],
    ['kn_service_name', service],
    ['service_instance_id', podName],
    ['service_name', service || configuration || revision || podName],
  ];
  return labels
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, '_')}"`)
    .join(',');
}
