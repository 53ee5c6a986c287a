// The HTTP/1.1 conformance table on the `uws` engine: rows are met, or listed in docs/engines.md and
// really missed. Run in batches, because a missed row often shows only by waiting.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HTTP1_ROWS, runRow } from './rows.ts';

const PATIENCE_MS = 10_000;
/** What a row that is expected to fail may wait for. */
const SHORT_PATIENCE_MS = 1_000;
const BATCH_ROWS = 10;

const document = readFileSync(new URL('../../../docs/engines.md', import.meta.url), 'utf8');
const section = document.slice(document.indexOf('## The HTTP/1.1 conformance table'));
const listed = section
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split(' | ').slice(0, 4).join(' | '));
const listedIds = new Set(listed.map((line) => /`([^`]+)`/.exec(line)![1]!));

describe('HTTP/1.1 conformance on uws', () => {
  it('docs/engines.md lists exactly the rows that are missed', async () => {
    const missed: string[] = [];
    for (let at = 0; at < HTTP1_ROWS.length; at += BATCH_ROWS) {
      const batch = HTTP1_ROWS.slice(at, at + BATCH_ROWS).map(async (row) => {
        const patienceMs = listedIds.has(row.id) ? SHORT_PATIENCE_MS : PATIENCE_MS;
        try {
          await runRow(row, { engine: 'uws', patienceMs });
        } catch {
          missed.push(row.id);
        }
      });
      await Promise.all(batch);
    }
    expect(missed.sort()).toEqual([...listedIds].sort());
  }, 120_000);

  it('each with its section, level and sentence', () => {
    const rows = HTTP1_ROWS.filter(({ id }) => listedIds.has(id));
    const expected = rows.map(({ id, section: number, level, says }) => {
      return `| \`${id}\` | ${number} | ${level} | ${says}`;
    });
    expect([...listed].sort()).toEqual(expected.sort());
  });
});
