// A client in the server's process gets what a client over the network gets, without its network:
// the same answers, the same errors, the same events in the same order.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigMap } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { systemClock } from '../clock/clock.ts';
import { createKubeClient } from '../kube/client.ts';
import { createInformerFactory } from '../kube/informer.ts';
import { ApiError, type KubeClient } from '../kube/types.ts';
import { silentLogger } from '../telemetry/logger.ts';
import type { ApiServer } from './start.ts';
import { startTestServer } from './testing/harness.ts';

interface ConfigMapObject extends KubeObject {
  data?: Record<string, string>;
}

const MAPS = '/api/v1/namespaces/default/configmaps';
let server: ApiServer;
let clients: { network: KubeClient; local: KubeClient };

beforeAll(async () => {
  server = await startTestServer();
  const { url, caPem, token, local } = server;
  const common = { clock: systemClock, logger: silentLogger, userAgent: 'test' };
  clients = {
    network: createKubeClient({ ...common, server: url, caPem, token }),
    // Nothing listens there: whatever this client is told comes from the process itself.
    local: createKubeClient({ ...common, server: 'http://127.0.0.1:1', local }),
  };
});

afterAll(async () => {
  clients.network.close();
  await server.stop();
});

const configMap = (name: string, data: Record<string, string> = {}): ConfigMapObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
});

async function failure(call: Promise<unknown>): Promise<unknown> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return error instanceof ApiError ? error.status : error;
}

describe.each(['network', 'local'] as const)('a client by way of %s', (way) => {
  it('KN-170, KN-171: creates, updates, patches and deletes', async () => {
    const client = clients[way];
    const key = { namespace: 'default', name: `life-${way}` };
    const made = await client.create(ConfigMap, configMap(key.name, { a: '1' }));
    await client.update(ConfigMap, { ...made, data: { a: '2' } });
    const body = { data: { b: 'ü' } };
    const patched = await client.patch<ConfigMapObject>(ConfigMap, key, { type: 'merge', body });
    expect(patched.data).toEqual({ a: '2', b: 'ü' });
    expect(await client.get(ConfigMap, key)).toEqual(patched);
    await client.delete(ConfigMap, key);
    expect(await failure(client.get(ConfigMap, key))).toMatchObject({ code: 404 });
  });

  it('KN-174: a conflict is a conflict, with the same words', async () => {
    const client = clients[way];
    const stale = await client.create(ConfigMap, configMap(`stale-${way}`));
    await client.update(ConfigMap, { ...stale, data: { newer: 'yes' } });
    expect(await failure(client.update(ConfigMap, { ...stale, data: {} }))).toMatchObject({
      code: 409,
      reason: 'Conflict',
    });
  });

  it('KN-155: informers see every change in order', async () => {
    const client = clients[way];
    const name = `seen-${way}`;
    const deps = { clock: systemClock, logger: silentLogger, random: Math.random };
    const informers = createInformerFactory(client, deps);
    const seen: string[] = [];
    const gone = new Promise<void>((resolve) => {
      informers.informer<ConfigMapObject>(ConfigMap).onChange((current, previous) => {
        if ((current ?? previous)?.metadata.name !== name) return;
        seen.push(current === null ? 'gone' : (current.data?.['step'] ?? ''));
        if (current === null) resolve();
      });
    });
    await informers.start();
    let object = await client.create(ConfigMap, configMap(name, { step: '0' }));
    for (let step = 1; step <= 20; step += 1) {
      object = await client.update(ConfigMap, { ...object, data: { step: String(step) } });
    }
    await client.delete(ConfigMap, { namespace: 'default', name });
    await gone;
    await informers.stop();
    const steps = Array.from({ length: 21 }, (_, step) => String(step));
    expect(seen).toEqual([...steps, 'gone']);
  });
});

it('both are told the same about what is not there and what cannot be', async () => {
  const asked = (client: KubeClient) => [
    failure(client.get(ConfigMap, { namespace: 'default', name: 'nobody' })),
    failure(client.create(ConfigMap, configMap('Not A Name'))),
    failure(client.request('GET', '/apis/none.example/v1/things')),
    failure(client.request('PATCH', `${MAPS}/nobody`, { contentType: 'text/plain', body: {} })),
  ];
  const [network, local] = await Promise.all(
    [clients.network, clients.local].map((client) => Promise.all(asked(client))),
  );
  expect(local).toEqual(network);
});

it('an event is delivered after the turn of the write that made it', async () => {
  const { local } = clients;
  const abort = new AbortController();
  const path = `${MAPS}?watch=true&resourceVersion=${await version()}`;
  const { body } = await local.request('GET', path, { signal: abort.signal });
  const order: string[] = [];
  const arrived = new Promise<void>((resolve) => {
    body.once('data', () => {
      order.push('event');
      resolve();
    });
  });
  const write = local.create(ConfigMap, configMap('turns'));
  order.push('asked');
  await arrived;
  await write;
  expect(order).toEqual(['asked', 'event']);
  abort.abort();
  expect(body.destroyed).toBe(true);
});

it('a reader that does not read is waited for and misses nothing', async () => {
  const { local } = clients;
  const path = `${MAPS}?watch=true&resourceVersion=${await version()}`;
  const { body } = await local.request('GET', path);
  const text = 'x'.repeat(400_000);
  const names = Array.from({ length: 8 }, (_, index) => `big-${index}`);
  for (const name of names) await local.create(ConfigMap, configMap(name, { text }));
  const seen: string[] = [];
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) seen.push(JSON.parse(line).object.metadata.name);
    if (seen.length === names.length) break;
  }
  expect(seen).toEqual(names);
});

it('a stopping server ends its streams', async () => {
  const own = await startTestServer();
  const { local } = own;
  const answer = await local.answer({
    method: 'GET',
    path: `${MAPS}?watch=true`,
    headers: {},
    body: undefined,
  });
  const stream = answer?.body;
  if (stream === undefined || typeof stream === 'string') throw new Error('no stream');
  const ended = new Promise<void>((resolve) => stream.once('end', resolve));
  stream.resume();
  await own.stop();
  await ended;
});

it('logs, proxies and terminals are left to the network', () => {
  for (const path of [
    '/api/v1/namespaces/default/pods/p/log?follow=true',
    '/api/v1/namespaces/default/services/http:s:80/proxy/decisions/a/b',
    '/api/v1/namespaces/default/pods/p/exec?command=ls',
  ]) {
    expect(server.local.answer({ method: 'GET', path, headers: {}, body: undefined })).toBeNull();
  }
});

async function version(): Promise<string> {
  const list = await clients.network.list(ConfigMap, { namespace: 'default' });
  return list.metadata.resourceVersion;
}
