// The data-plane process of standalone mode: gateway, activator and the hosted queue-proxies, over
// its own API client and caches. May be killed at any time: the root starts it again on the same
// ports and tells it again which sidecars to host.

import {
  type RunningActivator,
  startActivator,
  type TelemetrySettings,
} from '../activator/start.ts';
import { parseObservabilityConfig } from '../api/config/observability.ts';
import type { ConfigMap, Endpoints } from '../api/core.ts';
import { ConfigMap as ConfigMapKind, Endpoints as EndpointsKind } from '../api/kinds.ts';
import {
  ACTIVATOR_SERVICE,
  CLUSTER_DOMAIN,
  INGRESS_CLASS,
  SYSTEM_NAMESPACE,
} from '../api/labels.ts';
import { systemClock } from '../clock/clock.ts';
import { PRIVATE_SERVICE, PUBLIC_SERVICE, startGateway } from '../gateway/start.ts';
import { createKubeClient } from '../kube/client.ts';
import { createInformerFactory } from '../kube/informer.ts';
import type { Informer, KubeClient } from '../kube/types.ts';
import { LOOPBACK } from '../node/addresses.ts';
import { tryBind } from '../node/port-probe.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { FromDataPlane, ToDataPlane } from './messages.ts';
import { openRootPipe, type RootPipe } from './root-pipe.ts';
import { SidecarHost } from './sidecar-host.ts';
import { publishService, resolveEndpoint } from './system-services.ts';

/** Requests in flight at Ctrl-C get this long. */
const STOP_PATIENCE_MS = 5_000;
const AUTOSCALER_SERVICE = 'autoscaler';
const ACTIVATOR_NAME = 'activator-local';
const OBSERVABILITY_CONFIG = 'config-observability';
/** Of the gateway, for Ingresses with certificates; another one where it is taken. */
const HTTPS_PORT = 8443;

type Init = Extract<ToDataPlane, { type: 'init' }>;
interface Running {
  drain(): Promise<void>;
}

/** Resolves at once; the process lives until the root ends it. */
export async function runDataPlane(): Promise<void> {
  const logger = createLogger('data-plane');
  const clock = systemClock;
  let starting: Promise<Running> | null = null;
  const pipe: RootPipe<FromDataPlane> = openRootPipe<ToDataPlane, FromDataPlane>({
    groups: () => [],
    onMessage(message) {
      switch (message.type) {
        case 'init':
          starting ??= start(message, pipe);
          starting.catch((error: unknown) => pipe.fail(error));
          break;
        case 'host':
          void host.host(message.id, message.env);
          break;
        case 'unhost':
          void host.unhost(message.id, message.signal);
          break;
        case 'heard':
          host.heard(message.podUid);
          break;
        case 'stop':
          void stop(starting);
      }
    },
  });
  const host = new SidecarHost({
    clock,
    logger,
    random: Math.random,
    send: (message) => pipe.send(message),
  });
}

async function start(init: Init, pipe: RootPipe<FromDataPlane>): Promise<Running> {
  const clock = systemClock;
  const random = Math.random;
  const { settings, connection } = init;
  const client = createKubeClient({
    ...connection,
    clock,
    logger: createLogger('kube'),
    userAgent: 'pilotlight-data-plane',
  });
  const informers = createInformerFactory(client, { clock, logger: createLogger('kube'), random });
  const endpoints = informers.informer<Endpoints>(EndpointsKind);
  const configMaps = informers.informer<ConfigMap>(ConfigMapKind);
  await informers.start();
  const common = { client, informers, clock, random, clusterDomain: CLUSTER_DOMAIN };
  const activator = await startActivator({
    ...common,
    logger: createLogger('activator'),
    host: LOOPBACK,
    port: await freeOrAny(init.activatorPort),
    podName: ACTIVATOR_NAME,
    autoscalerUrl: () => autoscalerUrl(endpoints.lister),
    systemNamespace: SYSTEM_NAMESPACE,
    telemetry: activatorTelemetry(configMaps),
  });
  followObservability(configMaps, activator);
  await publishService(client, {
    namespace: SYSTEM_NAMESPACE,
    name: ACTIVATOR_SERVICE,
    address: LOOPBACK,
    ports: { http: activator.port, http2: activator.port },
  });
  const gateway = await startGateway({
    ...common,
    logger: createLogger('gateway'),
    host: LOOPBACK,
    port: settings.gatewayPort,
    localHost: LOOPBACK,
    localPort: settings.localGatewayPort,
    httpsPort: HTTPS_PORT,
    isHttpsMovable: true,
    systemNamespace: SYSTEM_NAMESPACE,
    ingressClass: INGRESS_CLASS,
  });
  await publishGateway(client, gateway);
  pipe.send({ type: 'up', activatorPort: activator.port, httpsPort: gateway.httpsPort });
  return {
    async drain() {
      await gateway.drain({ delayMs: 0 });
      await activator.stop();
    },
  };
}

/** Request log, traces and Server-Timing; metrics are not served here: port 9090 is the pods'. */
function activatorTelemetry({ lister }: Informer<ConfigMap>): TelemetrySettings {
  const data = lister.get(SYSTEM_NAMESPACE, OBSERVABILITY_CONFIG)?.data;
  return {
    // A bad map must not keep the data plane from starting; a change to a good one is followed.
    config: parseObservabilityConfig(data).ok ? data : undefined,
    metricNames: null,
    podName: ACTIVATOR_NAME,
    resource: [['service.name', 'activator']],
    variables: {},
  };
}

function followObservability(configMaps: Informer<ConfigMap>, activator: RunningActivator): void {
  configMaps.onChange((current, previous) => {
    const { name, namespace } = (current ?? previous)!.metadata;
    if (namespace === SYSTEM_NAMESPACE && name === OBSERVABILITY_CONFIG) {
      activator.configured(current?.data);
    }
  });
}

/** ING-43: the names by which other workloads reach the gateway. */
async function publishGateway(
  client: KubeClient,
  { port, localPort, httpsPort }: { port: number; localPort: number; httpsPort: number },
): Promise<void> {
  const common = { namespace: SYSTEM_NAMESPACE, address: LOOPBACK };
  const ports = { http2: port, https: httpsPort };
  await publishService(client, { ...common, name: PUBLIC_SERVICE, ports });
  await publishService(client, { ...common, name: PRIVATE_SERVICE, ports: { http2: localPort } });
}

/** The port of an earlier life, so that nobody's Endpoints change; another one if it was taken. */
async function freeOrAny(port: number): Promise<number> {
  return port !== 0 && (await tryBind(LOOPBACK, port)) === port ? port : 0;
}

function autoscalerUrl(endpoints: Parameters<typeof resolveEndpoint>[0]): string | null {
  const found = resolveEndpoint(endpoints, SYSTEM_NAMESPACE, AUTOSCALER_SERVICE, 'http');
  return found === null ? null : `ws://${found.host}:${found.port}`;
}

async function stop(starting: Promise<Running> | null): Promise<void> {
  systemClock.setTimer(STOP_PATIENCE_MS, () => process.exit(0), { background: true });
  try {
    await (await starting)?.drain();
  } finally {
    process.exit(0);
  }
}
