// What a controller process reads from its environment and its flags (CP-3, CP-4, CP-8). Every
// problem is found before anything is opened. Pure but for resolv.conf, which is handed in.

import type { SecureVersion } from 'node:tls';
import { LEADER_ELECTION_CONFIG_NAME } from '../api/config/leader-election.ts';
import { clusterDomainOf } from '../settings/cluster-domain.ts';
import { readHaFlag } from '../settings/ha-flag.ts';
import type { RegistryTls } from './revision/digest/http.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface ControllerSettings {
  readonly systemNamespace: string;
  readonly clusterDomain: string;
  /** Names the holder of a Lease, together with a random part. */
  readonly podName: string;
  readonly bindAddress: string;
  /** 0 = any free port. */
  readonly probePort: number;
  /** `--disable-ha`: no Leases, this process does everything. */
  readonly isAlone: boolean;
  readonly configNames: { readonly logging: string; readonly leaderElection: string };
  readonly registryTls: RegistryTls;
}

const PROBE_PORT = 8080;
const TLS_PREFIX = 'TAG_TO_DIGEST_TLS_';
const TLS_VERSIONS: Readonly<Record<string, SecureVersion>> = {
  '1.2': 'TLSv1.2',
  '1.3': 'TLSv1.3',
};

/** Throws an Error that names the variable or flag. `resolvConf` is the text of the file. */
export function readControllerSettings(
  env: Env,
  args: readonly string[],
  resolvConf: string,
): ControllerSettings {
  const systemNamespace = env.SYSTEM_NAMESPACE ?? '';
  if (systemNamespace === '') throw new Error('SYSTEM_NAMESPACE environment variable not set');
  return Object.freeze({
    systemNamespace,
    clusterDomain: clusterDomainOf(env, resolvConf),
    podName: env.POD_NAME || 'controller',
    bindAddress: env.CONTROLLER_BIND_ADDRESS || '0.0.0.0',
    probePort: portOf(env, 'CONTROLLER_PROBE_PORT', PROBE_PORT),
    isAlone: readHaFlag(args),
    configNames: {
      logging: env.CONFIG_LOGGING_NAME || 'config-logging',
      leaderElection: env.CONFIG_LEADERELECTION_NAME || LEADER_ELECTION_CONFIG_NAME,
    },
    registryTls: readRegistryTls(env),
  });
}

function readRegistryTls(env: Env): RegistryTls {
  const minVersion = versionOf(env, 'MIN_VERSION');
  const maxVersion = versionOf(env, 'MAX_VERSION');
  const ciphers = env[`${TLS_PREFIX}CIPHER_SUITES`] ?? '';
  const curves = env[`${TLS_PREFIX}CURVE_PREFERENCES`] ?? '';
  return {
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(maxVersion === undefined ? {} : { maxVersion }),
    ...(ciphers === '' ? {} : { ciphers: ciphers.split(',').join(':') }),
    ...(curves === '' ? {} : { curves: curves.split(',').join(':') }),
  };
}

function versionOf(env: Env, what: string): SecureVersion | undefined {
  const text = env[TLS_PREFIX + what] ?? '';
  if (text === '') return undefined;
  const version = TLS_VERSIONS[text];
  if (version !== undefined) return version;
  throw new Error(`${TLS_PREFIX}${what} must be 1.2 or 1.3, not "${text}"`);
}

function portOf(env: Env, name: string, fallback: number): number {
  const text = env[name] ?? '';
  if (text === '') return fallback;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`${name} must be a whole number from 0 to 65535, not "${text}"`);
}
