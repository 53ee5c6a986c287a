// What a request on HTTP/2 without TLS costs in the sidecar: CPU of the whole proxy process per
// request, in front of an application that speaks h2c, too. The same sidecar on HTTP/1.1 takes turns
// with it and is the measure beside the absolute numbers; peers are given with `--peer name=url,pid`
// and find the application on H2C_PEER_APP_PORT.

import { join } from 'node:path';
import { LoadGenerator } from './support/load.ts';
import type { LoadOrder } from './support/load-worker.ts';
import {
  BUILD,
  cpuUs,
  end,
  freePort,
  LOAD_CORE,
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

export interface H2cBenchOptions {
  tiny: boolean;
  json: boolean;
  peers: readonly Peer[];
  /** The first one is dropped; null = as many as the bench finds right. */
  rounds: number | null;
}

export interface H2cRow {
  name: string;
  bodyBytes: number;
  cpuUsPerRequest: number;
  /** To our sidecar on HTTP/1.1. */
  ratioToHttp1: number;
  ratioSpread: string;
  rps: number;
  /** Share of one core the load generator used. */
  loadBusy: number;
  errors: number;
}

interface Contender {
  readonly target: Target;
  readonly load: LoadGenerator;
  readonly cpuUs: number[];
  readonly rps: number[];
  readonly loadBusy: number[];
  errors: number;
}

const ROUNDS = 11;
const ROUND_MS = 1_500;
/** Ends with its requests, however slow the machine. */
const TINY = { rounds: 2, roundMs: 20_000, maxRequests: 100 };
const BODY_BYTES = 1_024;
const CONNECTIONS = 64;
const REQUEST_HEADERS = 12;
const H2C_PEER_APP_PORT = 18_081;

export async function run(options: H2cBenchOptions): Promise<H2cRow[]> {
  const rounds = Math.max(2, options.rounds ?? (options.tiny ? TINY.rounds : ROUNDS));
  const roundMs = options.tiny ? TINY.roundMs : ROUND_MS;
  const maxRequests = options.tiny ? TINY.maxRequests : Number.MAX_SAFE_INTEGER;
  const closers: (() => Promise<void>)[] = [];
  try {
    const contenders = await startAll(options.peers, closers);
    for (let number = 0; number < rounds; number += 1) {
      const turns = number % 2 === 0 ? contenders : contenders.toReversed();
      // The first round warms up connections and compilers.
      for (const one of turns) await measure(one, { roundMs, maxRequests }, number > 0);
      if (!options.json) console.error(`round ${number + 1} of ${rounds}`);
    }
    return contenders.map((one) => makeRow(one, contenders[0]!));
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/** HTTP/1.1 first. */
async function startAll(
  peers: readonly Peer[],
  closers: (() => Promise<void>)[],
): Promise<Contender[]> {
  const http1 = new LoadGenerator();
  const h2c = new LoadGenerator('h2c-load-worker.js');
  closers.push(
    () => http1.close(),
    () => h2c.close(),
  );
  const plainPort = await startApp('app.js', await freePort(), closers);
  const isForPeers = peers.length > 0;
  const h2cPort = isForPeers ? H2C_PEER_APP_PORT : await freePort();
  await startApp('h2c-app.js', h2cPort, closers);
  const ours = await oursTarget(plainPort, sidecarVariant('net', 0));
  const oursH2c = await oursTarget(h2cPort, { ...sidecarVariant('net', 0), name: 'ours-net-h2c' });
  if (ours === null || oursH2c === null) throw new Error('our sidecar does not start');
  closers.push(
    () => ours.close(),
    () => oursH2c.close(),
  );
  const contender = (target: Target, load: LoadGenerator): Contender => {
    return { target, load, cpuUs: [], rps: [], loadBusy: [], errors: 0 };
  };
  return [
    contender(ours, http1),
    contender(oursH2c, h2c),
    ...peers.map((peer) => contender(peerTarget(peer), h2c)),
  ];
}

async function startApp(
  script: string,
  port: number,
  closers: (() => Promise<void>)[],
): Promise<number> {
  const entry = join(BUILD, 'bench', 'support', script);
  const app = spawnPinned(process.execPath, [entry, String(port)], { core: LOAD_CORE });
  closers.push(() => end(app));
  await untilListening(port);
  return port;
}

async function measure(
  one: Contender,
  { roundMs, maxRequests }: { roundMs: number; maxRequests: number },
  counts: boolean,
): Promise<void> {
  const { target, load } = one;
  const pid = target.pid!;
  const order: LoadOrder = {
    host: target.host,
    port: target.port,
    path: `/${BODY_BYTES}`,
    headerCount: REQUEST_HEADERS,
    connections: CONNECTIONS,
    durationMs: roundMs,
    maxRequests,
    rate: 0,
  };
  const before = cpuUs(pid);
  const result = await load.run(order);
  const usedUs = cpuUs(pid) - before;
  if (!counts) return;
  one.cpuUs.push(usedUs / Math.max(1, result.requests));
  one.rps.push((result.requests / result.elapsedMs) * 1_000);
  one.loadBusy.push(result.busy);
  one.errors += result.errors;
}

function makeRow(
  { target, cpuUs: us, rps, loadBusy, errors }: Contender,
  http1: Contender,
): H2cRow {
  const ratios = us.map((value, index) => value / http1.cpuUs[index]!);
  return {
    name: target.name,
    bodyBytes: BODY_BYTES,
    cpuUsPerRequest: round(median(us)),
    ratioToHttp1: round(median(ratios)),
    ratioSpread: spread(ratios),
    rps: Math.round(median(rps)),
    loadBusy: round(median(loadBusy)),
    errors,
  };
}
