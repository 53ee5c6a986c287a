// One decision on one row of shared memory: read inputs and windows, decide, write the state back
// and note it in the row's history. Runs on the main thread (pokes, small ticks) and in decision
// workers (large ticks) alike. Hot: the budget of a tick is 2 µs per row. Ordering: LOCK first,
// then a consistent read under VERSION, then the state is written, LOCK last.

import {
  FLAG,
  HISTORY,
  HISTORY_ENTRIES,
  INPUT,
  type MetricSlab,
  STATE,
} from '../shm/metric-columns.ts';
import { isWindowEmpty, linearAverage, weightedAverage } from './bucket-window.ts';
import { DELAY_SLOT_MS, delayedMaximum, recordDelayed } from './delay-window.ts';
import {
  decideScale,
  type ScaleDecision,
  type ScaleSpec,
  type ScaleState,
  type SeenLoad,
} from './scale-decision.ts';

export const OUTCOME = {
  /** No Decider or no collection: nothing to decide. */
  skipped: 0,
  /** Somebody else holds or writes the row: try again. */
  busy: 1,
  /** AS-96: nothing changed. */
  invalid: 2,
  /** Decided, and nothing an observer would hear of (AS-97). */
  same: 3,
  changed: 4,
} as const;
export type Outcome = (typeof OUTCOME)[keyof typeof OUTCOME];

/** Reads that met the writer before a row counts as busy. */
const MAX_READ_ATTEMPTS = 64;

// Filled anew for each row: a decision runs to its end without yielding.
const seen: SeenLoad = { stable: 0, panic: 0, hasData: false, readyPods: 0, delayedMaximum: -1 };
const spec: ScaleSpec = {
  target: 1,
  capacity: 1,
  targetBurstCapacity: 0,
  panicThreshold: 1,
  stableWindowMs: 0,
  maxScaleUpRate: 2,
  maxScaleDownRate: 2,
  activationScale: 0,
  reachable: true,
};

export function decideRow(slab: MetricSlab, at: number, nowMs: number): Outcome {
  if (!slab.tryLock(at)) return OUTCOME.busy;
  try {
    return decideLocked(slab, at, nowMs);
  } finally {
    slab.unlock(at);
  }
}

function decideLocked(slab: MetricSlab, at: number, nowMs: number): Outcome {
  const flags = readInputs(slab, at, Math.floor(nowMs / 1000));
  if (flags < 0) return OUTCOME.busy;
  if ((flags & FLAG.deciding) === 0) return OUTCOME.skipped;
  const { cells } = slab;
  const isDelayed = (flags & FLAG.delayed) !== 0;
  const slot = Math.floor(nowMs / DELAY_SLOT_MS);
  seen.delayedMaximum = isDelayed ? delayedMaximum(cells, slab.delayAt(at), slot) : -1;

  const before = readState(cells, at);
  const decision = decideScale(before, seen, spec, nowMs);
  noteHistory(slab, at, decision, nowMs);
  cells[at + STATE.decidedMs] = nowMs;
  if (!decision.valid) return OUTCOME.invalid;
  if (decision.recordDelayed >= 0) {
    recordDelayed(cells, slab.delayAt(at), slot, decision.recordDelayed);
  }
  writeState(cells, at, decision.state);
  return isNews(before, decision.state) ? OUTCOME.changed : OUTCOME.same;
}

/** Fills `seen` and `spec`; returns the flags, or -1 when the writer was in the way every time. */
function readInputs(slab: MetricSlab, at: number, nowSecond: number): number {
  for (let attempt = 0; attempt < MAX_READ_ATTEMPTS; attempt += 1) {
    const version = slab.inputVersion(at);
    if ((version & 1) !== 0) continue;
    const flags = slab.cells[at + INPUT.flags]!;
    readSpec(slab.cells, at, flags);
    readLoad(slab, at, flags, nowSecond);
    if (slab.inputVersion(at) === version) return flags;
  }
  return -1;
}

function readSpec(cells: Float64Array, at: number, flags: number): void {
  spec.target = cells[at + INPUT.target]!;
  spec.capacity = cells[at + INPUT.capacity]!;
  spec.targetBurstCapacity = cells[at + INPUT.targetBurstCapacity]!;
  spec.panicThreshold = cells[at + INPUT.panicThreshold]!;
  spec.stableWindowMs = cells[at + INPUT.stableWindowMs]!;
  spec.maxScaleUpRate = cells[at + INPUT.maxScaleUpRate]!;
  spec.maxScaleDownRate = cells[at + INPUT.maxScaleDownRate]!;
  spec.activationScale = cells[at + INPUT.activationScale]!;
  spec.reachable = (flags & FLAG.reachable) !== 0;
}

/** AS-91. */
function readLoad(slab: MetricSlab, at: number, flags: number, nowSecond: number): void {
  const { cells } = slab;
  const isRate = (flags & FLAG.rps) !== 0;
  const stableRingAt = isRate ? slab.stableRateAt(at) : slab.stableConcurrencyAt(at);
  const panicRingAt = isRate ? slab.panicRateAt(at) : slab.panicConcurrencyAt(at);
  const stableAt = slab.stableAt(at);
  const average = (flags & FLAG.weighted) !== 0 ? weightedAverage : linearAverage;
  seen.stable = average(cells, stableAt, nowSecond, stableRingAt);
  seen.panic = average(cells, slab.panicAt(at), nowSecond, panicRingAt);
  seen.hasData =
    (flags & FLAG.collecting) !== 0 &&
    ((flags & FLAG.silenceIsZero) !== 0 || !isWindowEmpty(cells, stableAt, nowSecond));
  seen.readyPods = cells[at + INPUT.readyPods]!;
}

