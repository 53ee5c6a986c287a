// The wheel under fake time: never early, late by less than a tick, and quiet when empty.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { type DeadlineEntry, DeadlineWheel } from './deadline-wheel.ts';

const TICK_MS = 10;

class TestEntry implements DeadlineEntry {
  wheelNext: DeadlineEntry | null = null;
  wheelPrevious: DeadlineEntry | null = null;
  wheelSlot = -1;
  deadlineMs: number;
  readonly firedAt: number[] = [];
  onFire: (nowMs: number) => void = () => undefined;

  constructor(deadlineMs: number) {
    this.deadlineMs = deadlineMs;
  }

  onDeadline(nowMs: number): void {
    this.firedAt.push(nowMs);
    this.onFire(nowMs);
  }
}

function setUp(slotCount = 8): { clock: FakeClock; wheel: DeadlineWheel } {
  const clock = new FakeClock();
  return { clock, wheel: new DeadlineWheel(clock, { tickMs: TICK_MS, slotCount }) };
}

describe('deadline wheel', () => {
  it('fires once, not before the deadline and less than a tick after it', () => {
    const { clock, wheel } = setUp();
    const entry = new TestEntry(35);
    wheel.add(entry, 0);
    clock.advance(34);
    expect(entry.firedAt).toEqual([]);
    clock.advance(1000);
    expect(entry.firedAt).toEqual([40]);
  });

  it('a deadline beyond the span of the wheel is kept exactly', () => {
    const { clock, wheel } = setUp(4);
    const entry = new TestEntry(1234);
    wheel.add(entry, 0);
    clock.advance(5000);
    expect(entry.firedAt).toEqual([1240]);
  });

  it('a deadline is moved later by writing the field', () => {
    const { clock, wheel } = setUp();
    const entry = new TestEntry(30);
    wheel.add(entry, 0);
    clock.advance(20);
    entry.deadlineMs = 300;
    clock.advance(270);
    expect(entry.firedAt).toEqual([]);
    clock.advance(20);
    expect(entry.firedAt).toEqual([300]);
  });

  it('a removed entry never fires, and removing it twice does nothing', () => {
    const { clock, wheel } = setUp();
    const entry = new TestEntry(30);
    wheel.add(entry, 0);
    wheel.remove(entry);
    wheel.remove(entry);
    clock.advance(1000);
    expect(entry.firedAt).toEqual([]);
    expect(wheel.size).toBe(0);
  });

  it('runs no ticker while nothing waits, and starts again for the next entry', () => {
    const { clock, wheel } = setUp();
    wheel.add(new TestEntry(30), 0);
    clock.advance(100);
    expect(clock.pendingCount).toBe(0);
    const late = new TestEntry(5005);
    clock.advance(4900);
    wheel.add(late, 5000);
    clock.advance(100);
    expect(late.firedAt).toEqual([5010]);
  });

  it('an entry may add itself and remove another one while firing', () => {
    const { clock, wheel } = setUp();
    const other = new TestEntry(30);
    const entry = new TestEntry(30);
    entry.onFire = (nowMs) => {
      wheel.remove(other);
      if (entry.firedAt.length > 1) return;
      entry.deadlineMs = nowMs + 50;
      wheel.add(entry, nowMs);
    };
    wheel.add(other, 0);
    wheel.add(entry, 0);
    clock.advance(500);
    expect(entry.firedAt).toEqual([30, 80]);
    expect(other.firedAt).toEqual([]);
  });

  it('after a stall longer than its span every due entry fires in the first tick', () => {
    const clock = new FakeClock();
    let stalledMs = 0;
    const stalled = {
      ...clock,
      monotonicMs: () => clock.monotonicMs() + stalledMs,
      setTicker: (periodMs: number, callback: () => void) => clock.setTicker(periodMs, callback),
    } as unknown as FakeClock;
    const wheel = new DeadlineWheel(stalled, { tickMs: TICK_MS, slotCount: 8 });
    const entries = [15, 40, 75, 500, 9000].map((deadlineMs) => new TestEntry(deadlineMs));
    for (const entry of entries) wheel.add(entry, 0);
    stalledMs = 5000;
    clock.advance(TICK_MS);
    expect(entries.map((entry) => entry.firedAt.length)).toEqual([1, 1, 1, 1, 0]);
  });

  it('an entry cannot be added twice', () => {
    const { wheel } = setUp();
    const entry = new TestEntry(30);
    wheel.add(entry, 0);
    expect(() => wheel.add(entry, 0)).toThrow('already');
  });

  it('any mix of adds, removals and moves fires each entry once at the right tick', () => {
    const step = fc.record({
      waitMs: fc.nat(60),
      addDelayMs: fc.option(fc.nat(400), { nil: null }),
      remove: fc.option(fc.nat(30), { nil: null }),
      move: fc.option(fc.tuple(fc.nat(30), fc.nat(200)), { nil: null }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.array(step), (slotCount, steps) => {
        const { clock, wheel } = setUp(slotCount);
        const entries: TestEntry[] = [];
        const removed = new Set<TestEntry>();
        for (const { waitMs, addDelayMs, remove, move } of steps) {
          clock.advance(waitMs);
          if (addDelayMs !== null) {
            const entry = new TestEntry(clock.monotonicMs() + addDelayMs);
            entries.push(entry);
            wheel.add(entry, clock.monotonicMs());
          }
          const moved = move === null ? undefined : entries[move[0]];
          if (moved !== undefined && moved.wheelSlot !== -1) moved.deadlineMs += move![1];
          const gone = remove === null ? undefined : entries[remove];
          if (gone !== undefined && gone.firedAt.length === 0) {
            wheel.remove(gone);
            removed.add(gone);
          }
        }
        clock.advance(20_000);
        expect(wheel.size).toBe(0);
        for (const entry of entries) {
          if (removed.has(entry)) {
            expect(entry.firedAt).toEqual([]);
            continue;
          }
          expect(entry.firedAt.length).toBe(1);
          expect(entry.firedAt[0]!).toBeGreaterThanOrEqual(entry.deadlineMs);
          // An overdue entry waits for the next tick, and a tick may just have passed.
          expect(entry.firedAt[0]! - entry.deadlineMs).toBeLessThanOrEqual(2 * TICK_MS);
        }
      }),
    );
  });
});
