// Four real request threads of one activator: the limits hold over all of them, nothing is lost, and
// the autoscaler hears of every request once. Threads run from dist/.

import { Agent, request as httpRequest } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Endpoints } from '../../api/core.ts';
import { Endpoints as EndpointsKind } from '../../api/kinds.ts';
import { systemClock } from '../../clock/clock.ts';
import { FakePod } from '../../proxy/testing/fake-pod.ts';
import { until } from '../../proxy/testing/harness.ts';
import { NetActivator } from '../testing/net-activator.ts';

const THREAD_FILE = new URL('../../../dist/activator/threads/thread-main.js', import.meta.url);
let activator: NetActivator;
let agent: Agent;
const pods: FakePod[] = [];

beforeEach(async () => {
  activator = await NetActivator.start({ threads: 4, threadFile: THREAD_FILE });
  agent = new Agent({ keepAlive: true, maxSockets: 64 });
});
afterEach(async () => {
  agent.destroy();
  await activator.stop();
  for (const pod of pods.splice(0)) pod.kill();
});

async function startPods(count: number, hold?: () => Promise<void>): Promise<FakePod[]> {
  const started = await Promise.all(
    Array.from({ length: count }, (_, index) => FakePod.start(`pod-${index}`, hold)),
  );
  pods.push(...started);
  return started;
}

async function list(name: string, listed: readonly FakePod[]): Promise<void> {
  const key = { namespace: 'default', name: `${name}-private` };
  const subsets = listed.map(({ port }) => ({
    addresses: [{ ip: '127.0.0.1' }],
    ports: [{ name: 'http', port }],
  }));
  const { client } = activator;
  const current = await client.get<Endpoints>(EndpointsKind, key).catch(() => null);
  if (current !== null) {
    await client.update<Endpoints>(EndpointsKind, { ...current, subsets });
    return;
  }
  const labels = {
    'serving.knative.dev/revision': name,
    'serving.knative.dev/revisionUID': `uid-${name}`,
    'networking.internal.knative.dev/serviceType': 'Private',
  };
  const metadata = { ...key, labels };
  await client.create<Endpoints>(EndpointsKind, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata,
    subsets,
  });
}

function get(name: string, id: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        host: '127.0.0.1',
        port: activator.port,
        agent,
        headers: {
          'Knative-Serving-Namespace': 'default',
          'Knative-Serving-Revision': name,
          'x-id': id,
        },
      },
      (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0)),
    );
    sent.on('error', reject);
    sent.end();
  });
}

const many = (name: string, count: number): Promise<number[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => get(name, `r${index}`)));

const idsOf = (all: readonly FakePod[]): string[] => all.flatMap(({ ids }) => ids);

describe('an activator with four threads', () => {
  it('ACT-52, ACT-66: no pod gets more than containerConcurrency, nothing is lost', async () => {
    await activator.create('app', { spec: { containerConcurrency: 3 } });
    const three = await startPods(3, () => systemClock.sleep(2));
    await list('app', three);
    const statuses = await many('app', 1500);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(new Set(idsOf(three)).size).toBe(1500);
    expect(idsOf(three).length).toBe(1500);
    for (const pod of three) expect(pod.maxRunning).toBeLessThanOrEqual(3);
    expect(Math.max(...three.map((pod) => pod.maxRunning))).toBe(3);
    await activator.untilReported('app', 1500);
    await activator.untilIdle('app');
  });

  it('ACT-127: requests held in every thread wake the revision and go out once', async () => {
    agent.maxSockets = 200;
    await activator.create('app', { spec: { containerConcurrency: 1 } });
    const asked = many('app', 200);
    await activator.untilReported('app', 200);
    const two = await startPods(2);
    await list('app', two);
    expect((await asked).every((status) => status === 200)).toBe(true);
    expect(new Set(idsOf(two)).size).toBe(200);
    for (const pod of two) expect(pod.maxRunning).toBe(1);
  });

  it('ACT-61, ACT-63: the limit holds while pods come and go under load', async () => {
    await activator.create('app', { spec: { containerConcurrency: 1 } });
    const three = await startPods(3, () => systemClock.sleep(1));
    const [a, b, c] = three as [FakePod, FakePod, FakePod];
    await list('app', [a]);
    const asked = many('app', 600);
    for (const listed of [[a, b], [b], [b, c], [a, c], [a, b, c]]) {
      await list('app', listed);
      const seen = idsOf(three).length;
      const isOver = () => idsOf(three).length >= Math.min(600, seen + 60);
      await until(isOver, 'some requests');
    }
    expect((await asked).every((status) => status === 200)).toBe(true);
    expect(idsOf(three).length).toBe(600);
    expect(new Set(idsOf(three)).size).toBe(600);
  });

  it('ACT-51: a revision without a limit is served by all threads at once', async () => {
    await activator.create('app');
    const two = await startPods(2, () => systemClock.sleep(5));
    await list('app', two);
    expect((await many('app', 400)).every((status) => status === 200)).toBe(true);
    for (const pod of two) expect(pod.ids.length).toBeGreaterThan(0);
  });

  it('ACT-19: probes are answered alike in every thread', async () => {
    agent = new Agent({ maxSockets: 40 });
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => activator.probe(activator.port)),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
  });
});
