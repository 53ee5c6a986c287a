// How the activator finds out which pods it can reach: cadence of probes and what it does about
// service meshes (ACT-5, ACT-10, ACT-99). Read once at start; changing them needs a restart.

/**
 * `auto`: pods one by one, the ClusterIP where a mesh does not let us. `disabled`: there is no mesh,
 * so what Kubernetes calls ready is used unasked. `enabled`: always the ClusterIP.
 */
export type MeshMode = 'auto' | 'enabled' | 'disabled';

export interface DiscoverySettings {
  /** ACT-5 PROBE_TIMEOUT: deadline of one probe. */
  readonly probeTimeoutMs: number;
  /** ACT-5 PROBE_FREQUENCY: the slowest cadence at which one address is asked. */
  readonly probePeriodMs: number;
  readonly meshMode: MeshMode;
  /** ACT-105: a mesh passes requests to single pods when they say so; then never the ClusterIP. */
  readonly podAddressability: boolean;
}

export const DEFAULT_DISCOVERY: DiscoverySettings = {
  probeTimeoutMs: 300,
  probePeriodMs: 200,
  meshMode: 'auto',
  podAddressability: false,
};

/** ACT-86, ACT-87: whether the ClusterIP may ever stand in for the pods. */
export function mayUseClusterIp(settings: DiscoverySettings): boolean {
  return settings.meshMode !== 'disabled' && !settings.podAddressability;
}
