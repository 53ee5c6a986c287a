// Threads cannot be transformed on the fly, so this one runs the built worker: `npm test` builds
// first.
import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { FLAG, STATE } from '../shm/metric-columns.ts';
import { createDecisionPool, type DecisionPool } from './decision-pool.ts';
import { MetricStore } from './metric-store.ts';
import { decideRow, OUTCOME, readHistory } from './row-decision.ts';

const dist = process.env.PILOTLIGHT_DIST_URL ?? new URL('../../dist/', import.meta.url).href;
const worker = new URL('autoscaler/decision-worker.js', dist);
const NOW_S = 1_700_000_000;

let pool: DecisionPool | null = null;
afterEach(async () => {
  await pool?.close();
  pool = null;
});

describe.skipIf(!existsSync(worker))('decision workers', () => {
  it('decide in shared memory while this thread goes on recording', async () => {
    const store = new MetricStore();
    const rows = Array.from({ length: 16 }, (_, index) => {
      const row = store.retain(`default/r${index}`);
      store.startWindows(row, 60, 6);
      store.setInputs(row, {
        target: 10,
        capacity: 10,
        panicThreshold: 1000,
        stableWindowMs: 60_000,
        maxScaleUpRate: 1000,
        maxScaleDownRate: 2,
        readyPods: 1,
      });
      store.setFlag(row, FLAG.deciding | FLAG.collecting | FLAG.reachable, true);
      return row;
    });
    pool = createDecisionPool(2, worker.href);
    const { slab } = rows[0]!;
    for (let round = 1; round <= 20; round += 1) {
      const second = NOW_S + round;
      rows.forEach((row, index) => {
        store.record(row, second, index * 10, 0);
      });
      const tasks = [rows.slice(0, 8), rows.slice(8)].map((half) =>
        pool!.run({
          buffer: slab.buffer,
          shape: slab.shape,
          rows: Int32Array.from(half, (row) => row.at),
          nowMs: second * 1000,
        }),
      );
      // Writes that meet the workers: late seconds, which change no average of this round's rows.
      for (let noise = 0; noise < 2000; noise += 1)
        store.record(rows[noise % 16]!, NOW_S - 100, 1, 1);
      const outcomes = (await Promise.all(tasks)).flatMap((outcome) => [...outcome]);
      outcomes.forEach((outcome, index) => {
        if (outcome === OUTCOME.busy) decideRow(slab, rows[index]!.at, second * 1000);
        else expect(outcome).toBeGreaterThanOrEqual(OUTCOME.same);
        expect(slab.cells[rows[index]!.at + STATE.recommendation]).toBe(index);
      });
    }
    expect(readHistory(slab, rows[3]!.at)[0]).toMatchObject({ recommendation: 3, repeats: 19 });
  });
});
