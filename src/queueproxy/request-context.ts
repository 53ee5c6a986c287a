// What the sidecar remembers about one request between its arrival and its end. It is itself the
// gate's waiter and the wheel's entry, so queueing and timing a request creates nothing else.
// Hot: one per request, one shape: every field set here, in this order, never added or deleted.

import type { DeadlineEntry } from '../proxy/deadline-wheel.ts';
import { type GateWaiter, WaiterState } from '../proxy/gate.ts';
import type { Exchange } from '../proxy/types.ts';
import type { Observation } from './request-observer.ts';
import type { TimedRequest } from './timeouts.ts';

/** Bits of `RequestContext.flags`. */
export const RequestFlag = {
  /** In the autoscaler's statistics. */
  COUNTED: 1,
  /** Came through an activator (QP-35). */
  PROXIED: 2,
  /** K-Kubelet-Probe: no statistics, no gate, no host restore (QP-22). */
  BYPASS: 4,
  /** Something of the answer went to the client. */
  WRITTEN: 8,
  /** Answered in layer 3: holds nothing, is only observed. */
  ANSWERED_HERE: 16,
} as const;

/** The handler's side of gate and wheel. */
export interface ContextOwner {
  onAdmitted(context: RequestContext): void;
  onDeadline(context: RequestContext, nowMs: number): void;
}

export class RequestContext implements GateWaiter, DeadlineEntry, TimedRequest {
  gateNext: GateWaiter | null = null;
  gatePrevious: GateWaiter | null = null;
  gateState: number = WaiterState.IDLE;
  wheelNext: DeadlineEntry | null = null;
  wheelPrevious: DeadlineEntry | null = null;
  wheelSlot = -1;
  deadlineMs = 0;
  flags = 0;
  /** Whole monotonic milliseconds, so that it stays a small integer; so does the next one. */
  readonly arrivedAtMs: number;
  /** 0 before the first write, and always when no idle timeout is set. */
  lastWriteAtMs = 0;
  /** For log, metrics and traces; null when all are off. */
  observation: Observation | null = null;
  readonly exchange: Exchange;
  readonly owner: ContextOwner;

  constructor(owner: ContextOwner, exchange: Exchange, arrivedAtMs: number) {
    this.owner = owner;
    this.exchange = exchange;
    this.arrivedAtMs = arrivedAtMs;
  }

  get hasWritten(): boolean {
    return (this.flags & RequestFlag.WRITTEN) !== 0;
  }

  onGateAdmit(): void {
    this.owner.onAdmitted(this);
  }

  onDeadline(nowMs: number): void {
    this.owner.onDeadline(this, nowMs);
  }
}
