// Brief forms of two torture scenarios: pods killed at random under an activator, and an autoscaler
// that is away while requests are held. Every row of theirs must be ok.

import { expect, it } from 'vitest';
import { autoscalerDown } from '../../bench/torture/autoscaler-down.ts';
import { pods } from '../../bench/torture/pods.ts';
import { BRIEF } from '../../bench/torture/scenario.ts';

it('ACT-57, ACT-123: kill -9 of pods loses what they had received, once, and nothing else', async () => {
  const rows = await pods.run(BRIEF);
  expect(rows.filter(({ ok }) => !ok)).toEqual([]);
  expect(rows.map(({ name }) => name)).toEqual([
    'answers',
    'lost-with-a-pod',
    'counted',
    'ran-once',
    'capacity',
    'afterwards',
  ]);
});

it('ACT-144: requests held while the autoscaler is gone are served when it is back', async () => {
  const rows = await autoscalerDown.run(BRIEF);
  expect(rows.filter(({ ok }) => !ok)).toEqual([]);
  expect(rows).toHaveLength(4);
});
