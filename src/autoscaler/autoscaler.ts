// The autoscaler without its sockets: informers, collector, Deciders and the two reconcilers, wired
// to each other (AS-1, AS-2). `start.ts` adds the stat socket; tests drive this with an in-memory
// client and a fake clock. The path of a wake: stats() -> recorded -> decided on the spot -> scale
// patch sent, in one turn.

import type { Metric, PodAutoscaler } from '../api/autoscaling.ts';
import type { Deployment, Endpoints, Pod } from '../api/core.ts';
import type { RevisionSummary } from '../api/decisions.ts';
import * as kinds from '../api/kinds.ts';
import type { ServerlessService } from '../api/networking.ts';
import { controllerOf, joinKey, type KubeObject, objectKey } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { Controller } from '../kube/controller.ts';
import { EventRecorder } from '../kube/events.ts';
import type { InformerFactory, KubeClient, Reconciler } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { logWakePhase } from '../telemetry/wake.ts';
import type { StatMessage } from '../wire/stat.ts';
import { ActivatorProbe, type ResolveService } from './activator-probe.ts';
import { AutoscalerMetrics } from './autoscaler-metrics.ts';
import { ChildWriter } from './child-writer.ts';
import { Collector } from './collector.ts';
import { ConfigWatch } from './config-watch.ts';
import { type Decider, Deciders, type DecisionCause } from './deciders.ts';
import type { DecisionPool } from './decision-pool.ts';
import { summarize, viewDecisions } from './decisions-view.ts';
import { HighAvailability } from './ha/high-availability.ts';
import type { Ownership } from './ha/ownership.ts';
import type { ReplicaSink } from './ha/replica-source.ts';
import { HpaClass } from './hpa/hpa-class.ts';
import { IdleFirst } from './idle-first.ts';
import { MetricReconciler } from './metric-reconciler.ts';
import { MetricStore } from './metric-store.ts';
import { PodAutoscalerReconciler } from './pod-autoscaler-reconciler.ts';
import { PodCounter } from './pod-counter.ts';
import { ScaleTargets } from './scale-target.ts';
import { createScrapeClient, type ScrapeClient } from './scrape-client.ts';
import { type MeshSettings, outcomeWithoutPods, scrapeRevision } from './scraper.ts';
import { StatIngest } from './stat-ingest.ts';
import { WakeNotices } from './wake-notices.ts';

/**
 * A poked revision gets its full pass after so long, or when its first pod is ready, whichever is
 * earlier: what the pass says of the time in between would only compete with the start of the pod.
 */
const LATEST_PASS_MS = 100;
/** Revisions in one overview; those made last are left out and only counted. */
const MAX_OVERVIEW_ROWS = 10_000;

export interface AutoscalerOptions {
  client: KubeClient;
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  random: () => number;
  systemNamespace: string;
  clusterDomain: string;
  resolveService: ResolveService;
  /** null = decide on this thread only. */
  pool: DecisionPool | null;
  /** How long a key rests between two passes, in ms. Default 0. */
  restMs?: number;
  /** What several autoscalers share; absent = this is the only one. */
  group?: AutoscalerGroup;
  /** Goes to the activators that asked for it (wake-notice.ts). */
  onWakeNotice?: (text: string) => void;
}

/** AS-166 to AS-180. */
export interface AutoscalerGroup {
  ownership: Ownership;
  podIp: string;
  /** The stat socket of every member. */
  port: number;
  onFatal: (error: unknown) => void;
}

export class Autoscaler {
  readonly #options: AutoscalerOptions;
  /** AS-184. */
  readonly metrics: AutoscalerMetrics;
  readonly #config: ConfigWatch;
  readonly #collector: Collector;
  readonly #deciders: Deciders;
  readonly #store: MetricStore;
  readonly #group: HighAvailability | null;
  readonly #ingest: StatIngest;
  readonly #probe: ActivatorProbe;
  readonly #pods: PodCounter;
  readonly #idleFirst: IdleFirst;
  readonly #wakeNotices: WakeNotices;
  readonly #recorder: EventRecorder;
  readonly #reconciler: PodAutoscalerReconciler;
  readonly #podAutoscalers: Controller;
  readonly #metrics: Controller;
  readonly #hpas: HpaClass;
  readonly #scrapeClient: ScrapeClient;
  readonly #unwatch: (() => void)[] = [];
  #mesh: MeshSettings = { mode: 'auto', podAddressability: false };

