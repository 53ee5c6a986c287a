// How long a role that goes down waits for what is under way. Requests end by their own timeouts as
// a rule; streams without one, and clients that do not read, must not keep a process up. Cold.

import type { Clock } from '../clock/clock.ts';

/**
 * A drain waits so long for requests and streams under way, as long as the pod's grace period
 * (ACT-211); what is left then is cut.
 */
export const MAX_DRAIN_MS = 600_000;

/** Resolves when all of them have ended, or `limitMs` later. */
export async function drainWithin(
  clock: Clock,
  limitMs: number,
  drains: readonly (Promise<unknown> | undefined)[],
): Promise<void> {
  let expire: () => void = () => undefined;
  const expired = new Promise<void>((resolve) => {
    expire = resolve;
  });
  const timer = clock.setTimer(limitMs, expire, { background: true });
  await Promise.race([Promise.all(drains), expired]);
  timer.cancel();
}
