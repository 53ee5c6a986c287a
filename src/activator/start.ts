// Wires the activator: what the API says about revisions and their pods on one side, the request
// server on the other, the stat socket to the autoscaler beside them. Decides nothing itself.
// The order matters once: caches are filled before the listener opens, so no early request is told
// that its revision does not exist (ACT-13).

import type { CoreService, Endpoints } from '../api/core.ts';
import {
  CoreService as CoreServiceKind,
  Endpoints as EndpointsKind,
  Revision as RevisionKind,
} from '../api/kinds.ts';
import type { Revision } from '../api/serving.ts';
import type { Clock } from '../clock/clock.ts';
import type { InformerFactory, KubeClient } from '../kube/types.ts';
import { DeadlineWheel } from '../proxy/deadline-wheel.ts';
import { drainWithin, MAX_DRAIN_MS } from '../proxy/drain-limit.ts';
import type { UpstreamOptions } from '../proxy/types.ts';
import { UpstreamPools } from '../proxy/upstream-pools.ts';
import type { Logger } from '../telemetry/logger.ts';
import { StatClient } from '../wire/stat-client.ts';
import { WAKE_NOTICE_HEADER } from '../wire/wake-notice.ts';
import type { TelemetryOptions } from './activator-telemetry.ts';
import { ConcurrencyReporter } from './concurrency-reporter.ts';
import { DEFAULT_DISCOVERY, type DiscoverySettings } from './discovery-settings.ts';
import { ActivatorHandler } from './handler.ts';
import { createHttpProber } from './http-prober.ts';
import { directoryOf } from './observed-revision.ts';
import { RequestPorts, requestLimits } from './request-ports.ts';
import { RevisionRegistry } from './revision-registry.ts';
import { noteWake, startTelemetry } from './start-telemetry.ts';
import { ActivatorThreads, type ThreadsDeps } from './threads/activator-threads.ts';
import { ActivatorTls, type ActivatorTlsOptions } from './tls.ts';
import type { TlsPlaneOptions } from './tls-plane.ts';

/** ACT-111, ACT-112. */
const UPSTREAM_OPTIONS = {
  maxIdle: 1000,
  maxIdlePerUpstream: 100,
  idleTimeoutMs: 90_000,
  dialTimeoutMs: 50,
  maxDialAttempts: 16,
} satisfies UpstreamOptions;
/** ACT-210: still fully in service for so long after the drain began. */
export const DRAIN_DELAY_MS = 45_000;

export interface ActivatorOptions {
  /** Unused by now: the activator never writes to the API (ACT-11). */
  client: KubeClient;
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  random: () => number;
  host: string;
  /** 0 = any free port. */
  port: number;
  /** A second port, for h2c revisions; without it `port` serves them too (ACT-2). */
  h2cPort?: number;
  podName: string;
  /** Websocket URL of the autoscaler, asked at each dial; null = not known yet. */
  autoscalerUrl: () => string | null;
  systemNamespace: string;
  clusterDomain: string;
  /** How this activator is listed in Endpoints; default `host`. */
  podIP?: string;
  /** `system-internal-tls` is enabled: a TLS port, and TLS to pods (ACT-117). */
  tls?: ActivatorTlsOptions;
  /** Request threads, the main one counted: 1 to 16, default 1 (decision 0018). */
  threads?: number;
  /** The built entry file of request threads, where it is not beside this module. */
  threadFile?: URL;
  /** Probe cadence and meshes; what is absent is stock (ACT-5, ACT-10). */
  discovery?: Partial<DiscoverySettings>;
  /** Idle upstream HTTP/1 connections, in all and per pod (ACT-111). */
  maxIdle?: number;
  maxIdlePerHost?: number;
  /** Request log, metrics, traces; absent = none of them, whatever happens. */
  telemetry?: TelemetrySettings;
}

export interface TelemetrySettings extends TelemetryOptions {
  /** Where metrics and profiles are to be had; absent = nowhere. */
  readonly outlets?: { readonly metricsPort: number; readonly profilingPort: number };
}

export interface RunningActivator {
  readonly port: number;
  readonly h2cPort: number;
  /** Null = metrics are not served. */
  readonly metricsPort: number | null;
  /** config-observability as it is now (ACT-9); undefined = it is gone. */
  configured(data: Readonly<Record<string, string>> | undefined): void;
  /** 0 without TLS. */
  readonly tlsPort: number;
  /**
   * Fails health at once, serves on for `delayMs` (default 45 s), ends after the last answer and
   * `limitMs` (default MAX_DRAIN_MS) after that at the latest.
   */
  drain(options?: { delayMs?: number; limitMs?: number }): Promise<void>;
  /** Ends now. */
  stop(): Promise<void>;
}

