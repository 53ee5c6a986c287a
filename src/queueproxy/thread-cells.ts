// What the request threads of one pod tell each other without messages: that the pod drains, when
// each thread last saw a request while draining (QP-113), and each thread's statistics (QP-38). This
// file owns the layout. Hot where several threads run; with one thread nothing of it exists.
//
//   block 0          Int32 0: 1 while draining; written by the main thread
//   block 1 + thread Int32 0: sequence, odd while the numbers are being changed
//                    Int32 16: whole ms of the last arrival while draining
//                    Float64 16..22: see NUMBER; sums and counts only grow
//   A block is 256 bytes and has one writer. Numbers are written between two increments of the
//   sequence; a reader takes the sequence, reads, takes it again, and starts over if it was odd or
//   has moved.

import type { AccountingReport } from '../proxy/request-accounting.ts';
import type { DrainState, RequestCounter } from './handler.ts';

const BLOCK_BYTES = 256;
const BLOCK_INTS = BLOCK_BYTES / Int32Array.BYTES_PER_ELEMENT;
const BLOCK_DOUBLES = BLOCK_BYTES / Float64Array.BYTES_PER_ELEMENT;
const ARRIVAL = 16;
const FIRST_NUMBER = 16;
const NUMBER = {
  lastChangeMs: 0,
  requestMs: 1,
  proxiedRequestMs: 2,
  concurrency: 3,
  proxiedConcurrency: 4,
  requestCount: 5,
  proxiedRequestCount: 6,
} as const;
const NUMBER_COUNT = 7;
/** How far the clocks of two threads may stand apart. */
const CLOCK_SKEW_MS = 1_000;
/** Reads that met the writer; then the thread's last known numbers serve once more. */
const MAX_READ_ATTEMPTS = 1_000;

export function createThreadCells(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(BLOCK_BYTES * (threads + 1));
}

/** One thread's part of the statistics; the arithmetic of RequestAccounting, shown to all. */
export class ThreadAccounting implements RequestCounter {
  readonly #ints: Int32Array;
  readonly #numbers: Float64Array;
  readonly #sequence: number;

  constructor(cells: SharedArrayBuffer, thread: number, startMs: number) {
    this.#ints = new Int32Array(cells);
    this.#sequence = BLOCK_INTS * (thread + 1);
    const firstByte = BLOCK_BYTES * (thread + 1) + FIRST_NUMBER * Float64Array.BYTES_PER_ELEMENT;
    this.#numbers = new Float64Array(cells, firstByte, NUMBER_COUNT);
    this.#numbers[NUMBER.lastChangeMs] = startMs;
  }

  /** Requests inside this thread now. */
  get concurrency(): number {
    return this.#numbers[NUMBER.concurrency]!;
  }

