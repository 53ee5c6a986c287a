// Objects of built-in kinds with wrong types or unknown members, over HTTPS.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiServer } from './start.ts';
import {
  CONFIG_MAPS,
  configMap,
  DEPLOYMENTS,
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

const deployment = (name: string, spec: object) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec,
});

test('KN-211: a wrong type is refused in the words of the decoder', async () => {
  const { code, body } = await client.post(CONFIG_MAPS, { ...configMap('x'), data: { a: 5 } });
  expect([code, body.message]).toEqual([
    400,
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number ' +
      'into Go struct field ConfigMap.data of type string',
  ]);
  const replicas = await client.post(DEPLOYMENTS, deployment('x', { replicas: 'two' }));
  expect(replicas.body.message).toContain(
    'cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
  );
});

test('KN-176: unknown members of built-in kinds are named, warned about, or dropped', async () => {
  const typo = (name: string) =>
    deployment(name, { template: { spec: { containers: [{ name: 'c', imagee: 'x' }] } } });
  const strict = await client.post(`${DEPLOYMENTS}?fieldValidation=Strict`, typo('strict'));
  expect(strict.body.message).toBe(
    'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: ' +
      'unknown field "spec.template.spec.containers[0].imagee"',
  );
  const warned = await client.post(DEPLOYMENTS, typo('warned'));
  expect(warned.headers['warning']).toContain('unknown field');
  expect(warned.body.spec.template.spec.containers).toEqual([{ name: 'c' }]);
});

test('KN-121: built-in kinds are described, down to their containers', async () => {
  const { body } = await client.get('/openapi/v3/api/v1');
  const pod = body.components.schemas['io.k8s.api.core.v1.Pod'];
  const { containers } = pod.properties.spec.properties;
  expect(containers.items.properties.image).toEqual({ type: 'string' });
});
