// What a request costs in the sidecar, compared with nginx in front of the same app (decision 0009):
// CPU of the whole proxy process per request, latency at a fixed rate, memory, and how long it takes
// to listen. The machine is noisy, so targets take turns in many short rounds; the first round is
// dropped, ratios are taken within a round, and their median and spread are what counts.

import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { judge, type Verdict } from './support/budgets.ts';
import { LoadGenerator } from './support/load.ts';
import type { LoadOrder } from './support/load-worker.ts';
import { ensureNginx, nginxTarget } from './support/nginx.ts';
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
  oursTarget,
  type Peer,
  peerTarget,
  sidecarVariant,
  type Target,
} from './support/proxies.ts';
import { type Sinks, startSinks } from './support/sinks.ts';
import { measureStart, type StartRow } from './support/start-time.ts';
import { median, round, spread } from './support/stats.ts';

export interface QueueProxyBenchOptions {
  /** A run of seconds that proves the bench works, not a measurement. */
  tiny: boolean;
  /** Progress goes to stderr; `json` silences it. */
  json: boolean;
  peers: readonly Peer[];
  /** The first one is dropped; null = as many as the plan says. */
  rounds?: number | null;
  /** Rows to measure, by name; empty = all. Ratios need `nginx` among them. */
  only?: readonly string[];
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
  /** Share of one core the proxy used while `cpuUsPerRequest` was measured. */
  busy: number | null;
  /** The same for the load generator. */
  loadBusy: number;
  rssIdleMb: number | null;
  privateDirtyIdleMb: number | null;
  /** After 100,000 small requests; for large bodies after 10,000 large ones more. */
  rssMb: number | null;
  privateDirtyMb: number | null;
  errors: number;
}

interface Plan {
  rounds: number;
  roundMs: number;
  latencyMs: number;
  /** By body size. */
  memoryRequests: Readonly<Record<number, number>>;
  starts: number;
}

const SMALL = 1024;
const LARGE = 100 * 1024;

/** One kind of load; `suffix` goes behind the name of a target in the row of it. */
interface Load {
  readonly suffix: string;
  readonly bodyBytes: number;
  readonly isVaried: boolean;
}

const LOADS: readonly Load[] = [
  { suffix: '', bodyBytes: SMALL, isVaried: false },
  { suffix: '', bodyBytes: LARGE, isVaried: false },
  { suffix: '-varied', bodyBytes: SMALL, isVaried: true },
];
/** Who is measured with varied heads too: heads that repeat are cheaper for us (decision 0027). */
const VARIED_TARGETS: readonly string[] = ['nginx', 'ours-net-cc0'];
const FULL: Plan = {
  rounds: 11,
  roundMs: 1500,
  latencyMs: 5000,
  memoryRequests: { [SMALL]: 100_000, [LARGE]: 10_000 },
  starts: 16,
};
const TINY: Plan = {
  rounds: 2,
  roundMs: 400,
  latencyMs: 150,
  memoryRequests: { [SMALL]: 300, [LARGE]: 30 },
  starts: 2,
};

/** Requests per second for latency: about a quarter of what one core can do. */
const RATES: Readonly<Record<number, number>> = { [SMALL]: 3000, [LARGE]: 800 };
const CONNECTIONS = 64;
const REQUEST_HEADERS = 12;
/** Where the app listens when peers, configured beforehand, have to find it. */
const PEER_APP_PORT = 18_080;

type Memory = ReturnType<typeof memoryMb>;
type Row = QueueProxyRow | StartRow;

/** Of one target with one body size; the lists have an entry per counted round. */
interface Samples {
  cpuUs: number[];
  rps: number[];
  busy: number[];
  loadBusy: number[];
  errors: number;
  idle: Memory | null;
  loaded: Memory | null;
}

/** What all measurements share. */
interface Bench {
  readonly load: LoadGenerator;
  readonly plan: Plan;
  readonly say: (line: string) => void;
  readonly samples: Map<string, Samples>;
}

export async function run(options: QueueProxyBenchOptions): Promise<Row[]> {
  const full = options.tiny ? TINY : FULL;
  const plan = { ...full, rounds: Math.max(2, options.rounds ?? full.rounds) };
  const say = options.json ? () => undefined : (line: string) => console.error(line);
  const appPort = options.peers.length > 0 ? PEER_APP_PORT : await freePort();
  const app = startApp(appPort);
  const bench: Bench = { load: new LoadGenerator(), plan, say, samples: new Map() };
  const sinks = await startSinks();
  const targets: Target[] = [];
  try {
    await untilListening(appPort);
    await startTargets(targets, appPort, options, sinks, say);
    await measureMemory(bench, targets);
    await measureCpu(bench, targets);
    const rows: Row[] = [];
    for (const load of LOADS) {
      for (const target of targets) {
        if (isLoaded(target, load)) rows.push(await makeRow(bench, target, load));
      }
    }
    if (isWanted(options, 'exec-to-listening')) rows.push(await measureStart(appPort, plan.starts));
    return rows;
  } finally {
    await bench.load.close();
    await Promise.all(targets.map((target) => target.close()));
    await sinks?.close();
    await end(app);
  }
}

/** For people: each budget, met or not. */
export function verdicts(rows: readonly object[]): readonly Verdict[] {
  return judge(rows as readonly Row[]);
}

function startApp(port: number): ChildProcess {
  const entry = join(BUILD, 'bench', 'support', 'app.js');
  return spawnPinned(process.execPath, [entry, String(port)], { core: LOAD_CORE });
}

function isWanted({ only = [] }: QueueProxyBenchOptions, name: string): boolean {
  return only.length === 0 || only.includes(name);
}

