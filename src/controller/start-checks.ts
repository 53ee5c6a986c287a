// What a controller process must know of its cluster before it works (CP-2, CP-9): every config map
// is there and parses, cert-manager's kinds exist where TLS was asked for. Anything else ends the
// process with the reason, because working on half of it would undo what the config asks for.

import type { NetworkConfig } from '../api/config/network.ts';
import { CONFIG_MAPS, type ConfigMember } from '../api/config/registry.ts';
import * as kinds from '../api/kinds.ts';
import { PILOTLIGHT_CERTIFICATE_CLASS } from '../api/labels.ts';
import { readConfigMap } from '../kube/process.ts';
import { isNotFound, type KubeClient } from '../kube/types.ts';
import { REQUIRED_RESOURCES } from './certmanager/kinds.ts';

/** Maps of other processes, or of features that may be off. */
const OPTIONAL: ReadonlySet<ConfigMember> = new Set(['leaderElection', 'certmanager']);

export async function readStartConfig(
  client: KubeClient,
  systemNamespace: string,
  clusterDomain: string,
): Promise<{ wantsCertManager: boolean }> {
  let wantsCertManager = false;
  for (const row of CONFIG_MAPS) {
    const data = await readConfigMap(client, systemNamespace, row.name);
    if (data === undefined) {
      if (OPTIONAL.has(row.member)) continue;
      throw new Error(`config map ${systemNamespace}/${row.name} does not exist`);
    }
    const parsed = row.parse(data, clusterDomain);
    if (!parsed.ok) throw new Error(`config map ${row.name}: ${parsed.problems.join('; ')}`);
    if (row.member === 'network') wantsCertManager = wantsTls(parsed.value as NetworkConfig);
  }
  return { wantsCertManager };
}

/**
 * CP-2: looked at once; a later change needs a restart. Certificates of another class are issued by
 * somebody else: ours by this process.
 */
function wantsTls(network: NetworkConfig): boolean {
  if (network.certificateClass === PILOTLIGHT_CERTIFICATE_CLASS) return false;
  return (
    network.externalDomainTls ||
    network.systemInternalTls ||
    network.clusterLocalDomainTls ||
    network.namespaceWildcardCertSelector !== null
  );
}

/** CP-2; true, or it throws. */
export async function requireCertManager(client: KubeClient): Promise<boolean> {
  for (const [path, plurals] of REQUIRED_RESOURCES) {
    const served = await servedPlurals(client, path);
    const missing = plurals.find((plural) => !served.has(plural));
    if (missing !== undefined) {
      const cause = `cert manager crds are missing: ${missing}`;
      throw new Error(`Please install cert-manager: ${cause}`);
    }
  }
  return true;
}

/** CP-190: whether Image objects can be made. */
export async function hasImageKind(client: KubeClient): Promise<boolean> {
  const { group, version, plural } = kinds.Image;
  return (await servedPlurals(client, `/apis/${group}/${version}`)).has(plural);
}

/** Empty where the group is not served. */
async function servedPlurals(client: KubeClient, path: string): Promise<Set<string>> {
  try {
    const answer = await client.request('GET', path);
    const chunks: Buffer[] = [];
    for await (const chunk of answer.body) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const { resources = [] } = JSON.parse(text) as { resources?: { name: string }[] };
    return new Set(resources.map(({ name }) => name));
  } catch (error) {
    if (isNotFound(error)) return new Set();
    throw error;
  }
}
