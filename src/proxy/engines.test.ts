// One suite for both server engines. `net` meets every row. `uws` meets every row that is not listed
// in docs/engines.md, and really misses those that are: so the list can neither hide a failure nor
// outlive one. Rows run a few at a time, each with servers of its own; slow ones all at once.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { HttpEngine } from './http-engine.ts';
import { ANSWER_ROWS } from './testing/engine-rows/answers.ts';
import { EngineBench, type EngineRow } from './testing/engine-rows/bench.ts';
import { BODY_ROWS } from './testing/engine-rows/bodies.ts';
import { CONNECTION_ROWS } from './testing/engine-rows/connections.ts';
import { ENDING_ROWS } from './testing/engine-rows/endings.ts';
import { HEAD_ROWS } from './testing/engine-rows/heads.ts';

const ROWS = [...HEAD_ROWS, ...BODY_ROWS, ...ANSWER_ROWS, ...ENDING_ROWS, ...CONNECTION_ROWS];
const PATIENCE_MS = 25_000;
/** What a row that is expected to fail may wait for. */
const SHORT_PATIENCE_MS = 1_500;

const document = readFileSync(new URL('../../docs/engines.md', import.meta.url), 'utf8');

interface ListedRow {
  id: string;
  section: string;
  level: string;
  says: string;
}

/** The first table of docs/engines.md; the other is held in test/conformance/http1. */
const listed: ListedRow[] = document
  .slice(0, document.indexOf('## The HTTP/1.1 conformance table'))
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    const [, id = '', section = '', level = '', says = ''] = cells;
    return { id: id.replaceAll('`', ''), section, level, says };
  });
const listedIds = new Set(listed.map(({ id }) => id));

async function attempt(engine: HttpEngine, row: EngineRow, patienceMs: number): Promise<void> {
  const bench = new EngineBench(engine, patienceMs);
  try {
    await row.run(bench);
  } finally {
    await bench.stop();
  }
}

/** What became of each row: null where it was met, else the reason. */
async function attemptAll(
  engine: HttpEngine,
  rows: readonly EngineRow[],
): Promise<Map<string, unknown>> {
  const patienceMs = (row: EngineRow): number =>
    engine === 'uws' && listedIds.has(row.id) ? SHORT_PATIENCE_MS : PATIENCE_MS;
  const results = await Promise.allSettled(
    rows.map((row) => attempt(engine, row, patienceMs(row))),
  );
  return new Map(
    results.map((result, index) => [
      rows[index]!.id,
      result.status === 'fulfilled' ? null : result.reason,
    ]),
  );
}

const quick = ROWS.filter((row) => row.isSlow !== true);
const slow = ROWS.filter((row) => row.isSlow === true);

describe('net', () => {
  for (const row of quick) {
    it(`${row.section} ${row.level}: ${row.says} (${row.id})`, () =>
      attempt('net', row, PATIENCE_MS));
  }
});

describe('uws', () => {
  for (const row of quick) {
    if (listedIds.has(row.id)) continue;
    it(`${row.section} ${row.level}: ${row.says} (${row.id})`, () =>
      attempt('uws', row, PATIENCE_MS));
  }

  it('misses every quick row docs/engines.md lists', async () => {
    const rows = quick.filter(({ id }) => listedIds.has(id));
    const results = await attemptAll('uws', rows);
    const met = [...results].filter(([, reason]) => reason === null).map(([id]) => id);
    expect(met).toEqual([]);
  });
});

describe('rows that take their time', () => {
  let results: Map<string, unknown>[] = [];
  it('are tried all at once, on both engines', async () => {
    results = await Promise.all([attemptAll('net', slow), attemptAll('uws', slow)]);
  }, 60_000);

  for (const row of slow) {
    it(`net, ${row.section} ${row.level}: ${row.says} (${row.id})`, () => {
      if (results[0]!.get(row.id) !== null) throw results[0]!.get(row.id);
    });
    it(`uws ${listedIds.has(row.id) ? 'misses' : 'meets'} ${row.id}`, () => {
      const reason = results[1]!.get(row.id);
      if (listedIds.has(row.id)) expect(reason).not.toBeNull();
      else if (reason !== null) throw reason;
    });
  }
});

describe('docs/engines.md', () => {
  it('names every row with its section, level and sentence, once', () => {
    const known = new Map(ROWS.map((row) => [row.id, row]));
    expect(known.size).toBe(ROWS.length);
    expect(listedIds.size).toBe(listed.length);
    for (const { id, section, level, says } of listed) {
      const row = known.get(id);
      expect({ id, section, level, says }).toEqual({
        id: row?.id,
        section: row?.section,
        level: row?.level,
        says: row?.says,
      });
    }
  });
});
