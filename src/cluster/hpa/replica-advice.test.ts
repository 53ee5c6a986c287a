// The arithmetic of the embedded HorizontalPodAutoscaler, by examples worked by hand.

import { describe, expect, it } from 'vitest';
import { adviseReplicas, type PodSample } from './replica-advice.ts';
import { Stabilizer } from './stabilizer.ts';

const pod = (usage: number | null, isReady = true): PodSample => ({ isReady, usage, full: 1000 });

describe('replicas for one metric', () => {
  it.each([
    ['twice the target doubles', [pod(800), pod(800)], 2, 40, 4],
    ['half the target halves', [pod(200), pod(200)], 2, 40, 1],
    ['within a tenth of the target nothing changes', [pod(430), pod(430)], 2, 40, 2],
    ['a pod not measured counts as idle against a rise', [pod(800), pod(null)], 2, 40, 2],
    ['a pod not measured counts as busy against a fall', [pod(100), pod(null)], 2, 50, 2],
    [
      'a pod not ready does not take part in a fall beyond its usage',
      [pod(100), pod(0, false)],
      2,
      50,
      1,
    ],
    ['a rise that the doubt eats up stays where it is', [pod(600), pod(null)], 2, 50, 2],
    ['enough load rises in spite of doubt', [pod(1000), pod(1000), pod(null)], 3, 20, 10],
  ])('%s', (_name, pods, current, target, expected) => {
    expect(adviseReplicas(pods, current, target, true)?.replicas).toBe(expected);
  });

  it('compares values per pod when the target is no share', () => {
    expect(adviseReplicas([pod(300), pod(500)], 2, 100, false)).toEqual({
      replicas: 8,
      current: 400,
    });
  });

  it('says nothing when no ready pod is measured', () => {
    expect(adviseReplicas([pod(null), pod(5, false)], 2, 50, true)).toBeNull();
  });
});

describe('stabilisation', () => {
  const rules = { upWindowMs: 0, downWindowMs: 300_000 };

  it('goes up at once, by no more than doubling or four pods', () => {
    expect(new Stabilizer().next(1, 100, rules, 0)).toBe(5);
    expect(new Stabilizer().next(10, 100, rules, 0)).toBe(20);
    expect(new Stabilizer().next(10, 12, rules, 0)).toBe(12);
  });

  it('goes down only when nothing in the window asked for more', () => {
    const stabilizer = new Stabilizer();
    expect(stabilizer.next(8, 8, rules, 0)).toBe(8);
    expect(stabilizer.next(8, 2, rules, 15_000)).toBe(8);
    expect(stabilizer.next(8, 3, rules, 299_000)).toBe(8);
    expect(stabilizer.next(8, 2, rules, 301_000)).toBe(3);
  });

  it('waits out an up window, too', () => {
    const slow = { upWindowMs: 60_000, downWindowMs: 0 };
    const stabilizer = new Stabilizer();
    expect(stabilizer.next(2, 6, slow, 0)).toBe(2);
    expect(stabilizer.next(2, 6, slow, 30_000)).toBe(2);
    expect(stabilizer.next(2, 6, slow, 61_000)).toBe(6);
  });
});
