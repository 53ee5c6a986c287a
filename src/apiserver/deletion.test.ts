// Deletion over HTTPS: finalizers, propagation, pods, collections and namespaces (KN-200 to
// KN-206).

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiServer } from './start.ts';
import {
  CONFIG_MAPS,
  configMap,
  knativeService,
  PODS,
  SERVICES,
  startTestServer,
  TestClient,
} from './testing/harness.ts';

let server: ApiServer;
let client: TestClient;

beforeAll(async () => {
  server = await startTestServer();
  client = new TestClient(server);
});

afterAll(async () => {
  client.close();
  await server.stop();
});

const options = (more: object) => ({ kind: 'DeleteOptions', apiVersion: 'v1', ...more });

test('KN-200: an object nothing holds is gone at once, the answer names its uid', async () => {
  const { body: created } = await client.post(SERVICES, knativeService('gone'));
  const { code, body } = await client.delete(
    `${SERVICES}/gone`,
    options({ propagationPolicy: 'Background' }),
  );
  expect([code, body]).toEqual([
    200,
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: {
        name: 'gone',
        group: 'serving.knative.dev',
        kind: 'services',
        uid: created.metadata.uid,
      },
    },
  ]);
  expect((await client.delete(`${SERVICES}/gone`)).body.reason).toBe('NotFound');
});

test('KN-200: preconditions that do not hold are 409', async () => {
  await client.post(CONFIG_MAPS, configMap('pre'));
  const wrong = await client.delete(`${CONFIG_MAPS}/pre`, options({ preconditions: { uid: 'x' } }));
  expect(wrong.body).toMatchObject({ code: 409, reason: 'Conflict' });
  const stale = options({ preconditions: { resourceVersion: '1' } });
  expect((await client.delete(`${CONFIG_MAPS}/pre`, stale)).code).toBe(409);
});

test('KN-202: finalizers hold an object until the last is removed, and none may be added', async () => {
  const object = { ...configMap('held'), metadata: { name: 'held', finalizers: ['x/a', 'x/b'] } };
  await client.post(CONFIG_MAPS, object);
  const { body } = await client.delete(`${CONFIG_MAPS}/held`);
  expect(body.metadata).toMatchObject({
    deletionGracePeriodSeconds: 0,
    deletionTimestamp: expect.any(String),
    generation: 2,
  });
  const added = { metadata: { finalizers: ['x/a', 'x/b', 'x/c'] } };
  const refused = await client.merge(`${CONFIG_MAPS}/held`, added);
  expect(refused.body).toMatchObject({ code: 422, reason: 'Invalid' });
  expect(refused.body.message).toContain('no new finalizers can be added');
  await client.merge(`${CONFIG_MAPS}/held`, { metadata: { finalizers: ['x/b'] } });
  expect((await client.get(`${CONFIG_MAPS}/held`)).code).toBe(200);
  expect((await client.merge(`${CONFIG_MAPS}/held`, { metadata: { finalizers: null } })).code).toBe(
    200,
  );
  expect((await client.get(`${CONFIG_MAPS}/held`)).code).toBe(404);
});

test.each([
  ['Foreground', 'foregroundDeletion'],
  ['Orphan', 'orphan'],
])(
  'KN-201: %s leaves the object with finalizer %s for the collector',
  async (propagationPolicy, finalizer) => {
    const name = propagationPolicy.toLowerCase();
    await client.post(CONFIG_MAPS, configMap(name));
    const { body } = await client.delete(`${CONFIG_MAPS}/${name}`, options({ propagationPolicy }));
    expect(body.metadata.finalizers).toEqual([finalizer]);
    const watch = await client.watch(
      `${CONFIG_MAPS}?watch=1&resourceVersion=${body.metadata.resourceVersion}`,
    );
    await client.merge(`${CONFIG_MAPS}/${name}`, { metadata: { finalizers: [] } });
    expect((await watch.take(1)).map(({ type }) => type)).toEqual(['DELETED']);
    watch.close();
  },
);

test('KN-201: an unknown policy is refused', async () => {
  await client.post(CONFIG_MAPS, configMap('policy'));
  const { body } = await client.delete(`${CONFIG_MAPS}/policy?propagationPolicy=Sideways`);
  expect(body.code).toBe(422);
});

