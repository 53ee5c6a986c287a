// The sidecar's configuration as one frozen value, from the environment Knative injects (QP-9) plus
// a few variables of our own (QUEUE_…). Parsed once; everything after start trusts it.

import { type HttpEngine, isHttpEngine } from '../proxy/http-engine.ts';
import { type Environment, EnvReader, SettingsError } from '../settings/env-reader.ts';
import { type LogFormat, parseLogFormat } from '../telemetry/log-format.ts';
import type { LogLevel } from '../telemetry/logger.ts';
import { type ObservabilitySettings, readObservability } from './observability.ts';
import { parseReadinessProbes, type ReadinessProbe } from './readiness-probe.ts';
import type { TlsSettings } from './tls-port.ts';

export interface QueueProxySettings {
  /** Requests inside the app at once; below 1 = unlimited (QP-26). */
  readonly containerConcurrency: number;
  /** 0 = any free port, for tests and embedding. */
  readonly servingPort: number;
  readonly tlsPort: number;
  /** Read only when there is a certificate. */
  readonly tls: TlsSettings;
  readonly userPort: number;
  /** Whole request; 0 or less expires at once (QP-9). */
  readonly timeoutMs: number;
  /** To the first byte of the answer; 0 or less = off. */
  readonly responseStartTimeoutMs: number;
  /** Between bytes of the answer; 0 or less = off. */
  readonly idleTimeoutMs: number;
  /** Empty = always ready. */
  readonly readinessProbes: readonly ReadinessProbe[];
  /** What serves the request port (docs/engines.md). */
  readonly httpEngine: HttpEngine;
  readonly http2AutoDetection: boolean;
  readonly namespace: string;
  readonly service: string;
  readonly configuration: string;
  readonly revision: string;
  /** Reporter name in statistics. */
  readonly podName: string;
  readonly podIp: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** '' = all interfaces. */
  readonly bindAddress: string;
  readonly adminPort: number;
  readonly statsPort: number;
  /** Null = request metrics are off. */
  readonly metrics: { readonly host: string; readonly port: number } | null;
  /** Silence that ends a drain (QP-113). */
  readonly drainQuietMs: number;
  /** Event loops that serve requests, the main thread's among them (QP-16). */
  readonly threads: number;
  /** First pause between attempts of an aggressive readiness probe (decision 0007). */
  readonly probeIntervalMs: number;
  readonly observability: ObservabilitySettings;
  /** POD_NAME, else HOSTNAME, else SERVING_POD: the pod in metrics and traces. */
  readonly telemetryPodName: string;
  /** Configured, accepted, and without effect here; logged at start. */
  readonly warnings: readonly string[];
}

/** QP-12. */
const CERTIFICATE_DIRECTORY = '/var/lib/knative/certs';
const DEFAULT_ADMIN_PORT = 8022;
const DEFAULT_STATS_PORT = 9090;
const DEFAULT_METRICS_PORT = 9091;
const DEFAULT_DRAIN_QUIET_SECONDS = 30;
const DEFAULT_PROBE_INTERVAL_MS = 1;
const MIN_PROBE_INTERVAL_MS = 0.1;
/** Request threads of one pod; QUEUE_THREADS above it is a start failure. */
const MAX_QUEUE_THREADS = 16;

const LOG_LEVELS: Readonly<Record<string, LogLevel>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  dpanic: 'error',
  panic: 'error',
  fatal: 'error',
};

/** Throws SettingsError listing every bad variable, in the order the reference checks them. */
export function parseQueueProxySettings(env: Environment): QueueProxySettings {
  const reader = new EnvReader(env);
  const serving = readServing(reader);
  const { loggingConfig, ...identity } = readIdentity(reader);
  const own = readOwn(reader);
  const http2AutoDetection = reader.flag('ENABLE_HTTP2_AUTO_DETECTION', false);
  reader.flag('ENABLE_HTTP_FULL_DUPLEX', false); // Accepted; we are always full duplex.
  const readinessProbes = readProbes(reader);
  const observability = readObservability(reader);
  const httpEngine = readEngine(reader);
  const logLevel = readLogLevel(reader.text('SERVING_LOGGING_LEVEL'), loggingConfig);
  if (reader.problems.length > 0) throw new SettingsError(reader.problems);
  const { metricsPort, ...ports } = own;
  const prometheus = observability.prometheus;
  return Object.freeze({
    ...serving,
    ...identity,
    ...ports,
    httpEngine,
    tls: readTls(reader),
    http2AutoDetection,
    readinessProbes,
    logLevel,
    logFormat: parseLogFormat(loggingConfig),
    metrics:
      prometheus === null
        ? null
        : { host: prometheus.host || own.bindAddress, port: prometheus.port || metricsPort },
    observability,
    warnings: observability.warnings,
  });
}

