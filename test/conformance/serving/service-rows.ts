// A Service: what it makes, what it fills in, what it reports, and how it goes.

import { expect } from 'vitest';
import { at, condition } from './cluster.ts';
import { configuration, route, service, template } from './objects.ts';
import {
  CONFIGURATION,
  CORE_SERVICE,
  DEPLOYMENT,
  EVENT,
  INGRESS,
  REVISION,
  ROUTE,
  SERVICE,
} from './resources.ts';
import { row, type ServingRow, shared } from './row.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const ROLLOUT = 'serving.knative.dev/rollout-duration';

const plain = shared((cluster) =>
  cluster.deploy(
    service('plain', {
      metadata: {
        labels: { team: 'a' },
        annotations: { note: 'n', [LAST_APPLIED]: '{}', [ROLLOUT]: '0s' },
      },
    }),
  ),
);

const made: readonly ServingRow[] = [
  row(
    'CP-120',
    'A Service makes one Configuration and one Route and controls both',
    async (cluster) => {
      const { metadata } = await plain(cluster);
      for (const resource of [CONFIGURATION, ROUTE]) {
        const child = await cluster.get(resource, 'plain');
        expect(child.metadata.ownerReferences).toEqual([
          {
            apiVersion: 'serving.knative.dev/v1',
            kind: 'Service',
            name: 'plain',
            uid: metadata.uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ]);
      }
    },
  ),
  row(
    'CP-121, CP-63',
    'A Configuration has the labels of its Service, its name and its uid',
    async (cluster) => {
      const { metadata } = await plain(cluster);
      const child = await cluster.get(CONFIGURATION, 'plain');
      expect(child.metadata.labels).toEqual({
        team: 'a',
        'serving.knative.dev/service': 'plain',
        'serving.knative.dev/serviceUID': metadata.uid,
      });
    },
  ),
  row(
    'CP-122',
    'A Route has the labels of its Service and its name, but no uid',
    async (cluster) => {
      await plain(cluster);
      const child = await cluster.get(ROUTE, 'plain');
      expect(child.metadata.labels).toEqual({ team: 'a', 'serving.knative.dev/service': 'plain' });
    },
  ),
  row(
    'CP-121',
    'Annotations reach the Configuration, those of kubectl and of rollouts do not',
    async (cluster) => {
      await plain(cluster);
      const { annotations } = (await cluster.get(CONFIGURATION, 'plain')).metadata;
      expect(annotations).toMatchObject({ note: 'n', 'serving.knative.dev/routes': 'plain' });
      expect(annotations).not.toHaveProperty([LAST_APPLIED]);
      expect(annotations).not.toHaveProperty([ROLLOUT]);
    },
  ),
  row(
    'CP-122',
    'Annotations reach the Route, those of rollouts too, those of kubectl do not',
    async (cluster) => {
      await plain(cluster);
      const { annotations } = (await cluster.get(ROUTE, 'plain')).metadata;
      expect(annotations).toMatchObject({ note: 'n', [ROLLOUT]: '0s' });
      expect(annotations).not.toHaveProperty([LAST_APPLIED]);
    },
  ),
  row(
    'CP-122',
    'Traffic of a Service that names no Revision is of its Configuration',
    async (cluster) => {
      await plain(cluster);
      const traffic = at(await cluster.get(ROUTE, 'plain'), 'spec.traffic');
      expect(traffic).toEqual([{ configurationName: 'plain', latestRevision: true, percent: 100 }]);
    },
  ),
  row('CP-125', 'Events of the Service tell what was created', async (cluster) => {
    const { metadata } = await plain(cluster);
    await cluster.eventuallyAll(EVENT, (events) => {
      const messages = events
        .filter((event) => at(event, 'involvedObject.uid') === metadata.uid)
        .map((event) => `${at(event, 'reason')}: ${at(event, 'message')}`);
      expect(messages).toContain('Created: Created Configuration "plain"');
      expect(messages).toContain('Created: Created Route "plain"');
    });
  }),
];

const defaults: readonly ServingRow[] = [
  row(
    'WH-40',
    'A Service without traffic sends all of it to the latest Revision',
    async (cluster) => {
      const { spec } = await plain(cluster);
      expect(spec?.['traffic']).toEqual([{ latestRevision: true, percent: 100 }]);
    },
  ),
  row('WH-31', 'A Service is marked with who made it and who changed it last', async (cluster) => {
    const { annotations } = (await plain(cluster)).metadata;
    const creator = annotations?.['serving.knative.dev/creator'];
    expect(creator).toBeTruthy();
    expect(annotations?.['serving.knative.dev/lastModifier']).toBe(creator);
  }),
  row('WH-32', 'Timeout and concurrency are filled in from config-defaults', async (cluster) => {
    const spec = at(await plain(cluster), 'spec.template.spec');
    expect(spec).toMatchObject({ timeoutSeconds: 300, containerConcurrency: 0 });
    expect(spec).not.toHaveProperty('responseStartTimeoutSeconds');
    expect(spec).not.toHaveProperty('idleTimeoutSeconds');
  }),
  row('WH-32, RC-5', 'Service links are off unless asked for', async (cluster) => {
    expect(at(await plain(cluster), 'spec.template.spec.enableServiceLinks')).toBe(false);
  }),
  row('WH-33', 'A sole container without a name is user-container', async (cluster) => {
    const name = at(await plain(cluster), 'spec.template.spec.containers.0.name');
    expect(name).toBe('user-container');
  }),
  row('WH-33', 'Several containers without names are numbered', async (cluster) => {
    const two = service('two-containers');
    const [first] = at(two, 'spec.template.spec.containers') as object[];
    const containers = [{ ...first, ports: [{ containerPort: 8080 }] }, { ...first }];
    Object.assign(at(two, 'spec.template.spec') as object, { containers });
    const { body } = await cluster.post(two, '?dryRun=All');
    const names = at(body, 'spec.template.spec.containers') as { name: string }[];
    expect(names.map(({ name }) => name)).toEqual(['user-container-0', 'user-container-1']);
  }),
  row(
    'WH-35',
    'A container without a readiness probe gets one that tries its port',
    async (cluster) => {
      const probe = at(await plain(cluster), 'spec.template.spec.containers.0.readinessProbe');
      expect(probe).toMatchObject({ successThreshold: 1, tcpSocket: { port: 0 } });
    },
  ),
  row(
    'WH-35',
    'A readiness probe with a period gets a threshold and a timeout',
    async (cluster) => {
      const container = { readinessProbe: { httpGet: { path: '/' }, periodSeconds: 5 } };
      const { body } = await cluster.post(service('probe', { container }), '?dryRun=All');
      expect(at(body, 'spec.template.spec.containers.0.readinessProbe')).toMatchObject({
        failureThreshold: 3,
        periodSeconds: 5,
        successThreshold: 1,
        timeoutSeconds: 1,
      });
    },
  ),
];

const status: readonly ServingRow[] = [
  row(
    'CP-128, CP-303',
    'A ready Service has the URL of its Route and an address inside',
    async (cluster) => {
      expect((await plain(cluster)).status).toMatchObject({
        url: 'http://plain.default.localhost',
        address: { url: 'http://plain.default.svc.cluster.local' },
      });
    },
  ),
  row(
    'CP-126',
    'A ready Service names its latest created and latest ready Revision',
    async (cluster) => {
      expect((await plain(cluster)).status).toMatchObject({
        latestCreatedRevisionName: 'plain-00001',
        latestReadyRevisionName: 'plain-00001',
      });
    },
  ),
  row('CP-128, CP-281', 'status.traffic says which Revision gets what', async (cluster) => {
    const { status } = await plain(cluster);
    const target = { latestRevision: true, percent: 100, revisionName: 'plain-00001' };
    expect(status?.['traffic']).toEqual([target]);
  }),
  row(
    'CP-40, CP-41',
    'Conditions are Ready and its dependents, sorted, dated, without severity',
    async (cluster) => {
      const conditions = (await plain(cluster)).status?.conditions ?? [];
      expect(conditions.map(({ type }) => type)).toEqual([
        'ConfigurationsReady',
        'Ready',
        'RoutesReady',
      ]);
      for (const each of conditions) {
        expect(each).not.toHaveProperty('severity');
        expect(each.lastTransitionTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      }
    },
  ),
  row('CP-24, CP-83', 'observedGeneration follows generation', async (cluster) => {
    await cluster.deploy(service('observed'));
    await cluster.patch(SERVICE, 'observed', { spec: { template: template({ env: { A: '1' } }) } });
    const { metadata, status } = await cluster.ready(SERVICE, 'observed');
    expect([metadata.generation, status?.observedGeneration]).toEqual([2, 2]);
  }),
  row('CP-530, RC-1', 'A Service answers under its URL', async (cluster) => {
    await plain(cluster);
    const answer = await cluster.ask('plain.default.localhost');
    expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('plain-00001') });
  }),
];

