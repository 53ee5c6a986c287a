// Create, update, patch and scale over HTTPS: what clients rely on, and every refusal they can
// meet.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiServer } from './start.ts';
import {
  CONFIG_MAPS,
  configMap,
  DEPLOYMENTS,
  knativeService,
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

test('KN-170: create answers 201 with everything the server sets', async () => {
  const { code, body } = await client.post(SERVICES, knativeService('created'));
  expect(code).toBe(201);
  expect(body.metadata).toEqual({
    name: 'created',
    namespace: 'default',
    uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
    generation: 1,
    resourceVersion: expect.stringMatching(/^[1-9]\d*$/),
    creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    managedFields: expect.any(Array),
  });
  expect((await client.get(`${SERVICES}/created`)).body).toEqual(body);
});

test('KN-170: generateName appends five letters', async () => {
  const object = { ...configMap(''), metadata: { generateName: 'made-' } };
  const { body } = await client.post(CONFIG_MAPS, object);
  expect(body.metadata.name).toMatch(/^made-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
});

test.each([
  ['twice', configMap('exists'), 409, 'AlreadyExists', 'configmaps "exists" already exists'],
  [
    'with a resourceVersion',
    { ...configMap('x'), metadata: { name: 'x', resourceVersion: '1' } },
    400,
    'BadRequest',
    'resourceVersion should not be set on objects to be created',
  ],
  ['of another kind', knativeService('x'), 400, 'BadRequest', 'the API version in the data'],
  [
    'for another namespace',
    { ...configMap('x'), metadata: { name: 'x', namespace: 'other' } },
    400,
    'BadRequest',
    'the namespace of the provided object does not match',
  ],
  ['without a name', configMap(''), 422, 'Invalid', 'name or generateName is required'],
  ['with a bad name', configMap('Not_Good'), 422, 'Invalid', 'a lowercase RFC 1123 subdomain'],
  [
    'with a bad label',
    { ...configMap('x'), metadata: { name: 'x', labels: { 'a b': 'c' } } },
    422,
    'Invalid',
    'metadata.labels: Invalid value: "a b"',
  ],
])('KN-170, KN-211: create %s is refused', async (_what, object, code, reason, message) => {
  await client.post(CONFIG_MAPS, configMap('exists'));
  const { body } = await client.post(CONFIG_MAPS, object);
  expect(body).toMatchObject({ kind: 'Status', status: 'Failure', code, reason });
  expect(body.message).toContain(message);
});

test('KN-170: a missing namespace is a 404 naming it', async () => {
  const { body } = await client.post('/api/v1/namespaces/nowhere/configmaps', configMap('x'));
  expect(body).toMatchObject({ code: 404, message: 'namespaces "nowhere" not found' });
});

test('KN-101: a missing object is a Status, a missing API is plain text', async () => {
  const missing = await client.get(`${SERVICES}/nobody`);
  expect(missing.body).toEqual({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'services.serving.knative.dev "nobody" not found',
    reason: 'NotFound',
    details: { name: 'nobody', group: 'serving.knative.dev', kind: 'services' },
    code: 404,
  });
  const unknown = await client.get('/apis/eventing.knative.dev/v1/namespaces/default/brokers');
  expect(unknown.code).toBe(404);
  expect(unknown.headers['content-type']).toContain('text/plain');
  expect(unknown.text).toContain('404 page not found');
});

test('KN-172: generation moves exactly when the spec does', async () => {
  const { body: created } = await client.post(SERVICES, knativeService('gen'));
  const relabelled = await client.merge(`${SERVICES}/gen`, { metadata: { labels: { a: 'b' } } });
  expect(relabelled.body.metadata.generation).toBe(1);
  const status = { ...relabelled.body, spec: {}, status: { observedGeneration: 1 } };
  const reported = await client.put(`${SERVICES}/gen/status`, status);
  expect(reported.body).toMatchObject({
    metadata: { generation: 1 },
    spec: created.spec,
    status: { observedGeneration: 1 },
  });
  const main = { spec: { template: { spec: { timeoutSeconds: 7 } } }, status: { url: 'x' } };
  const changed = await client.merge(`${SERVICES}/gen`, main);
  expect(changed.body.metadata.generation).toBe(2);
  expect(changed.body.status).toEqual({ observedGeneration: 1 });
});

test('KN-150: a write without effect changes nothing', async () => {
  const { body } = await client.post(CONFIG_MAPS, configMap('still', { a: 'b' }));
  const again = await client.merge(`${CONFIG_MAPS}/still`, { data: { a: 'b' } });
  expect(again.body).toEqual(body);
  const put = await client.put(`${CONFIG_MAPS}/still`, body);
  expect(put.body).toEqual(body);
});

test('KN-171: PUT checks resourceVersion, uid and name', async () => {
  const { body } = await client.post(SERVICES, knativeService('put'));
  await client.merge(`${SERVICES}/put`, { metadata: { labels: { moved: 'on' } } });
  const stale = await client.put(`${SERVICES}/put`, body);
  expect(stale.body).toMatchObject({
    code: 409,
    reason: 'Conflict',
    message:
      'Operation cannot be fulfilled on services.serving.knative.dev "put": the object has been ' +
      'modified; please apply your changes to the latest version and try again',
  });
  const without = await client.put(`${SERVICES}/put`, knativeService('put'));
  expect(without.body).toMatchObject({ code: 422 });
  expect(without.body.message).toContain(
    'metadata.resourceVersion: Invalid value: 0: must be specified for an update',
  );
  const other = {
    ...knativeService('put'),
    metadata: { name: 'put', uid: 'x', resourceVersion: '1' },
  };
  expect((await client.put(`${SERVICES}/put`, other)).code).toBe(409);
  expect((await client.put(`${SERVICES}/other`, body)).code).toBe(400);
  expect((await client.put(`${CONFIG_MAPS}/nothing`, configMap('nothing'))).code).toBe(404);
});

test('KN-171: core kinds may be replaced without resourceVersion', async () => {
  await client.post(CONFIG_MAPS, configMap('free', { a: '1' }));
  const { code, body } = await client.put(`${CONFIG_MAPS}/free`, configMap('free', { b: '2' }));
  expect([code, body.data]).toEqual([200, { b: '2' }]);
});

test('KN-283: two PUTs with one resourceVersion give one 200 and one 409', async () => {
  const { body } = await client.post(SERVICES, knativeService('race'));
  const put = (label: string) =>
    client.put(`${SERVICES}/race`, { ...body, metadata: { ...body.metadata, labels: { label } } });
  const codes = (await Promise.all([put('a'), put('b')])).map(({ code }) => code);
  expect(codes.sort()).toEqual([200, 409]);
});

test('KN-283: patches without resourceVersion racing each other lose nothing', async () => {
  await client.post(CONFIG_MAPS, configMap('many'));
  const keys = Array.from({ length: 40 }, (_, index) => `k${index}`);
  const answers = await Promise.all(
    keys.map((key) => client.merge(`${CONFIG_MAPS}/many`, { data: { [key]: 'x' } })),
  );
  expect(answers.every(({ code }) => code === 200)).toBe(true);
  const { body } = await client.get(`${CONFIG_MAPS}/many`);
  expect(Object.keys(body.data).sort()).toEqual([...keys].sort());
});

test('KN-174: a patch naming a resourceVersion is conditional', async () => {
  const { body } = await client.post(CONFIG_MAPS, configMap('conditional'));
  const patch = { metadata: { resourceVersion: body.metadata.resourceVersion }, data: { a: '1' } };
  expect((await client.merge(`${CONFIG_MAPS}/conditional`, patch)).code).toBe(200);
  patch.data.a = '2';
  expect((await client.merge(`${CONFIG_MAPS}/conditional`, patch)).code).toBe(409);
});

test('KN-173: strategic merge is 415 for Knative kinds, with the text kubectl prints', async () => {
  await client.post(SERVICES, knativeService('strategic'));
  const type = 'application/strategic-merge-patch+json';
  const { body } = await client.call('PATCH', `${SERVICES}/strategic`, { body: {}, type });
  expect(body).toMatchObject({
    code: 415,
    reason: 'UnsupportedMediaType',
    message:
      'the body of the request was in an unknown format - accepted media types include: ' +
      'application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
  });
});

test('KN-175: a dry run answers like the real thing and stores nothing', async () => {
  const made = await client.post(`${CONFIG_MAPS}?dryRun=All`, configMap('dry'));
  expect([made.code, made.body.metadata.uid !== undefined]).toEqual([201, true]);
  expect((await client.get(`${CONFIG_MAPS}/dry`)).code).toBe(404);
  await client.post(CONFIG_MAPS, configMap('dry', { a: '1' }));
  const patched = await client.merge(`${CONFIG_MAPS}/dry?dryRun=All`, { data: { a: '2' } });
  expect(patched.body.data).toEqual({ a: '2' });
  expect((await client.delete(`${CONFIG_MAPS}/dry?dryRun=All`)).code).toBe(200);
  expect((await client.get(`${CONFIG_MAPS}/dry`)).body.data).toEqual({ a: '1' });
  expect((await client.post(`${CONFIG_MAPS}?dryRun=Some`, configMap('x'))).code).toBe(422);
});

test('KN-176: unknown and duplicate fields are refused, warned about or dropped', async () => {
  const object = { ...knativeService('strict'), extra: 1 };
  const strict = await client.post(`${SERVICES}?fieldValidation=Strict`, {
    ...object,
    spec: { template: {}, colour: 'red' },
  });
  expect(strict.body).toMatchObject({ code: 400, reason: 'BadRequest' });
  expect(strict.body.message).toContain('strict decoding error: unknown field "');
  expect(strict.body.message).toContain('unknown field "spec.colour"');
  expect(strict.body.message).toContain('unknown field "extra"');
  const twice = Buffer.from(
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d"},"data":{"a":"1","a":"2"}}',
  );
  const duplicate = await client.post(`${CONFIG_MAPS}?fieldValidation=Strict`, twice);
  expect(duplicate.body.message).toContain('duplicate field "data.a"');
  const warned = await client.post(SERVICES, object);
  expect(warned.code).toBe(201);
  expect(warned.body.extra).toBeUndefined();
  expect(warned.headers['warning']).toBe('299 - "unknown field \\"extra\\""');
  const ignored = await client.post(`${SERVICES}?fieldValidation=Ignore`, {
    ...object,
    metadata: { name: 'ignored' },
  });
  expect([ignored.code, ignored.headers['warning']]).toEqual([201, undefined]);
});

test('KN-177: last-applied is kept byte for byte, annotations are limited in total', async () => {
  const key = 'kubectl.kubernetes.io/last-applied-configuration';
  const value = '{"a":  "ä\\u00e4",\n "b":1}\n';
  const object = {
    ...configMap('applied'),
    metadata: { name: 'applied', annotations: { [key]: value } },
  };
  const { body } = await client.post(CONFIG_MAPS, object);
  expect(body.metadata.annotations[key]).toBe(value);
  const big = { metadata: { annotations: { big: 'x'.repeat(256 * 1024) } } };
  expect((await client.merge(`${CONFIG_MAPS}/applied`, big)).code).toBe(422);
});

const deployment = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { spec: { containers: [{ name: 'user', image: 'x' }] } },
  },
});

