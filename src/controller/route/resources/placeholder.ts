// Placeholder Services give each group of a Route a name inside the cluster (CP-320 to CP-324):
// first an alias of the public host, then of whatever the gateway says it answers on. Pure.

import type { CoreService, Endpoints, ServicePort } from '../../../api/core.ts';
import { ROUTE_LABEL, VISIBILITY_LABEL } from '../../../api/labels.ts';
import type { IngressStatus, LoadBalancerIngress } from '../../../api/networking.ts';
import { controllerReference, type ObjectMeta } from '../../../api/objects.ts';
import type { Route } from '../../../api/serving.ts';
import { deepEqual } from '../../../kube/equal.ts';
import { mapMembers, withoutKeys } from '../../children.ts';

const H2C_APP_PROTOCOL = 'kubernetes.io/h2c';
const H2_PORT: ServicePort = {
  name: 'http2',
  appProtocol: H2C_APP_PROTOCOL,
  port: 80,
  targetPort: 80,
};

/** CP-320. */
export function makePlaceholder(route: Route, name: string, externalName: string): CoreService {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: makeMetadata(route, name),
    spec: { type: 'ExternalName', externalName, sessionAffinity: 'None', ports: [{ ...H2_PORT }] },
  };
}

function makeMetadata({ metadata, ...route }: Route, name: string): ObjectMeta {
  return {
    name,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    ...mapMembers({
      labels: {
        ...withoutKeys(metadata.labels, [VISIBILITY_LABEL]),
        [ROUTE_LABEL]: metadata.name,
      },
      annotations: metadata.annotations ?? {},
    }),
    ownerReferences: [controllerReference({ ...route, metadata })],
  };
}

export interface PlaceholderWish {
  readonly service: CoreService;
  /** null = none must exist. */
  readonly endpoints: Endpoints | null;
}

/** CP-323; null = the load balancer gives no single address, so everything stays as it is. */
export function pointPlaceholder(
  route: Route,
  live: CoreService,
  status: IngressStatus | undefined,
): PlaceholderWish | null {
  const entry = loadBalancerEntry(live, status);
  const spec = entry === null ? null : specFor(entry);
  if (entry === null || spec === null) return null;
  const metadata = makeMetadata(route, live.metadata.name);
  const service: CoreService = { apiVersion: 'v1', kind: 'Service', metadata, spec };
  if (entry.ip === undefined) return { service, endpoints: null };
  const port = { name: 'http2', appProtocol: H2C_APP_PROTOCOL, port: 80 };
  const subsets = [{ addresses: [{ ip: entry.ip }], ports: [port] }];
  return { service, endpoints: { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets } };
}

function loadBalancerEntry(
  live: CoreService,
  status: IngressStatus | undefined,
): LoadBalancerIngress | null {
  const isLocal = Boolean(live.metadata.labels?.[VISIBILITY_LABEL]);
  const hasPrivate = (status?.privateLoadBalancer?.ingress?.length ?? 0) > 0;
  const balancer = isLocal || hasPrivate ? status?.privateLoadBalancer : status?.publicLoadBalancer;
  const entries = balancer?.ingress ?? [];
  return entries.length === 1 ? (entries[0] ?? null) : null;
}

function specFor(entry: LoadBalancerIngress): CoreService['spec'] | null {
  if (entry.ip) return { type: 'ClusterIP', clusterIP: 'None', ports: [{ ...H2_PORT }] };
  if (entry.domainInternal) {
    return {
      type: 'ExternalName',
      externalName: entry.domainInternal,
      sessionAffinity: 'None',
      ports: [{ ...H2_PORT }],
    };
  }
  if (entry.domain) {
    return { type: 'ExternalName', externalName: entry.domain, ports: [{ ...H2_PORT }] };
  }
  if (!entry.meshOnly) return null;
  return { type: 'ClusterIP', ports: [{ name: 'http', port: 80, targetPort: 80 }] };
}

export type PlaceholderChange = 'none' | 'update' | 'recreate';

/** CP-324. */
export function placeholderChange(live: CoreService, desired: CoreService): PlaceholderChange {
  if (needsRecreation(live.spec, desired.spec)) return 'recreate';
  const isCovered =
    covers(live.spec, desired.spec) &&
    covers(live.metadata.labels ?? {}, desired.metadata.labels ?? {}) &&
    covers(live.metadata.annotations ?? {}, desired.metadata.annotations ?? {});
  return isCovered ? 'none' : 'update';
}

function needsRecreation(live: CoreService['spec'], desired: CoreService['spec']): boolean {
  if (live.type === 'ExternalName') return false;
  if (desired.type === 'ExternalName') return true;
  const [liveIp, desiredIp] = [live.clusterIP ?? '', desired.clusterIP ?? ''];
  if (liveIp === desiredIp) return false;
  return !(desiredIp === '' && liveIp !== 'None');
}

/** The live object with the desired spec; foreign labels, annotations and an allocated IP stay. */
export function updatedPlaceholder(live: CoreService, desired: CoreService): CoreService {
  const keepsIp = desired.spec.type === 'ClusterIP' && live.spec.type === 'ClusterIP';
  const clusterIP = keepsIp ? (desired.spec.clusterIP ?? live.spec.clusterIP) : undefined;
  return {
    ...live,
    metadata: {
      ...live.metadata,
      labels: { ...live.metadata.labels, ...desired.metadata.labels },
      annotations: { ...live.metadata.annotations, ...desired.metadata.annotations },
    },
    spec: { ...desired.spec, ...(clusterIP === undefined ? {} : { clusterIP }) },
  };
}

/** Everything in `wanted` is in `live`; what the API server filled in besides is no difference. */
export function covers(live: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(live) &&
      live.length === wanted.length &&
      wanted.every((item, index) => covers(live[index], item))
    );
  }
  if (typeof wanted !== 'object' || wanted === null) return deepEqual(live, wanted);
  if (typeof live !== 'object' || live === null) return false;
  return Object.entries(wanted).every(([key, item]) =>
    covers((live as Record<string, unknown>)[key], item),
  );
}
