// A user's readiness probe is run by the sidecar, and the kubelet asks the sidecar (CP-206, CP-211,
// CP-213). Here are the two forms it takes: JSON for the sidecar, and the sidecar's own probe.
// Pure.

import type { Container, Probe } from '../../../api/core.ts';
import type { RevisionSpec } from '../../../api/serving.ts';
import { servingContainer, userPort } from '../../../api/serving.ts';

const LOOPBACK = '127.0.0.1';

/** CP-213: `''` when there is nothing to probe; a JSON array with multi-container probing. */
export function sidecarProbeJson(spec: RevisionSpec, isMultiContainer: boolean): string {
  const serving = servingContainer(spec);
  const port = userPort(spec);
  const main =
    serving?.readinessProbe === undefined ? null : encode(serving.readinessProbe, port, true);
  if (!isMultiContainer) return main === null ? '' : JSON.stringify(main);
  const others = spec.containers
    .filter((container) => container !== serving)
    .flatMap((container) => sidecarContainerProbe(container));
  return JSON.stringify([main, ...others]);
}

function sidecarContainerProbe({ name, readinessProbe }: Container): object[] {
  if (readinessProbe === undefined || readinessProbe.exec !== undefined) return [];
  const port = ownPort(readinessProbe);
  if (port === 0) {
    throw new Error(`sidecar readiness probe does not define probe port on container: ${name}`);
  }
  return [encode(readinessProbe, port, false)];
}

/** The probe's own numeric port; 0 when it names none. */
function ownPort(probe: Probe): number {
  const port = probe.httpGet?.port ?? probe.tcpSocket?.port ?? probe.grpc?.port ?? 0;
  return typeof port === 'number' ? port : 0;
}

/** Members in Go's order, zero values left out, as existing sidecars print and read them. */
function encode(probe: Probe, defaultPort: number, replacesExec: boolean): object {
  const port = ownPort(probe) || defaultPort;
  const period = probe.periodSeconds ?? 0;
  const timeout = period > 0 && (probe.timeoutSeconds ?? 0) < 1 ? 1 : (probe.timeoutSeconds ?? 0);
  return {
    httpGet: probe.httpGet && {
      path: probe.httpGet.path || undefined,
      port,
      host: LOOPBACK,
      scheme: probe.httpGet.scheme || 'HTTP',
      httpHeaders: probe.httpGet.httpHeaders,
    },
    tcpSocket:
      probe.tcpSocket !== undefined || (replacesExec && probe.exec !== undefined)
        ? { port, host: LOOPBACK }
        : undefined,
    grpc: probe.grpc && { port, service: probe.grpc.service ?? '' },
    initialDelaySeconds: probe.initialDelaySeconds || undefined,
    timeoutSeconds: timeout || undefined,
    periodSeconds: period || undefined,
    successThreshold: probe.successThreshold || undefined,
    failureThreshold: probe.failureThreshold || undefined,
  };
}

/** CP-211: the user's timing, our handler. */
export function queueProxyProbe(spec: RevisionSpec, servingPort: number): Probe | undefined {
  const probe = servingContainer(spec)?.readinessProbe;
  if (probe === undefined) return undefined;
  const { exec, httpGet, tcpSocket, grpc, ...timing } = probe;
  return {
    ...timing,
    httpGet: { port: servingPort, httpHeaders: [{ name: 'K-Network-Probe', value: 'queue' }] },
  };
}
