// When a status is written, how often, and when not.

import { describe, expect, test } from 'vitest';
import { Pod } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { MAX_STATUS_ATTEMPTS, writeStatus } from './status.ts';
import { conflict } from './testing/failures.ts';
import { MemoryClient } from './testing/memory-client.ts';
import { isConflict } from './types.ts';

interface WithStatus extends KubeObject {
  status?: { phase?: string; note?: string };
}

const key = { namespace: 'ns', name: 'a' };

async function setUp(): Promise<{ client: MemoryClient; object: WithStatus; writes(): number }> {
  const client = new MemoryClient();
  const object = await client.create<WithStatus>(Pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...key },
  });
  const writes = (): number =>
    client.calls.filter((call) => call.verb === 'update' && call.subresource === 'status').length;
  return { client, object, writes };
}

describe('CP-25: writeStatus', () => {
  test('writes once through the subresource, and not at all when nothing differs', async () => {
    const { client, object, writes } = await setUp();
    const written = await writeStatus(client, Pod, object, { phase: 'Running' });
    expect(written?.status).toEqual({ phase: 'Running' });
    await writeStatus(client, Pod, written!, { phase: 'Running', note: undefined } as never);
    expect(writes()).toBe(1);
    expect(object.status).toBeUndefined();
  });

  test('a conflict is retried from the newest object', async () => {
    const { client, object, writes } = await setUp();
    const body = { metadata: { labels: { changed: 'yes' } } };
    await client.patch(Pod, key, { type: 'merge', body });
    const written = await writeStatus(client, Pod, object, { phase: 'Running' });
    expect(written?.metadata.labels).toEqual({ changed: 'yes' });
    expect(writes()).toBe(2);
  });

  test('nothing is written when somebody else has written the same meanwhile', async () => {
    const { client, object, writes } = await setUp();
    await writeStatus(client, Pod, object, { phase: 'Running' });
    await writeStatus(client, Pod, object, { phase: 'Running' });
    expect(writes()).toBe(2);
  });

  test('conflicts without end are given up after 5 attempts', async () => {
    const { client, object, writes } = await setUp();
    const clock = new FakeClock();
    client.intercept = (call) => {
      if (call.verb === 'update') throw conflict(Pod, 'a');
    };
    const result = writeStatus(client, Pod, object, { phase: 'Running' }, clock).catch((e) => e);
    for (let round = 0; round < 10; round += 1) await clock.advanceAsync(10);
    expect(isConflict(await result)).toBe(true);
    expect(writes()).toBe(MAX_STATUS_ATTEMPTS);
  });

  test('an object that is gone, or is another by that name, is left alone', async () => {
    const { client, object } = await setUp();
    await client.delete(Pod, key, { gracePeriodSeconds: 0 });
    expect(await writeStatus(client, Pod, object, { phase: 'Running' })).toBeUndefined();
    const next = await client.create<WithStatus>(Pod, { ...object, metadata: { ...key } });
    expect(await writeStatus(client, Pod, object, { phase: 'Running' })).toBeUndefined();
    expect((await client.get<WithStatus>(Pod, key)).metadata.uid).toBe(next.metadata.uid);
    expect((await client.get<WithStatus>(Pod, key)).status).toBeUndefined();
  });
});
