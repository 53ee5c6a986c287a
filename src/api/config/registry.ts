// The ConfigMaps the control plane reads, as one table: member of `ServingConfig`, name of the map,
// parser, and the stock data that holds where the map is missing. Live reload (`ConfigStore` in
// src/kube) and the ConfigMap webhook (WH-170) both walk this table, so a map is added here and
// nowhere else.

import { INGRESS_CLASS } from '../labels.ts';
import { type AutoscalerConfig, parseAutoscalerConfig } from './autoscaler.ts';
import { type CertManagerConfig, parseCertManagerConfig } from './certmanager.ts';
import { type DefaultsConfig, parseDefaultsConfig } from './defaults.ts';
import { type DeploymentConfig, parseDeploymentConfig } from './deployment.ts';
import { type DomainConfig, parseDomainConfig } from './domain.ts';
import { type FeaturesConfig, parseFeaturesConfig } from './features.ts';
import { type GcConfig, parseGcConfig } from './gc.ts';
import { type LeaderElectionConfig, parseLeaderElectionConfig } from './leader-election.ts';
import { type LoggingConfig, parseLoggingConfig } from './logging.ts';
import { type NetworkConfig, parseNetworkConfig } from './network.ts';
import { type ObservabilityConfig, parseObservabilityConfig } from './observability.ts';
import { type ConfigMapData, errorText, type ParsedConfig } from './reader.ts';

/** One consistent snapshot; every member is frozen and replaced as a whole. */
export interface ServingConfig {
  readonly autoscaler: AutoscalerConfig;
  readonly certmanager: CertManagerConfig;
  readonly defaults: DefaultsConfig;
  readonly deployment: DeploymentConfig;
  readonly domain: DomainConfig;
  readonly features: FeaturesConfig;
  readonly gc: GcConfig;
  /** Read at the start of a process; a later change is for the next one. */
  readonly leaderElection: LeaderElectionConfig;
  readonly logging: LoggingConfig;
  readonly network: NetworkConfig;
  readonly observability: ObservabilityConfig;
}

export type ConfigMember = keyof ServingConfig;

export interface ConfigMapRow<M extends ConfigMember = ConfigMember> {
  readonly member: M;
  /** Name of the ConfigMap in the system namespace. */
  readonly name: string;
  /** What config/<name>.yaml ships, as far as it differs from the parser's own defaults. */
  readonly stock: ConfigMapData;
  parse(data: ConfigMapData | undefined, clusterDomain: string): ParsedConfig<ServingConfig[M]>;
}

function row<M extends ConfigMember>(
  member: M,
  parse: ConfigMapRow<M>['parse'],
  stock: ConfigMapData = {},
): ConfigMapRow<M> {
  const words = member.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return { member, name: `config-${words}`, stock, parse };
}

function parseAutoscaler(data: ConfigMapData | undefined): ParsedConfig<AutoscalerConfig> {
  try {
    return { ok: true, value: parseAutoscalerConfig(data) };
  } catch (error) {
    return { ok: false, problems: [errorText(error)] };
  }
}

export const CONFIG_MAPS: readonly ConfigMapRow[] = [
  row('autoscaler', parseAutoscaler),
  row('certmanager', parseCertManagerConfig),
  row('defaults', parseDefaultsConfig),
  row('deployment', parseDeploymentConfig, { 'queue-sidecar-image': 'pilotlight/queue-proxy' }),
  row('domain', parseDomainConfig, { localhost: '' }),
  row('features', parseFeaturesConfig),
  row('gc', parseGcConfig),
  row('leaderElection', parseLeaderElectionConfig),
  row('logging', parseLoggingConfig),
  row('network', parseNetworkConfig, { 'ingress-class': INGRESS_CLASS }),
  row('observability', parseObservabilityConfig),
];

/** The snapshot that holds before any map was read. */
export function stockConfig(clusterDomain: string): ServingConfig {
  const members = CONFIG_MAPS.map((map) => {
    const parsed = map.parse(map.stock, clusterDomain);
    if (!parsed.ok) throw new Error(`stock ${map.name}: ${parsed.problems.join('; ')}`);
    return [map.member, parsed.value] as const;
  });
  return Object.freeze(Object.fromEntries(members)) as unknown as ServingConfig;
}
