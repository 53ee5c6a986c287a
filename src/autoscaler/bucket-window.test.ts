import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  copyWindow,
  createWindow,
  isWindowEmpty,
  linearAverage,
  recordValue,
  resizeWindow,
  ringCapacity,
  weightedAverage,
  windowDecay,
} from './bucket-window.ts';

/** The rules of AS-80 to AS-90 once more, with a map of seconds instead of a ring. */
class NaiveWindow {
  values = new Map<number, number>();
  newest = Number.NaN;
  first = Number.NaN;
  length: number;

  constructor(length: number) {
    this.length = length;
  }

  record(second: number, value: number): void {
    if (Number.isNaN(this.newest) || second - this.newest >= this.length) {
      this.values = new Map([[second, value]]);
      this.newest = second;
      this.first = second;
      return;
    }
    if (this.newest - second >= this.length) return;
    this.values.set(second, (this.values.get(second) ?? 0) + value);
    this.newest = Math.max(this.newest, second);
    this.first = Math.min(this.first, second);
    this.prune();
  }

  prune(): void {
    for (const second of this.values.keys()) {
      if (second <= this.newest - this.length) this.values.delete(second);
    }
  }

  resize(length: number, now: number): void {
    if (length === this.length) return;
    const old = this.length;
    this.length = length;
    if (Number.isNaN(this.newest)) return;
    if (now - this.newest <= old) this.first = this.newest - old + 1;
    else {
      this.values.clear();
      this.first = Number.NEGATIVE_INFINITY;
    }
    this.prune();
  }

  average(now: number): number {
    const silence = now - this.newest;
    if (!(silence < this.length)) return 0;
    const age = this.newest - this.first + 1;
    const count = Math.min(age, this.length - Math.max(0, silence));
    let sum = 0;
    for (const [second, value] of this.values) {
      if (silence <= 0 || second > now - this.length) sum += value;
    }
    return sum / count;
  }

  weighted(now: number): number {
    if (!(now - this.newest <= this.length)) return 0;
    const silence = Math.max(0, now - this.newest);
    const decay = windowDecay(this.length);
    let sum = 0;
    for (let back = 0; back < this.length - silence; back += 1) {
      const value = this.values.get(this.newest - back) ?? 0;
      sum += decay * (1 - decay) ** (silence + back) * value;
    }
    return sum;
  }
}

const START = 1_700_000_000;
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ step: fc.integer({ min: -9, max: 12 }), value: fc.nat(50) }),
  },
  { weight: 1, arbitrary: fc.record({ length: fc.integer({ min: 1, max: 40 }) }) },
);

describe('bucket window', () => {
  it('AS-79 to AS-90: agrees with a map of seconds, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(operation, { maxLength: 60 }),
        (length, operations) => {
          const cells = createWindow(length, ringCapacity(40));
          const naive = new NaiveWindow(length);
          let second = START;
          for (const given of operations) {
            if ('length' in given) {
              resizeWindow(cells, 0, given.length, second);
              naive.resize(given.length, second);
            } else {
              second += given.step;
              recordValue(cells, 0, second, given.value);
              naive.record(second, given.value);
            }
            for (const now of [second - 1, second, second + 1, second + 7, second + 45]) {
              expect(linearAverage(cells, 0, now)).toBeCloseTo(naive.average(now), 5);
              expect(weightedAverage(cells, 0, now)).toBeCloseTo(naive.weighted(now), 9);
              expect(isWindowEmpty(cells, 0, now)).toBe(!(now - naive.newest <= naive.length));
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('a window moved to a larger ring reads the same', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { minLength: 1, maxLength: 30 }), (values) => {
        const small = createWindow(10, 16);
        values.forEach((value, index) => {
          recordValue(small, 0, START + index * 2, value);
        });
        const large = createWindow(1, 64);
        copyWindow(small, 0, large, 0);
        const now = START + values.length * 2;
        expect(linearAverage(large, 0, now)).toBe(linearAverage(small, 0, now));
        expect(weightedAverage(large, 0, now)).toBe(weightedAverage(small, 0, now));
      }),
    );
  });

  it('AS-85: residue of floating-point sums does not keep an idle revision above zero', () => {
    const cells = createWindow(6);
    recordValue(cells, 0, START, 0.1);
    recordValue(cells, 0, START, 0.2);
    recordValue(cells, 0, START, -0.3);
    expect(linearAverage(cells, 0, START)).toBe(0);
  });

  it('AS-88: a constant load is approached as 1 - (1 - c)^k', () => {
    const cells = createWindow(60);
    for (let second = 0; second < 10; second += 1) recordValue(cells, 0, START + second, 7);
    expect(weightedAverage(cells, 0, START + 9)).toBeCloseTo(7 * (1 - 0.8 ** 10), 12);
  });
});
