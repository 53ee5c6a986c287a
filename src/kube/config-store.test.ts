// Live configuration: stock values where a map is missing, the previous ones where it is invalid.

import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ConfigMap } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { ConfigStore } from './config-store.ts';
import { createInformerFactory } from './informer.ts';
import { MemoryClient } from './testing/memory-client.ts';
import type { InformerFactory } from './types.ts';

let client: MemoryClient;
let informers: InformerFactory;
let store: ConfigStore;
let problems: unknown[];
let changed: string[];

beforeEach(async () => {
  const clock = new FakeClock();
  client = new MemoryClient({ clock });
  const deps = { clock, logger: silentLogger, random: () => 0.5 };
  informers = createInformerFactory(client, deps);
  problems = [];
  changed = [];
  const logger = {
    ...silentLogger,
    error: (fields: object) => problems.push((fields as { problems: unknown }).problems),
  };
  store = new ConfigStore({
    informers,
    logger,
    systemNamespace: 'knative-serving',
    clusterDomain: 'cluster.local',
  });
  store.onChange((member) => changed.push(member));
  await informers.start();
});

afterEach(async () => {
  store.stop();
  await informers.stop();
  client.close();
});

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

async function write(data: Record<string, string>, namespace = 'knative-serving'): Promise<void> {
  const key = { namespace, name: 'config-gc' };
  const map: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: key, data };
  const exists = (await client.list(kinds.ConfigMap, { namespace })).items.length > 0;
  if (exists) await client.patch(kinds.ConfigMap, key, { type: 'merge', body: { data } });
  else await client.create(kinds.ConfigMap, map);
  await settle();
}

const min = (): number => store.current.gc.minNonActiveRevisions;

it('CP-9: a change replaces the snapshot as a whole, an invalid one keeps the last', async () => {
  const before = store.current;
  expect(min()).toBe(20);
  await write({ 'min-non-active-revisions': '3' });
  expect(min()).toBe(3);
  expect(before.gc.minNonActiveRevisions).toBe(20);
  expect(store.current.network).toBe(before.network);
  await write({ 'min-non-active-revisions': 'x' });
  expect(min()).toBe(3);
  expect(problems).toHaveLength(1);
  expect(changed).toEqual(['gc']);
});

it('a write that changes no value wakes nobody, and other namespaces do not count', async () => {
  await write({ 'min-non-active-revisions': '20', unknown: 'key' });
  await write({ 'min-non-active-revisions': '5' }, 'default');
  expect(changed).toEqual([]);
});

it('a deleted map means the stock value again', async () => {
  await write({ 'min-non-active-revisions': '3' });
  await client.delete(kinds.ConfigMap, { namespace: 'knative-serving', name: 'config-gc' });
  await settle();
  expect(min()).toBe(20);
});
