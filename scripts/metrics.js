// Writes docs/metrics.md from src/telemetry/metric-definitions.ts, the table every metric of the
// product is made from. A house test calls `metricsDocument` to see that the file is up to date.
// The tables import types only, so stripping those is enough to load them.
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const TABLE = join(root, 'src', 'telemetry', 'metric-definitions.ts');
const AUTOSCALER_TABLE = join(root, 'src', 'telemetry', 'autoscaler-metric-definitions.ts');
const ACTIVATOR_TABLE = join(root, 'src', 'telemetry', 'activator-metric-definitions.ts');
const API_SERVER_TABLE = join(root, 'src', 'telemetry', 'api-server-metric-definitions.ts');
const DOCUMENT = join(root, 'docs', 'metrics.md');

const HEADING = `# Metrics

Written by \`node scripts/metrics.js\` from \`src/telemetry/metric-definitions.ts\`; a test keeps the two equal.

The queue-proxy serves them on port 9091 (\`GET /metrics\`, Prometheus text) when \`requestMetrics.protocol\` of
\`OBSERVABILITY_CONFIG\` is \`prometheus\`, and pushes them over OTLP when it is \`http/protobuf\` or \`grpc\`. The resource
(QP-144) is the labels of \`target_info\`. Metrics with a scope carry \`otel_scope_name\`, \`otel_scope_version\` and
\`otel_scope_schema_url\` besides the labels below; in Prometheus the dots of label names become underscores.

\`PILOTLIGHT_METRICS_NAMES\` chooses between the \`current\` names, the \`legacy\` ones (up to Knative 1.18; also what
\`SERVING_REQUEST_METRICS_BACKEND=prometheus\` gives) and \`both\`. Legacy series also carry \`namespace_name\`,
\`service_name\`, \`configuration_name\`, \`revision_name\`, \`pod_name\` and \`container_name\`.

Label values that clients choose are bounded: beyond 62 different hosts (\`server.address\` with its port) or route tags
the rest is counted as \`_OTHER\`, and beyond 1,000 series of one group under \`otel_metric_overflow="true"\` (Q-13).
Client durations run until the app's answer head or its failure; a failure has \`error.type\`, a code of
[errors.md](errors.md) or \`canceled\`, instead of a status. The queue depth is read when somebody asks (Q-12).
`;

const AUTOSCALER = `## Autoscaler

Served on port 9090 (\`GET /metrics\`) when \`metrics-protocol\` of \`config-observability\` is \`prometheus\`, pushed over
OTLP to \`metrics-endpoint\` when it is \`http/protobuf\` or \`grpc\`; the map is followed while running (AS-186).
Gauges are read when somebody asks and are gone with their revision (AS-185); a page holds 10,000 revisions.
\`PILOTLIGHT_METRICS_NAMES\` of the process chooses between the names with dots, the older ones (AS-187) and \`both\`.
Inside \`pilotlight up\` nothing is served: port 9090 belongs to the pods.
`;

const ACTIVATOR = `## Activator

Served on port 9090 (\`GET /metrics\`) when \`metrics-protocol\` of \`config-observability\` is \`prometheus\` at the start of
the process, pushed over OTLP to \`metrics-endpoint\` when it is \`http/protobuf\` or \`grpc\` (ACT-9, ACT-200).
\`PILOTLIGHT_METRICS_NAMES\` chooses between the names with dots, the older ones (ACT-207) and \`both\`. Besides the
table it has \`http_server_*\` and \`http_client_*\` of above, with the four labels of a revision instead of
\`kn_route_tag\` (ACT-202; without them for a revision nobody knows, ACT-16), the dropped lines and spans, the rejected
requests and \`process_*\`. \`queued\` and \`active\` are read when somebody asks. A revision's series are gone with it; a
page holds 10,000 revisions, and 62 different hosts and pods of each.

\`pilotlight_wake_phase_seconds\` counts each request that was held at zero pods: when the revision reached
\`queued\` (always 0), \`reported\` (the stat went to the autoscaler's socket), \`decided\` and \`scaled\` (told by our
autoscaler; absent with a stock one), \`scheduled\` (a pod has an address), \`started\` (it took a connection),
\`probed\` (it can take requests) and \`first byte\`, each since the request arrived. The same phases are spans under
\`throttler_try\`, and a \`Server-Timing\` header of the answer when \`activator.server-timing\` of
\`config-observability\` is \`asked\` (for requests that have the header \`Pilotlight-Server-Timing\`) or \`always\`.
Inside \`pilotlight up\` log, header and traces work, and no metrics are served: port 9090 belongs to the pods.
`;

const API_SERVER = `## Embedded API server

\`GET /metrics\` of \`pilotlight up\` with the token of its kubeconfig (\`kubectl get --raw /metrics\`).
`;

const GROUPS = [
  ['current', 'Current names'],
  ['legacy', 'Older names (QP-148)'],
  ['always', 'With either'],
];

/** The whole text of docs/metrics.md. */
export async function metricsDocument() {
  const METRICS = await loadTable('METRICS', TABLE);
  const activator = await loadTable('ACTIVATOR_METRICS', ACTIVATOR_TABLE);
  const autoscaler = await loadTable('AUTOSCALER_METRICS', AUTOSCALER_TABLE);
  const apiServer = await loadTable('API_SERVER_METRICS', API_SERVER_TABLE);
  const parts = GROUPS.map(([names, title]) => {
    const rows = Object.values(METRICS).filter((metric) => metric.names === names);
    return `## ${title}\n\n${table(rows)}\n`;
  });
  const all = [...Object.values(METRICS), ...activator, ...autoscaler];
  const roles = [
    ACTIVATOR,
    `${table(activator)}\n`,
    AUTOSCALER,
    `${table(autoscaler)}\n`,
    API_SERVER,
    `${table(apiServer)}\n`,
  ];
  return [HEADING, ...parts, buckets(all), ...roles].join('\n');
}

async function loadTable(name, file) {
  const { outputFiles } = buildSync({
    entryPoints: [file],
    bundle: true,
    format: 'esm',
    write: false,
  });
  const module = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
  return module[name];
}

function table(metrics) {
  const rows = metrics.map(({ prometheus, name, kind, unit, labels, help, spec }) => {
    const labelText = labels.map((label) => `\`${label}\``).join(', ') || 'none';
    return `| \`${prometheus}\` | \`${name}\` | ${kind}, ${unit} | ${labelText} | ${help} (${spec}) |`;
  });
  return [
    '| Prometheus name | instrument | kind, unit | labels | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

function buckets(metrics) {
  const lines = new Set();
  for (const { kind, unit, bounds } of metrics) {
    if (kind === 'histogram') lines.add(`- ${unit}: ${bounds.join(', ')}, +Inf`);
  }
  return `## Buckets\n\nA value equal to a bound belongs to its bucket (QP-141, QP-149).\n\n${[...lines].join('\n')}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(DOCUMENT, await metricsDocument());
}
