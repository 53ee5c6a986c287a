// Every row of the HTTP/1.1 conformance table on the default engine.

import { describe, expect, it } from 'vitest';
import { HTTP1_ROWS, runRow } from './rows.ts';

describe('HTTP/1.1 conformance on net', () => {
  for (const row of HTTP1_ROWS) {
    it(`${row.section} ${row.level}: ${row.says} (${row.id})`, () =>
      runRow(row, { engine: 'net' }));
  }
});

describe('the table', () => {
  it('has at least sixty rows, each with an id of its own and a section', () => {
    expect(HTTP1_ROWS.length).toBeGreaterThanOrEqual(60);
    expect(new Set(HTTP1_ROWS.map(({ id }) => id)).size).toBe(HTTP1_ROWS.length);
    for (const { section } of HTTP1_ROWS) expect(section).toMatch(/^91(10|12|13) \d+(\.\d+)*$/);
  });
});
