// Marks of Routes on what they use: the patches, and their coming and going with traffic.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as kinds from '../../api/kinds.ts';
import type { Configuration, Revision, Route } from '../../api/serving.ts';
import { ControllerWorld, NAMESPACE, template } from '../testing/world.ts';
import { routesPatch } from './plan.ts';

const NOW = '2026-01-02T03:04:05Z';

function revision(labels: Record<string, string>, routes?: string): Revision {
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Revision',
    metadata: {
      name: 'r',
      labels,
      ...(routes === undefined ? {} : { annotations: { 'serving.knative.dev/routes': routes } }),
    },
    spec: { containers: [] },
  };
}

const STATE = 'serving.knative.dev/routingState';
const ROUTES = 'serving.knative.dev/routes';
const MODIFIED = 'serving.knative.dev/routingStateModified';

describe('CP-372: patches', () => {
  it.each([
    ['nothing changes', revision({ [STATE]: 'active' }, 'a'), true, null],
    [
      'a second Route joins in order, the state stays',
      revision({ [STATE]: 'active' }, 'b'),
      true,
      { metadata: { annotations: { [ROUTES]: 'a,b' } } },
    ],
    [
      'the first Route makes it active',
      revision({ [STATE]: 'pending' }),
      true,
      {
        metadata: {
          labels: { [STATE]: 'active' },
          annotations: { [ROUTES]: 'a', [MODIFIED]: NOW },
        },
      },
    ],
    [
      'the last Route that goes puts it in reserve',
      revision({ [STATE]: 'active' }, 'a'),
      false,
      {
        metadata: {
          labels: { [STATE]: 'reserve' },
          annotations: { [ROUTES]: null, [MODIFIED]: NOW },
        },
      },
    ],
  ])('%s', (_name, object, isRouted, expected) => {
    expect(routesPatch(object, 'a', isRouted, NOW)).toEqual(expected);
  });
});

describe('the labeler', () => {
  let world: ControllerWorld;

  beforeEach(async () => {
    world = new ControllerWorld();
    await world.start();
    await world.createService('hello', template());
    await world.reachInitialScale('hello-00001');
    await world.serveIngress('hello');
  });
  afterEach(() => world.stop());

  it('CP-534: a deleted Route is taken off everything it named, then goes', async () => {
    const route = await world.get<Route>(kinds.Route, 'hello');
    expect(route.metadata.finalizers).toEqual(['routes.serving.knative.dev']);
    // The Service first, or it would make the Route anew.
    await world.client.delete(kinds.KnativeService, { namespace: NAMESPACE, name: 'hello' });
    await world.client.delete(kinds.Route, { namespace: NAMESPACE, name: 'hello' });
    await world.settle();
    expect(await world.names(kinds.Route)).toEqual([]);
    const old = await world.get<Revision>(kinds.Revision, 'hello-00001');
    expect(old.metadata.labels?.[STATE]).toBe('reserve');
    expect(old.metadata.annotations).not.toHaveProperty([ROUTES]);
    const configuration = await world.get<Configuration>(kinds.Configuration, 'hello');
    expect(configuration.metadata.annotations).not.toHaveProperty([ROUTES]);
  });

  it('CP-371: an old Revision that keeps a tag stays active', async () => {
    await world.changeService('hello', ({ spec }) => {
      spec.template = template('hello:2');
      spec.traffic = [
        { latestRevision: true, percent: 100 },
        { latestRevision: false, revisionName: 'hello-00001', percent: 0, tag: 'old' },
      ];
    });
    await world.reachInitialScale('hello-00002');
    await world.serveIngress('hello');
    const old = await world.get<Revision>(kinds.Revision, 'hello-00001');
    expect(old.metadata.labels?.[STATE]).toBe('active');
    expect(await world.names(kinds.CoreService)).toContain('old-hello');
  });
});
