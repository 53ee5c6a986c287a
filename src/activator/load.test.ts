// What the activator promises under load, on real sockets: no pod above its limit, an even spread,
// no request lost or run twice while pods die.

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import { seededRandom } from './testing/harness.ts';
import { RawPod, type RawPodOptions } from './testing/raw-pod.ts';
import { type Sent, WireActivator } from './testing/wire-activator.ts';

let activator: WireActivator;
const pods: RawPod[] = [];

beforeEach(async () => {
  activator = await WireActivator.start();
});
afterEach(async () => {
  for (const pod of pods.splice(0)) pod.kill();
  await activator.stop();
});

const after = (delayMs: number, callback: () => void): void => {
  if (delayMs < 1) setImmediate(callback);
  else systemClock.setTimer(delayMs, callback);
};

async function startPods(count: number, options: Omit<RawPodOptions, 'after'>): Promise<RawPod[]> {
  for (let number = 0; number < count; number++)
    pods.push(await RawPod.start({ ...options, after }));
  return pods;
}

const ports = (): number[] => pods.filter((pod) => !pod.isDead).map(({ port }) => port);

/** How often each request reached a pod. */
function runsOf(): Map<string, number> {
  const runs = new Map<string, number>();
  for (const id of pods.flatMap((pod) => pod.ids)) runs.set(id, (runs.get(id) ?? 0) + 1);
  return runs;
}

it('ACT-12, ACT-13: who connects as soon as it listens finds everything that exists', async () => {
  await startPods(2, { runMs: () => 0 });
  const early = await WireActivator.start(async (api) => {
    for (let number = 0; number < 50; number++) {
      await api.deploy(`r${number}`);
      await api.list(`r${number}`, ports());
    }
  });
  const sent = await early.load({ revision: 'r49', requests: 20, connections: 4 });
  await early.stop();
  expect(new Set(sent.map(({ status }) => status))).toEqual(new Set([200]));
});

describe('requests of random length', () => {
  it('20,000 at 12 at once on 5 pods with containerConcurrency 1: no pod has two', async () => {
    const requests = 20_000;
    const random = seededRandom(20);
    await startPods(5, { runMs: () => (random() < 0.02 ? random() * 4 : random()) });
    await activator.deploy('one', { containerConcurrency: 1 });
    await activator.list('one', ports());
    const sent = await activator.load({ revision: 'one', requests, connections: 12 });
    expect(sent.filter(({ status }) => status !== 200)).toEqual([]);
    expect(pods.map((pod) => pod.maxRunning)).toEqual([1, 1, 1, 1, 1]);
    expect(pods.reduce((sum, pod) => sum + pod.ids.length, 0)).toBe(requests);
  });

  it('containerConcurrency 10, half of it used: busiest pod below 1.2 x the idlest', async () => {
    const random = seededRandom(21);
    await startPods(5, { runMs: () => random() });
    await activator.deploy('ten', { containerConcurrency: 10 });
    await activator.list('ten', ports());
    await activator.load({ revision: 'ten', requests: 6_000, connections: 25 });
    const counts = pods.map((pod) => pod.ids.length);
    expect(Math.max(...counts) / Math.min(...counts)).toBeLessThan(1.2);
    expect(Math.max(...pods.map((pod) => pod.maxRunning))).toBeLessThanOrEqual(10);
  });
});

describe('pods killed at random under load', () => {
  const METHODS = ['GET', 'GET', 'POST', 'PUT'];

  /** Kills a pod at every nth request that any pod receives, and has a new one started for it. */
  async function killing(limit: number, seed: number): Promise<Sent[]> {
    const random = seededRandom(seed);
    let untilKill = 30;
    const replacements: Promise<void>[] = [];
    const replace = async (): Promise<void> => {
      pods.push(await RawPod.start(options));
      await activator.list('hello', ports());
    };
    const options: RawPodOptions = {
      runMs: () => (random() < 0.5 ? 0 : random() * 2),
      after,
      onRequest: (pod) => {
        untilKill -= 1;
        if (untilKill > 0) return;
        untilKill = 20 + Math.floor(random() * 60);
        pod.kill();
        replacements.push(replace());
      },
    };
    for (let number = 0; number < 6; number++) pods.push(await RawPod.start(options));
    await activator.deploy('hello', { containerConcurrency: limit });
    await activator.list('hello', ports());
    const methodOf = (number: number): string => METHODS[number % METHODS.length] as string;
    const sent = await activator.load({
      revision: 'hello',
      requests: 2_000,
      connections: 24,
      methodOf,
    });
    await Promise.all(replacements);
    return sent;
  }

  it.each([0, 2, 5])('nothing is lost or run twice, containerConcurrency %i', async (limit) => {
    const seed = fc.sample(fc.nat(), 1)[0] ?? 1;
    const sent = await killing(limit, seed);
    const runs = runsOf();
    const label = `seed ${seed}`;
    expect(pods.filter((pod) => pod.isDead).length, label).toBeGreaterThan(20);
    expect(new Set(sent.map(({ status }) => status)), label).toEqual(new Set([200, 502]));
    for (const { id, method, status } of sent) {
      const count = runs.get(id) ?? 0;
      if (status === 200) expect(count, `${label} ${id}`).toBeGreaterThan(0);
      // What may be repeated is answered unless a pod had it.
      if (status === 502 && method === 'GET') expect(count, `${label} ${id}`).toBeGreaterThan(0);
      // What may not is never repeated.
      if (method !== 'GET') expect(count, `${label} ${id}`).toBeLessThanOrEqual(1);
    }
    const alive = pods.filter((pod) => !pod.isDead);
    expect(
      alive.reduce((sum, pod) => sum + pod.running, 0),
      label,
    ).toBe(0);
  });
});