const changes: readonly ServingRow[] = [
  row(
    'CP-535',
    'A label put on a Service reaches its children without a new Revision',
    async (cluster) => {
      await cluster.deploy(service('labelled'));
      await cluster.patch(SERVICE, 'labelled', { metadata: { labels: { tier: 'b' } } });
      for (const resource of [CONFIGURATION, ROUTE]) {
        await cluster.eventually(resource, 'labelled', ({ metadata }) => {
          expect(metadata.labels).toMatchObject({ tier: 'b' });
          if (resource === CONFIGURATION) expect(metadata.generation).toBe(1);
        });
      }
      const revisions = await cluster.list(REVISION, 'serving.knative.dev/service=labelled');
      expect(revisions.length).toBe(1);
    },
  ),
  row(
    'CP-535',
    'Changing only traffic makes no new generation of the Configuration',
    async (cluster) => {
      await cluster.deploy(service('retraffic'));
      const traffic = [{ revisionName: 'retraffic-00001', percent: 100 }];
      await cluster.patch(SERVICE, 'retraffic', { spec: { traffic } });
      await cluster.ready(SERVICE, 'retraffic');
      expect((await cluster.get(ROUTE, 'retraffic')).metadata.generation).toBe(2);
      expect((await cluster.get(CONFIGURATION, 'retraffic')).metadata.generation).toBe(1);
    },
  ),
  row('CP-124', 'A child changed by hand is put back', async (cluster) => {
    await cluster.deploy(service('drift'));
    const labels = { stray: 'x' };
    await cluster.patch(CONFIGURATION, 'drift', { metadata: { labels } });
    await cluster
      .patch(ROUTE, 'drift', { metadata: { labels }, spec: { traffic: [] } })
      .catch(String);
    await cluster.patch(ROUTE, 'drift', { metadata: { labels } });
    for (const resource of [CONFIGURATION, ROUTE]) {
      await cluster.eventually(resource, 'drift', ({ metadata }) => {
        expect(metadata.labels).not.toHaveProperty('stray');
      });
    }
  }),
  row('CP-123', 'A child deleted by hand is made again', async (cluster) => {
    await cluster.deploy(service('again'));
    const { uid } = (await cluster.get(ROUTE, 'again')).metadata;
    await cluster.delete(ROUTE, 'again');
    const route = await cluster.eventually(ROUTE, 'again', ({ metadata }) => {
      expect(metadata.uid).not.toBe(uid);
    });
    expect(route.metadata.labels).toMatchObject({ 'serving.knative.dev/service': 'again' });
    await cluster.ready(SERVICE, 'again');
  }),
  row('CP-534', 'Deleting a Service removes everything it made', async (cluster) => {
    await cluster.deploy(service('leaving'));
    await cluster.delete(SERVICE, 'leaving');
    const names = [
      [CONFIGURATION, 'leaving'],
      [ROUTE, 'leaving'],
      [INGRESS, 'leaving'],
      [CORE_SERVICE, 'leaving'],
      [REVISION, 'leaving-00001'],
      [DEPLOYMENT, 'leaving-00001-deployment'],
      [CORE_SERVICE, 'leaving-00001'],
      [CORE_SERVICE, 'leaving-00001-private'],
    ] as const;
    await Promise.all(names.map(([resource, name]) => cluster.gone(resource, name)));
    await cluster.eventuallyAnswers('leaving.default.localhost', ({ status }) => {
      expect(status).toBe(404);
    });
  }),
];

