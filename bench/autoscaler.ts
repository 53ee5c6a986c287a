// What a revision costs the autoscaler: the CPU of one decision in a tick, of one pushed stat from
// frame to windows, and its bytes of shared memory. No sockets and no API: those are other benches.
// Ticks run on a clock moved by hand; CPU is that of the whole process, worker threads included.

import assert from 'node:assert/strict';
import type { Metric } from '../src/api/autoscaling.ts';
import { Collector } from '../src/autoscaler/collector.ts';
import { Deciders } from '../src/autoscaler/deciders.ts';
import { createDecisionPool, type DecisionPool } from '../src/autoscaler/decision-pool.ts';
import { MetricStore } from '../src/autoscaler/metric-store.ts';
import { StatIngest } from '../src/autoscaler/stat-ingest.ts';
import { FakeClock } from '../src/clock/fake-clock.ts';
import { silentLogger } from '../src/telemetry/logger.ts';
import { emptyStat, encodeStatMessages } from '../src/wire/stat.ts';
import { median, round } from './support/stats.ts';

interface Row {
  name: string;
  revisions: number;
  /** CPU of deciding one revision, all its share of a tick included. */
  tickUsPerRevision: number;
  statsPerSecond: number;
  /** CPU of one stat: decoded, recorded in four windows, checked for a poke. */
  cpuNsPerStat: number;
  bytesPerRevision: number;
  /** Recommendations added up, so that nothing is optimised away. */
  checksum: number;
}

const FILL_SECONDS = 60;
const BATCH_STATS = 1000;
const LABELS = {
  'serving.knative.dev/configuration': 'bench',
  'serving.knative.dev/revision': 'bench',
};

export async function run(options: { tiny: boolean }): Promise<Row[]> {
  const sizes = options.tiny ? [200] : [1_000, 10_000, 100_000];
  const rounds = options.tiny ? 2 : 7;
  const rows: Row[] = [];
  for (const revisions of sizes) rows.push(await measure('inline', revisions, rounds, null));
  if (options.tiny) return rows;
  const pool = createDecisionPool(2);
  rows.push(await measure('workers', sizes.at(-1)!, rounds, pool));
  await pool.close();
  return rows;
}

async function measure(
  name: string,
  revisions: number,
  rounds: number,
  pool: DecisionPool | null,
): Promise<Row> {
  const world = build(revisions, pool);
  const frames = encodeFrames(revisions);
  world.fill();
  for (let warmUp = 0; warmUp < rounds; warmUp += 1) {
    world.push(frames);
    await tickCpuUs(world);
  }
  const ticks: number[] = [];
  const stats: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    stats.push(cpuUs(() => world.push(frames)));
    ticks.push(await tickCpuUs(world));
  }
  const stat = median(stats) / revisions;
  return {
    name,
    revisions,
    tickUsPerRevision: round(median(ticks) / revisions, 3),
    statsPerSecond: Math.round(1e6 / stat),
    cpuNsPerStat: Math.round(stat * 1000),
    bytesPerRevision: Math.round(world.store.bytes / revisions),
    checksum: world.checksum(),
  };
}

interface World {
  clock: FakeClock;
  store: MetricStore;
  /** A whole stable window of history. */
  fill(): void;
  push(frames: readonly Uint8Array[]): void;
  /** Resolves when no worker is busy; waits without turning the event loop over and over. */
  settle(): Promise<void>;
  checksum(): number;
}

function build(revisions: number, pool: DecisionPool | null): World {
  const clock = new FakeClock();
  const store = new MetricStore();
  const tasks: Promise<unknown>[] = [];
  const watched: DecisionPool | null = pool && {
    run(task) {
      const result = pool.run(task);
      tasks.push(result);
      return result;
    },
    close: () => pool.close(),
  };
  const deciders = new Deciders({
    store,
    clock,
    logger: silentLogger,
    readyPods: () => 1,
    pool: watched,
    ...(pool === null ? { maxInlineDecisions: Number.POSITIVE_INFINITY } : {}),
  });
  const scrape = () => Promise.resolve({ stat: null, failure: null });
  const collector = new Collector({ store, clock, scrape });
  const onOthers = () => assert.fail('a stat of a revision that is not there');
  const ingest = new StatIngest({ collector, deciders, clock, ownership: null, onOthers });
  for (let index = 0; index < revisions; index += 1) {
    collector.ensure(metric(`r${index}`));
    deciders.ensure(`bench/r${index}`, spec(), LABELS);
  }
  return {
    clock,
    store,
    fill() {
      const nowSecond = Math.floor(clock.nowMs() / 1000);
      for (let index = 0; index < revisions; index += 1) {
        const row = store.get(`bench/r${index}`)!;
        for (let ago = FILL_SECONDS; ago > 0; ago -= 1) {
          store.record(row, nowSecond - ago, (index % 300) + 0.5, 10);
        }
      }
    },
    push(frames) {
      for (const frame of frames) ingest.take(frame);
    },
    async settle() {
      await Promise.all(tasks.splice(0));
      await new Promise((resolve) => setImmediate(resolve));
    },
    checksum() {
      let sum = 0;
      for (let index = 0; index < revisions; index += 1) {
        sum += deciders.get(`bench/r${index}`)?.recommendation ?? 0;
      }
      return sum;
    },
  };
}

function metric(name: string): Metric {
  return {
    apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
    kind: 'Metric',
    metadata: { name, namespace: 'bench' },
    spec: { stableWindow: 60e9, panicWindow: 6e9, scrapeTarget: '' },
  };
}

function spec(): Parameters<Deciders['ensure']>[1] {
  return {
    target: 70,
    capacity: 100,
    targetBurstCapacity: 211,
    panicThreshold: 2,
    stableWindowMs: 60_000,
    maxScaleUpRate: 1000,
    maxScaleDownRate: 2,
    activationScale: 0,
    reachable: true,
    isRps: false,
    initialScale: 1,
    scaleDownDelayMs: 0,
  };
}

function encodeFrames(revisions: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let from = 0; from < revisions; from += BATCH_STATS) {
    const count = Math.min(BATCH_STATS, revisions - from);
    const messages = Array.from({ length: count }, (_, index) => ({
      namespace: 'bench',
      name: `r${from + index}`,
      stat: {
        ...emptyStat('activator-0'),
        averageConcurrentRequests: ((from + index) % 300) + 0.5,
        requestCount: 10,
      },
    }));
    frames.push(encodeStatMessages(messages));
  }
  return frames;
}

function cpuUs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const used = process.cpuUsage(before);
  return used.user + used.system;
}

/** One period of the tick: every revision decided once. */
async function tickCpuUs(world: World): Promise<number> {
  const before = process.cpuUsage();
  world.clock.advance(2000);
  await world.settle();
  const used = process.cpuUsage(before);
  return used.user + used.system;
}
