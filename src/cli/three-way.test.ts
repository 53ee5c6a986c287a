// The difference `apply` sends.

import { describe, expect, it } from 'vitest';
import { threeWayPatch } from './three-way.ts';

describe('threeWayPatch', () => {
  it.each([
    ['nothing to do', { a: 1 }, { a: 1 }, { a: 1, b: 2 }, null],
    ['a changed value', { a: 1 }, { a: 2 }, { a: 1 }, { a: 2 }],
    ['a new value', null, { a: 1 }, {}, { a: 1 }],
    ['a value no longer wanted', { a: 1, b: 1 }, { a: 1 }, { a: 1, b: 1 }, { b: null }],
    ['one already gone', { a: 1, b: 1 }, { a: 1 }, { a: 1 }, null],
    ['what others wrote is left alone', { a: 1 }, { a: 1 }, { a: 1, c: 3 }, null],
    ['an outside change is undone', { a: 1 }, { a: 1 }, { a: 5 }, { a: 1 }],
    [
      'nested members',
      { s: { a: 1, b: 1 } },
      { s: { a: 2 } },
      { s: { a: 1, b: 1 } },
      { s: { a: 2, b: null } },
    ],
    ['lists as a whole', null, { l: [1, 2] }, { l: [1] }, { l: [1, 2] }],
    ['equal lists', null, { l: [{ a: 1 }] }, { l: [{ a: 1 }] }, null],
    ['null where nothing is', null, { a: null }, {}, null],
  ])('%s', (_name, last, wanted, live, expected) => {
    expect(threeWayPatch(last, wanted, live)).toEqual(expected);
  });
});