function readServing(reader: EnvReader) {
  return {
    containerConcurrency: reader.requiredInteger('CONTAINER_CONCURRENCY'),
    servingPort: reader.requiredPort('QUEUE_SERVING_PORT'),
    tlsPort: reader.requiredPort('QUEUE_SERVING_TLS_PORT'),
    userPort: reader.requiredPort('USER_PORT'),
    timeoutMs: reader.requiredInteger('REVISION_TIMEOUT_SECONDS') * 1000,
    responseStartTimeoutMs: reader.integer('REVISION_RESPONSE_START_TIMEOUT_SECONDS', 0) * 1000,
    idleTimeoutMs: reader.integer('REVISION_IDLE_TIMEOUT_SECONDS', 0) * 1000,
  };
}

function readIdentity(reader: EnvReader) {
  const loggingConfig = reader.requiredText('SERVING_LOGGING_CONFIG');
  reader.requiredText('SERVING_LOGGING_LEVEL');
  return {
    loggingConfig,
    namespace: reader.requiredText('SERVING_NAMESPACE'),
    service: reader.text('SERVING_SERVICE'),
    configuration: reader.requiredText('SERVING_CONFIGURATION'),
    revision: reader.requiredText('SERVING_REVISION'),
    podName: reader.requiredText('SERVING_POD'),
    telemetryPodName:
      reader.text('POD_NAME') || reader.text('HOSTNAME') || reader.text('SERVING_POD'),
    podIp: reader.requiredText('SERVING_POD_IP'),
  };
}

function readOwn(reader: EnvReader) {
  return {
    bindAddress: reader.text('QUEUE_BIND_ADDRESS'),
    adminPort: reader.port('QUEUE_ADMIN_PORT', DEFAULT_ADMIN_PORT),
    statsPort: reader.port('QUEUE_STATS_PORT', DEFAULT_STATS_PORT),
    metricsPort: reader.port('QUEUE_METRICS_PORT', DEFAULT_METRICS_PORT),
    drainQuietMs: reader.number('QUEUE_DRAIN_QUIET_SECONDS', DEFAULT_DRAIN_QUIET_SECONDS, 0) * 1000,
    threads: readThreads(reader),
    probeIntervalMs: reader.number(
      'QUEUE_PROBE_INTERVAL_MS',
      DEFAULT_PROBE_INTERVAL_MS,
      MIN_PROBE_INTERVAL_MS,
    ),
  };
}

function readTls(reader: EnvReader): TlsSettings {
  return {
    certificateDirectory: reader.text('QUEUE_CERTIFICATE_DIRECTORY') || CERTIFICATE_DIRECTORY,
    minVersion: reader.text('QUEUE_PROXY_TLS_MIN_VERSION'),
    maxVersion: reader.text('QUEUE_PROXY_TLS_MAX_VERSION'),
    cipherSuites: reader.text('QUEUE_PROXY_TLS_CIPHER_SUITES'),
    curvePreferences: reader.text('QUEUE_PROXY_TLS_CURVE_PREFERENCES'),
  };
}

function readThreads(reader: EnvReader): number {
  const threads = reader.integer('QUEUE_THREADS', 1);
  if (threads >= 1 && threads <= MAX_QUEUE_THREADS) return threads;
  reader.problems.push(`QUEUE_THREADS: ${threads} is not 1 to ${MAX_QUEUE_THREADS}`);
  return 1;
}

function readProbes(reader: EnvReader): readonly ReadinessProbe[] {
  const several = reader.flag('ENABLE_MULTI_CONTAINER_PROBES', false);
  try {
    return parseReadinessProbes(reader.text('SERVING_READINESS_PROBE'), several);
  } catch (error) {
    const reason = (error as Error).message;
    reader.problems.push(`Queue container failed to parse readiness probe: ${reason}`);
    return [];
  }
}

function readEngine(reader: EnvReader): HttpEngine {
  const engine = reader.text('PILOTLIGHT_HTTP_ENGINE');
  if (engine === '') return 'net';
  if (isHttpEngine(engine)) return engine;
  reader.problems.push(`PILOTLIGHT_HTTP_ENGINE: '${engine}' is not net or uws`);
  return 'net';
}

/** QP-165: the level variable wins, then the `level` of the zap configuration, then info. */
function readLogLevel(level: string, zapConfig: string): LogLevel {
  return LOG_LEVELS[level.toLowerCase()] ?? LOG_LEVELS[zapLevel(zapConfig)] ?? 'info';
}

function zapLevel(zapConfig: string): string {
  try {
    const config: unknown = JSON.parse(zapConfig);
    const level = (config as { level?: unknown } | null)?.level;
    return typeof level === 'string' ? level.toLowerCase() : '';
  } catch {
    return ''; // Empty or broken: the reference falls back to its built-in configuration too.
  }
}
