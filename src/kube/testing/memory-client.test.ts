// The promises reconciler tests rely on: what the in-memory API shares with a real one.

import { describe, expect, test } from 'vitest';
import { Deployment, KnativeService, Pod } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../types.ts';
import { MemoryClient } from './memory-client.ts';

interface Loose extends KubeObject {
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

const key = { namespace: 'ns', name: 'a' };
const service = (spec: Record<string, unknown> = {}): Loose => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { ...key },
  spec,
});
const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

describe('memory client', () => {
  test('KN-170: creation sets uid, version, generation and time, and refuses a second', async () => {
    const client = new MemoryClient();
    const { metadata } = await client.create(KnativeService, service());
    expect(metadata).toMatchObject({ uid: 'uid-1', resourceVersion: '1', generation: 1 });
    expect(isAlreadyExists(await caught(client.create(KnativeService, service())))).toBe(true);
  });

  test('KN-171, KN-172: stale updates conflict, spec raises the generation, status does not', async () => {
    const client = new MemoryClient();
    const first = await client.create(KnativeService, service({ x: 1 }));
    const second = await client.update(KnativeService, { ...first, spec: { x: 2 } });
    expect(second.metadata.generation).toBe(2);
    expect(isConflict(await caught(client.update(KnativeService, first)))).toBe(true);
    const third = await client.updateStatus(KnativeService, { ...second, status: { ok: 1 } });
    expect(third.metadata.generation).toBe(2);
    const sent = { ...third, spec: { x: 2 }, status: { ok: 2 } };
    expect((await client.update(KnativeService, sent)).status).toEqual({ ok: 1 });
  });

  test('KN-150: a write without effect changes nothing', async () => {
    const client = new MemoryClient();
    const first = await client.create(KnativeService, service({ x: 1 }));
    const again = await client.patch(KnativeService, key, { type: 'merge', body: {} });
    expect(again.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });

  test('AS-137: a scale patch changes the replicas of its object', async () => {
    const client = new MemoryClient();
    await client.create<Loose>(Deployment, { ...service(), kind: 'Deployment' });
    const body = [{ op: 'add', path: '/spec/replicas', value: 3 }];
    await client.patch(Deployment, key, { type: 'json', body }, { subresource: 'scale' });
    expect((await client.get<Loose>(Deployment, key)).spec).toEqual({ replicas: 3 });
  });

  test('KN-202: finalizers hold an object until the last is removed', async () => {
    const client = new MemoryClient();
    const held = service();
    held.metadata.finalizers = ['x/y'];
    await client.create(KnativeService, held);
    await client.delete(KnativeService, key);
    expect((await client.get(KnativeService, key)).metadata.deletionTimestamp).toBeDefined();
    const body = { metadata: { finalizers: [] } };
    await client.patch(KnativeService, key, { type: 'merge', body });
    expect(isNotFound(await caught(client.get(KnativeService, key)))).toBe(true);
  });

  test('KN-206: a bound pod is deleted gracefully, then for good', async () => {
    const client = new MemoryClient();
    const metadata = { ...key };
    const pod: Loose = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: 'local' } };
    await client.create(Pod, pod);
    await client.delete(Pod, key);
    expect((await client.get(Pod, key)).metadata.deletionGracePeriodSeconds).toBe(30);
    await client.delete(Pod, key, { gracePeriodSeconds: 0 });
    expect(isNotFound(await caught(client.get(Pod, key)))).toBe(true);
  });

  test('what is handed out is a copy', async () => {
    const client = new MemoryClient();
    const created = await client.create(KnativeService, service({ x: 1 }));
    created.spec = { x: 2 };
    expect((await client.get<Loose>(KnativeService, key)).spec).toEqual({ x: 1 });
  });
});
