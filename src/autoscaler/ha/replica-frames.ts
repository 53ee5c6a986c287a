// The frames by which the owner of a bucket keeps copies of its windows in other autoscalers. Only
// Pilotlight processes of one version speak them, so they are plain Float64 cells in the machine's
// byte order behind a version number; a frame of another version is refused and the copy stays
// empty. Pure.
//
//   [VERSION, type, ...]   ROW: index, shape (3), key bytes, cells, key   RECORDS: n x (index,
//   second, concurrency, rate)   STATES: n x (index, 6 state cells, slot, value)   GONE: n x index

import { type RowShape, STATE } from '../../shm/metric-columns.ts';

const VERSION = 2;
export const FRAME = { row: 1, records: 2, states: 3, gone: 4, complete: 5 } as const;

const HEAD_CELLS = 2;
const ROW_HEAD_CELLS = 7;
export const RECORD_CELLS = 4;
export const STATE_CELLS = 9;
/** Cells of the state that a copy needs, in the order they travel. */
export const STATE_FIELDS = [
  STATE.panicSinceMs,
  STATE.panicFloor,
  STATE.recommendation,
  STATE.excessBurstCapacity,
  STATE.panicEnteredMs,
  STATE.decidedMs,
] as const;

export interface RowFrame {
  index: number;
  key: string;
  shape: RowShape;
  cells: Float64Array;
}

export function encodeRow(frame: RowFrame): Uint8Array {
  const key = Buffer.from(frame.key, 'utf8');
  const keyCells = Math.ceil(key.length / 8);
  const out = new Float64Array(ROW_HEAD_CELLS + frame.cells.length + keyCells);
  const { stableCapacity, panicCapacity, delayCapacity } = frame.shape;
  out.set([VERSION, FRAME.row, frame.index, stableCapacity, panicCapacity, delayCapacity]);
  out[6] = key.length;
  out.set(frame.cells, ROW_HEAD_CELLS);
  const bytes = new Uint8Array(out.buffer);
  bytes.set(key, (ROW_HEAD_CELLS + frame.cells.length) * 8);
  return bytes;
}

/** A frame of equal entries, `values` being their cells one after the other. */
export function encodeEntries(type: number, values: readonly number[]): Uint8Array {
  const out = new Float64Array(HEAD_CELLS + values.length);
  out.set([VERSION, type]);
  out.set(values, HEAD_CELLS);
  return new Uint8Array(out.buffer);
}

/** What a frame says; `values` are the cells behind the head. */
export interface Decoded {
  type: number;
  values: Float64Array;
}

/** Throws on a frame that is no multiple of cells or of another version. */
export function decodeFrame(bytes: Uint8Array): Decoded {
  if (bytes.length % 8 !== 0 || bytes.length < HEAD_CELLS * 8) {
    throw new Error(`a replica frame of ${bytes.length} bytes`);
  }
  // A copy, because the bytes of a socket need not be aligned.
  const cells = new Float64Array(new Uint8Array(bytes).buffer);
  if (cells[0] !== VERSION) throw new Error(`a replica frame of version ${cells[0]}`);
  return { type: cells[1]!, values: cells.subarray(HEAD_CELLS) };
}

/** Throws when the numbers do not fit each other. */
export function decodeRow(values: Float64Array): RowFrame {
  const head = ROW_HEAD_CELLS - HEAD_CELLS;
  const [index = -1, stableCapacity = 0, panicCapacity = 0, delayCapacity = 0, keyBytes = 0] =
    values;
  const keyCells = Math.ceil(keyBytes / 8);
  const cellCount = values.length - head - keyCells;
  if (!(cellCount > 0) || !(keyBytes > 0)) throw new Error('a replica row that does not add up');
  const key = Buffer.from(
    values.buffer,
    values.byteOffset + (head + cellCount) * 8,
    keyBytes,
  ).toString('utf8');
  const shape = { stableCapacity, panicCapacity, delayCapacity };
  return { index, key, shape, cells: values.subarray(head, head + cellCount) };
}
