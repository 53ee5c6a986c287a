// Hands out rows of shared memory, one per revision, and is the only writer of their inputs and
// windows. Rows of one shape share slabs; a revision whose windows outgrow its row is moved to a
// wider one. Main thread only. Hot: `record` runs once per stat.
// Invariants: a row has one owner key; a row is free again when everybody has released it.

import {
  cellsPerRow,
  FLAG,
  INPUT,
  MetricSlab,
  type RowShape,
  STATE,
  SYNC_CELLS,
  WINDOW,
} from '../shm/metric-columns.ts';
import { copyWindow, initWindow, recordPair, resizeWindow, ringCapacity } from './bucket-window.ts';
import { initDelayWindow } from './delay-window.ts';

/** Rows in use at once; beyond it `retain` throws and the revision is not scaled. */
export const MAX_ROWS = 500_000;
const SMALLEST_STABLE_RING = 64;
const SMALLEST_PANIC_RING = 8;
const FIRST_SLAB_ROWS = 16;
const MAX_SLAB_ROWS = 4096;
/** How often a move tries to get the lock of a row that a worker is deciding (about 10 ms). */
const MAX_LOCK_ATTEMPTS = 500_000;

/** Which head each ring is under. */
const RINGS = [
  ['stableAt', 'stableConcurrencyAt'],
  ['stableAt', 'stableRateAt'],
  ['panicAt', 'panicConcurrencyAt'],
  ['panicAt', 'panicRateAt'],
] as const;

/** A revision's place in shared memory. `slab` and `at` change when the row is moved. */
export interface MetricRow {
  readonly key: string;
  slab: MetricSlab;
  /** First Float64 cell. */
  at: number;
  /** How many users (Decider, collection) hold it. */
  users: number;
  /** A collection takes stats for it. */
  isCollected: boolean;
  /** A stat with load in it may be worth a decision at once: its Decider said 0 or nothing yet. */
  isPokable: boolean;
}

interface SlabClass {
  slabs: MetricSlab[];
  /** Rows free for use, as pairs of slab and first cell. */
  free: { slab: MetricSlab; at: number }[];
}

/** Hears of what another process needs to know to take over (AS-178 improved on). */
export interface StoreObserver {
  recorded(row: MetricRow, second: number, concurrency: number, rate: number): void;
  /** Windows were started or resized: the row is to be copied anew. */
  reshaped(row: MetricRow): void;
  freed(row: MetricRow): void;
}

export class MetricStore {
  /** Null in a process that is alone. */
  observer: StoreObserver | null = null;
  /** How often a row has changed its place. */
  moves = 0;
  readonly #rows = new Map<string, MetricRow>();
  readonly #classes = new Map<string, SlabClass>();

  get(key: string): MetricRow | undefined {
    return this.#rows.get(key);
  }

  get size(): number {
    return this.#rows.size;
  }

