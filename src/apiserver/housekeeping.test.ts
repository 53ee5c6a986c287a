// Expiry of events, on a clock moved by hand.

import { expect, test } from 'vitest';
import { Event } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { ObjectDeleter } from './deleter.ts';
import { EVENT_LIFETIME_MS, Housekeeping, MAX_EVENTS } from './housekeeping.ts';
import { ObjectStore } from './store/object-store.ts';
import { storeKey } from './store/stored.ts';
import { admitAll } from './testing/harness.ts';
import { ObjectWriter } from './writer.ts';

function setUp() {
  const clock = new FakeClock();
  const loaded = { revision: 0, objects: new Map() };
  const store = new ObjectStore({ kinds: [Event], loaded, backend: null });
  const schemaOf = () => undefined;
  const writer = new ObjectWriter({ store, admission: admitAll, schemaOf, clock, random: () => 0 });
  const deleter = new ObjectDeleter({ store, writer, clock });
  const housekeeping = new Housekeeping({ store, writer, deleter, clock, logger: silentLogger });
  const record = (name: string): void => {
    const metadata = { name, namespace: 'ns' };
    const lastTimestamp = new Date(clock.nowMs()).toISOString();
    const event = { apiVersion: 'v1', kind: 'Event', metadata, lastTimestamp };
    void store.put(Event, storeKey('ns', name), event as KubeObject);
  };
  const names = (): string[] =>
    store
      .of(Event)
      .list('')
      .map(({ object }) => object.metadata.name);
  return { clock, housekeeping, record, names };
}

test('KN-242: events go an hour after they were last seen', async () => {
  const { clock, housekeeping, record, names } = setUp();
  record('old');
  clock.advance(EVENT_LIFETIME_MS - 1000);
  record('young');
  await housekeeping.sweepEvents();
  expect(names()).toEqual(['old', 'young']);
  clock.advance(2000);
  await housekeeping.sweepEvents();
  expect(names()).toEqual(['young']);
});

test('above the limit the oldest events go, whatever their age', async () => {
  const { clock, housekeeping, record, names } = setUp();
  for (let index = 0; index < MAX_EVENTS + 2; index += 1) {
    record(`e${index}`);
    clock.advance(1);
  }
  await housekeeping.sweepEvents();
  expect(names()).toHaveLength(MAX_EVENTS);
  expect(names()).not.toContain('e1');
  expect(names()).toContain('e2');
});
