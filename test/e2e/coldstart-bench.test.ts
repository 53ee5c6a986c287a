// The cold-start bench in its tiny form, so that it cannot rot. No time is asserted: only that wakes
// and starts by hand were measured and the control path was found in the log.

import { expect, it } from 'vitest';
import { run } from '../../bench/coldstart.ts';

it('the cold-start bench measures sequential and parallel wakes', async () => {
  const rows = await run({ tiny: true });
  expect(rows.map((row) => row.name)).toEqual(['sequential', 'parallel']);
  for (const row of rows) {
    expect(row.wakeP50Ms).toBeGreaterThan(0);
    expect(row.byHandP50Ms).toBeGreaterThan(0);
    expect(row.controlPathP50Ms).toBeGreaterThan(0);
  }
});
