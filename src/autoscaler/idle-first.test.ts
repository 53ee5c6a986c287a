// Which pods are marked before a scale-down, and that the mark is there before the scale is.

import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import { POD_DELETION_COST_ANNOTATION } from '../api/labels.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import type { KubeClient } from '../kube/types.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { emptyStat, type Stat } from '../wire/stat.ts';
import { IdleFirst, MAX_MARKED_PODS, planMarks } from './idle-first.ts';
import type { PodCounter } from './pod-counter.ts';

function pod(name: string, cost?: string): Pod {
  const annotations = cost === undefined ? {} : { [POD_DELETION_COST_ANNOTATION]: cost };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', annotations },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  } as unknown as Pod;
}

const stat = (podName: string, averageConcurrentRequests: number): Stat => ({
  ...emptyStat(podName),
  averageConcurrentRequests,
});

const plan = (pods: Pod[], loads: Record<string, number>, count: number) =>
  Object.fromEntries(
    planMarks(pods, new Map(Object.entries(loads)), count).map((mark) => [
      mark.pod.metadata.name,
      mark.cost,
    ]),
  );

describe('planMarks', () => {
  it('gives the idlest pods the lowest costs', () => {
    const pods = [pod('a'), pod('b'), pod('c'), pod('d')];
    expect(plan(pods, { a: 5, b: 0, c: 9, d: 1 }, 2)).toEqual({ b: -2, d: -1 });
  });

  it('takes marks off pods that have become busy, and writes nothing twice', () => {
    const pods = [pod('a', '-1'), pod('b'), pod('c', '-2')];
    expect(plan(pods, { a: 5, b: 1, c: 0 }, 2)).toEqual({ a: null, b: -1 });
  });

  it('leaves alone what it knows nothing of, and costs somebody else gave', () => {
    const pods = [pod('a', '1000'), pod('b'), pod('new')];
    expect(plan(pods, { a: 0, b: 3 }, 2)).toEqual({ b: -1 });
  });

  it('marks so many and no more', () => {
    const names = Array.from({ length: MAX_MARKED_PODS + 5 }, (_, index) => `p${index}`);
    const loads = Object.fromEntries(names.map((name) => [name, 0]));
    const marks = plan(
      names.map((name) => pod(name)),
      loads,
      names.length,
    );
    expect(Object.keys(marks)).toHaveLength(MAX_MARKED_PODS);
  });
});

describe('IdleFirst', () => {
  function create(patch: KubeClient['patch']): { idle: IdleFirst; clock: FakeClock } {
    const clock = new FakeClock();
    const pods = { pods: () => [pod('a'), pod('b')] } as unknown as PodCounter;
    const client = { patch } as unknown as KubeClient;
    return { idle: new IdleFirst({ client, pods, clock, logger: silentLogger }), clock };
  }

  it('patches the annotation of the idle pod', async () => {
    const patches: unknown[] = [];
    const { idle } = create((kind, key, body) => {
      patches.push([kind, key.name, body]);
      return Promise.resolve({} as never);
    });
    idle.note('default/hello', [stat('a', 3), stat('b', 0)]);
    await idle.mark('default/hello', 1);
    const annotations = { [POD_DELETION_COST_ANNOTATION]: '-1' };
    expect(patches).toEqual([
      [kinds.Pod, 'b', { type: 'merge', body: { metadata: { annotations } } }],
    ]);
  });

  it('does not hold a scale-down up when the API is slow or refuses', async () => {
    const slow = create(() => new Promise(() => undefined));
    slow.idle.note('default/hello', [stat('a', 3), stat('b', 0)]);
    const marked = slow.idle.mark('default/hello', 1);
    slow.clock.advance(200);
    await marked;
    const refusing = create(() => Promise.reject(new Error('forbidden')));
    refusing.idle.note('default/hello', [stat('a', 3), stat('b', 0)]);
    await refusing.idle.mark('default/hello', 1);
  });

  it('asks for nothing when it knows nothing', async () => {
    const { idle } = create(() => Promise.reject(new Error('must not be called')));
    idle.note('default/hello', [stat('a', 0)]);
    await idle.mark('default/hello', 1);
    idle.note('default/hello', [stat('a', 0), stat('b', 0)]);
    idle.forget('default/hello');
    await idle.mark('default/hello', 1);
  });
});
