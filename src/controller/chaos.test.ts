// Whatever happened on the way, when the weather is good again every Service that somebody wants is
// ready on its newest template, what belonged to others is gone, and nothing moves any more.

import { afterEach, describe, expect, it } from 'vitest';
import * as kinds from '../api/kinds.ts';
import type { KnativeService, Revision } from '../api/serving.ts';
import { Chaos } from './testing/chaos.ts';
import { NAMESPACE } from './testing/world.ts';

const STEPS = 30;
let chaos: Chaos;

afterEach(() => chaos.world.stop());

async function imageServed(service: string): Promise<string | undefined> {
  const { status } = await chaos.world.get<KnativeService>(kinds.KnativeService, service);
  expect(status?.traffic).toHaveLength(1);
  const name = status!.traffic![0]!.revisionName!;
  const revision = await chaos.world.get<Revision>(kinds.Revision, name);
  return revision.spec.containers[0]?.image;
}

const ownNames = async (kind: kinds.Kind): Promise<string[]> =>
  (await chaos.world.names(kind)).filter((name) => !name.startsWith('bad'));

describe('controllers in bad weather', { timeout: 120_000 }, () => {
  it.each([1, 2, 3, 4])('come to the wanted state, seed %i', async (seed) => {
    chaos = new Chaos(seed);
    await chaos.start();
    for (let step = 0; step < STEPS; step += 1) await chaos.step();
    await chaos.calm();
    const wanted = [...chaos.wanted.keys()].sort();
    for (const service of wanted) {
      const ready = await chaos.world.condition(kinds.KnativeService, service, 'Ready');
      expect(`${service}: ${ready}`).toBe(`${service}: True`);
      expect(await imageServed(service)).toBe(chaos.wanted.get(service));
    }
    for (const kind of [kinds.KnativeService, kinds.Configuration, kinds.Route, kinds.Ingress]) {
      expect(await ownNames(kind), kind.kind).toEqual(wanted);
    }
    const revisions = await ownNames(kinds.Revision);
    expect(await ownNames(kinds.PodAutoscaler)).toEqual(revisions);
    expect(await ownNames(kinds.Deployment)).toEqual(revisions.map((name) => `${name}-deployment`));

    const versions = async (): Promise<unknown[]> => {
      const { items } = await chaos.world.client.list<KnativeService>(kinds.KnativeService, {
        namespace: NAMESPACE,
      });
      return items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]);
    };
    const before = await versions();
    await chaos.calm();
    expect(await versions()).toEqual(before);
  });
});
