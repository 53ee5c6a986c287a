// A Route from its traffic to what the gateway and its neighbours see, with all controllers running.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CoreService } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import { ROLLOUT_ANNOTATION } from '../../api/labels.ts';
import type { Ingress } from '../../api/networking.ts';
import type { Configuration, Route } from '../../api/serving.ts';
import { ControllerWorld, NAMESPACE, template } from '../testing/world.ts';

let world: ControllerWorld;

beforeEach(async () => {
  world = new ControllerWorld();
  await world.start();
});
afterEach(() => world.stop());

const condition = (type: string): Promise<string> => world.condition(kinds.Route, 'hello', type);
const route = (): Promise<Route> => world.get(kinds.Route, 'hello');
const ingress = (): Promise<Ingress> => world.get(kinds.Ingress, 'hello');

async function ready(traffic?: Parameters<typeof world.createService>[2]): Promise<void> {
  await world.createService('hello', template(), traffic);
  await world.reachInitialScale('hello-00001');
  await world.serveIngress('hello');
}

async function update(image: string): Promise<void> {
  await world.changeService('hello', ({ spec }) => {
    spec.template = template(image);
  });
}

describe('CP-260: one pass', () => {
  it('CP-270: a target that is gone leaves what is programmed, and says so', async () => {
    await ready();
    const before = await ingress();
    await world.changeService('hello', ({ spec }) => {
      spec.traffic = [{ revisionName: 'nobody', percent: 100 }];
    });
    expect(await condition('AllTrafficAssigned')).toBe(
      'False RevisionMissing: Revision "nobody" referenced in traffic not found.',
    );
    expect(await ingress()).toEqual(before);
    expect((await route()).status?.traffic?.[0]?.revisionName).toBe('hello-00001');
  });

  it('CP-307, CP-308: the Ingress is put back when somebody edits it', async () => {
    await ready();
    const live = await ingress();
    expect(live.spec.rules?.map(({ visibility }) => visibility)).toEqual([
      'ClusterLocal',
      'ExternalIP',
    ]);
    live.spec.rules = live.spec.rules!.slice(0, 1);
    live.metadata.labels = {};
    await world.client.update(kinds.Ingress, live);
    await world.settle();
    expect((await ingress()).spec.rules).toHaveLength(2);
    expect((await ingress()).metadata.labels).toMatchObject({
      'serving.knative.dev/route': 'hello',
      'serving.knative.dev/routeNamespace': NAMESPACE,
    });
  });
});

describe('CP-320 to CP-322: placeholder Services', () => {
  it('one for each group, kept with the labels its user adds, removed with its tag', async () => {
    await ready([{ latestRevision: true, percent: 100, tag: 'blue' }]);
    const patch = { type: 'merge', body: { metadata: { labels: { mine: 'x' } } } } as const;
    const key = { namespace: NAMESPACE, name: 'blue-hello' };
    await world.client.patch(kinds.CoreService, key, patch);
    await world.settle();
    const tagged = await world.get<CoreService>(kinds.CoreService, 'blue-hello');
    expect(tagged.metadata.labels).toMatchObject({
      mine: 'x',
      'serving.knative.dev/route': 'hello',
    });
    await world.changeService('hello', ({ spec }) => {
      spec.traffic = [{ latestRevision: true, percent: 100 }];
    });
    expect(await world.names(kinds.CoreService)).toEqual(['hello']);
  });

  it('CP-321: a Service of somebody else stops the Route there', async () => {
    await world.client.create(kinds.CoreService, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'hello', namespace: NAMESPACE },
    });
    await world.createService('hello', template());
    await world.reachInitialScale('hello-00001').catch(() => undefined);
    expect(await condition('IngressReady')).toBe(
      'False NotOwned: There is an existing placeholder Service "hello" that we do not own.',
    );
  });

  it('CP-300: the visibility label of a placeholder hides its group', async () => {
    await ready([{ latestRevision: true, percent: 100, tag: 'blue' }]);
    const labels = { 'networking.knative.dev/visibility': 'cluster-local' };
    const patch = { type: 'merge', body: { metadata: { labels } } } as const;
    const key = { namespace: NAMESPACE, name: 'blue-hello' };
    await world.client.patch(kinds.CoreService, key, patch);
    await world.settle();
    expect((await route()).status?.traffic?.[0]?.url).toBe(
      'http://blue-hello.default.svc.cluster.local',
    );
    expect((await route()).status?.url).toBe('http://hello.default.example.com');
  });
});

describe('a gradual rollout through the controllers', () => {
  const shares = async (): Promise<(number | undefined)[]> =>
    ((await route()).status?.traffic ?? []).map(({ percent }) => percent);

  it('CP-360: without one the state is written all the same', async () => {
    await ready();
    const state = JSON.parse((await ingress()).metadata.annotations?.[ROLLOUT_ANNOTATION] ?? '');
    expect(state.configurations).toEqual([
      {
        configurationName: 'hello',
        percent: 100,
        revisions: [{ revisionName: 'hello-00001', percent: 100 }],
        stepParams: {},
      },
    ]);
  });

  it('CP-364, CP-367: begins with 1 %, waits for the gateway, and goes on by itself', async () => {
    await world.setConfig('config-network', { 'rollout-duration': '60' });
    await ready();
    await update('two');
    await world.reachInitialScale('hello-00002');
    expect(await shares()).toEqual([99, 1]);
    expect(await condition('IngressReady')).toBe(
      'Unknown RolloutInProgress: A gradual rollout of the latest revision(s) is in progress.',
    );
    await world.serveIngress('hello');
    for (let second = 0; second < 90; second += 1) {
      world.clock.advance(1_000);
      await world.settle();
      const { metadata, status } = await ingress();
      const observed = (status as { observedGeneration?: number }).observedGeneration;
      if (observed !== metadata.generation) await world.serveIngress('hello');
    }
    expect(await shares()).toEqual([100]);
    expect((await route()).status?.traffic?.[0]?.revisionName).toBe('hello-00002');
    expect(await condition('Ready')).toBe('True');
  });
});

describe('CP-370 to CP-374: the labeler beside it', () => {
  it('CP-373: what cannot be labelled is named, and tried again', async () => {
    let failures = 2;
    world.client.intercept = ({ verb, kind, key }) => {
      const isOurs = verb === 'patch' && kind === kinds.Revision && key.endsWith('hello-00002');
      if (isOurs && failures > 0) {
        failures -= 1;
        throw new Error('not now');
      }
    };
    await ready();
    await update('two');
    await world.reachInitialScale('hello-00002');
    await world.serveIngress('hello');
    const found = await world.get<Configuration>(kinds.Configuration, 'hello');
    expect(found.metadata.annotations?.['serving.knative.dev/routes']).toBe('hello');
    expect((await world.get(kinds.Revision, 'hello-00002')).metadata.labels).toMatchObject({
      'serving.knative.dev/routingState': 'active',
    });
  });

  it('CP-22, CP-27, CP-374: holds the Route by a finalizer, and never writes a status', async () => {
    await ready();
    expect((await route()).metadata.finalizers).toEqual(['routes.serving.knative.dev']);
    const patches = world.client.calls.filter(
      ({ verb, kind, subresource }) =>
        verb === 'patch' && kind === kinds.Route && subresource === 'status',
    );
    expect(patches).toEqual([]);
  });
});
