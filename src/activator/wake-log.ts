// The activator's part of a wake timeline: queued, poke, ready and first byte, each once per wake
// and not per request. A wake begins with the first request held for a revision without pods and
// ends with the first answer, or when nobody waits any more. Hot: `firstByte` runs per answer and
// costs one comparison when no wake is under way.

import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import { logWakePhase } from '../telemetry/wake.ts';

const IDLE = 0;
const QUEUED = 1;
const POKED = 2;
const READY = 3;

export class WakeLog {
  readonly #revision: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  #state: number = IDLE;

  /** `revision` is `namespace/name`. */
  constructor(revision: string, logger: Logger, clock: Clock) {
    this.#revision = revision;
    this.#logger = logger;
    this.#clock = clock;
  }

  /** A request is about to be held and there is no pod. */
  begin(): void {
    if (this.#state !== IDLE) return;
    this.#state = QUEUED;
    logWakePhase(this.#logger, this.#clock, this.#revision, 'queued');
  }

  /** The stat that asks for a pod went to the socket at `atMs` (Unix ms with fraction). */
  poked(atMs: number): void {
    if (this.#state !== QUEUED) return;
    this.#state = POKED;
    logWakePhase(this.#logger, this.#clock, this.#revision, 'poke', atMs);
  }

  /** The first pod can take requests. */
  ready(): void {
    if (this.#state !== QUEUED && this.#state !== POKED) return;
    this.#state = READY;
    logWakePhase(this.#logger, this.#clock, this.#revision, 'ready');
  }

  firstByte(): void {
    if (this.#state !== READY) return;
    this.#state = IDLE;
    logWakePhase(this.#logger, this.#clock, this.#revision, 'first byte');
  }

  /** Nobody waits any more; the next held request begins a new wake. */
  abandon(): void {
    this.#state = IDLE;
  }
}
