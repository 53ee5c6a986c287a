// Whether the pod is on its way out, and when it may go (QP-113 to QP-116). Draining ends after a
// quiet period in which no ordinary request arrived; every arrival starts the period anew, probes
// do not, and a request that merely runs does not. After the end probes keep failing until `reset`.
// Per request it costs one boolean; while draining, one field write: the timer is moved lazily.

import type { Clock, TimerHandle } from '../clock/clock.ts';

/** Where other threads look, and where they leave when they last saw a request. */
export interface DrainTeam {
  show(draining: boolean): void;
  sinceArrivalMs(nowMs: number): number;
}

export class Drainer {
  /** Probes fail while this is true. */
  draining = false;
  readonly #clock: Clock;
  readonly #quietMs: number;
  /** Null = one thread serves all requests. */
  readonly #team: DrainTeam | null;
  #quietSinceMs = Number.NaN;
  #timer: TimerHandle | null = null;
  /** Present while draining; resolved when the drain ended or was reset. */
  #ended: { promise: Promise<void>; resolve: () => void } | null = null;

  constructor(clock: Clock, quietMs: number, team: DrainTeam | null = null) {
    this.#clock = clock;
    this.#team = team;
    this.#quietMs = quietMs;
  }

  /** Starts or joins the drain. Resolves after the quiet period, or at once if that is over. */
  drain(): Promise<void> {
    if (this.#ended === null) {
      this.draining = true;
      this.#team?.show(true);
      this.#ended = deferred();
      this.onArrival(this.#clock.monotonicMs());
      this.#arm(this.#quietMs);
    }
    return this.#ended.promise;
  }

  /** Call for each ordinary request that arrives while `draining`. */
  onArrival(nowMs: number): void {
    this.#quietSinceMs = nowMs;
  }

  /** Back to normal; everyone waiting is let go. Does nothing when not draining. */
  reset(): void {
    this.draining = false;
    this.#team?.show(false);
    this.#timer?.cancel();
    this.#timer = null;
    this.#ended?.resolve();
    this.#ended = null;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(delayMs, () => {
      const nowMs = this.#clock.monotonicMs();
      const elsewhereMs = this.#team?.sinceArrivalMs(nowMs) ?? Number.POSITIVE_INFINITY;
      const leftMs = this.#quietMs - Math.min(nowMs - this.#quietSinceMs, elsewhereMs);
      if (leftMs > 0) this.#arm(leftMs);
      else this.#ended?.resolve();
    });
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
