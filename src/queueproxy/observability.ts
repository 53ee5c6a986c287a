// What is observed and where it goes: OBSERVABILITY_CONFIG (QP-11), the variables of OpenTelemetry
// and of the metrics listener (QP-9), and the older variables OBSERVABILITY_CONFIG replaced
// (QP-151), which count where it says nothing. Unknown keys are ignored; invalid JSON and unknown
// protocols are fatal; what an older sidecar could do but this one cannot is named in `warnings`.
// Plain data, so that it can be copied to request threads. Cold: read once.

import { DEFAULT_LOG_TEMPLATE } from '../proxy/observe/request-log/request-log.ts';
import type { EnvReader } from '../settings/env-reader.ts';

/** Which names request metrics have; `both` doubles the work per request. */
export type MetricNames = 'current' | 'legacy' | 'both';
export type OtlpProtocol = 'http/protobuf' | 'grpc';

export interface ObservabilitySettings {
  /** Where to serve Prometheus text; host '' = all interfaces, port 0 = the default one. */
  readonly prometheus: { readonly host: string; readonly port: number } | null;
  /** Where to push metrics; null = nowhere. */
  readonly push: {
    readonly protocol: OtlpProtocol;
    readonly endpoint: string;
    readonly intervalMs: number;
  } | null;
  readonly metricNames: MetricNames;
  readonly tracing: {
    readonly protocol: OtlpProtocol | 'stdout';
    readonly endpoint: string;
    /** 0 to 1. */
    readonly rate: number;
  } | null;
  readonly requestLog: { readonly template: string; readonly logsProbes: boolean } | null;
  /** Null = no profiling; 0 = any free port. */
  readonly profilingPort: number | null;
  /** Shortest time between two readings of memory and descriptors. */
  readonly runtimeIntervalMs: number;
  /** Variables of OpenTelemetry and of the metrics listener's TLS, as they are. */
  readonly variables: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

const METRICS_PROTOCOLS = new Set(['none', 'prometheus', 'http/protobuf', 'grpc', '']);
const TRACING_PROTOCOLS = new Set(['none', 'stdout', 'http/protobuf', 'grpc', '']);
const NAMES: ReadonlySet<string> = new Set(['current', 'legacy', 'both']);
const MIN_ENDPOINT_PORT = 1024;
const NS_PER_MS = 1e6;
const DEFAULT_PUSH_MS = 60_000;
const DEFAULT_RUNTIME_NS = 15e9;
const DEFAULT_PROFILING_PORT = 8008;
const VARIABLE_PREFIXES = ['OTEL_', 'METRICS_PROMETHEUS_'];

type Json = Readonly<Record<string, unknown>>;

/** Adds every problem to the reader's; the result is of no use then. */
export function readObservability(reader: EnvReader): ObservabilitySettings {
  try {
    return parse(reader);
  } catch (error) {
    reader.problems.push(`OBSERVABILITY_CONFIG: ${(error as Error).message}`);
    return NOTHING;
  }
}

const NOTHING: ObservabilitySettings = Object.freeze({
  prometheus: null,
  push: null,
  metricNames: 'current',
  tracing: null,
  requestLog: null,
  profilingPort: null,
  runtimeIntervalMs: DEFAULT_RUNTIME_NS / NS_PER_MS,
  variables: {},
  warnings: [],
});

function parse(reader: EnvReader): ObservabilitySettings {
  const text = reader.text('OBSERVABILITY_CONFIG');
  const config = text === '' ? {} : section(JSON.parse(text), 'OBSERVABILITY_CONFIG');
  const runtime = section(config.runtime, 'runtime');
  const variables = reader.withPrefixes(VARIABLE_PREFIXES);
  return Object.freeze({
    ...readMetrics(reader, section(config.requestMetrics, 'requestMetrics'), variables),
    tracing: readTracing(section(config.tracing, 'tracing')),
    requestLog: readRequestLog(reader, config),
    profilingPort: readProfiling(reader, runtime),
    runtimeIntervalMs: nanoseconds(runtime, 'exportInterval', DEFAULT_RUNTIME_NS) / NS_PER_MS,
    variables,
    warnings: olderWarnings(reader),
  });
}

function readMetrics(
  reader: EnvReader,
  metrics: Json,
  variables: Readonly<Record<string, string>>,
): Pick<ObservabilitySettings, 'prometheus' | 'push' | 'metricNames'> {
  const protocol = word(metrics, 'protocol');
  if (!METRICS_PROTOCOLS.has(protocol)) {
    throw new Error(`unsupported metrics protocol ${JSON.stringify(protocol)}`);
  }
  const endpoint = word(metrics, 'endpoint');
  const isOlder = reader.text('SERVING_REQUEST_METRICS_BACKEND') === 'prometheus';
  const isServed =
    protocol === 'prometheus' || (isOlder && (protocol === '' || protocol === 'none'));
  const listener = isServed ? parseListener(protocol === 'prometheus' ? endpoint : '') : null;
  const configured = nanoseconds(metrics, 'exportInterval', 0) / NS_PER_MS;
  const interval = Number(variables.OTEL_METRIC_EXPORT_INTERVAL || 0);
  return {
    prometheus: listener === null ? null : overridden(reader, listener),
    push:
      protocol === 'http/protobuf' || protocol === 'grpc'
        ? { protocol, endpoint, intervalMs: interval || configured || DEFAULT_PUSH_MS }
        : null,
    metricNames: readNames(reader, isOlder && protocol !== 'prometheus' ? 'legacy' : 'current'),
  };
}

function readNames(reader: EnvReader, fallback: MetricNames): MetricNames {
  const names = reader.text('PILOTLIGHT_METRICS_NAMES');
  if (names === '') return fallback;
  if (NAMES.has(names)) return names as MetricNames;
  reader.problems.push(`PILOTLIGHT_METRICS_NAMES: '${names}' is not current, legacy or both`);
  return fallback;
}

/** METRICS_PROMETHEUS_HOST and _PORT win over the configured endpoint. */
function overridden(reader: EnvReader, { host, port }: { host: string; port: number }) {
  return {
    host: reader.text('METRICS_PROMETHEUS_HOST') || host,
    port: reader.port('METRICS_PROMETHEUS_PORT', port),
  };
}

function readTracing(tracing: Json): ObservabilitySettings['tracing'] {
  const protocol = word(tracing, 'protocol');
  if (!TRACING_PROTOCOLS.has(protocol)) {
    throw new Error(`unsupported tracing protocol ${JSON.stringify(protocol)}`);
  }
  const rate = tracing.samplingRate ?? 0;
  if (typeof rate !== 'number' || rate < 0 || rate > 1) {
    throw new Error(`tracing.samplingRate ${JSON.stringify(rate)} is not a number from 0 to 1`);
  }
  const endpoint = word(tracing, 'endpoint');
  if (protocol !== 'stdout' && protocol !== 'http/protobuf' && protocol !== 'grpc') return null;
  return { protocol, endpoint, rate };
}

function readRequestLog(reader: EnvReader, config: Json): ObservabilitySettings['requestLog'] {
  const older = (name: string) => reader.text(name) === 'true';
  const isOn = truth(config, 'enableRequestLog', older('SERVING_ENABLE_REQUEST_LOG'));
  const template = config.requestLogTemplate ?? reader.text('SERVING_REQUEST_LOG_TEMPLATE', '');
  if (typeof template !== 'string') throw new Error('requestLogTemplate is not a string');
  const isGiven = config.requestLogTemplate !== undefined || template !== '';
  const logsProbes = truth(
    config,
    'enableProbeRequestLog',
    older('SERVING_ENABLE_PROBE_REQUEST_LOG'),
  );
  return isOn ? { template: isGiven ? template : DEFAULT_LOG_TEMPLATE, logsProbes } : null;
}

function readProfiling(reader: EnvReader, runtime: Json): number | null {
  const profiling = word(runtime, 'profiling');
  if (profiling !== '' && profiling !== 'enabled' && profiling !== 'disabled') {
    throw new Error(`unsupported runtime.profiling ${JSON.stringify(profiling)}`);
  }
  const isOn = profiling === 'enabled' || (profiling === '' && older(reader, 'ENABLE_PROFILING'));
  return isOn ? reader.port('PROFILING_PORT', DEFAULT_PROFILING_PORT) : null;
}

function older(reader: EnvReader, name: string): boolean {
  return reader.text(name) === 'true';
}

/** QP-151: backends that have no successor here. */
function olderWarnings(reader: EnvReader): readonly string[] {
  const warnings: string[] = [];
  const metrics = reader.text('SERVING_REQUEST_METRICS_BACKEND');
  if (metrics !== '' && metrics !== 'none' && metrics !== 'prometheus') {
    warnings.push(`SERVING_REQUEST_METRICS_BACKEND ${metrics} is not supported`);
  }
  const tracing = reader.text('TRACING_CONFIG_BACKEND');
  if (tracing !== '' && tracing !== 'none') {
    warnings.push(`TRACING_CONFIG_BACKEND ${tracing} is not supported, use OBSERVABILITY_CONFIG`);
  }
  return warnings;
}

function parseListener(endpoint: string): { host: string; port: number } {
  if (endpoint === '') return { host: '', port: 0 };
  const [, host = '', digits = ''] = /^(.*):(\d{1,5})$/.exec(endpoint) ?? [];
  const port = Number(digits);
  if (digits === '' || port < MIN_ENDPOINT_PORT || port > 65535) {
    throw new Error(
      `requestMetrics.endpoint "${endpoint}" is not host:port with port 1024 to 65535`,
    );
  }
  return { host: host.replace(/^\[|\]$/g, ''), port };
}

function section(value: unknown, name: string): Json {
  if (value === undefined || value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Json;
  throw new Error(`${name} is not an object`);
}

function word(json: Json, key: string): string {
  const value = json[key] ?? '';
  if (typeof value !== 'string') throw new Error(`${key} is not a string`);
  return value;
}

function truth(json: Json, key: string, fallback: boolean): boolean {
  const value = json[key] ?? fallback;
  if (typeof value !== 'boolean') throw new Error(`${key} is not a boolean`);
  return value;
}

/** Durations are whole nanoseconds. */
function nanoseconds(json: Json, key: string, fallback: number): number {
  const value = json[key] ?? fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw new Error(`${key} ${JSON.stringify(value)} is not a duration in whole nanoseconds`);
  }
  return value;
}
