// How soon a watcher hears of a write. At a fixed, moderate rate: writes leave on a schedule, whether or
// not earlier ones are answered, so a stall of the server is seen by every write that falls into it.
// And with the server saturated, where what is measured is mostly the queue in front of it. The
// watcher that is measured has a process to itself and is the last one the server writes to.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ApiHostAddress } from './api-host.ts';
import type { ApiLoad } from './api-load.ts';
import type { Arrivals } from './api-watcher.ts';
import { BUILD, cpuUs, end } from './processes.ts';
import { machineMs, median, percentile, round } from './stats.ts';

export interface WatchRow {
  name: 'watch-delivery' | 'watch-delivery-saturated';
  objects: number;
  watchers: number;
  events: number;
  writesPerSecond: number;
  /** Of the server's process, which sends every event to all watchers. */
  cpuUsPerWrite: number;
  /** From the moment the write is sent until the watcher has the event. */
  deliveryP50Ms: number;
  deliveryP99Ms: number;
  deliveryP999Ms: number;
  /** From the write's answer; below 0 = the event came first. */
  afterAnswerP99Ms: number;
}

export interface DeliverySizes {
  watchObjects: number;
  watchEvents: number;
}

/** Beside the one that is measured; they share the process of the load. */
const OTHER_WATCHERS = 9;
/** Status writes of a hundred revisions that scale every second. */
const WRITES_PER_SECOND = 100;
const SATURATING_CLIENTS = 16;
const ARRIVAL_LIMIT_MS = 60_000;

export interface DeliveryTarget {
  address: ApiHostAddress;
  load: ApiLoad;
  serverPid: number;
}

/** `watchObjects` objects called `object-<n>` are there. */
export async function measureDelivery(
  target: DeliveryTarget,
  sizes: DeliverySizes,
): Promise<WatchRow[]> {
  for (let other = 0; other < OTHER_WATCHERS; other += 1) await target.load.watch(() => undefined);
  const watcher = await startWatcher(target.address);
  try {
    const run = { watcher, target, sizes };
    await measure('watch-delivery', { ...run, first: 1 }, onSchedule); // warms up
    const second = 1 + sizes.watchEvents;
    const third = second + sizes.watchEvents;
    return [
      await measure('watch-delivery', { ...run, first: second }, onSchedule),
      await measure('watch-delivery-saturated', { ...run, first: third }, saturating),
    ];
  } finally {
    await end(watcher);
  }
}

async function startWatcher(address: ApiHostAddress): Promise<ChildProcess> {
  const script = join(BUILD, 'bench', 'support', 'api-watcher.js');
  const watcher = spawn(process.execPath, [script], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  watcher.send(address);
  await once(watcher, 'message', { signal: AbortSignal.timeout(ARRIVAL_LIMIT_MS) });
  return watcher;
}

interface Run {
  watcher: ChildProcess;
  target: DeliveryTarget;
  sizes: DeliverySizes;
  /** Number of the first event; never used twice, or a write would change nothing. */
  first: number;
}

/** Calls `write` for events 0, 1, … `count - 1`; resolves when all are answered. */
type Drive = (count: number, write: (event: number) => Promise<void>) => Promise<void>;

async function measure(name: WatchRow['name'], run: Run, drive: Drive): Promise<WatchRow> {
  const { watchObjects, watchEvents } = run.sizes;
  const { load, serverPid } = run.target;
  const sentMs: number[] = [];
  const answeredMs: number[] = [];
  const cpuBefore = cpuUs(serverPid);
  const startMs = machineMs();
  await drive(watchEvents, async (event) => {
    sentMs[event] = machineMs();
    await load.patchStatus(`object-${event % watchObjects}`, run.first + event);
    answeredMs[event] = machineMs();
  });
  const seconds = (machineMs() - startMs) / 1000;
  const cpuUsPerWrite = Math.round((cpuUs(serverPid) - cpuBefore) / watchEvents);
  run.watcher.send(watchEvents);
  const limit = AbortSignal.timeout(ARRIVAL_LIMIT_MS);
  const [{ numbers, atMs }] = (await once(run.watcher, 'message', { signal: limit })) as [Arrivals];
  const since = (from: readonly number[]): number[] =>
    numbers.map((number, index) => atMs[index]! - from[number - run.first]!);
  const delivery = since(sentMs);
  return {
    name,
    objects: watchObjects,
    watchers: OTHER_WATCHERS + 1,
    events: numbers.length,
    writesPerSecond: Math.round(watchEvents / seconds),
    cpuUsPerWrite,
    deliveryP50Ms: round(median(delivery)),
    deliveryP99Ms: round(percentile(delivery, 99)),
    deliveryP999Ms: round(percentile(delivery, 99.9)),
    afterAnswerP99Ms: round(percentile(since(answeredMs), 99)),
  };
}

/** At WRITES_PER_SECOND, from the schedule and not from the answers. */
const onSchedule: Drive = async (count, write) => {
  const startMs = machineMs();
  const answers: Promise<void>[] = [];
  while (answers.length < count) {
    const dueMs = startMs + (answers.length * 1000) / WRITES_PER_SECOND;
    const waitMs = dueMs - machineMs();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    answers.push(write(answers.length));
  }
  await Promise.all(answers);
};

/** Each client writes as soon as its last write is answered. */
const saturating: Drive = async (count, write) => {
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await write(next - 1);
    }
  };
  await Promise.all(Array.from({ length: SATURATING_CLIENTS }, client));
};
