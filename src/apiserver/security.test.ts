// Who is let in and what is refused before it is looked at.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiServer } from './start.ts';
import { CONFIG_MAPS, configMap, startTestServer, TestClient } from './testing/harness.ts';

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
  ['no token', { authorization: '' }, 401],
  ['a wrong token', { authorization: 'Bearer x' }, 401],
  ['an Origin', { origin: 'https://evil.example' }, 403],
  ['a foreign Host', { host: 'evil.example' }, 403],
  ['a foreign Host with a port', { host: 'evil.example:6443' }, 403],
  ['KN-3 impersonation', { 'impersonate-user': 'admin' }, 403],
])('%s is refused', async (_what, headers, code) => {
  const { body } = await client.get(CONFIG_MAPS, { headers });
  expect(body).toMatchObject({ kind: 'Status', status: 'Failure', code });
});

test.each(['localhost:1', '127.0.0.1', '[::1]:6443', 'LOCALHOST'])(
  'host %s is ours',
  async (host) => {
    expect((await client.get(CONFIG_MAPS, { headers: { host } })).code).toBe(200);
  },
);

test('KN-240: version and health need no token, but still refuse web pages', async () => {
  const headers = { authorization: '' };
  for (const path of ['/healthz', '/livez', '/readyz']) {
    expect((await client.get(path, { headers })).text).toBe('ok');
  }
  const { body } = await client.get('/version', { headers });
  expect(body).toMatchObject({ major: '1', gitVersion: expect.stringMatching(/^v1\.\d+\.\d+/) });
  expect((await client.get('/healthz', { headers: { origin: 'https://x' } })).code).toBe(403);
});

test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])(
  'KN-131: a body of type %s is 415, since a web form could send it',
  async (type) => {
    const { body } = await client.post(CONFIG_MAPS, configMap('form'), { type });
    expect(body).toMatchObject({ code: 415, reason: 'UnsupportedMediaType' });
    expect(body.message).toContain('the body of the request was in an unknown format');
  },
);

test('KN-211: a body above 3 MiB is 413', async () => {
  const big = randomBytes(2 * 1024 * 1024)
    .toString('base64')
    .repeat(2);
  const { body } = await client.post(CONFIG_MAPS, configMap('big', { big }));
  expect(body).toMatchObject({ code: 413, reason: 'RequestEntityTooLarge' });
});

test('KN-211: an object above the stored limit is 413', async () => {
  const { body } = await client.post(CONFIG_MAPS, configMap('big', { big: 'x'.repeat(2 ** 21) }));
  expect(body).toMatchObject({ code: 413, reason: 'RequestEntityTooLarge' });
});

test.each([
  ['not JSON', '{'],
  ['a prototype', '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"p"},"__proto__":{}}'],
  ['no object', '[]'],
  ['no kind', '{"apiVersion":"v1","metadata":{"name":"k"}}'],
])('a body that is %s is 400', async (_what, text) => {
  const { body } = await client.post(CONFIG_MAPS, Buffer.from(text));
  expect(body).toMatchObject({ code: 400, reason: 'BadRequest' });
});

test('KN-130: unacceptable answers are 406, YAML and metadata are served', async () => {
  await client.post(CONFIG_MAPS, configMap('forms', { a: 'b' }));
  const path = `${CONFIG_MAPS}/forms`;
  const none = await client.get(path, { accept: 'application/vnd.kubernetes.protobuf' });
  expect(none.body).toMatchObject({ code: 406, reason: 'NotAcceptable' });
  const both = 'application/vnd.kubernetes.protobuf,application/json';
  expect((await client.get(path, { accept: both })).body.kind).toBe('ConfigMap');
  expect((await client.get(path, { accept: 'application/yaml' })).text).toContain('a: b');
  const partial = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io';
  const { body } = await client.get(path, { accept: partial });
  expect([body.kind, body.data, body.metadata.name]).toEqual([
    'PartialObjectMetadata',
    undefined,
    'forms',
  ]);
});

test('KN-2: long lists are compressed for clients that take gzip', async () => {
  const text = 'x'.repeat(100_000);
  await client.post(CONFIG_MAPS, configMap('long-1', { text }));
  await client.post(CONFIG_MAPS, configMap('long-2', { text }));
  const { headers } = await client.get(CONFIG_MAPS, { headers: { 'accept-encoding': 'gzip' } });
  expect(headers['content-encoding']).toBe('gzip');
  expect(Number(headers['content-length'])).toBeLessThan(100_000);
});
