// Two controller processes over one API: each key is written by one of them, and the other goes on
// when the first ends.

import { describe, expect, it } from 'vitest';
import { parseLeaderElectionConfig } from '../api/config/leader-election.ts';
import * as kinds from '../api/kinds.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { bucketOf, LeasedLeadership, leaseName } from './leadership.ts';
import { MemoryClient } from './testing/memory-client.ts';

function configOf(data: Record<string, string>) {
  const parsed = parseLeaderElectionConfig(data);
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

const clock = new FakeClock();
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function pass(ms: number): Promise<void> {
  await clock.advanceAsync(ms, 1_000);
  for (let count = 0; count < 5; count += 1) await turn();
}

describe('CP-6: leadership', () => {
  it('names a Lease per loop and bucket, as the config map may rename them', () => {
    expect(leaseName('controller', 'route', 0, configOf({ buckets: '10' }))).toBe(
      'controller.pilotlight.route.00-of-10',
    );
    const renamed = configOf({ 'map-lease-prefix.controller.pilotlight.route': 'Old.Name' });
    expect(leaseName('controller', 'route', 0, renamed)).toBe('old.name.00-of-01');
  });

  it('spreads keys over buckets, each key always into the same', () => {
    const counts = [0, 0, 0];
    for (let index = 0; index < 3_000; index += 1) {
      const bucket = bucketOf(`ns/service-${index}`, 3);
      expect(bucketOf(`ns/service-${index}`, 3)).toBe(bucket);
      counts[bucket]! += 1;
    }
    for (const count of counts) expect(count).toBeGreaterThan(800);
  });

  it('belongs to one process per key; the next takes over and looks at everything', async () => {
    const client = new MemoryClient({ clock });
    const gained: string[] = [];
    const process = (identity: string): LeasedLeadership => {
      const made = new LeasedLeadership({
        client,
        namespace: 'knative-serving',
        component: 'controller',
        identity,
        config: configOf({ buckets: '2' }),
        clock,
        logger: silentLogger,
        random: () => 0.5,
      });
      made.join('route', () => gained.push(identity));
      return made;
    };
    const [first, second] = [process('a_1'), process('b_2')];
    first.start();
    await pass(1_000);
    second.start();
    await pass(30_000);
    for (const key of ['ns/a', 'ns/b', 'ns/c']) {
      expect([first.owns('route', key), second.owns('route', key)]).toEqual([true, false]);
      expect(first.owns('revision', key)).toBe(false);
    }
    expect(gained).toEqual(['a_1', 'a_1']);
    await first.stop();
    await pass(30_000);
    expect(second.owns('route', 'ns/a')).toBe(true);
    expect(gained).toEqual(['a_1', 'a_1', 'b_2', 'b_2']);
    const { items } = await client.list(kinds.Lease);
    expect(items).toHaveLength(2);
    await second.stop();
  });
});
