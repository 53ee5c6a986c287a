// The requests `kn` makes, in its order and form, and what it needs to find in the answers. There is
// no kn binary here: its sequences come from the specification (KN-20 to KN-103).

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiServer } from './start.ts';
import { knativeService, SERVICES, startTestServer, TestClient } from './testing/harness.ts';

const REVISIONS = '/apis/serving.knative.dev/v1/namespaces/default/revisions';
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

test.each([
  ['serving.knative.dev/v1', ['services', 'revisions', 'routes', 'configurations']],
  ['serving.knative.dev/v1beta1', ['domainmappings']],
  ['apiextensions.k8s.io/v1', ['customresourcedefinitions']],
])(
  'KN-20, KN-26: typed paths of %s answer lists with apiVersion and kind',
  async (version, plurals) => {
    for (const plural of plurals) {
      const { code, body } = await client.get(`/apis/${version}/${plural}`);
      expect([code, body.apiVersion, Array.isArray(body.items)]).toEqual([200, version, true]);
      expect(body.kind).toMatch(/List$/);
    }
  },
);

test('KN-5: parameters clients add anywhere do no harm', async () => {
  const query = 'timeout=30s&pretty=true&fieldManager=kn&fieldValidation=Warn&limit=500';
  expect((await client.get(`${SERVICES}?${query}`)).code).toBe(200);
  expect((await client.post(`${SERVICES}?${query}`, knativeService('params'))).code).toBe(201);
});

test('KN-4: a warning travels as one header with code 299', async () => {
  const odd = { ...knativeService('warned'), colour: 'red' };
  const { headers } = await client.post(`${SERVICES}?fieldValidation=Warn`, odd);
  expect(headers['warning']).toBe('299 - "unknown field \\"colour\\""');
});

