// Knows which pods of one revision can be sent requests (section 5 of ACT). Kubernetes says which
// pods exist; whether one answers is found out by asking it. Unlike the reference there are no
// rounds: every address has its own sequence of probes and counts as soon as it has answered, so
// one slow pod hides nobody (ACT-97 row 2), and a pod that leaves the list stops counting at once.
// Left out: the ClusterIP fallback for meshes (ACT-86 to ACT-92); the product runs without one.
// Invariant: healthy is a subset of ready and notReady together. Not hot, but it is on the wake
// path.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import { type Destinations, isLoopbackDest, NO_DESTINATIONS } from './destinations.ts';

export const ProbeOutcome = {
  /** 200 with body `queue`: the app is ready. */
  READY: 0,
  /** Some other answer. */
  NOT_READY: 1,
  /** Refused, reset or otherwise no answer. */
  UNREACHABLE: 2,
  /** No answer within the deadline; the pod may be evaluating its app right now (QP-104). */
  TIMED_OUT: 3,
} as const;
export type ProbeOutcome = (typeof ProbeOutcome)[keyof typeof ProbeOutcome];

export interface PodProber {
  /** Asks once; `done` is called at most once and never before `probe` has returned. */
  probe(dest: string, timeoutMs: number, done: (outcome: ProbeOutcome) => void): { cancel(): void };
}

/** ACT-5 PROBE_TIMEOUT: deadline of one probe. */
export const PROBE_TIMEOUT_MS = 300;
/** ACT-5 PROBE_FREQUENCY: the slowest cadence. */
export const PROBE_PERIOD_MS = 200;
/** Toward loopback: pause after the first failure, its growth and its ceiling. */
export const FAST_RETRY_MS = 2;
const FAST_RETRY_GROWTH = 1.5;
const FAST_RETRY_MAX_MS = 50;
/** For so long after an address appeared or changed it is asked at the fast cadence. */
const FAST_RETRY_WINDOW_MS = 5_000;

export interface PodWatcherOptions {
  prober: PodProber;
  clock: Clock;
  /** ACT-94: a pod may be used as soon as it answers, before Kubernetes calls it ready. */
  earlyReady: boolean;
  /** Receives the whole healthy set, sorted, whenever it changed. */
  onChange(dests: readonly string[]): void;
}

/** The probe sequence of one address that is listed and not healthy. */
interface ProbeSequence {
  startedMs: number;
  retryMs: number;
  probe: { cancel(): void } | null;
  timer: TimerHandle | null;
}

export class PodWatcher {
  readonly #options: PodWatcherOptions;
  readonly #healthy = new Set<string>();
  readonly #sequences = new Map<string, ProbeSequence>();
  #current: Destinations = NO_DESTINATIONS;
  #stopped = false;

  constructor(options: PodWatcherOptions) {
    this.#options = options;
  }

  get healthy(): ReadonlySet<string> {
    return this.#healthy;
  }

  /** A new state of the Endpoints. Every address not yet healthy is asked at once. */
  update(next: Destinations): void {
    if (this.#stopped) return;
    const previous = this.#current;
    this.#current = next;
    let changed = false;
    for (const dest of this.#healthy) {
      const moved = previous.ready.has(dest) && next.notReady.has(dest);
      // ACT-85: a pod that Kubernetes stopped calling ready has to prove itself again.
      if (moved || !this.#isListed(dest)) changed = this.#healthy.delete(dest) || changed;
    }
    for (const dest of this.#sequences.keys()) {
      if (!this.#mayUse(dest)) this.#endSequence(dest);
    }
    if (changed) this.#emit();
    for (const dest of next.ready) this.#ask(dest);
    for (const dest of next.notReady) this.#ask(dest);
  }

  /**
   * A request could not be handed to this pod: it stops counting until it answers a probe. Goes
   * beyond ACT-113 so that a request which was never sent can wait for a pod instead of failing.
   */
  suspect(dest: string): void {
    if (this.#stopped || !this.#healthy.delete(dest)) return;
    this.#emit();
    this.#ask(dest);
  }

  /** Forgets everything without reporting (ACT-102). */
  stop(): void {
    this.#stopped = true;
    for (const dest of [...this.#sequences.keys()]) this.#endSequence(dest);
  }

  #isListed(dest: string): boolean {
    return this.#current.ready.has(dest) || this.#current.notReady.has(dest);
  }

  #mayUse(dest: string): boolean {
    return (
      this.#current.ready.has(dest) ||
      (this.#options.earlyReady && this.#current.notReady.has(dest))
    );
  }

  /** Starts over at the fast cadence; a probe already under way is left to finish. */
  #ask(dest: string): void {
    if (this.#healthy.has(dest) || !this.#mayUse(dest)) return;
    let sequence = this.#sequences.get(dest);
    if (sequence === undefined) {
      sequence = { startedMs: 0, retryMs: FAST_RETRY_MS, probe: null, timer: null };
      this.#sequences.set(dest, sequence);
    }
    sequence.startedMs = this.#options.clock.monotonicMs();
    sequence.retryMs = FAST_RETRY_MS;
    sequence.timer?.cancel();
    sequence.timer = null;
    if (sequence.probe === null) this.#probe(dest, sequence);
  }

  #probe(dest: string, sequence: ProbeSequence): void {
    sequence.timer = null;
    sequence.probe = this.#options.prober.probe(dest, PROBE_TIMEOUT_MS, (outcome) => {
      if (this.#sequences.get(dest) !== sequence) return;
      sequence.probe = null;
      this.#answered(dest, sequence, outcome);
    });
  }

  #answered(dest: string, sequence: ProbeSequence, outcome: ProbeOutcome): void {
    if (outcome === ProbeOutcome.READY) {
      this.#sequences.delete(dest);
      this.#healthy.add(dest);
      this.#emit();
      return;
    }
    // A probe that ran into its deadline has already waited; the next one goes out at once.
    if (outcome === ProbeOutcome.TIMED_OUT) {
      this.#probe(dest, sequence);
      return;
    }
    const delayMs = this.#nextDelayMs(dest, sequence);
    sequence.timer = this.#options.clock.setTimer(delayMs, () => this.#probe(dest, sequence), {
      background: true,
    });
  }

  #nextDelayMs(dest: string, sequence: ProbeSequence): number {
    const age = this.#options.clock.monotonicMs() - sequence.startedMs;
    if (!isLoopbackDest(dest) || age >= FAST_RETRY_WINDOW_MS) return PROBE_PERIOD_MS;
    const delayMs = sequence.retryMs;
    sequence.retryMs = Math.min(delayMs * FAST_RETRY_GROWTH, FAST_RETRY_MAX_MS);
    return delayMs;
  }

  #endSequence(dest: string): void {
    const sequence = this.#sequences.get(dest);
    this.#sequences.delete(dest);
    sequence?.timer?.cancel();
    sequence?.probe?.cancel();
  }

  #emit(): void {
    this.#options.onChange([...this.#healthy].sort());
  }
}
