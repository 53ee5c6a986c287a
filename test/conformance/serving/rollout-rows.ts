// Gradual rollouts, and garbage collection of the Revisions they leave behind.

import { expect } from 'vitest';
import { at, type Cluster, condition } from './cluster.ts';
import { service, template } from './objects.ts';
import { type AnyObject, INGRESS, REVISION, ROUTE, SERVICE } from './resources.ts';
import { aloneRow, row, type ServingRow, shared } from './row.ts';

const KEY = 'serving.knative.dev';
/** Long enough to be seen in every phase, short enough to be waited for. */
const ROLLOUT_SECONDS = 4;

interface Target {
  revisionName: string;
  percent: number;
}

const targets = (object: AnyObject) => (object.status?.['traffic'] ?? []) as Target[];

/** A second Revision half way in; what was seen until it was all the way in. */
const rolled = shared(async (cluster) => {
  const annotations = { [`${KEY}/rollout-duration`]: `${ROLLOUT_SECONDS}s` };
  await cluster.deploy(service('gradual', { metadata: { annotations }, isAwake: true }));
  const spec = { template: template({ env: { A: '2' }, isAwake: true }) };
  await cluster.patch(SERVICE, 'gradual', { spec });
  const started = await cluster.eventually(ROUTE, 'gradual', (object) => {
    expect(condition(object, 'IngressReady').reason).toBe('RolloutInProgress');
  });
  const ingress = await cluster.get(INGRESS, 'gradual');
  const shares = [targets(started)];
  const answers: number[] = [];
  for (;;) {
    answers.push((await cluster.ask('gradual.default.localhost')).status);
    const now = await cluster.get(ROUTE, 'gradual');
    shares.push(targets(now));
    if (targets(now).length === 1) return { started, ingress, shares, answers };
  }
});

const rollouts: readonly ServingRow[] = [
  row(
    'CP-363, CP-260',
    'A rollout starts with one percent and says it is in progress',
    async (cluster) => {
      const { started } = await rolled(cluster);
      expect(condition(started, 'IngressReady')).toMatchObject({
        status: 'Unknown',
        message: 'A gradual rollout of the latest revision(s) is in progress.',
      });
      expect(targets(started)).toMatchObject([
        { revisionName: 'gradual-00001', percent: 99 },
        { revisionName: 'gradual-00002', percent: 1 },
      ]);
    },
  ),
  row(
    'CP-281, CP-366',
    'Shares move to the newest Revision, never back, and always sum to 100',
    async (cluster) => {
      const { shares } = await rolled(cluster);
      const newest = shares.map((each) => each.at(-1)?.percent ?? 0);
      expect([...newest].sort((a, b) => a - b)).toEqual(newest);
      // How many steps lie between depends on how soon the Ingress was ready (CP-365).
      expect([newest[0], newest.at(-1)]).toEqual([1, 100]);
      for (const each of shares) {
        expect(each.reduce((sum, { percent }) => sum + percent, 0)).toBe(100);
      }
    },
  ),
  row('CP-360', 'The state of a rollout is kept on the Ingress', async (cluster) => {
    const { ingress } = await rolled(cluster);
    const text = ingress.metadata.annotations?.['networking.internal.knative.dev/rollout'] ?? '';
    expect(JSON.parse(text)).toMatchObject({
      configurations: [
        {
          configurationName: 'gradual',
          percent: 100,
          revisions: [{ revisionName: 'gradual-00001' }, { revisionName: 'gradual-00002' }],
          stepParams: { starttime: expect.any(Number) },
        },
      ],
    });
  }),
  row(
    'CP-366, CP-367',
    'A finished rollout leaves all traffic with the newest Revision',
    async (cluster) => {
      await rolled(cluster);
      const { status } = await cluster.ready(SERVICE, 'gradual');
      expect(status?.['traffic']).toMatchObject([{ revisionName: 'gradual-00002', percent: 100 }]);
      const { body } = await cluster.ask('gradual.default.localhost');
      expect(body).toContain('gradual-00002');
    },
  ),
  row('ING-93', 'No request fails while a rollout moves', async (cluster) => {
    const { answers } = await rolled(cluster);
    expect(new Set(answers)).toEqual(new Set([200]));
  }),
  row('CP-361', 'A rollout-duration of 0s is none', async (cluster) => {
    const annotations = { [`${KEY}/rollout-duration`]: '0s' };
    await cluster.deploy(service('at-once', { metadata: { annotations } }));
    const seen: Target[][] = [];
    const spec = { template: template({ env: { A: '2' } }) };
    await cluster.patch(SERVICE, 'at-once', { spec });
    await cluster.eventually(ROUTE, 'at-once', (object) => {
      seen.push(targets(object));
      expect(targets(object)[0]?.revisionName).toBe('at-once-00002');
    });
    expect(Math.max(...seen.map((each) => each.length))).toBe(1);
  }),
  aloneRow(
    'CP-361, CP-109',
    'rollout-duration of config-network is for Routes without their own',
    async (cluster) => {
      await cluster.deploy(service('configured', { isAwake: true }));
      await cluster.configured('config-network', { 'rollout-duration': '300' }, async () => {
        const spec = { template: template({ env: { A: '2' }, isAwake: true }) };
        await cluster.patch(SERVICE, 'configured', { spec });
        await cluster.eventually(ROUTE, 'configured', (object) => {
          expect(targets(object).map(({ percent }) => percent)).toEqual([99, 1]);
        });
      });
      await cluster.ready(SERVICE, 'configured');
    },
  ),
];

