// The whole activator on real sockets: an API in memory, a websocket server in the autoscaler's
// place, HTTP servers as pods. What must never happen is asserted here: nothing runs twice, nothing
// is lost, no pod gets more than it may.

import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type RawData, WebSocketServer } from 'ws';
import type { Endpoints } from '../api/core.ts';
import { Endpoints as EndpointsKind, Revision as RevisionKind } from '../api/kinds.ts';
import type { Condition } from '../api/objects.ts';
import type { Revision, RevisionSpec } from '../api/serving.ts';
import { systemClock } from '../clock/clock.ts';
import { createInformerFactory } from '../kube/informer.ts';
import { MemoryClient } from '../kube/testing/memory-client.ts';
import { FakePod } from '../proxy/testing/fake-pod.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { decodeStatMessages, type StatMessage } from '../wire/stat.ts';
import { type RunningActivator, startActivator } from './start.ts';
import { revision, seededRandom } from './testing/harness.ts';

let client: MemoryClient;
let activator: RunningActivator;
let stats: StatMessage[];
let autoscaler: WebSocketServer;
let agent: Agent;
const pods: FakePod[] = [];
const cleanups: (() => Promise<void> | void)[] = [];

async function startAutoscaler(): Promise<void> {
  autoscaler = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(autoscaler, 'listening');
  autoscaler.on('connection', (socket) => {
    socket.on('message', (data: RawData) => stats.push(...decodeStatMessages(data as Buffer)));
  });
}

function stopAutoscaler(): void {
  for (const socket of autoscaler.clients) socket.terminate();
  autoscaler.close();
}

beforeEach(async () => {
  stats = [];
  await startAutoscaler();
  client = new MemoryClient();
  const deps = { clock: systemClock, logger: silentLogger, random: seededRandom(3) };
  const informers = createInformerFactory(client, deps);
  const starting = startActivator({
    ...deps,
    client,
    informers,
    host: '127.0.0.1',
    port: 0,
    podName: 'activator-0',
    autoscalerUrl: () => {
      const address = autoscaler.address() as AddressInfo | null;
      return address === null ? null : `ws://127.0.0.1:${address.port}`;
    },
    systemNamespace: 'knative-serving',
    clusterDomain: 'cluster.local',
  });
  await informers.start();
  activator = await starting;
  agent = new Agent({ keepAlive: true });
  cleanups.push(
    () => stopAutoscaler(),
    () => informers.stop(),
    () => {
      for (const pod of pods.splice(0)) pod.kill();
    },
    () => activator.stop(),
    () => agent.destroy(),
  );
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function pod(hold?: () => Promise<void>): Promise<FakePod> {
  const started = await FakePod.start(`pod-${pods.length}`, hold);
  pods.push(started);
  return started;
}

const deploy = (name: string, spec: Partial<RevisionSpec> = {}) =>
  client.create<Revision>(RevisionKind, revision(name, spec));

/** Lists pods in the private Endpoints, each with a port of its own. */
async function list(name: string, ready: FakePod[], notReady: FakePod[] = []): Promise<void> {
  const subset = (listed: FakePod, key: 'addresses' | 'notReadyAddresses') => ({
    [key]: [{ ip: '127.0.0.1' }],
    ports: [{ name: 'http', port: listed.port }],
  });
  const subsets = [
    ...ready.map((each) => subset(each, 'addresses')),
    ...notReady.map((each) => subset(each, 'notReadyAddresses')),
  ];
  const key = { namespace: 'default', name: `${name}-private` };
  const current = await client.get<Endpoints>(EndpointsKind, key).catch(() => null);
  if (current !== null) {
    await client.update<Endpoints>(EndpointsKind, { ...current, subsets });
    return;
  }
  await client.create<Endpoints>(EndpointsKind, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      ...key,
      labels: {
        'serving.knative.dev/revision': name,
        'serving.knative.dev/revisionUID': `uid-${name}`,
        'networking.internal.knative.dev/serviceType': 'Private',
      },
    },
    subsets,
  });
}

interface Answer {
  status: number;
  body: string;
}

function get(name: string, id = '', headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        host: '127.0.0.1',
        port: activator.port,
        agent,
        headers: {
          host: 'hello.example.com',
          'Knative-Serving-Namespace': 'default',
          'Knative-Serving-Revision': name,
          'x-id': id,
          ...headers,
        },
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

const many = (count: number, name: string): Promise<Answer[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => get(name, `r${index}`)));

