// The store against a database that answers when the test says so.

import { expect, test } from 'vitest';
import { ConfigMap, Secret } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';
import { ObjectStore, type Persisted, type StoreBackend } from './object-store.ts';
import { type Change, storeKey } from './stored.ts';

const KEY = storeKey('ns', 'a');
const object = (value: string, name = 'a'): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'ns' },
    data: { value },
  }) as KubeObject;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A database that answers when the test says so. */
class SlowBackend implements StoreBackend {
  readonly batches: { changes: readonly Persisted[]; revision: number }[] = [];
  readonly #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];

  write(changes: readonly Persisted[], revision: number): Promise<void> {
    this.batches.push({ changes, revision });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async answer(error?: Error): Promise<void> {
    await nextTurn(); // writes go to the database with the turn they came in
    const next = this.#waiting.shift()!;
    if (error === undefined) next.resolve();
    else next.reject(error);
    await nextTurn();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function newStore(backend: StoreBackend | null = null, maxHistory?: number): ObjectStore {
  return new ObjectStore({
    kinds: [ConfigMap, Secret],
    loaded: { revision: 10, objects: new Map() },
    backend,
    ...(maxHistory === undefined ? {} : { maxHistory }),
  });
}

function record(store: ObjectStore): Change[] {
  const changes: Change[] = [];
  store.of(ConfigMap).listeners.add({ changed: (change) => changes.push(change) });
  return changes;
}

test('KN-150: one counter for all kinds, strictly increasing', async () => {
  const store = newStore();
  const first = await store.put(ConfigMap, KEY, object('1'));
  const second = await store.put(Secret, KEY, object('2'));
  const third = await store.remove(ConfigMap, first);
  expect([first.revision, second.revision, third.revision]).toEqual([11, 12, 13]);
  expect(JSON.parse(third.json).metadata.resourceVersion).toBe('13');
  expect(store.of(ConfigMap).get(KEY)).toBeUndefined();
});

test('readers see a write only after the database has it, writers at once', async () => {
  const backend = new SlowBackend();
  const store = newStore(backend);
  const changes = record(store);
  const kinds = store.of(ConfigMap);
  const writing = store.put(ConfigMap, KEY, object('1'));
  expect([kinds.get(KEY), kinds.latest(KEY)?.revision, store.revision]).toEqual([
    undefined,
    11,
    10,
  ]);
  await backend.answer();
  expect((await writing).revision).toBe(11);
  expect([kinds.get(KEY)?.revision, store.revision, changes.length]).toEqual([11, 11, 1]);
});

test('writes that arrive while the database is busy share its next batch, in order', async () => {
  const backend = new SlowBackend();
  const store = newStore(backend);
  const changes = record(store);
  const write = (value: string) => store.put(ConfigMap, KEY, object(value));
  const first = write('1');
  await nextTurn();
  const writes = [first, write('2'), write('3')];
  await backend.answer();
  expect(backend.batches.map(({ changes: batch }) => batch.length)).toEqual([1, 2]);
  expect(backend.batches[1]?.revision).toBe(13);
  await backend.answer();
  await Promise.all(writes);
  expect(changes.map(({ type, revision }) => [type, revision])).toEqual([
    ['ADDED', 11],
    ['MODIFIED', 12],
    ['MODIFIED', 13],
  ]);
});

test('writes of one turn share a batch', async () => {
  const backend = new SlowBackend();
  const store = newStore(backend);
  const writes = ['1', '2'].map((value) => store.put(ConfigMap, KEY, object(value)));
  expect(backend.batches).toEqual([]);
  await backend.answer();
  await Promise.all(writes);
  expect(backend.batches.map(({ changes, revision }) => [changes.length, revision])).toEqual([
    [2, 12],
  ]);
});

test('a delete, a create and a delete under way keep their order for writers', async () => {
  const backend = new SlowBackend();
  const store = newStore(backend);
  const kinds = store.of(ConfigMap);
  void store.put(ConfigMap, KEY, object('1'));
  await backend.answer();
  void store.remove(ConfigMap, kinds.latest(KEY)!);
  await nextTurn();
  void store.put(ConfigMap, KEY, object('2'));
  void store.remove(ConfigMap, kinds.latest(KEY)!);
  expect(kinds.latest(KEY)).toBeUndefined();
  await backend.answer();
  expect([kinds.get(KEY), kinds.latest(KEY)]).toEqual([undefined, undefined]);
  await backend.answer();
  expect([kinds.get(KEY), kinds.isPending(KEY)]).toEqual([undefined, false]);
});

test('a refused batch fails every waiting write and leaves the state as it was', async () => {
  const backend = new SlowBackend();
  const store = newStore(backend);
  const changes = record(store);
  const writes = ['1', '2'].map((value) => store.put(ConfigMap, KEY, object(value)));
  const outcomes = Promise.allSettled(writes);
  await backend.answer(new Error('disk full'));
  for (const outcome of await outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 500 } });
  }
  expect([store.of(ConfigMap).latest(KEY), changes.length]).toEqual([undefined, 0]);
  const next = store.put(ConfigMap, KEY, object('3'));
  await backend.answer();
  expect((await next).revision).toBe(13);
});

test('KN-153: an earlier state is rebuilt from the history', async () => {
  const store = newStore();
  const kinds = store.of(ConfigMap);
  const put = (name: string, value: string) =>
    store.put(ConfigMap, storeKey('ns', name), object(value, name));
  await put('a', '1');
  const b = await put('b', '1');
  const then = store.revision;
  const before = kinds.listAt('ns', then).map(({ json }) => json);
  await put('a', '2');
  await store.remove(ConfigMap, b);
  await put('c', '1');
  await put('a', '3');
  expect(kinds.listAt('ns', then).map(({ json }) => json)).toEqual(before);
  expect(kinds.list('ns').map(({ object: { metadata } }) => metadata.name)).toEqual(['a', 'c']);
});

test('KN-157: the history is bounded and knows what it has dropped', async () => {
  const store = newStore(null, 3000);
  const { history } = store.of(ConfigMap);
  for (let index = 0; index < 8000; index += 1) {
    await store.put(ConfigMap, KEY, object(String(index)));
  }
  expect(history.droppedThrough).toBe(10 + 5000);
  expect(history.next(history.droppedThrough)?.revision).toBe(5011);
  let count = 0;
  history.forEachAfter(8000, () => {
    count += 1;
    return true;
  });
  expect(count).toBe(10);
});
