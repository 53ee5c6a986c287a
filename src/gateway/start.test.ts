// The whole gateway on real sockets: Ingresses in an in-memory API, HTTP servers as pods.

import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isReady } from '../api/conditions.ts';
import type { CoreService, Endpoints } from '../api/core.ts';
import {
  CoreService as CoreServiceKind,
  Endpoints as EndpointsKind,
  Ingress as IngressKind,
} from '../api/kinds.ts';
import type { Ingress } from '../api/networking.ts';
import { MemoryClient } from '../kube/testing/memory-client.ts';
import { FakePod } from '../proxy/testing/fake-pod.ts';
import type { RunningGateway } from './start.ts';
import { externalRule, ingress, split } from './testing/harness.ts';
import { startWholeGateway } from './testing/whole-gateway.ts';

let client: MemoryClient;
let gateway: RunningGateway;
let agent: Agent;
const pods: FakePod[] = [];
const cleanups: (() => Promise<void> | void)[] = [];

async function start(): Promise<void> {
  gateway = await startWholeGateway(client, 90_10, cleanups);
}

beforeEach(() => {
  client = new MemoryClient();
  agent = new Agent({ keepAlive: true, maxSockets: 32 });
  cleanups.push(
    () => {
      for (const pod of pods.splice(0)) pod.kill();
    },
    () => agent.destroy(),
  );
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function pod(name: string): Promise<FakePod> {
  const started = await FakePod.start(name);
  pods.push(started);
  return started;
}

async function service(name: string, ...behind: FakePod[]): Promise<void> {
  const metadata = { name, namespace: 'default' };
  await client.create<CoreService>(CoreServiceKind, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { ports: [{ name: 'http', port: 80 }] },
  });
  await client.create<Endpoints>(EndpointsKind, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata,
    subsets: subsetsOf(behind),
  });
}

async function move(name: string, ...behind: FakePod[]): Promise<void> {
  const current = await client.get<Endpoints>(EndpointsKind, { namespace: 'default', name });
  await client.update<Endpoints>(EndpointsKind, { ...current, subsets: subsetsOf(behind) });
}

const subsetsOf = (behind: FakePod[]) =>
  behind.map((each) => ({
    addresses: [{ ip: '127.0.0.1' }],
    ports: [{ name: 'http', port: each.port }],
  }));

interface Answer {
  status: number;
  body: string;
  headers: IncomingHttpHeaders;
}

function get(host: string, headers: Record<string, string> = {}, port = 0): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      { host: '127.0.0.1', port: port || gateway.port, agent, headers: { host, ...headers } },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
        );
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

const eventually = (check: () => Promise<void>) =>
  vi.waitFor(check, { timeout: 10_000, interval: 5 });

async function whenReady(name: string): Promise<void> {
  await eventually(async () => {
    const stored = await client.get<Ingress>(IngressKind, { namespace: 'default', name });
    expect(isReady(stored)).toBe(true);
  });
}

const HOST = 'hello.default.example.com';
const single = (target: string, host = HOST) =>
  ingress('i', { rules: [externalRule(host, { splits: [split(target)] })] });

