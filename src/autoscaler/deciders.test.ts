import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { FLAG, MetricSlab } from '../shm/metric-columns.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { type DeciderSpec, Deciders, type DecidersOptions } from './deciders.ts';
import type { DecisionPool } from './decision-pool.ts';
import decideRows from './decision-worker.ts';
import { viewDecisions } from './decisions-view.ts';
import { MetricStore } from './metric-store.ts';

const LABELS = { 'serving.knative.dev/configuration': 'c', 'serving.knative.dev/revision': 'r' };
const SPEC: DeciderSpec = {
  target: 10,
  capacity: 100,
  targetBurstCapacity: 211,
  panicThreshold: 2,
  stableWindowMs: 6000,
  maxScaleUpRate: 1000,
  maxScaleDownRate: 2,
  activationScale: 0,
  reachable: true,
  isRps: false,
  initialScale: 1,
  scaleDownDelayMs: 0,
};
const KEY = 'default/r';

function make(over: Partial<DecidersOptions> = {}): {
  clock: FakeClock;
  store: MetricStore;
  deciders: Deciders;
  events: string[];
  collect: (key: string) => void;
  load: (key: string, concurrency: number) => void;
  /** Second by second. */
  run: (seconds: number, concurrency: number, ...keys: string[]) => void;
} {
  const clock = new FakeClock();
  const store = new MetricStore();
  const options = { store, clock, logger: silentLogger, readyPods: () => 1, pool: null, ...over };
  const deciders = new Deciders(options);
  const events: string[] = [];
  deciders.onChange((decider, previous, cause) => {
    const { key, recommendation, excessBurstCapacity } = decider;
    events.push(`${cause} ${key} ${previous}->${recommendation} ebc ${excessBurstCapacity}`);
  });
  const collect = (key: string): void => {
    const row = store.retain(key);
    store.startWindows(row, 6, 6);
    store.setFlag(row, FLAG.collecting, true);
  };
  const load = (key: string, concurrency: number): void =>
    store.record(store.get(key)!, Math.floor(clock.nowMs() / 1000), concurrency, 0);
  const run = (seconds: number, concurrency: number, ...keys: string[]): void => {
    for (let second = 0; second < seconds; second += 1) {
      for (const key of keys) load(key, concurrency);
      clock.advance(1000);
    }
  };
  return { clock, store, deciders, events, collect, load, run };
}

