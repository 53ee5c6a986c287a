// Slices and capacities against the vectors of ACT-68 and ACT-75.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_CAPACITY, revisionCapacity } from './capacity.ts';
import { assignSlice, placeAmong, UNKNOWN_INDEX } from './slicing.ts';

const pods = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const range = (from: number, to: number): number[] => pods(to).slice(from);

describe('slices of activators', () => {
  it.each<[number, number, number, number[]]>([
    [6, 4, 0, [0, 4]],
    [6, 4, 1, [1, 5]],
    [6, 4, 2, [2]],
    [6, 4, 3, [3]],
    [10, 3, 0, [0, 1, 2, 9]],
    [10, 3, 1, [3, 4, 5]],
    [10, 3, 2, [6, 7, 8]],
    [150, 5, 4, range(120, 150)],
    [2, 3, 1, [1]],
    [2, 3, 2, [0]],
    [3, 3, 2, [2]],
    [1, 2, 0, [0]],
    [1, 2, 1, [0]],
    [5, 0, UNKNOWN_INDEX, range(0, 5)],
    [5, 1, 0, range(0, 5)],
  ])('ACT-75: %i pods, %i activators, index %i', (podCount, count, index, expected) => {
    expect(assignSlice(pods(podCount), count, index)).toEqual(expected);
  });

  it('ACT-74: with no more activators than pods every pod belongs to exactly one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 60 }), (p, a) => {
        fc.pre(a <= p);
        const all = pods(a).flatMap((index) => [...assignSlice(pods(p), a, index)]);
        expect(all.sort((x, y) => x - y)).toEqual(pods(p));
      }),
    );
  });

  it('ACT-72: the place is the position in plain string order', () => {
    expect(placeAmong(['10.0.0.2', '10.0.0.10'], '10.0.0.2')).toEqual({ count: 2, index: 1 });
  });

  it('ACT-71: an activator that is not listed has no place', () => {
    expect(placeAmong(['10.0.0.2'], '10.0.0.3')).toBeNull();
  });
});

describe('capacity of a revision', () => {
  it.each<[number, number, number, number, number]>([
    // containerConcurrency, backends, activators, assigned pods, capacity
    [10, 1, 0, 0, 10],
    [10, 10, 0, 0, 100],
    [10, 100, 0, 0, 1000],
    [10, 10, 5, 0, 20],
    [10, 10, 200, 0, 1],
    [10, 0, 200, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 0, 200, 0, 0],
    [0, 1, 0, 0, MAX_CAPACITY],
    [0, 10, 200, 0, MAX_CAPACITY],
    [10, 0, 1, 1, 10],
    [10, 2, 1, 2, 20],
    [10, 2, 2, 1, 10],
    [10, 3, 2, 2, 20],
    [10, 3, 2, 1, 10],
    [1, 5, 2, 3, 3],
    [1, 5, 2, 2, 2],
    [0, 1, 2, 3, MAX_CAPACITY],
  ])('ACT-68: cc %i, %i backends, %i activators, %i assigned', (cc, b, a, assigned, expected) => {
    expect(
      revisionCapacity({
        containerConcurrency: cc,
        backendCount: b,
        activatorCount: a,
        assignedCount: assigned,
      }),
    ).toBe(expected);
  });

  it('ACT-67: a product above the maximum is capped', () => {
    expect(
      revisionCapacity({
        containerConcurrency: MAX_CAPACITY,
        backendCount: 3,
        activatorCount: 1,
        assignedCount: 3,
      }),
    ).toBe(MAX_CAPACITY);
  });
});
