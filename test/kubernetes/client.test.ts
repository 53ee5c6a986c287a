// The client and its informers against the real API server, in a namespace of their own. Without one
// every test is skipped; the set-up has said why.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ConfigMap, Namespace } from '../../src/api/kinds.ts';
import type { KubeObject } from '../../src/api/objects.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { createKubeClient } from '../../src/kube/client.ts';
import { createInformerFactory } from '../../src/kube/informer.ts';
import { loadKubeconfig } from '../../src/kube/kubeconfig.ts';
import { isConflict, isNotFound, type KubeClient } from '../../src/kube/types.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { until } from '../support/pilotlight.ts';

type Map = KubeObject & { data?: Record<string, string> };

const { kubeconfig } = inject('cluster');

const namespace = `pilotlight-test-${process.pid}`;
const map = (name: string, data: Record<string, string>): Map => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
});
let client: KubeClient;

beforeAll(async () => {
  if (kubeconfig === null) return;
  client = createKubeClient({
    ...(await loadKubeconfig(kubeconfig)),
    clock: systemClock,
    logger: silentLogger,
    userAgent: 'pilotlight-test',
  });
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
  await client.create(Namespace, object);
});
afterAll(async () => {
  if (kubeconfig === null) return;
  await client.delete(Namespace, { name: namespace });
  client.close();
});

describe.skipIf(kubeconfig === null)('the client against a real API server', () => {
  it('creates, reads, patches and deletes', async () => {
    const created = await client.create(ConfigMap, map('one', { a: '1' }));
    expect(created.metadata.uid).not.toBe('');
    const patch = { type: 'merge' as const, body: { data: { b: '2' } } };
    const patched = await client.patch<Map>(ConfigMap, { namespace, name: 'one' }, patch);
    expect(patched.data).toEqual({ a: '1', b: '2' });
    await client.delete(ConfigMap, { namespace, name: 'one' });
    await expect(client.get(ConfigMap, { namespace, name: 'one' })).rejects.toSatisfy(isNotFound);
  });

  it('KN-283: of two writers with the same version one gets a conflict', async () => {
    const created = await client.create(ConfigMap, map('two', { a: '1' }));
    await client.update(ConfigMap, { ...created, data: { a: '2' } });
    const late = client.update(ConfigMap, { ...created, data: { a: '3' } });
    await expect(late).rejects.toSatisfy(isConflict);
  });

  it('an informer sees what is written and what is deleted', async () => {
    const informers = createInformerFactory(client, {
      clock: systemClock,
      logger: silentLogger,
      random: () => 0.5,
    });
    const { lister } = informers.informer<Map>(ConfigMap);
    await informers.start();
    await client.create(ConfigMap, map('three', { a: '1' }));
    await until('the object', () => lister.get(namespace, 'three'));
    await client.delete(ConfigMap, { namespace, name: 'three' });
    await until('its end', () => lister.get(namespace, 'three') === undefined);
    await informers.stop();
  });
});
