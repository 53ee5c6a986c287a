// The embedded API server against a real kube-apiserver: the same requests in the same order, answers
// equal once uids, times and versions are normalised, or listed with a reason in differences.ts.
// PILOTLIGHT_API_DIFF=FILE writes every difference found, for whoever works on the list.

import { appendFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { compare, type Difference, shared, show } from './compare.ts';
import { KNOWN_DIFFERENCES } from './differences.ts';
import { normalise } from './normalise.ts';
import { applySteps } from './script-apply.ts';
import { builtinSteps } from './script-builtin.ts';
import { customSteps } from './script-custom.ts';
import { deleteSteps } from './script-deletes.ts';
import { discoverySteps } from './script-discovery.ts';
import { listSteps } from './script-lists.ts';
import { objectSteps } from './script-objects.ts';
import { patchSteps } from './script-patches.ts';
import { watchSteps } from './script-watches.ts';
import { openOurs, openTheirs, type ScriptServer } from './servers.ts';
import type { Step } from './step.ts';

const PARTS: Readonly<Record<string, readonly Step[]>> = {
  objects: objectSteps,
  patches: patchSteps,
  apply: applySteps,
  lists: listSteps,
  watches: watchSteps,
  deletes: deleteSteps,
  'custom resources': customSteps,
  'built-in kinds': builtinSteps,
  discovery: discoverySteps,
};
/** Requests the script is required to have. */
const MIN_REQUESTS = 300;

const { kubeconfig } = inject('cluster');
const namespace = `pilotlight-api-${process.pid}`;
const report = process.env['PILOTLIGHT_API_DIFF'];
/** A row that names its steps stands for one row each, so that none of them outlives its reason. */
const rows = KNOWN_DIFFERENCES.flatMap(({ steps, path, reason }) => {
  if (!(steps instanceof RegExp)) {
    return steps.map((name) => ({ name, path, reason, is: (title: string) => title === name }));
  }
  return [{ name: String(steps), path, reason, is: (title: string) => steps.test(title) }];
});
const used = new Set<number>();
let ours: ScriptServer;
let theirs: ScriptServer;

beforeAll(async () => {
  if (kubeconfig === null) return;
  if (report !== undefined) writeFileSync(report, '');
  [ours, theirs] = await Promise.all([openOurs(namespace), openTheirs(kubeconfig, namespace)]);
});
afterAll(async () => {
  await Promise.all([ours?.stop(), theirs?.stop()]);
});

async function differences(step: Step): Promise<Difference[]> {
  const [mine, real] = await Promise.all([ours.caller.run(step), theirs.caller.run(step)]);
  const left = normalise(mine, ours.caller.variables);
  const right = normalise(real, theirs.caller.variables);
  const isDiscovery = step.title.startsWith('discovery:');
  return compare(left, isDiscovery ? shared(left, right) : right);
}

/** What no row of the table explains. */
function unlisted(step: Step, found: readonly Difference[]): string[] {
  return found
    .filter(({ path }) => {
      const row = rows.findIndex((known) => known.is(step.title) && known.path.test(path));
      if (row >= 0) used.add(row);
      return row < 0;
    })
    .map(show);
}

it(`the script has ${MIN_REQUESTS} requests or more, each with a title of its own`, () => {
  const steps = Object.values(PARTS).flat();
  const inner = steps.flatMap(({ watch }) => watch?.during ?? []);
  expect(steps.length + inner.length).toBeGreaterThanOrEqual(MIN_REQUESTS);
  expect(new Set([...steps, ...inner].map(({ title }) => title)).size).toBe(
    steps.length + inner.length,
  );
});

describe.skipIf(kubeconfig === null)('our API server answers as kube-apiserver does', () => {
  for (const [part, steps] of Object.entries(PARTS)) {
    describe(part, () => {
      it.each(steps.map((step) => [step.title, step] as const))('%s', async (_title, step) => {
        const left = unlisted(step, await differences(step));
        if (report !== undefined) {
          for (const line of left) appendFileSync(report, `${part} | ${step.title} | ${line}\n`);
        }
        expect(left).toEqual([]);
      });
    });
  }

  it('every listed difference still exists', () => {
    const gone = rows.filter((_row, index) => !used.has(index));
    expect(gone.map(({ name, path, reason }) => `${name} ${path}: ${reason}`)).toEqual([]);
  });
});
