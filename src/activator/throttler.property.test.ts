// The throttler against a naive model: random arrivals, ends, abandoned clients, failed hand-overs,
// lost answers, pods that come, go and stop answering, a ClusterIP, activators that join, starts
// that fail and time that runs out. After every step both say the same: who runs where, who waits,
// what everybody was told. fast-check prints the seed and the shortest failing sequence.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FakeExchange } from '../proxy/testing/fake-exchange.ts';
import { FailureCode } from '../proxy/types.ts';
import { MAX_CAPACITY } from './capacity.ts';
import { MAX_POD_ATTEMPTS, MAX_REPEATED_ATTEMPTS } from './handler.ts';
import { readRevisionSettings } from './revision-settings.ts';
import { FAILED_WAKE_GRACE_MS, type RevisionThrottler } from './revision-throttler.ts';
import { ActivatorHarness, revision, settle } from './testing/harness.ts';
import { ANY, type ModelRequest, ThrottlerModel } from './testing/throttler-model.ts';

const DESTS = ['10.0.0.1:1', '10.0.0.10:1', '10.0.0.2:1', '10.0.0.3:1', '10.0.0.4:1'];
const CLUSTER_IP = '10.96.0.1:80';
const MAX_MASK = 2 ** DESTS.length - 1;
const TIMEOUT_SECONDS = 300;
const masked = (mask: number) => DESTS.filter((_dest, index) => (mask & (1 << index)) !== 0);

type Step =
  | { kind: 'arrive'; count: number }
  | { kind: 'finish' | 'leave' | 'refuse' | 'reset' | 'lose'; pick: number }
  | { kind: 'pods'; mask: number; unproven: number }
  | { kind: 'clusterIp'; backends: number }
  | { kind: 'place'; count: number; index: number }
  | { kind: 'fail' | 'expire' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('arrive'), count: fc.integer({ min: 1, max: 30 }) }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      kind: fc.constantFrom('finish', 'finish', 'leave', 'refuse', 'refuse', 'reset', 'lose'),
      pick: fc.nat({ max: 1_000 }),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: fc.constant('pods'),
      mask: fc.nat({ max: MAX_MASK }),
      unproven: fc.nat({ max: MAX_MASK }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('clusterIp'),
      backends: fc.integer({ min: 0, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.integer({ min: 1, max: 7 }).chain((count) =>
      fc.record({
        kind: fc.constant('place'),
        count: fc.constant(count),
        index: fc.integer({ min: 0, max: count - 1 }),
      }),
    ),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('fail', 'expire') }) },
) as fc.Arbitrary<Step>;

interface Tried extends ModelRequest {
  readonly exchange: FakeExchange;
}

class World {
  readonly harness = new ActivatorHarness();
  readonly throttler: RevisionThrottler;
  readonly model: ThrottlerModel;
  readonly all: Tried[] = [];
  readonly #spec: { containerConcurrency: number; timeoutSeconds: number };
  #hadPods = false;
  #podsLostMs = Number.NEGATIVE_INFINITY;

  constructor(limit: number, queueLimit: number) {
    this.#spec = { containerConcurrency: limit, timeoutSeconds: TIMEOUT_SECONDS };
    this.model = new ThrottlerModel(limit, queueLimit);
    this.throttler = this.harness.add('hello', this.#spec, queueLimit);
  }

  async play(next: Step): Promise<void> {
    this.#do(next);
    await settle(6);
    const hasPods = this.model.capacity > 0;
    if (this.#hadPods && !hasPods) this.#podsLostMs = this.harness.clock.monotonicMs();
    this.#hadPods = hasPods;
    this.#compare(JSON.stringify(next));
  }

  #do(next: Step): void {
    const { model, throttler } = this;
    switch (next.kind) {
      case 'arrive':
        for (let count = 0; count < next.count; count++) this.#arrive();
        break;
      case 'pods': {
        const unproven = masked(next.unproven & ~next.mask);
        throttler.setPods(masked(next.mask), unproven);
        model.setPods(masked(next.mask), unproven);
        break;
      }
      case 'clusterIp':
        throttler.setClusterIp(CLUSTER_IP, next.backends);
        model.setClusterIp(CLUSTER_IP, next.backends);
        break;
      case 'place':
        throttler.setPlace({ count: next.count, index: next.index });
        model.setPlace(next.count, next.index);
        break;
      case 'fail':
        this.#fail();
        break;
      case 'expire':
        this.harness.clock.advance(TIMEOUT_SECONDS * 1000 + 100);
        for (const request of this.#active) model.end(request, 504);
        break;
      default:
        this.#touch(next.kind, next.pick);
    }
  }

  get #active(): Tried[] {
    const { queue, displaced, running } = this.model;
    return [...queue, ...displaced, ...running] as Tried[];
  }

  #arrive(): void {
    const request = { exchange: this.harness.request('hello'), sentTo: [], slot: null, status: 0 };
    this.all.push(request);
    this.model.arrive(request);
  }

