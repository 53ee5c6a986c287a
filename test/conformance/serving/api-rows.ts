// The API of Knative's kinds as a client uses it: create, read, list, watch, update, patch, delete, and
// what each shows of itself. Objects here are Configurations that nothing routes to, or dry runs.

import { expect } from 'vitest';
import type { ApiAnswer } from './api-client.ts';
import { at, type Cluster, expectCode, messageOf } from './cluster.ts';
import { configuration, service, template } from './objects.ts';
import {
  type AnyObject,
  CONFIGURATION,
  DOMAIN_MAPPING,
  pathOf,
  REVISION,
  ROUTE,
  SERVICE,
} from './resources.ts';
import { row, type ServingRow, shared } from './row.ts';

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const configurations = pathOf(CONFIGURATION, 'default');
const reason = ({ code, body }: ApiAnswer) => [code, at(body, 'reason')];

/** Three Configurations with the label `shelf`. */
const shelf = shared(async (cluster) => {
  for (const name of ['shelf-a', 'shelf-b', 'shelf-c']) {
    const object = configuration(name);
    const labels = { shelf: name === 'shelf-c' ? 'low' : 'high' };
    await cluster.create({ ...object, metadata: { ...object.metadata, labels } });
  }
});

const read: readonly ServingRow[] = [
  row('KN-170', 'A created object has uid, version, time and generation', async (cluster) => {
    const { metadata } = await cluster.create(configuration('stamped'));
    expect(metadata).toMatchObject({
      uid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/),
      resourceVersion: expect.stringMatching(/^[1-9]\d*$/),
      creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      generation: 1,
    });
  }),
  row('KN-170', 'A name there is cannot be created again', async (cluster) => {
    await shelf(cluster);
    const answer = await cluster.post(configuration('shelf-a'));
    expect(reason(answer)).toEqual([409, 'AlreadyExists']);
  }),
  row('KN-170', 'generateName makes a name', async (cluster) => {
    const object = configuration('');
    const metadata = { generateName: 'made-', namespace: 'default', name: undefined };
    const answer = await cluster.post({ ...object, metadata } as unknown as AnyObject);
    expect(expectCode(answer, 201).metadata.name).toMatch(/^made-[a-z0-9]{5}$/);
  }),
  row('KN-211', 'What there is not is NotFound, and named', async (cluster) => {
    const answer = await cluster.api.ask('GET', `${configurations}/nowhere`);
    expect(reason(answer)).toEqual([404, 'NotFound']);
    expect(at(answer.body, 'message')).toBe(
      'configurations.serving.knative.dev "nowhere" not found',
    );
  }),
  row('KN-154', 'A list is narrowed by labels', async (cluster) => {
    await shelf(cluster);
    const names = async (selector: string) =>
      (await cluster.list(CONFIGURATION, selector)).map(({ metadata }) => metadata.name);
    expect(await names('shelf=high')).toEqual(['shelf-a', 'shelf-b']);
    expect(await names('shelf,shelf notin (high)')).toEqual(['shelf-c']);
  }),
  row('KN-154', 'A list is narrowed by name', async (cluster) => {
    await shelf(cluster);
    const query = '?fieldSelector=metadata.name%3Dshelf-b';
    const { body } = await cluster.api.ask('GET', `${configurations}${query}`);
    expect(at(body, 'items')).toMatchObject([{ metadata: { name: 'shelf-b' } }]);
  }),
  row('KN-151, KN-153', 'A list comes in pieces on request', async (cluster) => {
    await shelf(cluster);
    const query = `${configurations}?labelSelector=shelf&limit=2`;
    const first = await cluster.api.ask('GET', query);
    expect(first.body).toMatchObject({ kind: 'ConfigurationList' });
    expect(at(first.body, 'items')).toHaveLength(2);
    const token = encodeURIComponent(String(at(first.body, 'metadata.continue')));
    const rest = await cluster.api.ask('GET', `${query}&continue=${token}`);
    expect(at(rest.body, 'items')).toMatchObject([{ metadata: { name: 'shelf-c' } }]);
  }),
  row(
    'KN-155, KN-156',
    'A watch tells of each change in order, and of the end',
    async (cluster) => {
      const { metadata } = await cluster.create(configuration('watched'));
      const query = `watch=true&fieldSelector=metadata.name%3Dwatched`;
      const from = `&resourceVersion=${metadata.resourceVersion}`;
      const events = cluster.api.watch(`${configurations}?${query}${from}`);
      const seen: string[] = [];
      await cluster.patch(CONFIGURATION, 'watched', { metadata: { labels: { step: '1' } } });
      await cluster.patch(CONFIGURATION, 'watched', { metadata: { labels: { step: '2' } } });
      await cluster.delete(CONFIGURATION, 'watched');
      for await (const event of events) {
        const type = String(at(event, 'type'));
        const step = at(event, 'object.metadata.labels.step');
        if (step !== undefined && seen.at(-1) !== `${type} ${step}`) seen.push(`${type} ${step}`);
        if (type === 'DELETED') break;
      }
      expect(seen).toEqual(['MODIFIED 1', 'MODIFIED 2', 'DELETED 2']);
    },
  ),
];

