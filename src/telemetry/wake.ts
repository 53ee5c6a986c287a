// The phases of a wake from zero, logged by whichever role reaches them. All processes of one
// machine share a clock, so whoever collects the lines can print one timeline per wake.

import type { Clock } from '../clock/clock.ts';
import type { Logger } from './logger.ts';

/**
 * In the order a wake passes them. `queued`: a request is held; `reported`: its stat went to the
 * socket; `decided`, `scaled`: the autoscaler chose and wrote a scale; `scheduled`: a pod has an
 * address; `started`: its process was spawned, or, where nobody sees that, it took a connection;
 * `probed`: it can take requests; `first byte`: of an answer.
 */
export const WAKE_PHASES = [
  'queued',
  'reported',
  'decided',
  'scaled',
  'scheduled',
  'started',
  'probed',
  'first byte',
] as const;
export type WakePhase = (typeof WAKE_PHASES)[number];

/** The constant message by which collectors recognise the line. */
export const WAKE_PHASE_MESSAGE = 'wake phase';

/** `revision` is `namespace/name`; `atMs` is Unix milliseconds with fraction, by default now. */
export function logWakePhase(
  logger: Logger,
  clock: Clock,
  revision: string,
  phase: WakePhase,
  atMs: number = clock.preciseNowMs(),
): void {
  logger.info({ revision, phase, atMs }, WAKE_PHASE_MESSAGE);
}

/** When one wake reached which phase; several requests may wait for the same wake. */
export class WakeTimeline {
  /** Unix milliseconds with fraction, by index of WAKE_PHASES; NaN = not reached, or unknown. */
  readonly atMs = new Float64Array(WAKE_PHASES.length).fill(Number.NaN);

  /** The first time counts: nobody waits for a second pod. False = it was known already. */
  reach(phase: WakePhase, atMs: number): boolean {
    const index = WAKE_PHASES.indexOf(phase);
    if (!Number.isNaN(this.atMs[index]!)) return false;
    this.atMs[index] = atMs;
    return true;
  }
}
