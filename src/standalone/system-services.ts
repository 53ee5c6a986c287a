// Writes the Services and Endpoints by which the roles of standalone mode find each other, with
// their real addresses: the same objects a cluster would have, so no role needs to know where it
// runs.

import type { CoreService, Endpoints } from '../api/core.ts';
import { Endpoints as EndpointsKind, type Kind, CoreService as ServiceKind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { isAlreadyExists, isNotFound, type KubeClient, type Lister } from '../kube/types.ts';

export interface SystemService {
  namespace: string;
  name: string;
  address: string;
  /** Port name -> port. */
  ports: Readonly<Record<string, number>>;
}

/** Creates or corrects both objects. */
export async function publishService(client: KubeClient, service: SystemService): Promise<void> {
  const { namespace, name, address, ports } = service;
  const metadata = { namespace, name, labels: { 'app.kubernetes.io/name': 'knative-serving' } };
  const named = Object.entries(ports).map(([portName, port]) => ({
    name: portName,
    port,
    protocol: 'TCP',
  }));
  const clusterService: CoreService = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: {
      type: 'ClusterIP',
      clusterIP: 'None',
      ports: named.map((port) => ({ ...port, targetPort: port.port })),
    },
  };
  const endpoints: Endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata,
    subsets: [{ addresses: [{ ip: address, nodeName: 'local' }], ports: named }],
  };
  await put(client, ServiceKind, clusterService, { spec: { ports: clusterService.spec.ports } });
  await put(client, EndpointsKind, endpoints, { subsets: endpoints.subsets });
}

/** Creates the object, or merges `changes` into the one that is there. */
export async function put<T extends KubeObject>(
  client: KubeClient,
  kind: Kind,
  object: T,
  changes: object,
): Promise<void> {
  const { namespace, name } = object.metadata;
  try {
    await client.patch(kind, { namespace, name }, { type: 'merge', body: changes });
    return;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  await createIfMissing(client, kind, object);
}

export async function createIfMissing<T extends KubeObject>(
  client: KubeClient,
  kind: Kind,
  object: T,
): Promise<void> {
  try {
    await client.create(kind, object);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

/** Address and port of a named port of a Service; null while there is none. */
export function resolveEndpoint(
  endpoints: Lister<Endpoints>,
  namespace: string,
  name: string,
  portName: string,
): { host: string; port: number } | null {
  for (const subset of endpoints.get(namespace, name)?.subsets ?? []) {
    const address = subset.addresses?.[0];
    const port = subset.ports?.find((candidate) => candidate.name === portName);
    if (address !== undefined && port !== undefined) return { host: address.ip, port: port.port };
  }
  return null;
}
