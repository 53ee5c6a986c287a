// Who may use a host name in the whole cluster (CP-411, CP-412): one ClusterDomainClaim per name,
// given to one namespace. With autocreation the first to ask gets it and gives it back.

import * as kinds from '../../api/kinds.ts';
import type { ClusterDomainClaim } from '../../api/networking.ts';
import type { DomainMapping } from '../../api/serving.ts';
import { messageOf } from '../../kube/status-pass.ts';
import { isNotFound, type KubeClient, type Lister } from '../../kube/types.ts';
import { createOrGet } from '../children.ts';
import { type Pass, wrapError } from '../pipeline.ts';

const CONDITION = 'DomainClaimed';

export interface ClaimSources {
  readonly client: KubeClient;
  readonly claims: Lister<ClusterDomainClaim>;
}

/** Marks DomainClaimed; throws an Error while the name is not ours. */
export async function claimDomain(
  { client, claims }: ClaimSources,
  { metadata }: DomainMapping,
  { conditions, config }: Pass,
): Promise<void> {
  const { name, namespace = '' } = metadata;
  let claim = claims.get(undefined, name);
  if (claim === undefined && !config.network.autocreateClusterDomainClaims) {
    markTaken(conditions);
    throw new Error(
      `no ClusterDomainClaim found for domain "${name}" (and autocreate-cluster-domain-claims property is not true)`,
    );
  }
  claim ??= await createClaim(client, name, namespace);
  if (claim.spec.namespace !== namespace) {
    markTaken(conditions);
    throw new Error(`namespace "${namespace}" does not own ClusterDomainClaim for "${name}"`);
  }
  conditions.markTrue(CONDITION);
}

function markTaken(conditions: Pass['conditions']): void {
  const message = 'The domain name is already in use by another DomainMapping';
  conditions.markFalse(CONDITION, 'DomainAlreadyClaimed', message);
}

async function createClaim(
  client: KubeClient,
  name: string,
  namespace: string,
): Promise<ClusterDomainClaim> {
  const desired: ClusterDomainClaim = {
    apiVersion: kinds.apiVersionOf(kinds.ClusterDomainClaim),
    kind: 'ClusterDomainClaim',
    metadata: { name },
    spec: { namespace },
  };
  try {
    return (await createOrGet(client, kinds.ClusterDomainClaim, desired)).object;
  } catch (error) {
    throw wrapError('failed to create ClusterDomainClaim', error);
  }
}

/** CP-412: only what was created for us, and only if nobody else got it meanwhile. */
export async function releaseDomain(
  { client, claims }: ClaimSources,
  { metadata }: DomainMapping,
  isAutocreated: boolean,
): Promise<void> {
  if (!isAutocreated) return;
  const claim = claims.get(undefined, metadata.name);
  if (claim === undefined || claim.spec.namespace !== metadata.namespace) return;
  const { name, uid } = claim.metadata;
  try {
    const options = uid === undefined ? {} : { uid };
    await client.delete(kinds.ClusterDomainClaim, { name }, options);
  } catch (error) {
    if (isNotFound(error)) return;
    throw new Error(`failed to delete ClusterDomainClaim: ${messageOf(error)}`, { cause: error });
  }
}