test('KN-230, AS-137: scale is read, merged and patched as autoscaling/v1 Scale', async () => {
  await client.post(DEPLOYMENTS, deployment('scaled'));
  const { body } = await client.get(`${DEPLOYMENTS}/scaled/scale`);
  expect(body).toMatchObject({
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name: 'scaled', namespace: 'default' },
    spec: { replicas: 1 },
    status: { replicas: 0, selector: 'app=scaled' },
  });
  const patched = await client.call('PATCH', `${DEPLOYMENTS}/scaled/scale`, {
    body: [{ op: 'add', path: '/spec/replicas', value: 0 }],
    type: 'application/json-patch+json',
  });
  expect([patched.code, patched.body.kind, patched.body.spec]).toEqual([
    200,
    'Scale',
    { replicas: 0 },
  ]);
  await client.merge(`${DEPLOYMENTS}/scaled/scale`, { spec: { replicas: 4 } });
  const scaled = await client.get(`${DEPLOYMENTS}/scaled`);
  expect([scaled.body.spec.replicas, scaled.body.metadata.generation]).toEqual([4, 3]);
  const stale = await client.put(`${DEPLOYMENTS}/scaled/scale`, body);
  expect(stale.body.reason).toBe('Conflict');
  expect((await client.merge(`${DEPLOYMENTS}/scaled/scale`, { spec: { replicas: -1 } })).code).toBe(
    422,
  );
});

