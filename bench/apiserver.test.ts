// The bench itself must not rot: a tiny run gives every row with every field. The server is a child
// process and so runs from the build.

import { expect, it } from 'vitest';
import { run, verdicts } from './apiserver.ts';

it('a tiny run measures writes, delivery, lists and memory', { timeout: 120_000 }, async () => {
  const rows = await run({ tiny: true });
  expect(rows.map(({ name }) => name)).toEqual([
    'writes-none',
    'writes-kernel',
    'writes-disk',
    'watch-delivery',
    'watch-delivery-saturated',
    'list',
  ]);
  for (const row of rows) {
    for (const [field, value] of Object.entries(row)) {
      const isMeasure = typeof value === 'number' && field !== 'afterAnswerP99Ms';
      if (isMeasure && field !== 'heapBytesPerObject') expect(value, field).toBeGreaterThan(0);
    }
  }
  expect(rows[3]).toMatchObject({ objects: 50, events: 50 });
  expect(verdicts(rows)).toHaveLength(1);
});
