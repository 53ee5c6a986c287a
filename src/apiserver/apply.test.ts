// Server-side apply and field ownership over HTTPS (KN-190 to KN-195), as clients see it.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiServer } from './start.ts';
import {
  type Answer,
  CONFIG_MAPS,
  configMap,
  DEPLOYMENTS,
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

function apply(path: string, manager: string, body: unknown, force = false): Promise<Answer> {
  const query = manager === '' ? '' : `?fieldManager=${manager}${force ? '&force=true' : ''}`;
  return client.call('PATCH', `${path}${query}`, { body, type: 'application/apply-patch+yaml' });
}

interface Entry {
  manager: string;
  operation: string;
  subresource?: string;
  fieldsV1: object;
}

/** `manager/operation[/subresource]` with its fields. */
function owners(answer: Answer): Record<string, object> {
  const entries = (answer.body.metadata.managedFields ?? []) as Entry[];
  return Object.fromEntries(
    entries.map(({ manager, operation, subresource, fieldsV1 }) => [
      [manager, operation, subresource].filter(Boolean).join('/'),
      fieldsV1,
    ]),
  );
}

test('KN-190: apply creates with 201 and merges with 200; the body may be YAML', async () => {
  const yaml = Buffer.from(
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made}\ndata: {a: "1"}\n',
  );
  const made = await apply(`${CONFIG_MAPS}/made`, 'm', yaml);
  expect([made.code, made.body.data]).toEqual([201, { a: '1' }]);
  const again = await apply(`${CONFIG_MAPS}/made`, 'm', configMap('made', { a: '1' }));
  expect([again.code, again.body.metadata.resourceVersion]).toEqual([
    200,
    made.body.metadata.resourceVersion,
  ]);
});

test('KN-192: every write is recorded with manager, operation, version and time', async () => {
  const path = `${CONFIG_MAPS}/owned`;
  const body = {
    ...configMap('owned', { a: '1' }),
    metadata: { name: 'owned', labels: { l: 'x' } },
  };
  const made = await client.post(`${CONFIG_MAPS}?fieldManager=creator`, body);
  expect(made.body.metadata.managedFields).toEqual([
    {
      manager: 'creator',
      operation: 'Update',
      apiVersion: 'v1',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:data': { '.': {}, 'f:a': {} },
        'f:metadata': { 'f:labels': { '.': {}, 'f:l': {} } },
      },
    },
  ]);
  const patch = { body: { data: { a: '2', b: '3' } }, type: 'application/merge-patch+json' };
  const agent = { ...patch, headers: { 'user-agent': 'my-tool/v1.2 (linux)' } };
  expect(owners(await client.call('PATCH', path, agent))).toEqual({
    'creator/Update': {
      'f:data': {},
      'f:metadata': { 'f:labels': { '.': {}, 'f:l': {} } },
    },
    'my-tool/Update': { 'f:data': { 'f:a': {}, 'f:b': {} } },
  });
});

test('KN-195: what a manager leaves out goes, what others hold or wrote stays', async () => {
  const path = `${CONFIG_MAPS}/shared`;
  await apply(path, 'one', configMap('shared', { a: '1', both: 'x' }));
  await apply(path, 'two', configMap('shared', { b: '2', both: 'x' }));
  await client.merge(path, { data: { manual: 'yes' }, metadata: { labels: { by: 'hand' } } });
  const answer = await apply(path, 'one', configMap('shared', {}));
  expect(answer.body.data).toEqual({ b: '2', both: 'x', manual: 'yes' });
  expect(answer.body.metadata.labels).toEqual({ by: 'hand' });
  expect(owners(answer)['one/Apply']).toEqual({ 'f:data': {} });
});

