// A thousand services on one machine: created, Ready at zero pods, each given another revision,
// left alone, deleted. Says of every phase what it cost (time, CPU and memory of each process,
// requests at the API server) and judges: everybody gets Ready without a pod, a thousand idle
// services take less than 5 % of a core, no process watches a kind twice, no object is parsed more
// than three times, deleting leaves no object behind and gives the memory back.

import { KnativeService } from '../../src/api/kinds.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { createInformerFactory } from '../../src/kube/informer.ts';
import type { InformerFactory } from '../../src/kube/types.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { type AnyObject, until } from '../../test/support/pilotlight.ts';
import { cpuSeconds, difference, residentMb, round, total } from './process-usage.ts';
import type { TortureOptions, TortureRow, TortureScenario } from './scenario.ts';
import { readServerPage, requestsBetween, sumUp } from './server-page.ts';
import {
  copiesRow,
  heapRow,
  heaps,
  isAsBefore,
  leftovers,
  memoryBack,
  named,
  objectRow,
  watchRow,
} from './services-rows.ts';
import {
  allowZero,
  forAll,
  isReadyAt,
  NAMESPACE,
  PHASE_LIMIT_MS,
  pause,
  startInspectable,
  UPDATE,
  untilAll,
  untilRest,
  type World,
  zeroService,
} from './services-world.ts';

const SERVICES = 1000;
const BRIEF_SERVICES = 10;
const IDLE_SECONDS = 60;
const BRIEF_IDLE_SECONDS = 2;
/** Counting copies walks the whole heap, and swells it: only where there are few services. */
const MAX_COUNTED = 100;
/** Of one core, all processes together. */
const MAX_IDLE_SHARE = 0.05;

export const services: TortureScenario = { name: 'services', run };

async function run(options: TortureOptions): Promise<readonly TortureRow[]> {
  const count = options.count ?? (options.brief ? BRIEF_SERVICES : SERVICES);
  const names = Array.from({ length: count }, (_unused, index) => `service-${index}`);
  const pilotlight = await startInspectable();
  const { client } = pilotlight;
  const deps = { clock: systemClock, logger: silentLogger, random: Math.random };
  const informers: InformerFactory = createInformerFactory(client, deps);
  try {
    const { lister } = informers.informer<AnyObject>(KnativeService);
    await informers.start();
    await allowZero(pilotlight);
    await untilRest(pilotlight, options);
    const world: World = { pilotlight, names, lister, options, rows: [] };
    await runPhases(world);
    return world.rows;
  } finally {
    await informers.stop();
    await pilotlight[Symbol.asyncDispose]();
  }
}

async function runPhases(world: World): Promise<void> {
  const { pilotlight, names, lister, rows } = world;
  const { client } = pilotlight;
  const empty = await readServerPage(client);
  const emptyHeap = await heaps(pilotlight);
  await phase(world, 'create', async () => {
    await forAll(names, (name) => client.create(KnativeService, zeroService(name)));
    await untilAll(world, 'Ready', (name) => isReadyAt(lister.get(NAMESPACE, name), 1));
  });
  await heapRow(world, 'heap-created', emptyHeap);
  rows.push(objectRow(empty, await readServerPage(client), names.length));
  await phase(world, 'update', async () => {
    await forAll(names, (name) =>
      client.patch(KnativeService, { namespace: NAMESPACE, name }, UPDATE),
    );
    await untilAll(world, 'Ready again', (name) => isReadyAt(lister.get(NAMESPACE, name), 2));
  });
  const fullHeap = await heapRow(world, 'heap-updated', emptyHeap);
  rows.push(await idle(world));
  rows.push(watchRow(await readServerPage(client)));
  if (names.length <= MAX_COUNTED) rows.push(await copiesRow(world));
  await phase(world, 'delete', async () => {
    await forAll(names, (name) => client.delete(KnativeService, { namespace: NAMESPACE, name }));
    await until('nothing to be left', async () => isAsBefore(world, empty), PHASE_LIMIT_MS);
  });
  await heapRow(world, 'heap-deleted', emptyHeap);
  rows.push(leftovers(empty, await readServerPage(client)));
  if (!world.options.brief) rows.push(await memoryBack(world, emptyHeap, fullHeap));
}

/** Runs one phase until the controllers are at rest again, and says what it cost. */
async function phase(world: World, name: string, work: () => Promise<void>): Promise<void> {
  const { pilotlight, names, options, rows } = world;
  const { client, pids } = pilotlight;
  options.say(`${name}: ${names.length} services`);
  const before = await readServerPage(client);
  const cpuBefore = cpuSeconds(pids);
  const startedMs = performance.now();
  await work();
  const seconds = round((performance.now() - startedMs) / 1000, 1);
  await untilRest(pilotlight, options);
  const cpu = difference(cpuSeconds(pids), cpuBefore);
  const after = await readServerPage(client);
  const requests = requestsBetween(before, after);
  for (const [request, count] of requests) {
    const each = (count / names.length).toFixed(2);
    options.say(`${each.padStart(9)}  ${request}`);
  }
  const { writes, reads, refused } = sumUp(requests);
  const pods = requests.filter(([request]) => request.startsWith('POST pods ')).length;
  const each = (value: number): number => round(value / names.length);
  rows.push({
    name,
    ok: pods === 0,
    services: names.length,
    seconds,
    cpuSeconds: total(cpu),
    ...named('cpuSeconds', cpu),
    ...named('rssMb', residentMb(pids)),
    writesPerService: each(writes),
    readsPerService: each(reads),
    refusedPerService: each(refused),
    changesPerService: each(after.revision - before.revision),
    pods,
  });
}

/** Nobody asks anything meanwhile, we neither. */
async function idle(world: World): Promise<TortureRow> {
  const { pilotlight, options } = world;
  const { client, pids } = pilotlight;
  const seconds = options.seconds ?? (options.brief ? BRIEF_IDLE_SECONDS : IDLE_SECONDS);
  options.say(`idle for ${seconds} s`);
  const before = await readServerPage(client);
  const cpuBefore = cpuSeconds(pids);
  const startedMs = performance.now();
  await pause(seconds * 1000);
  const elapsed = (performance.now() - startedMs) / 1000;
  const cpu = difference(cpuSeconds(pids), cpuBefore);
  const requests = requestsBetween(before, await readServerPage(client));
  for (const [request, count] of requests) options.say(`  ${count}  ${request}`);
  const percent = round((100 * total(cpu)) / elapsed);
  return {
    name: 'idle',
    // A brief run shares its processors with other tests, and so does what it measures.
    ok: options.brief || percent < 100 * MAX_IDLE_SHARE,
    seconds: round(elapsed, 1),
    percentOfCore: percent,
    ...named('cpuSeconds', cpu),
    ...named('rssMb', residentMb(pids)),
    requests: sumUp(requests).writes + sumUp(requests).reads,
  };
}
