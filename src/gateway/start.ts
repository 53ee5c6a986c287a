// Wires the built-in gateway: Ingresses of our class become routes, two listeners serve them, one
// for the world and one for callers inside (ING-80). Decides nothing itself. Everything that exists
// when it starts is in the first snapshot before a listener opens, so a restart never serves half a
// configuration (ING-107).

import type { CoreService, Endpoints, Secret } from '../api/core.ts';
import {
  CoreService as CoreServiceKind,
  Endpoints as EndpointsKind,
  Ingress as IngressKind,
  Secret as SecretKind,
} from '../api/kinds.ts';
import { serviceHostname } from '../api/naming.ts';
import type { Ingress } from '../api/networking.ts';
import { objectKey } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { Controller } from '../kube/controller.ts';
import type { InformerFactory, KubeClient, Lister } from '../kube/types.ts';
import { drainWithin, MAX_DRAIN_MS } from '../proxy/drain-limit.ts';
import type { UpstreamOptions } from '../proxy/types.ts';
import { UpstreamPools } from '../proxy/upstream-pools.ts';
import type { Logger } from '../telemetry/logger.ts';
import { BackendTls } from './backend-tls.ts';
import { BackendRegistry } from './backends.ts';
import { Certificates } from './certificates.ts';
import type { Visibility } from './handler.ts';
import { IngressReconciler } from './ingress-reconciler.ts';
import { Listeners } from './listeners.ts';
import { RouteTable } from './route-table.ts';

const UPSTREAM_OPTIONS: UpstreamOptions = {
  maxIdlePerUpstream: 100,
  idleTimeoutMs: 90_000,
  dialTimeoutMs: 50,
  maxDialAttempts: 16,
};
/** Still fully in service for so long after the drain began, so that callers notice (ING-74). */
export const DRAIN_DELAY_MS = 15_000;
/** The Services in front of the listeners, by whose names other workloads reach them (ING-43). */
export const PUBLIC_SERVICE = 'pilotlight-gateway';
export const PRIVATE_SERVICE = 'pilotlight-gateway-internal';

export interface GatewayOptions {
  client: KubeClient;
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  random: () => number;
  /** External listener. */
  host: string;
  /** 0 = any free port. */
  port: number;
  /** Listener for callers inside. */
  localHost: string;
  localPort: number;
  /** HTTPS beside each listener, with the certificates of `Ingress.spec.tls`; absent = none. */
  httpsPort?: number;
  localHttpsPort?: number;
  /** Any free HTTPS port where the wanted one is taken, instead of an error. Default false. */
  isHttpsMovable?: boolean;
  systemNamespace: string;
  clusterDomain: string;
  ingressClass: string;
}

export interface RunningGateway {
  readonly port: number;
  readonly localPort: number;
  /** 0 = not open. */
  readonly httpsPort: number;
  readonly localHttpsPort: number;
  /**
   * Fails health at once, serves on for `delayMs` (default 15 s), ends after the last answer and
   * `limitMs` (default MAX_DRAIN_MS) after that at the latest.
   */
  drain(options?: { delayMs?: number; limitMs?: number }): Promise<void>;
  /** Ends now. */
  stop(): Promise<void>;
}

