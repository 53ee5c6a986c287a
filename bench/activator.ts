// What a request costs in the activator, compared with the queue-proxy in front of the same app
// (decision 0009): CPU of the whole process per request, taken in turns in many short rounds after
// one that only warms up; ratios within a round, their median and spread. One more row says what an
// activator weighs that knows many revisions.

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
  PROXY_CORE,
  spawnPinned,
  untilListening,
} from './support/processes.ts';
import {
  oursTarget,
  type Peer,
  peerTarget,
  sidecarVariant,
  type Target,
} from './support/proxies.ts';
import { median, round, spread } from './support/stats.ts';

export interface ActivatorBenchOptions {
  /** A run of seconds that proves the bench works, not a measurement. */
  tiny: boolean;
  /** Progress goes to stderr; `json` silences it. */
  json: boolean;
  peers: readonly Peer[];
}

export interface ActivatorRow {
  name: string;
  containerConcurrency: number;
  bodyBytes: number;
  cpuUsPerRequest: number;
  /** To the queue-proxy without a limit; null for the queue-proxy itself. */
  ratioToQueueProxy: number | null;
  ratioSpread: string | null;
  rps: number;
  p50Ms: number;
  p99Ms: number;
  rssMb: number;
  errors: number;
}

/** What many revisions weigh, their Endpoints and the API in memory included. */
export interface ActivatorMemoryRow {
  name: string;
  revisions: number;
  podsPerRevision: number;
  rssMb: number;
  privateDirtyMb: number;
  errors: number;
}

/** Many short rounds: what else the machine does changes from second to second. */
const FULL = { warmUpMs: 2000, rounds: 30, roundMs: 500, latencyMs: 4000, revisions: 1000 };
const TINY = { warmUpMs: 80, rounds: 2, roundMs: 80, latencyMs: 150, revisions: 20 };
const BODY_BYTES = 1024;
const CONNECTIONS = 64;
const REQUEST_HEADERS = 12;
/** Requests per second for latency: about a quarter of what one core can do. */
const RATE = 3000;
const ROUTING_HEADERS = [
  'Knative-Serving-Namespace: default',
  'Knative-Serving-Revision: hello-00001',
];
const CONCURRENCIES = [0, 100] as const;
const BASELINE = 'queue-proxy';

interface Samples {
  cpuUs: number[];
  rps: number[];
  errors: number;
}

export async function run(
  options: ActivatorBenchOptions,
): Promise<(ActivatorRow | ActivatorMemoryRow)[]> {
  const plan = options.tiny ? TINY : FULL;
  const appPort = await freePort();
  const appEntry = join(BUILD, 'bench', 'support', 'app.js');
  const app = spawnPinned(process.execPath, [appEntry, String(appPort)], { core: LOAD_CORE });
  const load = new LoadGenerator();
  const targets: Target[] = [];
  try {
    await untilListening(appPort);
    const baseline = await oursTarget(appPort, sidecarVariant('net', 0));
    if (baseline === null) throw new Error('the queue-proxy does not start');
    targets.push({ ...baseline, name: BASELINE });
    for (const concurrency of CONCURRENCIES) {
      targets.push(await activatorTarget(appPort, concurrency));
    }
    targets.push(...options.peers.map(peerTarget));
    const samples = new Map(targets.map(({ name }) => [name, newSamples()]));
    for (const target of targets) await measure(load, target, plan.warmUpMs);
    for (let number = 0; number < plan.rounds; number += 1) {
      // In alternating directions, so that nobody always follows the same neighbour.
      const turns = number % 2 === 0 ? targets : targets.toReversed();
      for (const target of turns) {
        addSample(samples.get(target.name)!, await measure(load, target, plan.roundMs));
      }
      if (!options.json) console.error(`round ${number + 1} of ${plan.rounds}`);
    }
    const rows: (ActivatorRow | ActivatorMemoryRow)[] = [];
    for (const target of targets) rows.push(await makeRow(load, target, samples, plan.latencyMs));
    rows.push(await measureMemory(load, appPort, plan));
    return rows;
  } finally {
    await load.close();
    await Promise.all(targets.map((target) => target.close()));
    await end(app);
  }
}

