// The ClusterIP of a revision's private Service (ACT-88), looked up when it is needed and never
// kept: the Service may be recreated with another address.

import type { CoreService } from '../api/core.ts';
import { privateServiceName } from '../api/naming.ts';
import type { Lister } from '../kube/types.ts';
import { formatDest } from './destinations.ts';

/** `ip:port`; null when there is no Service, it has no ClusterIP or lacks the port. */
export function clusterIpDest(
  services: Lister<CoreService>,
  revision: { namespace: string; name: string },
  portName: string,
): string | null {
  const service = services.get(revision.namespace, privateServiceName(revision.name));
  const { clusterIP = '', ports = [] } = service?.spec ?? {};
  const port = ports.find(({ name }) => name === portName)?.port;
  if (clusterIP === '' || clusterIP === 'None' || port === undefined) return null;
  return formatDest(clusterIP, port);
}

/** ACT-95, ACT-105: how a mesh knows the pods of a revision. */
export function privateServiceHost(revision: { namespace: string; name: string }): string {
  return `${privateServiceName(revision.name)}.${revision.namespace}`;
}
