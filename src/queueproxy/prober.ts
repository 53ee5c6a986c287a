// Whether the app is ready, evaluated anew for each health check and never cached (QP-96 to
// QP-104). Callers that arrive during an evaluation share it. With a period of 0 an evaluation
// tries hard for ten seconds: first at once, then every millisecond, later after a sixteenth of the
// time it has taken so far, at most 50 ms: so an app that listens is noticed within a few percent
// of its own start (decision 0020). Where earlier starts are known, attempts gather around the time
// they took, and whoever sees the app give a sign of life has it asked at once (`nudge`). Otherwise
// it is one attempt and the kubelet does the repeating.

import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ReadinessProbe } from './readiness-probe.ts';
import { pauseAround, type StartTime } from './start-times.ts';

/** One try: null = success, else what went wrong. Never rejects. `timeoutMs` 0 = no limit. */
export type ProbeAttempt = (timeoutMs: number) => Promise<string | null>;

export interface ProberDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly attemptFor: (probe: ReadinessProbe) => ProbeAttempt;
  /** First pause of the aggressive mode, in ms. */
  readonly intervalMs: number;
  /** Of earlier starts of the same app; null = nobody remembers them. */
  readonly startTime?: StartTime | null;
}

const AGGRESSIVE_ATTEMPT_MS = 100;
const AGGRESSIVE_TOTAL_MS = 10_000;
const MAX_PAUSE_MS = 50;
/** A pause is this part of the time since the evaluation began. */
const PAUSE_SHARE = 1 / 16;
/** After a sign of life a pause is at most this part of the time since. */
const NUDGE_SHARE = 1 / 4;

export class Prober {
  readonly #deps: ProberDeps;
  readonly #evaluators: readonly Evaluator[];
  #running: Promise<boolean> | null = null;

  /** No probes = always ready (QP-24). */
  constructor(probes: readonly ReadinessProbe[], deps: ProberDeps) {
    this.#deps = deps;
    // Several containers become ready at several times: one expectation fits none of them.
    const startTime = probes.length === 1 ? (deps.startTime ?? null) : null;
    this.#evaluators = probes.map((probe) => new Evaluator(probe, deps, startTime));
  }

  /** Never rejects. Giving up on the result does not stop the evaluation (QP-104). */
  isReady(): Promise<boolean> {
    if (this.#evaluators.length === 0) return Promise.resolve(true);
    if (this.#running !== null) return this.#running;
    const running = this.#evaluate();
    this.#running = running;
    return running;
  }

  /** The app did something; where an evaluation waits, its next attempt comes now. */
  nudge(): void {
    for (const evaluator of this.#evaluators) evaluator.nudge();
  }

  /** Running evaluations end with their current attempt. */
  stop(): void {
    for (const evaluator of this.#evaluators) evaluator.stop();
  }

  /** QP-97: all in parallel, all awaited; ready if every one succeeded. */
  async #evaluate(): Promise<boolean> {
    const errors = await Promise.all(this.#evaluators.map((evaluator) => evaluator.evaluate()));
    this.#running = null;
    const first = errors.find((error) => error !== null);
    if (first === undefined) return true;
    this.#deps.logger.warn({ error: first }, 'readiness probe failed');
    return false;
  }
}

class Evaluator {
  readonly #probe: ReadinessProbe;
  readonly #clock: Clock;
  readonly #attempt: ProbeAttempt;
  readonly #intervalMs: number;
  /** Null once the app was ready: later evaluations are no starts. */
  #startTime: StartTime | null;
  readonly #createdMs: number;
  /** Survives evaluations (QP-101). */
  #successes = 0;
  #stopped = false;
  #nudgedMs = Number.NEGATIVE_INFINITY;
  /** Null = no pause between attempts is under way. */
  #endPause: (() => void) | null = null;

  constructor(probe: ReadinessProbe, deps: ProberDeps, startTime: StartTime | null) {
    this.#startTime = startTime;
    this.#createdMs = deps.clock.monotonicMs();
    this.#probe = probe;
    this.#clock = deps.clock;
    this.#attempt = deps.attemptFor(probe);
    this.#intervalMs = deps.intervalMs;
  }

  stop(): void {
    this.#stopped = true;
  }

  nudge(): void {
    this.#nudgedMs = this.#clock.monotonicMs();
    this.#endPause?.();
  }

  evaluate(): Promise<string | null> {
    return this.#probe.aggressive ? this.#insist() : this.#attempt(this.#probe.timeoutMs);
  }

  /** QP-100. A pause that ends during an attempt is over right after it. */
  async #insist(): Promise<string | null> {
    const beganMs = this.#clock.monotonicMs();
    const endMs = beganMs + AGGRESSIVE_TOTAL_MS;
    let failures = 0;
    let lastError = '';
    for (;;) {
      const startMs = this.#clock.monotonicMs();
      const error = await this.#attempt(AGGRESSIVE_ATTEMPT_MS);
      if (error === null) {
        this.#successes += 1;
        if (this.#successes >= this.#probe.successThreshold) {
          this.#rememberStart(failures);
          return null;
        }
      } else {
        this.#successes = 0;
        failures += 1;
        lastError = error;
      }
      const nowMs = this.#clock.monotonicMs();
      const nextMs = Math.max(startMs + this.#pauseMs(startMs, startMs - beganMs), nowMs);
      if (this.#stopped || nextMs >= endMs) {
        // The answer comes at the end and not before it: the kubelet's next check starts afresh.
        if (!this.#stopped && endMs > nowMs) await this.#clock.sleep(endMs - nowMs);
        return `aggressive probe error (failed ${failures} times): ${lastError}`;
      }
      if (nextMs > nowMs) await this.#pause(nextMs - nowMs);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#endPause = null;
        resolve();
      };
      const timer = this.#clock.setTimer(ms, end);
      this.#endPause = end;
    });
  }

  /** Until the attempt after the one that began at `startMs`, `elapsedMs` into the evaluation. */
  #pauseMs(startMs: number, elapsedMs: number): number {
    const expectedMs = this.#startTime?.expectedMs() ?? null;
    let pauseMs = elapsedMs * PAUSE_SHARE;
    if (expectedMs !== null) {
      const ageMs = startMs - this.#createdMs;
      const aroundMs = pauseAround(expectedMs, ageMs);
      pauseMs = ageMs < expectedMs ? aroundMs : Math.min(pauseMs, aroundMs);
    }
    const afterNudgeMs = (startMs - this.#nudgedMs) * NUDGE_SHARE;
    return Math.max(this.#intervalMs, Math.min(MAX_PAUSE_MS, pauseMs, afterNudgeMs));
  }

  #rememberStart(failures: number): void {
    const startTime = this.#startTime;
    if (startTime === null) return;
    this.#startTime = null;
    const ms = this.#clock.monotonicMs() - this.#createdMs;
    // Ready at the first attempt: it may have been for long.
    const isExact = failures > 0 || ms < (startTime.expectedMs() ?? 0);
    if (isExact) startTime.observed(ms);
  }
}
