// Does standalone give the number of pods that the formulas give? Real loads against the real
// program, read through what the autoscaler says of its decisions: pods under steady load (AS-103,
// AS-43 to AS-45), entry into panic after a spike (AS-107, AS-108), nothing taken away while it
// lasts (AS-111), back to exactly zero after it (AS-134), and class HPA on CPU (AS-157).

import type { DecisionsDocument } from '../../src/api/decisions.ts';
import { KnativeService } from '../../src/api/kinds.ts';
import { readDecisions } from '../../src/cli/autoscaler-view.ts';
import {
  condition,
  exampleService,
  type Pilotlight,
  startPilotlight,
  until,
} from '../../test/support/pilotlight.ts';
import type { TortureOptions, TortureRow, TortureScenario } from './scenario.ts';

const P = 'autoscaling.knative.dev/';
/** One second until the load is reported, one tick of two seconds. */
const MAX_PANIC_ENTRY_MS = 3000;
const READY_LIMIT_MS = 60_000;
const ZERO_LIMIT_MS = 90_000;
/** Two periods of the HPA controller until two readings of the CPU are there, and one to spare. */
const HPA_LIMIT_MS = 60_000;
/** Busy for 40 ms of every 100. */
const BURN = `
require('node:http').createServer((q, r) => r.end('ok')).listen(process.env.PORT);
setInterval(() => { const end = Date.now() + 40; while (Date.now() < end); }, 100);`;

interface Load {
  path: string;
  connections: number;
  seconds: number;
}

export const scale: TortureScenario = { name: 'scale', run };

async function run(options: TortureOptions): Promise<readonly TortureRow[]> {
  const pilotlight = await startPilotlight();
  try {
    const seconds = options.seconds ?? (options.brief ? 16 : 30);
    options.say('a spike of 10 x, 50 concurrent at target 10, all of it used');
    const rows = await spike(pilotlight, seconds, options.brief);
    if (options.brief) return rows;
    for (const [utilization, expected] of [
      [70, 3],
      [100, 2],
    ] as const) {
      options.say(`350 a second of 500 ms at target 100, ${utilization} % of it used`);
      rows.push(await rate(pilotlight, utilization, expected, seconds));
    }
    options.say('class HPA on the CPU of a process');
    rows.push(await cpu(pilotlight));
    return rows;
  } finally {
    await pilotlight[Symbol.asyncDispose]();
  }
}

/** A brief run may share its processors with other tests: how soon it panics is then not judged. */
async function spike(
  pilotlight: Pilotlight,
  seconds: number,
  isBrief: boolean,
): Promise<TortureRow[]> {
  const name = 'spike';
  await deploy(pilotlight, name, 'sleep', {
    [`${P}target`]: '10',
    [`${P}target-utilization-percentage`]: '100',
    // Of 6 s: a panic window of one second reads 0 until that second's report is in (AS-83).
    [`${P}panic-window-percentage`]: '50',
  });
  const calm = await watchUnder(pilotlight, name, { path: '/?ms=500', connections: 5, seconds: 8 });
  const startedMs = Date.now();
  const load = { path: '/?ms=500', connections: 50, seconds };
  const { seen, failures, pods } = await watchUnder(pilotlight, name, load);
  const since = seen.map(({ panic }) => panic.since).find((time) => time !== null) ?? null;
  const entryMs = since === null ? null : Date.parse(since) - startedMs;
  const panicking = seen.filter(({ panic }) => panic.since !== null);
  const drops = panicking.filter(
    ({ recommendation }, index) => recommendation < (panicking[index - 1]?.recommendation ?? 0),
  ).length;
  await until('zero pods', async () => (await pilotlight.pods(name)).length === 0, ZERO_LIMIT_MS);
  const last = await readDecisions(pilotlight.client, 'default', `${name}-00001`);
  await remove(pilotlight, name);
  return [
    { name: 'calm', ok: calm.pods === 1 && calm.failures === 0, pods: calm.pods },
    { name: 'concurrency', ok: pods === 5 && failures === 0, pods, expected: 5, failures },
    {
      name: 'panic-entry',
      ok: entryMs !== null && (isBrief || entryMs <= MAX_PANIC_ENTRY_MS),
      entryMs,
    },
    { name: 'panic-holds', ok: panicking.length > 0 && drops === 0, drops },
    { name: 'zero', ok: last?.recommendation === 0, wanted: last?.recommendation ?? null },
  ];
}

