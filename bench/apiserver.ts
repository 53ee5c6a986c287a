// What the embedded API server gives: writes per second in both durability modes, how soon a watcher
// hears of a write, what a list of many objects takes, and the memory of each object. The server is a
// process of its own, reached over TLS as in every other use; nothing is pinned to a core.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DeliverySizes, measureDelivery, type WatchRow } from './support/api-delivery.ts';
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

interface Sizes extends DeliverySizes {
  writes: number;
  listObjects: number;
  rounds: number;
}

const FULL: Sizes = {
  writes: 8_000,
  watchObjects: 1_000,
  watchEvents: 2_000,
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
const DELIVERY_BUDGET_MS = 2;
const START_LIMIT_MS = 30_000;

/** `only`: names of rows; empty = all. */
export async function run(options: {
  tiny: boolean;
  only?: readonly string[];
}): Promise<ApiServerRow[]> {
  const { only = [] } = options;
  const sizes = options.tiny ? TINY : FULL;
  const isWanted = (name: string): boolean => only.length === 0 || only.includes(name);
  const rows: ApiServerRow[] = [];
  for (const durability of ['none', 'kernel', 'disk'] as const) {
    if (!isWanted(`writes-${durability}`)) continue;
    rows.push(await withServer(durability, (server) => measureWrites(server, durability, sizes)));
  }
  if (isWanted('watch-delivery')) {
    rows.push(...(await withServer('kernel', (server) => deliveryRows(server, sizes))));
  }
  if (isWanted('list')) {
    rows.push(await withServer('kernel', (server) => measureList(server, sizes)));
  }
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
  address: ApiHostAddress;
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
    const result = await measure({ child, address, load });
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

async function deliveryRows({ child, load, address }: Server, sizes: Sizes): Promise<WatchRow[]> {
  await createMany(load, sizes.watchObjects);
  return measureDelivery({ address, load, serverPid: child.pid! }, sizes);
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
