// The bench itself must not rot: a tiny run gives its row with every field.

import { expect, it } from 'vitest';
import { run } from './autoscaler.ts';

it('a tiny run measures ticks, stats and memory', async () => {
  const [row, ...others] = await run({ tiny: true });
  expect(others).toEqual([]);
  expect(row).toMatchObject({ name: 'inline', revisions: 200 });
  for (const field of [
    'tickUsPerRevision',
    'statsPerSecond',
    'cpuNsPerStat',
    'checksum',
  ] as const) {
    expect(row?.[field], field).toBeGreaterThan(0);
  }
  expect(row?.bytesPerRevision).toBeLessThan(10_000);
});