  /** The row of `key`, made if need be; pair each call with one `release`. */
  retain(key: string): MetricRow {
    let row = this.#rows.get(key);
    if (row === undefined) {
      if (this.#rows.size >= MAX_ROWS) throw new Error(`more than ${MAX_ROWS} revisions`);
      const shape = {
        stableCapacity: SMALLEST_STABLE_RING,
        panicCapacity: SMALLEST_PANIC_RING,
        delayCapacity: 0,
      };
      row = { key, ...this.#take(shape), users: 0, isCollected: false, isPokable: false };
      this.#rows.set(key, row);
    }
    row.users += 1;
    return row;
  }

  release(row: MetricRow): void {
    row.users -= 1;
    if (row.users > 0) return;
    this.#rows.delete(row.key);
    this.observer?.freed(row);
    this.setInput(row, 'flags', 0);
    this.#classOf(row.slab.shape).free.push({ slab: row.slab, at: row.at });
  }

  setInput(row: MetricRow, name: keyof typeof INPUT, value: number): void {
    row.slab.beginInputs(row.at);
    row.slab.cells[row.at + INPUT[name]] = value;
    row.slab.endInputs(row.at);
  }

  setInputs(row: MetricRow, values: Partial<Record<keyof typeof INPUT, number>>): void {
    row.slab.beginInputs(row.at);
    for (const [name, value] of Object.entries(values)) {
      row.slab.cells[row.at + INPUT[name as keyof typeof INPUT]] = value;
    }
    row.slab.endInputs(row.at);
  }

  setFlag(row: MetricRow, flag: number, isSet: boolean): void {
    const flags = row.slab.cells[row.at + INPUT.flags]!;
    this.setInput(row, 'flags', isSet ? flags | flag : flags & ~flag);
  }

  /** AS-79: four fresh windows. Lengths in whole seconds. */
  startWindows(row: MetricRow, stableSeconds: number, panicSeconds: number): void {
    this.#makeRoom(row, stableSeconds, panicSeconds, 0);
    const { slab, at } = row;
    slab.beginInputs(at);
    initWindows(slab, at, stableSeconds, panicSeconds);
    slab.endInputs(at);
    this.observer?.reshaped(row);
  }

  /** AS-92. */
  resizeWindows(
    row: MetricRow,
    stableSeconds: number,
    panicSeconds: number,
    nowSecond: number,
  ): void {
    this.#makeRoom(row, stableSeconds, panicSeconds, 0);
    const { slab, at } = row;
    slab.beginInputs(at);
    const { cells } = slab;
    const [concurrency, rate] = [slab.stableConcurrencyAt(at), slab.stableRateAt(at)];
    resizeWindow(cells, slab.stableAt(at), stableSeconds, nowSecond, concurrency, rate);
    const [panicConcurrency, panicRate] = [slab.panicConcurrencyAt(at), slab.panicRateAt(at)];
    resizeWindow(cells, slab.panicAt(at), panicSeconds, nowSecond, panicConcurrency, panicRate);
    slab.endInputs(at);
    this.observer?.reshaped(row);
  }

  /** AS-114: an empty delay window of so many slots. */
  startDelay(row: MetricRow, slots: number): void {
    this.#makeRoom(row, 1, 1, slots);
    const { slab, at } = row;
    initDelayWindow(slab.cells, slab.delayAt(at), slots, slab.shape.delayCapacity);
    this.observer?.reshaped(row);
  }

  /** AS-79, AS-80: one stat into all four windows. */
  record(row: MetricRow, second: number, concurrency: number, rate: number): void {
    const { slab, at } = row;
    slab.beginInputs(at);
    const { cells } = slab;
    let ringAt = slab.panicConcurrencyAt(at);
    let pairAt = slab.panicRateAt(at);
    recordPair(cells, slab.panicAt(at), ringAt, pairAt, second, concurrency, rate);
    ringAt = slab.stableConcurrencyAt(at);
    pairAt = slab.stableRateAt(at);
    recordPair(cells, slab.stableAt(at), ringAt, pairAt, second, concurrency, rate);
    slab.endInputs(at);
    this.observer?.recorded(row, second, concurrency, rate);
  }

  /** All rows, in order of creation. */
  rows(): IterableIterator<MetricRow> {
    return this.#rows.values();
  }

  /**
   * Fills `row` with a copy made in another process: `cells` are those of one row of `shape`.
   * Nobody decides on it until a collection and a Decider take it over (`takeWarm`).
   */
  importRow(row: MetricRow, shape: RowShape, cells: Float64Array): void {
    const source = MetricSlab.allocate(shape, 1);
    source.cells.set(cells.subarray(0, source.cells.length));
    const { slab: before, at: beforeAt } = row;
    const { slab: to, at: toAt } = this.#take(shape);
    copyRow(source, 0, to, toAt);
    const kept = FLAG.weighted | FLAG.rps | FLAG.silenceIsZero | FLAG.delayed;
    const flags = source.cells[INPUT.flags]! & kept;
    to.cells[toAt + INPUT.flags] = flags | FLAG.warmWindows | FLAG.warmState;
    row.slab = to;
    row.at = toAt;
    this.moves += 1;
    this.#classOf(before.shape).free.push({ slab: before, at: beforeAt });
  }

  /** True once for a row that was copied from another process; its content then counts. */
  takeWarm(row: MetricRow, flag: number): boolean {
    const isWarm = (row.slab.cells[row.at + INPUT.flags]! & flag) !== 0;
    if (isWarm) this.setFlag(row, flag, false);
    return isWarm;
  }

  /** Bytes of shared memory in slabs. */
  get bytes(): number {
    let bytes = 0;
    for (const { slabs } of this.#classes.values()) {
      for (const slab of slabs) bytes += slab.buffer.byteLength;
    }
    return bytes;
  }

  #makeRoom(row: MetricRow, stable: number, panic: number, slots: number): void {
    const has = row.slab.shape;
    const shape = {
      stableCapacity: Math.max(has.stableCapacity, ringCapacity(stable)),
      panicCapacity: Math.max(has.panicCapacity, ringCapacity(panic)),
      delayCapacity: Math.max(has.delayCapacity, slots === 0 ? 0 : ringCapacity(slots)),
    };
    const fits =
      shape.stableCapacity === has.stableCapacity &&
      shape.panicCapacity === has.panicCapacity &&
      shape.delayCapacity === has.delayCapacity;
    if (!fits) this.#move(row, shape);
  }

  /** The old row's lock is held meanwhile, so that no worker writes into what is being copied. */
  #move(row: MetricRow, shape: RowShape): void {
    const { slab: from, at: fromAt } = row;
    const { slab: to, at: toAt } = this.#take(shape);
    lock(from, fromAt);
    copyRow(from, fromAt, to, toAt);
    from.cells[fromAt + INPUT.flags] = 0;
    from.unlock(fromAt);
    row.slab = to;
    row.at = toAt;
    this.moves += 1;
    this.#classOf(from.shape).free.push({ slab: from, at: fromAt });
  }