test('KN-173: rollout restart merges one annotation into the pod template', async () => {
  await client.post(DEPLOYMENTS, deployment('restarted'));
  const annotations = { 'kubectl.kubernetes.io/restartedAt': 'now' };
  const { body } = await client.call('PATCH', `${DEPLOYMENTS}/restarted`, {
    body: { spec: { template: { metadata: { annotations } } } },
    type: 'application/strategic-merge-patch+json',
  });
  expect(body.spec.template).toEqual({
    metadata: { annotations },
    spec: { containers: [{ name: 'user', image: 'x' }] },
  });
});

test('a Secret takes stringData and shows data', async () => {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's' },
    stringData: { a: 'b' },
  };
  const { body } = await client.post('/api/v1/namespaces/default/secrets', secret);
  expect([body.type, body.data, body.stringData]).toEqual(['Opaque', { a: 'Yg==' }, undefined]);
});

test('KN-211: a method a path does not take is 405', async () => {
  expect((await client.put(CONFIG_MAPS, configMap('x'))).body).toMatchObject({
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
  });
});

test('KN-178: a denial reaches the client with the code and text of the plugin', async () => {
  const denying = await startTestServer({
    admission: {
      admit: ({ object, operation }) =>
        object.kind === 'ConfigMap'
          ? {
              allowed: false,
              code: 400,
              reason: 'BadRequest',
              message: `admission webhook "x" denied the request: ${operation}`,
            }
          : { allowed: true, object, warnings: ['careful'] },
    },
  });
  const asking = new TestClient(denying);
  const { body } = await asking.post(CONFIG_MAPS, configMap('x'));
  expect(body).toMatchObject({
    code: 400,
    reason: 'BadRequest',
    message: 'admission webhook "x" denied the request: CREATE',
  });
  const warned = await asking.post(SERVICES, knativeService('x'));
  expect(warned.headers['warning']).toBe('299 - "careful"');
  asking.close();
  await denying.stop();
});

test('a status write takes annotations along for built-in kinds, not for Knative kinds', async () => {
  const metadata = { name: 'annotated' };
  const pods = '/api/v1/namespaces/default/pods';
  const spec = { containers: [{ name: 'c', image: 'i' }] };
  await client.post(pods, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
  await client.post(SERVICES, knativeService('annotated'));
  const patch = { metadata: { annotations: { a: 'b' } }, status: { podIP: '127.1.0.1' } };
  const pod = await client.merge(`${pods}/annotated/status`, patch);
  expect([pod.body.metadata.annotations, pod.body.status.podIP]).toEqual([{ a: 'b' }, '127.1.0.1']);
  const service = await client.merge(`${SERVICES}/annotated/status`, patch);
  expect(service.body.metadata.annotations).toBeUndefined();
});
