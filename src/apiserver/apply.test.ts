// Server-side apply as far as it goes (KN-190 to KN-195), over HTTPS.

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

function apply(path: string, manager: string, body: unknown): Promise<Answer> {
  const query = manager === '' ? '' : `?fieldManager=${manager}&force=false`;
  return client.call('PATCH', `${path}${query}`, { body, type: 'application/apply-patch+yaml' });
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

test('KN-195: what a manager leaves out goes, what others hold or wrote stays', async () => {
  const path = `${CONFIG_MAPS}/shared`;
  await apply(path, 'one', configMap('shared', { a: '1', both: 'x' }));
  await apply(path, 'two', configMap('shared', { b: '2', both: 'x' }));
  await client.merge(path, { data: { manual: 'yes' }, metadata: { labels: { by: 'hand' } } });
  const { body } = await apply(path, 'one', configMap('shared', {}));
  expect(body.data).toEqual({ b: '2', both: 'x', manual: 'yes' });
  expect(body.metadata.labels).toEqual({ by: 'hand' });
});

const deployment = (containers: object[]) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd' },
  spec: { selector: { matchLabels: { app: 'd' } }, template: { spec: { containers } } },
});

test('KN-194: keyed lists merge by key, a dropped item goes', async () => {
  const path = `${DEPLOYMENTS}/d`;
  await apply(
    path,
    'one',
    deployment([
      { name: 'user', image: 'a' },
      { name: 'old', image: 'o' },
    ]),
  );
  await apply(path, 'two', deployment([{ name: 'proxy', image: 'p' }]));
  const { body } = await apply(path, 'one', deployment([{ name: 'user', image: 'b' }]));
  expect(body.spec.template.spec.containers).toEqual([
    { name: 'user', image: 'b' },
    { name: 'proxy', image: 'p' },
  ]);
});

test.each([
  ['without a field manager', '', configMap('x'), 422, 'fieldManager: Required value'],
  [
    'with managedFields',
    'm',
    { ...configMap('x'), metadata: { name: 'x', managedFields: [] } },
    400,
    'metadata.managedFields must be nil',
  ],
  ['of another name', 'm', configMap('y'), 400, 'does not match the name on the URL'],
  ['of another kind', 'm', { ...configMap('x'), kind: 'Secret' }, 400, 'expected v1 ConfigMap'],
])('KN-190, KN-191: an apply %s is refused', async (_what, manager, object, code, message) => {
  const { body } = await apply(`${CONFIG_MAPS}/x`, manager, object);
  expect(body.code).toBe(code);
  expect(body.message).toContain(message);
});

test('KN-191: a resourceVersion in the body is a precondition', async () => {
  await apply(`${CONFIG_MAPS}/pre`, 'm', configMap('pre'));
  const stale = {
    ...configMap('pre', { a: '1' }),
    metadata: { name: 'pre', resourceVersion: '1' },
  };
  expect((await apply(`${CONFIG_MAPS}/pre`, 'm', stale)).body.reason).toBe('Conflict');
});

test('apply with Strict validation names unknown fields of a Knative kind', async () => {
  const service = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: 's' },
    spec: { colour: 'red', template: { spec: { containers: [{ image: 'x' }] } } },
  };
  const { body } = await apply(`${SERVICES}/s`, 'm&fieldValidation=Strict', service);
  expect(body.message).toContain('strict decoding error: unknown field "spec.colour"');
});