test("KN-193: another value than the owner's is a conflict, which force takes over", async () => {
  const path = `${CONFIG_MAPS}/fought`;
  await apply(path, 'one', configMap('fought', { a: '1', b: '1' }));
  const one = await apply(path, 'two', configMap('fought', { a: '2' }));
  expect([one.code, one.body.reason, one.body.message]).toEqual([
    409,
    'Conflict',
    'Apply failed with 1 conflict: conflict with "one": .data.a',
  ]);
  expect(one.body.details.causes).toEqual([
    { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.a' },
  ]);
  const two = await apply(path, 'two', configMap('fought', { a: '2', b: '2' }));
  expect(two.body.message).toBe(
    'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b',
  );
  const forced = await apply(path, 'two', configMap('fought', { a: '2' }), true);
  expect(forced.body.data).toEqual({ a: '2', b: '1' });
  expect(owners(forced)).toEqual({
    'one/Apply': { 'f:data': { 'f:b': {} } },
    'two/Apply': { 'f:data': { 'f:a': {} } },
  });
});

test('KN-193: an update is no conflict but takes the field; the next apply conflicts', async () => {
  const path = `${CONFIG_MAPS}/edited`;
  await apply(path, 'one', configMap('edited', { a: '1' }));
  await client.call('PATCH', `${path}?fieldManager=editor`, {
    body: { data: { a: '9' } },
    type: 'application/merge-patch+json',
  });
  const refused = await apply(path, 'one', configMap('edited', { a: '1' }));
  expect(refused.body.message).toBe(
    'Apply failed with 1 conflict: conflict with "editor" using v1: .data.a',
  );
  const agreed = await apply(path, 'one', configMap('edited', { a: '9' }));
  expect(owners(agreed)).toEqual({
    'one/Apply': { 'f:data': { 'f:a': {} } },
    'editor/Update': { 'f:data': { 'f:a': {} } },
  });
});

test('KN-177: kubectl coming from client-side apply does not conflict with itself', async () => {
  const path = `${CONFIG_MAPS}/migrated`;
  const last = 'kubectl.kubernetes.io/last-applied-configuration';
  const config = configMap('migrated', { a: '1' });
  await client.post(`${CONFIG_MAPS}?fieldManager=kubectl-client-side-apply`, {
    ...config,
    metadata: { name: 'migrated', annotations: { [last]: JSON.stringify(config) } },
  });
  const answer = await apply(path, 'kubectl', configMap('migrated', { a: '2' }));
  expect([answer.code, answer.body.data]).toEqual([200, { a: '2' }]);
  expect(JSON.parse(answer.body.metadata.annotations[last]).data).toEqual({ a: '2' });
  const other = await apply(path, 'someone', configMap('migrated', { a: '3' }));
  expect(other.code).toBe(409);
});

const deployment = (name: string, containers: object[], more: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: { selector: { matchLabels: { app: 'd' } }, template: { spec: { containers } }, ...more },
});

test('KN-194: keyed lists merge by key, a dropped item goes', async () => {
  const path = `${DEPLOYMENTS}/d`;
  const first = [
    { name: 'user', image: 'a' },
    { name: 'old', image: 'o' },
  ];
  await apply(path, 'one', deployment('d', first));
  await apply(path, 'two', deployment('d', [{ name: 'proxy', image: 'p' }]));
  const answer = await apply(path, 'one', deployment('d', [{ name: 'user', image: 'b' }]));
  expect(answer.body.spec.template.spec.containers).toEqual([
    { name: 'user', image: 'b' },
    { name: 'proxy', image: 'p' },
  ]);
  expect(owners(answer)['one/Apply']).toEqual({
    'f:spec': {
      'f:selector': {},
      'f:template': {
        'f:spec': {
          'f:containers': { 'k:{"name":"user"}': { '.': {}, 'f:image': {}, 'f:name': {} } },
        },
      },
    },
  });
});

test('KN-194: ports are told apart by number and protocol, the latter defaulted', async () => {
  const ports = [{ containerPort: 80 }, { containerPort: 80, protocol: 'UDP' }];
  const made = await apply(`${DEPLOYMENTS}/p`, 'm', deployment('p', [{ name: 'c', ports }]));
  expect(JSON.stringify(owners(made))).toContain(
    'k:{\\"containerPort\\":80,\\"protocol\\":\\"TCP\\"}',
  );
  expect(JSON.stringify(owners(made))).toContain(
    'k:{\\"containerPort\\":80,\\"protocol\\":\\"UDP\\"}',
  );
});

test('KN-192: spec, status and scale are owned apart', async () => {
  const path = `${DEPLOYMENTS}/s`;
  const made = deployment('s', [{ name: 'c', image: 'i' }], { replicas: 1 });
  await client.post(`${DEPLOYMENTS}?fieldManager=m`, { ...made, status: { replicas: 9 } });
  const patch = (body: object) => ({ body, type: 'application/merge-patch+json' });
  await client.call(
    'PATCH',
    `${path}/status?fieldManager=m`,
    patch({ status: { replicas: 1, conditions: [{ type: 'Available', status: 'True' }] } }),
  );
  await client.call('PATCH', `${path}/scale?fieldManager=m`, patch({ spec: { replicas: 3 } }));
  expect(owners(await client.get(path))).toMatchObject({
    'm/Update': { 'f:spec': expect.not.objectContaining({ 'f:replicas': {} }) },
    'm/Update/scale': { 'f:spec': { 'f:replicas': {} } },
    'm/Update/status': {
      'f:status': {
        'f:conditions': {
          '.': {},
          'k:{"type":"Available"}': { '.': {}, 'f:type': {}, 'f:status': {} },
        },
        'f:replicas': {},
      },
    },
  });
  const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', spec: { replicas: 4 } };
  const refused = await apply(`${path}/scale`, 'hand', { ...scale, metadata: { name: 's' } });
  expect(refused.body.message).toBe(
    'Apply failed with 1 conflict: conflict with "m" with subresource "scale" using apps/v1: ' +
      '.spec.replicas',
  );
  const forced = await apply(`${path}/scale`, 'hand', { ...scale, metadata: { name: 's' } }, true);
  expect(forced.body.spec).toEqual({ replicas: 4 });
});

