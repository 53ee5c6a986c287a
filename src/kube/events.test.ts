// Events are merged, bounded and never in the way of their caller.

import { describe, expect, test, vi } from 'vitest';
import { Event as EventKind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { EventRecorder, MAX_WAITING_EVENTS } from './events.ts';
import { MemoryClient } from './testing/memory-client.ts';

interface StoredEvent extends KubeObject {
  type: string;
  reason: string;
  message: string;
  count: number;
  firstTimestamp: string;
  lastTimestamp: string;
  involvedObject: { uid: string };
  source: { component: string };
}

function setUp() {
  const clock = new FakeClock(1_700_000_000_000);
  const client = new MemoryClient({ clock });
  let next = 0;
  const random = (): number => {
    next = (next + 0.001) % 1;
    return next;
  };
  const component = 'revision-controller';
  const warn = vi.fn();
  const logger = { ...silentLogger, warn };
  const recorder = new EventRecorder({ client, component, clock, logger, random });
  const events = async (): Promise<StoredEvent[]> =>
    (await client.list<StoredEvent>(EventKind)).items;
  return { clock, client, recorder, events, warn };
}

const service = (name = 'hello'): KubeObject => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { namespace: 'ns', name, uid: `uid-${name}` },
});

describe('event recorder', () => {
  test('CP-28: an event names its object, component, reason and message', async () => {
    const { recorder, events } = setUp();
    recorder.warning(service(), 'InternalError', 'went wrong');
    await recorder.flush();
    expect(await events()).toMatchObject([
      {
        metadata: { namespace: 'ns' },
        involvedObject: { kind: 'Service', name: 'hello', uid: 'uid-hello' },
        source: { component: 'revision-controller' },
        type: 'Warning',
        reason: 'InternalError',
        message: 'went wrong',
        count: 1,
        firstTimestamp: '2023-11-14T22:13:20Z',
      },
    ]);
  });

  test('KN-242: repeats raise count and lastTimestamp of the one event', async () => {
    const { clock, client, recorder, events } = setUp();
    recorder.normal(service(), 'Created', 'x');
    await recorder.flush();
    clock.advance(5_000);
    for (let count = 0; count < 10; count += 1) recorder.normal(service(), 'Created', 'x');
    await recorder.flush();
    const [event] = await events();
    expect(event).toMatchObject({ count: 11, lastTimestamp: '2023-11-14T22:13:25Z' });
    expect(client.calls.filter((call) => call.verb === 'patch')).toHaveLength(1);
  });

  test('another message, reason or object is another event', async () => {
    const { recorder, events } = setUp();
    recorder.normal(service(), 'Created', 'x');
    recorder.normal(service(), 'Created', 'y');
    recorder.normal(service(), 'Updated', 'x');
    recorder.normal(service('other'), 'Created', 'x');
    await recorder.flush();
    expect(await events()).toHaveLength(4);
  });

  test('an event the server has expired is stored anew', async () => {
    const { client, recorder, events } = setUp();
    recorder.normal(service(), 'Created', 'x');
    await recorder.flush();
    const { namespace, name } = (await events())[0]!.metadata;
    await client.delete(EventKind, { namespace, name });
    recorder.normal(service(), 'Created', 'x');
    await recorder.flush();
    expect(await events()).toMatchObject([{ count: 2 }]);
  });

  test('a server that refuses everything costs the recorder nothing but the events', async () => {
    const { client, recorder, warn } = setUp();
    client.intercept = () => {
      throw new Error('down');
    };
    for (let count = 0; count < MAX_WAITING_EVENTS * 2; count += 1) {
      recorder.normal(service(), 'Created', `message ${count}`);
    }
    await recorder.flush();
    expect(client.calls).toHaveLength(MAX_WAITING_EVENTS);
    expect(warn.mock.calls).toEqual([
      [
        { component: 'revision-controller', events: MAX_WAITING_EVENTS },
        'too many events at once, some dropped',
      ],
    ]);
  });

  test('stop sends what waits and records no more', async () => {
    const { recorder, events } = setUp();
    recorder.normal(service(), 'Created', 'x');
    await recorder.stop();
    recorder.normal(service(), 'Created', 'y');
    await recorder.flush();
    expect(await events()).toHaveLength(1);
  });
});
