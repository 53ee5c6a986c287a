// The owner's side of warm fail-over: every copy of a bucket first gets each row whole, then what
// changes: recorded values, decided states, rows gone. Changes are collected for FLUSH_MS. A copy
// that cannot keep up is cut off and starts anew; it never holds back a stat or a decision.

import type { Clock, TimerHandle } from '../../clock/clock.ts';
import { cellsPerRow, SYNC_CELLS, WINDOW, WINDOW_HEAD } from '../../shm/metric-columns.ts';
import type { MetricRow, MetricStore, StoreObserver } from '../metric-store.ts';
import { encodeEntries, encodeRow, FRAME, STATE_FIELDS } from './replica-frames.ts';

const FLUSH_MS = 100;
/** Bytes a copy may be behind; beyond it is cut off and begins again. */
export const MAX_BACKLOG_BYTES = 64 * 1024 * 1024;
/** Above so many bytes waiting, no further whole rows are sent for now. */
const ROW_BACKLOG_BYTES = 1024 * 1024;
/** Copies of one process at a time; one more is refused. */
export const MAX_REPLICAS = 32;

/** Where the frames of one copy go. */
export interface ReplicaSink {
  send(frame: Uint8Array): void;
  /** Bytes not on the wire yet. */
  backlog(): number;
  close(): void;
}

interface Replica {
  bucket: string;
  sink: ReplicaSink;
  indexes: Map<MetricRow, number>;
  nextIndex: number;
  toSend: Set<MetricRow>;
  records: number[];
  decided: Set<MetricRow>;
  gone: number[];
  isComplete: boolean;
}

export class ReplicaSource implements StoreObserver {
  readonly #store: MetricStore;
  readonly #bucketOf: (key: string) => string;
  readonly #replicas = new Set<Replica>();
  readonly #clock: Clock;
  #ticker: TimerHandle | null = null;

  constructor(store: MetricStore, bucketOf: (key: string) => string, clock: Clock) {
    this.#store = store;
    this.#bucketOf = bucketOf;
    this.#clock = clock;
    store.observer = this;
  }

  /** Returns how to end it; null = there are too many. */
  subscribe(bucket: string, sink: ReplicaSink): (() => void) | null {
    if (this.#replicas.size >= MAX_REPLICAS) return null;
    const replica: Replica = {
      bucket,
      sink,
      indexes: new Map(),
      nextIndex: 0,
      toSend: new Set(),
      records: [],
      decided: new Set(),
      gone: [],
      isComplete: false,
    };
    for (const row of this.#store.rows()) {
      if (this.#bucketOf(row.key) === bucket) replica.toSend.add(row);
    }
    this.#replicas.add(replica);
    this.#ticker ??= this.#clock.setTicker(FLUSH_MS, () => this.flush(), { background: true });
    return () => this.#remove(replica);
  }

  /** The bucket is somebody else's now: its copies have to go there. */
  closeBucket(bucket: string): void {
    for (const replica of [...this.#replicas]) {
      if (replica.bucket !== bucket) continue;
      this.#remove(replica);
      replica.sink.close();
    }
  }

  stop(): void {
    this.#store.observer = null;
    for (const replica of [...this.#replicas]) {
      this.#remove(replica);
      replica.sink.close();
    }
  }

  recorded(row: MetricRow, second: number, concurrency: number, rate: number): void {
    for (const replica of this.#replicas) {
      // A row that is still to be sent will carry the value itself.
      const index = replica.toSend.has(row) ? undefined : replica.indexes.get(row);
      if (index !== undefined) replica.records.push(index, second, concurrency, rate);
    }
  }

  reshaped(row: MetricRow): void {
    if (this.#replicas.size === 0) return;
    const bucket = this.#bucketOf(row.key);
    for (const replica of this.#replicas) if (replica.bucket === bucket) replica.toSend.add(row);
  }

  freed(row: MetricRow): void {
    for (const replica of this.#replicas) {
      const index = replica.indexes.get(row);
      replica.toSend.delete(row);
      replica.decided.delete(row);
      if (index === undefined) continue;
      replica.indexes.delete(row);
      replica.gone.push(index);
    }
  }

  decided(row: MetricRow): void {
    for (const replica of this.#replicas) {
      if (replica.indexes.has(row) && !replica.toSend.has(row)) replica.decided.add(row);
    }
  }

  /** Sends what has come together. */
  flush(): void {
    for (const replica of [...this.#replicas]) {
      if (replica.sink.backlog() > MAX_BACKLOG_BYTES) {
        this.#remove(replica);
        replica.sink.close();
      } else this.#flushOne(replica);
    }
  }

  #flushOne(replica: Replica): void {
    // Records first: a row that was reshaped meanwhile follows whole and settles everything.
    send(replica, FRAME.records, replica.records);
    replica.records = [];
    const states = [...replica.decided].flatMap((row) => stateOf(replica, row));
    send(replica, FRAME.states, states);
    replica.decided.clear();
    send(replica, FRAME.gone, replica.gone);
    replica.gone = [];
    for (const row of replica.toSend) {
      if (replica.sink.backlog() > ROW_BACKLOG_BYTES) return;
      sendRow(replica, row);
    }
    if (replica.isComplete) return;
    replica.isComplete = true;
    replica.sink.send(encodeEntries(FRAME.complete, []));
  }

  #remove(replica: Replica): void {
    this.#replicas.delete(replica);
    if (this.#replicas.size > 0) return;
    this.#ticker?.cancel();
    this.#ticker = null;
  }
}

function send(replica: Replica, type: number, values: readonly number[]): void {
  if (values.length > 0) replica.sink.send(encodeEntries(type, values));
}

function sendRow(replica: Replica, row: MetricRow): void {
  let index = replica.indexes.get(row);
  if (index === undefined) {
    index = replica.nextIndex;
    replica.nextIndex += 1;
    replica.indexes.set(row, index);
  }
  const { slab, at, key } = row;
  const cells = slab.cells.slice(at, at + cellsPerRow(slab.shape));
  cells.fill(0, 0, SYNC_CELLS); // Locks and versions are of this process.
  replica.toSend.delete(row);
  replica.decided.delete(row);
  replica.sink.send(encodeRow({ index, key, shape: slab.shape, cells }));
}

/** State cells and the newest slot of the delay window; NaN where there is none. */
function stateOf(replica: Replica, row: MetricRow): number[] {
  const { slab, at } = row;
  const state = STATE_FIELDS.map((field) => slab.cells[at + field]!);
  let slot = Number.NaN;
  let value = Number.NaN;
  if (slab.shape.delayCapacity > 0) {
    const delayAt = slab.delayAt(at);
    slot = slab.cells[delayAt + WINDOW.newest]!;
    const cell = slot & (slab.shape.delayCapacity - 1);
    if (!Number.isNaN(slot)) value = slab.cells[delayAt + WINDOW_HEAD + cell]!;
  }
  return [replica.indexes.get(row)!, ...state, slot, value];
}