  #take(shape: RowShape): { slab: MetricSlab; at: number } {
    const slabClass = this.#classOf(shape);
    if (slabClass.free.length === 0) addSlab(slabClass, shape);
    const place = slabClass.free.pop()!;
    lock(place.slab, place.at); // A worker may still be busy with the revision that was here.
    clearRow(place.slab, place.at);
    place.slab.unlock(place.at);
    return place;
  }

  #classOf(shape: RowShape): SlabClass {
    const name = `${shape.stableCapacity}/${shape.panicCapacity}/${shape.delayCapacity}`;
    let found = this.#classes.get(name);
    if (found === undefined) {
      found = { slabs: [], free: [] };
      this.#classes.set(name, found);
    }
    return found;
  }
}

/** Slabs double in size: a laptop pays for a handful of rows, a cluster for few slabs. */
function addSlab(slabClass: SlabClass, shape: RowShape): void {
  const rows = Math.min(FIRST_SLAB_ROWS * 2 ** slabClass.slabs.length, MAX_SLAB_ROWS);
  const slab = MetricSlab.allocate(shape, rows);
  slabClass.slabs.push(slab);
  for (let row = rows - 1; row >= 0; row -= 1) {
    slabClass.free.push({ slab, at: slab.rowAt(row) });
  }
}

function clearRow(slab: MetricSlab, at: number): void {
  const { cells, shape } = slab;
  cells.fill(0, at + SYNC_CELLS, at + cellsPerRow(shape));
  cells[at + STATE.panicSinceMs] = Number.NaN;
  cells[at + STATE.recommendation] = -1;
  initWindows(slab, at, 1, 1);
  if (shape.delayCapacity > 0) initDelayWindow(cells, slab.delayAt(at), 1, shape.delayCapacity);
}

function initWindows(slab: MetricSlab, at: number, stable: number, panic: number): void {
  const { cells } = slab;
  const { stableCapacity, panicCapacity } = slab.shape;
  for (const ringAt of [slab.stableConcurrencyAt(at), slab.stableRateAt(at)]) {
    initWindow(cells, slab.stableAt(at), stable, stableCapacity, ringAt);
  }
  for (const ringAt of [slab.panicConcurrencyAt(at), slab.panicRateAt(at)]) {
    initWindow(cells, slab.panicAt(at), panic, panicCapacity, ringAt);
  }
}

/** Inputs, state, history and windows; `to` has at least the capacities of `from`. */
function copyRow(from: MetricSlab, fromAt: number, to: MetricSlab, toAt: number): void {
  const rings = from.panicConcurrencyAt(0);
  for (let cell = INPUT.target; cell < rings; cell += 1) {
    to.cells[toAt + cell] = from.cells[fromAt + cell]!;
  }
  for (const [head, ring] of RINGS) {
    copyWindow(
      from.cells,
      from[head](fromAt),
      to.cells,
      to[head](toAt),
      from[ring](fromAt),
      to[ring](toAt),
    );
  }
  if (from.shape.delayCapacity > 0) {
    copyWindow(from.cells, from.delayAt(fromAt), to.cells, to.delayAt(toAt));
  }
}

function lock(slab: MetricSlab, at: number): void {
  for (let attempt = 0; attempt < MAX_LOCK_ATTEMPTS; attempt += 1) {
    if (slab.tryLock(at)) return;
  }
  throw new Error('a decision worker does not give its row back');
}

/** Newest second of the stable concurrency window; NaN = no stat yet. */
export function newestSecond(row: MetricRow): number {
  return row.slab.cells[row.slab.stableAt(row.at) + WINDOW.newest]!;
}