const pod = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});

test('KN-206: a running pod is given its grace period and goes when it is deleted with 0', async () => {
  await client.post(
    PODS,
    pod('graceful', { nodeName: 'local', terminationGracePeriodSeconds: 300 }),
  );
  const { body } = await client.delete(`${PODS}/graceful`);
  expect(body.metadata.deletionGracePeriodSeconds).toBe(300);
  expect(Date.parse(body.metadata.deletionTimestamp)).toBeGreaterThan(Date.now() + 200_000);
  const shorter = await client.delete(`${PODS}/graceful`, options({ gracePeriodSeconds: 5 }));
  expect(shorter.body.metadata.deletionGracePeriodSeconds).toBe(5);
  const longer = await client.delete(`${PODS}/graceful`, options({ gracePeriodSeconds: 60 }));
  expect(longer.body.metadata.deletionGracePeriodSeconds).toBe(5);
  const forced = await client.delete(`${PODS}/graceful`, options({ gracePeriodSeconds: 0 }));
  expect(forced.body.kind).toBe('Pod');
  expect((await client.get(`${PODS}/graceful`)).code).toBe(404);
});

test('KN-206: a status update does not end a pod that is being deleted', async () => {
  await client.post(PODS, pod('ending', { nodeName: 'local' }));
  await client.delete(`${PODS}/ending`);
  const patched = await client.merge(`${PODS}/ending/status`, { status: { phase: 'Running' } });
  expect(patched.body.metadata.deletionGracePeriodSeconds).toBe(30);
  expect((await client.get(`${PODS}/ending`)).body.status.phase).toBe('Running');
});

test('KN-206: a pod that does not run is gone at once', async () => {
  await client.post(PODS, pod('unscheduled'));
  expect((await client.delete(`${PODS}/unscheduled`)).body.kind).toBe('Pod');
  await client.post(PODS, pod('over', { nodeName: 'local' }));
  await client.merge(`${PODS}/over/status`, { status: { phase: 'Succeeded' } });
  expect((await client.delete(`${PODS}/over`)).body.kind).toBe('Pod');
});

test('KN-204: deleting a collection honours selectors and lists what went', async () => {
  for (const name of ['col-1', 'col-2', 'col-3']) {
    const labels = { keep: name === 'col-2' ? 'yes' : 'no' };
    await client.post(CONFIG_MAPS, { ...configMap(name), metadata: { name, labels } });
  }
  const { body } = await client.delete(`${CONFIG_MAPS}?labelSelector=keep%3Dno`);
  expect(body.kind).toBe('ConfigMapList');
  expect(body.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual([
    'col-1',
    'col-3',
  ]);
  expect((await client.get(`${CONFIG_MAPS}/col-2`)).code).toBe(200);
});

test('KN-205: a namespace is emptied, then goes; nothing new may be created in it', async () => {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'doomed' } };
  const { body } = await client.post('/api/v1/namespaces', namespace);
  expect([body.spec.finalizers, body.status.phase]).toEqual([['kubernetes'], 'Active']);
  const path = '/api/v1/namespaces/doomed/configmaps';
  const held = { ...configMap('held'), metadata: { name: 'held', finalizers: ['x/hold'] } };
  await client.post(path, held);
  await client.post(path, configMap('free'));
  const deleted = await client.delete('/api/v1/namespaces/doomed');
  expect(deleted.body.status.phase).toBe('Terminating');
  const refused = await client.post(path, configMap('late'));
  expect(refused.body).toMatchObject({
    code: 403,
    details: { causes: [{ reason: 'NamespaceTerminating' }] },
  });
  await expect.poll(async () => (await client.get(`${path}/free`)).code).toBe(404);
  expect((await client.get('/api/v1/namespaces/doomed')).code).toBe(200);
  await client.merge(`${path}/held`, { metadata: { finalizers: null } });
  await expect
    .poll(async () => (await client.get('/api/v1/namespaces/doomed')).code, { timeout: 5000 })
    .toBe(404);
});

test('KN-205: default and kube-system may not be deleted', async () => {
  for (const name of ['default', 'kube-system']) {
    expect((await client.delete(`/api/v1/namespaces/${name}`)).body.reason).toBe('Forbidden');
  }
});
