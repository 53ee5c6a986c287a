// The phases of a wake from zero, logged by whichever role reaches them. All processes of one
// machine share a clock, so whoever collects the lines can print one timeline per wake.

import type { Clock } from '../clock/clock.ts';
import type { Logger } from './logger.ts';

/** In the order a wake passes them. */
export const WAKE_PHASES = [
  'queued',
  'poke',
  'decided',
  'scaled',
  'started',
  'ready',
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
