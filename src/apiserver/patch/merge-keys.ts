// How lists of built-in kinds merge under strategic merge patch: a tree per kind saying, per field,
// by which member list items are matched. Lists not named here are replaced whole. Data only.

export interface MergeNode {
  readonly [field: string]: MergeField;
}

export interface MergeField {
  /** List of objects, matched by this member. */
  readonly mergeKey?: string;
  /** List of scalars, united as a set. */
  readonly isSet?: true;
  readonly of?: MergeNode;
}

const byName: MergeField = { mergeKey: 'name' };
const byType: MergeField = { mergeKey: 'type' };

const METADATA: MergeField = {
  of: { ownerReferences: { mergeKey: 'uid' }, finalizers: { isSet: true } },
};

const CONTAINERS: MergeField = {
  mergeKey: 'name',
  of: {
    env: byName,
    ports: { mergeKey: 'containerPort' },
    volumeMounts: { mergeKey: 'mountPath' },
    volumeDevices: { mergeKey: 'devicePath' },
  },
};

const POD_SPEC: MergeField = {
  of: {
    containers: CONTAINERS,
    initContainers: CONTAINERS,
    ephemeralContainers: CONTAINERS,
    volumes: byName,
    imagePullSecrets: byName,
    hostAliases: { mergeKey: 'ip' },
    topologySpreadConstraints: { mergeKey: 'topologyKey' },
    schedulingGates: byName,
    resourceClaims: byName,
  },
};

const CONDITIONS: MergeField = { of: { conditions: byType } };

/** By `group/kind`; kinds not listed merge maps and replace lists. */
const KINDS: Readonly<Record<string, MergeNode>> = {
  '/Pod': {
    metadata: METADATA,
    spec: POD_SPEC,
    status: {
      of: { conditions: byType, podIPs: { mergeKey: 'ip' }, hostIPs: { mergeKey: 'ip' } },
    },
  },
  'apps/Deployment': {
    metadata: METADATA,
    spec: { of: { template: { of: { metadata: METADATA, spec: POD_SPEC } } } },
    status: CONDITIONS,
  },
  '/Service': {
    metadata: METADATA,
    spec: { of: { ports: { mergeKey: 'port' } } },
    status: CONDITIONS,
  },
  '/ServiceAccount': {
    metadata: METADATA,
    secrets: byName,
    imagePullSecrets: byName,
  },
  '/Node': {
    metadata: METADATA,
    spec: { of: { taints: { mergeKey: 'key' } } },
    status: { of: { conditions: byType, addresses: byType } },
  },
  '/Namespace': { metadata: METADATA, status: CONDITIONS },
};

const DEFAULT_NODE: MergeNode = { metadata: METADATA };

export function mergeNodeOf(group: string, kind: string): MergeNode {
  return KINDS[`${group}/${kind}`] ?? DEFAULT_NODE;
}
