// Reads pod addresses out of Endpoints objects (ACT-70, ACT-77, ACT-78). Pure. Ports are found by
// name, never by number: pods of one revision may listen on different ports.

import type { EndpointSubset, Endpoints } from '../api/core.ts';

export interface Destinations {
  /** `ip:port` of pods Kubernetes calls ready. */
  readonly ready: ReadonlySet<string>;
  /** `ip:port` of listed pods that are not ready yet. */
  readonly notReady: ReadonlySet<string>;
}

export const NO_DESTINATIONS: Destinations = { ready: new Set(), notReady: new Set() };

export type RevisionProtocol = 'http1' | 'h2c';

/** Name of the request port in Services and Endpoints of a revision. */
export function portNameOf(protocol: RevisionProtocol): string {
  return protocol === 'h2c' ? 'http2' : 'http';
}

/** ACT-78. An address that is ready in one subset is not also not ready. */
export function readDestinations(endpoints: Endpoints | null, portName: string): Destinations {
  const ready = new Set<string>();
  const notReady = new Set<string>();
  for (const subset of endpoints?.subsets ?? []) {
    const port = portOf(subset, portName);
    if (port === null) continue;
    for (const address of subset.addresses ?? []) ready.add(formatDest(address.ip, port));
    for (const address of subset.notReadyAddresses ?? []) {
      notReady.add(formatDest(address.ip, port));
    }
  }
  for (const dest of ready) notReady.delete(dest);
  return { ready, notReady };
}

/** ACT-70: addresses of ready activators in a revision's public Endpoints. */
export function readActivatorAddresses(endpoints: Endpoints, portName: string): string[] {
  const addresses: string[] = [];
  for (const subset of endpoints.subsets ?? []) {
    if (portOf(subset, portName) === null) continue;
    for (const address of subset.addresses ?? []) addresses.push(address.ip);
  }
  return addresses;
}

function portOf(subset: EndpointSubset, portName: string): number | null {
  return subset.ports?.find((port) => port.name === portName)?.port ?? null;
}

export function formatDest(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** The inverse of `formatDest`. */
export function parseDest(dest: string): { host: string; port: number } {
  const colon = dest.lastIndexOf(':');
  const host = dest.slice(0, colon);
  return {
    host: host.startsWith('[') ? host.slice(1, -1) : host,
    port: Number(dest.slice(colon + 1)),
  };
}

export function isLoopbackDest(dest: string): boolean {
  return dest.startsWith('127.') || dest.startsWith('[::1]');
}
