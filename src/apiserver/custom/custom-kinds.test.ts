// CustomResourceDefinitions over HTTPS: those of our own kinds, and those clients bring.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiServer } from '../start.ts';
import { startTestServer, TestClient } from '../testing/harness.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const dataDir = mkdtempSync(join(tmpdir(), 'custom-kinds-'));
let server: ApiServer;
let client: TestClient;

beforeAll(async () => {
  server = await startTestServer({ dataDir });
  client = new TestClient(server);
});

afterAll(async () => {
  client.close();
  await server.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

const SCHEMA = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1, maximum: 9 },
        colour: { type: 'string', enum: ['red', 'green'], default: 'red' },
        name: { type: 'string', pattern: '^[a-z]+$', maxLength: 5 },
        port: { 'x-kubernetes-int-or-string': true },
        note: { type: 'string', nullable: true },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        parts: {
          type: 'array',
          items: {
            type: 'object',
            required: ['id'],
            properties: { id: { type: 'string' }, value: { type: 'string' } },
          },
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['id'],
        },
      },
    },
    status: { type: 'object', properties: { ready: { type: 'integer' } } },
  },
};

function definition(plural: string, kind: string, more: object = {}) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural, kind, shortNames: [plural.slice(0, 2)], categories: ['all'] },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: SCHEMA },
          subresources: {
            status: {},
            scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.ready' },
          },
          additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }],
          selectableFields: [{ jsonPath: '.spec.colour' }],
        },
        { name: 'v1beta1', served: true, storage: false, schema: { openAPIV3Schema: SCHEMA } },
      ],
      ...more,
    },
  };
}

const path = (plural: string, version = 'v1') =>
  `/apis/example.com/${version}/namespaces/default/${plural}`;
const object = (kind: string, name: string, spec: object, version = 'v1') => ({
  apiVersion: `example.com/${version}`,
  kind,
  metadata: { name },
  spec,
});

test('KN-24: the kinds built in have their definitions, with one served version', async () => {
  const { body } = await client.get(CRDS);
  const names = body.items.map((item: { metadata: { name: string } }) => item.metadata.name);
  expect(names).toContain('services.serving.knative.dev');
  const { spec } = (await client.get(`${CRDS}/revisions.serving.knative.dev`)).body;
  expect([spec.group, spec.names.kind, spec.names.plural]).toEqual([
    'serving.knative.dev',
    'Revision',
    'revisions',
  ]);
  expect(spec.versions).toMatchObject([{ name: 'v1', served: true, storage: true }]);
  const refused = await client.delete(`${CRDS}/services.serving.knative.dev`);
  expect([refused.code, refused.body.message]).toEqual([
    403,
    'customresourcedefinitions.apiextensions.k8s.io "services.serving.knative.dev" is forbidden: ' +
      'the kind is built into this server',
  ]);
});

test('KN-115: a definition is served at once, in discovery and OpenAPI too', async () => {
  expect((await client.get(path('widgets'))).code).toBe(404);
  expect((await client.post(CRDS, definition('widgets', 'Widget'))).code).toBe(201);
  expect((await client.get(path('widgets'))).body.items).toEqual([]);
  const listed = (await client.get('/apis/example.com/v1')).body.resources;
  expect(listed.map(({ name }: { name: string }) => name)).toEqual([
    'widgets',
    'widgets/status',
    'widgets/scale',
  ]);
  const versions = (await client.get('/apis/example.com')).body.versions;
  expect(versions.map(({ version }: { version: string }) => version)).toEqual(['v1', 'v1beta1']);
  const { paths } = (await client.get('/openapi/v3')).body;
  expect(Object.keys(paths)).toContain('apis/example.com/v1');
  const watch = await client.watch(
    `${CRDS}?watch=true&fieldSelector=metadata.name%3Dwidgets.example.com`,
  );
  for (;;) {
    const event = await watch.next();
    const conditions = event?.object.status.conditions ?? [];
    const established = conditions.find(({ type }: { type: string }) => type === 'Established');
    if (established?.status === 'True') break;
  }
  watch.close();
});

test('KN-176: its objects are pruned, defaulted and validated', async () => {
  const made = await client.post(path('widgets'), object('Widget', 'a', { size: 1, more: true }));
  expect([made.code, made.body.spec]).toEqual([201, { size: 1, colour: 'red' }]);
  expect(made.headers['warning']).toBe('299 - "unknown field \\"spec.more\\""');
  const strict = await client.post(
    `${path('widgets')}?fieldValidation=Strict`,
    object('Widget', 'b', { size: 1, more: true }),
  );
  expect(strict.body.message).toBe(
    'Widget in version "v1" cannot be handled as a Widget: strict decoding error: ' +
      'unknown field "spec.more"',
  );
});

