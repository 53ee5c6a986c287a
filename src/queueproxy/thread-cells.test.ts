// Statistics of several threads against one naive accountant that sees every event (QP-38 to QP-40),
// and the drain state they share.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { RequestAccounting } from '../proxy/request-accounting.ts';
import { Drainer } from './drainer.ts';
import {
  createThreadCells,
  DrainBoard,
  ThreadAccounting,
  ThreadAccountingSum,
  ThreadDrainState,
} from './thread-cells.ts';

function setUp(threads: number) {
  const cells = createThreadCells(threads);
  const each = Array.from({ length: threads }, (_, one) => new ThreadAccounting(cells, one, 0));
  return { each, sum: new ThreadAccountingSum(cells, threads, 0) };
}

describe('statistics of several threads', () => {
  it('QP-38, QP-39: any history over three threads reports what one accountant would', () => {
    const step = fc.record({
      afterMs: fc.nat(500),
      thread: fc.nat(2),
      kind: fc.constantFrom('arrive', 'arrive', 'depart', 'report'),
      proxied: fc.boolean(),
    });
    const property = fc.property(fc.array(step, { maxLength: 120 }), (history) => {
      const { each, sum } = setUp(3);
      const naive = new RequestAccounting(0);
      const inside: boolean[][] = [[], [], []];
      let nowMs = 0;
      for (const { afterMs, thread, kind, proxied } of history) {
        nowMs += afterMs;
        if (kind === 'report') expect(sum.report(nowMs)).toEqual(naive.report(nowMs));
        else if (kind === 'arrive') {
          inside[thread]!.push(proxied);
          each[thread]!.arrive(nowMs, proxied);
          naive.arrive(nowMs, proxied);
        } else {
          const was = inside[thread]!.pop();
          if (was === undefined) continue;
          each[thread]!.depart(nowMs, was);
          naive.depart(nowMs, was);
        }
        expect(sum.concurrency).toBe(naive.concurrency);
      }
      expect(sum.report(nowMs + 1000)).toEqual(naive.report(nowMs + 1000));
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('QP-40: the vectors, with the events dealt to two threads in turn', () => {
    const { each, sum } = setUp(2);
    each[0]!.arrive(0, true);
    each[1]!.arrive(0, false);
    each[0]!.depart(500, true);
    each[1]!.depart(1000, false);
    expect(sum.report(1000)).toEqual({
      averageConcurrency: 1.5,
      averageProxiedConcurrency: 0.5,
      requestCount: 2,
      proxiedRequestCount: 1,
    });
  });

  it('QP-38: what a thread did after the time of the report is told once, and never negative', () => {
    const { each, sum } = setUp(2);
    each[0]!.arrive(0, false);
    each[0]!.depart(1010, false);
    expect(sum.report(1000).averageConcurrency).toBe(1.01);
    expect(sum.report(2000).averageConcurrency).toBe(0);
    expect(() => each[0]!.depart(2000, false)).toThrow('more requests departed');
  });
});

describe('drain of several threads', () => {
  it('QP-113: an arrival in any thread restarts the quiet period; probes fail in all at once', async () => {
    const clock = new FakeClock();
    const cells = createThreadCells(2);
    const drainer = new Drainer(clock, 30_000, new DrainBoard(cells, 2));
    const other = new ThreadDrainState(cells, 1);
    let isOver = false;
    expect(other.draining).toBe(false);
    clock.advance(100_000);
    void drainer.drain().then(() => {
      isOver = true;
    });
    expect(other.draining).toBe(true);
    clock.advance(20_000);
    other.onArrival(clock.monotonicMs());
    await clock.advanceAsync(29_999);
    expect(isOver).toBe(false);
    await clock.advanceAsync(1);
    expect(isOver).toBe(true);
    drainer.reset();
    expect(other.draining).toBe(false);
  });

  it('QP-113: a pod that ran for 26 days or more drains like any other', () => {
    const dayMs = 24 * 3_600_000;
    for (const days of [1, 26, 48, 51, 100]) {
      const cells = createThreadCells(2);
      const board = new DrainBoard(cells, 2);
      const other = new ThreadDrainState(cells, 1);
      const nowMs = days * dayMs;
      expect(board.sinceArrivalMs(nowMs), `${days} days, none`).toBeGreaterThan(30_000);
      other.onArrival(nowMs);
      expect(board.sinceArrivalMs(nowMs - 1.5), `${days} days, a clock ahead`).toBe(0);
      expect(board.sinceArrivalMs(nowMs + 20_000), `${days} days, one`).toBe(20_000);
    }
  });
});
