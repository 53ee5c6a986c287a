// What the embedded API server gives: writes per second in both durability modes, how soon a watcher
// hears of a write, what a list of many objects takes, and the memory of each object. The server is a
// process of its own on one core, reached over TLS like in every other use; load runs on the other.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApiHostAddress } from './support/api-host.ts';
import { ApiLoad } from './support/api-load.ts';
import type { Verdict } from './support/budgets.ts';
import { BUILD, cpuUs, end, memoryMb } from './support/processes.ts';
import { median, percentile, round } from './support/stats.ts';

export interface WriteRow {
  name: 'writes-kernel' | 'writes-disk' | 'writes-none';
  clients: number;
  writesPerSecond: number;
  cpuUsPerWrite: number;
  p50Ms: number;
  p99Ms: number;
}

export interface WatchRow {
  name: 'watch-delivery';
  objects: number;
  watchers: number;
  events: number;
  /** From the moment the write is sent until the watcher has the event. */
  deliveryP50Ms: number;
  deliveryP99Ms: number;
  /** From the write's answer; below 0 = the event came first. */
  afterAnswerP99Ms: number;
}

export interface ListRow {
  name: 'list';
  objects: number;
  listMs: number;
  listMb: number;
  rssMb: number;
  heapMb: number;
  heapBytesPerObject: number;
}

export type ApiServerRow = WriteRow | WatchRow | ListRow;

interface Sizes {
  writes: number;
  watchObjects: number;
  watchEvents: number;
  listObjects: number;
  rounds: number;
}

const FULL: Sizes = {
  writes: 8_000,
  watchObjects: 1_000,
  watchEvents: 4_000,
  listObjects: 10_000,
  rounds: 7,
};
const TINY: Sizes = {
  writes: 200,
  watchObjects: 50,
  watchEvents: 50,
  listObjects: 100,
  rounds: 2,
};
const CLIENTS = 16;
const WATCHERS = 10;
/** Time between writes while deliveries are measured. */
const WRITE_PERIOD_MS = 5;
const DELIVERY_BUDGET_MS = 2;
const START_LIMIT_MS = 30_000;

export async function run(options: { tiny: boolean }): Promise<ApiServerRow[]> {
  const sizes = options.tiny ? TINY : FULL;
  const rows: ApiServerRow[] = [];
  for (const durability of ['none', 'kernel', 'disk'] as const) {
    rows.push(await withServer(durability, (server) => measureWrites(server, durability, sizes)));
  }
  rows.push(await withServer('kernel', (server) => measureDelivery(server, sizes)));
  rows.push(await withServer('kernel', (server) => measureList(server, sizes)));
  return rows;
}

export function verdicts(rows: readonly object[]): Verdict[] {
  const row = (rows as readonly ApiServerRow[]).find(({ name }) => name === 'watch-delivery');
  if (row?.name !== 'watch-delivery') return [];
  const measured = row.deliveryP99Ms;
  const verdict = measured <= DELIVERY_BUDGET_MS ? 'met' : 'NOT met';
  const budget = 'watch delivery ms p99 at 1,000 objects';
  return [{ budget, row: row.name, limit: DELIVERY_BUDGET_MS, measured, verdict }];
}

interface Server {
  child: ChildProcess;
  load: ApiLoad;
}

