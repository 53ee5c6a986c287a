// Everything that is not an object: discovery, OpenAPI, logs, protobuf bodies, reviews,
// services/proxy.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ALL_KINDS } from '../api/kinds.ts';
import { PodLogError, type PodLogOptions } from './pod-logs.ts';
import type { ApiServer } from './start.ts';
import { CONFIG_MAPS, PODS, startTestServer, TestClient } from './testing/harness.ts';

let server: ApiServer;
let client: TestClient;
const opened: { container: string; options: PodLogOptions }[] = [];

beforeAll(async () => {
  server = await startTestServer({
    podLogs: {
      open(_namespace, _pod, container, options) {
        opened.push({ container, options });
        if (container === 'waiting') {
          throw new PodLogError(400, `container "waiting" in pod "p" is waiting to start: x`);
        }
        return Readable.from(['one\n', 'two\n']);
      },
    },
  });
  client = new TestClient(server);
  const containers = [{ name: 'user' }, { name: 'waiting' }];
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { containers } };
  await client.post(PODS, pod);
});

afterAll(async () => {
  client.close();
  await server.stop();
});

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

test('KN-110: aggregated discovery lists every kind, core services first', async () => {
  const accept = `${AGGREGATED},${AGGREGATED.replace('v=v2', 'v=v2beta1')},application/json`;
  const core = await client.get('/api', { accept });
  const groups = await client.get('/apis', { accept });
  expect(core.headers['content-type']).toBe(AGGREGATED);
  expect(core.body.items).toHaveLength(1);
  const resources = [...core.body.items, ...groups.body.items].flatMap(
    (group: { versions: { resources: { resource: string; responseKind: object }[] }[] }) =>
      group.versions.flatMap((version) => version.resources),
  );
  for (const { group, version, kind, plural } of ALL_KINDS) {
    const responseKind = { group, version, kind };
    expect(resources).toContainEqual(expect.objectContaining({ resource: plural, responseKind }));
  }
  const deployments = resources.find(({ resource }) => resource === 'deployments');
  expect(deployments).toMatchObject({
    scope: 'Namespaced',
    singularResource: 'deployment',
    shortNames: ['deploy'],
    categories: ['all'],
  });
});