test('KN-21: the selectors kn uses find what they name', async () => {
  await client.post(SERVICES, knativeService('chosen'));
  const { body } = await client.get(`${SERVICES}?fieldSelector=metadata.name%3Dchosen`);
  expect(body.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual([
    'chosen',
  ]);
  const label = encodeURIComponent('serving.knative.dev/service=chosen');
  expect((await client.get(`${REVISIONS}?labelSelector=${label}`)).body.items).toEqual([]);
  const all = await client.get('/apis/serving.knative.dev/v1/services');
  expect(all.body.items.length).toBeGreaterThan(0);
});

test('KN-22, KN-60: create looks, posts, and finds; update retries on a conflict', async () => {
  const path = `${SERVICES}/life`;
  const missing = await client.get(path);
  expect([missing.code, missing.body.reason, missing.body.details.name]).toEqual([
    404,
    'NotFound',
    'life',
  ]);
  const made = await client.post(SERVICES, knativeService('life'));
  const other = await client.merge(path, { metadata: { labels: { by: 'another' } } });
  expect(other.body.metadata.generation).toBe(1);
  const stale = await client.put(path, made.body);
  expect([stale.code, stale.body.reason]).toEqual([409, 'Conflict']);
  const fresh = (await client.get(path)).body;
  fresh.spec.template.spec.containers[0].env = [{ name: 'A', value: 'b' }];
  expect((await client.put(path, fresh)).body.metadata.generation).toBe(2);
});

test('KN-62: the answer to an apply patch shows the state before any reconciling', async () => {
  const path = `${SERVICES}/applied`;
  await client.post(SERVICES, knativeService('applied'));
  await client.merge(`${path}/status`, { status: { observedGeneration: 1 } });
  const spec = { template: { spec: { containers: [{ image: 'other' }] } } };
  const { body } = await client.merge(path, { spec });
  expect([body.metadata.generation, body.status.observedGeneration]).toEqual([2, 1]);
  const again = await client.merge(path, { spec });
  expect(again.body.metadata.resourceVersion).toBe(body.metadata.resourceVersion);
});

test('KN-23: a sink found by its path says its kind and apiVersion', async () => {
  await client.post(SERVICES, knativeService('sink'));
  const { body } = await client.get(`${SERVICES}/sink`);
  expect([body.kind, body.apiVersion]).toEqual(['Service', 'serving.knative.dev/v1']);
});

test('KN-41, KN-43: changes after a GET are replayed, each status change with a higher version', async () => {
  const path = `${SERVICES}/waited`;
  const { body } = await client.post(SERVICES, knativeService('waited'));
  const status = (value: string) => ({
    status: { observedGeneration: 1, conditions: [{ type: 'Ready', status: value }] },
  });
  await client.merge(`${path}/status`, status('Unknown'));
  const query = `fieldSelector=metadata.name%3Dwaited&resourceVersion=${body.metadata.resourceVersion}`;
  const watch = await client.watch(`${SERVICES}?${query}&timeoutSeconds=630&watch=true`);
  await client.merge(`${path}/status`, status('True'));
  const events = await watch.take(2);
  watch.close();
  expect(events.map(({ type, object }) => [type, object.status.conditions[0].status])).toEqual([
    ['MODIFIED', 'Unknown'],
    ['MODIFIED', 'True'],
  ]);
  const [first, second] = events.map(({ object }) => Number(object.metadata.resourceVersion));
  expect(second).toBeGreaterThan(first ?? 0);
});

test('KN-44: a watch from a version nobody remembers is answered 410', async () => {
  const watch = await client.watch(`${SERVICES}?resourceVersion=1&watch=true`);
  expect(watch.code).toBe(410);
  watch.close();
});

test('KN-45: a watch stays open as long as it was asked to, and ends in order', async () => {
  const watch = await client.watch(`${SERVICES}?watch=true&timeoutSeconds=1&resourceVersion=0`);
  const types = new Set<string>();
  for (let event = await watch.next(); event !== undefined; event = await watch.next()) {
    types.add(event.type);
  }
  expect([...types]).toEqual(['ADDED']);
});

test('KN-63: deleting with --wait marks in the foreground, and without in the background', async () => {
  await client.post(SERVICES, knativeService('left'));
  const options = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Foreground' };
  const marked = await client.delete(`${SERVICES}/left`, options);
  expect(marked.body.metadata.finalizers).toEqual(['foregroundDeletion']);
  await client.post(SERVICES, knativeService('gone'));
  const gone = await client.delete(`${SERVICES}/gone`, {
    ...options,
    apiVersion: 'serving.knative.dev/v1',
    propagationPolicy: 'Background',
  });
  expect([gone.body.status, gone.body.details.kind]).toEqual(['Success', 'services']);
});

test('KN-100, KN-101: unknown groups answer plain text, missing objects a Status', async () => {
  const unknown = await client.get('/apis/nothing.example.com/v1/namespaces/default/things');
  expect([unknown.code, unknown.headers['content-type'], unknown.text.trim()]).toEqual([
    404,
    'text/plain; charset=utf-8',
    '404 page not found',
  ]);
});

test('KN-103: there are no source definitions, and the list of them is empty', async () => {
  const label = encodeURIComponent('duck.knative.dev/source=true');
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions?labelSelector=${label}`;
  expect((await client.get(path)).body.items).toEqual([]);
});

interface Listed {
  name: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
}

const resources = async (version: string): Promise<Listed[]> =>
  (await client.get(`/apis/${version}`)).body.resources;

test('KN-113, KN-114, KN-261: verbs, short names and categories are as clients know them', async () => {
  const serving = await resources('serving.knative.dev/v1');
  const named = (list: Listed[], name: string) => list.find((each) => each.name === name);
  expect(named(serving, 'services')).toMatchObject({
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    shortNames: ['kservice', 'ksvc'],
    categories: ['all', 'knative', 'serving'],
  });
  expect(named(serving, 'revisions')?.shortNames).toEqual(['rev']);
  expect(named(serving, 'configurations')?.shortNames).toEqual(['config', 'cfg']);
  const internal = await resources('autoscaling.internal.knative.dev/v1alpha1');
  expect(named(internal, 'podautoscalers')).toMatchObject({
    shortNames: ['kpa', 'pa'],
    categories: ['knative-internal', 'autoscaling'],
  });
});

test('KN-124: schemas carry what merging needs to know', async () => {
  const { body } = await client.get('/openapi/v3/apis/serving.knative.dev/v1');
  const schema = Object.entries(body.components.schemas).find(([name]) =>
    name.endsWith('.Service'),
  );
  const text = JSON.stringify(schema);
  expect(text).toContain('"x-kubernetes-list-type":"map"');
  expect(text).toContain('"x-kubernetes-int-or-string":true');
});

test('KN-244: leases and config maps are there for controllers', async () => {
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'held' },
    spec: { holderIdentity: 'me' },
  };
  const made = await client.post('/apis/coordination.k8s.io/v1/namespaces/default/leases', lease);
  expect([made.code, made.body.spec]).toEqual([201, { holderIdentity: 'me' }]);
});
