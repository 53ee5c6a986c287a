// What a decision worker does: decide a list of rows of one slab. The memory is shared, so nothing
// is copied in and only one outcome byte per row comes back. A build entry point: threads run it
// from dist, and the function itself is what unit tests call.

import { MetricSlab, type RowShape } from '../shm/metric-columns.ts';
import { decideRow } from './row-decision.ts';

export interface DecisionTask {
  buffer: SharedArrayBuffer;
  shape: RowShape;
  /** First cell of each row. */
  rows: Int32Array;
  /** Unix ms of the tick. */
  nowMs: number;
}

/** `Outcome` of each row, in the order given. */
export default function decideRows(task: DecisionTask): Uint8Array {
  const slab = new MetricSlab(task.buffer, task.shape);
  slab.sharers = 1; // The main thread.
  const outcomes = new Uint8Array(task.rows.length);
  for (let index = 0; index < task.rows.length; index += 1) {
    outcomes[index] = decideRow(slab, task.rows[index]!, task.nowMs);
  }
  return outcomes;
}
