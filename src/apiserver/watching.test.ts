// Watches over HTTPS: replay, selectors, initial events, bookmarks, expiry, broken connections.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { REVISION_WAIT_MS } from './list.ts';
import type { ApiServer } from './start.ts';
import {
  CONFIG_MAPS,
  configMap,
  startTestServer,
  TestClient,
  type WatchLine,
} from './testing/harness.ts';
import { BOOKMARK_PERIOD_MS } from './watch-hub.ts';

let server: ApiServer;
let client: TestClient;

beforeAll(async () => {
  server = await startTestServer();
  client = new TestClient(server);
});

afterAll(async () => {
  client.close();
  await server.stop();
});

async function currentRevision(from = client): Promise<string> {
  return (await from.get(CONFIG_MAPS)).body.metadata.resourceVersion;
}

const brief = ({ type, object }: WatchLine): string => `${type} ${object.metadata.name}`;

test('KN-155: a watch from a resourceVersion replays everything after it, then follows', async () => {
  const since = await currentRevision();
  await client.post(CONFIG_MAPS, configMap('w1'));
  await client.merge(`${CONFIG_MAPS}/w1`, { data: { a: '1' } });
  const watch = await client.watch(`${CONFIG_MAPS}?watch=true&resourceVersion=${since}`);
  expect((await watch.take(2)).map(brief)).toEqual(['ADDED w1', 'MODIFIED w1']);
  const { body } = await client.delete(`${CONFIG_MAPS}/w1`);
  const [gone] = await watch.take(1);
  expect([gone?.type, gone?.object.metadata.uid]).toEqual(['DELETED', body.details.uid]);
  expect(Number(gone?.object.metadata.resourceVersion)).toBe(Number(await currentRevision()));
  watch.close();
});

test('KN-155: without resourceVersion the current state comes first', async () => {
  await client.post(CONFIG_MAPS, configMap('state-b'));
  await client.post(CONFIG_MAPS, configMap('state-a'));
  const path = `${CONFIG_MAPS}?watch=1&labelSelector=!x`;
  const watch = await client.watch(path);
  expect((await watch.take(2)).map(brief)).toEqual(['ADDED state-a', 'ADDED state-b']);
  await client.merge(`${CONFIG_MAPS}/state-a`, { data: { later: 'yes' } });
  expect((await watch.take(1)).map(brief)).toEqual(['MODIFIED state-a']);
  watch.close();
});

test('KN-156: with a selector, objects appear and disappear as they start and stop matching', async () => {
  const since = await currentRevision();
  const watch = await client.watch(
    `${CONFIG_MAPS}?watch=1&labelSelector=on%3Dyes&resourceVersion=${since}`,
  );
  await client.post(CONFIG_MAPS, configMap('sel'));
  await client.merge(`${CONFIG_MAPS}/sel`, { metadata: { labels: { on: 'yes' } } });
  await client.merge(`${CONFIG_MAPS}/sel`, { data: { a: '1' } });
  const { body } = await client.merge(`${CONFIG_MAPS}/sel`, { metadata: { labels: { on: 'no' } } });
  const events = await watch.take(3);
  expect(events.map(brief)).toEqual(['ADDED sel', 'MODIFIED sel', 'DELETED sel']);
  expect(events[2]?.object.metadata).toMatchObject({
    labels: { on: 'yes' },
    resourceVersion: body.metadata.resourceVersion,
  });
  watch.close();
});

test('KN-40: one object is watched by field selector', async () => {
  const since = await currentRevision();
  const watch = await client.watch(
    `${CONFIG_MAPS}?watch=true&fieldSelector=metadata.name%3Donly&resourceVersion=${since}`,
  );
  await client.post(CONFIG_MAPS, configMap('another'));
  await client.post(CONFIG_MAPS, configMap('only'));
  expect((await watch.take(1)).map(brief)).toEqual(['ADDED only']);
  watch.close();
});

test('KN-159: sendInitialEvents gives the state, a marked bookmark, then live events', async () => {
  const path = `${CONFIG_MAPS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true`;
  const watch = await client.watch(`${path}&resourceVersionMatch=NotOlderThan`);
  const seen: WatchLine[] = [];
  for (let event = await watch.next(); event?.type === 'ADDED'; event = await watch.next()) {
    seen.push(event);
    if (seen.length === (await client.get(CONFIG_MAPS)).body.items.length) {
      const [bookmark] = await watch.take(1);
      expect(bookmark).toEqual({
        type: 'BOOKMARK',
        object: {
          kind: 'ConfigMap',
          apiVersion: 'v1',
          metadata: {
            resourceVersion: await currentRevision(),
            annotations: { 'k8s.io/initial-events-end': 'true' },
          },
        },
      });
      break;
    }
  }
  await client.post(CONFIG_MAPS, configMap('after-initial'));
  expect((await watch.take(1)).map(brief)).toEqual(['ADDED after-initial']);
  watch.close();
});

