// Our controllers, autoscaler and admission on a real API server: a Service from its creation to its end.
// Only on the server started for this run, because our controllers act on every Knative object they
// see. No kubelet, no gateway and no controllers of Kubernetes but the collector: see support/serving.ts.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import * as kinds from '../../src/api/kinds.ts';
import { SYSTEM_NAMESPACE } from '../../src/api/labels.ts';
import { controllerOf, type KubeObject } from '../../src/api/objects.ts';
import type { KnativeService, Revision } from '../../src/api/serving.ts';
import { isNotFound, type KubeClient } from '../../src/kube/types.ts';
import { type AnyObject, condition, until } from '../support/pilotlight.ts';
import { ensureNamespace, openClient } from './support/client.ts';
import { installKinds } from './support/crds.ts';
import { applyStrictly, manifests } from './support/manifests.ts';
import {
  CHILDREN_OF_HELLO,
  runPod,
  type Serving,
  serveIngress,
  startServing,
} from './support/serving.ts';

const { kubeconfig, isOwn } = inject('cluster');
const namespace = 'reconcilers';
let client: KubeClient;
let serving: Serving;

beforeAll(async () => {
  if (!isOwn || kubeconfig === null) return;
  client = await openClient(kubeconfig);
  await installKinds(client);
  await ensureNamespace(client, SYSTEM_NAMESPACE);
  await ensureNamespace(client, namespace);
  for (const object of manifests().filter(({ kind }) => kind === 'ConfigMap')) {
    await applyStrictly(client, object, { dryRun: false });
  }
  serving = await startServing(client);
});
afterAll(async () => {
  await serving?.stop();
  client?.close();
});

const service = (image: string): KnativeService => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { name: 'hello', namespace },
  spec: { template: { spec: { containers: [{ name: 'user-container', image }] } } },
});

const find = async (kind: kinds.Kind, name: string): Promise<AnyObject | undefined> => {
  try {
    return await client.get<AnyObject>(kind, { namespace, name });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
};
const there = (kind: kinds.Kind, name: string): Promise<AnyObject> =>
  until(`${kind.kind} ${name}`, () => find(kind, name));
const ready = (kind: kinds.Kind, name: string): Promise<boolean> =>
  until(
    `${kind.kind} ${name} ready`,
    async () => condition(await there(kind, name), 'Ready')?.status === 'True',
  );
/** `Kind/name` of the controlling owner. */
const owner = (object: KubeObject): string => {
  const reference = controllerOf(object);
  return `${reference?.kind}/${reference?.name}`;
};

describe.skipIf(!isOwn)('a Service on a real API server', () => {
  it('CP-530: its children appear, each owned by the right parent', async () => {
    await client.create(kinds.KnativeService, service('example.com/app:1'));
    for (const [kind, name, parent] of CHILDREN_OF_HELLO) {
      expect(owner(await there(kind, name)), `${kind.kind} ${name}`).toBe(parent);
    }
    expect(serving.reviews()).toBeGreaterThan(0);
  });

  it('WH-17: admission filled in the defaults on the way', async () => {
    const { spec } = await there(kinds.KnativeService, 'hello');
    expect(spec).toMatchObject({
      template: { spec: { timeoutSeconds: 300, containerConcurrency: 0 } },
      traffic: [{ latestRevision: true, percent: 100 }],
    });
  });

  it('WH-20: admission refuses what is not valid', async () => {
    const bad = service('example.com/app:1');
    bad.metadata.name = 'bad';
    bad.spec.template!.spec.timeoutSeconds = -1;
    await expect(client.create(kinds.KnativeService, bad)).rejects.toThrow('timeoutSeconds');
  });

  it('CP-530: ready once a pod runs and the gateway serves', async () => {
    await runPod(client, namespace, 'hello-00001');
    await there(kinds.Endpoints, 'hello-00001');
    await ready(kinds.PodAutoscaler, 'hello-00001');
    await ready(kinds.Revision, 'hello-00001');
    expect(owner(await there(kinds.Ingress, 'hello'))).toBe('Route/hello');
    await serveIngress(client, namespace, 'hello');
    await ready(kinds.Route, 'hello');
    await ready(kinds.KnativeService, 'hello');
    expect((await there(kinds.KnativeService, 'hello')).status).toMatchObject({
      url: expect.stringContaining('http://hello.reconcilers.'),
      latestReadyRevisionName: 'hello-00001',
    });
  });

  it('CP-530: a change of the template makes a second Revision', async () => {
    const body = { spec: { template: { spec: { containers: [{ image: 'example.com/app:2' }] } } } };
    const key = { namespace, name: 'hello' };
    await client.patch(kinds.KnativeService, key, { type: 'merge', body });
    const second = (await there(kinds.Revision, 'hello-00002')) as unknown as Revision;
    expect(second.metadata.labels).toMatchObject({
      'serving.knative.dev/configurationGeneration': '2',
    });
    await there(kinds.Deployment, 'hello-00002-deployment');
    await runPod(client, namespace, 'hello-00002');
    await there(kinds.Endpoints, 'hello-00002');
    await ready(kinds.Revision, 'hello-00002');
    await until('traffic on the second Revision', async () => {
      const { status } = await there(kinds.Route, 'hello');
      const [target] = (status?.['traffic'] ?? []) as { revisionName: string }[];
      return target?.revisionName === 'hello-00002';
    });
  });

  it('CP-530: deleting it collects every child', async () => {
    await client.delete(kinds.KnativeService, { namespace, name: 'hello' });
    const collected = [
      [kinds.Configuration, 'hello'],
      [kinds.Route, 'hello'],
      [kinds.Revision, 'hello-00001'],
      [kinds.Deployment, 'hello-00001-deployment'],
      [kinds.PodAutoscaler, 'hello-00002'],
      [kinds.ServerlessService, 'hello-00002'],
      [kinds.Ingress, 'hello'],
    ] as const;
    for (const [kind, name] of collected) {
      await until(`${kind.kind} ${name} gone`, async () => (await find(kind, name)) === undefined);
    }
  });
});
