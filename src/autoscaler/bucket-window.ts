// A window of per-second sums and its two averages (AS-79 to AS-90). The values live in a ring
// inside a larger Float64Array (a row of the shared store, or an array of its own), so everything
// here takes `(cells, at)`. Times are bucket numbers: Unix time divided by the bucket length, cut
// to a whole one. Only the cells of buckets in (newest - bucketCount, newest] mean anything; all
// others are leftovers and are zeroed before they come into use. Hot: every stat and every
// decision. No allocation.

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
): void {
  cells[at + WINDOW.length] = length;
  cells[at + WINDOW.newest] = Number.NaN;
  cells[at + WINDOW.first] = Number.NaN;
  cells[at + WINDOW.capacity] = capacity;
  cells.fill(0, at + WINDOW_HEAD, at + WINDOW_HEAD + capacity);
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
  const length = cells[at + WINDOW.length]!;
  const newest = cells[at + WINDOW.newest]!;
  const behind = newest - bucket;
  if (behind >= 0) {
    if (behind >= length) return;
    cells[cellOf(cells, at, bucket)]! += value;
    if (bucket < cells[at + WINDOW.first]!) cells[at + WINDOW.first] = bucket;
    return;
  }
  if (-behind < length) clearBuckets(cells, at, newest + 1, bucket);
  else {
    // A jump of a whole window, or the very first record, which compares false with everything.
    clearBuckets(cells, at, bucket - Math.ceil(length) + 1, bucket);
    cells[at + WINDOW.first] = bucket;
  }
  cells[at + WINDOW.newest] = bucket;
  cells[cellOf(cells, at, bucket)] = value;
}

/** AS-86. */
export function isWindowEmpty(cells: Float64Array, at: number, nowBucket: number): boolean {
  // Not "greater than": a NaN (never written) makes every comparison false.
  return !(nowBucket - cells[at + WINDOW.newest]! <= cells[at + WINDOW.length]!);
}

/** AS-83 to AS-85. */
export function linearAverage(cells: Float64Array, at: number, nowBucket: number): number {
  const length = cells[at + WINDOW.length]!;
  const newest = cells[at + WINDOW.newest]!;
  const silence = nowBucket - newest;
  if (!(silence < length)) return 0;
  const kept = Math.ceil(length) - Math.max(0, silence);
  const sum = sumNewest(cells, at, newest, kept);
  const count = Math.min(newest - cells[at + WINDOW.first]! + 1, kept);
  const average = sum / count;
  return (Math.sign(average) * Math.round(Math.abs(average) * LINEAR_PRECISION)) / LINEAR_PRECISION;
}

/** AS-87. */
export function windowDecay(length: number): number {
  return Math.max(1 - (1 - WEIGHT_SUM) ** (1 / Math.ceil(length)), MIN_DECAY);
}

/** AS-88. */
export function weightedAverage(cells: Float64Array, at: number, nowBucket: number): number {
  if (isWindowEmpty(cells, at, nowBucket)) return 0;
  const length = cells[at + WINDOW.length]!;
  const newest = cells[at + WINDOW.newest]!;
  const silence = Math.max(0, nowBucket - newest);
  const decay = windowDecay(length);
  const kept = Math.ceil(length) - silence;
  let weight = decay * (1 - decay) ** silence;
  let sum = 0;
  for (let back = 0; back < kept; back += 1) {
    sum += weight * cells[cellOf(cells, at, newest - back)]!;
    weight *= 1 - decay;
  }
  return sum;
}

/** AS-89, AS-90. The ring must be able to hold the new length. */
export function resizeWindow(
  cells: Float64Array,
  at: number,
  newLength: number,
  nowBucket: number,
): void {
  const oldLength = cells[at + WINDOW.length]!;
  if (newLength === oldLength) return;
  const newest = cells[at + WINDOW.newest]!;
  const oldCount = Math.ceil(oldLength);
  const newCount = Math.ceil(newLength);
  cells[at + WINDOW.length] = newLength;
  if (Number.isNaN(newest)) return;
  if (nowBucket - newest <= oldLength) {
    cells[at + WINDOW.first] = newest - (oldCount - 1);
    clearBuckets(cells, at, newest - newCount + 1, newest - oldCount + 1);
  } else {
    cells[at + WINDOW.first] = Number.NEGATIVE_INFINITY;
    clearBuckets(cells, at, newest - newCount + 1, newest + 1);
  }
}

/** Copies a window into one initialised with another capacity, which must hold its length. */
export function copyWindow(
  from: Float64Array,
  fromAt: number,
  to: Float64Array,
  toAt: number,
): void {
  const newest = from[fromAt + WINDOW.newest]!;
  const count = Math.ceil(from[fromAt + WINDOW.length]!);
  to[toAt + WINDOW.length] = from[fromAt + WINDOW.length]!;
  to[toAt + WINDOW.newest] = newest;
  to[toAt + WINDOW.first] = from[fromAt + WINDOW.first]!;
  if (Number.isNaN(newest)) return;
  for (let back = 0; back < count; back += 1) {
    to[cellOf(to, toAt, newest - back)] = from[cellOf(from, fromAt, newest - back)]!;
  }
}

function cellOf(cells: Float64Array, at: number, bucket: number): number {
  return at + WINDOW_HEAD + (bucket & (cells[at + WINDOW.capacity]! - 1));
}

/** Zeroes the buckets in [from, to). */
function clearBuckets(cells: Float64Array, at: number, from: number, to: number): void {
  for (let bucket = from; bucket < to; bucket += 1) cells[cellOf(cells, at, bucket)] = 0;
}

function sumNewest(cells: Float64Array, at: number, newest: number, count: number): number {
  const mask = cells[at + WINDOW.capacity]! - 1;
  const ringAt = at + WINDOW_HEAD;
  let sum = 0;
  for (let back = 0; back < count; back += 1) sum += cells[ringAt + ((newest - back) & mask)]!;
  return sum;
}
