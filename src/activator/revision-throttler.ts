// Everything the activator knows about one revision: its gate, its pods and who waits (section 4 of
// ACT). A request passes the gate, which counts to the capacity of all usable pods, then takes a
// slot on one pod; both are given back when it ends. Policy only: no sockets, no timers but one.
// Invariants: trackers are published before the capacity that counts them (ACT-65); slots on usable
// pods never exceed the capacity, so an admitted request finds a free pod unless the list shrank in
// between, and then it queues again (ACT-58). Hot: admit, choosePod and leave run once per request.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import { Admission, Gate, type GateWaiter } from '../proxy/gate.ts';
import type { Upstream } from '../proxy/types.ts';
import { revisionCapacity } from './capacity.ts';
import type { ReportEntry, ReportSubject } from './concurrency-reporter.ts';
import { parseDest } from './destinations.ts';
import { type Dispatcher, type DispatchLane, DispatchLane as Lane } from './dispatcher.ts';
import { createLbPolicy, type LbPolicy } from './lb/policy.ts';
import { PodTracker } from './pod-tracker.ts';
import type { RevisionSettings } from './revision-settings.ts';
import { type ActivatorPlace, assignSlice, UNKNOWN_INDEX } from './slicing.ts';
import type { WakeLog } from './wake-log.ts';

/** Requests held per revision; the next one is refused with 503 (a real limit, unlike ACT-50). */
export const MAX_QUEUED_PER_REVISION = 10_000;
/** How long requests wait for a revision that is already known to have failed to start. */
export const FAILED_WAKE_GRACE_MS = 10_000;

/** A request as far as the throttler goes. */
export interface HeldRequest extends GateWaiter {
  /** Ends the wait with 503 and this text. */
  refuse(reason: string): void;
}

/** Where destinations come from (ACT-62). */
export const DestinationKind = {
  /** One pod of the revision. */
  POD: 0,
  /** The private Service, behind which a mesh chooses the pod. */
  CLUSTER_IP: 1,
} as const;
export type DestinationKind = (typeof DestinationKind)[keyof typeof DestinationKind];

/** The part of UpstreamPools the throttler needs. */
export interface UpstreamSource {
  at(host: string, port: number): Upstream;
  forget(upstream: Upstream): void;
}

export interface ThrottlerDeps {
  upstreams: UpstreamSource;
  dispatcher: Dispatcher;
  wake: WakeLog;
  clock: Clock;
  random: () => number;
  /** ACT-105: Host by which a mesh lets us through to single pods; null without one. */
  passthroughHost?: string | null;
  /** A pod could not be reached although nothing was sent: check it before using it again. */
  onSuspect(dest: string): void;
}

export class RevisionThrottler implements ReportSubject {
  readonly namespace: string;
  readonly name: string;
  /** ACT-43: fixed for the life of this object. 0 = unlimited. */
  readonly containerConcurrency: number;
  readonly lane: DispatchLane = new Lane();
  readonly dispatcher: Dispatcher;
  readonly wake: WakeLog;
  settings: RevisionSettings;
  reportEntry: ReportEntry | null = null;
  readonly #deps: ThrottlerDeps;
  readonly #gate = Gate.create(0, MAX_QUEUED_PER_REVISION);
  readonly #policy: LbPolicy;
  readonly #held = new Set<HeldRequest>();
  #trackers = new Map<string, PodTracker>();
  #assigned: readonly PodTracker[] = [];
  /** ACT-64: takes every request while it is set; there are no pod trackers then. */
  #clusterIp: PodTracker | null = null;
  /** Pods known to exist behind what is used (ACT-67, B). */
  #backendCount = 0;
  #place: ActivatorPlace = { count: 0, index: UNKNOWN_INDEX };
  #graceTimer: TimerHandle | null = null;

  constructor(namespace: string, name: string, settings: RevisionSettings, deps: ThrottlerDeps) {
    this.namespace = namespace;
    this.name = name;
    this.containerConcurrency = settings.containerConcurrency;
    this.settings = settings;
    this.dispatcher = deps.dispatcher;
    this.wake = deps.wake;
    this.#deps = deps;
    this.#policy = createLbPolicy(settings.containerConcurrency, deps.random);
  }

  /** Something to send requests to is known. */
  get hasPods(): boolean {
    return this.#backendCount > 0;
  }

  get capacity(): number {
    return this.#gate.limit;
  }

  /** Requests admitted and not ended. */
  get inFlight(): number {
    return this.#gate.inFlight;
  }

  get waiting(): number {
    return this.#gate.waiting;
  }

  onPokeSent(sentAtMs: number): void {
    this.wake.poked(sentAtMs);
  }

  /** Runs now, waits, or is refused because the queue is full. */
  admit(request: HeldRequest): Admission {
    const admission = this.#gate.acquire(request);
    if (admission === Admission.WAITING) this.#hold(request);
    return admission;
  }

  /** The gate let a waiting request through. */
  admitted(request: HeldRequest): void {
    this.#held.delete(request);
  }

  /** A slot on a pod; null: the list shrank since admission, the request must queue again. */
  choosePod(): PodTracker | null {
    const clusterIp = this.#clusterIp;
    if (clusterIp === null) return this.#policy.pick(this.#assigned);
    clusterIp.reserve();
    return clusterIp;
  }

