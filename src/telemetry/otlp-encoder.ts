// OTLP messages (opentelemetry-proto 1.x: collector trace and metrics services) written with the
// protobuf wire primitives: the SDK is too heavy for what a sidecar may take to start (decision
// 0013). Field numbers are those of trace.proto, metrics.proto, resource.proto and common.proto.
// Cold: runs per batch of sampled spans and per metrics push; loaded only when one of them is on.

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type MetricDefinition, metricNamed } from './metric-definitions.ts';
import type { Labels, MetricSnapshot, Series } from './metric-series.ts';
import type { Span } from './span.ts';

const TRACER_SCOPE = 'knative.dev/serving/pkg/queue';
const STATUS_ERROR = 2;
/** AGGREGATION_TEMPORALITY_CUMULATIVE. */
const CUMULATIVE = 2;

/** ExportTraceServiceRequest. */
export function encodeSpans(resource: Labels, spans: readonly Span[]): Uint8Array {
  const writer = new BinaryWriter();
  open(writer, 1); // resource_spans
  writeResource(writer, resource);
  open(writer, 2); // scope_spans
  writeScope(writer, TRACER_SCOPE);
  for (const span of spans) writeSpan(writer, span);
  writer.join();
  writer.join();
  return writer.finish();
}

function writeSpan(writer: BinaryWriter, span: Span): void {
  open(writer, 2);
  writer.tag(1, WireType.LengthDelimited).bytes(Buffer.from(span.traceId, 'hex'));
  writer.tag(2, WireType.LengthDelimited).bytes(Buffer.from(span.spanId, 'hex'));
  if (span.traceState !== '') text(writer, 3, span.traceState);
  if (span.parentId !== '') {
    writer.tag(4, WireType.LengthDelimited).bytes(Buffer.from(span.parentId, 'hex'));
  }
  text(writer, 5, span.name);
  writer.tag(6, WireType.Varint).int32(span.kind);
  writer.tag(7, WireType.Bit64).fixed64(nanoseconds(span.startMs));
  writer.tag(8, WireType.Bit64).fixed64(nanoseconds(span.endMs));
  writeAttributes(writer, 9, span.attributes);
  if (span.isError) {
    open(writer, 15);
    writer.tag(3, WireType.Varint).int32(STATUS_ERROR);
    writer.join();
  }
  writer.join();
}

export interface MetricsMoment {
  /** Unix milliseconds of the beginning of all cumulative values, and of this reading. */
  readonly startMs: number;
  readonly nowMs: number;
}

/** ExportMetricsServiceRequest; series of one metric must follow each other or be many metrics. */
export function encodeMetrics(
  resource: Labels,
  snapshot: MetricSnapshot,
  moment: MetricsMoment,
): Uint8Array {
  const scopes = new Map<string, Map<MetricDefinition, Series[]>>();
  for (const series of snapshot) {
    const metric = metricNamed(series.metric);
    const metrics = scopes.get(metric.scope) ?? new Map<MetricDefinition, Series[]>();
    scopes.set(metric.scope, metrics);
    const list = metrics.get(metric);
    if (list === undefined) metrics.set(metric, [series]);
    else list.push(series);
  }
  const writer = new BinaryWriter();
  open(writer, 1); // resource_metrics
  writeResource(writer, resource);
  for (const [scope, metrics] of scopes) {
    open(writer, 2); // scope_metrics
    writeScope(writer, scope);
    for (const [metric, series] of metrics) writeMetric(writer, metric, series, moment);
    writer.join();
  }
  writer.join();
  return writer.finish();
}

const DATA_FIELDS = { gauge: 5, counter: 7, histogram: 9 } as const;

function writeMetric(
  writer: BinaryWriter,
  metric: MetricDefinition,
  series: readonly Series[],
  moment: MetricsMoment,
): void {
  open(writer, 2);
  text(writer, 1, metric.name);
  text(writer, 2, metric.help);
  text(writer, 3, metric.unit);
  open(writer, DATA_FIELDS[metric.kind]);
  for (const one of series) {
    open(writer, 1); // data_points
    if (metric.kind === 'histogram') writeHistogramPoint(writer, metric, one, moment);
    else writeNumberPoint(writer, one, moment);
    writer.join();
  }
  if (metric.kind !== 'gauge') writer.tag(2, WireType.Varint).int32(CUMULATIVE);
  if (metric.kind === 'counter') writer.tag(3, WireType.Varint).bool(true);
  writer.join();
  writer.join();
}

function writeNumberPoint(writer: BinaryWriter, series: Series, moment: MetricsMoment): void {
  writer.tag(2, WireType.Bit64).fixed64(nanoseconds(moment.startMs));
  writer.tag(3, WireType.Bit64).fixed64(nanoseconds(moment.nowMs));
  const value = series.values[0]!;
  if (Number.isSafeInteger(value)) writer.tag(6, WireType.Bit64).sfixed64(value);
  else writer.tag(4, WireType.Bit64).double(value);
  writeAttributes(writer, 7, series.labels);
}

function writeHistogramPoint(
  writer: BinaryWriter,
  { bounds }: MetricDefinition,
  { values, labels }: Series,
  moment: MetricsMoment,
): void {
  const counts = values.subarray(0, bounds.length + 1);
  writer.tag(2, WireType.Bit64).fixed64(nanoseconds(moment.startMs));
  writer.tag(3, WireType.Bit64).fixed64(nanoseconds(moment.nowMs));
  writer.tag(4, WireType.Bit64).fixed64(counts.reduce((sum, count) => sum + count, 0));
  writer.tag(5, WireType.Bit64).double(values[bounds.length + 1]!);
  writer.tag(6, WireType.LengthDelimited).fork();
  for (const count of counts) writer.fixed64(count);
  writer.join();
  writer.tag(7, WireType.LengthDelimited).fork();
  for (const bound of bounds) writer.double(bound);
  writer.join();
  writeAttributes(writer, 9, labels);
}

function writeResource(writer: BinaryWriter, attributes: Labels): void {
  open(writer, 1);
  writeAttributes(writer, 1, attributes);
  writer.join();
}

function writeScope(writer: BinaryWriter, name: string): void {
  open(writer, 1);
  if (name !== '') text(writer, 1, name);
  writer.join();
}

function writeAttributes(writer: BinaryWriter, field: number, attributes: Labels): void {
  for (const [name, value] of attributes) {
    open(writer, field);
    text(writer, 1, name);
    open(writer, 2);
    if (typeof value === 'string') text(writer, 1, value);
    else if (Number.isSafeInteger(value)) writer.tag(3, WireType.Varint).int64(value);
    else writer.tag(4, WireType.Bit64).double(value);
    writer.join();
    writer.join();
  }
}

function open(writer: BinaryWriter, field: number): void {
  writer.tag(field, WireType.LengthDelimited).fork();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

/** Whole milliseconds and their fraction apart: a double cannot hold Unix nanoseconds. */
function nanoseconds(ms: number): bigint {
  const whole = Math.floor(ms);
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6));
}