test.each([
  ['watch=1&sendInitialEvents=true', 422],
  ['watch=1&resourceVersionMatch=NotOlderThan', 422],
  ['sendInitialEvents=true', 422],
  ['watch=1&resourceVersion=abc', 422],
  ['watch=1&labelSelector=a%20b', 400],
])('KN-159: %s is refused with %i', async (query, code) => {
  expect((await client.get(`${CONFIG_MAPS}?${query}`)).code).toBe(code);
});

test('KN-143: a Table watch sends the columns once', async () => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const since = await currentRevision();
  const path = `${CONFIG_MAPS}?watch=1&resourceVersion=${since}`;
  const watch = await client.watch(path, { accept });
  await client.post(CONFIG_MAPS, configMap('table', { a: '1' }));
  await client.merge(`${CONFIG_MAPS}/table`, { data: { b: '2' } });
  const [first, second] = await watch.take(2);
  expect(first?.object.columnDefinitions.map((column: { name: string }) => column.name)).toEqual([
    'Name',
    'Data',
    'Age',
  ]);
  expect(first?.object.rows[0].cells.slice(0, 2)).toEqual(['table', 1]);
  expect([second?.object.columnDefinitions, second?.object.rows[0].cells[1]]).toEqual([[], 2]);
  watch.close();
});

test('KN-282: through ten broken connections a watcher sees every write once and in order', async () => {
  const since = await currentRevision();
  const names = Array.from({ length: 50 }, (_, index) => `torture-${index}`);
  const log: string[] = [];
  const write = async (index: number): Promise<void> => {
    const name = names[index % names.length]!;
    const { body } =
      index < names.length
        ? await client.post(CONFIG_MAPS, configMap(name))
        : await client.merge(`${CONFIG_MAPS}/${name}`, { data: { n: String(index) } });
    log.push(body.metadata.resourceVersion);
  };
  const writing = (async () => {
    for (let index = 0; index < 1000; index += 1) await write(index);
  })();
  const seen: string[] = [];
  let last = since;
  while (seen.length < 1000) {
    const watch = await client.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${last}`);
    for (const event of await watch.take(Math.min(100, 1000 - seen.length))) {
      last = event.object.metadata.resourceVersion;
      seen.push(last);
    }
    watch.close();
  }
  await writing;
  expect(seen).toEqual(log);
});

test('KN-157: a resourceVersion older than the history is 410 Expired', async () => {
  const small = await startTestServer({ maxHistory: 4 });
  const asking = new TestClient(small);
  const since = await currentRevision(asking);
  for (let index = 0; index < 6; index += 1) {
    await asking.post(CONFIG_MAPS, configMap(`old-${index}`));
  }
  const { body } = await asking.get(`${CONFIG_MAPS}?watch=1&resourceVersion=${since}`);
  expect(body).toMatchObject({ code: 410, reason: 'Expired' });
  expect(body.message).toBe(`too old resource version: ${since} (${Number(since) + 2})`);
  asking.close();
  await small.stop();
});

test('KN-158: bookmarks come by the minute and before the end that timeoutSeconds sets', async () => {
  const clock = new FakeClock(Date.now());
  const timed = await startTestServer({ clock });
  const asking = new TestClient(timed);
  const since = await currentRevision(asking);
  const watch = await asking.watch(
    `${CONFIG_MAPS}?watch=1&allowWatchBookmarks=true&timeoutSeconds=90&resourceVersion=${since}`,
  );
  clock.advance(BOOKMARK_PERIOD_MS);
  const [first] = await watch.take(1);
  expect(first).toMatchObject({
    type: 'BOOKMARK',
    object: { metadata: { resourceVersion: since } },
  });
  clock.advance(30_000);
  expect((await watch.take(2)).map(({ type }) => type)).toEqual(['BOOKMARK']);
  asking.close();
  await timed.stop();
});

test('KN-152: a resourceVersion from the future is waited for, then 504', async () => {
  const clock = new FakeClock(Date.now());
  const timed = await startTestServer({ clock });
  const asking = new TestClient(timed);
  const future = Number(await currentRevision(asking)) + 1;
  const reached = asking.get(`${CONFIG_MAPS}?resourceVersion=${future}`);
  await expect.poll(() => clock.pendingCount).toBeGreaterThan(2);
  await asking.post(CONFIG_MAPS, configMap('now'));
  expect((await reached).code).toBe(200);
  const never = asking.get(`${CONFIG_MAPS}?resourceVersion=${future + 100}`);
  const before = clock.pendingCount;
  await expect.poll(() => clock.pendingCount).toBeGreaterThanOrEqual(before);
  const timer = setInterval(() => clock.advance(REVISION_WAIT_MS), 5);
  const { body } = await never;
  clearInterval(timer);
  expect(body).toMatchObject({ code: 504, reason: 'Timeout', details: { retryAfterSeconds: 1 } });
  expect(body.message).toContain('Too large resource version');
  asking.close();
  await timed.stop();
});

test('a stopping server ends its watches in order', async () => {
  const stopping = await startTestServer();
  const asking = new TestClient(stopping);
  const watch = await asking.watch(`${CONFIG_MAPS}?watch=1`);
  const end = watch.next();
  await stopping.stop();
  expect(await end).toBeUndefined();
  asking.close();
});
