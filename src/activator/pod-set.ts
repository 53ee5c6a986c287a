// Where requests of one revision can go: its pods with their slots, or the ClusterIP that stands in
// for them, and which part of that is this activator's (ACT-52, ACT-62 to ACT-67, ACT-74). Policy
// only: no sockets, no queue. Trackers outlive changes of the list around them, so that requests
// under way are never forgotten (ACT-63).
// Invariant: the slots of the assigned pods add up to `capacity`, unless there is no limit.
// Hot: `choose` runs once per request.

import type { Upstream } from '../proxy/types.ts';
import { revisionCapacity } from './capacity.ts';
import { parseDest } from './destinations.ts';
import { createLbPolicy, type LbPolicy } from './lb/policy.ts';
import { PodTracker, type PodTrackerOptions } from './pod-tracker.ts';
import type { UpstreamSource } from './revision-throttler.ts';
import { type ActivatorPlace, assignSlice, UNKNOWN_INDEX } from './slicing.ts';

export interface PodSetOptions {
  upstreams: UpstreamSource;
  random: () => number;
  /** ACT-105: Host by which a mesh lets us through to single pods; null without one. */
  passthroughHost: string | null;
  /** Where several threads count on one pod; absent with one thread. */
  createTracker?: (options: PodTrackerOptions) => PodTracker;
}

export class PodSet {
  /** Requests per pod, 0 = unlimited. */
  readonly #limit: number;
  readonly #options: PodSetOptions;
  readonly #policy: LbPolicy;
  #trackers = new Map<string, PodTracker>();
  /**
   * Pods that are listed, have to prove themselves again and still run requests of ours: their
   * slots are not forgotten. At most as many as the Endpoints list.
   */
  #resting: Map<string, PodTracker> | null = null;
  #assigned: readonly PodTracker[] = [];
  /** ACT-64: takes every request while it is set; there are no pod trackers then. */
  #clusterIp: PodTracker | null = null;
  /** Pods known to exist behind what is used (ACT-67, B). */
  #backendCount = 0;
  #place: ActivatorPlace = { count: 0, index: UNKNOWN_INDEX };

  constructor(containerConcurrency: number, options: PodSetOptions) {
    this.#limit = containerConcurrency;
    this.#options = options;
    this.#policy = createLbPolicy(containerConcurrency, options.random);
  }

  /** Something to send requests to is known. */
  get hasPods(): boolean {
    return this.#backendCount > 0;
  }

  /** ACT-67. */
  get capacity(): number {
    return revisionCapacity({
      containerConcurrency: this.#limit,
      assignedCount: this.#assigned.length,
      backendCount: this.#backendCount,
      activatorCount: this.#place.count,
    });
  }

  /** A slot on a pod; null when none is free. */
  choose(): PodTracker | null {
    const clusterIp = this.#clusterIp;
    if (clusterIp === null) return this.#policy.pick(this.#assigned);
    return this.#backendCount > 0 && clusterIp.reserve() ? clusterIp : null;
  }

  /** There is another pod than that one, which may have left the list. */
  hasOther(tracker: PodTracker): boolean {
    return this.#assigned.some((each) => each !== tracker);
  }

  /** The tracker is in use now; false for the ClusterIP and for pods that left. */
  has(tracker: PodTracker): boolean {
    return this.#trackers.get(tracker.dest) === tracker;
  }

  /**
   * The pods that can take requests now. `unproven` pods are listed but do not answer at the moment:
   * what runs on them counts again when they are back. A pod that left the list starts afresh
   * (ACT-101).
   */
  setPods(dests: readonly string[], unproven: readonly string[]): void {
    const next = new Map<string, PodTracker>();
    for (const dest of [...dests].sort()) {
      next.set(dest, this.#trackers.get(dest) ?? this.#wake(dest) ?? this.#createPod(dest));
    }
    const resting = new Map<string, PodTracker>();
    for (const dest of unproven) {
      const tracker = this.#trackers.get(dest) ?? this.#resting?.get(dest);
      if (tracker !== undefined && tracker.inFlight > 0) resting.set(dest, tracker);
    }
    this.#resting = resting.size > 0 ? resting : null;
    this.#publish(next, null, next.size);
  }

  /** From now on everything goes to the ClusterIP, behind which there are so many pods. */
  setClusterIp(dest: string, backendCount: number): void {
    const current = this.#clusterIp?.dest === dest ? this.#clusterIp : null;
    this.#resting = null;
    // Behind a ClusterIP nobody counts per pod.
    const tracker = current ?? new PodTracker({ dest, upstream: this.#upstreamAt(dest), limit: 0 });
    this.#publish(new Map(), tracker, backendCount);
  }

  /** ACT-72; false when nothing changed. */
  setPlace(place: ActivatorPlace): boolean {
    if (place.count === this.#place.count && place.index === this.#place.index) return false;
    this.#place = place;
    this.#assign();
    return true;
  }

  /** Nothing idle is kept any more; requests under way go on. */
  close(): void {
    for (const { upstream } of this.#trackers.values()) this.#options.upstreams.forget(upstream);
    if (this.#clusterIp !== null) this.#options.upstreams.forget(this.#clusterIp.upstream);
  }

  #createPod(dest: string): PodTracker {
    const { passthroughHost, createTracker } = this.#options;
    const upstream = this.#upstreamAt(dest);
    const options = { dest, upstream, limit: this.#limit, passthroughHost };
    return createTracker?.(options) ?? new PodTracker(options);
  }

  /** A resting pod answers again; the connections it had were given up. */
  #wake(dest: string): PodTracker | undefined {
    const tracker = this.#resting?.get(dest);
    if (tracker !== undefined) tracker.upstream = this.#upstreamAt(dest);
    return tracker;
  }

  #upstreamAt(dest: string): Upstream {
    const { host, port } = parseDest(dest);
    return this.#options.upstreams.at(host, port);
  }

  #publish(
    trackers: Map<string, PodTracker>,
    clusterIp: PodTracker | null,
    backendCount: number,
  ): void {
    const { upstreams } = this.#options;
    for (const [dest, { upstream }] of this.#trackers) {
      if (!trackers.has(dest)) upstreams.forget(upstream);
    }
    if (this.#clusterIp !== null && this.#clusterIp !== clusterIp) {
      upstreams.forget(this.#clusterIp.upstream);
    }
    this.#trackers = trackers;
    this.#clusterIp = clusterIp;
    this.#backendCount = backendCount;
    this.#assign();
  }

  /** ACT-66, ACT-74. */
  #assign(): void {
    const trackers = [...this.#trackers.values()];
    const { count, index } = this.#place;
    this.#assigned = this.#limit === 0 ? trackers : assignSlice(trackers, count, index);
  }
}