  #touch(kind: 'finish' | 'leave' | 'refuse' | 'reset' | 'lose', pick: number): void {
    const from = kind === 'leave' ? this.#active : (this.model.running as Tried[]);
    const request = from[pick % Math.max(1, from.length)];
    if (request === undefined) return;
    if (kind === 'finish') {
      request.exchange.finish();
      this.model.end(request, 200);
    } else if (kind === 'leave') {
      request.exchange.clientLeaves();
      this.model.end(request, -1);
    } else {
      this.#podFails(request, kind);
    }
  }

  /** `refuse`: nothing was sent; `reset`: a repeatable request was; `lose`: another one was. */
  #podFails(request: Tried, kind: 'refuse' | 'reset' | 'lose'): void {
    const { model } = this;
    const tries = { refuse: MAX_POD_ATTEMPTS, reset: MAX_REPEATED_ATTEMPTS, lose: 0 }[kind];
    const isLast = request.sentTo.length >= tries;
    const pods = model.pods;
    const pod = request.slot?.dest ?? '';
    const left = pods.filter((other) => other !== pod);
    if (isLast) model.end(request, 502);
    else model.retry(request, () => model.setPods(left, [pod]));
    this.harness.onSuspect = (seen) => {
      expect(seen).toBe(pod);
      this.throttler.setPods(left, [pod]);
    };
    const code = kind === 'refuse' ? FailureCode.CONNECT_REFUSED : FailureCode.RESET;
    request.exchange.podFails(code, kind !== 'refuse', 'gone', kind === 'reset');
  }

  /**
   * A start that fails ends everybody's wait, unless there is a pod or was one a moment ago; then it
   * is well again.
   */
  #fail(): void {
    const { model, throttler } = this;
    const waiting = [...model.queue, ...model.displaced];
    const condition = { type: 'ResourcesAvailable', status: 'False' as const, reason: 'Quota' };
    throttler.update(readRevisionSettings(revision('hello', this.#spec, [condition])));
    throttler.update(readRevisionSettings(revision('hello', this.#spec)));
    const sinceLostMs = this.harness.clock.monotonicMs() - this.#podsLostMs;
    if (model.capacity > 0 || sinceLostMs < FAILED_WAKE_GRACE_MS) return;
    for (const request of waiting) model.end(request, 503);
  }

  #compare(label: string): void {
    const { model, throttler } = this;
    expect(throttler.capacity, label).toBe(Math.min(model.capacity, MAX_CAPACITY));
    expect(throttler.inFlight, label).toBe(model.running.length);
    expect(throttler.waiting, label).toBe(model.queue.length + model.displaced.length);
    for (const request of this.all) {
      const { exchange, sentTo, status } = request;
      const seen = exchange.forwards.map(({ upstream }) => `${upstream.host}:${upstream.port}`);
      const last = seen.at(-1) ?? '';
      if (sentTo.at(-1) === ANY) expect(model.bind(request, last), label).toBe(true);
      expect(seen, label).toEqual(sentTo);
      expect(exchange.ended, label).toBe(status !== 0);
      if (status > 0) expect(exchange.responseStatus, label).toBe(status);
    }
  }
}

describe('throttler', () => {
  it('does what a naive queue would do, with every policy', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0, 1, 2, 3, 4, 7),
        fc.constantFrom(1, 20, 10_000),
        fc.array(step, { minLength: 1, maxLength: 30 }),
        async (limit, queueLimit, steps) => {
          const world = new World(limit, queueLimit);
          for (const next of steps) await world.play(next);
          // Nothing is left behind once everybody has gone.
          for (const { exchange } of world.all) exchange.clientLeaves();
          await settle(6);
          expect([world.throttler.inFlight, world.throttler.waiting]).toEqual([0, 0]);
          expect(world.harness.deadlines.size).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
