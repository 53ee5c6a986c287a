// What `/decisions/<namespace>/<revision>` shows: the settings in force, the present word of the
// Decider and its recent decisions with their inputs and the rule that bound each. The CLI's `why`
// and `top` print from this document. Bounded: HISTORY_ENTRIES decisions per revision.

import type { Decider } from './deciders.ts';
import { readHistory, readState } from './row-decision.ts';
import { REASON_NAMES, type ReasonCode } from './scale-decision.ts';

export interface DecisionsDocument {
  revision: string;
  /** -1 = unknown yet. */
  recommendation: number;
  excessBurstCapacity: number;
  metric: 'concurrency' | 'rps';
  /** Aimed for per pod. */
  target: number;
  capacity: number;
  targetBurstCapacity: number;
  stableWindowSeconds: number;
  /** Newest first; equal decisions in a row are one entry. */
  decisions: {
    firstAt: string;
    lastAt: string;
    repeats: number;
    reason: string;
    stable: number;
    panic: number;
    readyPods: number;
    recommendation: number;
    excessBurstCapacity: number;
    panicking: boolean;
  }[];
}

export function viewDecisions(decider: Decider): DecisionsDocument {
  const { spec, row } = decider;
  const present = readState(row.slab.cells, row.at);
  return {
    revision: decider.key,
    recommendation: decider.recommendation,
    excessBurstCapacity: present.excessBurstCapacity,
    metric: spec.isRps ? 'rps' : 'concurrency',
    target: spec.target,
    capacity: spec.capacity,
    targetBurstCapacity: spec.targetBurstCapacity,
    stableWindowSeconds: spec.stableWindowMs / 1000,
    decisions: readHistory(row.slab, row.at).map((past) => ({
      firstAt: new Date(past.firstMs).toISOString(),
      lastAt: new Date(past.lastMs).toISOString(),
      repeats: past.repeats,
      reason: REASON_NAMES[past.reason as ReasonCode],
      stable: past.stable,
      panic: past.panic,
      readyPods: past.readyPods,
      recommendation: past.recommendation,
      excessBurstCapacity: past.excessBurstCapacity,
      panicking: past.isPanicking,
    })),
  };
}
