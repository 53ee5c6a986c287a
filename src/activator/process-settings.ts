// What an activator process reads from its environment (ACT-5, ACT-6, and our own variables). All
// problems are found before anything is opened and told together, each with its variable and value.
// Pure but for resolv.conf, which is handed in.

import { tryParseDurationMs } from '../api/duration.ts';
import { DEFAULT_MIN_VERSION, parseVersion } from '../kube/minimum-version.ts';
import { MAX_GATE_THREADS } from '../proxy/gate-team.ts';
import type { TlsTexts } from '../proxy/tls-policy.ts';
import { clusterDomainOf } from '../settings/cluster-domain.ts';
import { type Environment, EnvReader, SettingsError } from '../settings/env-reader.ts';
import type { MetricNames } from './revision-metrics.ts';

export interface ActivatorSettings {
  readonly podName: string;
  readonly podIp: string;
  readonly systemNamespace: string;
  readonly clusterDomain: string;
  readonly bindAddress: string;
  /** 0 = any free port; so are the others. */
  readonly port: number;
  readonly h2cPort: number;
  /** Open only with `system-internal-tls`. */
  readonly httpsPort: number;
  readonly tlsTexts: TlsTexts;
  readonly metricsPort: number;
  readonly profilingPort: number;
  /** 1 to 16. */
  readonly threads: number;
  /** Upstream HTTP/1 connections kept idle (ACT-111). */
  readonly maxIdle: number;
  readonly maxIdlePerHost: number;
  readonly probeTimeoutMs: number;
  readonly probePeriodMs: number;
  /** '' = the Service of ACT-142. */
  readonly autoscalerUrl: string;
  /** ACT-210. */
  readonly drainDelayMs: number;
  /** Oldest Kubernetes to work with. */
  readonly minVersion: string;
  readonly metricNames: MetricNames;
  readonly configNames: {
    readonly logging: string;
    readonly observability: string;
    readonly network: string;
  };
  /** Variables of OpenTelemetry and of the metrics listener, as they are. */
  readonly variables: Readonly<Record<string, string>>;
}

const HTTP_PORT = 8012;
const H2C_PORT = 8013;
const HTTPS_PORT = 8112;
const METRICS_PORT = 9090;
const PROFILING_PORT = 8008;
const DRAIN_DELAY_SECONDS = 45;
const VARIABLE_PREFIXES = ['OTEL_', 'METRICS_PROMETHEUS_'];
const METRIC_NAMES: ReadonlySet<string> = new Set(['current', 'legacy', 'both']);

/** Throws SettingsError listing every bad variable. `resolvConf` is the text of the file. */
export function readActivatorSettings(env: Environment, resolvConf: string): ActivatorSettings {
  const reader = new EnvReader(env);
  const podIp = requiredWord(reader, 'POD_IP');
  const settings: ActivatorSettings = {
    podName: requiredWord(reader, 'POD_NAME'),
    podIp,
    systemNamespace: requiredWord(reader, 'SYSTEM_NAMESPACE'),
    clusterDomain: clusterDomainOf(env, resolvConf),
    bindAddress: reader.text('ACTIVATOR_BIND_ADDRESS') || (podIp.includes(':') ? '::' : '0.0.0.0'),
    port: reader.port('ACTIVATOR_PORT', HTTP_PORT),
    h2cPort: reader.port('ACTIVATOR_H2C_PORT', H2C_PORT),
    httpsPort: reader.port('ACTIVATOR_HTTPS_PORT', HTTPS_PORT),
    // ACT-6: what they say counts only when TLS is on.
    tlsTexts: {
      minVersion: reader.text('ACTIVATOR_TLS_MIN_VERSION'),
      maxVersion: reader.text('ACTIVATOR_TLS_MAX_VERSION'),
      cipherSuites: reader.text('ACTIVATOR_TLS_CIPHER_SUITES'),
      curvePreferences: reader.text('ACTIVATOR_TLS_CURVE_PREFERENCES'),
    },
    metricsPort: reader.port('METRICS_PROMETHEUS_PORT', METRICS_PORT),
    profilingPort: reader.port('PROFILING_PORT', PROFILING_PORT),
    threads: readThreads(reader),
    maxIdle: readCount(reader, 'MAX_IDLE_PROXY_CONNS', 1000),
    maxIdlePerHost: readCount(reader, 'MAX_IDLE_PROXY_CONNS_PER_HOST', 100),
    probeTimeoutMs: readDuration(reader, 'PROBE_TIMEOUT', '300ms'),
    probePeriodMs: readDuration(reader, 'PROBE_FREQUENCY', '200ms'),
    autoscalerUrl: readUrl(reader),
    drainDelayMs: reader.number('ACTIVATOR_DRAIN_SECONDS', DRAIN_DELAY_SECONDS, 0) * 1000,
    minVersion: readMinVersion(reader),
    metricNames: readNames(reader),
    configNames: {
      logging: reader.text('CONFIG_LOGGING_NAME') || 'config-logging',
      observability: reader.text('CONFIG_OBSERVABILITY_NAME') || 'config-observability',
      network: 'config-network',
    },
    variables: reader.withPrefixes(VARIABLE_PREFIXES),
  };
  checkEngine(reader);
  if (reader.problems.length > 0) throw new SettingsError(reader.problems);
  return Object.freeze(settings);
}