async function withServer<T>(
  durability: 'none' | 'kernel' | 'disk',
  measure: (server: Server) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'pilotlight-bench-api-'));
  const script = join(BUILD, 'bench', 'support', 'api-host.js');
  const directory = durability === 'none' ? '' : folder;
  const child = spawn(process.execPath, ['--expose-gc', script, directory, durability], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  try {
    const limit = AbortSignal.timeout(START_LIMIT_MS);
    const [address] = (await once(child, 'message', { signal: limit })) as [ApiHostAddress];
    const load = new ApiLoad(address);
    const result = await measure({ child, load });
    load.close();
    return result;
  } finally {
    await end(child);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Creates and status patches in turn, one after the other per client. */
async function measureWrites(
  { child, load }: Server,
  durability: 'none' | 'kernel' | 'disk',
  { writes }: Sizes,
): Promise<WriteRow> {
  await writeMany(load, 'warm', Math.ceil(writes / 4));
  const cpuBefore = cpuUs(child.pid!);
  const startMs = performance.now();
  const latencies = await writeMany(load, 'row', writes);
  const seconds = (performance.now() - startMs) / 1000;
  return {
    name: `writes-${durability}`,
    clients: CLIENTS,
    writesPerSecond: Math.round(latencies.length / seconds),
    cpuUsPerWrite: Math.round((cpuUs(child.pid!) - cpuBefore) / latencies.length),
    p50Ms: round(median(latencies)),
    p99Ms: round(percentile(latencies, 99)),
  };
}

async function writeMany(load: ApiLoad, prefix: string, count: number): Promise<number[]> {
  const latencies: number[] = [];
  const timed = async (write: Promise<void>): Promise<void> => {
    const startMs = performance.now();
    await write;
    latencies.push(performance.now() - startMs);
  };
  const client = async (lane: number): Promise<void> => {
    for (let index = 0; index < count / CLIENTS / 2; index += 1) {
      const name = `${prefix}-${lane}-${index}`;
      await timed(load.create(name));
      await timed(load.patchStatus(name, index + 1));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, lane) => client(lane)));
  return latencies;
}

/** One write per period on any of the objects; the first of the watchers is the one measured. */
async function measureDelivery({ load }: Server, sizes: Sizes): Promise<WatchRow> {
  await createMany(load, sizes.watchObjects);
  const arrivals = new Map<number, number>();
  let seen = 0;
  await load.watch((line) => {
    const atMs = performance.now();
    const replicas = /"actualReplicas":(\d+)/.exec(line)?.[1];
    if (replicas === undefined || !line.startsWith('{"type":"MODIFIED"')) return;
    arrivals.set(Number(replicas), atMs);
    seen += 1;
  });
  for (let other = 1; other < WATCHERS; other += 1) await load.watch(() => undefined);
  const sent: number[] = [];
  const answered: number[] = [];
  for (let event = 0; event < sizes.watchEvents; event += 1) {
    sent[event] = performance.now();
    await load.patchStatus(`object-${event % sizes.watchObjects}`, event + 1);
    answered[event] = performance.now();
    await sleep(Math.max(0, WRITE_PERIOD_MS - (answered[event]! - sent[event]!)));
  }
  const startMs = performance.now();
  while (seen < sizes.watchEvents && performance.now() - startMs < START_LIMIT_MS) await sleep(1);
  const since = (from: readonly number[]): number[] =>
    from.map((atMs, event) => arrivals.get(event + 1)! - atMs).slice(sizes.watchEvents >> 3);
  return {
    name: 'watch-delivery',
    objects: sizes.watchObjects,
    watchers: WATCHERS,
    events: seen,
    deliveryP50Ms: round(median(since(sent))),
    deliveryP99Ms: round(percentile(since(sent), 99)),
    afterAnswerP99Ms: round(percentile(since(answered), 99)),
  };
}

async function measureList({ child, load }: Server, sizes: Sizes): Promise<ListRow> {
  const heapBefore = await heapOf(child);
  await createMany(load, sizes.listObjects);
  const heap = await heapOf(child);
  const times: number[] = [];
  let bytes = 0;
  for (let turn = 0; turn < sizes.rounds; turn += 1) {
    const startMs = performance.now();
    bytes = await load.list();
    times.push(performance.now() - startMs);
  }
  return {
    name: 'list',
    objects: sizes.listObjects,
    listMs: round(median(times.slice(1))),
    listMb: round(bytes / 2 ** 20),
    rssMb: round(memoryMb(child.pid!).rssMb, 1),
    heapMb: round(heap / 2 ** 20, 1),
    heapBytesPerObject: Math.round((heap - heapBefore) / sizes.listObjects),
  };
}

async function createMany(load: ApiLoad, count: number): Promise<void> {
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await load.create(`object-${next - 1}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

async function heapOf(child: ChildProcess): Promise<number> {
  child.send('heap');
  const [bytes] = (await once(child, 'message')) as [number];
  return bytes;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