describe('gateway on real sockets', () => {
  it('ING-107: serves what exists from its first instant', async () => {
    await service('a', await pod('a'));
    await client.create(IngressKind, single('a'));
    await start();
    expect(await get(HOST)).toMatchObject({ status: 200, body: 'a' });
  });

  it('ING-82, ING-93: once Ready is written every answer comes from that version', async () => {
    await start();
    await service('a', await pod('a'));
    await service('b', await pod('b'));
    await client.create(IngressKind, single('a'));
    await whenReady('i');
    expect((await get(HOST)).body).toBe('a');
    for (const next of ['b', 'a', 'b', 'a', 'b']) {
      const current = await client.get<Ingress>(IngressKind, { namespace: 'default', name: 'i' });
      await client.update<Ingress>(IngressKind, { ...current, spec: single(next).spec });
      await whenReady('i');
      expect((await get(HOST)).body).toBe(next);
    }
  });

  it('ING-13, ING-91: 90/10 over 2,000 requests within 4.5 sigma', async () => {
    const [large, small] = [await pod('large'), await pod('small')];
    await service('large', large);
    await service('small', small);
    const splits = [split('large', 90), split('small', 10)];
    await client.create(IngressKind, ingress('i', { rules: [externalRule(HOST, { splits })] }));
    await start();
    const total = 2_000;
    const workers = Array.from({ length: 32 }, async () => {
      while (large.ids.length + small.ids.length < total - 32) await get(HOST);
    });
    await Promise.all(workers);
    const seen = large.ids.length + small.ids.length;
    const sigma = Math.sqrt(seen * 0.9 * 0.1);
    expect(seen).toBeGreaterThan(total - 64);
    expect(Math.abs(large.ids.length - seen * 0.9)).toBeLessThan(4.5 * sigma);
  });

  it('CP-310, ING-95: a tag has a host and a header', async () => {
    await service('live', await pod('live'));
    await service('blue', await pod('blue'));
    await client.create(
      IngressKind,
      ingress('i', {
        rules: [
          externalRule(
            HOST,
            { headers: { 'Knative-Serving-Tag': { exact: 'blue' } }, splits: [split('blue')] },
            { splits: [split('live')] },
          ),
          externalRule('blue-hello.default.example.com', { splits: [split('blue')] }),
        ],
      }),
    );
    await start();
    expect((await get(HOST)).body).toBe('live');
    expect((await get('blue-hello.default.example.com:8080')).body).toBe('blue');
    expect((await get(HOST, { 'Knative-Serving-Tag': 'blue' })).body).toBe('blue');
    expect((await get(HOST, { 'Knative-Serving-Tag': 'red' })).body).toBe('live');
  });

  it('ING-14, ING-70, ING-84: what the pod sees', async () => {
    const only = await pod('a');
    await service('a', only);
    await client.create(IngressKind, single('a'));
    await start();
    await get(HOST, {
      'Knative-Serving-Revision': 'chosen-by-client',
      'Knative-Serving-Default-Route': 'true',
      'X-Forwarded-For': '1.1.1.1',
      'X-Forwarded-Proto': 'gopher',
    });
    expect(only.last?.headers).toMatchObject({
      host: HOST,
      'knative-serving-revision': 'a',
      'knative-serving-namespace': 'default',
      'x-forwarded-for': '1.1.1.1, 127.0.0.1',
      'x-forwarded-proto': 'http',
    });
    expect(only.last?.headers).not.toHaveProperty('knative-serving-default-route');
  });

  it('ING-20: cluster-local hosts answer on the internal listener only', async () => {
    await service('a', await pod('a'));
    await client.create(
      IngressKind,
      ingress('i', {
        rules: [
          {
            hosts: ['hello.default.svc.cluster.local'],
            visibility: 'ClusterLocal',
            http: { paths: [{ splits: [split('a')] }] },
          },
        ],
      }),
    );
    await start();
    expect((await get('hello.default')).status).toBe(404);
    expect((await get('hello.default', {}, gateway.localPort)).body).toBe('a');
  });

  it('ING-71, ING-93: backends move under load and nobody notices', async () => {
    const [activator, first, second] = [await pod('x'), await pod('1'), await pod('2')];
    await service('a', activator);
    await client.create(IngressKind, single('a'));
    await start();
    let isDone = false;
    const answers: Answer[] = [];
    const load = Array.from({ length: 16 }, async () => {
      while (!isDone) answers.push(await get(HOST));
    });
    for (const behind of [[first], [first, second], [second], [activator], [first], [activator]]) {
      await move('a', ...behind);
      const before = answers.length;
      await eventually(async () => expect(answers.length).toBeGreaterThan(before + 50));
    }
    isDone = true;
    await Promise.all(load);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(answers.length).toBe(pods.reduce((sum, { ids }) => sum + ids.length, 0));
  });

  it('ING-87: a pod that dies under load costs only what it had begun', async () => {
    const [dies, stays] = [await pod('dies'), await pod('stays')];
    await service('a', dies, stays);
    await client.create(IngressKind, single('a'));
    await start();
    await Promise.all(Array.from({ length: 40 }, () => get(HOST)));
    dies.kill();
    const answers = await Promise.all(Array.from({ length: 100 }, () => get(HOST)));
    expect(answers.map(({ body }) => body)).toEqual(Array(100).fill('stays'));
  });

  it('ING-51, ING-61: a probe learns the version through the pod', async () => {
    const only = await pod('a');
    await service('a', only);
    await client.create(IngressKind, single('a'));
    await start();
    await get(HOST, { 'K-Network-Probe': 'probe', 'K-Network-Hash': 'override' });
    expect(only.last?.headers['k-network-hash']).toMatch(/^[0-9a-f]{64}$/);
  });

  it('ING-74: a draining gateway says so and still answers', async () => {
    await service('a', await pod('a'));
    await client.create(IngressKind, single('a'));
    await start();
    const drained = gateway.drain({ delayMs: 100 });
    const probe = await get('10.0.0.1', { 'User-Agent': 'kube-probe/1.33' });
    expect(probe.status).toBe(503);
    expect((await get(HOST)).status).toBe(200);
    await drained;
    await expect(get(HOST)).rejects.toThrow();
  });
});
