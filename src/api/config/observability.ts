// config-observability (CP-111, CP-112, CP-214): metrics, tracing, request logs. The parsed value
// also travels to every sidecar as the JSON of `observabilityJson`.

import { formatDurationMs, NS_PER_MS } from '../duration.ts';
import { type ConfigMapData, ConfigReader, type ParsedConfig } from './reader.ts';

export interface MetricsConfig {
  readonly protocol: string;
  readonly endpoint: string;
  /** 0 = the exporter's default. */
  readonly exportIntervalMs: number;
}

export interface ObservabilityConfig {
  readonly metrics: MetricsConfig;
  readonly requestMetrics: MetricsConfig;
  readonly tracing: {
    readonly protocol: string;
    readonly endpoint: string;
    readonly samplingRate: number;
  };
  readonly runtimeProfiling: 'enabled' | 'disabled';
  readonly runtimeExportIntervalMs: number;
  readonly enableVarLogCollection: boolean;
  /** `${REVISION_UID}` is replaced per Revision. */
  readonly loggingUrlTemplate: string;
  readonly enableRequestLog: boolean;
  readonly enableProbeRequestLog: boolean;
  readonly requestLogTemplate: string;
}

export const DEFAULT_REQUEST_LOG_TEMPLATE =
  '{"httpRequest": {"requestMethod": "{{.Request.Method}}", ' +
  '"requestUrl": "{{js .Request.RequestURI}}", ' +
  '"requestSize": "{{.Request.ContentLength}}", ' +
  '"status": {{.Response.Code}}, ' +
  '"responseSize": "{{.Response.Size}}", ' +
  '"userAgent": "{{js .Request.UserAgent}}", ' +
  '"remoteIp": "{{js .Request.RemoteAddr}}", ' +
  '"serverIp": "{{.Revision.PodIP}}", ' +
  '"referer": "{{js .Request.Referer}}", ' +
  '"latency": "{{.Response.Latency}}s", ' +
  '"protocol": "{{.Request.Proto}}"}, ' +
  '"traceId": "{{.TraceID}}"}';

const METRICS_PROTOCOLS = new Set(['none', 'prometheus', 'http/protobuf', 'grpc']);
const TRACING_PROTOCOLS = new Set(['none', 'stdout', 'http/protobuf', 'grpc']);
const REMOTE_PROTOCOLS = new Set(['http/protobuf', 'grpc']);

export function parseObservabilityConfig(data?: ConfigMapData): ParsedConfig<ObservabilityConfig> {
  const reader = new ConfigReader(data);
  return reader.finish({
    metrics: readMetrics(reader, ''),
    requestMetrics: readMetrics(reader, 'request-'),
    tracing: readTracing(reader),
    runtimeProfiling: readProfiling(reader),
    runtimeExportIntervalMs: readInterval(reader, 'runtime-export-interval', 15_000),
    enableVarLogCollection: reader.boolean(false, 'logging.enable-var-log-collection'),
    loggingUrlTemplate: reader.text('', 'logging.revision-url-template'),
    ...readRequestLog(reader),
  });
}

function readMetrics(reader: ConfigReader, prefix: string): MetricsConfig {
  const protocol = reader.text('none', `${prefix}metrics-protocol`);
  const endpoint = reader.text('', `${prefix}metrics-endpoint`);
  if (!METRICS_PROTOCOLS.has(protocol)) {
    reader.problem(`unsupported protocol ${JSON.stringify(protocol)}`);
  } else if (REMOTE_PROTOCOLS.has(protocol) && endpoint === '') {
    reader.problem(`endpoint should be set when protocol is ${JSON.stringify(protocol)}`);
  } else if (protocol === 'none' && endpoint !== '') {
    reader.problem('endpoint should not be set when protocol is "none"');
  }
  const exportIntervalMs = readInterval(reader, `${prefix}metrics-export-interval`, 0);
  return { protocol, endpoint, exportIntervalMs };
}

