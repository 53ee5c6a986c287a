// The bench itself must not rot: a tiny run gives every row with every field, and no request failed.

import { expect, it } from 'vitest';
import { run } from './activator.ts';

it('a tiny run measures requests and memory', { timeout: 120_000 }, async () => {
  const rows = await run({ tiny: true, json: true, peers: [] });
  expect(rows.map(({ name }) => name)).toEqual([
    'queue-proxy',
    'activator-cc0',
    'activator-cc100',
    'activator-memory',
  ]);
  for (const row of rows) {
    expect(row.errors, row.name).toBe(0);
    expect(row.rssMb, row.name).toBeGreaterThan(0);
    if ('cpuUsPerRequest' in row) expect(row.cpuUsPerRequest, row.name).toBeGreaterThan(0);
    else expect(row).toMatchObject({ revisions: 20, podsPerRevision: 10 });
  }
});
