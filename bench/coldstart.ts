// What a wake from zero costs over starting the same program by hand. Both are done alternately in
// one run, the same way (spawn, then ask until it answers), with the same parallelism; the overhead
// is the difference of their medians. The control path (first request at the activator until the
// scale is written) is read from the wake lines the program logs.

import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { ConfigMap, KnativeService } from '../src/api/kinds.ts';
import {
  type AnyObject,
  condition,
  exampleService,
  type Pilotlight,
  ROOT,
  request,
  startPilotlight,
  temporaryFolder,
  until,
  wakesIn,
} from '../test/support/pilotlight.ts';

export interface ColdstartOptions {
  tiny: boolean;
}

export interface ColdstartRow {
  name: 'sequential' | 'parallel';
  wakes: number;
  overheadP50Ms: number;
  overheadP95Ms: number;
  controlPathP50Ms: number;
  wakeP50Ms: number;
  byHandP50Ms: number;
}

const APP = join(ROOT, 'examples', 'hello', 'server.js');
const FULL = { services: 60, sequential: 300, parallel: 50 };
const TINY = { services: 3, sequential: 4, parallel: 3 };

/** Runs both scenarios and returns their rows (decision 0009). */
export async function run(options: ColdstartOptions): Promise<ColdstartRow[]> {
  const size = options.tiny ? TINY : FULL;
  const dataDir = temporaryFolder();
  const pilotlight = await startPilotlight({ dataDir });
  try {
    const names = await deploy(pilotlight, size.services);
    const sequential = await measureSequential(pilotlight, names, size.sequential);
    const parallel = await measureParallel(pilotlight, names.slice(0, size.parallel));
    return [sequential, parallel];
  } finally {
    await pilotlight.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function deploy(pilotlight: Pilotlight, count: number): Promise<string[]> {
  await pilotlight.client.patch(
    ConfigMap,
    { namespace: 'knative-serving', name: 'config-autoscaler' },
    { type: 'merge', body: { data: { 'allow-zero-initial-scale': 'true' } } },
  );
  const names = Array.from({ length: count }, (_, index) => `cold-${index}`);
  for (const name of names) {
    const annotations = { 'autoscaling.knative.dev/target-burst-capacity': '-1' };
    await pilotlight.client.create(KnativeService, exampleService(name, 'hello', { annotations }));
    await until(
      `${name} to be Ready`,
      async () =>
        condition(
          await pilotlight.client.get<AnyObject>(KnativeService, { namespace: 'default', name }),
          'Ready',
        ).status === 'True',
      30_000,
      () => pilotlight.tail(),
    );
  }
  return names;
}

async function atZero(pilotlight: Pilotlight, name: string): Promise<void> {
  await until(
    `${name} at zero`,
    async () => (await pilotlight.podsMatching(`serving.knative.dev/service=${name}`)).length === 0,
    60_000,
    () => pilotlight.tail(),
  );
}

async function measureSequential(
  pilotlight: Pilotlight,
  names: string[],
  wakes: number,
): Promise<ColdstartRow> {
  const woken: number[] = [];
  const byHand: number[] = [];
  const firstLine = pilotlight.lines.length;
  for (let index = 0; index < wakes; index += 1) {
    const name = names[index % names.length] ?? '';
    await atZero(pilotlight, name);
    // Whoever comes second runs beside what the first left behind: take turns.
    if (index % 2 === 0) byHand.push(await timeByHand());
    woken.push(await timeWake(pilotlight, name));
    if (index % 2 === 1) byHand.push(await timeByHand());
  }
  return summarise('sequential', woken, byHand, controlPaths(pilotlight, firstLine));
}

async function measureParallel(pilotlight: Pilotlight, names: string[]): Promise<ColdstartRow> {
  const woken: number[] = [];
  const byHand: number[] = [];
  const firstLine = pilotlight.lines.length;
  for (const name of names) await atZero(pilotlight, name);
  woken.push(...(await Promise.all(names.map((name) => timeWake(pilotlight, name)))));
  for (const name of names) await atZero(pilotlight, name);
  byHand.push(...(await Promise.all(names.map(() => timeByHand()))));
  return summarise('parallel', woken, byHand, controlPaths(pilotlight, firstLine));
}

async function timeWake(pilotlight: Pilotlight, name: string): Promise<number> {
  const startMs = performance.now();
  const answer = await pilotlight.get(`${name}.default.localhost`);
  if (answer.status !== 200) throw new Error(`${name} answered ${answer.status}: ${answer.body}`);
  return performance.now() - startMs;
}

/** Spawns the app on a free port, connects until it listens, and asks it once. */
async function timeByHand(): Promise<number> {
  const port = await freePort();
  const startMs = performance.now();
  const child = spawn(process.execPath, [APP], {
    env: { ...podEnvironment(), PORT: String(port) },
    stdio: 'ignore',
  });
  try {
    while (!(await listensOn(port))) await new Promise((resolve) => setTimeout(resolve, 2));
    const answer = await request(port, 'localhost', '/', 5_000);
    if (answer.status !== 200) throw new Error(`the app answered ${answer.status}`);
    return performance.now() - startMs;
  } finally {
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  }
}

/** What a pod sees of our environment; more of it (NODE_OPTIONS, CA bundles) would slow Node down. */
function podEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, USER, LANG, TMPDIR } = process.env;
  return { PATH, HOME, USER, LANG, TMPDIR };
}

function listensOn(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close((error) => (error === undefined ? resolve(port) : reject(error)));
    });
  });
}

function controlPaths(pilotlight: Pilotlight, firstLine: number): number[] {
  return wakesIn(pilotlight.lines.slice(firstLine))
    .map((wake) => (wake.get('scaled') ?? Number.NaN) - (wake.get('queued') ?? Number.NaN))
    .filter((ms) => !Number.isNaN(ms));
}

function summarise(
  name: ColdstartRow['name'],
  woken: number[],
  byHand: number[],
  control: number[],
): ColdstartRow {
  const round = (ms: number) => Math.round(ms * 10) / 10;
  return {
    name,
    wakes: woken.length,
    overheadP50Ms: round(quantile(woken, 0.5) - quantile(byHand, 0.5)),
    overheadP95Ms: round(quantile(woken, 0.95) - quantile(byHand, 0.95)),
    controlPathP50Ms: round(quantile(control, 0.5)),
    wakeP50Ms: round(quantile(woken, 0.5)),
    byHandP50Ms: round(quantile(byHand, 0.5)),
  };
}

function quantile(values: number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
