// Prometheus text format 0.0.4 of a snapshot (QP-143, QP-145): names translated, labels sorted, the
// scope of an OpenTelemetry metric as labels of its own. Cold: runs per scrape.

import { type MetricDefinition, metricNamed } from './metric-definitions.ts';
import type { Labels, MetricSnapshot, Series } from './metric-series.ts';

/** `common` are labels every series gets, by the name Prometheus shows. */
export function renderPrometheus(snapshot: MetricSnapshot, common: Labels = []): string {
  const byMetric = new Map<string, Series[]>();
  for (const series of snapshot) {
    const list = byMetric.get(series.metric);
    if (list === undefined) byMetric.set(series.metric, [series]);
    else list.push(series);
  }
  const lines: string[] = [];
  for (const [name, list] of byMetric) {
    const metric = metricNamed(name);
    lines.push(`# HELP ${metric.prometheus} ${metric.help}`);
    lines.push(`# TYPE ${metric.prometheus} ${metric.kind}`);
    for (const { labels, values } of list) {
      const text = labelText([...labels, ...scopeLabels(metric), ...common]);
      if (metric.kind === 'histogram') renderHistogram(lines, metric, text, values);
      else lines.push(`${metric.prometheus}${braced(text)} ${formatNumber(values[0]!)}`);
    }
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** `target_info`, which carries the resource (QP-144). */
export function renderTargetInfo(resource: Labels): string {
  const head = '# HELP target_info Target metadata\n# TYPE target_info gauge\n';
  return `${head}target_info${braced(labelText(resource))} 1\n`;
}

function renderHistogram(
  lines: string[],
  { prometheus, bounds }: MetricDefinition,
  labels: string,
  values: Float64Array,
): void {
  const separator = labels === '' ? '' : ',';
  let count = 0;
  for (let bucket = 0; bucket <= bounds.length; bucket += 1) {
    count += values[bucket]!;
    const bound = bucket < bounds.length ? formatNumber(bounds[bucket]!) : '+Inf';
    lines.push(`${prometheus}_bucket{${labels}${separator}le="${bound}"} ${count}`);
  }
  lines.push(`${prometheus}_sum${braced(labels)} ${formatNumber(values[bounds.length + 1]!)}`);
  lines.push(`${prometheus}_count${braced(labels)} ${count}`);
}

function scopeLabels({ scope }: MetricDefinition): Labels {
  if (scope === '') return [];
  return [
    ['otel_scope_name', scope],
    ['otel_scope_schema_url', ''],
    ['otel_scope_version', ''],
  ];
}

function labelText(labels: Labels): string {
  return labels
    .map(([name, value]) => `${name.replace(/[^A-Za-z0-9_]/g, '_')}="${escapeLabel(value)}"`)
    .sort()
    .join(',');
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

function escapeLabel(value: string | number): string {
  return String(value).replace(/[\\"\n]/g, (character) =>
    character === '\n' ? '\\n' : `\\${character}`,
  );
}

/** As Go writes it: `1e+06`. */
function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e21) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}
