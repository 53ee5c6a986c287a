// The built-in controllers against the embedded API server through real HTTPS: what the in-memory
// API of their own tests promises, the real one keeps.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AdmissionPlugin } from '../api/admission.ts';
import type { CoreService, Deployment, Endpoints, Pod } from '../api/core.ts';
import {
  Deployment as DeploymentKind,
  Endpoints as EndpointsKind,
  Namespace as NamespaceKind,
  Pod as PodKind,
  CoreService as ServiceKind,
} from '../api/kinds.ts';
import { type ApiServer, startApiServer } from '../apiserver/start.ts';
import { systemClock } from '../clock/clock.ts';
import { type Cluster, startCluster } from '../cluster/start.ts';
import { createKubeClient } from '../kube/client.ts';
import { createInformerFactory } from '../kube/informer.ts';
import type { InformerFactory, KubeClient } from '../kube/types.ts';
import { silentLogger } from '../telemetry/logger.ts';

const NAMESPACE = 'default';
const admitAll: AdmissionPlugin = {
  admit: (request) => ({ allowed: true, object: request.object, warnings: [] }),
};

let api: ApiServer;
let client: KubeClient;
let informers: InformerFactory;
let cluster: Cluster;

beforeEach(async () => {
  const clock = systemClock;
  const logger = silentLogger;
  const random = Math.random;
  api = await startApiServer({
    dataDir: null,
    durability: 'kernel',
    host: '127.0.0.1',
    port: 0,
    userName: 'admin',
    admission: admitAll,
    podLogs: { open: () => Promise.resolve(null) } as never,
    clock,
    logger,
  });
  const connection = { server: api.url, caPem: api.caPem, token: api.token };
  client = createKubeClient({ ...connection, clock, logger, userAgent: 'test' });
  informers = createInformerFactory(client, { clock, logger, random });
  cluster = startCluster({ client, informers, clock, logger, random, nodeName: 'local' });
  await informers.start();
});

afterEach(async () => {
  await cluster.stop();
  await informers.stop();
  client.close();
  await api.stop();
});

/** Asks again until `read` gives something; fails by the test's own timeout. */
async function eventually<T>(read: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await Promise.resolve(read()).catch(() => undefined);
    if (found !== undefined) return found;
    await systemClock.sleep(2);
  }
}

async function createWorkload(): Promise<void> {
  const labels = { app: 'web' };
  await client.create<Deployment>(DeploymentKind, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: NAMESPACE, name: 'web' },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'v1' }] } },
    },
  });
  await client.create<CoreService>(ServiceKind, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: NAMESPACE, name: 'web', labels },
    spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 8012 }] },
  });
}

async function scale(replicas: number): Promise<void> {
  const body = [{ op: 'add', path: '/spec/replicas', value: replicas }];
  const key = { namespace: NAMESPACE, name: 'web' };
  await client.patch(DeploymentKind, key, { type: 'json', body }, { subresource: 'scale' });
}

const pods = async (): Promise<Pod[]> =>
  (await client.list<Pod>(PodKind, { namespace: NAMESPACE })).items;
const podCount = (count: number): Promise<Pod[]> =>
  eventually(async () => {
    const found = await pods();
    return found.length === count ? found : undefined;
  });

async function reportReady(pod: Pod): Promise<void> {
  const lastTransitionTime = new Date().toISOString();
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime }];
  const body = { status: { phase: 'Running', podIP: '127.1.2.3', conditions } };
  const key = { namespace: NAMESPACE, name: pod.metadata.name };
  await client.patch(PodKind, key, { type: 'merge', body }, { subresource: 'status' });
}

describe('built-in controllers over HTTPS', () => {
  test('AS-137, CP-518: a scale patch becomes a pod, a ready pod becomes an address', async () => {
    await createWorkload();
    const empty = await eventually(() =>
      client.get<Endpoints>(EndpointsKind, { namespace: NAMESPACE, name: 'web' }),
    );
    expect(empty.subsets ?? []).toEqual([]);
    await scale(1);
    const [pod] = await podCount(1);
    await reportReady(pod!);
    const { subsets } = await eventually(async () => {
      const key = { namespace: NAMESPACE, name: 'web' };
      const found = await client.get<Endpoints>(EndpointsKind, key);
      return (found.subsets ?? []).length > 0 ? found : undefined;
    });
    expect(subsets?.[0]?.addresses?.[0]).toMatchObject({ ip: '127.1.2.3' });
    const status = await eventually(async () => {
      const key = { namespace: NAMESPACE, name: 'web' };
      const found = await client.get<Deployment>(DeploymentKind, key);
      return found.status?.availableReplicas === 1 ? found.status : undefined;
    });
    expect(status.conditions?.find((one) => one.type === 'Progressing')).toMatchObject({
      status: 'True',
      reason: 'NewReplicaSetAvailable',
    });
  });

  test('ten pods at once are ten pods', async () => {
    await createWorkload();
    await scale(10);
    await podCount(10);
    for (let round = 0; round < 20; round += 1) {
      await systemClock.sleep(2);
      expect(await pods()).toHaveLength(10);
    }
  });

  for (const propagationPolicy of ['Background', 'Foreground'] as const) {
    test(`KN-201: a ${propagationPolicy} delete takes pods and Endpoints along`, async () => {
      await createWorkload();
      await scale(2);
      const created = await podCount(2);
      const key = { namespace: NAMESPACE, name: 'web' };
      await client.delete(DeploymentKind, key, { propagationPolicy });
      await client.delete(ServiceKind, key, { propagationPolicy });
      await eventually(async () => {
        const left = await pods();
        return left.every((pod) => pod.metadata.deletionTimestamp) ? true : undefined;
      });
      for (const { metadata } of created) {
        const podKey = { namespace: NAMESPACE, name: metadata.name };
        await client.delete(PodKind, podKey, { gracePeriodSeconds: 0 }).catch(() => undefined);
      }
      await podCount(0);
      await eventually(async () => {
        const { items } = await client.list(EndpointsKind, { namespace: NAMESPACE });
        return items.length === 0 ? true : undefined;
      });
      await eventually(async () => {
        const { items } = await client.list(DeploymentKind, { namespace: NAMESPACE });
        return items.length === 0 ? true : undefined;
      });
    });
  }

  test('KN-201: an Orphan delete leaves the pods', async () => {
    await createWorkload();
    await scale(1);
    await podCount(1);
    const key = { namespace: NAMESPACE, name: 'web' };
    await client.delete(DeploymentKind, key, { propagationPolicy: 'Orphan' });
    await eventually(async () => {
      const { items } = await client.list(DeploymentKind, { namespace: NAMESPACE });
      return items.length === 0 ? true : undefined;
    });
    const [pod] = await pods();
    expect(pod?.metadata.ownerReferences ?? []).toEqual([]);
    expect(pod?.metadata.deletionTimestamp).toBeUndefined();
  });

  test('the required namespaces exist', async () => {
    await eventually(() => client.get(NamespaceKind, { name: 'knative-serving' }));
    await client.get(NamespaceKind, { name: 'default' });
  });
});
