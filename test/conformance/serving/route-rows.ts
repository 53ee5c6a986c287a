// Routes: which Revision gets what, under which names, and what they are told when they cannot.

import { expect } from 'vitest';
import { at, type Cluster, condition } from './cluster.ts';
import { configuration, route, service, template } from './objects.ts';
import { type AnyObject, CONFIGURATION, REVISION, ROUTE, SERVICE } from './resources.ts';
import { row, type ServingRow, shared } from './row.ts';

const KEY = 'serving.knative.dev';

/** Two Revisions, `two-00001` and `two-00002`, and three ways to them. */
const tagged = shared(async (cluster) => {
  await cluster.deploy(service('two', { isAwake: true }));
  await cluster.patch(SERVICE, 'two', {
    spec: {
      template: template({ env: { A: '2' }, isAwake: true }),
      traffic: [
        { revisionName: 'two-00001', percent: 100, tag: 'old' },
        { latestRevision: true, percent: 0, tag: 'new' },
      ],
    },
  });
  return cluster.ready(SERVICE, 'two');
});

const halves = shared(async (cluster) => {
  await cluster.deploy(service('halves', { isAwake: true }));
  await cluster.patch(SERVICE, 'halves', {
    spec: {
      template: template({ env: { A: '2' }, isAwake: true }),
      traffic: [
        { revisionName: 'halves-00001', percent: 30 },
        { latestRevision: true, percent: 70 },
      ],
    },
  });
  return cluster.ready(SERVICE, 'halves');
});

/** Asks on so many connections at a time. */
const LANES = 10;

/** Which Revisions answered `count` requests. */
async function answeredBy(cluster: Cluster, host: string, count: number): Promise<string[]> {
  const seen: string[] = [];
  let left = count;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      const { status, body } = await cluster.ask(host);
      expect(status).toBe(200);
      seen.push(/revision ([^,]+),/.exec(body)?.[1] ?? body);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return seen;
}

async function expectTarget(
  cluster: Cluster,
  name: string,
  want: { status: string; reason: string; message: string },
): Promise<void> {
  await cluster.eventually(ROUTE, name, (object) => {
    expect(condition(object, 'AllTrafficAssigned')).toMatchObject(want);
    expect(condition(object, 'Ready')).toMatchObject(want);
  });
}