  constructor(options: AutoscalerOptions) {
    const { client, informers, clock, logger, random } = options;
    this.#options = options;
    this.#config = new ConfigWatch(options);
    this.#recorder = new EventRecorder({ ...options, component: 'autoscaler' });
    this.#probe = new ActivatorProbe(options);
    this.#scrapeClient = createScrapeClient(clock);
    const store = new MetricStore();
    this.#store = store;
    const pods = new PodCounter(informers.informer<Pod>(kinds.Pod));
    this.#pods = pods;
    const idleFirst = new IdleFirst({ client, pods, clock, logger });
    this.#idleFirst = idleFirst;
    this.#wakeNotices = new WakeNotices(clock, options.onWakeNotice ?? (() => undefined));
    const endpoints = informers.informer<Endpoints>(kinds.Endpoints).lister;
    const sks = informers.informer<ServerlessService>(kinds.ServerlessService).lister;
    const metrics = informers.informer<Metric>(kinds.Metric).lister;
    const deployments = informers.informer<Deployment>(kinds.Deployment).lister;
    this.#deciders = new Deciders({
      store,
      clock,
      logger,
      readyPods: (key) => pods.ready(key),
      pool: options.pool,
      onDecided: (row) => this.#group?.decided(row),
    });
    const podAutoscalers = informers.informer<PodAutoscaler>(kinds.PodAutoscaler).lister;
    this.metrics = new AutoscalerMetrics({ deciders: this.#deciders, pods, podAutoscalers });
    this.#collector = new Collector({
      store,
      clock,
      foresee: (target) => outcomeWithoutPods(target, { pods, endpoints, mesh: this.#mesh }),
      scrape: async (target, stableWindowMs, nowMs) => {
        const startedMs = clock.monotonicMs();
        const outcome = await scrapeRevision(target, stableWindowMs, nowMs, {
          client: this.#scrapeClient,
          pods,
          endpoints,
          mesh: this.#mesh,
          random,
          onPodStats: (key, stats) => idleFirst.note(key, stats),
        });
        const isEmpty = outcome.stat === null && outcome.failure === null;
        if (!isEmpty) this.metrics.noteScrape(clock.monotonicMs() - startedMs);
        return outcome;
      },
    });
    const pass = { client, clock, recorder: this.#recorder };
    this.#reconciler = new PodAutoscalerReconciler({
      ...pass,
      logger,
      lister: podAutoscalers,
      sksLister: sks,
      config: this.#config,
      deciders: this.#deciders,
      pods,
      children: new ChildWriter({ client, sks, metrics }),
      targets: new ScaleTargets({
        ...{ client, deployments, clock, logger, idleFirst },
        onWoken: (key) => this.#wakeNotices.scaled(key),
      }),
      probe: this.#probe,
      enqueueAfter: (key, delayMs) => this.#podAutoscalers.enqueueAfter(key, delayMs),
    });
    const metricReconciler = new MetricReconciler(pass, metrics, this.#collector);
    this.#podAutoscalers = new Controller({
      ...options,
      name: 'podautoscaler',
      reconciler: this.#onlyOwn(this.#reconciler),
    });
    const reconciler = this.#onlyOwn(metricReconciler);
    this.#metrics = new Controller({ ...options, name: 'metric', reconciler });
    this.#hpas = new HpaClass({ ...pass, ...options, config: this.#config, sks, metrics });
    this.#group = options.group === undefined ? null : this.#join(options.group);
    this.#ingest = new StatIngest({
      collector: this.#collector,
      deciders: this.#deciders,
      clock,
      ownership: options.group?.ownership ?? null,
      onOthers: (messages) => this.stats(messages),
    });
    this.#watch(pods);
  }

  /** The informers must have synced. */
  start(): void {
    this.#mesh = this.#config.readMesh();
    this.#config.onChange(() => this.#enqueueAll());
    this.#deciders.onChange((decider, previous, cause) =>
      this.#onDecision(decider, previous, cause),
    );
    this.#collector.onOutcome((key) => this.#metrics.enqueue(key));
    this.#metrics.start();
    this.#podAutoscalers.start();
    this.#hpas.start();
    this.#group?.start();
  }

  async stop(): Promise<void> {
    for (const unwatch of this.#unwatch) unwatch();
    await this.#group?.stop();
    this.#config.stop();
    this.#deciders.stop();
    this.#collector.stop();
    this.#probe.stop();
    this.#scrapeClient.close();
    await Promise.all([this.#podAutoscalers.stop(), this.#metrics.stop(), this.#hpas.stop()]);
    await this.#recorder.stop();
    await this.#options.pool?.close();
  }

  /** AS-58: stats as they were pushed. Throws on bytes that are no such message. */
  statFrame(bytes: Uint8Array): void {
    this.#ingest.take(bytes);
  }

  /** AS-154, AS-173: pushed stats; those of own revisions are acted upon before this returns. */
  stats(messages: StatMessage[]): void {
    if (this.#group === null) this.#record(messages);
    else this.#group.route(messages);
  }

  /** Whether this process could take over that bucket without losing its windows. */
  isWarm(bucket: string): boolean {
    return this.#group?.isWarm(bucket) ?? false;
  }

  /** AS-180: whether a client that asked for that bucket is at the right place. */
  ownsBucket(bucket: string): boolean {
    return this.#options.group?.ownership.isOwned(bucket) ?? true;
  }

  /** Another member wants a copy of the windows of that bucket; null = not ours to give. */
  subscribe(bucket: string, sink: ReplicaSink): (() => void) | null {
    return this.#group?.subscribe(bucket, sink) ?? null;
  }

  #record(messages: readonly StatMessage[]): void {
    for (const { namespace, name, stat } of messages) {
      const key = joinKey(namespace, name);
      const isRecorded = this.#collector.record(key, stat);
      if (isRecorded && stat.averageConcurrentRequests !== 0) this.#deciders.poke(key);
    }
  }

  /** JSON of the recent decisions of `namespace/name`; null = no such Decider. */
  decisions(key: string): string | null {
    const decider = this.#deciders.get(key);
    if (decider === undefined) return null;
    const view = viewDecisions(decider, this.#pods.counts(key));
    return `${JSON.stringify(view, null, 2)}\n`;
  }

  /** JSON of the present state of every revision, for `pilotlight top`. */
  overview(): string {
    const nowMs = this.#options.clock.nowMs();
    const revisions: RevisionSummary[] = [];
    for (const decider of this.#deciders.all()) {
      if (revisions.length === MAX_OVERVIEW_ROWS) break;
      revisions.push(summarize(decider, this.#pods.counts(decider.key), nowMs));
    }
    return `${JSON.stringify({ total: this.#deciders.size, revisions })}\n`;
  }

  /** AS-170. */
  #onlyOwn(inner: Reconciler): Reconciler {
    const { group } = this.#options;
    if (group === undefined) return inner;
    return {
      reconcile: async (key) =>
        group.ownership.owns(key) ? inner.reconcile(key) : Promise.resolve(undefined),
    };
  }

  #join(group: AutoscalerGroup): HighAvailability {
    return new HighAvailability({
      ...this.#options,
      ...group,
      store: this.#store,
      onOwnStats: (messages) => this.#record(messages),
      onGained: () => this.#enqueueAll(),
      onLost: (bucket) => this.#forget(group.ownership, bucket),
    });
  }

  /** Unlike the reference (AS-170) nothing of a lost bucket goes on deciding here. */
  #forget(ownership: Ownership, bucket: string): void {
    const isLost = (key: string): boolean => ownership.bucketOf(key) === bucket;
    for (const { key } of [...this.#deciders.all()]) {
      if (!isLost(key)) continue;
      this.#deciders.delete(key);
      this.#idleFirst.forget(key);
    }
    for (const key of [...this.#collector.keys()]) if (isLost(key)) this.#collector.delete(key);
  }

  #onDecision(decider: Decider, previous: number, cause: DecisionCause): void {
    const { key, recommendation, spec } = decider;
    const { logger, clock } = this.#options;
    const wasAtZero = previous === 0 || (previous < 0 && spec.initialScale === 0);
    if (cause === 'poke')
      this.#scaleFirst(key); // Sent before anything is logged.
    else this.#podAutoscalers.enqueue(key);
    if (!wasAtZero || recommendation <= 0) return;
    this.#wakeNotices.decided(key);
    logWakePhase(logger, clock, key, 'decided');
  }

  /** The scale before anything else; a full pass at once only if that could not be written. */
  #scaleFirst(key: string): void {
    void this.#reconciler.scaleNow(key).then((isDone) => {
      if (!isDone) this.#podAutoscalers.enqueue(key);
    });
    this.#podAutoscalers.enqueueAfter(key, LATEST_PASS_MS);
  }

  /** AS-124. */
  #watch(pods: PodCounter): void {
    const { informers } = this.#options;
    const enqueue = (key: string): void => this.#podAutoscalers.enqueue(key);
    const owned = (current: KubeObject | null, previous: KubeObject | null): void => {
      const child = current ?? previous;
      const owner = child === null ? undefined : controllerOf(child);
      if (child !== null && owner?.kind === kinds.PodAutoscaler.kind) {
        enqueue(joinKey(child.metadata.namespace, owner.name));
      }
    };
    const self =
      (push: (key: string) => void) =>
      (current: KubeObject | null, previous: KubeObject | null): void => {
        const object = current ?? previous;
        if (object !== null) push(objectKey(object));
      };
    this.#unwatch.push(
      informers.informer(kinds.PodAutoscaler).onChange(self(enqueue)),
      informers.informer(kinds.ServerlessService).onChange(owned),
      informers.informer(kinds.Metric).onChange(owned),
      informers.informer(kinds.Metric).onChange(self((key) => this.#metrics.enqueue(key))),
      pods.onReadyChange((key) => {
        this.#deciders.podsChanged(key);
        enqueue(key);
      }),
    );
  }

  #enqueueAll(): void {
    const { lister } = this.#options.informers.informer<PodAutoscaler>(kinds.PodAutoscaler);
    for (const pa of lister.list()) {
      this.#podAutoscalers.enqueue(objectKey(pa));
      this.#hpas.enqueue(objectKey(pa));
      this.#metrics.enqueue(objectKey(pa));
    }
  }
}
