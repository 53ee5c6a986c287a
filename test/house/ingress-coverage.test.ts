// Every numbered requirement of the ingress contract (ING-1 to ING-124) is cited by a test, or stands
// here with the reason why none does. A number that nobody cites is a promise nobody keeps.

import { expect, it } from 'vitest';
import { citedNumbers } from './citations.ts';
import { numbersOf } from './numbers.ts';

/** Numbers a range in a test's name may span. */
const MAX_RANGE = 6;
const KOURIER = 'how Kourier does it; ours is ING-80 to ING-87';
const GATEWAY_API = 'how the Gateway API implementation does it';
const WITHOUT_TEST: ReadonlyMap<number, string> = new Map<number, string>([
  [1, 'the resource definition: a row of src/api/kinds.ts, served by the embedded API'],
  [3, 'fields of the resource: the schema in src/api'],
  [5, 'labels the Route controller writes: CP-305, CP-306'],
  [
    34,
    'not built: the gateway speaks plain text to backends; the activator has its side (ACT-117)',
  ],
  [52, 'what an outside prober sends; the answer is ING-51'],
  [53, 'what an outside prober concludes'],
  [54, 'how an outside prober paces itself; ours is asked in the process (ING-82)'],
  [55, 'state of an outside prober; ours has none (ING-82)'],
  [60, 'what activator and sidecar answer: ACT-21, ACT-22 and QP-18'],
  [62, 'how the activator chooses: ACT-26 to ACT-28'],
  [63, 'what the activator sends: ACT-105'],
  [90, 'the groups of the upstream suite; the rows are ING-91 to ING-96'],
  ...[100, 101, 102, 103, 105, 106, 108].map((number): [number, string] => [number, KOURIER]),
  ...[120, 121, 122, 123, 124].map((number): [number, string] => [number, GATEWAY_API]),
]);

it('every requirement of the ingress contract is cited by a test or excused', () => {
  const cited = citedNumbers('ING', MAX_RANGE);
  const missing = numbersOf('ING')
    .filter((number) => !cited.has(number) && !WITHOUT_TEST.has(number))
    .map((number) => `ING-${number}`);
  expect(missing).toEqual([]);
});