export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { client, clock, logger, random, informers, clusterDomain, systemNamespace } = options;
  const ingresses = informers.informer<Ingress>(IngressKind);
  const services = informers.informer<CoreService>(CoreServiceKind);
  const endpoints = informers.informer<Endpoints>(EndpointsKind);
  const upstreams = new UpstreamPools(UPSTREAM_OPTIONS, { clock, random });
  const table = new RouteTable();
  const certificates = certificatesFor(options, (secret) => reconciler.onSecretChange(secret));
  const tls = new BackendTls({
    informers,
    logger,
    systemNamespace,
    onChange: () => {
      backends.refreshAll();
      reconciler.onBackendTlsChange();
    },
  });
  const backends: BackendRegistry = new BackendRegistry({
    services,
    endpoints,
    upstreams,
    secureTransport: (namespace) => tls.transportFor(namespace),
    onReady: (backend) => reconciler.onBackendReady(backend),
  });
  const reconciler: IngressReconciler = new IngressReconciler({
    client,
    ingresses: ingresses.lister,
    table,
    backends,
    ...(certificates === null ? {} : { certificates }),
    tlsProblem: () => tls.problem,
    clock,
    logger,
    ingressClass: options.ingressClass,
    clusterDomain,
    domains: {
      public: serviceHostname(PUBLIC_SERVICE, systemNamespace, clusterDomain),
      private: serviceHostname(PRIVATE_SERVICE, systemNamespace, clusterDomain),
    },
    enqueue: (key) => controller.enqueue(key),
  });
  const controller: Controller = new Controller({
    name: 'ingress-controller',
    reconciler,
    clock,
    logger,
    random,
  });
  let isDraining = false;
  const isHealthy = () => !isDraining;
  const handlerDeps = { table, random, clock, isHealthy };
  const listenersFor = (visibility: Visibility, httpsPort: number | undefined) =>
    new Listeners(visibility, handlerDeps, {
      httpsPort: httpsPort ?? null,
      isHttpsMovable: options.isHttpsMovable ?? false,
      certificates,
      logger,
    });
  const external = listenersFor('external', options.httpsPort);
  const local = listenersFor('local', options.localHttpsPort);

  await Promise.all([ingresses, services, endpoints].map((informer) => informer.whenSynced()));
  if (certificates !== null) await informers.informer<Secret>(SecretKind).whenSynced();
  certificates?.start();
  await tls.start();
  backends.start();
  loadOldestFirst(ingresses.lister, reconciler);
  await table.published();
  const removeHandler = ingresses.onChange((current, previous) => {
    const object = current ?? previous;
    if (object !== null) controller.enqueue(objectKey(object));
  });
  controller.start();
  await external.listen(options.host, options.port);
  await local.listen(options.localHost, options.localPort);
  const ports = {
    port: external.port,
    localPort: local.port,
    httpsPort: external.httpsPort,
    localHttpsPort: local.httpsPort,
  };
  logger.info({ ...ports, hosts: table.snapshot.local.size }, 'gateway listening');

  const stop = async (): Promise<void> => {
    isDraining = true;
    removeHandler();
    certificates?.stop();
    tls.stop();
    await Promise.all([external.close(), local.close(), controller.stop()]);
    backends.stop();
    upstreams.close();
  };
  return {
    ...ports,
    stop,
    async drain({ delayMs = DRAIN_DELAY_MS, limitMs = MAX_DRAIN_MS } = {}): Promise<void> {
      isDraining = true;
      if (delayMs > 0) await clock.sleep(delayMs);
      await drainWithin(clock, limitMs, [external.drain(), local.drain()]);
      await stop();
    },
  };
}

/** Null when nothing listens for TLS. */
function certificatesFor(
  { httpsPort, localHttpsPort, informers, logger }: GatewayOptions,
  onChange: (secret: string) => void,
): Certificates | null {
  if (httpsPort === undefined && localHttpsPort === undefined) return null;
  return new Certificates({ secrets: informers.informer<Secret>(SecretKind), logger, onChange });
}

/** A host claimed twice stays with the Ingress that was first, across restarts too (ING-23). */
function loadOldestFirst(lister: Lister<Ingress>, reconciler: IngressReconciler): void {
  const age = ({ metadata }: Ingress): string =>
    `${metadata.creationTimestamp ?? ''} ${metadata.namespace}/${metadata.name}`;
  const oldestFirst = lister.list().sort((a, b) => (age(a) < age(b) ? -1 : 1));
  for (const ingress of oldestFirst) reconciler.load(objectKey(ingress));
}
