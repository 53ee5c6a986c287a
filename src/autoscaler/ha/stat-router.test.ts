import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../clock/fake-clock.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { emptyStat, type StatMessage } from '../../wire/stat.ts';
import type { Ownership } from './ownership.ts';
import { MAX_KEPT_STATS, MAX_RETRIES, StatRouter } from './stat-router.ts';

function start(isOwned: () => boolean) {
  const clock = new FakeClock();
  const own: StatMessage[] = [];
  const stranded: StatMessage[] = [];
  const ownership = { bucketOf: () => 'bucket', isOwned } as unknown as Ownership;
  const router = new StatRouter({
    ownership,
    clock,
    logger: silentLogger,
    random: () => 0.5,
    systemNamespace: 'knative-serving',
    clusterDomain: 'cluster.local',
    port: 8080,
    onOwn: (messages) => own.push(...messages),
    onStranded: (messages) => stranded.push(...messages),
  });
  return { clock, router, own, stranded };
}

const message = (name = 'r'): StatMessage => ({
  namespace: 'default',
  name,
  stat: emptyStat('activator'),
});

describe('a stat whose owner is not known', () => {
  it('AS-174: is tried again every 500 ms, and dropped after 30 retries', () => {
    const { clock, router, own, stranded } = start(() => false);
    router.route([message()]);
    clock.advance(500 * MAX_RETRIES - 1);
    expect(router.dropped).toBe(0);
    clock.advance(500);
    expect(router.dropped).toBe(1);
    expect(stranded).toHaveLength(1);
    expect(own).toEqual([]);
  });

  it('AS-62, AS-174: arrives with the second it was received in, once there is an owner', () => {
    let isOwned = false;
    const { clock, router, own } = start(() => isOwned);
    const received = Math.floor(clock.nowMs() / 1000);
    router.route([message()]);
    clock.advance(3000);
    isOwned = true;
    clock.advance(500);
    expect(own.map(({ stat }) => stat.timestamp)).toEqual([received]);
    expect(router.dropped).toBe(0);
  });

  it('AS-175: no more than a thousand wait', () => {
    const { router, stranded } = start(() => false);
    const many = Array.from({ length: MAX_KEPT_STATS + 7 }, (_, index) => message(`r${index}`));
    router.route(many);
    expect(router.dropped).toBe(7);
    expect(stranded[0]?.name).toBe(`r${MAX_KEPT_STATS}`);
  });
});
