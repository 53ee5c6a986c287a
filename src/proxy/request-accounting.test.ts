// The arithmetic of QP-38 by the vectors of QP-40, then against a model that keeps every event.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestAccounting } from './request-accounting.ts';

/** Averages, then counts: average, averageProxied, count, proxiedCount. */
type Expected = readonly [number, number, number, number];

const vectors: { events: string; reports: Expected[] }[] = [
  { events: 'R1000', reports: [[0, 0, 0, 0]] },
  { events: 'in0 out1000 R1000', reports: [[1, 0, 1, 0]] },
  { events: 'in0 out3000 R6000', reports: [[0.5, 0, 1, 0]] },
  { events: 'in0 out1 R1000', reports: [[0.001, 0, 1, 0]] },
  { events: 'in0 out300 in300 out600 in600 out1000 R1000', reports: [[1, 0, 3, 0]] },
  { events: 'in0 in100 out600 out1000 R1000', reports: [[1.5, 0, 2, 0]] },
  {
    events: 'in0 R1000 out1500 R2000',
    reports: [
      [1, 0, 1, 0],
      [0.5, 0, 0, 0],
    ],
  },
  {
    events: 'in0 R1000 R2000 R3000 out3500 R4000',
    reports: [
      [1, 0, 1, 0],
      [1, 0, 0, 0],
      [1, 0, 0, 0],
      [0.5, 0, 0, 0],
    ],
  },
  { events: 'inP0 outP1000 R1000', reports: [[1, 1, 1, 1]] },
  { events: 'inP0 outP500 R1000', reports: [[0.5, 0.5, 1, 1]] },
  { events: 'inP0 in0 outP500 out1000 R1000', reports: [[1.5, 0.5, 2, 1]] },
  { events: 'in500 in499 out1000 out999 R1000', reports: [[1, 0, 2, 0]] },
];

function replay(events: string): Expected[] {
  const accounting = new RequestAccounting(0);
  const reports: Expected[] = [];
  for (const event of events.split(' ')) {
    const [, kind, at] = /^([a-zA-Z]+)(\d+)$/.exec(event)!;
    const atMs = Number(at);
    if (kind === 'R') {
      const report = accounting.report(atMs);
      reports.push([
        report.averageConcurrency,
        report.averageProxiedConcurrency,
        report.requestCount,
        report.proxiedRequestCount,
      ]);
    } else if (kind!.startsWith('in')) accounting.arrive(atMs, kind === 'inP');
    else accounting.depart(atMs, kind === 'outP');
  }
  return reports;
}

describe('request accounting', () => {
  it.each(vectors)('QP-40: $events', ({ events, reports }) => {
    expect(replay(events)).toEqual(reports);
  });

  it('ACT-134: two requests in one window give the average 0.5 of the second one', () => {
    expect(replay('in0 out1 in1 out2 R2')).toEqual([[1, 0, 2, 0]]);
    expect(replay('in0 in0 out1 out2 R2')).toEqual([[1.5, 0, 2, 0]]);
  });

  it('a departure without an arrival is a programming error', () => {
    const accounting = new RequestAccounting(0);
    expect(() => accounting.depart(1, false)).toThrow('departed');
    accounting.arrive(1, false);
    expect(() => accounting.depart(2, true)).toThrow('departed');
  });

  it('agrees with a model that integrates every event, for any order of times', () => {
    const event = fc.record({
      kind: fc.constantFrom('in', 'inP', 'out', 'outP', 'report'),
      // Mostly forward, sometimes back: late timestamps must change no sum.
      stepMs: fc.oneof(fc.nat(2000), fc.integer({ min: -500, max: 0 })),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 100 }), (events) => {
        const accounting = new RequestAccounting(0);
        let model = { at: 0, elapsed: 0, all: 0, proxied: 0, n: 0, np: 0 };
        let plainInside = 0;
        let proxiedInside = 0;
        let nowMs = 0;
        for (const { kind, stepMs } of events) {
          nowMs += stepMs;
          if (kind === 'out' && plainInside === 0) continue;
          if (kind === 'outP' && proxiedInside === 0) continue;
          const passed = Math.max(0, nowMs - model.at);
          model.elapsed += passed;
          model.all += passed * (plainInside + proxiedInside);
          model.proxied += passed * proxiedInside;
          model.at = Math.max(model.at, nowMs);
          if (kind === 'report') {
            const report = accounting.report(nowMs);
            const over = (sum: number) => (model.elapsed === 0 ? 0 : sum / model.elapsed);
            expect(report.averageConcurrency).toBeCloseTo(over(model.all), 9);
            expect(report.averageProxiedConcurrency).toBeCloseTo(over(model.proxied), 9);
            expect(report.requestCount).toBe(model.n);
            expect(report.proxiedRequestCount).toBe(model.np);
            expect(report.averageConcurrency).toBeGreaterThanOrEqual(0);
            model = { at: model.at, elapsed: 0, all: 0, proxied: 0, n: 0, np: 0 };
          } else if (kind === 'in' || kind === 'inP') {
            accounting.arrive(nowMs, kind === 'inP');
            model.n += 1;
            if (kind === 'inP') {
              model.np += 1;
              proxiedInside += 1;
            } else plainInside += 1;
          } else if (kind === 'out') {
            accounting.depart(nowMs, false);
            plainInside -= 1;
          } else {
            accounting.depart(nowMs, true);
            proxiedInside -= 1;
          }
          expect(accounting.concurrency).toBe(plainInside + proxiedInside);
        }
      }),
    );
  });
});