  /** A waiting request leaves the queue. */
  cancel(request: HeldRequest): void {
    this.#gate.cancel(request);
    this.#held.delete(request);
    if (this.#held.size === 0 && !this.hasPods) this.wake.abandon();
  }

  /** Ends one admission. Release the pod's slot first, so whoever is admitted next finds it. */
  leave(): void {
    this.#gate.release();
  }

  /** A request could not be handed to `tracker`, of which nothing was sent. */
  suspect(tracker: PodTracker): void {
    if (this.#trackers.get(tracker.dest) === tracker) this.#deps.onSuspect(tracker.dest);
  }

  /** ACT-63: the pods that can take requests now. Running requests keep the tracker they have. */
  setPods(dests: readonly string[]): void {
    const previous = this.#trackers;
    const next = new Map<string, PodTracker>();
    for (const dest of [...dests].sort()) {
      next.set(dest, previous.get(dest) ?? this.#createTracker(dest, DestinationKind.POD));
    }
    this.#publish(next, null, next.size);
  }

  /** ACT-64: from now on everything goes to the ClusterIP, behind which there are so many pods. */
  setClusterIp(dest: string, backendCount: number): void {
    const current = this.#clusterIp;
    const tracker =
      current?.dest === dest ? current : this.#createTracker(dest, DestinationKind.CLUSTER_IP);
    this.#publish(new Map(), tracker, backendCount);
  }

  /** ACT-72. */
  setPlace(place: ActivatorPlace): void {
    if (place.count === this.#place.count && place.index === this.#place.index) return;
    this.#place = place;
    this.#assign();
    this.#resize();
  }

  /**
   * New settings of the same revision. If its start has just failed and there is no pod, everybody
   * waiting is told why at once instead of after their timeout (differs from ACT-222).
   */
  update(settings: RevisionSettings): void {
    const previous = this.settings.failure;
    this.settings = settings;
    const { failure } = settings;
    if (failure !== null && failure !== previous && !this.hasPods) this.#refuseAll(failure);
    this.#watchFailure();
  }

  /** ACT-44: the revision is gone. What is queued or running goes on; nothing idle is kept. */
  stop(): void {
    this.#endGrace();
    for (const { upstream } of this.#trackers.values()) this.#deps.upstreams.forget(upstream);
    if (this.#clusterIp !== null) this.#deps.upstreams.forget(this.#clusterIp.upstream);
  }

  #hold(request: HeldRequest): void {
    this.#held.add(request);
    if (!this.hasPods) {
      this.wake.begin();
      this.#watchFailure();
    }
  }

  /** A start that failed earlier may succeed now: new requests wait a while before giving up. */
  #watchFailure(): void {
    const isHopeless = this.settings.failure !== null && !this.hasPods && this.#held.size > 0;
    if (!isHopeless) {
      this.#endGrace();
      return;
    }
    this.#graceTimer ??= this.#deps.clock.setTimer(
      FAILED_WAKE_GRACE_MS,
      () => {
        this.#graceTimer = null;
        const { failure } = this.settings;
        if (failure !== null && !this.hasPods) this.#refuseAll(failure);
      },
      { background: true },
    );
  }

  #refuseAll(reason: string): void {
    for (const request of [...this.#held]) request.refuse(reason);
  }

  #endGrace(): void {
    this.#graceTimer?.cancel();
    this.#graceTimer = null;
  }

  #createTracker(dest: string, kind: DestinationKind): PodTracker {
    const { upstreams, passthroughHost = null } = this.#deps;
    const { host, port } = parseDest(dest);
    const upstream = upstreams.at(host, port);
    // ACT-64: behind a ClusterIP nobody counts per pod.
    if (kind === DestinationKind.CLUSTER_IP) return new PodTracker({ dest, upstream, limit: 0 });
    return new PodTracker({ dest, upstream, limit: this.containerConcurrency, passthroughHost });
  }

  /** ACT-65: first where requests may go, then which of it is ours, then how many. */
  #publish(
    trackers: Map<string, PodTracker>,
    clusterIp: PodTracker | null,
    backendCount: number,
  ): void {
    const [oldTrackers, oldClusterIp] = [this.#trackers, this.#clusterIp];
    const isWake = !this.hasPods && backendCount > 0;
    this.#trackers = trackers;
    this.#clusterIp = clusterIp;
    this.#backendCount = backendCount;
    this.#assign();
    if (isWake) this.wake.ready();
    this.#resize();
    for (const [dest, { upstream }] of oldTrackers) {
      if (!trackers.has(dest)) this.#deps.upstreams.forget(upstream);
    }
    if (oldClusterIp !== null && oldClusterIp !== clusterIp) {
      this.#deps.upstreams.forget(oldClusterIp.upstream);
    }
    this.#watchFailure();
  }

  /** ACT-66, ACT-74. */
  #assign(): void {
    const trackers = [...this.#trackers.values()];
    const { count, index } = this.#place;
    this.#assigned =
      this.containerConcurrency === 0 ? trackers : assignSlice(trackers, count, index);
  }

  /** ACT-67. */
  #resize(): void {
    this.#gate.resize(
      revisionCapacity({
        containerConcurrency: this.containerConcurrency,
        assignedCount: this.#assigned.length,
        backendCount: this.#backendCount,
        activatorCount: this.#place.count,
      }),
    );
  }
}