const foreign: readonly ServingRow[] = [
  row(
    'CP-125',
    'A Configuration of the name that is not its own makes a Service fail',
    async (cluster) => {
      await cluster.create(configuration('taken-config'));
      await cluster.create(service('taken-config'));
      await cluster.eventually(SERVICE, 'taken-config', (object) => {
        const want = {
          status: 'False',
          reason: 'NotOwned',
          message: 'There is an existing Configuration "taken-config" that we do not own.',
        };
        expect(condition(object, 'ConfigurationsReady')).toMatchObject(want);
        expect(condition(object, 'Ready')).toMatchObject(want);
      });
    },
  ),
  row('CP-125', 'A Route of the name that is not its own makes a Service fail', async (cluster) => {
    await cluster.create(route('taken-route', [{ configurationName: 'nobody', percent: 100 }]));
    await cluster.create(service('taken-route'));
    await cluster.eventually(SERVICE, 'taken-route', (object) => {
      expect(condition(object, 'RoutesReady')).toMatchObject({
        status: 'False',
        reason: 'NotOwned',
        message: 'There is an existing Route "taken-route" that we do not own.',
      });
    });
  }),
];

export const serviceRows: readonly ServingRow[] = [
  ...made,
  ...defaults,
  ...status,
  ...changes,
  ...foreign,
];
