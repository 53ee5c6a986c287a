// How many pods there are: bounds, first size, zero and back, targets, delays, classes. Windows are six
// seconds here, so that a revision may come and go while the others do.

import { expect } from 'vitest';
import { at, type Cluster, condition } from '../cluster.ts';
import {
  type AnyObject,
  DEPLOYMENT,
  POD_AUTOSCALER,
  REVISION,
  SERVERLESS_SERVICE,
  SERVICE,
} from '../resources.ts';
import { aloneRow, row, type ServingRow, shared } from '../row.ts';
import { app, eventuallyPods, Held, hostOf, noPods, podsOf, report, scaling } from './app.ts';

const isReady = (pod: AnyObject) => condition(pod, 'Ready').status === 'True';
const FREE = { [scaling('min-scale')]: '0', [scaling('max-scale')]: '0' };

/** Without bounds unless given. */
const scaled = (name: string, annotations: Record<string, string>, spec = {}) =>
  app(name, { annotations: { ...FREE, ...annotations }, spec });

const hasPods = (cluster: Cluster, name: string, count: number) =>
  eventuallyPods(cluster, name, (pods) => {
    expect(pods.length).toBe(count);
    expect(pods.filter(isReady).length).toBe(count);
  });

/** Puts `count` requests inside and waits for so many pods; then lets the requests end. */
async function podsUnder(
  cluster: Cluster,
  name: string,
  count: number,
  check: (pods: AnyObject[]) => void,
): Promise<void> {
  const held = Array.from({ length: count }, () => new Held(cluster, hostOf(name)));
  await eventuallyPods(cluster, name, check);
  for (const request of held) request.finish();
  const answers = await Promise.all(held.map(({ answer }) => answer));
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
}

/** Deployed, and back at zero. */
async function toZero(cluster: Cluster, name: string): Promise<void> {
  await cluster.deploy(scaled(name, {}));
  await cluster.eventually(DEPLOYMENT, `${name}-00001-deployment`, (object) => {
    expect(at(object, 'spec.replicas')).toBe(0);
  });
  await noPods(cluster, name);
}

const asleep = shared((cluster) => toZero(cluster, 'sleepy'));

/** What keeps a pod longer than others, by the name of its Service. */
const LASTING: Readonly<Record<string, Record<string, string>>> = {
  two: { [scaling('min-scale')]: '2' },
  lingering: { [scaling('scale-down-delay')]: '10m' },
  retained: { [scaling('scale-to-zero-pod-retention-period')]: '10m' },
  patient: { [scaling('window')]: '10m' },
};

/** All of those, after one that was made and asked later has gone to zero. */
const lasted = shared(async (cluster) => {
  const names = Object.keys(LASTING);
  await Promise.all(names.map((name) => cluster.deploy(scaled(name, LASTING[name]!))));
  await Promise.all(names.map((name) => report(cluster, hostOf(name))));
  await toZero(cluster, 'passing');
  const count = async (name: string) => (await podsOf(cluster, name)).length;
  const counts = await Promise.all(names.map(count));
  return Object.fromEntries(names.map((name, index) => [name, counts[index]]));
});

