// How a pod ends (RC-70, QP-118): every container without a preStop hook gets SIGTERM at once (the
// sidecar, which starts to drain); the others get it when their hook has returned; whatever is left
// when the grace period is over gets SIGKILL. The order matters: an app that lost its SIGTERM race
// against the drain would drop the requests still on their way to it.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { ContainerSignal } from './runtime.ts';

export interface Terminable {
  name: string;
  /** Null: no hook. Resolves when the hook has returned or failed; never rejects. */
  preStop: (() => Promise<void>) | null;
  signal(signal: ContainerSignal): void;
  /** Resolves when the container is not running (any more). */
  whenStopped(): Promise<void>;
}

/** A process that ignores SIGKILL is stuck in the kernel; the pod is given up after this long. */
const KILL_PATIENCE_MS = 5_000;

/** Resolves when all containers have stopped, or the last one did not even obey SIGKILL. */
export async function terminate(
  containers: readonly Terminable[],
  graceMs: number,
  clock: Clock,
): Promise<void> {
  const stopped = containers.map((container) => container.whenStopped());
  const state = { expired: graceMs <= 0 };
  for (const container of containers) void stopOne(container, state);
  const timers: TimerHandle[] = [];
  const deadline = new Promise<void>((resolve) => {
    timers.push(
      clock.setTimer(Math.max(0, graceMs), () => {
        state.expired = true;
        for (const container of containers) container.signal('SIGKILL');
        timers.push(clock.setTimer(KILL_PATIENCE_MS, resolve));
      }),
    );
  });
  await Promise.race([Promise.all(stopped), deadline]);
  for (const timer of timers) timer.cancel();
}

async function stopOne(container: Terminable, state: { expired: boolean }): Promise<void> {
  if (container.preStop !== null && !state.expired) await container.preStop();
  if (!state.expired) container.signal('SIGTERM');
}