test('KN-111, KN-112: beta and legacy documents, with an ETag', async () => {
  const beta = await client.get('/apis', { accept: AGGREGATED.replace('v=v2', 'v=v2beta1') });
  expect(beta.body.apiVersion).toBe('apidiscovery.k8s.io/v2beta1');
  expect((await client.get('/api')).body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
  const legacy = await client.get('/apis');
  expect(legacy.body.kind).toBe('APIGroupList');
  expect(legacy.headers['vary']).toBe('Accept');
  const headers = { 'if-none-match': String(legacy.headers['etag']) };
  expect((await client.get('/apis', { headers })).code).toBe(304);
  const group = await client.get('/apis/serving.knative.dev');
  expect(group.body.preferredVersion.version).toBe('v1');
  const { body } = await client.get('/apis/serving.knative.dev/v1');
  expect(body.resources).toContainEqual(expect.objectContaining({ name: 'services/status' }));
});

test('KN-120 to KN-122: OpenAPI v3 has the patch operation kubectl inspects', async () => {
  const index = await client.get('/openapi/v3');
  const url: string = index.body.paths['apis/serving.knative.dev/v1'].serverRelativeURL;
  const document = await client.get(url);
  expect(document.headers['cache-control']).toBe('public, immutable');
  const path = '/apis/serving.knative.dev/v1/namespaces/{namespace}/services/{name}';
  const { patch } = document.body.paths[path];
  const gvk = { group: 'serving.knative.dev', version: 'v1', kind: 'Service' };
  expect(patch['x-kubernetes-group-version-kind']).toEqual(gvk);
  expect(patch.parameters.map(({ name }: { name: string }) => name)).toContain('fieldValidation');
  const stale = await client.get(`${url.split('?')[0]}?hash=OLD`);
  expect([stale.code, stale.headers['location']]).toEqual([301, url]);
});

test('KN-123: OpenAPI v2 is there as JSON, and valid but empty as protobuf', async () => {
  const protobuf = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
  const none = await client.get('/openapi/v2', { accept: protobuf });
  expect([none.code, none.headers['content-type']]).toEqual([200, protobuf.replace('@', '.')]);
  expect(none.text).toBe('\n\u00032.0\u0012\u0010\n\nPilotlight\u0012\u0002v1B\u0000J\u0000');
  const { body: v2 } = await client.get('/openapi/v2', { accept: 'application/json' });
  expect(v2.swagger).toBe('2.0');
  expect(v2.definitions['io.k8s.api.core.v1.Pod'].properties.metadata.$ref).toBe(
    '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
  );
  const path = '/apis/serving.knative.dev/v1/namespaces/{namespace}/services/{name}';
  expect(v2.paths[path].parameters.map(({ name }: { name: string }) => name)).toEqual([
    'namespace',
    'name',
  ]);
  expect(v2.paths[path].patch['x-kubernetes-group-version-kind'].kind).toBe('Service');
  expect(JSON.stringify(v2)).not.toContain('#/components/');
});

test('KN-231: logs stream what the source gives, with the parameters it understands', async () => {
  const query = 'container=user&follow=true&tailLines=5&timestamps=true&sinceSeconds=60';
  const { code, text } = await client.get(`${PODS}/p/log?${query}`);
  expect([code, text]).toEqual([200, 'one\ntwo\n']);
  const last = opened.at(-1);
  expect(last?.container).toBe('user');
  expect(last?.options).toMatchObject({
    follow: true,
    previous: false,
    tailLines: 5,
    timestamps: true,
  });
  expect(last?.options.sinceTimeMs).toBeLessThan(Date.now() - 50_000);
  expect((await client.get(`${PODS}/p/log?container=user&limitBytes=5`)).text).toBe('one\nt');
});

test.each([
  ['p/log?container=waiting', 400, 'is waiting to start'],
  ['p/log', 400, 'a container name must be specified for pod p, choose one of: [user waiting]'],
  ['p/log?container=none', 400, 'container none is not valid for pod p'],
  ['q/log', 404, 'pods "q" not found'],
  ['p/exec?command=ls', 400, 'Upgrade request required'],
])('KN-231, KN-232: %s is %i', async (path, code, message) => {
  const { body } = await client.get(`${PODS}/${path}`);
  expect(body.code).toBe(code);
  expect(body.message).toContain(message);
});

/** KN-135: magic, then Unknown { typeMeta, raw }. */
function envelope(apiVersion: string, kind: string, raw: Uint8Array): Buffer {
  const typeMeta = new BinaryWriter()
    .uint32(10)
    .string(apiVersion)
    .uint32(18)
    .string(kind)
    .finish();
  const unknown = new BinaryWriter().uint32(10).bytes(typeMeta).uint32(18).bytes(raw).finish();
  return Buffer.concat([Buffer.from('k8s\0'), unknown]);
}

const PROTOBUF = { type: 'application/vnd.kubernetes.protobuf' };

test('KN-135: a ConfigMap sent as protobuf is stored like one sent as JSON', async () => {
  const metadata = new BinaryWriter().uint32(10).string('binary').finish();
  const entry = new BinaryWriter().uint32(10).string('k').uint32(18).string('ü').finish();
  const raw = new BinaryWriter().uint32(10).bytes(metadata).uint32(18).bytes(entry).finish();
  const { code, body } = await client.post(CONFIG_MAPS, envelope('v1', 'ConfigMap', raw), PROTOBUF);
  expect([code, body.metadata.name, body.data]).toEqual([201, 'binary', { k: 'ü' }]);
});

test('KN-135: protobuf of a kind without field numbers is 415, broken bytes are 400', async () => {
  const other = envelope('batch/v1', 'Job', new Uint8Array());
  expect((await client.post(CONFIG_MAPS, other, PROTOBUF)).code).toBe(415);
  const broken = envelope('v1', 'ConfigMap', new Uint8Array([10, 200, 1]));
  expect((await client.post(CONFIG_MAPS, broken, PROTOBUF)).code).toBe(400);
  expect((await client.post(CONFIG_MAPS, Buffer.from('x'), PROTOBUF)).code).toBe(400);
});

test('KN-241: reviews are answered, not stored', async () => {
  const access = await client.post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { verb: 'get', resource: 'pods' } },
  });
  expect([
    access.code,
    access.body.status.allowed,
    access.body.spec.resourceAttributes.verb,
  ]).toEqual([201, true, 'get']);
  const path = '/apis/authentication.k8s.io/v1/tokenreviews';
  const wrong = await client.post(path, { spec: { token: 'x' } });
  const right = await client.post(path, { spec: { token: server.token } });
  expect([wrong.body.status.authenticated, right.body.status.user.username]).toEqual([
    false,
    'tester',
  ]);
});

test('services/proxy reaches the first ready endpoint, without the token', async () => {
  const upstream = createServer((request, response) => {
    response.writeHead(203, { 'x-upstream': 'yes' });
    response.end(`${request.method} ${request.url} ${request.headers.authorization ?? 'none'}`);
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const { port } = upstream.address() as AddressInfo;
  const metadata = { name: 'autoscaler' };
  const base = '/api/v1/namespaces/default';
  const ports = [{ name: 'http', port: 8080 }];
  await client.post(`${base}/services`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { ports },
  });
  const path = `${base}/services/autoscaler:http/proxy/decisions/ns/rev?limit=1`;
  expect((await client.get(path)).body).toMatchObject({ code: 503, reason: 'ServiceUnavailable' });
  const subsets = [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ name: 'http', port }] }];
  await client.post(`${base}/endpoints`, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata,
    subsets,
  });
  const answer = await client.get(path);
  expect([answer.code, answer.headers['x-upstream'], answer.text]).toEqual([
    203,
    'yes',
    'GET /decisions/ns/rev?limit=1 none',
  ]);
  expect((await client.get(path.replace(':http', ':8080'))).code).toBe(203);
  expect((await client.get(path.replace('autoscaler', 'nobody'))).code).toBe(404);
  upstream.close();
});
