// What one revision has in common in all request threads (decision 0018): one gate, the slots of
// its pods, and the order in which changes reach them. Types only; main-team.ts and worker-team.ts
// are the two sides.

import type { Gate } from '../../proxy/gate.ts';
import type { PodTracker, PodTrackerOptions } from '../pod-tracker.ts';
import type { RevisionSettings } from '../revision-settings.ts';
import type { ActivatorPlace } from '../slicing.ts';

/** A change of where requests may go, as the throttler was told of it. */
export type PodState =
  | {
      readonly kind: 'pods';
      readonly dests: readonly string[];
      readonly unproven: readonly string[];
    }
  | { readonly kind: 'clusterIp'; readonly dest: string; readonly backendCount: number }
  | { readonly kind: 'place'; readonly place: ActivatorPlace };

export interface ThrottlerTeam {
  /** This thread's view of the gate all threads share. */
  readonly gate: Gate;
  createTracker(options: PodTrackerOptions): PodTracker;
  /** This thread uses the new pods from now on; `capacity` is what they can take together. */
  publish(state: PodState, capacity: number): void;
  settingsChanged(settings: RevisionSettings): void;
  /** The revision is gone; what is queued or running goes on. */
  forget(): void;
}
