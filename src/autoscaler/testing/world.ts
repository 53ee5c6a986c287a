// A small world around an Autoscaler for timeline tests: an in-memory API, a fake clock, a cluster
// that turns replicas into ready pods and fills in SKS status as its controller would, and an
// activator that pushes one stat a second. Only the probe of the activator is a real HTTP exchange.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PodAutoscaler } from '../../api/autoscaling.ts';
import { CONDITION_SETS, ConditionManager } from '../../api/conditions.ts';
import type { ConfigMap, Deployment, Pod } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import type { ServerlessService } from '../../api/networking.ts';
import type { KubeObject } from '../../api/objects.ts';
import { FakeClock } from '../../clock/fake-clock.ts';
import { createInformerFactory } from '../../kube/informer.ts';
import { MemoryClient } from '../../kube/testing/memory-client.ts';
import { type InformerFactory, isConflict } from '../../kube/types.ts';
import { createLogger, type Logger } from '../../telemetry/logger.ts';
import { emptyStat } from '../../wire/stat.ts';
import { Autoscaler, type AutoscalerGroup } from '../autoscaler.ts';

export const NAMESPACE = 'default';
const SYSTEM_NAMESPACE = 'knative-serving';
/** Event-loop turns after which a condition that does not come true is a failure. */
const MAX_TURNS = 3000;

export interface RevisionOptions {
  annotations?: Record<string, string>;
  containerConcurrency?: number;
  reachability?: 'Reachable' | 'Unreachable' | '';
  /** Of the Deployment at the start; default 1. */
  replicas?: number;
}

export class World {
  readonly clock = new FakeClock();
  readonly client = new MemoryClient({ clock: this.clock });
  readonly informers: InformerFactory;
  readonly autoscaler: Autoscaler;
  readonly logs: { message: string; [field: string]: unknown }[] = [];
  /** What the activator reports each second, by revision; absent = nothing. */
  readonly load = new Map<string, number>();
  /** Pods become ready this long after they were asked for. */
  podStartMs = 0;
  probeAnswer: 'activator' | 'queue' = 'activator';
  probeCount = 0;
  readonly #server: Server;
  #podNumber = 0;

