// The control process of standalone mode: API server with its admission, the built-in controllers,
// Knative's controllers, the autoscaler and the node agent. They share one API client and one cache
// per kind, and know each other only through the API. May be killed at any time: objects are in the
// store, pods belong to the root, and the data plane goes on serving meanwhile.

import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ServingConfig, stockConfig } from '../api/config/registry.ts';
import type { Endpoints } from '../api/core.ts';
import { Endpoints as EndpointsKind, KnativeService as KnativeServiceKind } from '../api/kinds.ts';
import { CLUSTER_DOMAIN, SYSTEM_NAMESPACE } from '../api/labels.ts';
import type { PodUsageSource } from '../api/pod-usage.ts';
import type { KnativeService } from '../api/serving.ts';
import { startApiServer } from '../apiserver/start.ts';
import { startAutoscaler } from '../autoscaler/start.ts';
import { applyManifest } from '../cli/apply-object.ts';
import { loadManifests, type Manifest } from '../cli/manifests.ts';
import { KUBECONFIG_FILE } from '../cli/run-folder.ts';
import { systemClock } from '../clock/clock.ts';
import { startCluster } from '../cluster/start.ts';
import { startController } from '../controller/start.ts';
import { createKubeClient } from '../kube/client.ts';
import { createInformerFactory } from '../kube/informer.ts';
import type { InformerFactory, KubeClient } from '../kube/types.ts';
import { LOOPBACK } from '../node/addresses.ts';
import { NODE_NAME, type NodeAgent, startNodeAgent } from '../node/agent.ts';
import { systemPorts, tryBind } from '../node/port-probe.ts';
import { buildImageMap } from '../settings/image-map.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createAdmission } from '../webhook/admit.ts';
import { podTrial } from '../webhook/pod-trial.ts';
import { writeAuthorityFile } from './authority-file.ts';
import { bootstrap } from './bootstrap.ts';
import type { FromControl, ServiceReport, ToControl, UpSettings } from './messages.ts';
import { PipeExecs } from './pipe-execs.ts';
import { PipeRuntime } from './pipe-runtime.ts';
import { podLogSource } from './pod-log-source.ts';
import { podStreams } from './pod-streams.ts';
import { openRootPipe, type RootPipe } from './root-pipe.ts';
import { describeKnativeService, orderedReports, watchServices } from './service-watch.ts';
import { publishService, resolveEndpoint } from './system-services.ts';

const STOP_PATIENCE_MS = 3_000;
const USER_NAME = 'pilotlight-admin';
/**
 * Deployments, Revisions and PodAutoscalers rest so long between two passes: a wake changes each
 * several times on the cores the waking app needs, and most apps have answered by then.
 */
const REST_MS = 100;
/** What a pod reports beside its address may come this much later (decision 0020). */
const REPORT_DELAY_MS = 15;

type Init = Extract<ToControl, { type: 'init' }>;
interface Running {
  stop(): Promise<void>;
}

/** Resolves at once; the process lives until the root ends it. */
export async function runControl(): Promise<void> {
  let starting: Promise<Running> | null = null;
  const pipe: RootPipe<FromControl> = openRootPipe<ToControl, FromControl>({
    groups: () => runtime.groups(),
    onMessage(message) {
      if (runtime.handle(message) || execs.handle(message)) return;
      if (message.type === 'init') {
        starting ??= start(message, pipe, runtime, execs);
        starting.catch((error: unknown) => pipe.fail(error));
      } else if (message.type === 'stop') void stop(starting);
    },
  });
  const runtime = new PipeRuntime((message) => pipe.send(message));
  const execs = new PipeExecs((message) => pipe.send(message), systemClock, randomUUID);
}

