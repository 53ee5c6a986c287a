// How the built-in kinds' fields are owned: which lists merge by which keys, which maps are leaves,
// which structures Kubernetes always writes out. Members not named are OPEN: structures by member,
// lists whole, which is right for all others. Data only; from the types' published OpenAPI.

import type { Kind } from '../../api/kinds.ts';
import {
  type FieldType,
  keyedList,
  LEAF,
  type MapType,
  METADATA,
  mapType,
  OPEN,
  SET,
  struct,
} from './field-type.ts';

const byName = (items: FieldType = OPEN): FieldType => keyedList(['name'], items);
const byType = keyedList(['type'], OPEN);
/** Objects that are one reference: their members only make sense together. */
const REFERENCE = LEAF;
const SELECTOR = LEAF;
const PROTOCOL = { defaults: { protocol: 'TCP' } };

const env = byName(
  struct({
    valueFrom: struct({
      fieldRef: REFERENCE,
      resourceFieldRef: REFERENCE,
      configMapKeyRef: REFERENCE,
      secretKeyRef: REFERENCE,
      fileKeyRef: REFERENCE,
    }),
  }),
);

const container = struct({
  env,
  ports: keyedList(['containerPort', 'protocol'], OPEN, PROTOCOL),
  volumeMounts: keyedList(['mountPath'], OPEN),
  volumeDevices: keyedList(['devicePath'], OPEN),
  resources: struct({ claims: byName() }),
});

const volume = struct({
  secret: OPEN,
  projected: OPEN,
  awsElasticBlockStore: OPEN,
  cephfs: struct({ secretRef: REFERENCE }),
  csi: struct({ nodePublishSecretRef: REFERENCE }),
  flexVolume: struct({ secretRef: REFERENCE }),
});

const podSpec = struct(
  {
    containers: keyedList(['name'], container, { isPresent: true }),
    initContainers: byName(container),
    ephemeralContainers: byName(container),
    volumes: byName(volume),
    imagePullSecrets: byName(),
    hostAliases: keyedList(['ip'], OPEN),
    nodeSelector: LEAF,
    topologySpreadConstraints: keyedList(
      ['topologyKey', 'whenUnsatisfiable'],
      struct({ labelSelector: SELECTOR }),
    ),
    schedulingGates: byName(),
    resourceClaims: byName(),
    affinity: struct({
      nodeAffinity: struct({
        requiredDuringSchedulingIgnoredDuringExecution: LEAF,
      }),
    }),
  },
  true,
);

const podStatus = struct(
  {
    conditions: byType,
    podIPs: keyedList(['ip'], OPEN),
    hostIPs: LEAF,
    resourceClaimStatuses: byName(),
  },
  true,
);

const template = struct({ metadata: METADATA, spec: podSpec }, true);

const whole = (fields: Readonly<Record<string, FieldType>>): MapType =>
  mapType(
    { apiVersion: LEAF, kind: LEAF, metadata: METADATA, ...fields },
    { rest: OPEN, isNamed: true },
  );

const conditionsByType = struct({ conditions: byType }, true);

const TYPES: Readonly<Record<string, MapType>> = {
  '/Pod': whole({ spec: podSpec, status: podStatus }),
  '/Namespace': whole({ spec: struct({}, true), status: conditionsByType }),
  '/Node': whole({
    spec: struct({ taints: LEAF, podCIDRs: SET }, true),
    status: struct(
      {
        addresses: byType,
        conditions: byType,
        daemonEndpoints: struct({ kubeletEndpoint: struct({}, true) }, true),
        nodeInfo: struct({}, true),
      },
      true,
    ),
  }),
  '/Service': whole({
    spec: struct({ ports: keyedList(['port', 'protocol'], OPEN, PROTOCOL), selector: LEAF }, true),
    status: struct({ conditions: byType, loadBalancer: struct({}, true) }, true),
  }),
  '/ServiceAccount': whole({ secrets: byName(REFERENCE), imagePullSecrets: LEAF }),
  '/Event': whole({
    involvedObject: REFERENCE,
    source: struct({}, true),
    related: REFERENCE,
  }),
  '/Endpoints': whole({ subsets: LEAF }),
  'apps/Deployment': whole({
    spec: struct({ selector: SELECTOR, template, strategy: struct({}, true) }, true),
    status: conditionsByType,
  }),
  'autoscaling/HorizontalPodAutoscaler': whole({
    spec: struct({ scaleTargetRef: struct({}, true), metrics: LEAF }, true),
    status: struct({ conditions: byType, currentMetrics: LEAF }, true),
  }),
  'coordination.k8s.io/Lease': whole({ spec: struct({}, true) }),
  'discovery.k8s.io/EndpointSlice': whole({ endpoints: LEAF, ports: LEAF }),
  'apiextensions.k8s.io/CustomResourceDefinition': whole({
    spec: struct({ names: struct({}, true), versions: LEAF }, true),
    status: struct({ acceptedNames: struct({}, true), conditions: byType }, true),
  }),
};

const STANDARD = whole({ spec: struct({}, true), status: conditionsByType });

export function builtinTypeOf({ group, kind }: Kind): MapType {
  return TYPES[`${group}/${kind}`] ?? STANDARD;
}
