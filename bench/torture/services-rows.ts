// What the scenario `services` says about the whole after a phase: watches, objects, parsed copies of
// them, living memory, leftovers.

import * as kinds from '../../src/api/kinds.ts';
import { type AnyObject, type Pilotlight, until } from '../../test/support/pilotlight.ts';
import { countCopies, readHeap } from './heap-probe.ts';
import { residentMb, round, type Usage } from './process-usage.ts';
import type { TortureRow } from './scenario.ts';
import { readServerPage, type ServerPage } from './server-page.ts';
import { LOOK_PERIOD_MS, NAMESPACE, pause, type World } from './services-world.ts';

/** Changes stay in the server's history for ten minutes at most. */
const MEMORY_LIMIT_MS = 660_000;
const MEMORY_PERIOD_MS = 30_000;
/** Of what the services had added to the heap; Events stay for an hour. */
const MAX_KEPT_SHARE = 0.25;
/** D8: of an object in all processes. */
const MAX_COPIES = 3;
/** Kinds nobody owns and that go by their age: Events after an hour, Leases with their holder. */
const AGEING = new Set(['events', 'events.events.k8s.io', 'leases.coordination.k8s.io']);

export function named(
  measure: string,
  { root, control, dataPlane, spares }: Usage,
): Record<string, number> {
  const suffix = measure.charAt(0).toUpperCase() + measure.slice(1);
  return {
    [`root${suffix}`]: root,
    [`control${suffix}`]: control,
    [`dataPlane${suffix}`]: dataPlane,
    [`spares${suffix}`]: spares,
  };
}

/** One informer per kind and process: no program of ours watches a kind twice. */
export function watchRow({ watches }: ServerPage): TortureRow {
  const ours = watches.filter(
    ({ client }) => client.startsWith('pilotlight-') && !client.endsWith('test'),
  );
  const twice = ours.filter(({ count }) => count > 1).map(({ resource }) => resource);
  const of = (name: string): number => ours.filter(({ client }) => client === name).length;
  return {
    name: 'watches',
    ok: twice.length === 0 && ours.length > 0,
    controlKinds: of('pilotlight-control'),
    dataPlaneKinds: of('pilotlight-data-plane'),
    twice: twice.join(' '),
  };
}

export function objectRow(empty: ServerPage, full: ServerPage, count: number): TortureRow {
  const made = differences(empty, full).map(([resource, more]) => [resource, round(more / count)]);
  const all = made.reduce((sum, [, more]) => sum + Number(more), 0);
  return { name: 'objects-per-service', ok: true, all: round(all), ...Object.fromEntries(made) };
}

export function differences(before: ServerPage, after: ServerPage): [string, number][] {
  return [...after.objects]
    .map(([name, count]): [string, number] => [name, count - (before.objects.get(name) ?? 0)])
    .filter(([, more]) => more !== 0);
}

export async function isAsBefore({ pilotlight }: World, empty: ServerPage): Promise<boolean> {
  await pause(LOOK_PERIOD_MS);
  const now = await readServerPage(pilotlight.client);
  return differences(empty, now).every(([resource]) => AGEING.has(resource));
}

export function leftovers(empty: ServerPage, after: ServerPage): TortureRow {
  const left = differences(empty, after);
  const kept = left.filter(([resource]) => !AGEING.has(resource));
  const events = left.find(([resource]) => resource === 'events')?.[1] ?? 0;
  const text = kept.map(([resource, count]) => `${count} ${resource}`).join(', ');
  return { name: 'leftovers', ok: kept.length === 0, left: text, events };
}

export interface Heaps {
  readonly control: number;
  readonly dataPlane: number;
}

/** Kilobytes that live, after a collection. */
export async function heaps({ pids, output }: Pilotlight): Promise<Heaps> {
  const kilobytes = async (pid: number): Promise<number> => {
    const { usedBytes, externalBytes } = await readHeap(pid, output);
    return (usedBytes + externalBytes) / 1024;
  };
  return { control: await kilobytes(pids.control), dataPlane: await kilobytes(pids.dataPlane) };
}

export async function heapRow(world: World, name: string, empty: Heaps): Promise<Heaps> {
  const { pilotlight, names, rows } = world;
  const now = await heaps(pilotlight);
  const perService = (after: number, before: number): number =>
    round((after - before) / names.length, 1);
  rows.push({
    name,
    ok: true,
    controlMb: round(now.control / 1024, 1),
    dataPlaneMb: round(now.dataPlane / 1024, 1),
    controlKbPerService: perService(now.control, empty.control),
    dataPlaneKbPerService: perService(now.dataPlane, empty.dataPlane),
  });
  return now;
}

/** What is left when the changes of the deletion are history too. */
export async function memoryBack(world: World, empty: Heaps, full: Heaps): Promise<TortureRow> {
  const { pilotlight, options } = world;
  options.say('until memory is back, ten minutes at most');
  const sum = ({ control, dataPlane }: Heaps): number => control + dataPlane;
  const most = (sum(full) - sum(empty)) * MAX_KEPT_SHARE;
  const startedMs = performance.now();
  let now = await heaps(pilotlight);
  const isBack = await until(
    'memory to be back',
    async () => {
      if (sum(now) - sum(empty) <= most) return true;
      await pause(MEMORY_PERIOD_MS);
      now = await heaps(pilotlight);
      return false;
    },
    MEMORY_LIMIT_MS,
  ).catch(() => false);
  return {
    name: 'memory-back',
    ok: isBack,
    seconds: round((performance.now() - startedMs) / 1000, 0),
    controlMb: round(now.control / 1024, 1),
    dataPlaneMb: round(now.dataPlane / 1024, 1),
    keptMb: round((sum(now) - sum(empty)) / 1024, 1),
    ...named('rssMb', residentMb(pilotlight.pids)),
  };
}

/** How often the objects of one service exist, parsed, in all processes together. */
export async function copiesRow({ pilotlight, names }: World): Promise<TortureRow> {
  const name = names[0] ?? '';
  const versions = await versionsOf(pilotlight, name);
  const { pids, output } = pilotlight;
  const inControl = await countCopies(pids.control, output, versions);
  const inDataPlane = await countCopies(pids.dataPlane, output, versions);
  const inRoot = await countCopies(pids.root, output, versions);
  const most = (counts: readonly number[]): number => Math.max(...counts);
  const all = versions.map(
    (_version, index) => inControl[index]! + inDataPlane[index]! + inRoot[index]!,
  );
  return {
    name: 'parsed-copies',
    ok: versions.length > 0 && most(all) <= MAX_COPIES && Math.min(...all) >= 1,
    objects: versions.length,
    most: most(all),
    control: most(inControl),
    dataPlane: most(inDataPlane),
    root: most(inRoot),
  };
}

/** `uid resourceVersion` of every object that belongs to a service, Events apart. */
async function versionsOf({ client }: Pilotlight, service: string): Promise<string[]> {
  const versions: string[] = [];
  for (const kind of kinds.ALL_KINDS) {
    if (!kind.namespaced || kind === kinds.Event) continue;
    const { items } = await client.list<AnyObject>(kind, { namespace: NAMESPACE });
    for (const { metadata } of items) {
      const isOurs = metadata.name === service || metadata.name.startsWith(`${service}-`);
      if (isOurs) versions.push(`${metadata.uid} ${metadata.resourceVersion}`);
    }
  }
  return versions;
}
