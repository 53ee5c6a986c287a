// Holds a recommendation back from shrinking for a while (AS-113): slots of 2 s, each with the
// largest recommendation recorded in it; what counts is the largest of the newest slot and those
// before it. Same ring as a bucket window, in cells of the caller; only the combination rule
// differs. Runs once per decision of a revision that has a delay; its scan is bounded by the slot
// count.

import { WINDOW, WINDOW_HEAD } from '../shm/metric-columns.ts';
import { initWindow } from './bucket-window.ts';

/** AS-113. */
export const DELAY_SLOT_MS = 2000;
/** The cluster-wide delay has no upper limit (AS-6); more than a day of slots is cut to a day. */
export const MAX_DELAY_SLOTS = 43_200;

export function delaySlots(delayMs: number, slotMs = DELAY_SLOT_MS): number {
  return Math.min(Math.ceil(delayMs / slotMs), MAX_DELAY_SLOTS);
}

export function initDelayWindow(
  cells: Float64Array,
  at: number,
  slots: number,
  capacity: number,
): void {
  initWindow(cells, at, slots, capacity);
}

export function recordDelayed(cells: Float64Array, at: number, slot: number, value: number): void {
  const slots = cells[at + WINDOW.length]!;
  const newest = cells[at + WINDOW.newest]!;
  if (slot <= newest) {
    if (newest - slot >= slots) return;
    const cell = cellOf(cells, at, slot);
    cells[cell] = Math.max(cells[cell]!, value);
    return;
  }
  const oldestKept = slot - slots + 1;
  const from = Number.isNaN(newest) ? oldestKept : Math.max(newest + 1, oldestKept);
  for (let empty = from; empty < slot; empty += 1) cells[cellOf(cells, at, empty)] = 0;
  cells[at + WINDOW.newest] = slot;
  cells[cellOf(cells, at, slot)] = value;
}

/** The largest value still held at `slot`; 0 when none is. */
export function delayedMaximum(cells: Float64Array, at: number, slot: number): number {
  const slots = cells[at + WINDOW.length]!;
  const newest = cells[at + WINDOW.newest]!;
  if (Number.isNaN(newest)) return 0;
  const oldestKept = Math.max(newest, slot) - slots + 1;
  let maximum = 0;
  for (let held = oldestKept; held <= newest; held += 1) {
    maximum = Math.max(maximum, cells[cellOf(cells, at, held)]!);
  }
  return maximum;
}

function cellOf(cells: Float64Array, at: number, slot: number): number {
  return at + WINDOW_HEAD + (slot & (cells[at + WINDOW.capacity]! - 1));
}
