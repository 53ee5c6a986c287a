// Puts the phases of a wake together. Each role logs the phases it sees, all on one machine's
// clock; the root collects the lines and prints one timeline per wake when the first byte went out.
// Pure.

import { WAKE_PHASE_MESSAGE, WAKE_PHASES, type WakePhase } from '../telemetry/wake.ts';
import { parseEntry } from './terminal.ts';

/** Revisions with phases that are remembered, of a wake or before one; the oldest gives way. */
const MAX_WAKES = 1_000;
/** A wake that takes longer is not one wake: its early phases are forgotten. */
const MAX_WAKE_MS = 600_000;

export interface WakeTimeline {
  revision: string;
  totalMs: number;
  /** Milliseconds since the first phase, in the order in which phases happen. */
  phases: { phase: WakePhase; atMs: number }[];
}

export class WakeCollector {
  readonly #wakes = new Map<string, Map<WakePhase, number>>();

  /** The same for a line a role printed; most are about something else. */
  read(line: string): WakeTimeline | null {
    if (!line.includes(WAKE_PHASE_MESSAGE)) return null;
    const entry = parseEntry(line);
    if (entry?.message !== WAKE_PHASE_MESSAGE) return null;
    const { revision, phase, atMs } = entry.fields;
    return this.add(String(revision), String(phase), Number(atMs));
  }

  /**
   * The finished timeline when this was the last phase of a wake that began with `queued`. Lines
   * of several processes come in any order: what was decided before `queued` is read counts too.
   */
  add(revision: string, phase: string, atMs: number): WakeTimeline | null {
    if (!isWakePhase(phase)) return null;
    const wake = this.#wakeOf(revision);
    if (phase === 'queued') forgetBefore(wake, atMs);
    const queuedAtMs = wake.get('queued') ?? atMs;
    if (atMs - queuedAtMs > MAX_WAKE_MS) {
      this.#wakes.delete(revision);
      return null;
    }
    // The first of several pods counts: the request waited for no other. Before `queued` the last
    // one does, because earlier ones may be of an earlier wake.
    if (!wake.has(phase) || !wake.has('queued')) wake.set(phase, atMs);
    if (phase !== 'first byte') return null;
    this.#wakes.delete(revision);
    return wake.has('queued') ? toTimeline(revision, wake) : null;
  }

  #wakeOf(revision: string): Map<WakePhase, number> {
    let wake = this.#wakes.get(revision);
    if (wake === undefined) {
      this.#makeRoom();
      wake = new Map();
      this.#wakes.set(revision, wake);
    }
    return wake;
  }

  #makeRoom(): void {
    const oldest = this.#wakes.keys().next();
    if (this.#wakes.size >= MAX_WAKES && oldest.done === false) this.#wakes.delete(oldest.value);
  }
}

/** A wake begins: what is older belongs to another one. */
function forgetBefore(wake: Map<WakePhase, number>, queuedAtMs: number): void {
  for (const [phase, atMs] of wake) {
    if (phase === 'queued' || atMs < queuedAtMs) wake.delete(phase);
  }
}

function toTimeline(revision: string, wake: ReadonlyMap<WakePhase, number>): WakeTimeline {
  const startMs = wake.get('queued') ?? 0;
  const phases = WAKE_PHASES.flatMap((phase) => {
    const atMs = wake.get(phase);
    return atMs === undefined ? [] : [{ phase, atMs: round(atMs - startMs) }];
  });
  return { revision, totalMs: round((wake.get('first byte') ?? startMs) - startMs), phases };
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function isWakePhase(text: string): text is WakePhase {
  return (WAKE_PHASES as readonly string[]).includes(text);
}

/** `woke default/hello-00001 in 41.2 ms: queued 0, reported 0.4, … first byte 41.2`. */
export function formatTimeline(timeline: WakeTimeline): string {
  const phases = timeline.phases.map(({ phase, atMs }) => `${phase} ${atMs}`).join(', ');
  return `woke ${timeline.revision} in ${timeline.totalMs} ms: ${phases}`;
}
