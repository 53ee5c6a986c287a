import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FLAG, INPUT, STATE } from '../shm/metric-columns.ts';
import { createWindow, linearAverage, recordValue } from './bucket-window.ts';
import decideRows from './decision-worker.ts';
import { MetricStore } from './metric-store.ts';
import { decideRow, OUTCOME, readHistory, readState } from './row-decision.ts';
import { REASON } from './scale-decision.ts';

const NOW_S = 1_700_000_000;

function ready(store: MetricStore, key: string, stable = 60): ReturnType<MetricStore['retain']> {
  const row = store.retain(key);
  store.startWindows(row, stable, 6);
  store.setInputs(row, {
    target: 10,
    capacity: 10,
    targetBurstCapacity: 0,
    panicThreshold: 2,
    stableWindowMs: stable * 1000,
    maxScaleUpRate: 1000,
    maxScaleDownRate: 2,
    readyPods: 1,
  });
  store.setFlag(row, FLAG.deciding | FLAG.collecting | FLAG.reachable, true);
  return row;
}

describe('metric store', () => {
  it('rows do not disturb each other, whatever their size and order', () => {
    const record = fc.record({
      row: fc.nat(4),
      step: fc.integer({ min: -3, max: 3 }),
      load: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 80 }), (records) => {
        const store = new MetricStore();
        const lengths = [6, 60, 64, 65, 300];
        const rows = lengths.map((length, index) => ready(store, `default/r${index}`, length));
        const alone = lengths.map((length) => createWindow(length));
        let second = NOW_S;
        for (const given of records) {
          second += given.step;
          store.record(rows[given.row]!, second, given.load, 0);
          recordValue(alone[given.row]!, 0, second, given.load);
        }
        rows.forEach((row, index) => {
          const { slab, at } = row;
          const ringAt = slab.stableConcurrencyAt(at);
          const average = linearAverage(slab.cells, slab.stableAt(at), second, ringAt);
          expect(average).toBe(linearAverage(alone[index]!, 0, second));
        });
      }),
    );
  });

  it('AS-92: a revision whose window outgrows its row keeps its figures and state', () => {
    const store = new MetricStore();
    const row = ready(store, 'default/r');
    for (let second = 0; second < 60; second += 1) store.record(row, NOW_S + second, 35, 0);
    const nowMs = (NOW_S + 59) * 1000;
    expect(decideRow(row.slab, row.at, nowMs)).toBe(OUTCOME.changed);
    const before = { slab: row.slab, state: readState(row.slab.cells, row.at) };
    store.resizeWindows(row, 600, 60, NOW_S + 59);
    store.startDelay(row, 150);
    expect(row.slab).not.toBe(before.slab);
    expect(readState(row.slab.cells, row.at)).toEqual(before.state);
    const { slab, at } = row;
    const ringAt = slab.stableConcurrencyAt(at);
    expect(linearAverage(slab.cells, slab.stableAt(at), NOW_S + 59, ringAt)).toBe(35);
    expect(decideRow(before.slab, 0, nowMs)).toBe(OUTCOME.skipped);
  });

  it('a released row comes back empty for the next revision', () => {
    const store = new MetricStore();
    const row = ready(store, 'default/first');
    store.record(row, NOW_S, 99, 99);
    decideRow(row.slab, row.at, NOW_S * 1000);
    store.release(row);
    expect(store.get('default/first')).toBeUndefined();
    const next = store.retain('default/second');
    expect(next.slab.cells[next.at + INPUT.flags]).toBe(0);
    expect(next.slab.cells[next.at + STATE.recommendation]).toBe(-1);
    expect(readHistory(next.slab, next.at)).toEqual([]);
    expect(decideRow(next.slab, next.at, NOW_S * 1000)).toBe(OUTCOME.skipped);
  });

  it('grows by slabs: thousands of revisions, each with its own figures', () => {
    const store = new MetricStore();
    const rows = Array.from({ length: 3000 }, (_, index) => {
      const row = ready(store, `default/r${index}`);
      store.record(row, NOW_S, index % 50, 0);
      return row;
    });
    rows.forEach((row, index) => {
      decideRow(row.slab, row.at, NOW_S * 1000);
      const wanted = Math.ceil((index % 50) / 10);
      expect(row.slab.cells[row.at + STATE.recommendation]).toBe(wanted);
    });
    expect(store.bytes / 3000).toBeLessThan(8000);
  });
});

describe('deciding a row', () => {
  it('AS-96: a held row is busy, one whose writer is at work as well', () => {
    const row = ready(new MetricStore(), 'default/r');
    row.slab.tryLock(row.at);
    expect(decideRow(row.slab, row.at, NOW_S * 1000)).toBe(OUTCOME.busy);
    row.slab.unlock(row.at);
    row.slab.beginInputs(row.at);
    expect(decideRow(row.slab, row.at, NOW_S * 1000)).toBe(OUTCOME.busy);
    row.slab.endInputs(row.at);
    expect(decideRow(row.slab, row.at, NOW_S * 1000)).toBe(OUTCOME.invalid);
  });

  it('AS-91, AS-196: silence is no data, or zero where nothing is scraped', () => {
    const store = new MetricStore();
    const row = ready(store, 'default/r');
    expect(decideRow(row.slab, row.at, NOW_S * 1000)).toBe(OUTCOME.invalid);
    expect(readHistory(row.slab, row.at)[0]?.reason).toBe(REASON.noData);
    store.setFlag(row, FLAG.silenceIsZero, true);
    expect(decideRow(row.slab, row.at, NOW_S * 1000)).toBe(OUTCOME.changed);
    expect(decideRow(row.slab, row.at, NOW_S * 1000)).toBe(OUTCOME.same);
    expect(row.slab.cells[row.at + STATE.recommendation]).toBe(0);
  });

  it('requests per second have windows of their own', () => {
    const store = new MetricStore();
    const row = ready(store, 'default/r');
    store.setFlag(row, FLAG.rps, true);
    store.record(row, NOW_S, 1, 42);
    decideRow(row.slab, row.at, NOW_S * 1000);
    expect(row.slab.cells[row.at + STATE.recommendation]).toBe(5);
  });

  it('the history merges repetitions and keeps the newest changes', () => {
    const store = new MetricStore();
    const row = ready(store, 'default/r');
    for (let step = 0; step < 40; step += 1) {
      // Loads 5, 5, 105, 105, 205, …: every other decision repeats the one before.
      store.record(row, NOW_S + step * 61, 5 + 100 * Math.floor(step / 2), 0);
      decideRow(row.slab, row.at, (NOW_S + step * 61) * 1000);
    }
    const history = readHistory(row.slab, row.at);
    expect(history).toHaveLength(8);
    expect(history[0]).toMatchObject({ recommendation: 191, repeats: 1, stable: 1905 });
    expect(history[0]!.lastMs - history[0]!.firstMs).toBe(61_000);
    expect(history.at(-1)).toMatchObject({ recommendation: 121 });
  });

  it('a worker task gives one outcome per row', () => {
    const store = new MetricStore();
    const idle = store.retain('default/idle');
    const busy = ready(store, 'default/busy');
    store.record(busy, NOW_S, 30, 0);
    const { buffer, shape } = busy.slab;
    const rows = Int32Array.of(idle.at, busy.at);
    const outcomes = decideRows({ buffer, shape, rows, nowMs: NOW_S * 1000 });
    expect([...outcomes]).toEqual([OUTCOME.skipped, OUTCOME.changed]);
    expect(busy.slab.cells[busy.at + STATE.recommendation]).toBe(3);
  });
});