/** A Service with `count` Revisions, of which the last has the traffic. */
async function history(cluster: Cluster, name: string, count: number): Promise<void> {
  await cluster.deploy(service(name));
  for (let generation = 2; generation <= count; generation += 1) {
    const spec = { template: template({ env: { A: String(generation) } }) };
    await cluster.patch(SERVICE, name, { spec });
    await cluster.ready(SERVICE, name);
    await cluster.eventually(REVISION, `${name}-0000${generation - 1}`, ({ metadata }) => {
      expect(metadata.labels?.[`${KEY}/routingState`]).toBe('reserve');
    });
  }
}

async function expectRevisions(cluster: Cluster, name: string, want: number[]): Promise<void> {
  await cluster.eventuallyAll(REVISION, (revisions) => {
    const found = revisions
      .filter(({ metadata }) => metadata.labels?.[`${KEY}/configuration`] === name)
      .map(({ metadata }) => Number(metadata.labels?.[`${KEY}/configurationGeneration`]));
    expect(found.sort()).toEqual(want);
  });
}

/** No time limits, so that only numbers count. */
const BY_NUMBER = {
  'retain-since-create-time': 'disabled',
  'retain-since-last-active-time': 'disabled',
  'min-non-active-revisions': '0',
};

const collection: readonly ServingRow[] = [
  aloneRow(
    'CP-390, CP-108',
    'More Revisions in reserve than the maximum: the oldest are deleted',
    async (cluster) => {
      await history(cluster, 'old', 4);
      const limits = { ...BY_NUMBER, 'max-non-active-revisions': '1' };
      await cluster.configured('config-gc', limits, () => expectRevisions(cluster, 'old', [3, 4]));
    },
  ),
  aloneRow('CP-390, CP-63', 'Revisions with no-gc or with traffic are kept', async (cluster) => {
    await history(cluster, 'held', 4);
    const annotations = { [`${KEY}/no-gc`]: 'true' };
    await cluster.patch(REVISION, 'held-00001', { metadata: { annotations } });
    const main = { latestRevision: true, percent: 100 };
    const traffic = [main, { revisionName: 'held-00002', percent: 0, tag: 'kept' }];
    await cluster.patch(SERVICE, 'held', { spec: { traffic } });
    await cluster.ready(SERVICE, 'held');
    await cluster.eventually(REVISION, 'held-00002', ({ metadata }) => {
      expect(metadata.labels?.[`${KEY}/routingState`]).toBe('active');
    });
    const limits = { ...BY_NUMBER, 'max-non-active-revisions': '0' };
    await cluster.configured('config-gc', limits, () =>
      expectRevisions(cluster, 'held', [1, 2, 4]),
    );
  }),
  aloneRow('CP-390', 'Of stale Revisions the minimum stays', async (cluster) => {
    await history(cluster, 'stale', 4);
    const limits = {
      'retain-since-create-time': '0s',
      'retain-since-last-active-time': '0s',
      'min-non-active-revisions': '2',
    };
    await cluster.configured('config-gc', limits, () =>
      expectRevisions(cluster, 'stale', [2, 3, 4]),
    );
  }),
  aloneRow('CP-390, CP-62', 'A deleted Revision takes what it made with it', async (cluster) => {
    await history(cluster, 'swept', 2);
    const limits = { ...BY_NUMBER, 'max-non-active-revisions': '0' };
    await cluster.configured('config-gc', limits, async () => {
      await expectRevisions(cluster, 'swept', [2]);
      await cluster.gone('apps/v1/deployments', 'swept-00001-deployment');
      await cluster.gone('v1/services', 'swept-00001-private');
    });
    expect(at(await cluster.get(SERVICE, 'swept'), 'status.conditions.1.status')).toBe('True');
  }),
];

export const rolloutRows: readonly ServingRow[] = rollouts;
export const collectionRows: readonly ServingRow[] = collection;
