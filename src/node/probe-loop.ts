// Runs one probe of one container again and again at the pace the schedule says, and reports when
// the verdict may have changed. One attempt at a time; nothing happens after `stop`.

import type { Probe } from '../api/core.ts';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import {
  afterAttempt,
  attemptTimeoutMs,
  firstDelayMs,
  initialProbeState,
  nextDelayMs,
  type ProbeState,
} from './probe-schedule.ts';

/** Resolves with the verdict of one attempt; never rejects. */
export type ProbeAttempt = (timeoutMs: number) => Promise<boolean>;

export class ProbeLoop {
  readonly #probe: Probe;
  readonly #attempt: ProbeAttempt;
  readonly #clock: Clock;
  readonly #onVerdict: (state: ProbeState) => void;
  #state: ProbeState;
  #timer: TimerHandle | null = null;
  #stopped = false;

  constructor(options: {
    probe: Probe;
    /** The verdict before the first answer. */
    passing: boolean;
    attempt: ProbeAttempt;
    clock: Clock;
    /** Called after every answer. */
    onVerdict: (state: ProbeState) => void;
  }) {
    this.#probe = options.probe;
    this.#attempt = options.attempt;
    this.#clock = options.clock;
    this.#onVerdict = options.onVerdict;
    this.#state = initialProbeState(options.passing);
  }

  start(): void {
    const delayMs = firstDelayMs(this.#probe);
    if (delayMs === 0) void this.#run();
    else this.#schedule(delayMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#clock.setTimer(delayMs, () => void this.#run(), { background: true });
  }

  async #run(): Promise<void> {
    const succeeded = await this.#attempt(attemptTimeoutMs(this.#probe, this.#state));
    if (this.#stopped) return;
    this.#state = afterAttempt(this.#probe, this.#state, succeeded);
    this.#schedule(nextDelayMs(this.#probe, this.#state));
    this.#onVerdict(this.#state);
  }
}