/** The reference takes an empty identity; then nobody finds this activator in any Endpoints. */
function requiredWord(reader: EnvReader, name: string): string {
  const text = reader.text(name);
  if (text === '') reader.problems.push(`required key ${name} missing value`);
  return text;
}

function readCount(reader: EnvReader, name: string, fallback: number): number {
  const count = reader.integer(name, fallback);
  if (count >= 0) return count;
  reader.problems.push(`${name}: ${count} is below 0`);
  return fallback;
}

/** ACT-6: Go's duration syntax. */
function readDuration(reader: EnvReader, name: string, fallback: string): number {
  const text = reader.text(name) || fallback;
  const ms = tryParseDurationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  reader.problems.push(`${name}: '${text}' is not a duration above 0, such as ${fallback}`);
  return 0;
}

/** `uws` sees nothing of a held client that leaves, and has no HTTP/2 (docs/engines.md). */
function checkEngine(reader: EnvReader): void {
  const engine = reader.text('PILOTLIGHT_HTTP_ENGINE') || 'net';
  if (engine === 'net') return;
  const why = engine === 'uws' ? 'uws serves queue-proxies only, the activator needs net' : '';
  reader.problems.push(`PILOTLIGHT_HTTP_ENGINE: ${why || `'${engine}' is not net`}`);
}

function readThreads(reader: EnvReader): number {
  const threads = reader.integer('ACTIVATOR_THREADS', 1);
  if (threads >= 1 && threads <= MAX_GATE_THREADS) return threads;
  reader.problems.push(`ACTIVATOR_THREADS: ${threads} is not 1 to ${MAX_GATE_THREADS}`);
  return 1;
}

function readMinVersion(reader: EnvReader): string {
  const text = reader.text('KUBERNETES_MIN_VERSION') || DEFAULT_MIN_VERSION;
  if (parseVersion(text) !== null) return text;
  reader.problems.push(`KUBERNETES_MIN_VERSION: '${text}' is not a version such as v1.34.0`);
  return DEFAULT_MIN_VERSION;
}

function readUrl(reader: EnvReader): string {
  const url = reader.text('ACTIVATOR_AUTOSCALER_URL');
  if (url === '' || (/^wss?:\/\//.test(url) && URL.canParse(url))) return url;
  reader.problems.push(`ACTIVATOR_AUTOSCALER_URL: '${url}' is not a ws:// address`);
  return '';
}

function readNames(reader: EnvReader): MetricNames {
  const names = reader.text('PILOTLIGHT_METRICS_NAMES') || 'current';
  if (METRIC_NAMES.has(names)) return names as MetricNames;
  reader.problems.push(`PILOTLIGHT_METRICS_NAMES: '${names}' is not current, legacy or both`);
  return 'current';
}
