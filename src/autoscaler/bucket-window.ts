// A window of per-second sums and its two averages (AS-79 to AS-90). Head and ring of values live
// in a larger Float64Array (a row of the shared store, or one of its own), so everything here
// takes `(cells, at)` of the head and, where the ring does not follow it, `ringAt`. Two series that
// are recorded together have two rings under one head. Times are bucket numbers: Unix time divided
// by the bucket length, cut to a whole one. Only the cells of buckets in (newest - bucketCount,
// newest] mean anything; all others are leftovers and are zeroed before they come into use. Hot:
// every stat and every decision. No allocation.

import { WINDOW, WINDOW_HEAD } from '../shm/metric-columns.ts';

const LINEAR_PRECISION = 1e6;
const MIN_DECAY = 0.2;
/** AS-87: the weights of a whole window are to sum to this. */
const WEIGHT_SUM = 0.9999;

/** `capacity`: a power of two, at least `length` rounded up. */
export function initWindow(
  cells: Float64Array,
  at: number,
  length: number,
  capacity: number,
  ringAt = at + WINDOW_HEAD,
): void {
  cells[at + WINDOW.length] = length;
  cells[at + WINDOW.newest] = Number.NaN;
  cells[at + WINDOW.first] = Number.NaN;
  cells[at + WINDOW.capacity] = capacity;
  cells.fill(0, ringAt, ringAt + capacity);
}

/** A window with cells of its own. */
export function createWindow(length: number, capacity = ringCapacity(length)): Float64Array {
  const cells = new Float64Array(WINDOW_HEAD + capacity);
  initWindow(cells, 0, length, capacity);
  return cells;
}

/** The smallest power of two that holds a window of `length` buckets. */
export function ringCapacity(length: number): number {
  let capacity = 1;
  while (capacity < length) capacity *= 2;
  return capacity;
}

/** AS-80 to AS-82. */
export function recordValue(cells: Float64Array, at: number, bucket: number, value: number): void {
  const added = openBucket(cells, at, bucket);
  if (added < 0) return;
  const ringAt = at + WINDOW_HEAD;
  clearBuckets(cells, at, ringAt, bucket - added + 1, bucket + 1);
  cells[ringAt + indexOf(cells, at, bucket)]! += value;
}

/** The same for two series with rings under one head. */
export function recordPair(
  cells: Float64Array,
  at: number,
  firstRingAt: number,
  secondRingAt: number,
  bucket: number,
  first: number,
  second: number,
): void {
  const added = openBucket(cells, at, bucket);
  if (added < 0) return;
  const mask = cells[at + WINDOW.capacity]! - 1;
  const index = bucket & mask;
  if (added === 0) {
    cells[firstRingAt + index]! += first;
    cells[secondRingAt + index]! += second;
    return;
  }
  for (let back = 1; back < added; back += 1) {
    const skipped = (index - back) & mask;
    cells[firstRingAt + skipped] = 0;
    cells[secondRingAt + skipped] = 0;
  }
  cells[firstRingAt + index] = first;
  cells[secondRingAt + index] = second;
}

/**
 * Moves the head so that `bucket` is inside. Returns how many buckets, `bucket` being the last of
 * them, came in and still hold leftovers; 0 = it was inside already; -1 = it is too old to count.
 */
function openBucket(cells: Float64Array, at: number, bucket: number): number {
  const length = cells[at + WINDOW.length]!;
  const behind = cells[at + WINDOW.newest]! - bucket;
  if (behind >= 0) {
    if (behind >= length) return -1;
    if (bucket < cells[at + WINDOW.first]!) cells[at + WINDOW.first] = bucket;
    return 0;
  }
  cells[at + WINDOW.newest] = bucket;
  if (-behind < length) return -behind;
  // A jump of a whole window, or the very first record, which compares false with everything.
  cells[at + WINDOW.first] = bucket;
  return Math.ceil(length);
}

/** AS-86. */
export function isWindowEmpty(cells: Float64Array, at: number, nowBucket: number): boolean {
  // Not "greater than": a NaN (never written) makes every comparison false.
  return !(nowBucket - cells[at + WINDOW.newest]! <= cells[at + WINDOW.length]!);
}

