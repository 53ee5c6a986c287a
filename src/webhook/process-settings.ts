// What a webhook process reads from its environment and its flags (WH-1, CP-3, CP-4). Every problem
// is found before anything is opened. Pure but for resolv.conf, which is handed in.

import { LEADER_ELECTION_CONFIG_NAME } from '../api/config/leader-election.ts';
import { parseTlsPolicy } from '../proxy/tls-policy.ts';
import type { TlsPolicy } from '../proxy/tls-server.ts';
import { clusterDomainOf } from '../settings/cluster-domain.ts';
import { type Environment, EnvReader, SettingsError } from '../settings/env-reader.ts';
import { readHaFlag } from '../settings/ha-flag.ts';

export interface WebhookSettings {
  readonly systemNamespace: string;
  readonly clusterDomain: string;
  /** Names the holder of a Lease, together with a random part. */
  readonly podName: string;
  /** Of the Service that leads here. */
  readonly serviceName: string;
  readonly bindAddress: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly tls: TlsPolicy;
  /** How long no request may come before a drain ends. */
  readonly drainQuietMs: number;
  /** Whether the webhook configurations go when the system namespace does. */
  readonly isOwnedByNamespace: boolean;
  /** `--disable-ha`: no Lease, this process keeps the certificates. */
  readonly isAlone: boolean;
  readonly configNames: { readonly logging: string; readonly leaderElection: string };
}

const PORT = 8443;
const DRAIN_SECONDS = 45;
const TLS_PREFIX = 'WEBHOOK_TLS';

/** Throws SettingsError with every problem. `resolvConf` is the text of the file. */
export function readWebhookSettings(
  env: Environment,
  args: readonly string[],
  resolvConf: string,
): WebhookSettings {
  const reader = new EnvReader(env);
  const systemNamespace = reader.text('SYSTEM_NAMESPACE');
  if (systemNamespace === '') {
    reader.problems.push('SYSTEM_NAMESPACE environment variable not set');
  }
  const settings: WebhookSettings = {
    systemNamespace,
    clusterDomain: clusterDomainOf(env, resolvConf),
    podName: reader.text('POD_NAME') || 'webhook',
    serviceName: reader.text('WEBHOOK_NAME') || 'webhook',
    bindAddress: reader.text('WEBHOOK_BIND_ADDRESS') || '0.0.0.0',
    port: reader.port('WEBHOOK_PORT', PORT),
    tls: collected(reader, {}, () => readTls(reader)),
    drainQuietMs: reader.number('WEBHOOK_DRAIN_SECONDS', DRAIN_SECONDS, 0) * 1000,
    isOwnedByNamespace: !reader.flag('WEBHOOK_DISABLE_NAMESPACE_OWNERSHIP', false),
    isAlone: collected(reader, false, () => readHaFlag(args)),
    configNames: {
      logging: reader.text('CONFIG_LOGGING_NAME') || 'config-logging',
      leaderElection: reader.text('CONFIG_LEADERELECTION_NAME') || LEADER_ELECTION_CONFIG_NAME,
    },
  };
  if (reader.problems.length > 0) throw new SettingsError(reader.problems);
  return Object.freeze(settings);
}

function readTls(reader: EnvReader): TlsPolicy {
  const texts = {
    minVersion: reader.text(`${TLS_PREFIX}_MIN_VERSION`),
    maxVersion: reader.text(`${TLS_PREFIX}_MAX_VERSION`),
    cipherSuites: reader.text(`${TLS_PREFIX}_CIPHER_SUITES`),
    curvePreferences: reader.text(`${TLS_PREFIX}_CURVE_PREFERENCES`),
  };
  return parseTlsPolicy(texts, TLS_PREFIX);
}

function collected<T>(reader: EnvReader, fallback: T, read: () => T): T {
  try {
    return read();
  } catch (error) {
    reader.problems.push((error as Error).message);
    return fallback;
  }
}