export async function startActivator(options: ActivatorOptions): Promise<RunningActivator> {
  const { clock, logger, random } = options;
  const deps = { clock, logger, random };
  const revisions = options.informers.informer<Revision>(RevisionKind);
  const endpoints = options.informers.informer<Endpoints>(EndpointsKind);
  const services = options.informers.informer<CoreService>(CoreServiceKind);
  const upstream = upstreamOptions(options);
  const limits = requestLimits(options.threads ?? 1);
  const upstreams = new UpstreamPools(upstream, deps);
  const tls = options.tls === undefined ? null : new ActivatorTls(upstreams, options.tls, options);
  const headers = { [WAKE_NOTICE_HEADER]: '1' };
  const stats = new StatClient({ url: options.autoscalerUrl, ...deps, headers });
  const reporter = new ConcurrencyReporter(options.podName, stats, clock);
  stats.onConnect = () => reporter.resendPokes();
  let isDraining = false;
  const health = (): string | null => {
    if (isDraining) return 'received SIGTERM from kubelet';
    return stats.isConnected ? null : 'connection has not yet been established';
  };
  const directory = directoryOf(revisions);
  const threadsDeps = { clock, logger, reporter, health, revisions: directory };
  const threads = threadsFor(options, upstream, threadsDeps);
  if (tls !== null) tls.followers = threads;
  const registry = new RevisionRegistry({
    ...(threads === null ? {} : { threads }),
    ...(tls === null ? {} : { upstreamsOf: (namespace) => tls.upstreams.of(namespace) }),
    revisions,
    endpoints,
    services,
    upstreams,
    clock,
    logger,
    random,
    prober: createHttpProber({ clock, upstreams }),
    discovery: { ...DEFAULT_DISCOVERY, ...options.discovery },
    ownAddress: options.podIP ?? options.host,
  });
  stats.onText = (text) => noteWake(registry, clock, text);
  const deadlines = new DeadlineWheel(clock);
  const handler = new ActivatorHandler({
    revisions: registry,
    reporter,
    deadlines,
    clock,
    clusterDomain: options.clusterDomain,
    health,
  });
  const { host, h2cPort = null } = options;
  const ports = new RequestPorts(
    handler,
    { host, port: options.port, h2cPort, limits },
    { clock, logger },
  );

  await Promise.all([revisions, endpoints, services].map((informer) => informer.whenSynced()));
  await tls?.load(handler, limits);
  registry.start();
  stats.start();
  reporter.start();
  await ports.listen();
  const parts = { revisions, handler, reporter, stats, ports, threads, tls };
  const telemetry = await startTelemetry(options, parts);
  await tls?.listen(host);
  await threads?.listen(ports.servers, tls?.server ?? null);
  logger.info({ host, port: ports.port, h2cPort: ports.h2cPort }, 'activator listening');

  const stop = async (): Promise<void> => {
    isDraining = true;
    await Promise.all([ports.close(), tls?.close(), threads?.close()]);
    reporter.stop();
    stats.stop();
    registry.stop();
    deadlines.stop();
    upstreams.close();
    await telemetry?.stop();
  };
  return {
    port: ports.port,
    h2cPort: ports.h2cPort,
    metricsPort: telemetry?.metricsPort ?? null,
    configured: (data) => telemetry?.configured(data),
    tlsPort: tls?.port ?? 0,
    stop,
    async drain({ delayMs = DRAIN_DELAY_MS, limitMs = MAX_DRAIN_MS } = {}): Promise<void> {
      isDraining = true;
      if (delayMs > 0) await clock.sleep(delayMs);
      await drainWithin(clock, limitMs, [ports.drain(), tls?.drain(), threads?.drain()]);
      await stop();
    },
  };
}

function upstreamOptions(options: ActivatorOptions): typeof UPSTREAM_OPTIONS {
  const { maxIdle, maxIdlePerUpstream } = UPSTREAM_OPTIONS;
  return {
    ...UPSTREAM_OPTIONS,
    maxIdle: options.maxIdle ?? maxIdle,
    maxIdlePerUpstream: options.maxIdlePerHost ?? maxIdlePerUpstream,
  };
}

/** What of it a thread can be sent. */
function copyable(settings: TelemetrySettings): Omit<TelemetryOptions, 'output'> {
  const { config, metricNames, podName, resource, variables } = settings;
  return { config, metricNames, podName, resource, variables };
}

function tlsOfThread({ texts, podPort }: ActivatorTlsOptions): TlsPlaneOptions {
  return podPort === undefined ? { texts } : { texts, podPort };
}

/** Null with one thread. A thread that dies takes the process with it. */
function threadsFor(
  { threads = 1, tls, host, clusterDomain, threadFile, telemetry }: ActivatorOptions,
  upstream: typeof UPSTREAM_OPTIONS,
  deps: Omit<ThreadsDeps, 'onDeath'>,
): ActivatorThreads | null {
  if (threads === 1) return null;
  const file = threadFile === undefined ? {} : { threadFile };
  const onDeath = (error: Error): void => {
    throw new Error('a request thread ended', { cause: error });
  };
  const share = (count: number): number => Math.ceil(count / threads);
  const ofThread = {
    ...upstream,
    maxIdle: share(upstream.maxIdle),
    maxIdlePerUpstream: share(upstream.maxIdlePerUpstream),
  };
  const options = {
    threads,
    host,
    clusterDomain,
    upstream: ofThread,
    telemetry: telemetry === undefined ? null : copyable(telemetry),
    tls: tls === undefined ? null : tlsOfThread(tls),
    ...file,
  };
  return new ActivatorThreads(options, { ...deps, onDeath });
}
