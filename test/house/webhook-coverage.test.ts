// Every numbered requirement of the webhook (WH-1 to WH-191) is cited by a test, or stands here with the
// reason why none does. A number that nobody cites is a promise nobody keeps.

import { expect, it } from 'vitest';
import { citedNumbers } from './citations.ts';

/** Numbers a range in a test's name may span. */
const MAX_RANGE = 13;
/** The numbers there are, as ranges. */
const NUMBERS: readonly (readonly [first: number, last: number])[] = [
  [1, 4],
  [10, 12],
  [15, 24],
  [30, 37],
  [40, 42],
  [50, 56],
  [60, 68],
  [70, 77],
  [80, 87],
  [90, 92],
  [100, 101],
  [110, 110],
  [120, 126],
  [130, 135],
  [140, 141],
  [150, 150],
  [160, 163],
  [170, 172],
  [180, 181],
  [190, 191],
];

const WITHOUT_TEST: ReadonlyMap<number, string> = new Map([
  [21, 'the form of a path: every row of src/webhook/*.test.ts compares whole texts'],
  [23, 'standard messages: as WH-21, each has rows of its own'],
]);

const everyNumber = NUMBERS.flatMap(([first, last]) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index),
);

it('every requirement of the webhook is cited by a test or excused', () => {
  const cited = citedNumbers('WH', MAX_RANGE);
  const missing = everyNumber.filter((number) => !cited.has(number) && !WITHOUT_TEST.has(number));
  expect(missing.map((number) => `WH-${number}`)).toEqual([]);
});

it('nothing is excused that a test cites', () => {
  const cited = citedNumbers('WH', MAX_RANGE);
  expect([...WITHOUT_TEST.keys()].filter((number) => cited.has(number))).toEqual([]);
});