const written: readonly ServingRow[] = [
  row('KN-171', 'An update of an older version is a conflict', async (cluster) => {
    const object = await cluster.create(configuration('raced'));
    await cluster.patch(CONFIGURATION, 'raced', { metadata: { labels: { a: '1' } } });
    const answer = await cluster.api.ask('PUT', `${configurations}/raced`, { body: object });
    expect(reason(answer)).toEqual([409, 'Conflict']);
    expect(at(answer.body, 'message')).toMatch(
      /^Operation cannot be fulfilled on configurations\./,
    );
  }),
  row('KN-171', 'An update without a version is refused', async (cluster) => {
    await cluster.create(configuration('unversioned'));
    const body = configuration('unversioned');
    const answer = await cluster.api.ask('PUT', `${configurations}/unversioned`, { body });
    expect(reason(answer)).toEqual([422, 'Invalid']);
    expect(at(answer.body, 'message')).toContain('must be specified for an update');
  }),
  row('KN-172, CP-140', 'Only a change of the spec makes a new generation', async (cluster) => {
    await cluster.create(configuration('counted-generations'));
    const change = (body: object) => cluster.patch(CONFIGURATION, 'counted-generations', body);
    const labelled = await change({ metadata: { labels: { a: '1' } } });
    expect(labelled.metadata.generation).toBe(1);
    const changed = await change({ spec: { template: template({ env: { A: '1' } }) } });
    expect(changed.metadata.generation).toBe(2);
  }),
  row(
    'KN-172, CP-80',
    'Status is not written with the object, nor the object with its status',
    async (cluster) => {
      await cluster.create(configuration('halves-of-it'));
      await cluster.ready(CONFIGURATION, 'halves-of-it');
      const latestReadyRevisionName = 'forged';
      const patched = await cluster.patch(CONFIGURATION, 'halves-of-it', {
        status: { latestReadyRevisionName },
      });
      expect(patched.status?.['latestReadyRevisionName']).toBe('halves-of-it-00001');
      const path = `${configurations}/halves-of-it/status`;
      const body = { metadata: { labels: { a: '1' } }, spec: { template: template({}) } };
      const type = 'application/merge-patch+json';
      const answer = expectCode(await cluster.api.ask('PATCH', path, { body, type }), 200);
      expect(answer.metadata.generation).toBe(1);
    },
  ),
  row('KN-173', 'A JSON patch tests before it changes', async (cluster) => {
    await cluster.create(configuration('tested'));
    const type = 'application/json-patch+json';
    const path = '/spec/template/spec/containerConcurrency';
    const patch = (value: number) =>
      cluster.api.ask('PATCH', `${configurations}/tested`, {
        type,
        body: [
          { op: 'test', path, value },
          { op: 'replace', path, value: 9 },
        ],
      });
    expect((await patch(5)).code).toBe(422);
    expect(at((await patch(0)).body, 'spec.template.spec.containerConcurrency')).toBe(9);
  }),
  row('KN-173', 'A strategic merge patch is not for kinds of Knative', async (cluster) => {
    await shelf(cluster);
    const type = 'application/strategic-merge-patch+json';
    const answer = await cluster.api.ask('PATCH', `${configurations}/shelf-a`, { type, body: {} });
    expect(answer.code).toBe(415);
    expect(at(answer.body, 'message')).toContain('accepted media types include');
  }),
  row(
    'KN-190',
    'An apply creates what there is not, and changes what there is',
    async (cluster) => {
      const type = 'application/apply-patch+yaml';
      const path = `${configurations}/applied?fieldManager=me`;
      const apply = (cc: number) =>
        cluster.api.ask('PATCH', path, {
          type,
          body: configuration('applied', { spec: { containerConcurrency: cc } }),
        });
      expect((await apply(1)).code).toBe(201);
      const again = await apply(2);
      expect(again.code).toBe(200);
      expect(at(again.body, 'spec.template.spec.containerConcurrency')).toBe(2);
    },
  ),
  row('KN-175, WH-15', 'A dry run answers with defaults and stores nothing', async (cluster) => {
    const answer = expectCode(await cluster.post(service('dry'), '?dryRun=All'), 201);
    expect(at(answer, 'spec.template.spec.timeoutSeconds')).toBe(300);
    const found = await cluster.api.ask('GET', pathOf(SERVICE, 'default', 'dry'));
    expect(found.code).toBe(404);
  }),
  row(
    'KN-176, CP-84',
    'An unknown field is dropped with a warning, or refused if that is asked',
    async (cluster) => {
      const object = configuration('typo', { spec: { contanerConcurrency: 5 } });
      const lenient = await cluster.post(object, '?dryRun=All');
      expect(String(lenient.headers['warning'])).toContain(
        'spec.template.spec.contanerConcurrency',
      );
      expect(at(lenient.body, 'spec.template.spec')).not.toHaveProperty('contanerConcurrency');
      const strict = await cluster.post(object, '?dryRun=All&fieldValidation=Strict');
      expect(strict.code).toBe(400);
      expect(at(strict.body, 'message')).toContain('unknown field');
    },
  ),
  row('KN-200', 'A delete may insist on the object it means', async (cluster) => {
    const { metadata } = await cluster.create(configuration('meant'));
    const path = `${configurations}/meant`;
    const ask = (uid?: string) =>
      cluster.api.ask('DELETE', path, { body: { preconditions: { uid } } });
    expect((await ask('00000000-0000-4000-8000-000000000000')).code).toBe(409);
    const { code, body } = await ask(metadata.uid);
    expect(code).toBe(200);
    expect(body).toMatchObject({ status: 'Success', details: { uid: metadata.uid } });
  }),
  row('KN-203, CP-534', 'What a deleted Configuration made is collected', async (cluster) => {
    await cluster.create(configuration('collected'));
    await cluster.ready(CONFIGURATION, 'collected');
    await cluster.delete(CONFIGURATION, 'collected');
    await cluster.gone(REVISION, 'collected-00001');
    await cluster.gone('apps/v1/deployments', 'collected-00001-deployment');
  }),
  row('KN-201', 'A foreground delete waits for what the object made', async (cluster) => {
    await cluster.create(configuration('front'));
    await cluster.ready(CONFIGURATION, 'front');
    const body = { propagationPolicy: 'Foreground' };
    const answer = await cluster.api.ask('DELETE', `${configurations}/front`, { body });
    expect(at(answer.body, 'metadata.finalizers')).toContain('foregroundDeletion');
    await cluster.gone(CONFIGURATION, 'front');
    const revision = await cluster.api.ask('GET', pathOf(REVISION, 'default', 'front-00001'));
    expect(revision.code).toBe(404);
  }),
  row(
    'WH-54, KN-203',
    'A Revision cannot be taken from the Configuration that owns it',
    async (cluster) => {
      await cluster.create(configuration('owner'));
      await cluster.ready(CONFIGURATION, 'owner');
      const metadata = { ownerReferences: [] };
      const message = messageOf(await cluster.change(REVISION, 'owner-00001', { metadata }));
      expect(message).toContain(
        'missing field(s): metadata.labels.serving.knative.dev/configuration',
      );
    },
  ),
];

