// One watch against a store in memory and a socket that can be made slow.

import { expect, test } from 'vitest';
import { ConfigMap } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { ObjectStore } from './store/object-store.ts';
import { storeKey } from './store/stored.ts';
import { PlainEncoder, Watch, type WatchOptions, type WatchSink } from './watch.ts';

/** A client whose socket takes `room` lines, then makes the server wait. */
class FakeSink implements WatchSink {
  readonly lines: Buffer[] = [];
  isEnded = false;
  room = Number.POSITIVE_INFINITY;

  write(bytes: Buffer): boolean {
    this.lines.push(bytes);
    this.room -= 1;
    return this.room > 0;
  }

  end(): void {
    this.isEnded = true;
  }

  get events(): string[] {
    return this.lines.map((bytes) => {
      const { type, object } = JSON.parse(bytes.toString());
      return `${type} ${object.metadata.resourceVersion ?? object.code}`;
    });
  }
}

const newStore = (maxHistory = 100): ObjectStore =>
  new ObjectStore({
    kinds: [ConfigMap],
    loaded: { revision: 0, objects: new Map() },
    backend: null,
    maxHistory,
  });

function put(store: ObjectStore, name: string): void {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'ns' } };
  void store.put(ConfigMap, storeKey('ns', name), object as KubeObject);
}

const encoder = new PlainEncoder(ConfigMap);

function open(store: ObjectStore, sink: FakeSink, more: Partial<WatchOptions> = {}): Watch {
  const watch = new Watch({
    store,
    kinds: store.of(ConfigMap),
    namespace: '',
    selection: { matches: null, name: null },
    encoder,
    sink,
    initial: null,
    cursor: store.revision,
    wantsBookmarks: true,
    marksInitialEnd: false,
    onClose: () => undefined,
    ...more,
  });
  watch.start();
  return watch;
}

test('an event is serialised once and its bytes are shared between watchers', () => {
  const store = newStore();
  const sinks = [new FakeSink(), new FakeSink()];
  for (const sink of sinks) open(store, sink);
  put(store, 'a');
  expect(sinks[0]?.lines[0]).toBe(sinks[1]?.lines[0]);
});

test('a slow watcher waits in the history and misses nothing', () => {
  const store = newStore();
  const sink = new FakeSink();
  sink.room = 2;
  const watch = open(store, sink);
  for (const name of ['a', 'b', 'c', 'd']) put(store, name);
  expect(sink.events).toEqual(['ADDED 1', 'ADDED 2']);
  watch.bookmark();
  expect(sink.lines).toHaveLength(2);
  sink.room = 1;
  watch.drained();
  expect(sink.events).toEqual(['ADDED 1', 'ADDED 2', 'ADDED 3']);
  sink.room = Number.POSITIVE_INFINITY;
  watch.drained();
  put(store, 'a');
  expect(sink.events.slice(3)).toEqual(['ADDED 4', 'MODIFIED 5']);
});

test('KN-157: a watcher that falls out of the history is told 410 and closed', () => {
  const store = newStore(3);
  const sink = new FakeSink();
  sink.room = 1;
  const watch = open(store, sink);
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) put(store, name);
  sink.room = Number.POSITIVE_INFINITY;
  watch.drained();
  expect(sink.events).toEqual(['ADDED 1', 'ERROR 410']);
  expect(sink.isEnded).toBe(true);
  put(store, 'g');
  expect(sink.lines).toHaveLength(2);
});

test('KN-159: the initial state goes out as fast as it is read, changes meanwhile come after', () => {
  const store = newStore();
  for (const name of ['a', 'b', 'c']) put(store, name);
  const sink = new FakeSink();
  sink.room = 2;
  const initial = store.of(ConfigMap).list('');
  const watch = open(store, sink, { initial, marksInitialEnd: true });
  put(store, 'd');
  expect(sink.events).toEqual(['ADDED 1', 'ADDED 2']);
  sink.room = Number.POSITIVE_INFINITY;
  watch.drained();
  expect(sink.events.slice(2)).toEqual(['ADDED 3', 'BOOKMARK 3', 'ADDED 4']);
});

test('KN-158: closing says how far the watch came; after that nothing is sent', () => {
  const store = newStore();
  const sink = new FakeSink();
  const watch = open(store, sink);
  put(store, 'a');
  watch.close();
  put(store, 'b');
  expect([sink.events, sink.isEnded]).toEqual([['ADDED 1', 'BOOKMARK 1'], true]);
});
