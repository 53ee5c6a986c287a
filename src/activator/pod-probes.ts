// Asks listed addresses until they answer (ACT-82, ACT-83, ACT-93). Unlike the reference there are
// no rounds: every address has its own sequence of probes and counts as soon as it has answered, so
// one slow pod hides nobody (ACT-97 row 2). Toward loopback the pauses start at 2 ms.
// Invariant: an address has at most one probe under way and at most one timer. Bounded by the
// number of addresses in the revision's Endpoints. Not hot, but on the path of every wake.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import { isLoopbackDest } from './destinations.ts';
import type { DiscoverySettings } from './discovery-settings.ts';

export const ProbeOutcome = {
  /** 200 with body `queue`: the app is ready. */
  READY: 0,
  /** 502 or 503: a sidecar that is not ready, or a mesh that does not let us through. */
  NOT_READY: 1,
  /** Refused, reset or otherwise no answer; a mesh may look like this, too. */
  UNREACHABLE: 2,
  /** No answer within the deadline; the pod may be evaluating its app right now (QP-104). */
  TIMED_OUT: 3,
  /** Any other answer: whoever gave it, there is no mesh in between (ACT-93). */
  NOT_MESH: 4,
} as const;
export type ProbeOutcome = (typeof ProbeOutcome)[keyof typeof ProbeOutcome];

export interface PodProber {
  /**
   * Asks once; `done` is called at most once and never before `probe` has returned.
   * `passthroughHost` is the Host by which a mesh lets us through to the pod (ACT-95);
   * `onConnected` is called when there is a connection to ask over.
   */
  probe(
    dest: string,
    timeoutMs: number,
    done: (outcome: ProbeOutcome) => void,
    passthroughHost?: string | null,
    onConnected?: () => void,
  ): { cancel(): void };
  /** Nobody needs this address any more. */
  forget(dest: string): void;
}

/** Toward loopback: pause after the first failure, its growth and its ceiling. */
export const FAST_RETRY_MS = 2;
const FAST_RETRY_GROWTH = 1.5;
const FAST_RETRY_MAX_MS = 50;
/** For so long after an address appeared or changed it is asked at the fast cadence. */
const FAST_RETRY_WINDOW_MS = 5_000;

export interface PodProbesOptions {
  prober: PodProber;
  clock: Clock;
  settings: DiscoverySettings;
  /** ACT-95; null without pod addressability. */
  passthroughHost: string | null;
  onReady(dest: string): void;
  /** An address failed to answer; `isBlocked` may have changed. */
  onFailed(): void;
  /** A probe has a connection: the pod's sidecar runs. */
  onConnected?(): void;
}

/** The probes of one address that is listed and not healthy. */
interface ProbeSequence {
  startedMs: number;
  retryMs: number;
  probe: { cancel(): void } | null;
  timer: TimerHandle | null;
  /** The newest answer since the address was listed or changed; null = none yet. */
  outcome: ProbeOutcome | null;
}

export class PodProbes {
  readonly #options: PodProbesOptions;
  readonly #sequences = new Map<string, ProbeSequence>();
  /** Sequences whose newest answer fits a mesh. */
  #meshLikeCount = 0;

  constructor(options: PodProbesOptions) {
    this.#options = options;
  }

  /** Every address was asked and none answered but as a mesh would (ACT-93, step 5). */
  get isBlocked(): boolean {
    return this.#sequences.size > 0 && this.#meshLikeCount === this.#sequences.size;
  }

  /** Starts over at the fast cadence; a probe already under way is left to finish. */
  ask(dest: string): void {
    let sequence = this.#sequences.get(dest);
    if (sequence === undefined) {
      sequence = { startedMs: 0, retryMs: 0, probe: null, timer: null, outcome: null };
      this.#sequences.set(dest, sequence);
    }
    this.#setOutcome(sequence, null);
    sequence.startedMs = this.#options.clock.monotonicMs();
    sequence.retryMs = FAST_RETRY_MS;
    sequence.timer?.cancel();
    sequence.timer = null;
    if (sequence.probe === null) this.#probe(dest, sequence);
  }

  /** Ends the sequences of addresses that `keep` refuses. */
  prune(keep: (dest: string) => boolean): void {
    for (const dest of this.#sequences.keys()) {
      if (keep(dest)) continue;
      this.#end(dest);
      this.#options.prober.forget(dest);
    }
  }

  stop(): void {
    this.prune(() => false);
  }

  #probe(dest: string, sequence: ProbeSequence): void {
    const { prober, settings, passthroughHost, onConnected } = this.#options;
    const done = (outcome: ProbeOutcome): void => {
      if (this.#sequences.get(dest) !== sequence) return;
      sequence.probe = null;
      this.#answered(dest, sequence, outcome);
    };
    sequence.timer = null;
    const { probeTimeoutMs } = settings;
    sequence.probe = prober.probe(dest, probeTimeoutMs, done, passthroughHost, onConnected);
  }

  #answered(dest: string, sequence: ProbeSequence, outcome: ProbeOutcome): void {
    if (outcome === ProbeOutcome.READY) {
      this.#end(dest);
      this.#options.onReady(dest);
      return;
    }
    this.#setOutcome(sequence, outcome);
    // A probe that ran into its deadline has already waited; the next one goes out at once.
    if (outcome === ProbeOutcome.TIMED_OUT) this.#probe(dest, sequence);
    else this.#retryLater(dest, sequence);
    this.#options.onFailed();
  }

  #retryLater(dest: string, sequence: ProbeSequence): void {
    const delayMs = this.#nextDelayMs(dest, sequence);
    sequence.timer = this.#options.clock.setTimer(delayMs, () => this.#probe(dest, sequence), {
      background: true,
    });
  }

  #nextDelayMs(dest: string, sequence: ProbeSequence): number {
    const { probePeriodMs } = this.#options.settings;
    const age = this.#options.clock.monotonicMs() - sequence.startedMs;
    if (!isLoopbackDest(dest) || age >= FAST_RETRY_WINDOW_MS) return probePeriodMs;
    const delayMs = sequence.retryMs;
    sequence.retryMs = Math.min(delayMs * FAST_RETRY_GROWTH, FAST_RETRY_MAX_MS);
    return Math.min(delayMs, probePeriodMs);
  }

  #setOutcome(sequence: ProbeSequence, outcome: ProbeOutcome | null): void {
    if (isMeshLike(sequence.outcome)) this.#meshLikeCount -= 1;
    sequence.outcome = outcome;
    if (isMeshLike(outcome)) this.#meshLikeCount += 1;
  }

  #end(dest: string): void {
    const sequence = this.#sequences.get(dest);
    if (sequence === undefined) return;
    this.#sequences.delete(dest);
    this.#setOutcome(sequence, null);
    sequence.timer?.cancel();
    sequence.probe?.cancel();
  }
}

function isMeshLike(outcome: ProbeOutcome | null): boolean {
  return outcome !== null && outcome !== ProbeOutcome.READY && outcome !== ProbeOutcome.NOT_MESH;
}