describe('Deciders', () => {
  it('AS-96: the first decision comes 2 s after creation, then every 2 s', () => {
    const { clock, deciders, events, collect, load } = make();
    clock.advance(730);
    collect(KEY);
    deciders.ensure(KEY, SPEC, LABELS);
    load(KEY, 25);
    clock.advance(1999);
    expect(events).toEqual([]);
    clock.advance(101);
    expect(events).toEqual([`tick ${KEY} -1->3 ebc -136`]);
    load(KEY, 95);
    clock.advance(1899);
    expect(events).toHaveLength(1);
    clock.advance(101);
    expect(events).toHaveLength(2);
  });

  it('AS-97: observers hear only of a new recommendation or a new sign', () => {
    let pods = 1;
    const { deciders, events, collect, run } = make({ readyPods: () => pods });
    collect(KEY);
    deciders.ensure(KEY, SPEC, LABELS);
    run(8, 15, KEY);
    expect(events).toEqual([`tick ${KEY} -1->2 ebc -126`]);
    pods = 3;
    deciders.podsChanged(KEY);
    run(2, 15, KEY);
    expect(events.slice(1)).toEqual([`tick ${KEY} 2->2 ebc 74`]);
    run(6, 15, KEY);
    expect(events).toHaveLength(2);
  });

  it('AS-154: only a Decider known to be at zero is poked, and decides at once', () => {
    let pods = 1;
    const { clock, deciders, events, collect, load } = make({ readyPods: () => pods });
    deciders.poke('default/nobody');
    collect(KEY);
    deciders.ensure(KEY, SPEC, LABELS);
    load(KEY, 1);
    deciders.poke(KEY);
    expect(events).toEqual([]);
    clock.advance(2100);
    expect(events).toEqual([`tick ${KEY} -1->1 ebc -112`]);
    pods = 0;
    deciders.podsChanged(KEY);
    clock.advance(6000);
    load(KEY, 0);
    clock.advance(2000);
    expect(deciders.get(KEY)?.recommendation).toBe(0);
    load(KEY, 1);
    deciders.poke(KEY);
    expect(events.at(-1)).toBe(`poke ${KEY} 0->1 ebc -212`);
    const heard = events.length;
    deciders.poke(KEY);
    expect(events).toHaveLength(heard);
  });

  it('after a restart the first stat of a revision without pods does not wait for the tick', () => {
    const { deciders, events, collect, load } = make({ readyPods: () => 0 });
    collect(KEY);
    deciders.ensure(KEY, SPEC, LABELS);
    load(KEY, 1);
    deciders.poke(KEY);
    expect(events).toEqual([`poke ${KEY} -1->1 ebc -212`]);
  });

  it('AS-200: a poke that meets a worker on its row tries again on the next turn', () => {
    const { clock, store, deciders, collect, load } = make({ readyPods: () => 0 });
    collect(KEY);
    deciders.ensure(KEY, SPEC, LABELS);
    load(KEY, 0);
    clock.advance(2100);
    const row = store.get(KEY)!;
    load(KEY, 1);
    row.slab.tryLock(row.at);
    deciders.poke(KEY);
    expect(deciders.get(KEY)?.recommendation).toBe(0);
    row.slab.unlock(row.at);
    clock.advance(0);
    expect(deciders.get(KEY)?.recommendation).toBe(1);
  });

  it('AS-94, AS-95, AS-98, AS-100: made, changed and dropped with its PodAutoscaler', () => {
    const { clock, store, deciders, events, collect, load } = make();
    expect(() => deciders.ensure(KEY, SPEC, {})).toThrow(
      'label "serving.knative.dev/configuration" not found or empty in Decider r',
    );
    expect(() => deciders.ensure(KEY, SPEC, { ...LABELS, [Object.keys(LABELS)[1]!]: '' })).toThrow(
      'label "serving.knative.dev/revision" not found or empty in Decider r',
    );
    collect(KEY);
    const decider = deciders.ensure(KEY, SPEC, LABELS);
    expect(decider).toMatchObject({ recommendation: -1, excessBurstCapacity: -111 });
    expect(deciders.ensure(KEY, { ...SPEC, target: 5 }, LABELS)).toBe(decider);
    load(KEY, 20);
    clock.advance(2100);
    expect(decider.recommendation).toBe(4);
    deciders.delete(KEY);
    load(KEY, 90);
    clock.advance(10_000);
    expect(events).toHaveLength(1);
    expect(store.get(KEY)?.users).toBe(1);
  });

  it('AS-99: made while pods run, it does not let them go before it has seen a window', () => {
    const { clock, deciders, collect, load } = make({ readyPods: () => 7 });
    collect(KEY);
    deciders.ensure(KEY, SPEC, LABELS);
    const seen: (number | undefined)[] = [];
    for (let second = 0; second < 12; second += 2) {
      load(KEY, 1);
      clock.advance(2000);
      seen.push(deciders.get(KEY)?.recommendation);
    }
    expect(seen).toEqual([-1, 7, 7, 3, 3, 3]);
  });

  it('AS-113, AS-114: a delay holds the recommendation, one set later does not', () => {
    const late = 'default/late';
    const { deciders, collect, run } = make();
    for (const key of [KEY, late]) collect(key);
    const spec = { ...SPEC, panicThreshold: 100 };
    deciders.ensure(KEY, { ...spec, scaleDownDelayMs: 20_000 }, LABELS);
    deciders.ensure(late, spec, LABELS);
    deciders.ensure(late, { ...spec, scaleDownDelayMs: 20_000 }, LABELS);
    const said = (): unknown[] => [KEY, late].map((key) => deciders.get(key)?.recommendation);
    run(6, 15, KEY, late);
    expect(said()).toEqual([2, 2]);
    run(12, 1, KEY, late);
    expect(said()).toEqual([2, 1]);
    run(14, 1, KEY, late);
    expect(said()).toEqual([1, 1]);
  });

  it('a large tick goes to workers, slab by slab, and says the same', async () => {
    let tasks = 0;
    const pool: DecisionPool = {
      run: async (task) => {
        tasks += 1;
        return decideRows(task);
      },
      close: async () => undefined,
    };
    const { clock, deciders, events, collect, load } = make({ pool, maxInlineDecisions: 10 });
    const keys = Array.from({ length: 60 }, (_, index) => `default/r${index}`);
    for (const key of keys) {
      collect(key);
      deciders.ensure(key, SPEC, LABELS);
      load(key, 25);
    }
    await clock.advanceAsync(2100);
    expect(tasks).toBeGreaterThan(1);
    expect(events).toHaveLength(60);
    for (const key of keys) expect(deciders.get(key)?.recommendation).toBe(3);
  });

  it('a worker that dies costs nothing but the detour: its rows are decided here', async () => {
    const pool: DecisionPool = {
      run({ buffer, shape, rows }) {
        new MetricSlab(buffer, shape).tryLock(rows[0]!); // And does not get to give it back.
        return Promise.reject(new Error('worker died'));
      },
      close: async () => undefined,
    };
    const { clock, deciders, collect, load } = make({ pool, maxInlineDecisions: 0 });
    collect(KEY);
    deciders.ensure(KEY, SPEC, LABELS);
    load(KEY, 25);
    await clock.advanceAsync(2100);
    expect(deciders.get(KEY)?.recommendation).toBe(3);
  });

  it('AS-93: explains itself: inputs, outcome and the rule that bound it', () => {
    const { clock, deciders, collect, load } = make();
    collect(KEY);
    const decider = deciders.ensure(KEY, SPEC, LABELS);
    load(KEY, 25);
    clock.advance(2100);
    const pods = { ready: 1, notReady: 0, pending: 0, terminating: 0 };
    expect(viewDecisions(decider, pods)).toMatchObject({
      revision: KEY,
      recommendation: 3,
      metric: 'concurrency',
      target: 10,
      stableWindowSeconds: 6,
      panic: { threshold: 2, since: '2023-11-14T22:13:22.100Z', floor: 3 },
      applied: null,
      decisions: [
        {
          firstAt: '2023-11-14T22:13:22.100Z',
          repeats: 0,
          reason: 'load divided by target',
          stable: 25,
          readyPods: 1,
          recommendation: 3,
          panicking: true,
        },
      ],
    });
  });
});
