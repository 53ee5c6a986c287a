// The throttler against a naive model: random arrivals, ends, abandoned clients, failed hand-overs,
// pods that come and go and activators that join, with the same requests running in both after
// every step. fast-check prints the seed and the shortest failing sequence.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FakeExchange } from '../proxy/testing/fake-exchange.ts';
import { FailureCode } from '../proxy/types.ts';
import type { RevisionThrottler } from './revision-throttler.ts';
import { assignSlice, UNKNOWN_INDEX } from './slicing.ts';
import { ActivatorHarness, settle } from './testing/harness.ts';

const DESTS = ['10.0.0.1:1', '10.0.0.10:1', '10.0.0.2:1', '10.0.0.3:1', '10.0.0.4:1'];
const MAX_ATTEMPTS = 4;

type Step =
  | { kind: 'arrive'; count: number }
  | { kind: 'finish' | 'leave' | 'refuse'; pick: number }
  | { kind: 'pods'; mask: number }
  | { kind: 'place'; count: number; index: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('arrive'), count: fc.integer({ min: 1, max: 90 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('finish', 'leave', 'refuse'),
      pick: fc.nat({ max: 1_000 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('pods'), mask: fc.integer({ min: 0, max: 31 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 3 }).chain((count) =>
      fc.record({
        kind: fc.constant('place'),
        count: fc.constant(count),
        index: fc.integer({ min: 0, max: count - 1 }),
      }),
    ),
  },
) as fc.Arbitrary<Step>;

interface ModelRequest {
  exchange: FakeExchange;
  attempts: number;
}

/** What should happen, in the plainest words: one list waiting, one running, one number. */
class Model {
  waiting: ModelRequest[] = [];
  running: ModelRequest[] = [];
  pods: string[] = [];
  place = { count: 0, index: UNKNOWN_INDEX };
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get capacity(): number {
    if (this.#limit === 0) return this.pods.length > 0 ? Number.POSITIVE_INFINITY : 0;
    return this.#limit * assignSlice(this.pods, this.place.count, this.place.index).length;
  }

  /** The oldest waiting requests run while there is room. */
  admit(): void {
    while (this.running.length < this.capacity) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      next.attempts += 1;
      this.running.push(next);
    }
  }
}

class World {
  readonly harness = new ActivatorHarness();
  readonly throttler: RevisionThrottler;
  readonly model: Model;
  readonly #limit: number;
  /** Every request ever, to see that none is sent on twice. */
  readonly all: ModelRequest[] = [];

  constructor(limit: number) {
    this.#limit = limit;
    this.model = new Model(limit);
    this.throttler = this.harness.add('hello', { containerConcurrency: limit });
    this.harness.onSuspect = (dest) => this.#setPods(this.model.pods.filter((pod) => pod !== dest));
  }

  async play(next: Step): Promise<void> {
    this.#do(next);
    await settle(12);
    this.model.admit();
    this.#compare(next);
  }

  #do(next: Step): void {
    const { model } = this;
    switch (next.kind) {
      case 'arrive':
        for (let count = 0; count < next.count; count++) {
          const request = { exchange: this.harness.request('hello'), attempts: 0 };
          this.all.push(request);
          model.waiting.push(request);
        }
        break;
      case 'finish':
        this.#take(model.running, next.pick)?.exchange.finish();
        break;
      case 'leave':
        this.#take([...model.running, ...model.waiting], next.pick)?.exchange.clientLeaves();
        break;
      case 'refuse':
        this.#refuse(next.pick);
        break;
      case 'pods':
        this.#setPods(DESTS.filter((_dest, index) => (next.mask & (1 << index)) !== 0));
        break;
      case 'place':
        model.place = { count: next.count, index: next.index };
        this.throttler.setPlace(model.place);
        break;
    }
  }

  #take(from: readonly ModelRequest[], pick: number): ModelRequest | undefined {
    const request = from[pick % Math.max(1, from.length)];
    this.model.running = this.model.running.filter((other) => other !== request);
    this.model.waiting = this.model.waiting.filter((other) => other !== request);
    return request;
  }

  /** A pod takes nothing of a request: the pod is out, the request waits behind the others. */
  #refuse(pick: number): void {
    const request = this.#take(this.model.running, pick);
    if (request === undefined) return;
    if (request.attempts < MAX_ATTEMPTS) this.model.waiting.push(request);
    request.exchange.podFails(FailureCode.CONNECT_REFUSED, false);
  }

  #setPods(pods: string[]): void {
    this.model.pods = pods;
    this.throttler.setPods(pods);
  }

  #compare(after: Step): void {
    const { model, throttler } = this;
    const label = JSON.stringify(after);
    expect(throttler.inFlight, label).toBe(model.running.length);
    expect(throttler.waiting, label).toBe(model.waiting.length);
    for (const { exchange, attempts } of this.all) {
      expect(exchange.forwards.length, label).toBe(attempts);
    }
    if (this.#limit > 0) this.#expectLimitKept(label);
  }

  /** Requests sent to one pod since it was listed last, and not ended, never exceed the limit. */
  #expectLimitKept(label: string): void {
    const perUpstream = new Map<object, number>();
    for (const { exchange } of this.model.running) {
      const upstream = exchange.forwards.at(-1)?.upstream;
      if (upstream !== undefined) perUpstream.set(upstream, (perUpstream.get(upstream) ?? 0) + 1);
    }
    for (const count of perUpstream.values()) expect(count, label).toBeLessThanOrEqual(this.#limit);
  }
}

describe('throttler', () => {
  it('does what a naive queue would do, without ever exceeding a pod', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0, 1, 2, 3, 4, 7),
        fc.array(step, { minLength: 1, maxLength: 25 }),
        async (limit, steps) => {
          const world = new World(limit);
          for (const next of steps) await world.play(next);
          // Nothing is left behind once everybody has gone.
          for (const { exchange } of world.all) exchange.clientLeaves();
          await settle(12);
          expect([world.throttler.inFlight, world.throttler.waiting]).toEqual([0, 0]);
          expect(world.harness.deadlines.size).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });
});
