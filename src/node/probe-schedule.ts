// When to probe next and what a probe's answers mean, without doing any probing. Pure. A readiness
// probe that names no period is eager (CP-222): at once, then after 5 ms growing by half up to 100
// ms until its first success; from then on, and for every other probe, a kubelet's rhythm.

import type { Probe } from '../api/core.ts';

const EAGER_FIRST_MS = 5;
const EAGER_GROWTH = 1.5;
const EAGER_MAX_MS = 100;
const DEFAULT_PERIOD_SECONDS = 10;
const DEFAULT_TIMEOUT_SECONDS = 1;
const DEFAULT_FAILURE_THRESHOLD = 3;
/**
 * An eager question may be held by the sidecar as long as one of its evaluations lasts (QP-100).
 */
const EAGER_TIMEOUT_MS = 10_000;

export interface ProbeState {
  /** The verdict so far. Readiness begins false, liveness true. */
  passing: boolean;
  succeededOnce: boolean;
  consecutiveSuccesses: number;
  consecutiveFailures: number;
  attempts: number;
}

export function initialProbeState(passing: boolean): ProbeState {
  return {
    passing,
    succeededOnce: false,
    consecutiveSuccesses: 0,
    consecutiveFailures: 0,
    attempts: 0,
  };
}

export function isEager(probe: Probe): boolean {
  return (probe.periodSeconds ?? 0) === 0;
}

export function firstDelayMs(probe: Probe): number {
  return (probe.initialDelaySeconds ?? 0) * 1000;
}

export function attemptTimeoutMs(probe: Probe, state: ProbeState): number {
  if (isEager(probe) && !state.succeededOnce) return EAGER_TIMEOUT_MS;
  return (probe.timeoutSeconds || DEFAULT_TIMEOUT_SECONDS) * 1000;
}

/** How long to wait after an answer. */
export function nextDelayMs(probe: Probe, state: ProbeState): number {
  if (isEager(probe) && !state.succeededOnce) {
    const grown = EAGER_FIRST_MS * EAGER_GROWTH ** Math.max(0, state.attempts - 1);
    return Math.min(EAGER_MAX_MS, grown);
  }
  return (probe.periodSeconds || DEFAULT_PERIOD_SECONDS) * 1000;
}

/** The state after one more answer. */
export function afterAttempt(probe: Probe, state: ProbeState, succeeded: boolean): ProbeState {
  const successes = succeeded ? state.consecutiveSuccesses + 1 : 0;
  const failures = succeeded ? 0 : state.consecutiveFailures + 1;
  const attempts = state.attempts + 1;
  let { passing } = state;
  if (succeeded && successes >= (probe.successThreshold || 1)) passing = true;
  if (!succeeded && failures >= (probe.failureThreshold || DEFAULT_FAILURE_THRESHOLD)) {
    passing = false;
  }
  return {
    passing,
    succeededOnce: state.succeededOnce || (succeeded && passing),
    consecutiveSuccesses: successes,
    consecutiveFailures: failures,
    attempts,
  };
}
