// Everything the activator knows about one revision: its gate, its pods and who waits (section 4 of
// ACT). A request passes the gate, which counts to the capacity of all usable pods, then takes a
// slot on one pod; both are given back when it ends. Policy only: no sockets, no timers but one.
// Invariants: trackers are published before the capacity that counts them (ACT-65); slots on usable
// pods never exceed the capacity, so an admitted request finds a free pod unless the list shrank in
// between, and then it is displaced: it keeps its slot of the gate and gets the next free pod
// before anybody in the queue (ACT-58). Hot: admit, choosePod and leave run once per request.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import { Admission, Gate, type GateWaiter } from '../proxy/gate.ts';
import type { Upstream } from '../proxy/types.ts';
import type { ReportEntry, ReportSubject } from './concurrency-reporter.ts';
import { type Dispatcher, type DispatchLane, DispatchLane as Lane } from './dispatcher.ts';
import type { ObservedRevision } from './observed-revision.ts';
import { PodSet } from './pod-set.ts';
import type { PodTracker } from './pod-tracker.ts';
import type { RevisionSettings } from './revision-settings.ts';
import type { ActivatorPlace } from './slicing.ts';
import type { PodState, ThrottlerTeam } from './threads/throttler-team.ts';
import type { WakeLog } from './wake-log.ts';

/** Requests held per revision; the next one is refused with 503 (a real limit, unlike ACT-50). */
export const MAX_QUEUED_PER_REVISION = 10_000;
/** Pause between looks for a pod that another thread may have freed (decision 0018). */
const DISPLACED_RETRY_MS = 5;
/** How long requests wait for a revision that is already known to have failed to start. */
export const FAILED_WAKE_GRACE_MS = 10_000;

