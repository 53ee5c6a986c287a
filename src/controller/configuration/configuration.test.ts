// One Revision per generation, and which of them is the latest that works.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as kinds from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';
import type { Configuration, Revision } from '../../api/serving.ts';
import { failure } from '../../kube/testing/failures.ts';
import { ControllerWorld, NAMESPACE, template } from '../testing/world.ts';
import { findLatestReady } from './latest-ready.ts';

let world: ControllerWorld;

beforeEach(async () => {
  world = new ControllerWorld();
  await world.start();
});
afterEach(() => world.stop());

const configuration = (): Promise<Configuration> => world.get(kinds.Configuration, 'c');
const ready = (): Promise<string> => world.condition(kinds.Configuration, 'c', 'Ready');

async function create(extra: Partial<KubeObject['metadata']> = {}): Promise<void> {
  await world.client.create<Configuration>(kinds.Configuration, {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Configuration',
    metadata: { name: 'c', namespace: NAMESPACE, ...extra },
    spec: {
      template: { metadata: { labels: { x: 'y' } }, spec: template('one').spec },
    },
  });
  await world.settle();
}

async function change(image: string): Promise<void> {
  const live = await configuration();
  live.spec.template = template(image);
  await world.client.update(kinds.Configuration, live);
  await world.settle();
}

async function eventReasons(): Promise<string[]> {
  const { items } = await world.client.list<KubeObject & Record<string, string>>(kinds.Event);
  return items
    .filter(
      ({ involvedObject }) => (involvedObject as unknown as KubeObject).kind === 'Configuration',
    )
    .map(({ reason, message }) => `${reason}: ${message}`);
}

describe('a new Revision', () => {
  it('CP-143: without a Route it is pending, and inherits nothing but its template', async () => {
    const annotations = { 'serving.knative.dev/lastModifier': 'bob', foo: 'bar' };
    await create({ labels: { team: 'a' }, annotations });
    const { metadata } = await world.get<Revision>(kinds.Revision, 'c-00001');
    const { uid } = (await configuration()).metadata;
    expect(metadata.labels).toEqual({
      x: 'y',
      'serving.knative.dev/configuration': 'c',
      'serving.knative.dev/configurationUID': uid,
      'serving.knative.dev/configurationGeneration': '1',
      'serving.knative.dev/routingState': 'pending',
    });
    expect(Object.keys(metadata.annotations ?? {}).sort()).toEqual([
      'serving.knative.dev/creator',
      'serving.knative.dev/routingStateModified',
    ]);
    expect(metadata.annotations?.['serving.knative.dev/creator']).toBe('bob');
  });

  it('CP-144: an API that refuses it is quoted', async () => {
    world.client.intercept = ({ verb, kind }) => {
      if (verb === 'create' && kind === kinds.Revision) throw failure(422, 'Invalid', 'no, thanks');
    };
    await create().catch(() => undefined);
    expect(await ready()).toBe(
      'False RevisionFailed: Revision creation failed with message: no, thanks.',
    );
    expect(await eventReasons()).toContain('CreationFailed: Failed to create Revision: no, thanks');
  });

  it('CP-148: deleted, it is made again under the same name', async () => {
    await create();
    const before = await world.get<Revision>(kinds.Revision, 'c-00001');
    await world.client.delete(kinds.Revision, { namespace: NAMESPACE, name: 'c-00001' });
    await world.settle();
    const after = await world.get<Revision>(kinds.Revision, 'c-00001');
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
  });
});

describe('what is told of Revisions', () => {
  it("CP-145, CP-146: waiting, ready once, failed with the Revision's words", async () => {
    await create();
    expect((await configuration()).status?.latestCreatedRevisionName).toBe('c-00001');
    expect(await ready()).toBe('Unknown');
    await world.reachInitialScale('c-00001');
    expect(await ready()).toBe('True');
    expect(await eventReasons()).toEqual([
      'Created: Created Revision "c-00001"',
      'ConfigurationReady: Configuration becomes ready',
      'LatestReadyUpdate: LatestReadyRevisionName updated to "c-00001"',
    ]);
    await change('two');
    expect(await ready()).toBe('Unknown');
    await world.setStatus(kinds.Deployment, 'c-00002-deployment', {
      conditions: [{ type: 'Progressing', status: 'False', reason: 'Late', message: 'too late' }],
    });
    expect(await ready()).toBe(
      'False RevisionFailed: Revision "c-00002" failed with message: too late.',
    );
    expect(await eventReasons()).toContain(
      'LatestCreatedFailed: Latest created revision "c-00002" has failed',
    );
  });
});

describe('CP-147: the latest ready Revision', () => {
  const revision = (name: string, generation: string, isReady = true): Revision =>
    ({
      metadata: {
        name,
        generation: 1,
        labels: { 'serving.knative.dev/configurationGeneration': generation },
      },
      status: {
        observedGeneration: 1,
        conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
      },
    }) as unknown as Revision;
  const of = (latestReady: string | undefined, name?: string): Configuration =>
    ({
      metadata: { name: 'c', generation: 3 },
      spec: { template: { metadata: name === undefined ? {} : { name }, spec: {} } },
      status: { latestReadyRevisionName: latestReady, latestCreatedRevisionName: name },
    }) as unknown as Configuration;

  it.each<[string, Configuration, Revision[], string | undefined]>([
    ['the newest that is ready', of(undefined), [revision('a', '1'), revision('b', '2')], 'b'],
    [
      'a newer one that fails is passed over',
      of('a'),
      [revision('a', '1'), revision('b', '2', false)],
      'a',
    ],
    [
      'never an older one than now',
      of('b'),
      [revision('a', '1'), revision('b', '2', false)],
      undefined,
    ],
    ['unless the one of now is gone', of('gone'), [revision('a', '1')], 'a'],
    [
      'the one the template names comes first',
      of('b', 'a'),
      [revision('a', '1'), revision('b', '2')],
      'a',
    ],
    [
      'a generation that is no number counts as the newest',
      of('a'),
      [revision('a', '1'), revision('x', '?')],
      'x',
    ],
    ['none is ready', of(undefined), [revision('a', '1', false)], undefined],
  ])('%s', (_name, configuration, revisions, expected) => {
    expect(findLatestReady(configuration, revisions)?.metadata.name).toBe(expected);
  });
});