/** Fills `targets` as they start, so that the caller can close those there are. */
async function startTargets(
  targets: Target[],
  appPort: number,
  options: QueueProxyBenchOptions,
  sinks: Sinks | null,
  say: (line: string) => void,
): Promise<void> {
  if (isWanted(options, 'direct')) targets.push(directTarget(appPort));
  // The tiny run is part of the tests, which install nothing.
  if (isWanted(options, 'nginx') && ensureNginx(say, { mayInstall: !options.tiny })) {
    targets.push(await nginxTarget(appPort));
  }
  const variants = [
    ...(['net', 'uws'] as const).flatMap((engine) =>
      [0, 100].map((concurrency) => sidecarVariant(engine, concurrency)),
    ),
    ...(sinks === null ? [] : [sidecarVariant('net', 0, sinks)]),
  ];
  if (sinks === null) say('no named pipes here: the row with request log and tracing is skipped');
  for (const variant of variants) {
    if (!isWanted(options, variant.name)) continue;
    const target = await oursTarget(appPort, variant);
    if (target === null) say(`${variant.name} does not start here: skipped`);
    else targets.push(target);
  }
  targets.push(...options.peers.map(peerTarget));
}

function isLoaded({ name }: Target, { isVaried }: Load): boolean {
  return !isVaried || VARIED_TARGETS.includes(name);
}

function order(target: Target, load: Load, extra: Partial<LoadOrder>): LoadOrder {
  const { bodyBytes, isVaried } = load;
  return {
    isVaried,
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

function samplesOf({ samples }: Bench, { name }: { name: string }, load: Load): Samples {
  const key = keyOf(name, load);
  let own = samples.get(key);
  if (own === undefined) {
    own = { cpuUs: [], rps: [], busy: [], loadBusy: [], errors: 0, idle: null, loaded: null };
    samples.set(key, own);
  }
  return own;
}

function keyOf(name: string, { suffix, bodyBytes }: Load): string {
  return `${name}${suffix} ${bodyBytes}`;
}

/** First of all, because then our own processes are fresh; peers are as they were given. */
async function measureMemory(bench: Bench, targets: readonly Target[]): Promise<void> {
  for (const target of targets) {
    if (target.pid === null) continue;
    bench.say(`memory of ${target.name}`);
    const idle = memoryMb(target.pid);
    for (const load of LOADS) {
      if (!isLoaded(target, load)) continue;
      const maxRequests = bench.plan.memoryRequests[load.bodyBytes]!;
      const { errors } = await bench.load.run(order(target, load, { maxRequests }));
      const own = samplesOf(bench, target, load);
      own.errors += errors;
      own.idle = idle;
      own.loaded = memoryMb(target.pid);
    }
  }
}

/** Every other round goes the other way round, so that nobody always follows the same neighbour. */
async function measureCpu(bench: Bench, targets: readonly Target[]): Promise<void> {
  const { rounds } = bench.plan;
  for (let number = 0; number < rounds; number += 1) {
    for (const load of LOADS) {
      const turns = number % 2 === 0 ? targets : targets.toReversed();
      // The first round warms up connections and compilers.
      for (const target of turns) {
        if (isLoaded(target, load)) await measureRound(bench, target, load, number > 0);
      }
    }
    bench.say(`round ${number + 1} of ${rounds}`);
  }
}

async function measureRound(
  bench: Bench,
  target: Target,
  load: Load,
  counts: boolean,
): Promise<void> {
  const { pid } = target;
  const before = pid === null ? 0 : cpuUs(pid);
  const result = await bench.load.run(order(target, load, { durationMs: bench.plan.roundMs }));
  const usedUs = pid === null ? 0 : cpuUs(pid) - before;
  if (!counts) return;
  const own = samplesOf(bench, target, load);
  own.cpuUs.push(usedUs / Math.max(1, result.requests));
  own.rps.push((result.requests / result.elapsedMs) * 1000);
  own.busy.push(usedUs / 1000 / result.elapsedMs);
  own.loadBusy.push(result.busy);
  own.errors += result.errors;
}

async function makeRow(bench: Bench, target: Target, load: Load): Promise<QueueProxyRow> {
  const { bodyBytes, suffix } = load;
  const own = samplesOf(bench, target, load);
  const nginx = bench.samples.get(keyOf('nginx', load));
  const ratios = nginx === undefined ? [] : own.cpuUs.map((us, index) => us / nginx.cpuUs[index]!);
  const hasRatio = target.pid !== null && ratios.length > 0;
  const rate = RATES[bodyBytes]!;
  const { latencyMs } = bench.plan;
  const latency = await bench.load.run(order(target, load, { durationMs: latencyMs, rate }));
  const { idle, loaded } = own;
  return {
    name: target.name + suffix,
    engine: target.engine,
    containerConcurrency: target.containerConcurrency,
    bodyBytes,
    cpuUsPerRequest: target.pid === null ? null : round(median(own.cpuUs)),
    ratioToNginx: hasRatio ? round(median(ratios)) : null,
    ratioSpread: hasRatio ? spread(ratios) : null,
    rps: Math.round(median(own.rps)),
    p50Ms: round(latency.p50Ms, 3),
    p99Ms: round(latency.p99Ms, 3),
    busy: target.pid === null ? null : round(median(own.busy)),
    loadBusy: round(median(own.loadBusy)),
    rssIdleMb: idle === null ? null : round(idle.rssMb, 1),
    privateDirtyIdleMb: idle === null ? null : round(idle.privateDirtyMb, 1),
    rssMb: loaded === null ? null : round(loaded.rssMb, 1),
    privateDirtyMb: loaded === null ? null : round(loaded.privateDirtyMb, 1),
    errors: own.errors + latency.errors,
  };
}
