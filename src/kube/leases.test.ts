// Leader election over time, with two processes and one that is cut off.

import { describe, expect, test } from 'vitest';
import { Lease as LeaseKind } from '../api/kinds.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { LeaderElector, type LeaseObject } from './leases.ts';
import { MemoryClient } from './testing/memory-client.ts';

const timings = { leaseDurationMs: 60_000, renewDeadlineMs: 40_000, retryPeriodMs: 10_000 };

class World {
  readonly clock = new FakeClock();
  readonly client = new MemoryClient({ clock: this.clock });
  readonly log: string[] = [];

  elector(identity: string): LeaderElector {
    return new LeaderElector({
      client: this.client,
      namespace: 'knative-serving',
      name: 'autoscaler-bucket-00-of-01',
      identity,
      timings,
      clock: this.clock,
      logger: silentLogger,
      random: () => 0.5,
      onGained: () => this.log.push(`${identity} gained`),
      onLost: () => this.log.push(`${identity} lost`),
    });
  }

  lease(): Promise<LeaseObject> {
    const name = 'autoscaler-bucket-00-of-01';
    return this.client.get<LeaseObject>(LeaseKind, { namespace: 'knative-serving', name });
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms, 1_000);
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('AS-166: leader election', () => {
  test('the first to ask leads, the second waits while the first renews', async () => {
    const world = new World();
    const first = world.elector('a_1');
    const second = world.elector('b_2');
    first.start();
    await world.pass(1_000);
    second.start();
    await world.pass(300_000);
    expect(world.log).toEqual(['a_1 gained']);
    expect([first.isLeader, second.isLeader]).toEqual([true, false]);
    expect((await world.lease()).spec).toMatchObject({
      holderIdentity: 'a_1',
      leaseDurationSeconds: 60,
      leaseTransitions: 0,
    });
    expect((await world.lease()).spec?.renewTime).toMatch(/\.\d{6}Z$/);
  });

  test('AS-168: an orderly stop gives the lease back, and the next one takes it soon', async () => {
    const world = new World();
    const first = world.elector('a_1');
    const second = world.elector('b_2');
    first.start();
    await world.pass(1_000);
    second.start();
    await world.pass(1_000);
    await first.stop();
    await world.pass(15_000);
    expect(world.log).toEqual(['a_1 gained', 'a_1 lost', 'b_2 gained']);
    expect((await world.lease()).spec?.leaseTransitions).toBe(1);
  });

  test('a leader that cannot renew stops leading before another may take over', async () => {
    const world = new World();
    const first = world.elector('a_1');
    const second = world.elector('b_2');
    first.start();
    await world.pass(1_000);
    second.start();
    await world.pass(1_000);
    let lostAtMs = 0;
    let gainedAtMs = 0;
    world.client.intercept = (call) => {
      const spec = (call.body as LeaseObject | undefined)?.spec;
      if (spec?.holderIdentity === 'a_1') throw new Error('cut off');
    };
    for (let second = 0; second < 120; second += 1) {
      await world.pass(1_000);
      if (lostAtMs === 0 && world.log.includes('a_1 lost')) lostAtMs = world.clock.monotonicMs();
      if (gainedAtMs === 0 && world.log.includes('b_2 gained')) {
        gainedAtMs = world.clock.monotonicMs();
      }
    }
    expect(lostAtMs).toBeGreaterThan(0);
    expect(gainedAtMs).toBeGreaterThan(lostAtMs);
  });

  test('a renew deadline as long as the lease is refused', () => {
    const world = new World();
    const options = { timings: { ...timings, renewDeadlineMs: 60_000 } };
    expect(() => new LeaderElector({ ...world, ...options } as never)).toThrow('renew deadline');
  });
});