test.each([
  [
    { size: 0 },
    'spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
  ],
  [
    { size: 10 },
    'spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9',
  ],
  [
    { size: '1' },
    'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
  ],
  [
    { size: null },
    'spec.size: Invalid value: "null": spec.size in body must be of type integer: "null"',
  ],
  [{}, 'spec.size: Required value'],
  [
    { size: 1, colour: 'blue' },
    'spec.colour: Unsupported value: "blue": supported values: "red", "green"',
  ],
  [
    { size: 1, name: 'A' },
    `spec.name: Invalid value: "A": spec.name in body should match '^[a-z]+$'`,
  ],
  [{ size: 1, name: 'abcdef' }, 'spec.name: Too long: may not be more than 5 bytes'],
  [
    { size: 1, port: true },
    'spec.port: Invalid value: "boolean": spec.port in body must be of type integer or string: "boolean"',
  ],
  [{ size: 1, tags: ['a', 'a'] }, 'spec.tags[1]: Duplicate value: "a"'],
  [{ size: 1, parts: [{ id: 'x' }, { id: 'x' }] }, 'spec.parts[1]: Duplicate value: {"id":"x"}'],
])('KN-211: %j is refused: %s', async (spec, message) => {
  const { code, body } = await client.post(path('widgets'), object('Widget', 'bad', spec));
  expect([code, body.message]).toEqual([422, `Widget.example.com "bad" is invalid: ${message}`]);
});

test('a nullable field may be null, and what preserves unknown fields keeps them', async () => {
  const spec = { size: 1, note: null, free: { any: { thing: [1] } }, colour: null };
  const { body } = await client.post(path('widgets'), object('Widget', 'free', spec));
  expect(body.spec).toEqual({ ...spec, colour: 'red' });
});

test('KN-194: lists of a custom kind merge by its schema', async () => {
  const apply = (manager: string, parts: object[], tags: string[]) =>
    client.call('PATCH', `${path('widgets')}/merged?fieldManager=${manager}`, {
      body: object('Widget', 'merged', { size: 2, parts, tags }),
      type: 'application/apply-patch+yaml',
    });
  await apply('one', [{ id: 'a', value: '1' }], ['x']);
  const both = await apply('two', [{ id: 'b', value: '2' }], ['y']);
  expect(both.body.spec).toMatchObject({
    parts: [
      { id: 'a', value: '1' },
      { id: 'b', value: '2' },
    ],
    tags: ['x', 'y'],
  });
  const conflict = await apply('two', [{ id: 'a', value: '9' }], ['y']);
  expect(conflict.body.details.causes).toEqual([
    {
      reason: 'FieldManagerConflict',
      message: 'conflict with "one"',
      field: '.spec.parts[id="a"].value',
    },
  ]);
});

test('versions show the same objects; columns, scale and selectable fields follow the schema', async () => {
  const beta = await client.get(`${path('widgets', 'v1beta1')}/a`);
  expect(beta.body.apiVersion).toBe('example.com/v1beta1');
  const table = await client.get(path('widgets'), {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
  const columns = table.body.columnDefinitions.map(({ name }: { name: string }) => name);
  expect(columns).toEqual(['Name', 'Size']);
  const scale = await client.get(`${path('widgets')}/a/scale`);
  expect([scale.body.spec, scale.body.status]).toEqual([{ replicas: 1 }, { replicas: 0 }]);
  await client.merge(`${path('widgets')}/a/scale`, { spec: { replicas: 7 } });
  expect((await client.get(`${path('widgets')}/a`)).body.spec.size).toBe(7);
  const none = await client.get(`${path('widgets')}?fieldSelector=spec.colour%3Dgreen`);
  expect(none.body.items).toEqual([]);
});

test.each([
  [
    'another name',
    { metadata: { name: 'x.example.com' } },
    'must be spec.names.plural+"."+spec.group',
  ],
  [
    'a conversion webhook',
    { spec: { conversion: { strategy: 'Webhook' } } },
    'spec.conversion.strategy: Unsupported value',
  ],
  [
    'no schema',
    { spec: { versions: [{ name: 'v1', served: true, storage: true }] } },
    'schemas are required',
  ],
])(
  'a definition with %s is refused',
  async (_what, change: { spec?: object; metadata?: object }, message) => {
    const made = definition('gadgets', 'Gadget', change.spec);
    const { code, body } = await client.post(CRDS, {
      ...made,
      metadata: change.metadata ?? made.metadata,
    });
    expect(code).toBe(422);
    expect(body.message).toContain(message);
  },
);

test('CEL rules are kept, and a warning says that they are not evaluated', async () => {
  const schema = { type: 'object', 'x-kubernetes-validations': [{ rule: 'true' }] };
  const versions = [
    { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } },
  ];
  const { headers } = await client.post(
    `${CRDS}?dryRun=All`,
    definition('rules', 'Rule', { versions }),
  );
  expect(headers['warning']).toContain('not evaluated by this server');
});

test('definitions and their objects survive a restart', async () => {
  client.close();
  await server.stop();
  server = await startTestServer({ dataDir });
  client = new TestClient(server);
  expect((await client.get(`${path('widgets')}/a`)).body.spec.size).toBe(7);
});

test('an object of such a kind goes at once, whatever the propagation', async () => {
  await client.post(path('widgets'), object('Widget', 'leaving', { size: 1 }));
  const options = { propagationPolicy: 'Foreground' };
  expect((await client.delete(`${path('widgets')}/leaving`, options)).body.status).toBe('Success');
});

test('deleting a definition deletes its objects, then the kind is gone', async () => {
  const watch = await client.watch(
    `${CRDS}?watch=true&fieldSelector=metadata.name%3Dwidgets.example.com`,
  );
  expect((await client.delete(`${CRDS}/widgets.example.com`)).code).toBe(200);
  for (;;) if ((await watch.next())?.type === 'DELETED') break;
  watch.close();
  expect((await client.get(path('widgets'))).code).toBe(404);
  await client.post(CRDS, definition('widgets', 'Widget'));
  expect((await client.get(path('widgets'))).body.items).toEqual([]);
});
