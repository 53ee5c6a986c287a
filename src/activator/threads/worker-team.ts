// A request thread's side of a revision shared by threads (decision 0018): the gate as seen from
// here, and slots of pods as the main thread made them. It decides nothing: capacity is set by the
// main thread alone. Not hot.

import { Gate } from '../../proxy/gate.ts';
import type { GateSeat } from '../../proxy/gate-team.ts';
import { PodTracker, type PodTrackerOptions } from '../pod-tracker.ts';
import { SharedPodTracker } from './shared-pod-tracker.ts';
import type { ThrottlerTeam } from './throttler-team.ts';

export class WorkerTeam implements ThrottlerTeam {
  readonly gate: Gate;
  /** Of the pods in the newest message. */
  slots: ReadonlyMap<string, SharedArrayBuffer> = new Map();

  constructor(gate: SharedArrayBuffer, seat: GateSeat) {
    this.gate = Gate.attach(gate, seat);
  }

  createTracker(options: PodTrackerOptions): PodTracker {
    const slots = this.slots.get(options.dest);
    return slots === undefined ? new PodTracker(options) : new SharedPodTracker(options, slots);
  }

  publish(): void {
    // The main thread sets the capacity, once every thread has the pods.
  }

  settingsChanged(): void {
    // They came from there.
  }

  forget(): void {
    // It was told to.
  }
}
