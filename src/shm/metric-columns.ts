// Memory layout of the autoscaler's metric store: the one file that knows where a number lives. A
// slab is one SharedArrayBuffer of equal rows, a row is one revision, and inside a row every window
// is a ring of one cell per second. Main thread and decision workers see the same memory, so a
// decision copies nothing. Hot: every stat and every decision goes through these offsets.
//
//   row: | sync (64 B) | 2 heads (64 B) | inputs | state | history | 4 rings | delay window |
//
// Concurrency and rate are recorded together, so their windows of one length share a head. At
// 100,000 revisions a stat costs cache misses more than arithmetic: sync and heads are one pair of
// lines, both panic rings of the usual length another.
//
// Who writes what, and in which order:
// - `inputs`, heads and rings: the main thread only, between VERSION made odd and made even again.
//   A reader takes VERSION, reads, takes VERSION again and starts over if it was odd or has moved.
// - `state`, `history` and the delay window: whoever turned LOCK from 0 to 1 by compare-exchange,
//   until it stores 0. Two decisions of one revision therefore never overlap (AS-96).
// While no worker has a task on the slab (`sharers` 0) both go without Atomics: handing a task over
// and getting its answer order everything before and after.

/** Int32 cells at the start of a row. */
export const VERSION = 0;
export const LOCK = 1;

/** Float64 cells at the start of a row that belong to its process: the sync cells, 64 bytes. */
export const SYNC_CELLS = 8;
const STABLE_HEAD_AT = SYNC_CELLS;
const PANIC_HEAD_AT = 12;

/** Float64 cells from the start of a row. */
export const INPUT = {
  target: 16,
  capacity: 17,
  targetBurstCapacity: 18,
  panicThreshold: 19,
  stableWindowMs: 20,
  maxScaleUpRate: 21,
  maxScaleDownRate: 22,
  activationScale: 23,
  /** Bits of `FLAG`. */
  flags: 24,
  /** -1 = pods cannot be counted (AS-101). */
  readyPods: 25,
} as const;

export const FLAG = {
  /** A Decider exists for the row. */
  deciding: 1,
  /** A Metric exists for the row. */
  collecting: 2,
  reachable: 4,
  /** Scale on requests per second instead of concurrency. */
  rps: 8,
  /** Weighted-exponential averages (AS-54). */
  weighted: 16,
  /** No scrape target: silence means zero load, not missing data (AS-91). */
  silenceIsZero: 32,
  /** The Decider was made with a scale-down delay (AS-114). */
  delayed: 64,
  /** The windows were copied from another process and wait for their collection. */
  warmWindows: 128,
  /** The state was copied from another process and waits for its Decider. */
  warmState: 256,
} as const;

export const STATE = {
  /** Unix ms; NaN = not panicking. */
  panicSinceMs: 26,
  panicFloor: 27,
  /** -1 = unknown. */
  recommendation: 28,
  excessBurstCapacity: 29,
  /** Decisions kept so far, counted from the creation of the row. */
  historyCount: 30,
  /** Unix ms of the entry into the present panic; panicSinceMs moves on with every overload. */
  panicEnteredMs: 31,
  /** Unix ms of the last decision; 0 = none yet. */
  decidedMs: 32,
} as const;

const HISTORY_AT = 33;
/** AS has no number for it: decisions that differ from the one before, newest overwrite oldest. */
export const HISTORY_ENTRIES = 8;
export const HISTORY = {
  firstMs: 0,
  lastMs: 1,
  repeats: 2,
  reason: 3,
  stable: 4,
  panic: 5,
  readyPods: 6,
  recommendation: 7,
  excessBurstCapacity: 8,
  panicking: 9,
} as const;
export const HISTORY_CELLS = 10;

/** The head of a bucket window, or of two that are always written together. */
export const WINDOW = {
  /** Window length in buckets; a fraction rounds up to a whole bucket. */
  length: 0,
  /** Number (time / granularity) of the newest bucket; NaN = never written. */
  newest: 1,
  /** Number of the first bucket written; -Infinity = before anything kept (AS-90). */
  first: 2,
  /** Ring cells, a power of two, >= length rounded up. */
  capacity: 3,
} as const;
export const WINDOW_HEAD = 4;

/** Processors fetch lines of 64 bytes in pairs. */
const CELLS_PER_LINE_PAIR = 16;
const RINGS_AT = roundUp(HISTORY_AT + HISTORY_ENTRIES * HISTORY_CELLS, SYNC_CELLS);

