// What `/decisions` and `/decisions/<namespace>/<revision>` show: the settings in force, the present
// word of the Decider, what became of it, and its recent decisions with their inputs and the rule
// that bound each. Bounded: HISTORY_ENTRIES decisions per revision.

import type { DecisionEntry, DecisionsDocument, RevisionSummary } from '../api/decisions.ts';
import { STATE } from '../shm/metric-columns.ts';
import type { Decider } from './deciders.ts';
import type { PodCounts } from './pod-counter.ts';
import { type PastDecision, readAverages, readHistory, readState } from './row-decision.ts';
import { REASON_NAMES, type ReasonCode } from './scale-decision.ts';

export function viewDecisions(decider: Decider, pods: PodCounts): DecisionsDocument {
  const { spec, row } = decider;
  return {
    revision: decider.key,
    recommendation: decider.recommendation,
    excessBurstCapacity: readState(row.slab.cells, row.at).excessBurstCapacity,
    metric: spec.isRps ? 'rps' : 'concurrency',
    target: spec.target,
    capacity: spec.capacity,
    targetBurstCapacity: spec.targetBurstCapacity,
    stableWindowSeconds: spec.stableWindowMs / 1000,
    maxScaleUpRate: spec.maxScaleUpRate,
    maxScaleDownRate: spec.maxScaleDownRate,
    activationScale: spec.activationScale,
    scaleDownDelaySeconds: spec.scaleDownDelayMs / 1000,
    pods,
    panic: viewPanic(decider),
    applied: decider.applied,
    decisions: readHistory(row.slab, row.at).map(viewEntry),
  };
}

/** One row of the overview. */
export function summarize(decider: Decider, pods: PodCounts, nowMs: number): RevisionSummary {
  const { slab, at } = decider.row;
  const averages = readAverages(slab, at, nowMs);
  return {
    revision: decider.key,
    concurrency: averages.concurrency,
    requestsPerSecond: averages.requestsPerSecond,
    wanted: decider.applied?.wanted ?? decider.recommendation,
    ready: pods.ready,
    notReady: pods.notReady,
    mode: decider.applied?.mode ?? null,
    panicking: !Number.isNaN(readState(slab.cells, at).panicSinceMs),
  };
}

function viewPanic({ spec, row }: Decider): DecisionsDocument['panic'] {
  const { panicSinceMs, panicFloor } = readState(row.slab.cells, row.at);
  const isPanicking = !Number.isNaN(panicSinceMs);
  const enteredMs = row.slab.cells[row.at + STATE.panicEnteredMs]!;
  return {
    threshold: spec.panicThreshold,
    since: isPanicking ? new Date(enteredMs).toISOString() : null,
    lastOverloadAt: isPanicking ? new Date(panicSinceMs).toISOString() : null,
    floor: isPanicking ? panicFloor : 0,
  };
}

function viewEntry(past: PastDecision): DecisionEntry {
  return {
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
  };
}
