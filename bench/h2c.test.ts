// The bench itself must not rot: a tiny run gives every row, and no request failed.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { run } from './h2c.ts';
import { BUILD } from './support/processes.ts';

it('a tiny run measures h2c beside HTTP/1.1', { timeout: 120_000 }, async () => {
  // Children run compiled code; `npm test` builds it before it starts the tests.
  expect(existsSync(join(BUILD, 'bench', 'support', 'h2c-app.js'))).toBe(true);
  const rows = await run({ tiny: true, json: true, peers: [], rounds: null });
  expect(rows.map(({ name }) => name)).toEqual(['ours-net-cc0', 'ours-net-h2c']);
  for (const row of rows) {
    expect(row.errors, row.name).toBe(0);
    expect(row.cpuUsPerRequest, row.name).toBeGreaterThan(0);
    expect(row.rps, row.name).toBeGreaterThan(0);
  }
});