/** How much every row of a slab can hold. */
export interface RowShape {
  /** Seconds; a power of two. */
  stableCapacity: number;
  panicCapacity: number;
  /** Slots of 2 s; 0 = no delay window, otherwise a power of two. */
  delayCapacity: number;
}

/** Views on one slab; made on both sides of a thread boundary from the same buffer. */
export class MetricSlab {
  readonly buffer: SharedArrayBuffer;
  readonly shape: RowShape;
  readonly rowCount: number;
  readonly cells: Float64Array;
  readonly sync: Int32Array;
  /** Tasks of other threads that may be at work on these rows. */
  sharers = 0;
  readonly #stride: number;

  constructor(buffer: SharedArrayBuffer, shape: RowShape) {
    this.buffer = buffer;
    this.shape = shape;
    this.cells = new Float64Array(buffer);
    this.sync = new Int32Array(buffer);
    this.#stride = cellsPerRow(shape);
    this.rowCount = Math.floor(this.cells.length / this.#stride);
  }

  static allocate(shape: RowShape, rowCount: number): MetricSlab {
    return new MetricSlab(new SharedArrayBuffer(cellsPerRow(shape) * 8 * rowCount), shape);
  }

  /** First Float64 cell of a row. */
  rowAt(row: number): number {
    return row * this.#stride;
  }

  /** Head of the stable windows. */
  stableAt(rowAt: number): number {
    return rowAt + STABLE_HEAD_AT;
  }

  /** Head of the panic windows. */
  panicAt(rowAt: number): number {
    return rowAt + PANIC_HEAD_AT;
  }

  panicConcurrencyAt(rowAt: number): number {
    return rowAt + RINGS_AT;
  }

  panicRateAt(rowAt: number): number {
    return rowAt + RINGS_AT + this.shape.panicCapacity;
  }

  stableConcurrencyAt(rowAt: number): number {
    return rowAt + RINGS_AT + 2 * this.shape.panicCapacity;
  }

  stableRateAt(rowAt: number): number {
    return this.stableConcurrencyAt(rowAt) + this.shape.stableCapacity;
  }

  /** The delay window: a head of its own, then its ring. */
  delayAt(rowAt: number): number {
    return this.stableRateAt(rowAt) + this.shape.stableCapacity;
  }

  historyAt(rowAt: number, index: number): number {
    return rowAt + HISTORY_AT + (index % HISTORY_ENTRIES) * HISTORY_CELLS;
  }

  /** Main thread only: readers that run meanwhile will start over. */
  beginInputs(rowAt: number): void {
    if (this.sharers === 0) this.sync[rowAt * 2 + VERSION]! += 1;
    else Atomics.add(this.sync, rowAt * 2 + VERSION, 1);
  }

  endInputs(rowAt: number): void {
    if (this.sharers === 0) this.sync[rowAt * 2 + VERSION]! += 1;
    else Atomics.add(this.sync, rowAt * 2 + VERSION, 1);
  }

  inputVersion(rowAt: number): number {
    if (this.sharers === 0) return this.sync[rowAt * 2 + VERSION]!;
    return Atomics.load(this.sync, rowAt * 2 + VERSION);
  }

  /** True when the caller now owns state, history and delay window of the row. */
  tryLock(rowAt: number): boolean {
    const cell = rowAt * 2 + LOCK;
    if (this.sharers > 0) return Atomics.compareExchange(this.sync, cell, 0, 1) === 0;
    if (this.sync[cell] !== 0) return false;
    this.sync[cell] = 1;
    return true;
  }

  unlock(rowAt: number): void {
    if (this.sharers === 0) this.sync[rowAt * 2 + LOCK] = 0;
    else Atomics.store(this.sync, rowAt * 2 + LOCK, 0);
  }
}

/** Float64 cells of one row, rounded up so that rows do not share cache lines. */
export function cellsPerRow(shape: RowShape): number {
  const { stableCapacity, panicCapacity, delayCapacity } = shape;
  const delay = delayCapacity === 0 ? 0 : WINDOW_HEAD + delayCapacity;
  return roundUp(RINGS_AT + 2 * (stableCapacity + panicCapacity) + delay, CELLS_PER_LINE_PAIR);
}

function roundUp(count: number, multiple: number): number {
  return Math.ceil(count / multiple) * multiple;
}
