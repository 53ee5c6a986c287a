// The bench itself must not rot: a tiny run gives every row, and the checksums show the work was done.

import { expect, it } from 'vitest';
import { run } from './codec.ts';

it('a tiny run measures every step of the codec', async () => {
  const rows = await run({ tiny: true });
  expect(rows.map((row) => row.name)).toContain('read and forward request head');
  for (const row of rows) expect(row.checksum, row.name).toBeGreaterThan(0);
});
