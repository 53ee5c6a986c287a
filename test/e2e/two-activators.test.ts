// Two activator processes in front of one revision: each uses its own slice of the pods, together
// all of them; no pod gets more than it may have; and one that goes away loses nobody.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ActivatorCluster, type Member } from '../support/activator-cluster.ts';
import { until } from '../support/pilotlight.ts';

const LIMIT = 2;
const ACTIVATORS = ['127.0.0.21', '127.0.0.22'] as const;
const PODS = ['127.0.1.1', '127.0.1.2', '127.0.1.3', '127.0.1.4', '127.0.1.5'];
/** ACT-74 with five pods: two each, and the one left over goes to the first. */
const SLICES = {
  first: ['127.0.1.1', '127.0.1.2', '127.0.1.5'],
  second: ['127.0.1.3', '127.0.1.4'],
};
let cluster: ActivatorCluster;
const members: Member[] = [];

const podsOf = (prefix: string): string[] => {
  const runs = cluster.runs(PODS).filter(({ id }) => id.startsWith(prefix));
  return [...new Set(runs.map(({ address }) => address))].sort();
};

async function burst(activator: string, prefix: string, count: number): Promise<number[]> {
  const answers = await Promise.all(
    Array.from({ length: count }, (_unused, index) =>
      cluster.send(activator, `/?id=${prefix}-${index}&ms=20`),
    ),
  );
  return answers.map(({ status }) => status);
}

/** Until what that activator does is what its Endpoints say. */
async function usesOnly(activator: string, prefix: string, pods: string[]): Promise<void> {
  let round = 0;
  await until(`${activator} to use ${pods.join(', ')}`, async () => {
    round += 1;
    const name = `${prefix}${round}`;
    await burst(activator, name, 24);
    return JSON.stringify(podsOf(name)) === JSON.stringify(pods);
  });
}

beforeAll(async () => {
  cluster = await ActivatorCluster.start(LIMIT);
  await Promise.all(PODS.map((address) => cluster.startPod(address)));
  for (const address of ACTIVATORS) {
    members.push(await cluster.startActivator(address, { ACTIVATOR_DRAIN_SECONDS: '2' }));
  }
  await cluster.listPods(PODS);
  await cluster.listActivators(ACTIVATORS);
});
afterAll(() => cluster?.stop());

describe('two activators', () => {
  it('ACT-66, ACT-72, ACT-74: their slices are disjoint and add up to all pods', async () => {
    await usesOnly(ACTIVATORS[0], 'first', SLICES.first);
    await usesOnly(ACTIVATORS[1], 'second', SLICES.second);
  });

  it('ACT-67: 200 requests to both at once run once each, never more than two in a pod', async () => {
    const before = cluster.runs(PODS).length;
    const [one, two] = await Promise.all([
      burst(ACTIVATORS[0], 'load-a', 100),
      burst(ACTIVATORS[1], 'load-b', 100),
    ]);
    expect([...one, ...two].filter((status) => status !== 200)).toEqual([]);
    const runs = cluster.runs(PODS);
    expect(runs.length - before).toBe(200);
    expect(Math.max(...runs.map(({ inside }) => inside))).toBe(LIMIT);
    expect(podsOf('load-a')).toEqual(SLICES.first);
    expect(podsOf('load-b')).toEqual(SLICES.second);
  });

  it('ACT-209, ACT-210: a signal turns health, serves on, ends with 0; the other takes all', async () => {
    const [, second] = members as [Member, Member];
    const held = burst(ACTIVATORS[1], 'last', 40);
    await until('requests to run', () => podsOf('last').length > 0);
    const ended = second.kill('SIGTERM');
    await until('health to turn', async () => {
      const { status, body } = await cluster.probe(ACTIVATORS[1]);
      return status === 500 && body === 'received SIGTERM from kubelet\n';
    });
    await cluster.listActivators([ACTIVATORS[0]]);
    const statuses = await held;
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(await ended).toBe(0);
    await usesOnly(ACTIVATORS[0], 'alone', PODS);
    expect(cluster.runs(PODS).filter(({ id }) => id.startsWith('last'))).toHaveLength(40);
  });
});