async function start(
  init: Init,
  pipe: RootPipe<FromControl>,
  runtime: PipeRuntime,
  execs: PipeExecs,
): Promise<Running> {
  const { settings } = init;
  // Before anything else: a typo should not cost a start.
  const manifests = init.isFirstStart ? loadManifests(settings.files) : [];
  const clock = systemClock;
  const random = Math.random;
  let agent: NodeAgent | null = null;
  let controllerConfig: { readonly current: ServingConfig } = {
    current: stockConfig(CLUSTER_DOMAIN),
  };
  let tryPod: ReturnType<typeof podTrial> = async () => undefined;
  const api = await startApiServer({
    dataDir: settings.dataDir,
    durability: settings.durability,
    host: LOOPBACK,
    port: settings.apiPort,
    userName: USER_NAME,
    admission: createAdmission({
      config: () => controllerConfig.current,
      tryPod: (pod) => tryPod(pod),
    }),
    podLogs: podLogSource(settings.logRoot, clock, () => agent),
    podStreams: podStreams(runtime, execs),
    clock,
    logger: createLogger('apiserver'),
  });
  const kubeconfig = join(settings.dataDir, KUBECONFIG_FILE);
  writeFileSync(kubeconfig, api.kubeconfig, { mode: 0o600 });
  const connection = { server: api.url, caPem: api.caPem, token: api.token };
  const kubeLogger = createLogger('kube');
  const userAgent = 'pilotlight-control';
  const { local } = api;
  const client = createKubeClient({ ...connection, local, clock, logger: kubeLogger, userAgent });
  tryPod = podTrial(client);
  const informers = createInformerFactory(client, { clock, logger: kubeLogger, random });
  await bootstrap(client, { domain: settings.domain, nowMs: clock.nowMs() });
  await informers.start();
  const usage = (podUid: string) => agent?.usage(podUid) ?? null;
  const roles = await startRoles(init, client, informers, { usage });
  controllerConfig = roles.config;
  agent = await startAgent(settings, client, informers, runtime);
  const { autoscalerPort } = roles;
  pipe.send({ type: 'up', connection, kubeconfig, autoscalerPort });
  const report = orderedReports(
    (each) => pipe.send({ type: 'service', report: each }),
    () => writeAuthorityFile(client, settings.dataDir),
  );
  const stopWatching = watchServices(informers, (each) => void report(each));
  await applyAll(client, manifests, report);
  pipe.send({ type: 'applied', objects: manifests.length });
  const running = agent;
  return {
    async stop() {
      stopWatching();
      await running.stop();
      await roles.stop();
      await informers.stop();
      client.close();
      await api.stop();
    },
  };
}

async function startRoles(
  init: Init,
  client: KubeClient,
  informers: InformerFactory,
  podUsage: PodUsageSource,
): Promise<Running & { autoscalerPort: number; config: { readonly current: ServingConfig } }> {
  const common = { client, informers, clock: systemClock, random: Math.random };
  const names = { systemNamespace: SYSTEM_NAMESPACE, clusterDomain: CLUSTER_DOMAIN };
  const cluster = startCluster({
    ...common,
    restMs: REST_MS,
    logger: createLogger('cluster'),
    nodeName: NODE_NAME,
    podUsage,
  });
  const controller = startController({
    ...common,
    ...names,
    restMs: REST_MS,
    logger: createLogger('controller'),
  });
  const endpoints = informers.informer<Endpoints>(EndpointsKind);
  const { autoscalerPort } = init;
  const keepPort =
    autoscalerPort !== 0 && (await tryBind(LOOPBACK, autoscalerPort)) === autoscalerPort;
  const autoscaler = await startAutoscaler({
    ...common,
    ...names,
    restMs: REST_MS,
    logger: createLogger('autoscaler'),
    host: LOOPBACK,
    port: keepPort ? autoscalerPort : 0,
    podName: 'autoscaler-local',
    resolveService: (namespace, name, portName) =>
      resolveEndpoint(endpoints.lister, namespace, name, portName),
  });
  await publishService(client, {
    namespace: SYSTEM_NAMESPACE,
    name: 'autoscaler',
    address: LOOPBACK,
    ports: { http: autoscaler.port },
  });
  return {
    autoscalerPort: autoscaler.port,
    config: controller.config,
    async stop() {
      await Promise.all([autoscaler.stop(), controller.stop(), cluster.stop()]);
    },
  };
}

function startAgent(
  settings: UpSettings,
  client: KubeClient,
  informers: InformerFactory,
  runtime: PipeRuntime,
): Promise<NodeAgent> {
  const { images, startDir, baseEnv, sidecarEnv, sidecarArgv, localGatewayPort } = settings;
  return startNodeAgent({
    client,
    informers,
    runtime,
    clock: systemClock,
    logger: createLogger('node'),
    random: Math.random,
    ports: systemPorts,
    ownAddresses: process.platform === 'linux',
    reportDelayMs: REPORT_DELAY_MS,
    settings: {
      images: buildImageMap(images),
      startDir,
      baseEnv,
      sidecarEnv,
      sidecarArgv,
      gatewayUrl: `http://${LOOPBACK}:${localGatewayPort}`,
    },
  });
}

/** ConfigMaps and the like first, so that a Service in the same folder sees them. */
async function applyAll(
  client: KubeClient,
  manifests: readonly Manifest[],
  report: (report: ServiceReport) => Promise<void>,
): Promise<void> {
  const isService = ({ object }: Manifest) => object.apiVersion.startsWith('serving.knative.dev/');
  const ordered = [
    ...manifests.filter((manifest) => !isService(manifest)),
    ...manifests.filter(isService),
  ];
  for (const manifest of ordered) {
    const { kind, object } = await applyManifest(client, manifest);
    if (kind !== KnativeServiceKind) continue;
    await report(describeKnativeService(object as KnativeService));
  }
}

async function stop(starting: Promise<Running> | null): Promise<void> {
  systemClock.setTimer(STOP_PATIENCE_MS, () => process.exit(0), { background: true });
  try {
    await (await starting)?.stop();
  } finally {
    process.exit(0);
  }
}
