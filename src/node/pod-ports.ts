// Which ports a pod needs, and what its containers must be told because they did not get the ones
// they asked for: the app its PORT, the sidecar where to listen and where the app is. Pure.

import type { Container, Pod, Probe } from '../api/core.ts';
import { QUEUE_PROXY_CONTAINER } from '../api/labels.ts';
import { type AddressRequest, LOOPBACK, type PodAddress } from './addresses.ts';

const ADMIN_PORT = 8022;
const STATS_PORT = 9090;
const METRICS_PORT = 9091;
const TLS_PORT = 8112;
const DEFAULT_SERVING_PORT = 8012;
const DEFAULT_USER_PORT = 8080;
const GATEWAY_VARIABLE = 'K_GATEWAY';

export function isSidecar(container: Container): boolean {
  return container.name === QUEUE_PROXY_CONTAINER;
}

/**
 * The container that gets PORT: the one with ports, or the only one besides the sidecar (CP-205).
 */
export function appContainer(pod: Pod): Container | undefined {
  const users = pod.spec.containers.filter((container) => !isSidecar(container));
  return users.length === 1
    ? users[0]
    : users.find((container) => (container.ports?.length ?? 0) > 0);
}

export function addressRequest(pod: Pod): AddressRequest {
  const sidecar = pod.spec.containers.find(isSidecar);
  const declared = (sidecar?.ports ?? []).map((port) => port.containerPort);
  const standardPorts = sidecar === undefined ? [] : [...new Set([...declared, ADMIN_PORT])];
  return { standardPorts, userPort: userPortOf(pod) };
}

function userPortOf(pod: Pod): number {
  return appContainer(pod)?.ports?.[0]?.containerPort ?? DEFAULT_USER_PORT;
}

/** Number or name of a container port -> the real port; a number nobody declared maps to itself. */
export function actualPort(
  container: Container,
  port: number | string | undefined,
  address: PodAddress,
): number {
  const declared = container.ports ?? [];
  const wanted =
    typeof port === 'string' && !/^\d+$/.test(port)
      ? declared.find((candidate) => candidate.name === port)?.containerPort
      : Number(port ?? 0);
  const number = wanted === undefined || wanted === 0 ? (declared[0]?.containerPort ?? 0) : wanted;
  return address.ports[number] ?? number;
}

/** The variables the platform decides for one container of the pod. */
export function platformVariables(
  pod: Pod,
  container: Container,
  address: PodAddress,
  options: { gatewayUrl: string | null },
): Record<string, string> {
  if (isSidecar(container)) return sidecarVariables(pod, container, address);
  const variables: Record<string, string> = {};
  if (options.gatewayUrl !== null) variables[GATEWAY_VARIABLE] = options.gatewayUrl;
  if (container.name === appContainer(pod)?.name) {
    variables.PORT = String(address.ports[userPortOf(pod)]);
  }
  for (const variable of container.env ?? []) {
    // Appended after the user's variables by the controller, but wanted by `$(K_SERVICE)` anywhere.
    if (/^K_(SERVICE|CONFIGURATION|REVISION)$/.test(variable.name)) {
      variables[variable.name] = variable.value ?? '';
    }
  }
  return variables;
}

function sidecarVariables(
  pod: Pod,
  sidecar: Container,
  address: PodAddress,
): Record<string, string> {
  const userPort = address.ports[userPortOf(pod)] ?? userPortOf(pod);
  const at = (port: number) => String(address.ports[port] ?? port);
  const given = (name: string) =>
    sidecar.env?.find((variable) => variable.name === name)?.value ?? '';
  return {
    QUEUE_BIND_ADDRESS: address.ip,
    QUEUE_SERVING_PORT: at(Number(given('QUEUE_SERVING_PORT')) || DEFAULT_SERVING_PORT),
    QUEUE_SERVING_TLS_PORT: at(Number(given('QUEUE_SERVING_TLS_PORT')) || TLS_PORT),
    QUEUE_ADMIN_PORT: at(ADMIN_PORT),
    QUEUE_STATS_PORT: at(STATS_PORT),
    QUEUE_METRICS_PORT: at(METRICS_PORT),
    USER_PORT: String(userPort),
    SERVING_READINESS_PROBE: rewriteProbes(given('SERVING_READINESS_PROBE'), address),
  };
}

/**
 * CP-213: one probe, or an array of them; text that is no JSON is left for the sidecar to refuse.
 */
export function rewriteProbes(text: string, address: PodAddress): string {
  if (text === '') return '';
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
  const rewritten = Array.isArray(parsed)
    ? parsed.map((probe: Probe | null) => rewriteProbe(probe, address))
    : rewriteProbe(parsed as Probe | null, address);
  return JSON.stringify(rewritten);
}

function rewriteProbe(probe: Probe | null, address: PodAddress): Probe | null {
  if (probe === null || typeof probe !== 'object') return probe;
  const moved = (port: number | string | undefined): number | string => {
    const number = Number(port ?? 0);
    return address.ports[number] ?? port ?? 0;
  };
  const changed: Probe = { ...probe };
  if (probe.httpGet) changed.httpGet = { ...probe.httpGet, port: moved(probe.httpGet.port) };
  if (probe.tcpSocket) {
    changed.tcpSocket = { ...probe.tcpSocket, port: moved(probe.tcpSocket.port) };
  }
  if (probe.grpc) changed.grpc = { ...probe.grpc, port: Number(moved(probe.grpc.port)) };
  return changed;
}

/**
 * Where a kubelet's request reaches the container: the sidecar on the pod's address, an app
 * locally.
 */
export function probeHost(container: Container, address: PodAddress): string {
  return isSidecar(container) ? address.ip : LOOPBACK;
}