  private constructor(server: Server, makeGroup?: (world: World) => AutoscalerGroup) {
    this.#server = server;
    const logger = collectLogs(this.logs);
    const random = (): number => 0.5;
    this.informers = createInformerFactory(this.client, { clock: this.clock, logger, random });
    const group = makeGroup?.(this);
    this.autoscaler = new Autoscaler({
      ...(group === undefined ? {} : { group }),
      client: this.client,
      informers: this.informers,
      clock: this.clock,
      logger,
      random,
      systemNamespace: SYSTEM_NAMESPACE,
      clusterDomain: 'cluster.local',
      resolveService: () => ({
        host: '127.0.0.1',
        port: (this.#server.address() as AddressInfo).port,
      }),
      pool: null,
    });
  }

  static async start(
    config: Record<string, string> = {},
    makeGroup?: (world: World) => AutoscalerGroup,
  ): Promise<World> {
    const holder: { world: World | null } = { world: null };
    const server = createServer((_request, response) => {
      holder.world!.probeCount += 1;
      response.end(holder.world!.probeAnswer);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const world = new World(server, makeGroup);
    holder.world = world;
    await world.setConfig(config);
    await world.informers.start();
    world.autoscaler.start();
    return world;
  }

  async stop(): Promise<void> {
    await this.autoscaler.stop();
    await this.informers.stop();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async setConfig(data: Record<string, string>): Promise<void> {
    const map: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'config-autoscaler', namespace: SYSTEM_NAMESPACE },
      data,
    };
    const existing = await this.client
      .get<ConfigMap>(kinds.ConfigMap, { namespace: SYSTEM_NAMESPACE, name: map.metadata.name })
      .catch(() => null);
    if (existing === null) await this.client.create(kinds.ConfigMap, map);
    else await this.client.update(kinds.ConfigMap, { ...existing, data });
  }

  async createRevision(name: string, options: RevisionOptions = {}): Promise<void> {
    const labels = {
      'serving.knative.dev/configuration': name,
      'serving.knative.dev/revision': name,
      'serving.knative.dev/revisionUID': `uid-of-${name}`,
    };
    await this.client.create<Deployment>(kinds.Deployment, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: `${name}-deployment`, namespace: NAMESPACE, labels },
      spec: {
        replicas: options.replicas ?? 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [] } },
      } as unknown as Deployment['spec'],
    });
    await this.client.create<PodAutoscaler>(kinds.PodAutoscaler, {
      apiVersion: kinds.apiVersionOf(kinds.PodAutoscaler),
      kind: 'PodAutoscaler',
      metadata: {
        name,
        namespace: NAMESPACE,
        labels,
        annotations: {
          'autoscaling.knative.dev/class': 'kpa.autoscaling.knative.dev',
          'autoscaling.knative.dev/metric': 'concurrency',
          ...options.annotations,
        },
      },
      spec: {
        containerConcurrency: options.containerConcurrency ?? 0,
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: `${name}-deployment` },
        protocolType: 'http1',
        reachability: options.reachability ?? 'Reachable',
      },
    });
    await this.settle();
  }

  /** Lets everything that needs no time happen, the cluster's own controllers included. */
  async settle(): Promise<void> {
    for (let round = 0; round < 4; round += 1) {
      await this.turns(6);
      await this.#runCluster();
    }
    await this.turns(6);
  }

  /** Moves time forward second by second, pushing the load of each. */
  async seconds(count: number): Promise<void> {
    for (let second = 0; second < count; second += 1) {
      for (const [name, concurrency] of this.load) this.push(name, concurrency, concurrency);
      await this.settle();
      this.clock.advance(1000);
      await this.settle();
    }
  }

  push(name: string, concurrency: number, count: number): void {
    const stat = {
      ...emptyStat('activator-0'),
      averageConcurrentRequests: concurrency,
      requestCount: count,
    };
    this.autoscaler.stats([{ namespace: NAMESPACE, name, stat }]);
  }

  async until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      if (await holds()) return;
      await this.turns(1);
    }
    throw new Error(`never came true: ${what}`);
  }

  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  async replicas(name: string): Promise<number> {
    const key = { namespace: NAMESPACE, name: `${name}-deployment` };
    const deployment = await this.client.get<Deployment>(kinds.Deployment, key);
    return deployment.spec.replicas ?? 1;
  }

  pa(name: string): Promise<PodAutoscaler> {
    return this.client.get(kinds.PodAutoscaler, { namespace: NAMESPACE, name });
  }

  sks(name: string): Promise<ServerlessService> {
    return this.client.get(kinds.ServerlessService, { namespace: NAMESPACE, name });
  }

  /** `True`, `False NoTraffic`, … */
  async condition(name: string, type: string): Promise<string> {
    const found = (await this.pa(name)).status?.conditions?.find((one) => one.type === type);
    return [found?.status, found?.reason].filter(Boolean).join(' ');
  }

  async #runCluster(): Promise<void> {
    for (const deployment of (await this.client.list<Deployment>(kinds.Deployment)).items) {
      await this.#runDeployment(deployment);
    }
    for (const sks of (await this.client.list<ServerlessService>(kinds.ServerlessService)).items) {
      await this.#runSks(sks);
    }
  }

  async #runDeployment(deployment: Deployment): Promise<void> {
    const wanted = deployment.spec.replicas ?? 1;
    const owner = deployment.metadata.name;
    const pods = (await this.client.list<Pod>(kinds.Pod)).items.filter(
      (pod) => pod.metadata.labels?.deployment === owner,
    );
    for (const pod of pods.slice(wanted)) {
      const key = { namespace: NAMESPACE, name: pod.metadata.name };
      await this.client.delete(kinds.Pod, key, { gracePeriodSeconds: 0 });
    }
    for (let missing = pods.length; missing < wanted; missing += 1) {
      this.#podNumber += 1;
      await this.#createPod(`${owner}-${this.#podNumber}`, deployment);
    }
  }

  async #createPod(name: string, deployment: Deployment): Promise<void> {
    const labels = { ...deployment.metadata.labels, deployment: deployment.metadata.name };
    const pod = await this.client.create<Pod>(kinds.Pod, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: NAMESPACE, labels },
      spec: { containers: [] },
    } as unknown as Pod);
    const startTime = new Date(this.clock.nowMs()).toISOString();
    const ready = (): void => {
      const conditions = [{ type: 'Ready', status: 'True' as const }];
      void this.client
        .updateStatus(kinds.Pod, { ...pod, status: { phase: 'Running', startTime, conditions } })
        .catch(() => undefined); // Deleted before it became ready.
    };
    if (this.podStartMs === 0) ready();
    else this.clock.setTimer(this.podStartMs, ready);
  }

  async #runSks(sks: ServerlessService): Promise<void> {
    const key = sks.metadata.name;
    const pods = (await this.client.list<Pod>(kinds.Pod)).items.filter(
      (pod) =>
        pod.metadata.labels?.['serving.knative.dev/revision'] === key &&
        pod.status?.phase === 'Running',
    );
    const status = structuredClone(sks.status ?? {});
    status.serviceName = key;
    status.privateServiceName = `${key}-private`;
    if (sks.metadata.generation !== undefined) status.observedGeneration = sks.metadata.generation;
    const conditions = new ConditionManager(
      CONDITION_SETS.ServerlessService,
      status,
      this.clock.nowMs(),
    );
    conditions.initialize();
    if (pods.length > 0) conditions.markTrue('EndpointsPopulated');
    else conditions.markUnknown('EndpointsPopulated', 'NoHealthyBackends', 'not ready');
    if (pods.length === 0 || sks.spec.mode === 'Proxy') {
      conditions.markTrue('ActivatorEndpointsPopulated');
    } else conditions.markFalse('ActivatorEndpointsPopulated', 'ServeMode', 'direct');
    const text = JSON.stringify(status);
    if (JSON.stringify(sks.status) === text) return;
    try {
      await this.client.updateStatus(kinds.ServerlessService, { ...sks, status } as KubeObject);
    } catch (error) {
      if (!isConflict(error)) throw error; // The autoscaler was faster; the next round sees it.
    }
  }
}

function collectLogs(into: { message: string }[]): Logger {
  return createLogger('test', {
    sink: { write: (line) => into.push(JSON.parse(line) as { message: string }) },
  });
}
