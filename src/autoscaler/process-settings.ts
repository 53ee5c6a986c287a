// What an autoscaler process reads from its environment (AS-189, and our own variables). Every
// problem is found before anything is opened. Pure but for resolv.conf, which is handed in.

import { LEADER_ELECTION_CONFIG_NAME } from '../api/config/leader-election.ts';
import { clusterDomainOf } from '../settings/cluster-domain.ts';
import type { MetricNames } from './autoscaler-metrics.ts';
import { type PodIdentity, readIdentity } from './ha/identity.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface ProcessSettings extends PodIdentity {
  readonly systemNamespace: string;
  readonly clusterDomain: string;
  readonly bindAddress: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly metricsPort: number;
  readonly metricNames: MetricNames;
  readonly configNames: {
    readonly logging: string;
    readonly observability: string;
    readonly leaderElection: string;
  };
}

const STAT_PORT = 8080;
const METRICS_PORT = 9090;
const METRIC_NAMES: ReadonlySet<string> = new Set(['current', 'legacy', 'both']);

/** Throws an Error that names the variable. `resolvConf` is the text of /etc/resolv.conf. */
export function readProcessSettings(env: Env, resolvConf: string): ProcessSettings {
  const identity = readIdentity(env);
  const systemNamespace = env.SYSTEM_NAMESPACE ?? '';
  if (systemNamespace === '') throw new Error('SYSTEM_NAMESPACE environment variable not set');
  return Object.freeze({
    ...identity,
    systemNamespace,
    clusterDomain: clusterDomainOf(env, resolvConf),
    bindAddress: env.AUTOSCALER_BIND_ADDRESS || (identity.podIp.includes(':') ? '::' : '0.0.0.0'),
    port: portOf(env, 'AUTOSCALER_PORT', STAT_PORT),
    metricsPort: portOf(env, 'AUTOSCALER_METRICS_PORT', METRICS_PORT),
    metricNames: namesOf(env),
    configNames: {
      logging: env.CONFIG_LOGGING_NAME || 'config-logging',
      observability: env.CONFIG_OBSERVABILITY_NAME || 'config-observability',
      leaderElection: env.CONFIG_LEADERELECTION_NAME || LEADER_ELECTION_CONFIG_NAME,
    },
  });
}

function portOf(env: Env, name: string, fallback: number): number {
  const text = env[name] ?? '';
  if (text === '') return fallback;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`${name} must be a whole number from 0 to 65535, not "${text}"`);
}

function namesOf(env: Env): MetricNames {
  const text = env.PILOTLIGHT_METRICS_NAMES || 'current';
  if (METRIC_NAMES.has(text)) return text as MetricNames;
  throw new Error(`PILOTLIGHT_METRICS_NAMES: '${text}' is not current, legacy or both`);
}