const traffic: readonly ServingRow[] = [
  row('CP-281', 'status.traffic has a URL for each tag and none without', async (cluster) => {
    const { status } = await tagged(cluster);
    expect(status?.['traffic']).toEqual([
      {
        tag: 'old',
        revisionName: 'two-00001',
        percent: 100,
        latestRevision: false,
        url: 'http://old-two.default.localhost',
      },
      {
        tag: 'new',
        revisionName: 'two-00002',
        percent: 0,
        latestRevision: true,
        url: 'http://new-two.default.localhost',
      },
    ]);
  }),
  row('CP-280, CP-302', 'A tag reaches its Revision whatever its percent', async (cluster) => {
    await tagged(cluster);
    const [old] = await answeredBy(cluster, 'old-two.default.localhost', 1);
    const [latest] = await answeredBy(cluster, 'new-two.default.localhost', 1);
    expect([old, latest]).toEqual(['two-00001', 'two-00002']);
  }),
  row(
    'CP-280, ING-13',
    'A target with no percent gets nothing by the main name',
    async (cluster) => {
      await tagged(cluster);
      const seen = await answeredBy(cluster, 'two.default.localhost', 100);
      expect(new Set(seen)).toEqual(new Set(['two-00001']));
    },
  ),
  row('ING-13, ING-91', 'A split by percent is kept within ten points', async (cluster) => {
    await halves(cluster);
    const seen = await answeredBy(cluster, 'halves.default.localhost', 500);
    const percent = seen.filter((name) => name === 'halves-00001').length / 5;
    expect(Math.abs(percent - 30)).toBeLessThanOrEqual(10);
  }),
  row('ING-14', 'A client cannot choose the Revision by a header', async (cluster) => {
    await tagged(cluster);
    const headers = {
      'Knative-Serving-Revision': 'two-00002',
      'Knative-Serving-Namespace': 'default',
    };
    const { body } = await cluster.ask('two.default.localhost', { headers });
    expect(body).toContain('two-00001');
  }),
  row('CP-281', 'Entries of the same Revision without tags are one', async (cluster) => {
    await cluster.create(configuration('merged'));
    await cluster.ready(CONFIGURATION, 'merged');
    const half = { revisionName: 'merged-00001', percent: 50 };
    await cluster.create(route('merged', [half, half]));
    const { status } = await cluster.ready(ROUTE, 'merged');
    expect(status?.['traffic']).toEqual([
      { revisionName: 'merged-00001', percent: 100, latestRevision: false },
    ]);
  }),
  row('CP-270', 'A Route by itself follows a Configuration', async (cluster) => {
    await cluster.create(configuration('followed'));
    await cluster.create(route('follower', [{ configurationName: 'followed', percent: 100 }]));
    await cluster.ready(ROUTE, 'follower');
    await cluster.patch(CONFIGURATION, 'followed', {
      spec: { template: template({ env: { A: '2' } }) },
    });
    await cluster.eventually(ROUTE, 'follower', (object) => {
      expect(condition(object, 'Ready').status).toBe('True');
      expect(at(object, 'status.traffic.0.revisionName')).toBe('followed-00002');
    });
    const answer = await cluster.ask('follower.default.localhost');
    expect(answer.body).toContain('followed-00002');
  }),
  row('CP-533', 'Traffic of the latest Revision follows an update', async (cluster) => {
    await cluster.deploy(service('moved', { isAwake: true }));
    await cluster.patch(SERVICE, 'moved', { spec: { template: template({ env: { A: '2' } }) } });
    const { status } = await cluster.ready(SERVICE, 'moved');
    expect(at(status, 'traffic.0.revisionName')).toBe('moved-00002');
    const seen = await answeredBy(cluster, 'moved.default.localhost', 5);
    expect(new Set(seen)).toEqual(new Set(['moved-00002']));
  }),
  row(
    'CP-270, CP-126',
    'A pinned Revision keeps its traffic when a newer one is ready',
    async (cluster) => {
      const pinned = [{ revisionName: 'pinned-00001', percent: 100 }];
      await cluster.deploy(service('pinned'));
      await cluster.patch(SERVICE, 'pinned', {
        spec: { template: template({ env: { A: '2' } }), traffic: pinned },
      });
      const { status } = await cluster.ready(SERVICE, 'pinned');
      expect(status?.['latestReadyRevisionName']).toBe('pinned-00002');
      expect(await answeredBy(cluster, 'pinned.default.localhost', 2)).toEqual([
        'pinned-00001',
        'pinned-00001',
      ]);
    },
  ),
  row(
    'CP-280, CP-281',
    'Blue and green: the tagged Revision takes over by a change of percents',
    async (cluster) => {
      await cluster.deploy(service('blue', { isAwake: true }));
      const green = { revisionName: 'blue-00002', tag: 'green' };
      const staged = [
        { revisionName: 'blue-00001', percent: 100 },
        { ...green, percent: 0 },
      ];
      const spec = { template: template({ env: { A: '2' }, isAwake: true }), traffic: staged };
      await cluster.patch(SERVICE, 'blue', { spec });
      await cluster.ready(SERVICE, 'blue');
      const hosts = ['blue.default.localhost', 'green-blue.default.localhost'] as const;
      const before = await Promise.all(hosts.map((host) => answeredBy(cluster, host, 1)));
      expect(before.flat()).toEqual(['blue-00001', 'blue-00002']);
      const switched = [
        { revisionName: 'blue-00001', percent: 0 },
        { ...green, percent: 100 },
      ];
      await cluster.patch(SERVICE, 'blue', { spec: { traffic: switched } });
      await cluster.ready(SERVICE, 'blue');
      expect(await answeredBy(cluster, hosts[0], 2)).toEqual(['blue-00002', 'blue-00002']);
    },
  ),
  row('CP-270', 'Traffic goes back to an older Revision by naming it', async (cluster) => {
    await cluster.deploy(service('undone', { isAwake: true }));
    await cluster.patch(SERVICE, 'undone', { spec: { template: template({ env: { A: '2' } }) } });
    await cluster.ready(SERVICE, 'undone');
    const back = [{ revisionName: 'undone-00001', percent: 100 }];
    await cluster.patch(SERVICE, 'undone', { spec: { traffic: back } });
    await cluster.ready(SERVICE, 'undone');
    expect(await answeredBy(cluster, 'undone.default.localhost', 2)).toEqual([
      'undone-00001',
      'undone-00001',
    ]);
  }),
];

