// Keeps a HorizontalPodAutoscaler from following every swing: it goes down only to the highest
// advice of the down window, up only to the lowest of the up window, and up no faster than the
// default policies allow (doubling, or four pods, each period). One per object; bounded.

/** Kubernetes' default for scaling down; up is 0. */
export const DEFAULT_DOWN_WINDOW_SECONDS = 300;
/** Advices kept; one per period of 15 s over the longest window of 1 h. The oldest goes first. */
const MAX_ADVICES = 256;
const STEP_PODS = 4;
const STEP_FACTOR = 2;

export interface StabilizerRules {
  upWindowMs: number;
  downWindowMs: number;
}

export class Stabilizer {
  readonly #advices: { atMs: number; replicas: number }[] = [];

  /** Notes this advice and returns what to do of it. */
  next(current: number, advised: number, rules: StabilizerRules, nowMs: number): number {
    if (this.#advices.length === 0) this.#note(current, nowMs);
    this.#note(advised, nowMs);
    let lowest = advised;
    let highest = advised;
    for (const { atMs, replicas } of this.#advices) {
      if (nowMs - atMs < rules.upWindowMs) lowest = Math.min(lowest, replicas);
      if (nowMs - atMs < rules.downWindowMs) highest = Math.max(highest, replicas);
    }
    if (current < lowest) return Math.min(lowest, fastestRise(current));
    return Math.min(current, Math.max(highest, lowest));
  }

  #note(replicas: number, atMs: number): void {
    this.#advices.push({ atMs, replicas });
    if (this.#advices.length > MAX_ADVICES) this.#advices.shift();
  }
}

function fastestRise(current: number): number {
  return Math.max(current + STEP_PODS, current * STEP_FACTOR);
}
