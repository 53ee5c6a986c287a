// Random histories of several clients against a naive model (KN-150, KN-171, KN-192, KN-193,
// KN-282): every answer, the state, who owns what, and the watched events are as the model says.
// A failure prints its seed and path; PILOTLIGHT_MODEL_SEED runs another, PILOTLIGHT_MODEL_RUNS more.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiServer } from './start.ts';
import { type Answer, startTestServer, TestClient } from './testing/harness.ts';
import { Model, type Step } from './testing/model.ts';

const DEFAULT_RUNS = 40;
const DEFAULT_SEED = 20261121;
const MS_PER_RUN = 3000;
const runs = Number(process.env['PILOTLIGHT_MODEL_RUNS'] ?? DEFAULT_RUNS);
const seed = Number(process.env['PILOTLIGHT_MODEL_SEED'] ?? DEFAULT_SEED);

let server: ApiServer;
let client: TestClient;
let histories = 0;

beforeAll(async () => {
  server = await startTestServer();
  client = new TestClient(server);
});

afterAll(async () => {
  client.close();
  await server.stop();
});

const name = fc.constantFrom('a', 'b');
const manager = fc.constantFrom('m1', 'm2', 'm3');
const value = fc.constantFrom('1', '2', '3');
const key = fc.constantFrom('k1', 'k2', 'k3', 'k4');
/** Never empty: whether an empty map exists is a question of its own. */
const data = fc.dictionary(key, value, { maxKeys: 4 }).map((map) => ({ ...map, base: 'x' }));
const claim = fc.dictionary(key, value, { minKeys: 1, maxKeys: 3 });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('create' as const), name, manager, data }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('patch' as const),
      name,
      manager,
      data: fc.dictionary(key, fc.option(value), { maxKeys: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      name,
      manager,
      data,
      isStale: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('apply' as const),
      name,
      manager,
      data: claim.map((map) => ({ ...map, base: 'x' })),
      force: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), name }) },
);

const body = (step: Exclude<Step, { do: 'delete' }>, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: step.name, ...metadata },
  data: step.data,
});

async function call(folder: string, step: Step): Promise<Answer> {
  const path = `${folder}/${step.name}`;
  switch (step.do) {
    case 'create':
      return client.post(`${folder}?fieldManager=${step.manager}`, body(step));
    case 'patch':
      return client.call('PATCH', `${path}?fieldManager=${step.manager}`, {
        body: { data: step.data },
        type: 'application/merge-patch+json',
      });
    case 'put': {
      const current = (await client.get(path)).body.metadata;
      const resourceVersion = step.isStale ? '1' : current?.resourceVersion;
      return client.put(`${path}?fieldManager=${step.manager}`, body(step, { resourceVersion }));
    }
    case 'apply': {
      const query = `fieldManager=${step.manager}&force=${step.force}`;
      const type = 'application/apply-patch+yaml';
      return client.call('PATCH', `${path}?${query}`, { body: body(step), type });
    }
    case 'delete':
      return client.delete(path);
  }
}

interface Entry {
  manager: string;
  operation: string;
  fieldsV1: { 'f:data': Record<string, object> };
}

/** Managed fields as the model writes them. */
function ownersIn(answer: Answer): Record<string, string[]> {
  const entries = (answer.body.metadata.managedFields ?? []) as Entry[];
  return Object.fromEntries(
    entries.map(({ manager, operation, fieldsV1 }) => [
      `${manager}/${operation}`,
      Object.keys(fieldsV1['f:data'])
        .map((element) => (element === '.' ? '' : element.slice(2)))
        .sort(),
    ]),
  );
}

async function replay(steps: readonly Step[]): Promise<void> {
  histories += 1;
  const namespace = `h${histories}`;
  const folder = `/api/v1/namespaces/${namespace}/configmaps`;
  const metadata = { name: namespace };
  await client.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata });
  const { resourceVersion } = (await client.get(folder)).body.metadata;
  const watch = await client.watch(`${folder}?watch=true&resourceVersion=${resourceVersion}`);
  const model = new Model();
  const events: string[] = [];
  let version = 0;
  for (const each of steps) {
    const answer = await call(folder, each);
    const { code, event } = model.run(each);
    expect([each, answer.code]).toEqual([each, code]);
    if (event !== null) events.push(`${event} ${each.name}`);
    const found = model.objects.get(each.name);
    if (found === undefined || code >= 400) continue;
    const now = Number(answer.body.metadata.resourceVersion);
    if (event !== null) expect(now).toBeGreaterThan(version);
    version = Math.max(version, now);
    expect(answer.body.data).toEqual(Object.fromEntries(found.data));
    const owners = [...model.ownersOf(each.name)].map(([who, keys]) => [who, [...keys].sort()]);
    expect([each, ownersIn(answer)]).toEqual([each, Object.fromEntries(owners)]);
  }
  const seen = await watch.take(events.length);
  expect(seen.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual(events);
  const versions = seen.map(({ object }) => Number(object.metadata.resourceVersion));
  expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  watch.close();
  const listed = (await client.get(folder)).body.items as { metadata: { name: string } }[];
  expect(listed.map(({ metadata }) => metadata.name)).toEqual([...model.objects.keys()].sort());
}

test(
  'random histories are as a naive model says, ownership included',
  async () => {
    const history = fc.array(step, { minLength: 1, maxLength: 18 });
    await fc.assert(fc.asyncProperty(history, replay), { numRuns: runs, seed });
  },
  runs * MS_PER_RUN,
);
