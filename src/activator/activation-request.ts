// One request inside the activator, from arrival to end: its place in the gate's queue, the pod it
// runs on and its deadline. It is the object the gate, the dispatcher and the deadline wheel call
// back, so none of them needs a closure per request. Hot: one per request, one shape, every field
// set here.
//
//   WAITING ──admit──► READY ──dispatch──► RUNNING ──► DONE
//      ▲                  │ no pod free         │ nothing sent: try again
//      └──────────────────┴─────────────────────┘        any phase ──► DONE

import type { DeadlineEntry } from '../proxy/deadline-wheel.ts';
import { Admission, type GateWaiter, WaiterState } from '../proxy/gate.ts';
import type { Exchange } from '../proxy/types.ts';
import type { ReportEntry } from './concurrency-reporter.ts';
import type { Dispatchable } from './dispatcher.ts';
import type { PodTracker } from './pod-tracker.ts';
import type { HeldRequest, RevisionThrottler } from './revision-throttler.ts';

const WAITING = 0;
const READY = 1;
const RUNNING = 2;
const DONE = 3;

/** How a request leaves the activator's queue; ActivatorHandler in production. */
export interface ActivationOwner {
  forward(request: ActivationRequest, tracker: PodTracker): void;
  refuse(request: ActivationRequest, reason: string): void;
  queueFull(request: ActivationRequest): void;
  timedOut(request: ActivationRequest, nowMs: number): void;
}

export class ActivationRequest implements HeldRequest, Dispatchable, DeadlineEntry {
  readonly exchange: Exchange;
  readonly throttler: RevisionThrottler;
  readonly report: ReportEntry;
  readonly #owner: ActivationOwner;
  #phase = WAITING;
  /** The pod whose slot is held; null unless running. */
  #tracker: PodTracker | null = null;
  /** Pods tried so far. */
  attempts = 0;
  /** Whole monotonic ms, as the next one. */
  readonly arrivedAtMs: number;
  readonly expiresMs: number;
  /** Absolute monotonic ms; 0 = no such limit. */
  readonly responseStartMs: number;
  /** Time of the last write toward the client, kept only while an idle timeout applies. */
  lastWriteMs: number;
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

  /** Asks for capacity: goes on at once, waits, or is refused. */
  enter(): void {
    this.#phase = WAITING;
    const admission = this.throttler.admit(this);
    if (admission === Admission.ADMITTED) {
      this.#phase = READY;
      this.dispatch();
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

  dispatch(): void {
    if (this.#phase !== READY) return;
    const tracker = this.throttler.choosePod();
    if (tracker === null) {
      this.throttler.leave();
      this.enter();
      return;
    }
    this.#phase = RUNNING;
    this.#tracker = tracker;
    this.attempts += 1;
    this.#owner.forward(this, tracker);
  }

  /** Nothing reached the pod: gives its slot back and asks for capacity again. */
  retryElsewhere(): void {
    const tracker = this.#tracker as PodTracker;
    this.#tracker = null;
    tracker.release();
    // Before the slot in the gate is free again the pod must be out of the list it is chosen from.
    this.throttler.suspect(tracker);
    this.throttler.leave();
    this.enter();
  }

  /** Gives back whatever is held; safe to call more than once. */
  leave(): void {
    const phase = this.#phase;
    if (phase === DONE) return;
    this.#phase = DONE;
    if (phase === WAITING) {
      this.throttler.cancel(this);
      return;
    }
    this.#tracker?.release();
    this.#tracker = null;
    this.throttler.leave();
  }

  refuse(reason: string): void {
    this.#owner.refuse(this, reason);
  }

  onDeadline(nowMs: number): void {
    this.#owner.timedOut(this, nowMs);
  }
}
