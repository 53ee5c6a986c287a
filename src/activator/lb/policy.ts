// How a request chooses its pod (ACT-53). A policy sees the pods this activator may use, sorted by
// address, and takes a slot on one of them; null means none has a free one. The policies are pure
// apart from the cursor round robin keeps: chance is passed in. Hot: one pick per request.

import { FirstAvailable } from './first-available.ts';
import { RandomChoiceOfTwo } from './random-choice-of-two.ts';
import { RoundRobin } from './round-robin.ts';

/** A pod as far as choosing goes; PodTracker in production. */
export interface LbTarget {
  /** Requests this activator has on the pod now. */
  readonly inFlight: number;
  /** Takes a slot if one is free; always succeeds when the revision has no concurrency limit. */
  reserve(): boolean;
}

export interface LbPolicy {
  /** The chosen target with its slot taken, or null when no target has one free. */
  pick<T extends LbTarget>(targets: readonly T[]): T | null;
}

/** Up to this `containerConcurrency` requests are packed onto as few pods as possible (ACT-53). */
export const FIRST_AVAILABLE_MAX_CONCURRENCY = 3;

/** `random` returns [0, 1); `containerConcurrency` 0 means unlimited. */
export function createLbPolicy(containerConcurrency: number, random: () => number): LbPolicy {
  if (containerConcurrency === 0) return new RandomChoiceOfTwo(random);
  if (containerConcurrency <= FIRST_AVAILABLE_MAX_CONCURRENCY) return new FirstAvailable();
  return new RoundRobin();
}
