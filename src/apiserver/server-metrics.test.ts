// What the server counts of itself, asked over HTTPS as a person or a scraper would.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConfigMap, KnativeService } from '../api/kinds.ts';
import { MAX_REQUEST_SERIES, MAX_WATCH_CLIENTS, ServerMetrics } from './server-metrics.ts';
import type { ApiServer } from './start.ts';
import { ObjectStore } from './store/object-store.ts';
import { startTestServer, TestClient } from './testing/harness.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

let server: ApiServer;
let client: TestClient;

beforeEach(async () => {
  server = await startTestServer();
  client = new TestClient(server);
});

afterEach(async () => {
  client.close();
  await server.stop();
});

const page = async (): Promise<string> => (await client.get('/metrics')).text;
const series = (verb: string, code: number, subresource = ''): string =>
  `apiserver_request_total{code="${code}",group="",resource="configmaps",` +
  `subresource="${subresource}",verb="${verb}",version="v1"}`;

test('requests are counted by verb, resource and code, refusals too', async () => {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } };
  await client.post(CONFIG_MAPS, object);
  await client.post(CONFIG_MAPS, object);
  await client.get(`${CONFIG_MAPS}/a`);
  await client.get(CONFIG_MAPS);
  await client.get(`${CONFIG_MAPS}/a/"odd"`);
  const type = 'application/apply-patch+yaml';
  const path = `${CONFIG_MAPS}/a?fieldManager=test&force=true`;
  await client.call('PATCH', path, { body: { ...object, data: { k: 'v' } }, type });
  await client.call('DELETE', CONFIG_MAPS);
  const text = await page();
  for (const line of [
    `${series('POST', 201)} 1`,
    `${series('POST', 409)} 1`,
    `${series('GET', 200)} 1`,
    `${series('LIST', 200)} 1`,
    `${series('GET', 404, 'OTHER')} 1`,
    `${series('APPLY', 200)} 1`,
    `${series('DELETECOLLECTION', 200)} 1`,
    'apiserver_storage_objects{resource="configmaps"} 0',
    'apiserver_storage_objects{resource="namespaces"} 2',
  ]) {
    expect(text.split('\n')).toContain(line);
  }
  expect(text).toMatch(/^pilotlight_apiserver_revision \d+$/m);
});

test('D8: open watches are counted by program and kind until they end', async () => {
  const headers = { 'user-agent': 'kubectl/v1.31.0 (linux/amd64)' };
  const watch = await client.watch(`${CONFIG_MAPS}?watch=true`, { headers });
  const line = 'pilotlight_apiserver_watches{client="kubectl",resource="configmaps"} 1';
  await expect.poll(page).toContain(line);
  watch.close();
  await expect.poll(page).not.toContain('pilotlight_apiserver_watches{');
});

test('clients cannot add series without end', () => {
  const metrics = new ServerMetrics(
    new ObjectStore({ kinds: [], loaded: { revision: 0, objects: new Map() }, backend: null }),
  );
  const request = { method: 'GET', kind: ConfigMap, name: 'a', subresource: '', form: '' } as const;
  for (let code = 0; code < MAX_REQUEST_SERIES + 10; code += 1) metrics.count({ ...request, code });
  const ends = Array.from({ length: MAX_WATCH_CLIENTS + 10 }, (_unused, index) =>
    metrics.watchOpened(KnativeService, `program-${index}/1`),
  );
  const lines = metrics.text().split('\n');
  expect(lines).toContain('apiserver_request_total{verb="OTHER"} 10');
  expect(lines.filter((line) => line.includes('client="program-'))).toHaveLength(64);
  expect(lines.find((line) => line.includes('client="_OTHER"'))).toMatch(/ 10$/);
  for (const end of ends) end();
  expect(metrics.text()).not.toContain('client=');
});
