// The torture scenarios must not rot: brief runs of each, every row ok. Children run compiled code;
// `npm test` builds it before it starts the tests.

import { describe, expect, it } from 'vitest';
import { gate } from './gate.ts';
import { memory } from './memory.ts';
import { pauses } from './pauses.ts';
import { BRIEF, type TortureRow } from './scenario.ts';
import { services } from './services.ts';
import { sigterm } from './sigterm.ts';
import { store } from './store.ts';

const LIMIT = { timeout: 120_000 };

const failed = (rows: readonly TortureRow[]): TortureRow[] => rows.filter(({ ok }) => !ok);
const named = (rows: readonly TortureRow[], name: string): TortureRow | undefined =>
  rows.find((row) => row.name === name);

describe('a brief run', LIMIT, () => {
  it('QP-71, QP-78: bodies of any size and slow ends leave the memory flat', async () => {
    const rows = await memory.run(BRIEF);
    expect(failed(rows)).toEqual([]);
    expect(rows).toHaveLength(6);
    expect(named(rows, 'upload-chunked')?.movedMib).toBeGreaterThanOrEqual(128);
  });

  it('QP-172: pauses survive, departures are noticed', async () => {
    const rows = await pauses.run(BRIEF);
    expect(failed(rows)).toEqual([]);
    expect(rows).toHaveLength(8);
  });

  it('QP-120 to QP-125, Q-16: SIGTERM cuts nobody, the second one ends at once', async () => {
    const rows = await sigterm.run(BRIEF);
    expect(failed(rows)).toEqual([]);
    expect(named(rows, 'in-flight')).toMatchObject({ whole: 200, toldToClose: 160 });
    expect(named(rows, 'exit')?.exitCode).toBe(0);
    expect(named(rows, 'second-signal')?.exitCode).toBe(1);
  });

  it.each([1, 4])(
    'QP-26 to QP-32: the gate holds and loses nothing with %d threads',
    async (threads) => {
      const rows = await gate.run({ ...BRIEF, threads });
      expect(failed(rows)).toEqual([]);
      expect(named(rows, 'beyond-the-slots')).toMatchObject({ servedCount: 55, refusedCount: 20 });
    },
  );

  it('D8: ten services come and go: one informer per kind, three copies, nothing left', async () => {
    const rows = await services.run(BRIEF);
    expect(failed(rows)).toEqual([]);
    expect(named(rows, 'create')).toMatchObject({ services: 10, pods: 0 });
    expect(named(rows, 'watches')).toMatchObject({ twice: '' });
    expect(named(rows, 'parsed-copies')).toMatchObject({ most: 3, control: 2, dataPlane: 1 });
    expect(named(rows, 'leftovers')).toMatchObject({ left: '' });
  });

  it('D9: ten kill -9 of the API server lose no acknowledged write and no event', async () => {
    const rows = await store.run(BRIEF);
    expect(failed(rows)).toEqual([]);
    expect(named(rows, 'kills')).toMatchObject({ kills: 10, whileStarting: 1 });
    expect(named(rows, 'writes')?.acknowledged).toBeGreaterThan(100);
  });

  it('QP-120 to QP-125: SIGTERM cuts nobody in any of four threads', async () => {
    const rows = await sigterm.run({ ...BRIEF, threads: 4 });
    expect(failed(rows)).toEqual([]);
  });
});