/** AS-97: 0 counts as non-negative. */
export function isNews(
  before: Pick<ScaleState, 'recommendation' | 'excessBurstCapacity'>,
  after: ScaleState,
): boolean {
  return (
    before.recommendation !== after.recommendation ||
    before.excessBurstCapacity < 0 !== after.excessBurstCapacity < 0
  );
}

export function readState(cells: Float64Array, at: number): ScaleState {
  return {
    panicSinceMs: cells[at + STATE.panicSinceMs]!,
    panicFloor: cells[at + STATE.panicFloor]!,
    recommendation: cells[at + STATE.recommendation]!,
    excessBurstCapacity: cells[at + STATE.excessBurstCapacity]!,
  };
}

export function writeState(cells: Float64Array, at: number, state: ScaleState): void {
  if (Number.isNaN(cells[at + STATE.panicSinceMs]!)) {
    cells[at + STATE.panicEnteredMs] = state.panicSinceMs;
  }
  cells[at + STATE.panicSinceMs] = state.panicSinceMs;
  cells[at + STATE.panicFloor] = state.panicFloor;
  cells[at + STATE.recommendation] = state.recommendation;
  cells[at + STATE.excessBurstCapacity] = state.excessBurstCapacity;
}

/** The averages as they are now, of both metrics. For people: a stat may be arriving meanwhile. */
export interface RowAverages {
  concurrency: number;
  requestsPerSecond: number;
  panicConcurrency: number;
  panicRequestsPerSecond: number;
}

export function readAverages(slab: MetricSlab, at: number, nowMs: number): RowAverages {
  const { cells } = slab;
  const second = Math.floor(nowMs / 1000);
  const isWeighted = (cells[at + INPUT.flags]! & FLAG.weighted) !== 0;
  const average = isWeighted ? weightedAverage : linearAverage;
  const stable = (ringAt: number): number => average(cells, slab.stableAt(at), second, ringAt);
  const panic = (ringAt: number): number => average(cells, slab.panicAt(at), second, ringAt);
  return {
    concurrency: stable(slab.stableConcurrencyAt(at)),
    requestsPerSecond: stable(slab.stableRateAt(at)),
    panicConcurrency: panic(slab.panicConcurrencyAt(at)),
    panicRequestsPerSecond: panic(slab.panicRateAt(at)),
  };
}

/** A decision like the one before only extends its entry, so the history spans real changes. */
function noteHistory(slab: MetricSlab, at: number, decision: ScaleDecision, nowMs: number): void {
  const { cells } = slab;
  const { state, reason } = decision;
  const panicking = Number.isNaN(state.panicSinceMs) ? 0 : 1;
  const count = cells[at + STATE.historyCount]!;
  let entry = slab.historyAt(at, Math.max(0, count - 1));
  const isRepeat =
    count > 0 &&
    cells[entry + HISTORY.reason] === reason &&
    cells[entry + HISTORY.recommendation] === state.recommendation &&
    cells[entry + HISTORY.panicking] === panicking &&
    cells[entry + HISTORY.excessBurstCapacity]! >= 0 === state.excessBurstCapacity >= 0;
  if (isRepeat) {
    cells[entry + HISTORY.repeats]! += 1;
  } else {
    entry = slab.historyAt(at, count);
    cells[at + STATE.historyCount] = count + 1;
    cells[entry + HISTORY.firstMs] = nowMs;
    cells[entry + HISTORY.repeats] = 0;
    cells[entry + HISTORY.reason] = reason;
    cells[entry + HISTORY.recommendation] = state.recommendation;
    cells[entry + HISTORY.panicking] = panicking;
  }
  cells[entry + HISTORY.lastMs] = nowMs;
  cells[entry + HISTORY.stable] = seen.stable;
  cells[entry + HISTORY.panic] = seen.panic;
  cells[entry + HISTORY.readyPods] = seen.readyPods;
  cells[entry + HISTORY.excessBurstCapacity] = state.excessBurstCapacity;
}

/** One remembered decision; the figures are those of its last repetition. */
export interface PastDecision {
  firstMs: number;
  lastMs: number;
  /** How often the same decision followed. */
  repeats: number;
  reason: number;
  stable: number;
  panic: number;
  readyPods: number;
  recommendation: number;
  excessBurstCapacity: number;
  isPanicking: boolean;
}

/** Newest first. For people, not for decisions: a worker may be writing meanwhile. */
export function readHistory(slab: MetricSlab, at: number): PastDecision[] {
  const count = slab.cells[at + STATE.historyCount]!;
  const past: PastDecision[] = [];
  for (let index = count - 1; index >= Math.max(0, count - HISTORY_ENTRIES); index -= 1) {
    const entry = slab.historyAt(at, index);
    const read = (field: keyof typeof HISTORY): number => slab.cells[entry + HISTORY[field]]!;
    past.push({
      firstMs: read('firstMs'),
      lastMs: read('lastMs'),
      repeats: read('repeats'),
      reason: read('reason'),
      stable: read('stable'),
      panic: read('panic'),
      readyPods: read('readyPods'),
      recommendation: read('recommendation'),
      excessBurstCapacity: read('excessBurstCapacity'),
      isPanicking: read('panicking') === 1,
    });
  }
  return past;
}
