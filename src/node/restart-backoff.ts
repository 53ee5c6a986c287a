// How long a crashed container waits before it is started again: at once the first time, then
// 1 s doubling to 60 s, forgotten after ten minutes of good running. Pure. (A kubelet starts at
// 10 s and ends at 5 min; a person at a laptop who just fixed the file is waiting for us.)

const FIRST_DELAY_MS = 1_000;
/** Longest pause before a crashed container starts again. */
const MAX_DELAY_MS = 60_000;
const FORGIVEN_AFTER_MS = 600_000;

/** `crashes` = ends since the container last ran well; 0 = never. */
export interface RestartState {
  crashes: number;
}

export const NO_CRASHES: RestartState = { crashes: 0 };

/** The state after a run of `ranForMs` ended, and how long to wait before the next run. */
export function afterExit(
  state: RestartState,
  ranForMs: number,
): { state: RestartState; delayMs: number } {
  const crashes = (ranForMs >= FORGIVEN_AFTER_MS ? 0 : state.crashes) + 1;
  return { state: { crashes }, delayMs: restartDelayMs(crashes) };
}

/** 1 → 0, 2 → 1 s, 3 → 2 s, … 60 s. */
export function restartDelayMs(crashes: number): number {
  if (crashes <= 1) return 0;
  return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(crashes - 2, 20));
}
