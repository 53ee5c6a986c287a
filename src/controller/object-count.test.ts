// How many objects one Service costs: each is a write, a watch event and a copy in every cache.
// ARCHITECTURE.md has the same table.

import { expect, it } from 'vitest';
import * as kinds from '../api/kinds.ts';
import { ControllerWorld, NAMESPACE, template } from './testing/world.ts';

it('CP-530: a Service is twelve objects, besides the private Endpoints of the cluster', async () => {
  const world = new ControllerWorld();
  await world.start();
  await world.createService('hello', template());
  await world.reachInitialScale('hello-00001');
  await world.client.create(kinds.Endpoints, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { namespace: NAMESPACE, name: 'hello-00001-private' },
  });
  await world.createSks('hello-00001');
  await world.serveIngress('hello');
  const counts: Record<string, number> = {};
  for (const kind of kinds.ALL_KINDS.filter(({ kind: name }) => name !== 'Event')) {
    const { items } = await world.client.list(kind, { namespace: NAMESPACE });
    if (items.length > 0) counts[kinds.resourceName(kind)] = items.length;
  }
  expect(counts).toEqual({
    'services.serving.knative.dev': 1,
    'configurations.serving.knative.dev': 1,
    'routes.serving.knative.dev': 1,
    'revisions.serving.knative.dev': 1,
    'deployments.apps': 1,
    'podautoscalers.autoscaling.internal.knative.dev': 1,
    'serverlessservices.networking.internal.knative.dev': 1,
    'ingresses.networking.internal.knative.dev': 1,
    services: 3,
    endpoints: 2,
  });
  await world.stop();
});
