// The other side of warm fail-over: rows of buckets somebody else owns, kept as that process sends
// them. They lie in this process's own store, so that taking over means no more than creating the
// Decider and the collection on top of them. Invariant: a row another user holds is never written
// from outside.

import { recordDelayed } from '../delay-window.ts';
import type { MetricRow, MetricStore } from '../metric-store.ts';
import {
  decodeFrame,
  decodeRow,
  FRAME,
  RECORD_CELLS,
  STATE_CELLS,
  STATE_FIELDS,
} from './replica-frames.ts';

export class ReplicaMirror {
  readonly #store: MetricStore;
  /** By key: rows of the copy, each retained once. */
  readonly #rows = new Map<string, MetricRow>();
  /** Rows by the index the owner gave them on this connection. */
  #indexes = new Map<number, MetricRow>();
  #isComplete = false;

  constructor(store: MetricStore) {
    this.#store = store;
  }

  /** Every row the owner has is here. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** A new connection counts anew. */
  restart(): void {
    this.#indexes = new Map();
    this.#isComplete = false;
  }

  /** Throws on a frame it cannot read. */
  apply(bytes: Uint8Array): void {
    const { type, values } = decodeFrame(bytes);
    if (type === FRAME.row) this.#addRow(values);
    else if (type === FRAME.records) this.#record(values);
    else if (type === FRAME.states) this.#setStates(values);
    else if (type === FRAME.gone) for (const index of values) this.#drop(index);
    else if (type === FRAME.complete) this.#complete();
  }

  /** A stat that did not reach the owner still belongs into the copy. */
  record(key: string, second: number, concurrency: number, rate: number): void {
    const row = this.#rows.get(key);
    if (row !== undefined && isOurs(row)) this.#store.record(row, second, concurrency, rate);
  }

  /** Lets all rows go; those a Decider or a collection took over stay with it. */
  release(): void {
    for (const row of this.#rows.values()) this.#store.release(row);
    this.#rows.clear();
    this.restart();
  }

  #addRow(values: Float64Array): void {
    const { index, key, shape, cells } = decodeRow(values);
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = this.#store.retain(key);
      this.#rows.set(key, row);
    }
    this.#indexes.set(index, row);
    if (isOurs(row)) this.#store.importRow(row, shape, cells);
  }

  #record(values: Float64Array): void {
    for (let at = 0; at + RECORD_CELLS <= values.length; at += RECORD_CELLS) {
      const row = this.#indexes.get(values[at]!);
      if (row === undefined || !isOurs(row)) continue;
      this.#store.record(row, values[at + 1]!, values[at + 2]!, values[at + 3]!);
    }
  }

  #setStates(values: Float64Array): void {
    for (let at = 0; at + STATE_CELLS <= values.length; at += STATE_CELLS) {
      const row = this.#indexes.get(values[at]!);
      if (row === undefined || !isOurs(row)) continue;
      const { slab } = row;
      STATE_FIELDS.forEach((field, index) => {
        slab.cells[row.at + field] = values[at + 1 + index]!;
      });
      const slot = values[at + 7]!;
      if (Number.isNaN(slot) || slab.shape.delayCapacity === 0) continue;
      recordDelayed(slab.cells, slab.delayAt(row.at), slot, values[at + 8]!);
    }
  }

  #drop(index: number): void {
    const row = this.#indexes.get(index);
    if (row === undefined) return;
    this.#indexes.delete(index);
    this.#rows.delete(row.key);
    this.#store.release(row);
  }

  /** What an earlier connection brought and this one did not is gone. */
  #complete(): void {
    this.#isComplete = true;
    const alive = new Set(this.#indexes.values());
    for (const [key, row] of this.#rows) {
      if (alive.has(row)) continue;
      this.#rows.delete(key);
      this.#store.release(row);
    }
  }
}

function isOurs(row: MetricRow): boolean {
  return row.users === 1;
}
