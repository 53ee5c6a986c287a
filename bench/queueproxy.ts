// What a request costs in the sidecar, compared with nginx in front of the same app (decision 0009):
// CPU of the whole proxy process per request, latency at a fixed rate, memory, and how long it takes
// to listen. The machine is noisy, so targets take turns in many short rounds; the first round is
// dropped, ratios are taken within a round, and their median and spread are what counts.

import { type ChildProcess, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { LoadGenerator } from './support/load.ts';
import type { LoadOrder } from './support/load-worker.ts';
import {
  BUILD,
  cpuUs,
  end,
  freePort,
  LOAD_CORE,
  memoryMb,
  spawnPinned,
  untilListening,
} from './support/processes.ts';
import {
  directTarget,
  ensureNginx,
  nginxTarget,
  oursTarget,
  type Peer,
  peerTarget,
  spawnSidecar,
  type Target,
} from './support/proxies.ts';
import { median, round, spread } from './support/stats.ts';

export interface QueueProxyBenchOptions {
  /** A run of seconds that proves the bench works, not a measurement. */
  tiny: boolean;
  /** Progress goes to stderr; `json` silences it. */
  json: boolean;
  peers: readonly Peer[];
}

/** decision 0009; null where a value does not exist for that row. */
export interface QueueProxyRow {
  name: string;
  engine: string;
  containerConcurrency: number;
  bodyBytes: number;
  cpuUsPerRequest: number | null;
  ratioToNginx: number | null;
  ratioSpread: string | null;
  rps: number;
  p50Ms: number;
  p99Ms: number;
  rssMb: number | null;
  privateDirtyMb: number | null;
  errors: number;
}

/** How long the sidecar takes from exec to listening, against a Node that does nothing. */
export interface StartRow {
  name: 'exec-to-listening';
  listeningMs: number;
  bareNodeMs: number;
  ratioToBareNode: number;
  ratioSpread: string;
}

interface Plan {
  rounds: number;
  roundMs: number;
  latencyMs: number;
  memoryRequests: number;
  starts: number;
}

const FULL: Plan = {
  rounds: 10,
  roundMs: 1500,
  latencyMs: 5000,
  memoryRequests: 100_000,
  starts: 12,
};
const TINY: Plan = { rounds: 2, roundMs: 300, latencyMs: 200, memoryRequests: 300, starts: 2 };

const BODIES = [1024, 100 * 1024] as const;
/** Requests per second for latency: about a quarter of what one core can do. */
const RATES: Readonly<Record<number, number>> = { 1024: 3000, [100 * 1024]: 800 };
const CONNECTIONS = 64;
const REQUEST_HEADERS = 12;
/** Where the app listens when peers, configured beforehand, have to find it. */
const PEER_APP_PORT = 18_080;
const CONCURRENCIES = [0, 100] as const;

/** Per target and body: microseconds per request of each round, requests per second, errors. */
interface Samples {
  cpuUs: number[];
  rps: number[];
  errors: number;
}

export async function run(options: QueueProxyBenchOptions): Promise<(QueueProxyRow | StartRow)[]> {
  const plan = options.tiny ? TINY : FULL;
  const say = options.json ? () => undefined : (line: string) => console.error(line);
  const appPort = options.peers.length > 0 ? PEER_APP_PORT : await freePort();
  const app = startApp(appPort);
  const load = new LoadGenerator();
  let targets: Target[] = [];
  try {
    await untilListening(appPort);
    targets = await startTargets(appPort, options, say);
    const samples = await measureCpu(load, targets, plan, say);
    const rows: (QueueProxyRow | StartRow)[] = [];
    for (const bodyBytes of BODIES) {
      for (const target of targets) {
        rows.push(await makeRow(load, target, bodyBytes, samples, plan));
      }
    }
    addMemory(rows, targets, await measureMemory(load, targets, plan));
    rows.push(await measureStart(appPort, plan));
    return rows;
  } finally {
    await load.close();
    await Promise.all(targets.map((target) => target.close()));
    await end(app);
  }
}

function startApp(port: number): ChildProcess {
  const entry = join(BUILD, 'bench', 'support', 'app.js');
  return spawnPinned(process.execPath, [entry, String(port)], { core: LOAD_CORE });
}

async function startTargets(
  appPort: number,
  { tiny, peers }: QueueProxyBenchOptions,
  say: (line: string) => void,
): Promise<Target[]> {
  const targets = [directTarget(appPort)];
  // The tiny run is part of the tests, which install nothing.
  if (ensureNginx(say, { mayInstall: !tiny })) targets.push(await nginxTarget(appPort));
  for (const concurrency of CONCURRENCIES) targets.push(await oursTarget(appPort, concurrency));
  return [...targets, ...peers.map(peerTarget)];
}

function order(target: Target, bodyBytes: number, extra: Partial<LoadOrder>): LoadOrder {
  return {
    host: target.host,
    port: target.port,
    path: `/${bodyBytes}`,
    headerCount: REQUEST_HEADERS,
    connections: CONNECTIONS,
    durationMs: 60_000,
    maxRequests: Number.MAX_SAFE_INTEGER,
    rate: 0,
    ...extra,
  };
}

const keyOf = (target: Target, bodyBytes: number) => `${target.name} ${bodyBytes}`;

async function measureCpu(
  load: LoadGenerator,
  targets: readonly Target[],
  plan: Plan,
  say: (line: string) => void,
): Promise<Map<string, Samples>> {
  const samples = new Map<string, Samples>();
  for (let number = 0; number < plan.rounds; number += 1) {
    for (const bodyBytes of BODIES) {
      for (const target of targets) {
        const before = target.pid === null ? 0 : cpuUs(target.pid);
        const result = await load.run(order(target, bodyBytes, { durationMs: plan.roundMs }));
        const usedUs = target.pid === null ? 0 : cpuUs(target.pid) - before;
        // The first round warms up connections and compilers.
        if (number === 0) continue;
        const key = keyOf(target, bodyBytes);
        const sample = samples.get(key) ?? { cpuUs: [], rps: [], errors: 0 };
        samples.set(key, sample);
        sample.cpuUs.push(usedUs / Math.max(1, result.requests));
        sample.rps.push((result.requests / result.elapsedMs) * 1000);
        sample.errors += result.errors;
      }
    }
    say(`round ${number + 1} of ${plan.rounds}`);
  }
  return samples;
}

async function makeRow(
  load: LoadGenerator,
  target: Target,
  bodyBytes: number,
  samples: Map<string, Samples>,
  plan: Plan,
): Promise<QueueProxyRow> {
  const own = samples.get(keyOf(target, bodyBytes))!;
  const nginx = samples.get(`nginx ${bodyBytes}`);
  const ratios = nginx === undefined ? [] : own.cpuUs.map((us, index) => us / nginx.cpuUs[index]!);
  const hasRatio = target.pid !== null && ratios.length > 0;
  const rate = RATES[bodyBytes]!;
  const latency = await load.run(order(target, bodyBytes, { durationMs: plan.latencyMs, rate }));
  return {
    name: target.name,
    engine: target.engine,
    containerConcurrency: target.containerConcurrency,
    bodyBytes,
    cpuUsPerRequest: target.pid === null ? null : round(median(own.cpuUs)),
    ratioToNginx: hasRatio ? round(median(ratios)) : null,
    ratioSpread: hasRatio ? spread(ratios) : null,
    rps: Math.round(median(own.rps)),
    p50Ms: round(latency.p50Ms, 3),
    p99Ms: round(latency.p99Ms, 3),
    rssMb: null,
    privateDirtyMb: null,
    errors: own.errors + latency.errors,
  };
}

type Memory = Map<string, { rssMb: number; privateDirtyMb: number }>;

/** After that many more small requests through every proxy. */
async function measureMemory(
  load: LoadGenerator,
  targets: readonly Target[],
  plan: Plan,
): Promise<Memory> {
  const memory: Memory = new Map();
  for (const target of targets) {
    if (target.pid === null) continue;
    await load.run(order(target, BODIES[0], { maxRequests: plan.memoryRequests }));
    memory.set(target.name, memoryMb(target.pid));
  }
  return memory;
}

function addMemory(
  rows: readonly (QueueProxyRow | StartRow)[],
  targets: readonly Target[],
  memory: Memory,
): void {
  for (const row of rows) {
    const seen = memory.get(row.name);
    if (seen === undefined || row.name === 'exec-to-listening') continue;
    if (!targets.some(({ name }) => name === row.name)) continue;
    const proxyRow = row as QueueProxyRow;
    proxyRow.rssMb = round(seen.rssMb, 1);
    proxyRow.privateDirtyMb = round(seen.privateDirtyMb, 1);
  }
}

async function measureStart(appPort: number, plan: Plan): Promise<StartRow> {
  const listening: number[] = [];
  const bare: number[] = [];
  for (let start = 0; start < plan.starts; start += 1) {
    const startMs = performance.now();
    spawnSync(process.execPath, ['-e', '0']);
    const bareMs = performance.now() - startMs;
    const { child, port } = await spawnSidecar(appPort, 0);
    const listeningMs = await untilListening(port);
    await end(child);
    if (start === 0) continue;
    bare.push(bareMs);
    listening.push(listeningMs);
  }
  const ratios = listening.map((ms, index) => ms / bare[index]!);
  return {
    name: 'exec-to-listening',
    listeningMs: round(median(listening)),
    bareNodeMs: round(median(bare)),
    ratioToBareNode: round(median(ratios)),
    ratioSpread: spread(ratios),
  };
}
