// One cold revision with 10,000 waiting clients does not delay another's wake, whatever becomes of
// the crowd: it is released, refused, timed out or leaves. Counted in turns of the event loop, of
// which each may serve 64 requests in all.

import { describe, expect, it } from 'vitest';
import type { FakeExchange } from '../proxy/testing/fake-exchange.ts';
import { readRevisionSettings } from './revision-settings.ts';
import { MAX_QUEUED_PER_REVISION, type RevisionThrottler } from './revision-throttler.ts';
import { ActivatorHarness, revision, settle } from './testing/harness.ts';

const SECONDS = 60;

interface Crowd {
  harness: ActivatorHarness;
  throttler: RevisionThrottler;
  clients: FakeExchange[];
}

function gather(): Crowd {
  const harness = new ActivatorHarness();
  const throttler = harness.add('crowded', { timeoutSeconds: SECONDS });
  const clients = Array.from({ length: MAX_QUEUED_PER_REVISION }, () => harness.request('crowded'));
  return { harness, throttler, clients };
}

const isOver = ({ ended, forwards }: FakeExchange): boolean => ended || forwards.length > 0;

const rows: [string, (crowd: Crowd) => void][] = [
  ['is released', ({ throttler }) => throttler.setPods(['10.0.0.1:1'])],
  [
    'learns that its start failed',
    ({ throttler }) => {
      const condition = { type: 'ContainerHealthy', status: 'False' as const, reason: 'ExitCode1' };
      throttler.update(readRevisionSettings(revision('crowded', {}, [condition])));
    },
  ],
  ['times out', ({ harness }) => harness.clock.advance(SECONDS * 1000 + 100)],
];

describe('while a crowd of 10,000', () => {
  it.each(rows)('%s, another revision wakes within two turns', async (_name, happens) => {
    const crowd = gather();
    const { harness, clients, throttler } = crowd;
    const quiet = harness.add('quiet');
    happens(crowd);
    const late = harness.request('quiet');
    quiet.setPods(['10.0.0.2:1']);
    await settle(2);
    expect(late.forwards.length).toBe(1);
    expect(clients.filter(isOver).length).toBeLessThan(300);
    await settle(200);
    expect(clients.every(isOver)).toBe(true);
    for (const client of clients) client.clientLeaves();
    expect([throttler.inFlight, throttler.waiting]).toEqual([0, 0]);
  });

  it('waits, the places of those who leave are free at once', () => {
    const { harness, clients, throttler } = gather();
    expect(harness.request('crowded').responseStatus).toBe(503);
    for (const client of clients.slice(0, 4_000)) client.clientLeaves();
    expect(throttler.waiting).toBe(MAX_QUEUED_PER_REVISION - 4_000);
    expect(harness.request('crowded').ended).toBe(false);
  });

  it('is answered late, nobody who left meanwhile is answered at all', async () => {
    const crowd = gather();
    crowd.harness.clock.advance(SECONDS * 1000 + 100);
    const [first] = crowd.clients.filter(({ ended }) => !ended);
    first?.clientLeaves();
    await settle(200);
    expect(first?.responseStatus).toBe(0);
    const statuses = crowd.clients.filter((client) => client !== first);
    expect(new Set(statuses.map(({ responseStatus }) => responseStatus))).toEqual(new Set([504]));
  });
});
