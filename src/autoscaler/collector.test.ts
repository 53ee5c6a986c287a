import { describe, expect, it } from 'vitest';
import type { Metric } from '../api/autoscaling.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { emptyStat, type Stat } from '../wire/stat.ts';
import { Collector } from './collector.ts';
import { MetricStore } from './metric-store.ts';
import { readAverages } from './row-decision.ts';
import type { ScrapeOutcome } from './scraper.ts';

const KEY = 'default/r';
const P = 'autoscaling.knative.dev/';

function metric(spec: Partial<Metric['spec']> = {}, annotations = {}): Metric {
  return {
    apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
    kind: 'Metric',
    metadata: {
      namespace: 'default',
      name: 'r',
      annotations,
      labels: { 'serving.knative.dev/revision': 'r' },
    },
    spec: { stableWindow: 60e9, panicWindow: 6e9, scrapeTarget: 'r-private', ...spec },
  };
}

const load = (average: number): Stat => ({
  ...emptyStat('service-scraper'),
  averageConcurrentRequests: average,
});

function start() {
  const clock = new FakeClock();
  const store = new MetricStore();
  const scrapes: { windowMs: number; answer: (outcome: ScrapeOutcome) => void }[] = [];
  const collector = new Collector({
    store,
    clock,
    scrape: (_target, windowMs) =>
      new Promise((resolve) => scrapes.push({ windowMs, answer: resolve })),
  });
  const outcomes: string[] = [];
  collector.onOutcome((key) => outcomes.push(key));
  const averages = () => {
    const row = store.get(KEY)!;
    return readAverages(row.slab, row.at, clock.nowMs());
  };
  const answer = async (outcome: ScrapeOutcome): Promise<void> => {
    scrapes.at(-1)!.answer(outcome);
    await clock.advanceAsync(0);
  };
  return { clock, collector, scrapes, outcomes, averages, answer };
}

describe('a collection', () => {
  it('AS-64: scrapes once a second, never twice at a time, and makes nothing up', async () => {
    const { clock, collector, scrapes, averages, answer } = start();
    collector.ensure(metric());
    await clock.advanceAsync(3500);
    expect(scrapes).toHaveLength(1); // The first has not answered yet.
    expect(scrapes[0]?.windowMs).toBe(60_000);
    await answer({ stat: load(4), failure: null });
    await clock.advanceAsync(1000);
    expect(scrapes).toHaveLength(2);
    expect(averages().concurrency).toBe(4);
    await answer({ stat: null, failure: null });
    expect(averages().concurrency).toBe(4); // Nothing scraped is nothing recorded.
  });

  it('AS-62: a scraped stat counts for the second in which the scrape finished', async () => {
    const { clock, collector, averages, answer } = start();
    collector.ensure(metric());
    await clock.advanceAsync(3600);
    await answer({ stat: load(4), failure: null });
    expect(averages()).toMatchObject({ concurrency: 4, panicConcurrency: 4 });
    await clock.advanceAsync(6000);
    expect(averages()).toMatchObject({ concurrency: 4, panicConcurrency: 0 });
  });

  it('AS-64: without a scrape target the last failure is forgotten and nothing is read', async () => {
    const { clock, collector, scrapes, answer } = start();
    collector.ensure(metric());
    await clock.advanceAsync(1100);
    await answer({ stat: null, failure: { kind: 'no endpoints', message: 'none' } as never });
    expect(collector.ensure(metric())).not.toBeNull();
    expect(collector.ensure(metric({ scrapeTarget: '' }))).toBeNull();
    const before = scrapes.length;
    await clock.advanceAsync(5000);
    expect(scrapes).toHaveLength(before);
  });

  it('AS-56: starts without a failure and says when the outcome of a scrape is another', async () => {
    const { clock, collector, outcomes, answer } = start();
    expect(collector.ensure(metric())).toBeNull();
    const failure = { kind: 'no endpoints', message: 'none' } as never;
    const seen: number[] = [];
    for (const outcome of [null, failure, failure, null]) {
      await clock.advanceAsync(1100);
      await answer({ stat: null, failure: outcome });
      seen.push(outcomes.length);
    }
    expect(seen).toEqual([0, 1, 1, 2]);
  });

  it('AS-54: how it averages is settled when it starts', () => {
    const { clock, collector, averages } = start();
    const weighted = { [`${P}metric-aggregation-algorithm`]: 'weighted-exponential' };
    collector.ensure(metric({}, weighted));
    collector.ensure(metric({}, {}));
    collector.record(KEY, load(10));
    clock.advance(0);
    expect(averages().concurrency).toBeCloseTo(2, 9);
  });

  it('AS-51: windows outside (0, 1 h] are refused', () => {
    const { collector } = start();
    expect(() => collector.ensure(metric({ stableWindow: 0 }))).toThrow('a window of 0 s');
    expect(() => collector.ensure(metric({ stableWindow: 3601e9 }))).toThrow('a window of 3601 s');
    expect(collector.size).toBe(0);
  });
});
