// Every numbered requirement of client compatibility (KN) is cited by a test, or stands here with the
// reason why not. A number that nobody cites is a promise nobody keeps.

import { expect, it } from 'vitest';
import { citedNumbers } from './citations.ts';

/** Numbers a range in a test's name may span. */
const MAX_RANGE = 13;
/** The numbers of the specification, which has gaps between its sections. */
const NUMBERS: readonly number[] = [
  ...[1, 2, 3, 4, 5],
  ...[
    20, 21, 22, 23, 24, 25, 26, 40, 41, 42, 43, 44, 45, 60, 61, 62, 63, 64, 65, 80, 81, 82, 83, 84,
  ],
  ...[
    100, 101, 102, 103, 110, 111, 112, 113, 114, 115, 120, 121, 122, 123, 124, 130, 131, 135, 136,
  ],
  ...[140, 141, 142, 143, 144, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160],
  ...[170, 171, 172, 173, 174, 175, 176, 177, 178, 190, 191, 192, 193, 194, 195],
  ...[200, 201, 202, 203, 204, 205, 206, 210, 211, 212, 230, 231, 232, 233, 234, 235],
  ...[240, 241, 242, 243, 244, 260, 261, 270, 271, 272, 280, 281, 282, 283],
];

const WITHOUT_TEST: ReadonlyMap<number, string> = new Map([
  [25, 'the protobuf bodies of KN-135, which kn sends for one kind'],
  [42, 'texts and times inside kn'],
  [61, 'annotations kn writes; they are kept as any other'],
  [64, 'a promise of the Service controller: the Configuration comes in its first pass'],
  [65, 'what kn refuses by itself, about kinds of Eventing'],
  [80, 'columns kn draws by itself'],
  [81, 'cells kn fills by itself, from fields the CP numbers promise'],
  [82, 'fields the controllers write: CP numbers'],
  [83, 'what kn describes by itself'],
  [84, 'texts inside kn'],
  [102, 'errors of the connection, inside kn'],
  [136, 'which body kubectl sends: JSON, as nearly every test does'],
  [233, 'optional; refused with a reason like KN-232'],
  [234, 'optional; cp is exec, which KN-232 refuses, the others are unknown paths'],
  [243, 'cluster-info lists nothing here; a synthetic Node comes from the node agent'],
  [270, 'a list of other numbers'],
  [271, 'a list of other numbers'],
  [280, 'needs a kn binary; its request sequences are in src/apiserver/kn.test.ts'],
]);

it('every requirement of client compatibility is cited by a test or excused', () => {
  const cited = citedNumbers('KN', MAX_RANGE);
  const missing = NUMBERS.filter((number) => !cited.has(number) && !WITHOUT_TEST.has(number));
  expect(missing.map((number) => `KN-${number}`)).toEqual([]);
});

it('nothing is excused that a test cites', () => {
  const cited = citedNumbers('KN', MAX_RANGE);
  expect([...WITHOUT_TEST.keys()].filter((number) => cited.has(number))).toEqual([]);
});
