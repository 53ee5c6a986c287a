import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WINDOW_HEAD } from '../shm/metric-columns.ts';
import { ringCapacity } from './bucket-window.ts';
import {
  delayedMaximum,
  delaySlots,
  initDelayWindow,
  MAX_DELAY_SLOTS,
  recordDelayed,
} from './delay-window.ts';

const create = (slots: number): Float64Array => {
  const cells = new Float64Array(WINDOW_HEAD + ringCapacity(slots));
  initDelayWindow(cells, 0, slots, ringCapacity(slots));
  return cells;
};

describe('delay window', () => {
  it('AS-113: is the maximum over the newest slot and those before it', () => {
    const record = fc.record({ step: fc.nat(4), value: fc.nat(20) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.array(record, { minLength: 1, maxLength: 50 }),
        (slots, records) => {
          const cells = create(slots);
          const kept: { slot: number; value: number }[] = [];
          let slot = 850_000_000;
          for (const { step, value } of records) {
            slot += step;
            recordDelayed(cells, 0, slot, value);
            kept.push({ slot, value });
            const held = kept.filter((one) => one.slot > slot - slots).map((one) => one.value);
            expect(delayedMaximum(cells, 0, slot)).toBe(Math.max(...held));
          }
        },
      ),
    );
  });

  it('AS-113: a reader ahead of the last record already lets old slots go', () => {
    const cells = create(3);
    recordDelayed(cells, 0, 100, 9);
    expect(delayedMaximum(cells, 0, 102)).toBe(9);
    expect(delayedMaximum(cells, 0, 103)).toBe(0);
  });

  it('AS-113: 300 s are 150 slots, and a delay without limit is cut to a day', () => {
    expect(delaySlots(300_000)).toBe(150);
    expect(delaySlots(1)).toBe(1);
    expect(delaySlots(1e12)).toBe(MAX_DELAY_SLOTS);
  });
});