test('KN-192: defaults of an applied Knative object belong to nobody', async () => {
  const service = (image: string) => ({
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: 'ks' },
    spec: { template: { spec: { containers: [{ image, ports: [{ containerPort: 1 }] }] } } },
  });
  const made = await apply(`${SERVICES}/ks`, 'm', service('i'));
  expect(owners(made)).toEqual({
    'm/Apply': { 'f:spec': { 'f:template': { 'f:spec': { 'f:containers': {} } } } },
  });
  const again = await apply(`${SERVICES}/ks`, 'm', service('i'));
  expect(again.body.metadata.resourceVersion).toBe(made.body.metadata.resourceVersion);
});

test('KN-192: managedFields may be written, reset, and never by a subresource', async () => {
  const path = `${CONFIG_MAPS}/reset`;
  const made = await apply(path, 'm', configMap('reset', { a: '1' }));
  const [entry] = made.body.metadata.managedFields;
  const renamed = await client.merge(path, {
    metadata: { managedFields: [{ ...entry, manager: 'renamed' }] },
  });
  expect(Object.keys(owners(renamed))).toEqual(['renamed/Apply']);
  const kept = await client.merge(path, { metadata: { managedFields: [{ operation: 'No' }] } });
  expect(Object.keys(owners(kept))).toEqual(['renamed/Apply']);
  const forgotten = await client.merge(path, { metadata: { managedFields: [{}] } });
  expect(forgotten.body.metadata.managedFields).toBeUndefined();
  const first = await apply(path, 'm', configMap('reset', { a: '1', b: '2' }));
  expect(owners(first)).toEqual({
    'm/Apply': { 'f:data': { 'f:a': {}, 'f:b': {} } },
    'before-first-apply/Update': { 'f:data': { '.': {}, 'f:a': {} } },
  });
});

test('KN-175: a dry run shows the apply and stores nothing', async () => {
  const path = `${CONFIG_MAPS}/dry`;
  const made = await apply(path, 'm&dryRun=All', configMap('dry', { a: '1' }));
  expect([made.code, (await client.get(path)).code]).toEqual([201, 404]);
  await apply(path, 'm', configMap('dry', { a: '1' }));
  const conflict = await apply(path, 'n&dryRun=All', configMap('dry', { a: '2' }));
  expect(conflict.code).toBe(409);
});

test.each([
  [
    'without a field manager',
    '',
    configMap('x'),
    422,
    'fieldManager: Required value: is required for apply patch',
  ],
  [
    'with managedFields',
    'm',
    { ...configMap('x'), metadata: { name: 'x', managedFields: [] } },
    400,
    'metadata.managedFields must be nil',
  ],
  ['of another name', 'm', configMap('y'), 400, 'does not match the name on the URL'],
  [
    'of another kind',
    'm',
    { ...configMap('x'), kind: 'Secret' },
    400,
    'invalid object type: /v1, Kind=Secret',
  ],
  [
    'with a uid of nothing',
    'm',
    { ...configMap('x'), metadata: { name: 'x', uid: 'u' } },
    409,
    'uid mismatch',
  ],
  ['by a nameless name', '%01', configMap('x'), 422, 'invalid character U+0001 (at position 0)'],
])('KN-190, KN-191: an apply %s is refused', async (_what, manager, object, code, message) => {
  const { body } = await apply(`${CONFIG_MAPS}/x`, manager, object);
  expect(body.code).toBe(code);
  expect(body.message).toContain(message);
});

test('KN-190: force is for apply only', async () => {
  const { body } = await client.call('PATCH', `${CONFIG_MAPS}/made?force=true`, {
    body: {},
    type: 'application/merge-patch+json',
  });
  expect(body.message).toBe(
    'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for ' +
      'non-apply patch',
  );
});

test('KN-191: a resourceVersion in the body is a precondition', async () => {
  await apply(`${CONFIG_MAPS}/pre`, 'm', configMap('pre'));
  const stale = {
    ...configMap('pre', { a: '1' }),
    metadata: { name: 'pre', resourceVersion: '1' },
  };
  expect((await apply(`${CONFIG_MAPS}/pre`, 'm', stale)).body.reason).toBe('Conflict');
});

test('KN-176: apply with Strict validation names unknown fields of a Knative kind', async () => {
  const service = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: 's' },
    spec: { colour: 'red', template: { spec: { containers: [{ image: 'x' }] } } },
  };
  const { body } = await apply(`${SERVICES}/s`, 'm&fieldValidation=Strict', service);
  expect(body.message).toContain('strict decoding error: unknown field "spec.colour"');
});