const targets: readonly ServingRow[] = [
  row('CP-275', 'A Route to a Configuration there is not says so', async (cluster) => {
    await cluster.create(route('lost-config', [{ configurationName: 'nowhere', percent: 100 }]));
    await expectTarget(cluster, 'lost-config', {
      status: 'False',
      reason: 'ConfigurationMissing',
      message: 'Configuration "nowhere" referenced in traffic not found.',
    });
  }),
  row('CP-275', 'A Route to a Revision there is not says so', async (cluster) => {
    await cluster.create(route('lost-revision', [{ revisionName: 'nowhere-1', percent: 100 }]));
    await expectTarget(cluster, 'lost-revision', {
      status: 'False',
      reason: 'RevisionMissing',
      message: 'Revision "nowhere-1" referenced in traffic not found.',
    });
  }),
  row(
    'CP-11, CP-275',
    'A Route becomes ready when the Configuration it misses comes',
    async (cluster) => {
      await cluster.create(route('patient', [{ configurationName: 'late', percent: 100 }]));
      await cluster.eventually(ROUTE, 'patient', (object) => {
        expect(condition(object, 'Ready').reason).toBe('ConfigurationMissing');
      });
      await cluster.create(configuration('late'));
      await cluster.ready(ROUTE, 'patient');
    },
  ),
  row('CP-275', 'A Service cannot send traffic to a Revision of another', async (cluster) => {
    await cluster.deploy(service('mine'));
    await cluster.deploy(service('yours'));
    const traffic = [{ revisionName: 'yours-00001', percent: 100 }];
    await cluster.patch(SERVICE, 'mine', { spec: { traffic } });
    await expectTarget(cluster, 'mine', {
      status: 'False',
      reason: 'RevisionNotOwned',
      message: 'Revision "yours-00001" belongs to Service "yours", not Service "mine".',
    });
  }),
  row('CP-275', 'A Service cannot send traffic to a Revision of no Service', async (cluster) => {
    await cluster.create(configuration('nobodys'));
    await cluster.ready(CONFIGURATION, 'nobodys');
    const traffic = [{ revisionName: 'nobodys-00001', percent: 100 }];
    await cluster.create(service('taker', { traffic }));
    await expectTarget(cluster, 'taker', {
      status: 'False',
      reason: 'RevisionNotOwned',
      message: 'Revision "nobodys-00001" does not belong to Service "taker".',
    });
  }),
  row(
    'CP-275, CP-123',
    'A Service with a missing target keeps what its Route did before',
    async (cluster) => {
      await cluster.deploy(service('steady', { isAwake: true }));
      const traffic = [{ revisionName: 'steady-00009', percent: 100 }];
      await cluster.patch(SERVICE, 'steady', { spec: { traffic } });
      await cluster.eventually(SERVICE, 'steady', (object) => {
        expect(condition(object, 'RoutesReady')).toMatchObject({
          status: 'False',
          reason: 'RevisionMissing',
        });
      });
      expect(await answeredBy(cluster, 'steady.default.localhost', 1)).toEqual(['steady-00001']);
    },
  ),
];

const labels: readonly ServingRow[] = [
  row('CP-372, CP-533', 'A Revision that no Route names is in reserve', async (cluster) => {
    await cluster.deploy(service('reserved'));
    await cluster.patch(SERVICE, 'reserved', { spec: { template: template({ env: { A: '2' } }) } });
    await cluster.ready(SERVICE, 'reserved');
    await cluster.eventually(REVISION, 'reserved-00001', ({ metadata }) => {
      expect(metadata.labels?.[`${KEY}/routingState`]).toBe('reserve');
      expect(metadata.annotations).not.toHaveProperty([`${KEY}/routes`]);
    });
  }),
  row(
    'CP-370, CP-372',
    'A Revision and its Configuration name the Routes that use them, sorted',
    async (cluster) => {
      await cluster.create(configuration('popular'));
      for (const name of ['zeta', 'alpha']) {
        await cluster.create(route(name, [{ configurationName: 'popular', percent: 100 }]));
      }
      const isNamed = ({ metadata }: AnyObject) => {
        expect(metadata.annotations?.[`${KEY}/routes`]).toBe('alpha,zeta');
      };
      await cluster.eventually(CONFIGURATION, 'popular', isNamed);
      await cluster.eventually(REVISION, 'popular-00001', isNamed);
    },
  ),
  row(
    'CP-373, CP-21',
    'A deleted Route is taken off what it used, by its finalizer',
    async (cluster) => {
      await cluster.create(configuration('left'));
      await cluster.create(route('leaver', [{ configurationName: 'left', percent: 100 }]));
      const ready = await cluster.ready(ROUTE, 'leaver');
      expect(ready.metadata.finalizers).toEqual(['routes.serving.knative.dev']);
      await cluster.delete(ROUTE, 'leaver');
      await cluster.gone(ROUTE, 'leaver');
      await cluster.eventually(REVISION, 'left-00001', ({ metadata }) => {
        expect(metadata.annotations).not.toHaveProperty([`${KEY}/routes`]);
        expect(metadata.labels?.[`${KEY}/routingState`]).toBe('reserve');
      });
      await cluster.eventuallyAnswers('leaver.default.localhost', ({ status }) => {
        expect(status).toBe(404);
      });
    },
  ),
];

export const routeRows: readonly ServingRow[] = [...traffic, ...targets, ...labels];
