// One request inside the activator, from arrival to end: its place in the gate's queue, the pod it
// runs on and its deadline. It is the object the gate, the dispatcher and the deadline wheel call
// back, so none of them needs a closure per request. Hot: one per request, one shape, every field
// set here.
//
//   WAITING ──admit──► READY ──dispatch──► RUNNING ──────► DONE
//      │                  │ no pod left      │ ▲ nothing reached the pod
//      │                  ▼                  ▼ │
//      │               DISPLACED ──grant──► RESERVED        (keep their slot of the gate)
//      └─ refused, timed out ─► EXPELLED ──dispatch──► DONE        any phase ──► DONE
//
// READY, RESERVED and EXPELLED are in the dispatcher's lane and wait for their revision's turn.

import type { DeadlineEntry } from '../proxy/deadline-wheel.ts';
import { Admission, type GateWaiter, WaiterState } from '../proxy/gate.ts';
import type { Exchange } from '../proxy/types.ts';
import type { Observation } from './activation-observer.ts';
import type { ReportEntry } from './concurrency-reporter.ts';
import type { Dispatchable } from './dispatcher.ts';
import type { PodTracker } from './pod-tracker.ts';
import type { HeldRequest, RevisionThrottler } from './revision-throttler.ts';

const WAITING = 0;
const READY = 1;
const RUNNING = 2;
const DISPLACED = 3;
const RESERVED = 4;
const EXPELLED = 5;
const DONE = 6;

/** How a request leaves the activator's queue; ActivatorHandler in production. */
export interface ActivationOwner {
  forward(request: ActivationRequest, tracker: PodTracker): void;
  queueFull(request: ActivationRequest): void;
  /** The turn of an expelled request: `reason` as given to `expel`. Nothing is held any more. */
  expelled(request: ActivationRequest, reason: string | null): void;
  timedOut(request: ActivationRequest, nowMs: number): void;
  /** Its time is over, whether or not it was told yet. */
  isOver(request: ActivationRequest): boolean;
}

export class ActivationRequest implements HeldRequest, Dispatchable, DeadlineEntry {
  readonly exchange: Exchange;
  readonly throttler: RevisionThrottler;
  readonly report: ReportEntry;
  readonly #owner: ActivationOwner;
  #phase = WAITING;
  /** The pod whose slot is held; null unless running or reserved. */
  #tracker: PodTracker | null = null;
  /** Why the revision cannot serve it; null = its time is over. Only while expelled. */
  #reason: string | null = null;
  /** Pods tried so far. */
  attempts = 0;
  /** Whole monotonic ms, as the next one. */
  readonly arrivedAtMs: number;
  readonly expiresMs: number;
  /** Absolute monotonic ms; 0 = no such limit. */
  responseStartMs: number;
  /** Time of the last write toward the client, kept only while an idle timeout applies. */
  lastWriteMs: number;
  /** For log, metrics and traces; null while all are off. */
  observation: Observation | null = null;
  /** The answer was a 101; what passes now does not count as writing (ACT-41). */
  isUpgraded = false;
  gateNext: GateWaiter | null = null;
  gatePrevious: GateWaiter | null = null;
  gateState: number = WaiterState.IDLE;
  nextReady: Dispatchable | null = null;
  wheelNext: DeadlineEntry | null = null;
  wheelPrevious: DeadlineEntry | null = null;
  wheelSlot = -1;
  deadlineMs: number;

  /** `nowMs` is the whole monotonic millisecond of the arrival. */
  constructor(
    exchange: Exchange,
    throttler: RevisionThrottler,
    report: ReportEntry,
    owner: ActivationOwner,
    nowMs: number,
  ) {
    const { timeoutMs, responseStartTimeoutMs, idleTimeoutMs } = throttler.settings;
    this.exchange = exchange;
    this.throttler = throttler;
    this.report = report;
    this.#owner = owner;
    this.arrivedAtMs = nowMs;
    this.expiresMs = nowMs + timeoutMs;
    this.responseStartMs = responseStartTimeoutMs > 0 ? nowMs + responseStartTimeoutMs : 0;
    // Before the first write the idle time runs from the arrival (ACT-37).
    this.lastWriteMs = nowMs;
    let deadlineMs = this.expiresMs;
    if (this.responseStartMs > 0) deadlineMs = Math.min(deadlineMs, this.responseStartMs);
    if (idleTimeoutMs > 0) deadlineMs = Math.min(deadlineMs, nowMs + idleTimeoutMs);
    this.deadlineMs = deadlineMs;
  }

