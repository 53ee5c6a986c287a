// Wires the controllers a bare Kubernetes API lacks: Deployments, Endpoints, garbage collection and
// namespaces. Each starts as soon as its own caches are filled; nothing here knows who runs it.

import type { CoreService, Deployment, Endpoints, Pod } from '../api/core.ts';
import type { HorizontalPodAutoscaler } from '../api/horizontal-pod-autoscaler.ts';
import {
  ALL_KINDS,
  Deployment as DeploymentKind,
  Endpoints as EndpointsKind,
  Event as EventKind,
  HorizontalPodAutoscaler as HpaKind,
  Namespace as NamespaceKind,
  Pod as PodKind,
  CoreService as ServiceKind,
} from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import type { PodUsageSource } from '../api/pod-usage.ts';
import type { Clock } from '../clock/clock.ts';
import { Controller } from '../kube/controller.ts';
import type { Informer, InformerFactory, KubeClient, Reconciler } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { CollectorReconciler } from './collector/reconciler.ts';
import { DeploymentReconciler } from './deployment/reconciler.ts';
import { EndpointsReconciler } from './endpoints/reconciler.ts';
import { HpaReconciler } from './hpa/reconciler.ts';
import { NamespaceReconciler } from './namespaces/reconciler.ts';

export interface ClusterOptions {
  client: KubeClient;
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  random: () => number;
  /** Binds every pod to this node as it is created; absent leaves binding to a node agent. */
  nodeName?: string;
  /** What pods use, for HorizontalPodAutoscalers; absent leaves those to others. */
  podUsage?: PodUsageSource;
  /** How long a Deployment rests between two passes, in ms. Default 0. */
  restMs?: number;
}

export interface Cluster {
  /** Starts no further work and waits for what runs, 5 s at most. */
  stop(): Promise<void>;
}

interface WatchingReconciler extends Reconciler {
  watch(enqueue: (key: string) => void): void;
}

/** Returns at once; the informers may be started before or after. */
export function startCluster(options: ClusterOptions): Cluster {
  const { client, informers, logger } = options;
  const pods = informers.informer<Pod>(PodKind);
  const deployments = informers.informer<Deployment>(DeploymentKind);
  const services = informers.informer<CoreService>(ServiceKind);
  const endpoints = informers.informer<Endpoints>(EndpointsKind);
  const namespaces = informers.informer<KubeObject>(NamespaceKind);
  // Events are nobody's owner and nobody's dependent, and there are many.
  const collected = ALL_KINDS.filter((kind) => kind !== EventKind).map((kind) =>
    informers.informer<KubeObject>(kind),
  );
  const controllers = [
    run(
      options,
      'deployments',
      [deployments, pods],
      new DeploymentReconciler({
        ...options,
        deployments,
        pods,
      }),
      options.restMs,
    ),
    run(
      options,
      'endpoints',
      [services, pods, endpoints],
      new EndpointsReconciler({
        client,
        services,
        pods,
        endpoints,
      }),
    ),
    run(
      options,
      'garbage collection',
      collected,
      new CollectorReconciler({
        client,
        informers: collected,
        logger,
      }),
    ),
    ...startHpas(options, deployments, pods),
    run(options, 'namespaces', [namespaces], new NamespaceReconciler({ client, namespaces })),
  ];
  return {
    async stop() {
      await Promise.all(controllers.map((controller) => controller.stop()));
    },
  };
}

function startHpas(
  options: ClusterOptions,
  deployments: Informer<Deployment>,
  pods: Informer<Pod>,
): Controller[] {
  const { podUsage: usage } = options;
  if (usage === undefined) return [];
  const hpas = options.informers.informer<HorizontalPodAutoscaler>(HpaKind);
  const reconciler = new HpaReconciler({ ...options, hpas, deployments, pods, usage });
  return [run(options, 'horizontal pod autoscalers', [hpas, deployments, pods], reconciler)];
}

function run(
  options: ClusterOptions,
  name: string,
  needs: readonly { whenSynced(): Promise<void> }[],
  reconciler: WatchingReconciler,
  restMs = 0,
): Controller {
  const { clock, logger, random } = options;
  const controller = new Controller({ name, reconciler, restMs, clock, logger, random });
  reconciler.watch((key) => controller.enqueue(key));
  void Promise.all(needs.map((informer) => informer.whenSynced())).then(() => controller.start());
  return controller;
}
