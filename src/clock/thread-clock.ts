// One monotonic scale for all threads of a process. `performance.now()` starts at zero in every
// thread, so times of two threads cannot be compared; the kernel's clock behind it can. Statistics,
// drains and the gate compare arrivals across threads and therefore use the main thread's scale.

import type { Clock } from './clock.ts';

const NS_PER_MS = 1_000_000n;

/** Where this thread's monotonic scale begins, in ms of the kernel's clock. */
export function scaleOriginMs(clock: Clock): number {
  const kernelMs = Number(process.hrtime.bigint() / 1000n) / Number(NS_PER_MS / 1000n);
  return kernelMs - clock.monotonicMs();
}

/** `clock` of this thread on the scale of the thread whose origin this is. */
export function onScaleOf(originMs: number, clock: Clock): Clock {
  const offsetMs = scaleOriginMs(clock) - originMs;
  return { ...clock, monotonicMs: () => clock.monotonicMs() + offsetMs };
}