export const scaleRows: readonly ServingRow[] = [
  row('RC-68, AS-39', 'A new revision starts with one pod, unasked', async (cluster) => {
    await cluster.create(scaled('fresh', {}));
    await hasPods(cluster, 'fresh', 1);
  }),
  row('AS-134, CP-195', 'Without requests it goes to zero, and stays Ready', async (cluster) => {
    await asleep(cluster);
    const revision = await cluster.eventually(REVISION, 'sleepy-00001', (object) => {
      expect(condition(object, 'Active')).toMatchObject({ status: 'False', reason: 'NoTraffic' });
    });
    expect(condition(revision, 'Ready').status).toBe('True');
    expect(condition(await cluster.get(SERVICE, 'sleepy'), 'Ready').status).toBe('True');
  }),
  row('AS-135, AS-150', 'At zero the activator is in the path, and wakes it', async (cluster) => {
    await asleep(cluster);
    const object = await cluster.get(SERVERLESS_SERVICE, 'sleepy-00001');
    expect(at(object, 'spec.mode')).toBe('Proxy');
    const held = Array.from({ length: 20 }, () => new Held(cluster, hostOf('sleepy')));
    for (const request of held) request.finish();
    const answers = await Promise.all(held.map(({ answer }) => answer));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    await cluster.eventually(POD_AUTOSCALER, 'sleepy-00001', (autoscaler) => {
      expect(condition(autoscaler, 'Active').status).toBe('True');
      expect(at(autoscaler, 'status.actualScale')).toBeGreaterThan(0);
    });
  }),
  row('AS-127, AS-39', 'initial-scale is where it starts', async (cluster) => {
    await cluster.create(scaled('many', { [scaling('initial-scale')]: '3' }));
    await hasPods(cluster, 'many', 3);
    await cluster.ready(SERVICE, 'many');
    expect((await cluster.get(POD_AUTOSCALER, 'many-00001')).status).toMatchObject({
      desiredScale: 3,
    });
  }),
  row('RC-69, AS-142', 'initial-scale 0 is Ready without a pod, and wakes', async (cluster) => {
    await cluster.deploy(scaled('unborn', { [scaling('initial-scale')]: '0' }));
    expect(await podsOf(cluster, 'unborn')).toEqual([]);
    const deployment = await cluster.get(DEPLOYMENT, 'unborn-00001-deployment');
    expect(at(deployment, 'spec.replicas')).toBe(0);
    expect((await report(cluster, hostOf('unborn'))).env['K_SERVICE']).toBe('unborn');
  }),
  row('AS-40, AS-129', 'min-scale pods are there from the start and stay', async (cluster) => {
    expect((await lasted(cluster))['two']).toBe(2);
    const deployment = await cluster.get(DEPLOYMENT, 'two-00001-deployment');
    expect(at(deployment, 'spec.replicas')).toBe(2);
  }),
  row('AS-40, AS-128', 'max-scale is never passed', async (cluster) => {
    const most = { [scaling('max-scale')]: '2' };
    await cluster.deploy(scaled('capped', most, { containerConcurrency: 1 }));
    await podsUnder(cluster, 'capped', 6, (pods) => {
      expect(pods.length).toBeLessThanOrEqual(2);
      expect(pods.filter(isReady).length).toBe(2);
    });
    expect((await podsOf(cluster, 'capped')).length).toBeLessThanOrEqual(2);
  }),
  row('AS-103, AS-44', 'Requests inside by target pods are there', async (cluster) => {
    const target = {
      [scaling('target')]: '2.2',
      [scaling('target-utilization-percentage')]: '100',
    };
    await cluster.deploy(scaled('aimed', target));
    await podsUnder(cluster, 'aimed', 4, (pods) => expect(pods.filter(isReady).length).toBe(2));
  }),
  row('AS-103, RC-41', 'containerConcurrency is a target too', async (cluster) => {
    await cluster.deploy(scaled('crowded', {}, { containerConcurrency: 1 }));
    await podsUnder(cluster, 'crowded', 3, (pods) => {
      expect(pods.filter(isReady).length).toBeGreaterThanOrEqual(3);
    });
  }),
  row('AS-106', 'activation-scale is the size it wakes to', async (cluster) => {
    const annotations = { [scaling('initial-scale')]: '0', [scaling('activation-scale')]: '3' };
    await cluster.deploy(scaled('eager', annotations));
    await podsUnder(cluster, 'eager', 1, (pods) => expect(pods.filter(isReady).length).toBe(3));
  }),
  row('AS-112', 'scale-down-delay keeps what others give back', async (cluster) => {
    expect((await lasted(cluster))['lingering']).toBe(1);
  }),
  row('AS-134', 'scale-to-zero-pod-retention-period keeps the last pod', async (cluster) => {
    expect((await lasted(cluster))['retained']).toBe(1);
    await cluster.eventually(POD_AUTOSCALER, 'retained-00001', (object) => {
      expect(condition(object, 'Active').status).toBe('False');
    });
    expect((await podsOf(cluster, 'retained')).length).toBe(1);
  }),
  row('AS-46', 'window is how far back it looks', async (cluster) => {
    expect((await lasted(cluster))['patient']).toBe(1);
    const autoscaler = await cluster.get(POD_AUTOSCALER, 'patient-00001');
    expect(condition(autoscaler, 'Active').status).toBe('True');
    expect(at(autoscaler, 'status.desiredScale')).toBe(1);
  }),
  row('AS-15, AS-43', 'Requests per second are a metric as well', async (cluster) => {
    const annotations = { [scaling('metric')]: 'rps', [scaling('target')]: '150' };
    await cluster.deploy(scaled('rated', annotations));
    expect((await report(cluster, hostOf('rated'))).env['K_SERVICE']).toBe('rated');
    const { metadata } = await cluster.get(POD_AUTOSCALER, 'rated-00001');
    expect(metadata.annotations).toMatchObject(annotations);
  }),
  row('AS-115, AS-150', 'target-burst-capacity decides who is asked', async (cluster) => {
    const modes = { '-1': 'Proxy', '0': 'Serve' };
    for (const [capacity, mode] of Object.entries(modes)) {
      const name = `burst${capacity === '0' ? '-none' : '-all'}`;
      const annotations = {
        [scaling('min-scale')]: '1',
        [scaling('target-burst-capacity')]: capacity,
      };
      await cluster.deploy(scaled(name, annotations));
      await cluster.eventually(SERVERLESS_SERVICE, `${name}-00001`, (object) => {
        expect(at(object, 'spec.mode')).toBe(mode);
      });
    }
  }),
  row('AS-158', 'class HPA makes a HorizontalPodAutoscaler with the bounds', async (cluster) => {
    const annotations = {
      [scaling('class')]: 'hpa.autoscaling.knative.dev',
      [scaling('metric')]: 'cpu',
      [scaling('target')]: '70',
      [scaling('min-scale')]: '1',
      [scaling('max-scale')]: '4',
    };
    await cluster.deploy(scaled('by-cpu', annotations));
    const path = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/by-cpu-00001';
    const { body } = await cluster.api.ask('GET', path);
    expect(body).toMatchObject({
      spec: {
        minReplicas: 1,
        maxReplicas: 4,
        scaleTargetRef: { kind: 'Deployment', name: 'by-cpu-00001-deployment' },
        metrics: [{ type: 'Resource', resource: { name: 'cpu' } }],
      },
    });
  }),
  row('AS-35', 'A class of somebody else is left to them', async (cluster) => {
    await cluster.create(scaled('foreign', { [scaling('class')]: 'own.example.com' }));
    await cluster.eventually(POD_AUTOSCALER, 'foreign-00001', ({ metadata, status }) => {
      expect(metadata.annotations?.[scaling('class')]).toBe('own.example.com');
      expect(status?.conditions ?? []).toEqual([]);
    });
    await hasPods(cluster, 'foreign', 1);
    expect(condition(await cluster.get(SERVICE, 'foreign'), 'Ready').status).toBe('Unknown');
  }),
  aloneRow('AS-130, AS-11', 'enable-scale-to-zero false keeps one pod of each', async (cluster) => {
    await cluster.configured('config-autoscaler', { 'enable-scale-to-zero': 'false' }, async () => {
      await cluster.deploy(scaled('awake', {}));
      await cluster.eventually(POD_AUTOSCALER, 'awake-00001', ({ status }) => {
        expect(status).toMatchObject({ desiredScale: 1, actualScale: 1 });
      });
    });
    await noPods(cluster, 'awake');
  }),
  aloneRow('AS-22', 'initial-scale 0 can be forbidden', async (cluster) => {
    const object = scaled('leave', { [scaling('initial-scale')]: '0' });
    const data = { 'allow-zero-initial-scale': 'false' };
    await cluster.configured('config-autoscaler', data, async () => {
      await expect
        .poll(async () => (await cluster.post(object, '?dryRun=All')).code, { timeout: 20_000 })
        .toBe(400);
      expect(await cluster.refusal(object)).toContain(
        `${scaling('initial-scale')}=0 not allowed by cluster`,
      );
    });
  }),
];
