// The activator's part of a wake: it keeps the timeline that held requests share, and logs queued,
// reported, scheduled, probed and first byte, each once per wake and not per request. What it
// cannot see itself (decided, scaled) the autoscaler tells it. A wake begins with the first request
// held for a revision without pods and ends with the first answer, or when nobody waits any more.
// Hot: `firstByte` runs per answer and costs one comparison when no wake is under way.

import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import { logWakePhase, type WakePhase, WakeTimeline } from '../telemetry/wake.ts';

export class WakeLog {
  readonly #revision: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** Null = no wake is under way. */
  #timeline: WakeTimeline | null = null;
  #isProbed = false;
  /** Told of every phase but the first and the last, which each thread sees; null = nobody. */
  onReach: ((phase: WakePhase, atMs: number) => void) | null = null;

  /** `revision` is `namespace/name`. */
  constructor(revision: string, logger: Logger, clock: Clock) {
    this.#revision = revision;
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Of the wake under way; stays with the requests that hold it. */
  get timeline(): WakeTimeline | null {
    return this.#timeline;
  }

  /** A request is about to be held and there is no pod. */
  begin(): void {
    if (this.#timeline !== null) return;
    this.#timeline = new WakeTimeline();
    this.#isProbed = false;
    this.#log('queued');
  }

  /** The stat that asks for a pod went to the socket at `atMs` (Unix ms with fraction). */
  reported(atMs: number): void {
    if (this.reach('reported', atMs)) this.#say('reported', atMs);
  }

  /** What the autoscaler tells of its part; it has logged that itself. */
  scaled(decidedAtMs: number, scaledAtMs: number): void {
    this.reach('decided', decidedAtMs);
    this.reach('scaled', scaledAtMs);
  }

  /** A pod has an address; `atMs` as in `reported`. */
  scheduled(atMs: number): void {
    if (this.reach('scheduled', atMs)) this.#say('scheduled', atMs);
  }

  /** A pod took a connection. Where the node agent runs, it logs when the process was spawned. */
  started(): void {
    this.reach('started', this.#clock.preciseNowMs());
  }

  /** A phase that somebody else saw; false = no wake is under way, or it was known already. */
  reach(phase: WakePhase, atMs: number): boolean {
    if (this.#timeline?.reach(phase, atMs) !== true) return false;
    this.onReach?.(phase, atMs);
    return true;
  }

  /** The first pod can take requests. */
  probed(): void {
    if (this.#timeline === null || this.#isProbed) return;
    this.#isProbed = true;
    this.#log('probed');
  }

  firstByte(): void {
    if (!this.#isProbed) return;
    this.#log('first byte');
    this.abandon();
  }

  /** Nobody waits any more; the next held request begins a new wake. */
  abandon(): void {
    this.#timeline = null;
    this.#isProbed = false;
  }

  #log(phase: WakePhase): void {
    const atMs = this.#clock.preciseNowMs();
    if (this.#timeline?.reach(phase, atMs) === true) this.#say(phase, atMs);
  }

  #say(phase: WakePhase, atMs: number): void {
    logWakePhase(this.#logger, this.#clock, this.#revision, phase, atMs);
  }
}