  /** On its way to a pod or beyond: it is too late to be taken out of a queue. */
  get isRunning(): boolean {
    return this.#phase === RUNNING;
  }

  /** There is a pod beside the one it was sent to. */
  get hasAlternative(): boolean {
    return this.#tracker !== null && this.throttler.hasOther(this.#tracker);
  }

  /** Asks for capacity: goes on at once, waits, or is refused. */
  enter(): void {
    const admission = this.throttler.admit(this);
    if (admission === Admission.ADMITTED) {
      this.#start();
    } else if (admission === Admission.FULL) {
      this.#phase = DONE;
      this.#owner.queueFull(this);
    }
  }

  onGateAdmit(): void {
    this.#phase = READY;
    this.throttler.admitted(this);
    this.throttler.dispatcher.submit(this.throttler.lane, this);
  }

  grant(tracker: PodTracker): void {
    this.#phase = RESERVED;
    this.#tracker = tracker;
    this.throttler.dispatcher.submit(this.throttler.lane, this);
  }

  dispatch(): void {
    const phase = this.#phase;
    if (phase === DONE) return;
    if (phase === EXPELLED) {
      this.#phase = DONE;
      this.#owner.expelled(this, this.#reason);
    } else if (this.#owner.isOver(this)) {
      this.#giveBack();
      this.#owner.expelled(this, null);
    } else if (phase === RESERVED) {
      this.#run(this.#tracker as PodTracker);
    } else {
      this.#start();
    }
  }

  /** Nothing of the request was used: gives the pod's slot back and asks for another pod. */
  retryElsewhere(): void {
    const tracker = this.#tracker as PodTracker;
    this.#tracker = null;
    this.#phase = READY;
    tracker.release();
    // Before it chooses again the pod must be out of the list it is chosen from.
    this.throttler.suspect(tracker);
    this.#start();
  }

  /**
   * Gives back whatever is held now and has the owner's `expelled` called at the revision's turn.
   * Not for a request that runs or has ended.
   */
  expel(reason: string | null): void {
    const isInLane = this.#phase === READY || this.#phase === RESERVED;
    this.#giveBack();
    this.#phase = EXPELLED;
    this.#reason = reason;
    if (!isInLane) this.throttler.dispatcher.submit(this.throttler.lane, this);
  }

  /** Gives back whatever is held; safe to call more than once. */
  leave(): void {
    this.#giveBack();
  }

  onDeadline(nowMs: number): void {
    this.#owner.timedOut(this, nowMs);
  }

  /** Admitted: to a pod, or in line for the next one. */
  #start(): void {
    const tracker = this.throttler.choosePod();
    if (tracker === null) this.#displace();
    else this.#run(tracker);
  }

  #run(tracker: PodTracker): void {
    this.#phase = RUNNING;
    this.#tracker = tracker;
    this.attempts += 1;
    this.#owner.forward(this, tracker);
  }

  #displace(): void {
    this.#phase = DISPLACED;
    this.throttler.displace(this);
  }

  #giveBack(): void {
    const phase = this.#phase;
    // Whoever is admitted by what we give back may call us again.
    this.#phase = DONE;
    if (phase === EXPELLED || phase === DONE) return;
    if (phase === WAITING) {
      this.throttler.cancel(this);
      return;
    }
    this.#tracker?.release();
    this.#tracker = null;
    if (phase === DISPLACED) this.throttler.giveUp(this);
    this.throttler.leave();
  }
}