async function rate(
  pilotlight: Pilotlight,
  utilization: number,
  expected: number,
  seconds: number,
): Promise<TortureRow> {
  const name = `rate-${utilization}`;
  await deploy(pilotlight, name, 'sleep', {
    [`${P}target`]: '100',
    [`${P}target-utilization-percentage`]: String(utilization),
  });
  // 175 that each ask again as soon as they are answered: 350 a second, and no pacing to trust.
  const load = { path: '/?ms=500', connections: 175, seconds };
  const { seen, pods, failures, perSecond } = await watchUnder(pilotlight, name, load);
  await remove(pilotlight, name);
  const concurrency = seen.at(-1)?.decisions[0]?.stable ?? null;
  const ok = pods === expected && failures === 0;
  return { name, ok, pods, expected, failures, perSecond, concurrency };
}

async function cpu(pilotlight: Pilotlight): Promise<TortureRow> {
  const name = 'burner';
  const annotations = {
    [`${P}class`]: 'hpa.autoscaling.knative.dev',
    [`${P}metric`]: 'cpu',
    [`${P}target`]: '10',
    [`${P}max-scale`]: '3',
  };
  const burn = [process.execPath, '-e', BURN];
  await deploy(pilotlight, name, 'hello', annotations, burn);
  const startedMs = Date.now();
  const count = async (): Promise<boolean> => (await pilotlight.pods(name)).length === 3;
  const ok = await until('three pods', count, HPA_LIMIT_MS).catch(() => false);
  const pods = (await pilotlight.pods(name)).length;
  await remove(pilotlight, name);
  return { name: 'cpu', ok, pods, expected: 3, scaledAfterMs: Date.now() - startedMs };
}

/** Runs a load; `pods` is what the autoscaler wanted for most of its last quarter. */
async function watchUnder(
  pilotlight: Pilotlight,
  name: string,
  load: Load,
): Promise<{ seen: DecisionsDocument[]; pods: number; failures: number; perSecond: number }> {
  const seen: DecisionsDocument[] = [];
  let isDone = false;
  const running = pilotlight.load({ host: `${name}.default.localhost`, ...load });
  const watching = until(
    'the load to end',
    async () => {
      const document = await readDecisions(pilotlight.client, 'default', `${name}-00001`);
      if (document !== null) seen.push(document);
      return isDone;
    },
    (load.seconds + 60) * 1000,
  );
  const result = await running;
  isDone = true;
  await watching;
  const last = seen
    .slice(Math.floor(seen.length * 0.75))
    .map(({ pods }) => pods.ready)
    .sort((a, b) => a - b);
  const failures = result.non2xx + result.errors + result.timeouts;
  const perSecond = Math.round(result['2xx'] / result.duration);
  return { seen, pods: last[Math.floor(last.length / 2)] ?? 0, failures, perSecond };
}

async function deploy(
  pilotlight: Pilotlight,
  name: string,
  example: 'hello' | 'sleep',
  annotations: Record<string, string>,
  command?: string[],
): Promise<void> {
  const template = { annotations, ...(command === undefined ? {} : { command }) };
  await pilotlight.client.create(KnativeService, exampleService(name, example, template));
  const key = { namespace: 'default', name };
  await until(
    `${name} to be Ready`,
    async () =>
      condition(await pilotlight.client.get(KnativeService, key), 'Ready').status === 'True',
    READY_LIMIT_MS,
    () => pilotlight.tail(),
  );
}

async function remove(pilotlight: Pilotlight, name: string): Promise<void> {
  await pilotlight.client.delete(KnativeService, { namespace: 'default', name });
  const isGone = async (): Promise<boolean> => (await pilotlight.pods(name)).length === 0;
  await until(`pods of ${name} to go`, isGone, ZERO_LIMIT_MS);
}
