// Every numbered requirement of client compatibility (KN) is cited by a test, or stands here with the
// reason why not. A number that nobody cites is a promise nobody keeps.

import { expect, it } from 'vitest';
import { citedNumbers } from './citations.ts';
import { numbersOf } from './numbers.ts';

/** Numbers a range in a test's name may span. */
const MAX_RANGE = 13;

const WITHOUT_TEST: ReadonlyMap<number, string> = new Map([
  [42, 'texts and times inside kn'],
  [61, 'annotations kn writes; they are kept as any other'],
  [64, 'a promise of the Service controller: the Configuration comes in its first pass'],
  [65, 'what kn refuses by itself, about kinds of Eventing'],
  [81, 'cells kn fills by itself, from fields the CP numbers promise'],
  [82, 'fields the controllers write: CP numbers'],
  [84, 'texts inside kn'],
  [102, 'errors of the connection, inside kn'],
  [136, 'which body kubectl sends: JSON, as nearly every test does'],
  [243, 'cluster-info lists nothing here; a synthetic Node comes from the node agent'],
  [270, 'a list of other numbers'],
  [271, 'a list of other numbers'],
]);

it('every requirement of client compatibility is cited by a test or excused', () => {
  const cited = citedNumbers('KN', MAX_RANGE);
  const missing = numbersOf('KN').filter(
    (number) => !cited.has(number) && !WITHOUT_TEST.has(number),
  );
  expect(missing.map((number) => `KN-${number}`)).toEqual([]);
});

it('nothing is excused that a test cites', () => {
  const cited = citedNumbers('KN', MAX_RANGE);
  expect([...WITHOUT_TEST.keys()].filter((number) => cited.has(number))).toEqual([]);
});
