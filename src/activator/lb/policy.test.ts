// The balancing policies against the vectors of ACT-53 to ACT-56.

import { describe, expect, it } from 'vitest';
import { FirstAvailable } from './first-available.ts';
import { createLbPolicy, type LbPolicy, type LbTarget } from './policy.ts';
import { RandomChoiceOfTwo } from './random-choice-of-two.ts';
import { RoundRobin } from './round-robin.ts';

class FakeTarget implements LbTarget {
  inFlight = 0;
  readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  reserve(): boolean {
    if (this.limit > 0 && this.inFlight >= this.limit) return false;
    this.inFlight += 1;
    return true;
  }
}

const targets = (count: number, limit: number): FakeTarget[] =>
  Array.from({ length: count }, () => new FakeTarget(limit));

/** Small linear congruential generator: the same sequence on every run. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('choice of policy', () => {
  it.each([
    [0, RandomChoiceOfTwo],
    [1, FirstAvailable],
    [3, FirstAvailable],
    [4, RoundRobin],
    [100, RoundRobin],
  ])('ACT-53: containerConcurrency %i', (containerConcurrency, expected) => {
    expect(createLbPolicy(containerConcurrency, seeded(1))).toBeInstanceOf(expected);
  });

  it.each<[string, LbPolicy]>([
    ['random choice of two', new RandomChoiceOfTwo(seeded(1))],
    ['first available', new FirstAvailable()],
    ['round robin', new RoundRobin()],
  ])('ACT-59: %s finds no target among none', (_name, policy) => {
    expect(policy.pick([])).toBeNull();
  });
});

describe('random choice of two (ACT-54)', () => {
  it('takes the only target', () => {
    const [only] = targets(1, 0);
    expect(new RandomChoiceOfTwo(seeded(1)).pick([only as FakeTarget])).toBe(only);
  });

  it('takes the lighter of two and counts the request on it', () => {
    const pods = targets(2, 0);
    (pods[0] as FakeTarget).inFlight = 5;
    const policy = new RandomChoiceOfTwo(seeded(1));
    expect(policy.pick(pods)).toBe(pods[1]);
    expect(pods[1]?.inFlight).toBe(1);
  });

  it('gives both of two idle targets some of 100 sequential requests', () => {
    const pods = targets(2, 0);
    const policy = new RandomChoiceOfTwo(seeded(42));
    const served = [0, 0];
    for (let call = 0; call < 100; call++) {
      const chosen = policy.pick(pods) as FakeTarget;
      served[pods.indexOf(chosen)] = (served[pods.indexOf(chosen)] ?? 0) + 1;
      chosen.inFlight -= 1;
    }
    expect(Math.min(...served)).toBeGreaterThan(20);
  });

  it('draws every pair of many targets, never the same one twice', () => {
    const policy = new RandomChoiceOfTwo(seeded(7));
    const served = new Set<number>();
    const pods = targets(5, 0);
    for (let call = 0; call < 500; call++)
      served.add(pods.indexOf(policy.pick(pods) as FakeTarget));
    expect([...served].sort()).toEqual([0, 1, 2, 3, 4]);
    const loads = pods.map((pod) => pod.inFlight);
    // Holding all 500 the loads stay close together: two choices, not one.
    expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(6);
  });
});

describe('first available (ACT-55)', () => {
  it('puts three concurrent requests on the smallest of five with concurrency 3', () => {
    const pods = targets(5, 3);
    const policy = new FirstAvailable();
    expect([0, 1, 2].map(() => policy.pick(pods))).toEqual([pods[0], pods[0], pods[0]]);
    expect(policy.pick(pods)).toBe(pods[1]);
  });

  it('finds none when all are full', () => {
    const pods = targets(2, 1);
    const policy = new FirstAvailable();
    policy.pick(pods);
    policy.pick(pods);
    expect(policy.pick(pods)).toBeNull();
  });
});

describe('round robin (ACT-56)', () => {
  it('follows the vector for three targets with concurrency 2', () => {
    const pods = targets(3, 2);
    const policy = new RoundRobin();
    const seen = [3, 3, 1, 3, 3, 3].map((offered) =>
      pods.indexOf(policy.pick(pods.slice(0, offered)) as FakeTarget),
    );
    expect(seen).toEqual([0, 1, 0, 1, 2, 2]);
  });

  it('follows the vector for three targets with concurrency 1', () => {
    const pods = targets(3, 1);
    const policy = new RoundRobin();
    const indexOf = (offered: number): number | null => {
      const chosen = policy.pick(pods.slice(0, offered));
      return chosen === null ? null : pods.indexOf(chosen);
    };
    expect([indexOf(3), indexOf(3), indexOf(1), indexOf(3), indexOf(3)]).toEqual([
      0,
      1,
      null,
      2,
      null,
    ]);
    (pods[2] as FakeTarget).inFlight -= 1;
    expect(indexOf(3)).toBe(2);
  });
});
