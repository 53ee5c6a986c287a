// Idle connections over all upstreams (ACT-111): counted exactly, bounded by ending older ones.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import { FakePod } from './testing/fake-pod.ts';
import { until } from './testing/harness.ts';
import type { FailureCode } from './types.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamLink } from './upstream-link.ts';
import { type UpstreamPool, UpstreamPools } from './upstream-pools.ts';

const MAX_IDLE = 3;
let pools: UpstreamPools;
let apps: FakePod[];

beforeEach(async () => {
  apps = await Promise.all([0, 1].map(() => FakePod.start('app')));
  pools = new UpstreamPools(
    {
      maxIdle: MAX_IDLE,
      maxIdlePerUpstream: 100,
      idleTimeoutMs: 90_000,
      dialTimeoutMs: 5_000,
      maxDialAttempts: 3,
    },
    { clock: systemClock, random: () => 0.5 },
  );
});
afterEach(async () => {
  pools.close();
  for (const app of apps) app.kill();
});

function dial(app: FakePod): Promise<UpstreamConnection> {
  const pool = pools.at('127.0.0.1', app.port) as UpstreamPool;
  return new Promise((resolve, reject) => {
    pool.dial({
      onDialed: (link: UpstreamLink) => resolve(link as UpstreamConnection),
      onDialFailed: (code: FailureCode) => reject(new Error(`code ${code}`)),
    });
  });
}

describe('idle connections', () => {
  it('ACT-111: are at most so many in all, whoever they belong to', async () => {
    const [first, second] = apps as [FakePod, FakePod];
    const poolOf = (app: FakePod) => pools.at('127.0.0.1', app.port) as UpstreamPool;
    for (let count = 0; count < MAX_IDLE; count += 1) poolOf(first).park(await dial(first));
    expect(pools.idleCount).toBe(MAX_IDLE);
    for (let count = 0; count < 2; count += 1) poolOf(second).park(await dial(second));
    expect(pools.idleCount).toBe(MAX_IDLE);
    // The new ones are of use, so older ones had to go.
    expect(poolOf(second).idleCount).toBeGreaterThan(0);
    expect(poolOf(first).idleCount + poolOf(second).idleCount).toBe(MAX_IDLE);
  });

  it('are counted no more when they are taken, closed or forgotten', async () => {
    const [app] = apps as [FakePod];
    const pool = pools.at('127.0.0.1', app.port) as UpstreamPool;
    for (let count = 0; count < 3; count += 1) pool.park(await dial(app));
    expect(pool.checkoutNow(true)).not.toBeNull();
    expect(pools.idleCount).toBe(2);
    pools.forget(pool);
    await until(() => pools.idleCount === 0, 'none idle');
  });
});
