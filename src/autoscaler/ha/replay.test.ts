// A recorded minute of stats, decided three ways: on one thread, in worker threads, and by two
// autoscalers of which the second takes over in the middle from a copy of the windows. The
// decisions must be the same, revision by revision and second by second.

import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Metric } from '../../api/autoscaling.ts';
import { FakeClock } from '../../clock/fake-clock.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { emptyStat, type Stat } from '../../wire/stat.ts';
import { Collector } from '../collector.ts';
import { type DeciderSpec, Deciders } from '../deciders.ts';
import { createDecisionPool, type DecisionPool } from '../decision-pool.ts';
import { MetricStore } from '../metric-store.ts';
import { readState } from '../row-decision.ts';
import { ReplicaMirror } from './replica-mirror.ts';
import { ReplicaSource } from './replica-source.ts';

const dist = process.env.PILOTLIGHT_DIST_URL ?? new URL('../../../dist/', import.meta.url).href;
const worker = new URL('autoscaler/decision-worker.js', dist);
const REVISIONS = Array.from({ length: 24 }, (_, index) => `default/r${index}`);
const SECONDS = 60;
const START_MS = 1_700_000_000_000;

/** Second by second, one stat per revision: quiet ones, ramps, spikes and silences. */
const RECORDING: Map<string, Stat>[] = Array.from({ length: SECONDS }, (_, second) => {
  const stats = new Map<string, Stat>();
  REVISIONS.forEach((key, index) => {
    const noise = ((second * 7919 + index * 104_729) % 17) / 4;
    const spike = second % 20 === index % 20 ? 400 : 0;
    const isSilent = index % 5 === 4 && second > 20 && second < 45;
    if (isSilent) return;
    const averageConcurrentRequests = index * 2 + noise + spike + (index % 3) * second;
    stats.set(key, { ...emptyStat('activator-0'), averageConcurrentRequests, requestCount: noise });
  });
  return stats;
});

function specOf(index: number): DeciderSpec {
  return {
    target: 10,
    capacity: 14,
    targetBurstCapacity: 211,
    panicThreshold: 2,
    stableWindowMs: index % 2 === 0 ? 20_000 : 6_000,
    maxScaleUpRate: 10,
    maxScaleDownRate: 2,
    activationScale: index % 7 === 0 ? 3 : 0,
    reachable: true,
    isRps: index % 6 === 5,
    initialScale: 1,
    scaleDownDelayMs: index % 4 === 3 ? 10_000 : 0,
  };
}

const LABELS = { 'serving.knative.dev/configuration': 'c', 'serving.knative.dev/revision': 'r' };

function metricOf(key: string, index: number): Metric {
  const [namespace = '', name = ''] = key.split('/');
  return {
    apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
    kind: 'Metric',
    metadata: { namespace, name, labels: LABELS },
    spec: {
      stableWindow: specOf(index).stableWindowMs * 1e6,
      panicWindow: 6_000 * 1e6,
      scrapeTarget: '',
    },
  };
}

/** An autoscaler without API: windows, decisions, and pods that follow them a second later. */
class Member {
  readonly store = new MetricStore();
  readonly deciders: Deciders;
  readonly collector: Collector;
  readonly source: ReplicaSource;

  constructor(clock: FakeClock, pods: Map<string, number>, pool: DecisionPool | null) {
    this.source = new ReplicaSource(this.store, () => 'bucket', clock);
    this.deciders = new Deciders({
      store: this.store,
      clock,
      logger: silentLogger,
      readyPods: (key) => pods.get(key) ?? 1,
      pool,
      maxInlineDecisions: pool === null ? Number.MAX_SAFE_INTEGER : 0,
      onDecided: (row) => this.source.decided(row),
    });
    this.collector = new Collector({
      store: this.store,
      clock,
      scrape: () => Promise.reject(new Error('nothing is scraped here')),
    });
  }

  takeUp(): void {
    REVISIONS.forEach((key, index) => {
      this.deciders.ensure(key, specOf(index), LABELS);
      this.collector.ensure(metricOf(key, index));
    });
  }

  async settle(): Promise<void> {
    const isBusy = (): boolean => [...this.deciders.all()].some(({ task }) => task?.isRunning);
    do await new Promise((resolve) => setImmediate(resolve));
    while (isBusy());
  }
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

interface Way {
  threads: number;
  /** Second at which another autoscaler takes over; absent = never. */
  changeAt?: number;
}

/** What was decided, one line per revision and second. */
async function replay({ threads, changeAt }: Way): Promise<string[]> {
  const clock = new FakeClock(START_MS);
  const pods = new Map<string, number>();
  const pool = threads === 0 ? null : createDecisionPool(threads, worker.href);
  cleanups.push(() => pool?.close());
  let leader = new Member(clock, pods, pool);
  leader.takeUp();
  const follower = new Member(clock, pods, pool);
  const mirror = new ReplicaMirror(follower.store);
  leader.source.subscribe('bucket', {
    send: (frame) => mirror.apply(frame),
    backlog: () => 0,
    close: () => undefined,
  });
  const lines: string[] = [];
  for (let second = 0; second < SECONDS; second += 1) {
    if (second === changeAt) {
      leader.source.flush();
      expect(mirror.isComplete).toBe(true);
      leader.deciders.stop();
      leader.collector.stop();
      follower.takeUp();
      mirror.release();
      leader = follower;
    }
    for (const [key, stat] of RECORDING[second]!) leader.collector.record(key, stat);
    clock.advance(1000);
    await leader.settle();
    for (const { key, recommendation, row } of leader.deciders.all()) {
      const state = readState(row.slab.cells, row.at);
      lines.push(`${second} ${key} ${recommendation} ${JSON.stringify(state)}`);
      pods.set(key, Math.max(1, recommendation));
      leader.deciders.podsChanged(key);
    }
  }
  return lines;
}

describe('a replayed minute of stats', () => {
  it('is decided the same after a leader change in the middle', async () => {
    const alone = await replay({ threads: 0 });
    expect(await replay({ threads: 0, changeAt: 30 })).toEqual(alone);
    // The recording would prove nothing if it never left the ordinary.
    const recommendations = new Set(alone.map((line) => line.split(' ')[2]));
    expect(recommendations.size).toBeGreaterThan(20);
    expect(alone.some((line) => line.includes('"panicSinceMs":17'))).toBe(true);
    expect(alone.some((line) => line.includes('"panicSinceMs":null'))).toBe(true);
  });

  it
    .skipIf(!existsSync(worker))
    .each([{ threads: 1 }, { threads: 4 }, { threads: 4, changeAt: 30 }])(
    'AS-191: is decided the same by $threads workers, change at $changeAt',
    async (way) => {
      const alone = await replay({ threads: 0 });
      expect(await replay(way)).toEqual(alone);
    },
  );
});
