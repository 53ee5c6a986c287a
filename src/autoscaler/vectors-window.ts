// Vector cases about windows: a list of operations on one window, a list of readings out of it.

import { WINDOW, WINDOW_HEAD } from '../shm/metric-columns.ts';
import {
  createWindow,
  isWindowEmpty,
  linearAverage,
  recordValue,
  resizeWindow,
  ringCapacity,
  weightedAverage,
  windowDecay,
} from './bucket-window.ts';
import { delayedMaximum, delaySlots, initDelayWindow, recordDelayed } from './delay-window.ts';

/** Offset of every `t` of a vector file. */
export const VECTOR_EPOCH_S = 1_700_000_000;

export interface WindowInput {
  window_s: number;
  granularity_s?: number;
  ops: {
    op: 'record' | 'average' | 'empty' | 'resize' | 'coefficient';
    t?: number;
    value?: number;
    window_s?: number;
  }[];
}

export interface DelayInput {
  delay_s: number;
  granularity_s?: number;
  records: { t?: number; value?: number }[];
}

export function runWindowCase(input: WindowInput, isWeighted: boolean): { results: unknown[] } {
  const granularity = input.granularity_s ?? 1;
  const results: unknown[] = [];
  const lengths = [input.window_s, ...input.ops.map((op) => op.window_s ?? 0)];
  const capacity = ringCapacity(Math.max(...lengths) / granularity);
  const cells = createWindow(input.window_s / granularity, capacity);
  for (const op of input.ops) {
    const bucket = Math.floor((VECTOR_EPOCH_S + (op.t ?? 0)) / granularity);
    switch (op.op) {
      case 'record':
        recordValue(cells, 0, bucket, op.value ?? 0);
        break;
      case 'resize':
        resizeWindow(cells, 0, (op.window_s ?? 0) / granularity, bucket);
        break;
      case 'average':
        results.push(
          isWeighted ? weightedAverage(cells, 0, bucket) : linearAverage(cells, 0, bucket),
        );
        break;
      case 'empty':
        results.push(isWindowEmpty(cells, 0, bucket));
        break;
      case 'coefficient':
        results.push(windowDecay(cells[WINDOW.length]!));
        break;
      default:
        throw new Error(`unknown operation ${String(op.op)}`);
    }
  }
  return { results };
}

export function runDelayCase(input: DelayInput): { current_after_each: number[] } {
  const slotMs = (input.granularity_s ?? 2) * 1000;
  const slots = delaySlots(input.delay_s * 1000, slotMs);
  const capacity = ringCapacity(slots);
  const cells = new Float64Array(WINDOW_HEAD + capacity);
  initDelayWindow(cells, 0, slots, capacity);
  const currentAfterEach = input.records.map((record) => {
    const slot = Math.floor(((VECTOR_EPOCH_S + (record.t ?? 0)) * 1000) / slotMs);
    recordDelayed(cells, 0, slot, record.value ?? 0);
    return delayedMaximum(cells, 0, slot);
  });
  return { current_after_each: currentAfterEach };
}
