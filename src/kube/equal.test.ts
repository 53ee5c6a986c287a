// What counts as the same JSON.

import { expect, test } from 'vitest';
import { deepEqual } from './equal.ts';

const rows: { name: string; a: unknown; b: unknown; equal: boolean }[] = [
  { name: 'members in another order', a: { x: 1, y: 2 }, b: { y: 2, x: 1 }, equal: true },
  { name: 'undefined counts as absent', a: { x: 1, y: undefined }, b: { x: 1 }, equal: true },
  { name: 'undefined on the right', a: { x: 1 }, b: { x: 1, y: undefined }, equal: true },
  { name: 'null is not absent', a: { x: null }, b: {}, equal: false },
  { name: 'items in another order', a: [1, 2], b: [2, 1], equal: false },
  { name: 'a list is not an object', a: [], b: {}, equal: false },
  { name: 'a longer list', a: [1], b: [1, 2], equal: false },
  { name: 'nested difference', a: { x: [{ y: 1 }] }, b: { x: [{ y: 2 }] }, equal: false },
  { name: 'nested equality', a: { x: [{ y: [null] }] }, b: { x: [{ y: [null] }] }, equal: true },
  { name: 'string and number', a: 1, b: '1', equal: false },
  { name: 'a missing member under the same count', a: { x: 1 }, b: { y: 1 }, equal: false },
];

for (const { name, a, b, equal } of rows) {
  test(`deepEqual: ${name}`, () => {
    expect(deepEqual(a, b)).toBe(equal);
    expect(deepEqual(b, a)).toBe(equal);
  });
}