async function columns(cluster: Cluster, resource: string): Promise<string[]> {
  const path = `${pathOf(resource, 'default')}?limit=1`;
  const { body } = await cluster.api.ask('GET', path, { accept: TABLE });
  expect(at(body, 'kind')).toBe('Table');
  const found = at(body, 'columnDefinitions') as { name: string; priority: number }[];
  return found.filter(({ priority }) => priority === 0).map(({ name }) => name);
}

function shows(kind: string, resource: string, want: string[]): ServingRow {
  return row('CP-82, KN-142', `A table of ${kind}s shows ${want.join(', ')}`, async (cluster) => {
    expect(await columns(cluster, resource)).toEqual(['Name', ...want]);
  });
}

const shown: readonly ServingRow[] = [
  shows('Service', SERVICE, ['URL', 'LatestCreated', 'LatestReady', 'Ready', 'Reason']),
  shows('Configuration', CONFIGURATION, ['LatestCreated', 'LatestReady', 'Ready', 'Reason']),
  shows('Revision', REVISION, [
    'Config Name',
    'Generation',
    'Ready',
    'Reason',
    'Actual Replicas',
    'Desired Replicas',
  ]),
  shows('Route', ROUTE, ['URL', 'Ready', 'Reason']),
  shows('DomainMapping', DOMAIN_MAPPING, ['URL', 'Ready', 'Reason']),
  row('CP-82, KN-140', 'A table has the cells of each object', async (cluster) => {
    await cluster.deploy(service('tabled'));
    const path = `${pathOf(SERVICE, 'default')}?fieldSelector=metadata.name%3Dtabled`;
    const { body } = await cluster.api.ask('GET', path, { accept: TABLE });
    const cells = ['tabled', 'http://tabled.default.localhost', 'tabled-00001', 'tabled-00001'];
    expect(at(body, 'rows.0.cells')).toEqual([...cells, 'True', null]);
  }),
  row(
    'CP-81, KN-130',
    'Kinds of Knative are discovered with short names and categories',
    async (cluster) => {
      const { body } = await cluster.api.ask('GET', '/apis/serving.knative.dev/v1');
      const found = (at(body, 'resources') as { name: string }[]).filter(
        ({ name }) => !name.includes('/'),
      );
      expect(found).toEqual(
        expect.arrayContaining(
          [
            ['configurations', ['config', 'cfg']],
            ['revisions', ['rev']],
            ['routes', ['rt']],
            ['services', ['kservice', 'ksvc']],
          ].map(([name, shortNames]) =>
            expect.objectContaining({
              name,
              shortNames,
              namespaced: true,
              categories: ['all', 'knative', 'serving'],
            }),
          ),
        ),
      );
    },
  ),
];

export const apiRows: readonly ServingRow[] = [...read, ...written, ...shown];
