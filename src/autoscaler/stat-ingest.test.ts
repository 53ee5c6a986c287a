// Whole frames into windows, against the way by messages and keys.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Metric } from '../api/autoscaling.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import {
  decodeStatMessages,
  emptyStat,
  encodeStatMessages,
  type StatMessage,
} from '../wire/stat.ts';
import { Collector } from './collector.ts';
import { Deciders } from './deciders.ts';
import { MetricStore } from './metric-store.ts';
import { readAverages } from './row-decision.ts';
import { type KeyOwnership, StatIngest } from './stat-ingest.ts';

const NAMES = ['a', 'b', 'c'];

function metric(name: string): Metric {
  return {
    apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
    kind: 'Metric',
    metadata: { name, namespace: 'default' },
    spec: { stableWindow: 60e9, panicWindow: 6e9, scrapeTarget: '' },
  };
}

function world(ownership: KeyOwnership | null = null) {
  const clock = new FakeClock();
  const store = new MetricStore();
  const options = { store, clock, logger: silentLogger, readyPods: () => 0, pool: null };
  const deciders = new Deciders(options);
  const scrape = async () => ({ stat: null, failure: null });
  const collector = new Collector({ store, clock, scrape });
  const others: StatMessage[] = [];
  const ingest = new StatIngest({
    collector,
    deciders,
    clock,
    ownership,
    onOthers: (messages) => others.push(...messages),
  });
  const averages = () =>
    NAMES.map((name) => {
      const row = store.get(`default/${name}`);
      return row === undefined ? null : readAverages(row.slab, row.at, clock.nowMs());
    });
  return { clock, deciders, collector, others, ingest, averages };
}

const message = (name: string, average: number, timestamp = 0): StatMessage => ({
  namespace: 'default',
  name,
  stat: { ...emptyStat('act'), averageConcurrentRequests: average, requestCount: 2, timestamp },
});

describe('frames of stats', () => {
  it('AS-62, AS-63, AS-79: fill the windows as one stat after the other would', () => {
    const load = fc.double({ min: -5, max: 500, noDefaultInfinity: true });
    const stat = fc.record({
      podName: fc.constant('act'),
      averageConcurrentRequests: fc.oneof(load, fc.constantFrom(Number.NaN, Infinity)),
      averageProxiedConcurrentRequests: load,
      requestCount: load,
      proxiedRequestCount: load,
      processUptime: fc.constant(0),
      timestamp: fc.constantFrom(0, 0, -3, -70, 4),
    });
    const name = fc.constantFrom(...NAMES, 'nobody');
    const step = fc.record({
      advanceMs: fc.constantFrom(0, 300, 1000, 7000, 90_000),
      forget: fc.option(fc.constantFrom(...NAMES), { freq: 6 }),
      messages: fc.array(fc.record({ namespace: fc.constant('default'), name, stat })),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const fast = world();
        const plain = world();
        for (const each of [fast, plain]) {
          for (const key of NAMES) each.collector.ensure(metric(key));
        }
        for (const { advanceMs, forget, messages } of steps) {
          for (const each of [fast, plain]) {
            each.clock.advance(advanceMs);
            if (forget !== null) {
              each.collector.delete(`default/${forget}`);
              if (advanceMs > 0) each.collector.ensure(metric(forget));
            }
          }
          const second = Math.floor(fast.clock.nowMs() / 1000);
          const stamped = messages.map((given) => ({
            ...given,
            stat: {
              ...given.stat,
              timestamp: given.stat.timestamp === 0 ? 0 : second + given.stat.timestamp,
            },
          }));
          fast.ingest.take(encodeStatMessages(stamped));
          for (const each of decodeStatMessages(encodeStatMessages(stamped))) {
            const isRecorded = plain.collector.record(`default/${each.name}`, each.stat);
            if (!isRecorded) plain.others.push(each);
          }
          expect(fast.averages()).toEqual(plain.averages());
        }
        expect(fast.others).toEqual(plain.others);
      }),
      { numRuns: 200 },
    );
  });

  it('AS-181: a frame that breaks off leaves no trace', () => {
    const { ingest, collector, averages, others } = world();
    collector.ensure(metric('a'));
    const before = averages();
    const whole = encodeStatMessages([message('a', 5), message('a', 6), message('b', 7)]);
    for (let cut = 1; cut < whole.length; cut += 1) {
      const isBetweenEntries = [whole.length / 3, (whole.length * 2) / 3].includes(cut);
      if (isBetweenEntries) continue;
      expect(() => ingest.take(whole.subarray(0, cut)), `cut at ${cut}`).toThrow();
    }
    expect(averages()).toEqual(before);
    expect(others).toEqual([]);
  });

  it('AS-154: a stat with load in it has a revision at zero decided at once', () => {
    const { ingest, collector, deciders } = world();
    collector.ensure(metric('a'));
    const spec = {
      ...{ target: 70, capacity: 100, targetBurstCapacity: 211, panicThreshold: 2 },
      ...{ stableWindowMs: 60_000, maxScaleUpRate: 1000, maxScaleDownRate: 2 },
      ...{ activationScale: 0, reachable: true, isRps: false, initialScale: 1 },
      scaleDownDelayMs: 0,
    };
    const labels = {
      'serving.knative.dev/configuration': 'a',
      'serving.knative.dev/revision': 'a',
    };
    deciders.ensure('default/a', spec, labels);
    ingest.take(encodeStatMessages([message('a', 0)]));
    expect(deciders.get('default/a')?.recommendation).toBe(-1);
    ingest.take(encodeStatMessages([message('a', 1)]));
    expect(deciders.get('default/a')?.recommendation).toBe(1);
  });

  it('AS-173: what belongs to another process is handed on whole, also after a change', () => {
    let isMine = true;
    const { ingest, collector, others } = world({
      bucketOf: () => 'bucket',
      isOwned: () => isMine,
    });
    collector.ensure(metric('a'));
    ingest.take(encodeStatMessages([message('a', 5)]));
    expect(others).toEqual([]);
    isMine = false;
    ingest.take(encodeStatMessages([message('a', 6, 1_700_000_000)]));
    expect(others).toEqual([message('a', 6, 1_700_000_000)]);
  });
});