/** Requests the autoscaler has been told of. */
const reported = (name: string): number =>
  stats
    .filter((message) => message.name === name)
    .reduce((sum, { stat }) => sum + stat.requestCount, 0);

const eventually = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 5 });

describe('activator on real sockets', () => {
  it('holds 500 requests, then runs each exactly once', async () => {
    await deploy('hello');
    const answers = many(500, 'hello');
    await eventually(() => expect(reported('hello')).toBe(500));
    const [first, second] = [await pod(), await pod()];
    await list('hello', [first], [second]);
    expect((await answers).every(({ status }) => status === 200)).toBe(true);
    const ids = [...first.ids, ...second.ids];
    expect(ids.length).toBe(500);
    expect(new Set(ids).size).toBe(500);
    expect(first.ids.length).toBeGreaterThan(0);
  });

  it('never sends a pod more than containerConcurrency at once', async () => {
    await deploy('hello', { containerConcurrency: 2 });
    const slow = () => systemClock.sleep(2);
    const three = [await pod(slow), await pod(slow), await pod(slow)];
    await list('hello', three);
    const answers = await many(300, 'hello');
    expect(answers.filter(({ status }) => status === 200).length).toBe(300);
    expect(Math.max(...three.map((each) => each.maxRunning))).toBe(2);
    expect(three.filter((each) => each.ids.length === 0)).toEqual([]);
    expect(new Set(three.flatMap((each) => each.ids)).size).toBe(300);
  });

  it('keeps to the limit while pods come and go under load', async () => {
    await deploy('hello', { containerConcurrency: 1 });
    const slow = () => systemClock.sleep(1);
    const three = [await pod(slow), await pod(slow), await pod(slow)] as const;
    await list('hello', [three[0]]);
    const answers = many(400, 'hello');
    for (const listed of [[0, 1], [1], [1, 2], [0, 2], [0, 1, 2]]) {
      await list(
        'hello',
        listed.map((index) => three[index] as FakePod),
      );
      await systemClock.sleep(10);
    }
    expect((await answers).filter(({ status }) => status === 200).length).toBe(400);
    const ids = three.flatMap((each) => each.ids);
    expect([ids.length, new Set(ids).size]).toEqual([400, 400]);
  });

  it('takes what a dead pod never got to another pod', async () => {
    await deploy('hello');
    const [dies, stays] = [await pod(), await pod()];
    await list('hello', [dies, stays]);
    expect((await many(20, 'hello')).every(({ status }) => status === 200)).toBe(true);
    dies.kill();
    const answers = await many(50, 'hello');
    expect(answers.map(({ body }) => body)).toEqual(Array(50).fill(stays.name));
  });

  it('holds a request whose only pod died until another one is there', async () => {
    await deploy('hello');
    const dies = await pod();
    await list('hello', [dies]);
    await get('hello');
    dies.kill();
    const answer = get('hello', 'late');
    const next = await pod();
    await list('hello', [next]);
    expect(await answer).toEqual({ status: 200, body: next.name });
    expect(next.ids).toEqual(['late']);
  });

  it('uses a pod the moment its probe succeeds, before Kubernetes calls it ready', async () => {
    await deploy('hello');
    const slow = await pod();
    slow.isReady = false;
    const answer = get('hello');
    await list('hello', [], [slow]);
    await systemClock.sleep(20);
    expect(slow.ids).toEqual([]);
    slow.isReady = true;
    expect(await answer).toEqual({ status: 200, body: slow.name });
  });

  it('ACT-104, ACT-106, ACT-107: what the pod sees', async () => {
    await deploy('hello');
    const only = await pod();
    await list('hello', [only]);
    await get('hello', 'x', { 'K-Network-Hash': 'h', 'X-Forwarded-For': '1.1.1.1' });
    expect(only.last?.headers).toMatchObject({
      host: `127.0.0.1:${only.port}`,
      'k-original-host': 'hello.example.com',
      'k-proxy-request': 'activator',
      'x-forwarded-for': '1.1.1.1, 127.0.0.1',
      'x-id': 'x',
    });
    for (const name of [
      'knative-serving-revision',
      'knative-serving-namespace',
      'k-network-hash',
    ]) {
      expect(only.last?.headers).not.toHaveProperty(name);
    }
  });

  it('tells waiting clients why a revision cannot start', async () => {
    const stored = await deploy('hello');
    const answers = many(5, 'hello');
    await eventually(() => expect(reported('hello')).toBe(5));
    const failed: Condition = {
      type: 'ContainerHealthy',
      status: 'False',
      reason: 'ExitCode1',
      message: 'no such file',
    };
    await client.updateStatus<Revision>(RevisionKind, {
      ...stored,
      status: { conditions: [failed] },
    });
    expect(await answers).toEqual(
      Array(5).fill({
        status: 503,
        body: 'revision default/hello cannot start: ExitCode1: no such file\n',
      }),
    );
  });

  it('tells an autoscaler that was away what is waiting, as soon as it is back', async () => {
    await deploy('hello');
    stopAutoscaler();
    const probe = () => get('', '', { 'User-Agent': 'kube-probe/1.33' });
    await eventually(async () => expect((await probe()).status).toBe(500));
    const answer = get('hello');
    await systemClock.sleep(50);
    await startAutoscaler();
    await eventually(() => expect(stats.length).toBeGreaterThan(0));
    const [first] = stats;
    expect([first?.name, first?.stat.averageConcurrentRequests]).toEqual(['hello', 1]);
    await list('hello', [await pod()]);
    expect((await answer).status).toBe(200);
  });

  it('ACT-35: answers 504 when no pod comes in time', async () => {
    await deploy('hello', { timeoutSeconds: 1 });
    expect(await get('hello')).toEqual({ status: 504, body: 'activator request timeout' });
  });

  it('ACT-19, ACT-210: healthy while the autoscaler is there, until asked to end', async () => {
    const probe = () => get('', '', { 'User-Agent': 'kube-probe/1.33' });
    await eventually(async () => expect((await probe()).status).toBe(200));
    const drained = activator.drain({ delayMs: 100 });
    expect(await probe()).toEqual({ status: 500, body: 'received SIGTERM from kubelet\n' });
    await drained;
    await expect(get('hello')).rejects.toThrow();
  });

  it('ACT-223: the body of a held request arrives whole once there is a pod', async () => {
    await deploy('hello');
    const sent = httpRequest({
      host: '127.0.0.1',
      port: activator.port,
      method: 'POST',
      headers: {
        host: 'hello.example.com',
        'Knative-Serving-Namespace': 'default',
        'Knative-Serving-Revision': 'hello',
      },
    });
    const answered = once(sent, 'response');
    const size = 4 * 1024 * 1024;
    sent.end(Buffer.alloc(size, 'x'));
    await eventually(() => expect(reported('hello')).toBeGreaterThan(0));
    const only = await pod();
    await list('hello', [only]);
    const [response] = await answered;
    response.resume();
    expect([response.statusCode, only.bodyBytes]).toEqual([200, size]);
  });

  it('ACT-115, QP-89: an upgrade is tunnelled and holds its slot until it closes', async () => {
    await deploy('chat', { containerConcurrency: 1 });
    const only = await pod();
    await list('chat', [only]);
    const socket = connect(activator.port, '127.0.0.1');
    socket.setEncoding('latin1');
    const lines = [
      'GET /ws HTTP/1.1',
      'Host: chat.example.com',
      'Knative-Serving-Namespace: default',
      'Knative-Serving-Revision: chat',
      'Connection: Upgrade',
      'Upgrade: echo',
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    const [head] = await once(socket, 'data');
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    socket.write('hello');
    expect((await once(socket, 'data'))[0]).toBe('hello');
    let isAnswered = false;
    const waiting = get('chat').then((answer) => {
      isAnswered = true;
      return answer;
    });
    await eventually(() => expect(reported('chat')).toBe(2));
    expect(isAnswered).toBe(false);
    socket.destroy();
    expect((await waiting).status).toBe(200);
  });

  it('a drain waits for requests under way', async () => {
    await deploy('hello');
    const release: { fire: () => void } = { fire: () => undefined };
    const only = await pod(
      () =>
        new Promise((resolve) => {
          release.fire = resolve;
        }),
    );
    await list('hello', [only]);
    const answer = get('hello');
    await eventually(() => expect(only.running).toBe(1));
    const drained = activator.drain({ delayMs: 0 });
    release.fire();
    expect((await answer).status).toBe(200);
    await drained;
  });
});
