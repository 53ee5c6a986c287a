// Tables of what a rollout may create and remove at each point.

import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/core.ts';
import { POD_DELETION_COST_ANNOTATION } from '../../api/labels.ts';
import { buildDeployment } from '../testing/harness.ts';
import { chooseVictims, planReplicas, rollingLimits } from './replica-plan.ts';
import type { SeenPod } from './seen-pods.ts';

function seenPod(name: string, given: { ready?: boolean; cost?: number; born?: string }): SeenPod {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      uid: name,
      creationTimestamp: given.born ?? '2026-01-01T00:00:00Z',
      annotations:
        given.cost === undefined ? {} : { [POD_DELETION_COST_ANNOTATION]: String(given.cost) },
    },
    spec: { containers: [] },
  };
  return { pod, isReady: given.ready !== false, isAvailable: given.ready !== false };
}

const some = (count: number, prefix: string, ready: boolean): SeenPod[] =>
  Array.from({ length: count }, (_, index) => seenPod(`${prefix}${index}`, { ready }));

describe('choice of pods to remove', () => {
  test('not ready first, then the lower deletion cost, then the youngest', () => {
    const pods = [
      seenPod('old', { born: '2026-01-01T00:00:00Z' }),
      seenPod('young', { born: '2026-01-02T00:00:00Z' }),
      seenPod('cheap', { cost: -5 }),
      seenPod('dear', { cost: 10, born: '2026-01-03T00:00:00Z' }),
      seenPod('broken', { ready: false, cost: 100 }),
    ];
    const order = chooseVictims(pods, 5).map((pod) => pod.metadata.name);
    expect(order).toEqual(['broken', 'cheap', 'young', 'old', 'dear']);
  });
});

describe('replica plan', () => {
  const rows: {
    name: string;
    replicas: number;
    maxSurge?: number | string;
    maxUnavailable?: number | string;
    current: [ready: number, unready: number];
    old: [ready: number, unready: number];
    create: number;
    remove: number;
  }[] = [
    { name: 'from nothing', replicas: 3, current: [0, 0], old: [0, 0], create: 3, remove: 0 },
    { name: 'to nothing', replicas: 0, current: [2, 1], old: [0, 0], create: 0, remove: 3 },
    { name: 'steady', replicas: 2, current: [1, 1], old: [0, 0], create: 0, remove: 0 },
    { name: 'update begins', replicas: 4, current: [0, 0], old: [4, 0], create: 1, remove: 0 },
    { name: 'surge full', replicas: 4, current: [0, 1], old: [4, 0], create: 0, remove: 0 },
    { name: 'one replaced', replicas: 4, current: [1, 0], old: [4, 0], create: 0, remove: 1 },
    {
      name: 'broken old go first',
      replicas: 2,
      current: [1, 0],
      old: [1, 1],
      create: 0,
      remove: 1,
    },
    {
      name: 'broken old stay while they might be needed',
      replicas: 1,
      current: [0, 1],
      old: [0, 1],
      create: 0,
      remove: 0,
    },
    { name: 'update at zero', replicas: 0, current: [0, 0], old: [2, 1], create: 0, remove: 3 },
    {
      name: 'scaled down in mid-update',
      replicas: 1,
      current: [0, 0],
      old: [3, 0],
      create: 0,
      remove: 2,
    },
    {
      name: 'scaled up in mid-update',
      replicas: 8,
      current: [1, 0],
      old: [2, 0],
      create: 7,
      remove: 0,
    },
    {
      name: 'may lose one',
      replicas: 4,
      maxSurge: 0,
      maxUnavailable: 1,
      current: [0, 0],
      old: [4, 0],
      create: 0,
      remove: 1,
    },
  ];
  for (const row of rows) {
    test(`CP-203: ${row.name}`, () => {
      const { spec } = buildDeployment({
        replicas: row.replicas,
        strategy: {
          rollingUpdate: {
            maxUnavailable: row.maxUnavailable ?? 0,
            ...(row.maxSurge === undefined ? {} : { maxSurge: row.maxSurge }),
          },
        },
      });
      const plan = planReplicas(spec, {
        current: [...some(row.current[0], 'c', true), ...some(row.current[1], 'cx', false)],
        old: [...some(row.old[0], 'o', true), ...some(row.old[1], 'ox', false)],
        finished: [],
        terminating: 0,
        nextAvailableInMs: null,
      });
      expect([plan.create, plan.remove.length]).toEqual([row.create, row.remove]);
    });
  }

  test('surge rounds up, unavailability down, and never are both 0', () => {
    const limits = (maxSurge: number | string, maxUnavailable: number | string) =>
      rollingLimits(
        buildDeployment({ strategy: { rollingUpdate: { maxSurge, maxUnavailable } } }).spec,
        3,
      );
    expect(limits('25%', '50%')).toEqual({ maxSurge: 1, maxUnavailable: 1 });
    expect(limits(0, 0)).toEqual({ maxSurge: 0, maxUnavailable: 1 });
    expect(limits(2, 0)).toEqual({ maxSurge: 2, maxUnavailable: 0 });
  });
});