/** AS-83 to AS-85. */
export function linearAverage(
  cells: Float64Array,
  at: number,
  nowBucket: number,
  ringAt = at + WINDOW_HEAD,
): number {
  const length = cells[at + WINDOW.length]!;
  const newest = cells[at + WINDOW.newest]!;
  const silence = nowBucket - newest;
  if (!(silence < length)) return 0;
  const kept = Math.ceil(length) - Math.max(0, silence);
  const sum = sumNewest(
    cells,
    ringAt,
    indexOf(cells, at, newest),
    kept,
    cells[at + WINDOW.capacity]!,
  );
  const count = Math.min(newest - cells[at + WINDOW.first]! + 1, kept);
  const average = sum / count;
  return (Math.sign(average) * Math.round(Math.abs(average) * LINEAR_PRECISION)) / LINEAR_PRECISION;
}

/** AS-87. */
export function windowDecay(length: number): number {
  return Math.max(1 - (1 - WEIGHT_SUM) ** (1 / Math.ceil(length)), MIN_DECAY);
}

/** AS-88. */
export function weightedAverage(
  cells: Float64Array,
  at: number,
  nowBucket: number,
  ringAt = at + WINDOW_HEAD,
): number {
  if (isWindowEmpty(cells, at, nowBucket)) return 0;
  const length = cells[at + WINDOW.length]!;
  const newest = cells[at + WINDOW.newest]!;
  const silence = Math.max(0, nowBucket - newest);
  const decay = windowDecay(length);
  const kept = Math.ceil(length) - silence;
  let weight = decay * (1 - decay) ** silence;
  let sum = 0;
  for (let back = 0; back < kept; back += 1) {
    sum += weight * cells[ringAt + indexOf(cells, at, newest - back)]!;
    weight *= 1 - decay;
  }
  return sum;
}

/**
 * AS-89, AS-90. The rings must be able to hold the new length. `pairAt`: the second of two rings.
 */
export function resizeWindow(
  cells: Float64Array,
  at: number,
  newLength: number,
  nowBucket: number,
  ringAt = at + WINDOW_HEAD,
  pairAt = ringAt,
): void {
  const oldLength = cells[at + WINDOW.length]!;
  if (newLength === oldLength) return;
  const newest = cells[at + WINDOW.newest]!;
  const oldCount = Math.ceil(oldLength);
  const newCount = Math.ceil(newLength);
  cells[at + WINDOW.length] = newLength;
  if (Number.isNaN(newest)) return;
  const isKept = nowBucket - newest <= oldLength;
  cells[at + WINDOW.first] = isKept ? newest - (oldCount - 1) : Number.NEGATIVE_INFINITY;
  const from = newest - newCount + 1;
  const to = isKept ? newest - oldCount + 1 : newest + 1;
  clearBuckets(cells, at, ringAt, from, to);
  if (pairAt !== ringAt) clearBuckets(cells, at, pairAt, from, to);
}

/** Copies a window into one initialised with another capacity, which must hold its length. */
export function copyWindow(
  from: Float64Array,
  fromAt: number,
  to: Float64Array,
  toAt: number,
  fromRingAt = fromAt + WINDOW_HEAD,
  toRingAt = toAt + WINDOW_HEAD,
): void {
  const newest = from[fromAt + WINDOW.newest]!;
  const count = Math.ceil(from[fromAt + WINDOW.length]!);
  to[toAt + WINDOW.length] = from[fromAt + WINDOW.length]!;
  to[toAt + WINDOW.newest] = newest;
  to[toAt + WINDOW.first] = from[fromAt + WINDOW.first]!;
  if (Number.isNaN(newest)) return;
  for (let bucket = newest - count + 1; bucket <= newest; bucket += 1) {
    to[toRingAt + indexOf(to, toAt, bucket)] = from[fromRingAt + indexOf(from, fromAt, bucket)]!;
  }
}

/** Where in a ring of the window at `at` a bucket lies. */
function indexOf(cells: Float64Array, at: number, bucket: number): number {
  return bucket & (cells[at + WINDOW.capacity]! - 1);
}

/** Zeroes the buckets in [from, to). */
function clearBuckets(
  cells: Float64Array,
  at: number,
  ringAt: number,
  from: number,
  to: number,
): void {
  for (let bucket = from; bucket < to; bucket += 1) cells[ringAt + indexOf(cells, at, bucket)] = 0;
}

/** Newest first: the order in which the sum is rounded is part of the result. */
function sumNewest(
  cells: Float64Array,
  ringAt: number,
  newestIndex: number,
  count: number,
  capacity: number,
): number {
  const mask = capacity - 1;
  let index = newestIndex;
  let sum = 0;
  for (let left = count; left > 0; left -= 1) {
    sum += cells[ringAt + index]!;
    index = (index - 1) & mask;
  }
  return sum;
}