  arrive(nowMs: number, proxied: boolean): void {
    const numbers = this.#numbers;
    Atomics.add(this.#ints, this.#sequence, 1);
    this.#advance(nowMs);
    numbers[NUMBER.requestCount]! += 1;
    numbers[NUMBER.concurrency]! += 1;
    if (proxied) {
      numbers[NUMBER.proxiedRequestCount]! += 1;
      numbers[NUMBER.proxiedConcurrency]! += 1;
    }
    Atomics.add(this.#ints, this.#sequence, 1);
  }

  depart(nowMs: number, proxied: boolean): void {
    const numbers = this.#numbers;
    const isMissing = proxied && numbers[NUMBER.proxiedConcurrency] === 0;
    if (numbers[NUMBER.concurrency] === 0 || isMissing) {
      throw new Error('more requests departed than arrived');
    }
    Atomics.add(this.#ints, this.#sequence, 1);
    this.#advance(nowMs);
    numbers[NUMBER.concurrency]! -= 1;
    if (proxied) numbers[NUMBER.proxiedConcurrency]! -= 1;
    Atomics.add(this.#ints, this.#sequence, 1);
  }

  #advance(nowMs: number): void {
    const numbers = this.#numbers;
    const passedMs = nowMs - numbers[NUMBER.lastChangeMs]!;
    if (passedMs <= 0) return;
    numbers[NUMBER.requestMs]! += passedMs * numbers[NUMBER.concurrency]!;
    numbers[NUMBER.proxiedRequestMs]! += passedMs * numbers[NUMBER.proxiedConcurrency]!;
    numbers[NUMBER.lastChangeMs] = nowMs;
  }
}

/** The statistics of all threads as one (QP-38 to QP-40); read by the one reporter of the pod. */
export class ThreadAccountingSum {
  readonly #ints: Int32Array;
  readonly #doubles: Float64Array;
  readonly #threads: number;
  /** Last consistent numbers of each thread. */
  readonly #known: Float64Array;
  /** What the last report had already told. */
  readonly #told = new Float64Array(NUMBER_COUNT);
  readonly #sums = new Float64Array(NUMBER_COUNT);
  #reportedMs: number;

  constructor(cells: SharedArrayBuffer, threads: number, startMs: number) {
    this.#ints = new Int32Array(cells);
    this.#doubles = new Float64Array(cells);
    this.#threads = threads;
    this.#known = new Float64Array(NUMBER_COUNT * threads);
    for (let thread = 0; thread < threads; thread += 1) {
      this.#known[thread * NUMBER_COUNT + NUMBER.lastChangeMs] = startMs;
    }
    this.#reportedMs = startMs;
  }

  /** Requests inside now, in all threads. */
  get concurrency(): number {
    this.#add(Number.NEGATIVE_INFINITY);
    return this.#sums[NUMBER.concurrency]!;
  }

  report(nowMs: number): AccountingReport {
    this.#add(nowMs);
    const elapsedMs = Math.max(0, nowMs - this.#reportedMs);
    this.#reportedMs += elapsedMs;
    const since = (index: number): number => this.#sums[index]! - this.#told[index]!;
    const average = (index: number): number => (elapsedMs === 0 ? 0 : since(index) / elapsedMs);
    const report = {
      averageConcurrency: average(NUMBER.requestMs),
      averageProxiedConcurrency: average(NUMBER.proxiedRequestMs),
      requestCount: since(NUMBER.requestCount),
      proxiedRequestCount: since(NUMBER.proxiedRequestCount),
    };
    this.#told.set(this.#sums);
    return report;
  }

  /** Sums all threads as they stand at `nowMs`; a thread already past it counts as it is. */
  #add(nowMs: number): void {
    const sums = this.#sums.fill(0);
    for (let thread = 0; thread < this.#threads; thread += 1) {
      this.#read(thread);
      const first = thread * NUMBER_COUNT;
      const known = this.#known.subarray(first, first + NUMBER_COUNT);
      const passedMs = Math.max(0, nowMs - known[NUMBER.lastChangeMs]!);
      for (let index = 0; index < NUMBER_COUNT; index += 1) sums[index]! += known[index]!;
      sums[NUMBER.requestMs]! += passedMs * known[NUMBER.concurrency]!;
      sums[NUMBER.proxiedRequestMs]! += passedMs * known[NUMBER.proxiedConcurrency]!;
    }
  }

  #read(thread: number): void {
    const sequence = BLOCK_INTS * (thread + 1);
    const from = BLOCK_DOUBLES * (thread + 1) + FIRST_NUMBER;
    for (let attempt = 0; attempt < MAX_READ_ATTEMPTS; attempt += 1) {
      const before = Atomics.load(this.#ints, sequence);
      if ((before & 1) !== 0) continue;
      const numbers = this.#doubles.slice(from, from + NUMBER_COUNT);
      if (Atomics.load(this.#ints, sequence) !== before) continue;
      this.#known.set(numbers, thread * NUMBER_COUNT);
      return;
    }
  }
}

/** The drain as a request thread sees it. */
export class ThreadDrainState implements DrainState {
  readonly #ints: Int32Array;
  readonly #arrival: number;

  constructor(cells: SharedArrayBuffer, thread: number) {
    this.#ints = new Int32Array(cells);
    this.#arrival = BLOCK_INTS * (thread + 1) + ARRIVAL;
  }

  get draining(): boolean {
    return Atomics.load(this.#ints, 0) !== 0;
  }

  onArrival(nowMs: number): void {
    Atomics.store(this.#ints, this.#arrival, Math.ceil(nowMs) | 0);
  }
}

/** The main thread's side of the drain: shows it to the others and asks for their arrivals. */
export class DrainBoard {
  readonly #ints: Int32Array;
  readonly #threads: number;

  constructor(cells: SharedArrayBuffer, threads: number) {
    this.#ints = new Int32Array(cells);
    this.#threads = threads;
  }

  show(draining: boolean): void {
    Atomics.store(this.#ints, 0, draining ? 1 : 0);
  }

  /** How long ago any other thread saw a request; Infinity or large when that is long past. */
  sinceArrivalMs(nowMs: number): number {
    let leastMs = Number.POSITIVE_INFINITY;
    for (let thread = 1; thread < this.#threads; thread += 1) {
      const arrivedMs = Atomics.load(this.#ints, BLOCK_INTS * (thread + 1) + ARRIVAL);
      const sinceMs = ((Math.ceil(nowMs) | 0) - arrivedMs) | 0;
      // A thread's clock may be a little ahead; far ahead is 25 days ago, seen through 32 bits.
      if (sinceMs >= -CLOCK_SKEW_MS) leastMs = Math.min(leastMs, Math.max(0, sinceMs));
    }
    return leastMs;
  }
}
