// Lists over HTTPS: order, chunks of one snapshot, exact versions, tables.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiServer } from './start.ts';
import {
  type Answer,
  CONFIG_MAPS,
  configMap,
  knativeService,
  SERVICES,
  startTestServer,
  TestClient,
} from './testing/harness.ts';

let server: ApiServer;
let client: TestClient;

beforeAll(async () => {
  server = await startTestServer({ maxHistory: 50 });
  client = new TestClient(server);
  for (const name of ['a', 'a-b']) {
    await client.post('/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    });
  }
});

afterAll(async () => {
  client.close();
  await server.stop();
});

const names = ({ body }: Answer): string[] =>
  body.items.map((item: { metadata: { name: string } }) => item.metadata.name);

test('KN-151: lists are ordered by namespace, then name, and empty where there is nothing', async () => {
  for (const [namespace, name] of [
    ['a-b', 'x'],
    ['a', 'z'],
    ['a', 'y'],
  ]) {
    await client.post(`/api/v1/namespaces/${namespace}/configmaps`, configMap(name!));
  }
  const all = await client.get('/api/v1/configmaps');
  expect(names(all)).toEqual(['y', 'z', 'x']);
  expect(all.body).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1' });
  expect(names(await client.get('/api/v1/namespaces/a/configmaps'))).toEqual(['y', 'z']);
  expect((await client.get('/api/v1/namespaces/nowhere/configmaps')).body.items).toEqual([]);
});

test('KN-153: chunks of one list show the state at its start, whatever happens meanwhile', async () => {
  for (const name of ['c1', 'c2', 'c3', 'c4', 'c5']) {
    await client.post(CONFIG_MAPS, configMap(name));
  }
  const first = await client.get(`${CONFIG_MAPS}?limit=2`);
  expect(names(first)).toEqual(['c1', 'c2']);
  expect(first.body.metadata.remainingItemCount).toBe(3);
  await client.delete(`${CONFIG_MAPS}/c3`);
  await client.post(CONFIG_MAPS, configMap('c2b'));
  await client.merge(`${CONFIG_MAPS}/c4`, { data: { changed: 'yes' } });
  const token = encodeURIComponent(first.body.metadata.continue);
  const second = await client.get(`${CONFIG_MAPS}?limit=2&continue=${token}`);
  expect(names(second)).toEqual(['c3', 'c4']);
  expect(second.body.items[1].data).toEqual({});
  expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
  const third = await client.get(
    `${CONFIG_MAPS}?limit=2&continue=${encodeURIComponent(second.body.metadata.continue)}`,
  );
  expect([names(third), third.body.metadata.continue]).toEqual([['c5'], undefined]);
});

test('KN-152: an exact resourceVersion shows that state', async () => {
  const { resourceVersion } = (await client.get(CONFIG_MAPS)).body.metadata;
  await client.post(CONFIG_MAPS, configMap('later'));
  const query = `resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`;
  const exact = await client.get(`${CONFIG_MAPS}?${query}`);
  expect(names(exact)).not.toContain('later');
  const newer = await client.get(`${CONFIG_MAPS}?resourceVersion=${resourceVersion}`);
  expect(names(newer)).toContain('later');
});

test('KN-153: a token whose snapshot is gone is 410 with a token to go on without it', async () => {
  const first = await client.get(`${CONFIG_MAPS}?limit=1`);
  for (let index = 0; index < 60; index += 1) {
    await client.merge(`${CONFIG_MAPS}/c1`, { data: { n: String(index) } });
  }
  const token = encodeURIComponent(first.body.metadata.continue);
  const gone = await client.get(`${CONFIG_MAPS}?limit=1&continue=${token}`);
  expect(gone.body).toMatchObject({ code: 410, reason: 'Expired' });
  const fresh = encodeURIComponent(gone.body.metadata.continue);
  expect((await client.get(`${CONFIG_MAPS}?limit=1&continue=${fresh}`)).code).toBe(200);
});

test.each([
  ['continue=nonsense', 400, 'continue key is not valid'],
  ['resourceVersionMatch=Exact', 422, 'resourceVersionMatch is forbidden unless'],
  ['resourceVersion=0&resourceVersionMatch=Exact', 422, 'is forbidden for resourceVersion "0"'],
  ['limit=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
  ['fieldSelector=spec.x%3Dy', 400, '"spec.x" is not a known field selector: only'],
])('KN-152 to KN-154: %s is %i', async (query, code, message) => {
  const { body } = await client.get(`${CONFIG_MAPS}?${query}`);
  expect(body.code).toBe(code);
  expect(body.message).toContain(message);
});

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

test('KN-140 to KN-142: a Knative kind is a table of its columns', async () => {
  await client.post(SERVICES, knativeService('shown'));
  const ready = { type: 'Ready', status: 'False', reason: 'Broken', message: 'm' };
  const status = { url: 'http://shown', conditions: [ready] };
  await client.merge(`${SERVICES}/shown/status`, { status });
  const { body } = await client.get(SERVICES, { accept: TABLE });
  expect(body).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
  const [name, ...rest] = body.columnDefinitions;
  expect(name).toMatchObject({ name: 'Name', type: 'string', format: 'name', priority: 0 });
  expect(rest.map((column: { name: string }) => column.name)).toEqual([
    'URL',
    'LatestCreated',
    'LatestReady',
    'Ready',
    'Reason',
  ]);
  expect(body.rows[0].cells).toEqual(['shown', 'http://shown', null, null, 'False', 'Broken']);
  expect(body.rows[0].object.kind).toBe('PartialObjectMetadata');
  const full = await client.get(`${SERVICES}?includeObject=Object`, { accept: TABLE });
  expect(full.body.rows[0].object.kind).toBe('Service');
  const none = await client.get(`${SERVICES}/shown?includeObject=None`, { accept: TABLE });
  expect(none.body.rows[0].object).toBeNull();
});
