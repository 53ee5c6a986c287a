// What a Service does to its Configuration and its Route, and what it says of them.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as kinds from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';
import type { Configuration, KnativeService, Route } from '../../api/serving.ts';
import { ControllerWorld, NAMESPACE, template } from '../testing/world.ts';

let world: ControllerWorld;

beforeEach(async () => {
  world = new ControllerWorld();
  await world.start();
});
afterEach(() => world.stop());

const condition = (type: string): Promise<string> =>
  world.condition(kinds.KnativeService, 'hello', type);
const service = (): Promise<KnativeService> => world.get(kinds.KnativeService, 'hello');
const route = (): Promise<Route> => world.get(kinds.Route, 'hello');
const configuration = (): Promise<Configuration> => world.get(kinds.Configuration, 'hello');

async function ready(): Promise<void> {
  await world.createService('hello', template());
  await world.reachInitialScale('hello-00001');
  await world.serveIngress('hello');
}

interface Told extends KubeObject {
  involvedObject: { kind: string };
  source: { component: string };
  type: string;
  reason: string;
  message: string;
}

async function eventsOf(kind: string): Promise<string[]> {
  const { items } = await world.client.list<Told>(kinds.Event);
  return items
    .filter(({ involvedObject }) => involvedObject.kind === kind)
    .map(({ type, reason, message, source }) => `${source.component} ${type} ${reason} ${message}`);
}

describe('children of a Service', () => {
  it('CP-120, CP-125: one Configuration and one Route of its name, told as events', async () => {
    await ready();
    const { uid } = (await service()).metadata;
    for (const child of [await configuration(), await route()]) {
      expect(child.metadata.ownerReferences).toMatchObject([
        { kind: 'Service', name: 'hello', uid, controller: true, blockOwnerDeletion: true },
      ]);
    }
    expect((await eventsOf('Service')).sort()).toEqual([
      'service-controller Normal Created Created Configuration "hello"',
      'service-controller Normal Created Created Route "hello"',
    ]);
  });

  it('CP-124: drift is undone, other metadata stays, and nothing is told', async () => {
    await ready();
    const live = await route();
    live.metadata.labels!['foreign'] = 'x';
    live.metadata.annotations = { foreign: 'y' };
    live.metadata.finalizers!.push('other/finalizer');
    live.spec.traffic = [{ revisionName: 'hello-00001', percent: 100 }];
    await world.client.update(kinds.Route, live);
    await world.settle();
    const { metadata, spec } = await route();
    expect(metadata.labels).toEqual({ 'serving.knative.dev/service': 'hello' });
    expect(metadata.annotations ?? {}).toEqual({});
    expect(metadata.finalizers).toContain('other/finalizer');
    expect(spec.traffic).toEqual([
      { latestRevision: true, percent: 100, configurationName: 'hello' },
    ]);
    expect(await eventsOf('Service')).toHaveLength(2);
  });

  it('CP-125: a Route of somebody else is left alone', async () => {
    await world.client.create<Route>(kinds.Route, {
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Route',
      metadata: { name: 'hello', namespace: NAMESPACE },
      spec: {},
    });
    await world.createService('hello', template()).catch(() => undefined);
    expect(await condition('RoutesReady')).toBe(
      'False NotOwned: There is an existing Route "hello" that we do not own.',
    );
    expect(await eventsOf('Service')).toContain(
      'service-controller Warning InternalError service: "hello" does not own route: "hello"',
    );
  });

  it('CP-535: a change of traffic alone leaves the Configuration as it is', async () => {
    await ready();
    const generation = async (kind: kinds.Kind): Promise<number> =>
      (await world.get(kind, 'hello')).metadata.generation!;
    await world.changeService('hello', ({ spec }) => {
      spec.traffic = [{ revisionName: 'hello-00001', percent: 100 }];
    });
    expect(await generation(kinds.KnativeService)).toBe(2);
    expect(await generation(kinds.Route)).toBe(2);
    expect(await generation(kinds.Configuration)).toBe(1);
    expect(await condition('Ready')).toBe('True');
  });
});

describe('CP-123: the order of a pass', () => {
  it('CP-127: a Revision name that is taken keeps the Route where it is', async () => {
    await world.createService('hello', template('a', 'hello-one'));
    await world.reachInitialScale('hello-one');
    await world.serveIngress('hello');
    const before = await route();
    await world.changeService('hello', ({ spec }) => {
      spec.template = template('b', 'hello-one');
      spec.traffic = [{ revisionName: 'hello-one', percent: 100 }];
    });
    expect(await condition('RoutesReady')).toBe(
      'False RevisionNameTaken: The revision name "hello-one" is taken by a conflicting Revision, so traffic will not be migrated',
    );
    expect((await route()).spec).toEqual(before.spec);
  });

  it('CP-126, CP-128: both states are copied, with reason and message', async () => {
    await ready();
    const { status } = await service();
    expect(status).toMatchObject({
      latestCreatedRevisionName: 'hello-00001',
      latestReadyRevisionName: 'hello-00001',
      url: 'http://hello.default.example.com',
      address: { url: 'http://hello.default.svc.cluster.local' },
      traffic: [{ latestRevision: true, percent: 100, revisionName: 'hello-00001' }],
    });
    await world.setStatus(kinds.Ingress, 'hello', {
      conditions: [{ type: 'Ready', status: 'Unknown', reason: 'Probing', message: 'wait' }],
    });
    expect(await condition('RoutesReady')).toBe('Unknown Probing: wait');
    expect(await condition('Ready')).toBe('Unknown Probing: wait');
  });

  it('CP-129: two entries merged into one never count as migrated', async () => {
    await world.createService('hello', template(), [
      { latestRevision: true, percent: 50 },
      { latestRevision: true, percent: 50 },
    ]);
    await world.reachInitialScale('hello-00001');
    await world.serveIngress('hello');
    expect(await condition('RoutesReady')).toBe(
      'Unknown TrafficNotMigrated: Traffic is not yet migrated to the latest revision.',
    );
  });
});
