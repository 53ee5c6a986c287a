// How long apps took to become ready, by revision: what a host of many sidecars knows and a single
// sidecar cannot. A prober that expects the app at a time tries often around it and seldom before,
// so a start costs a third of the attempts and is noticed within a millisecond (decision 0020).
// Bounded by MAX_REVISIONS. Not hot: read per attempt, written per start.

/** Revisions whose start times are remembered; the one that started longest ago is forgotten. */
const MAX_REVISIONS = 1_000;
/** A start slower than expected moves the expectation by this part of the difference. */
const SLOWER_SHARE = 1 / 8;
/** Before the expected time a pause is at most this part of what is left until then, … */
const LEFT_SHARE = 1 / 4;
/** … and of the time so far, for an app that is faster than it ever was. */
const AGE_SHARE = 1 / 2;

/** Of one revision. */
export interface StartTime {
  /** From the start of the sidecar to the app's readiness, in ms; null = not known yet. */
  expectedMs(): number | null;
  /** An app became ready after so many ms. */
  observed(ms: number): void;
}

export class StartTimes {
  readonly #expectedMs = new Map<string, number>();

  /** `revision` is `namespace/name`. */
  of(revision: string): StartTime {
    return {
      expectedMs: () => this.#expectedMs.get(revision) ?? null,
      observed: (ms) => this.#observe(revision, ms),
    };
  }

  /** Fast starts count at once, slow ones little: most of them were disturbed. */
  #observe(revision: string, ms: number): void {
    const before = this.#expectedMs.get(revision) ?? ms;
    const expected = ms < before ? ms : before + (ms - before) * SLOWER_SHARE;
    this.#expectedMs.delete(revision);
    this.#expectedMs.set(revision, expected);
    if (this.#expectedMs.size <= MAX_REVISIONS) return;
    const oldest = this.#expectedMs.keys().next();
    if (oldest.done === false) this.#expectedMs.delete(oldest.value);
  }
}

/**
 * How long to wait, in ms, after an attempt `ageMs` after the start of an app that is expected at
 * `expectedMs`: less and less toward that time, more and more behind it.
 */
export function pauseAround(expectedMs: number, ageMs: number): number {
  const distanceMs = Math.abs(expectedMs - ageMs) * LEFT_SHARE;
  return ageMs < expectedMs ? Math.min(distanceMs, ageMs * AGE_SHARE) : distanceMs;
}
