// What the public Endpoints of a ServerlessService list (CP-483, CP-484): the Revision's pods, or
// activators. Ports are chosen by name, because actual ports differ from pod to pod where pods
// share one address. Pure.

import { createHash } from 'node:crypto';
import {
  type EndpointAddress,
  type EndpointPort,
  type EndpointSubset,
  type Endpoints,
  readyAddressCount,
} from '../../api/core.ts';
import type { ServerlessService, ServerlessServiceMode } from '../../api/networking.ts';
import { requestPortName } from './resources/services.ts';

const HTTPS = 'https';
/** Activators speak both protocols on each of their ports, so one may stand in for the other. */
const STAND_IN = { http: 'http2', http2: 'http' } as const;

/** Activators win over no pods, pods over no activators. */
export function effectiveMode(
  sks: ServerlessService,
  privateReady: number,
  activatorsReady: number,
): ServerlessServiceMode {
  if (activatorsReady === 0) return 'Serve';
  return privateReady === 0 ? 'Proxy' : sks.spec.mode;
}

export function publicSubsets(
  sks: ServerlessService,
  privateEndpoints: Endpoints,
  activators: Endpoints,
): EndpointSubset[] {
  const mode = effectiveMode(
    sks,
    readyAddressCount(privateEndpoints),
    readyAddressCount(activators),
  );
  const name = requestPortName(sks);
  if (mode === 'Serve') return keepPorts(privateEndpoints.subsets ?? [], name, null);
  const subsets = keepPorts(activators.subsets ?? [], name, STAND_IN[name]);
  return chooseAddresses(subsets, sks.spec.numActivators ?? 0, sks.metadata.name);
}

/** Ready addresses with the request port and `https`; subsets without the former disappear. */
function keepPorts(
  subsets: readonly EndpointSubset[],
  name: string,
  standIn: string | null,
): EndpointSubset[] {
  const kept: EndpointSubset[] = [];
  for (const { addresses = [], ports = [] } of subsets) {
    const found =
      ports.find((port) => port.name === name) ?? ports.find((port) => port.name === standIn);
    if (found === undefined || addresses.length === 0) continue;
    const https = ports.filter((port) => port.name === HTTPS);
    const request: EndpointPort = { ...found, name };
    kept.push({ addresses, ports: [request, ...https] });
  }
  return kept;
}

/** CP-484: rendezvous hashing, so a member that comes or goes moves no other choice. */
function chooseAddresses(
  subsets: readonly EndpointSubset[],
  count: number,
  owner: string,
): EndpointSubset[] {
  const ips = new Set(subsets.flatMap(({ addresses = [] }) => addresses.map(({ ip }) => ip)));
  if (count <= 0 || count >= ips.size) return [...subsets];
  const ranked = [...ips]
    .map((ip) => ({ ip, weight: weightOf(owner, ip) }))
    .sort((a, b) => (a.weight < b.weight ? -1 : 1));
  const chosen = new Set(ranked.slice(0, count).map(({ ip }) => ip));
  const isChosen = ({ ip }: EndpointAddress): boolean => chosen.has(ip);
  return subsets
    .map((subset) => ({ ...subset, addresses: (subset.addresses ?? []).filter(isChosen) }))
    .filter(({ addresses }) => addresses.length > 0);
}

function weightOf(owner: string, ip: string): string {
  return createHash('md5').update(`${owner}\n${ip}`).digest('hex');
}