function readInterval(reader: ConfigReader, key: string, fallbackMs: number): number {
  const ms = reader.durationMs(fallbackMs, key);
  if (ms < 0) {
    reader.problem(`export interval "${formatDurationMs(ms)}" should be greater than zero`);
  }
  return ms;
}

function readTracing(reader: ConfigReader): ObservabilityConfig['tracing'] {
  const protocol = reader.text('none', 'tracing-protocol');
  const endpoint = reader.text('', 'tracing-endpoint');
  const samplingRate = reader.number(0, 'tracing-sampling-rate');
  if (!TRACING_PROTOCOLS.has(protocol)) {
    reader.problem(`unsupported protocol ${JSON.stringify(protocol)}`);
  } else if (REMOTE_PROTOCOLS.has(protocol) && endpoint === '') {
    reader.problem(`endpoint should be set for protocol ${JSON.stringify(protocol)}`);
  } else if (protocol === 'none' && endpoint !== '') {
    reader.problem("endpoint should not be set when protocol is 'none'");
  }
  if (samplingRate > 1) {
    reader.problem(`sampling rate ${samplingRate.toFixed(6)} should be less than or equal to one`);
  } else if (samplingRate < 0) {
    reader.problem(
      `sampling rate ${samplingRate.toFixed(6)} should be greater than or equal to zero`,
    );
  }
  return { protocol, endpoint, samplingRate };
}

function readProfiling(reader: ConfigReader): 'enabled' | 'disabled' {
  const word = reader.text('disabled', 'runtime-profiling');
  if (word === 'enabled' || word === 'disabled') return word;
  reader.problem(`unsupported profile setting ${JSON.stringify(word)}`);
  return 'disabled';
}

function readRequestLog(
  reader: ConfigReader,
): Pick<ObservabilityConfig, 'enableRequestLog' | 'enableProbeRequestLog' | 'requestLogTemplate'> {
  const requestLogTemplate = reader.text(
    DEFAULT_REQUEST_LOG_TEMPLATE,
    'logging.request-log-template',
  );
  const enableRequestLog = reader.boolean(false, 'logging.enable-request-log');
  if (enableRequestLog && requestLogTemplate === '') {
    reader.problem(
      '"logging.enable-request-log" was set to true, but no "logging.request-log-template" was specified',
    );
  }
  const opened = requestLogTemplate.split('{{').length;
  if (opened !== requestLogTemplate.split('}}').length) {
    reader.problem('failed to parse "logging.request-log-template": template: unclosed action');
  }
  return {
    requestLogTemplate,
    enableRequestLog,
    enableProbeRequestLog: reader.boolean(false, 'logging.enable-probe-request-log'),
  };
}

/** CP-214: durations in nanoseconds, zero values left out, members in upstream's order. */
export function observabilityJson(config: ObservabilityConfig): string {
  const { tracing, metrics, requestMetrics } = config;
  return JSON.stringify({
    tracing: {
      protocol: tracing.protocol,
      endpoint: present(tracing.endpoint),
      samplingRate: present(tracing.samplingRate),
    },
    metrics: metricsJson(metrics),
    runtime: {
      profiling: config.runtimeProfiling,
      exportInterval: present(config.runtimeExportIntervalMs * NS_PER_MS),
    },
    requestMetrics: metricsJson(requestMetrics),
    EnableVarLogCollection: present(config.enableVarLogCollection),
    LoggingURLTemplate: present(config.loggingUrlTemplate),
    requestLogTemplate: present(config.requestLogTemplate),
    enableProbeRequestLog: present(config.enableProbeRequestLog),
    enableRequestLog: present(config.enableRequestLog),
  });
}

function metricsJson(metrics: MetricsConfig): object {
  return {
    protocol: metrics.protocol,
    endpoint: present(metrics.endpoint),
    exportInterval: present(metrics.exportIntervalMs * NS_PER_MS),
  };
}

/** JSON.stringify leaves undefined members out. */
function present<T extends string | number | boolean>(value: T): T | undefined {
  return value === '' || value === 0 || value === false ? undefined : value;
}
