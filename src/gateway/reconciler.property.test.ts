// The reconciler under random histories: Ingresses that come, change, collide and go while the
// Services behind them gain and lose addresses. After every step the promises of ING-23, ING-45,
// ING-82 and ING-104 hold, and once everything is deleted nothing is left. fast-check prints seed
// and sequence.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findCondition, isReady } from '../api/conditions.ts';
import { Ingress as IngressKind } from '../api/kinds.ts';
import type { Ingress } from '../api/networking.ts';
import { externalRule, GatewayHarness, ingress, split } from './testing/harness.ts';

const NAMES = ['i', 'j', 'k'] as const;
const HOSTS = ['a.example', 'b.example', 'c.example'] as const;
const SERVICES = ['s', 't'] as const;

type Step =
  | { kind: 'apply'; name: string; hosts: string[]; service: string }
  | { kind: 'remove'; name: string }
  | { kind: 'move'; service: string; addresses: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('apply'),
      name: fc.constantFrom(...NAMES),
      hosts: fc.subarray([...HOSTS], { minLength: 1 }),
      service: fc.constantFrom(...SERVICES),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('remove'), name: fc.constantFrom(...NAMES) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('move'),
      service: fc.constantFrom(...SERVICES),
      addresses: fc.integer({ min: 0, max: 2 }),
    }),
  },
) as fc.Arbitrary<Step>;

class World {
  readonly gateway = new GatewayHarness();
  /** Addresses behind each Service. */
  readonly behind = new Map<string, string[]>();

  async start(): Promise<void> {
    await this.gateway.start();
    for (const [index, service] of SERVICES.entries()) {
      const dest = `10.0.${index}.1:80`;
      await this.gateway.service(service, dest);
      this.behind.set(service, [dest]);
    }
  }

  async play(next: Step): Promise<void> {
    if (next.kind === 'apply') {
      const rules = next.hosts.map((host) => externalRule(host, { splits: [split(next.service)] }));
      await this.gateway.apply(ingress(next.name, { rules }));
    } else if (next.kind === 'remove') {
      await this.gateway.remove(next.name).catch(() => undefined);
    } else {
      const number = SERVICES.indexOf(next.service as (typeof SERVICES)[number]);
      const dests = Array.from(
        { length: next.addresses },
        (_, at) => `10.0.${number}.${at + 1}:80`,
      );
      this.behind.set(next.service, dests);
      await this.gateway.moveEndpoints(next.service, ...dests);
    }
    await this.catchUp();
  }

  /** What the controller would do with the keys that were asked for again. */
  async catchUp(): Promise<void> {
    for (let pass = 0; this.gateway.enqueued.length > 0; pass++) {
      expect(pass).toBeLessThan(20);
      for (const key of new Set(this.gateway.enqueued.splice(0))) {
        await this.gateway.reconcile(key.slice(key.indexOf('/') + 1)).catch(() => undefined);
      }
    }
  }

  async check(label: string): Promise<void> {
    const { items } = await this.gateway.client.list<Ingress>(IngressKind);
    const conflicts = items.filter(
      (item) => findCondition(item, 'LoadBalancerReady')?.reason === 'DomainConflict',
    );
    for (const item of items) {
      expect(item.status?.observedGeneration, label).toBe(item.metadata.generation);
      const hosts = item.spec.rules?.flatMap((rule) => rule.hosts ?? []) ?? [];
      const service = item.spec.rules?.[0]?.http?.paths[0]?.splits[0]?.serviceName ?? '';
      const dests = this.behind.get(service) ?? [];
      if (isReady(item)) for (const host of hosts) this.#expectServed(host, dests, label);
      // With addresses there is nothing to wait for: served, or refused for a reason.
      else if (dests.length > 0) expect(conflicts, label).toContain(item);
    }
    for (const refused of conflicts) {
      const hosts = refused.spec.rules?.flatMap((rule) => rule.hosts ?? []) ?? [];
      const served = hosts.filter((host) => this.gateway.table.snapshot.local.find(host) !== null);
      expect(served.length, label).toBeGreaterThan(0);
    }
  }

  #expectServed(host: string, dests: readonly string[], label: string): void {
    const exchange = this.gateway.get(host);
    if (dests.length === 0) expect(exchange.responseStatus, label).toBe(503);
    else expect(dests, label).toContain(exchange.upstream);
    exchange.clientLeaves();
  }
}

describe('ingress reconciler', () => {
  it('keeps its promises whatever happens, and leaves nothing behind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        const world = new World();
        await world.start();
        for (const next of steps) {
          await world.play(next);
          await world.check(JSON.stringify(next));
        }
        for (const name of NAMES) await world.play({ kind: 'remove', name });
        expect(world.gateway.table.snapshot.local.size).toBe(0);
        expect(world.gateway.backends.addressCount).toBe(0);
        await world.gateway.stop();
      }),
      { numRuns: 60 },
    );
  });
});