/** A request as far as the throttler goes. */
export interface HeldRequest extends GateWaiter {
  /** Ends the wait with 503 and this text. */
  expel(reason: string): void;
  /** A displaced request gets a slot on a pod, taken already. */
  grant(tracker: PodTracker): void;
}

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
  /** Requests held; default MAX_QUEUED_PER_REVISION. */
  queueLimit?: number;
  /** The same revision in other threads; absent with one thread. */
  team?: ThrottlerTeam;
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
  observed: ObservedRevision | null = null;
  readonly #deps: ThrottlerDeps;
  readonly #gate: Gate;
  readonly #pods: PodSet;
  /** Waiting in the gate. */
  readonly #held = new Set<HeldRequest>();
  /** Admitted and without a pod, oldest first; never more than the gate has admitted. */
  readonly #displaced = new Set<HeldRequest>();
  #graceTimer: TimerHandle | null = null;
  /** When the last pod went, in monotonic ms. */
  #podsLostMs = Number.NEGATIVE_INFINITY;
  #displacedTimer: TimerHandle | null = null;

  constructor(namespace: string, name: string, settings: RevisionSettings, deps: ThrottlerDeps) {
    this.namespace = namespace;
    this.name = name;
    this.containerConcurrency = settings.containerConcurrency;
    this.settings = settings;
    this.dispatcher = deps.dispatcher;
    this.wake = deps.wake;
    this.#deps = deps;
    const { team } = deps;
    this.#gate = team?.gate ?? Gate.create(0, deps.queueLimit ?? MAX_QUEUED_PER_REVISION);
    this.#pods = new PodSet(settings.containerConcurrency, {
      upstreams: deps.upstreams,
      random: deps.random,
      passthroughHost: deps.passthroughHost ?? null,
      ...(team === undefined ? {} : { createTracker: (options) => team.createTracker(options) }),
    });
  }

  /** Something to send requests to is known. */
  get hasPods(): boolean {
    return this.#pods.hasPods;
  }

  get capacity(): number {
    return this.#gate.limit;
  }

  /** Requests on their way to a pod or on one. */
  get inFlight(): number {
    return this.#gate.inFlight - this.#displaced.size;
  }

  /** Requests waiting, whether for capacity or, displaced, for a pod. */
  get waiting(): number {
    return this.#gate.waiting + this.#displaced.size;
  }

  onPokeSent(sentAtMs: number): void {
    this.wake.reported(sentAtMs);
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

  /** A slot on a pod; null: the list shrank since admission, the request is displaced. */
  choosePod(): PodTracker | null {
    return this.#pods.choose();
  }

  /** A waiting request leaves the queue. */
  cancel(request: HeldRequest): void {
    this.#gate.cancel(request);
    this.#held.delete(request);
    this.#endIdleWake();
  }

  /** Ends one admission. Release the pod's slot first, so whoever is next finds it. */
  leave(): void {
    if (this.#displaced.size > 0) this.#serveDisplaced();
    this.#gate.release();
  }

  /** An admitted request found no pod: it waits for one in front of everybody in the queue. */
  displace(request: HeldRequest): void {
    this.#displaced.add(request);
    if (this.#deps.team !== undefined) this.#watchOtherThreads();
    if (this.hasPods) return;
    this.wake.begin();
    this.#watchFailure();
  }

  /** A displaced request gives up; its admission is ended with `leave`. */
  giveUp(request: HeldRequest): void {
    this.#displaced.delete(request);
    this.#endIdleWake();
  }

  /** Another pod than `tracker` can take requests. */
  hasOther(tracker: PodTracker): boolean {
    return this.#pods.hasOther(tracker);
  }

  /** A request could not be handed to `tracker`, of which nothing was sent. */
  suspect(tracker: PodTracker): void {
    if (this.#pods.has(tracker)) this.#deps.onSuspect(tracker.dest);
  }

  /** The same, seen by another thread. */
  suspectDest(dest: string): void {
    this.#deps.onSuspect(dest);
  }

  /**
   * ACT-63: the pods that can take requests now. `unproven` pods are listed and do not answer at the
   * moment; see PodSet.
   */
  setPods(dests: readonly string[], unproven: readonly string[] = []): void {
    const wasEmpty = !this.hasPods;
    this.#pods.setPods(dests, unproven);
    this.#publish(wasEmpty, { kind: 'pods', dests, unproven });
  }

  /** ACT-64: from now on everything goes to the ClusterIP, behind which there are so many pods. */
  setClusterIp(dest: string, backendCount: number): void {
    const wasEmpty = !this.hasPods;
    this.#pods.setClusterIp(dest, backendCount);
    this.#publish(wasEmpty, { kind: 'clusterIp', dest, backendCount });
  }

  /** ACT-72. */
  setPlace(place: ActivatorPlace): void {
    if (this.#pods.setPlace(place)) this.#publish(!this.hasPods, { kind: 'place', place });
  }

  /**
   * New settings of the same revision. If its start has just failed and there is no pod, everybody
   * waiting is told why at once instead of after their timeout (differs from ACT-222). Not so when
   * a pod was there a moment ago: its container is being restarted, and the grace time decides.
   */
  update(settings: RevisionSettings): void {
    const previous = this.settings.failure;
    this.settings = settings;
    this.#deps.team?.settingsChanged(settings);
    const { failure } = settings;
    const sinceLostMs = this.#deps.clock.monotonicMs() - this.#podsLostMs;
    const isFirstStart = !this.hasPods && sinceLostMs >= FAILED_WAKE_GRACE_MS;
    if (failure !== null && failure !== previous && isFirstStart) this.#refuseAll(failure);
    this.#watchFailure();
  }

  /** ACT-44: the revision is gone. What is queued or running goes on; nothing idle is kept. */
  stop(): void {
    this.#endGrace();
    this.#deps.team?.forget();
    this.#pods.close();
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
    const isHopeless = this.settings.failure !== null && !this.hasPods && this.#hasWaiting;
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
    for (const request of [...this.#displaced, ...this.#held]) request.expel(reason);
  }

  get #hasWaiting(): boolean {
    return this.#held.size + this.#displaced.size > 0;
  }

  #endIdleWake(): void {
    if (!this.hasPods && !this.#hasWaiting) this.wake.abandon();
  }

  #serveDisplaced(): void {
    for (const request of this.#displaced) {
      const tracker = this.choosePod();
      if (tracker === null) return;
      this.#displaced.delete(request);
      request.grant(tracker);
    }
  }

  /** Another thread frees a pod without telling; it is rare that anybody waits for that. */
  #watchOtherThreads(): void {
    this.#displacedTimer ??= this.#deps.clock.setTimer(DISPLACED_RETRY_MS, () => {
      this.#displacedTimer = null;
      this.#serveDisplaced();
      if (this.#displaced.size > 0) this.#watchOtherThreads();
    });
  }

  #endGrace(): void {
    this.#graceTimer?.cancel();
    this.#graceTimer = null;
  }

  /** ACT-65: where requests may go is known, now how many; who was there first goes first. */
  #publish(wasEmpty: boolean, state: PodState): void {
    if (wasEmpty && this.hasPods) this.wake.probed();
    if (!(wasEmpty || this.hasPods)) this.#podsLostMs = this.#deps.clock.monotonicMs();
    this.#serveDisplaced();
    const { team } = this.#deps;
    if (team === undefined) this.#gate.resize(this.#pods.capacity);
    else team.publish(state, this.#pods.capacity);
    this.#watchFailure();
  }
}