const PODS_PER_REVISION = 10;

async function activatorTarget(
  appPort: number,
  containerConcurrency: number,
  otherRevisions = 0,
): Promise<Target> {
  const port = await freePort();
  const entry = join(BUILD, 'bench', 'support', 'activator-host.js');
  const numbers = [port, appPort, containerConcurrency, otherRevisions, PODS_PER_REVISION];
  const child = spawnPinned(process.execPath, [entry, ...numbers.map(String)], {
    core: PROXY_CORE,
  });
  await untilListening(port);
  return {
    name: `activator-cc${containerConcurrency}`,
    engine: 'net',
    containerConcurrency,
    host: '127.0.0.1',
    port,
    pid: child.pid!,
    close: () => end(child),
  };
}

/** In service for a moment, then weighed. */
async function measureMemory(
  load: LoadGenerator,
  appPort: number,
  { revisions, latencyMs }: { revisions: number; latencyMs: number },
): Promise<ActivatorMemoryRow> {
  const target = await activatorTarget(appPort, 100, revisions);
  try {
    const { errors } = await load.run(order(target, latencyMs, RATE));
    const { rssMb, privateDirtyMb } = memoryMb(target.pid!);
    return {
      name: 'activator-memory',
      revisions,
      podsPerRevision: PODS_PER_REVISION,
      rssMb: round(rssMb, 1),
      privateDirtyMb: round(privateDirtyMb, 1),
      errors,
    };
  } finally {
    await target.close();
  }
}

const newSamples = (): Samples => ({ cpuUs: [], rps: [], errors: 0 });

function order(target: Target, durationMs: number, rate: number): LoadOrder {
  return {
    host: target.host,
    port: target.port,
    path: `/${BODY_BYTES}`,
    headerCount: REQUEST_HEADERS,
    extraHeaders: ROUTING_HEADERS,
    connections: CONNECTIONS,
    durationMs,
    maxRequests: Number.MAX_SAFE_INTEGER,
    rate,
  };
}

async function measure(
  load: LoadGenerator,
  target: Target,
  roundMs: number,
): Promise<{ cpuUs: number; rps: number; errors: number }> {
  const before = cpuUs(target.pid!);
  const result = await load.run(order(target, roundMs, 0));
  return {
    cpuUs: (cpuUs(target.pid!) - before) / Math.max(1, result.requests),
    rps: (result.requests / result.elapsedMs) * 1000,
    errors: result.errors,
  };
}

function addSample(samples: Samples, sample: Awaited<ReturnType<typeof measure>>): void {
  samples.cpuUs.push(sample.cpuUs);
  samples.rps.push(sample.rps);
  samples.errors += sample.errors;
}

async function makeRow(
  load: LoadGenerator,
  target: Target,
  samples: ReadonlyMap<string, Samples>,
  latencyMs: number,
): Promise<ActivatorRow> {
  const own = samples.get(target.name)!;
  const baseline = samples.get(BASELINE)!;
  const ratios = own.cpuUs.map((us, index) => us / baseline.cpuUs[index]!);
  const isBaseline = target.name === BASELINE;
  const latency = await load.run(order(target, latencyMs, RATE));
  return {
    name: target.name,
    containerConcurrency: target.containerConcurrency,
    bodyBytes: BODY_BYTES,
    cpuUsPerRequest: round(median(own.cpuUs)),
    ratioToQueueProxy: isBaseline ? null : round(median(ratios)),
    ratioSpread: isBaseline ? null : spread(ratios),
    rps: Math.round(median(own.rps)),
    p50Ms: round(latency.p50Ms, 3),
    p99Ms: round(latency.p99Ms, 3),
    rssMb: round(memoryMb(target.pid!).rssMb, 1),
    errors: own.errors + latency.errors,
  };
}
