// What survives: kill -9 of a real child process, restarts, a second instance, a damaged directory.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import {
  CONFIG_MAPS,
  configMap,
  knativeService,
  SERVICES,
  startTestServer,
  TestClient,
} from './testing/harness.ts';

/** Child processes run compiled code; `npm test` builds it first. */
const DIST = process.env['PILOTLIGHT_DIST'] ?? join(import.meta.dirname, '../../dist');
const isBuilt = existsSync(join(DIST, 'apiserver/start.js'));
const KILL_ROUNDS = 10;

const CHILD = `
  const { startApiServer } = await import(process.argv[1] + '/apiserver/start.js');
  const { systemClock } = await import(process.argv[1] + '/clock/clock.js');
  const quiet = { debug() {}, info() {}, warn() {}, error() {}, isDebugEnabled: () => false };
  const server = await startApiServer({
    dataDir: process.argv[2], durability: 'kernel', host: '127.0.0.1', port: 0, userName: 'child',
    admission: { admit: ({ object }) => ({ allowed: true, object, warnings: [] }) },
    podLogs: { open() { throw new Error('no logs'); } }, clock: systemClock, logger: quiet,
  });
  console.log(JSON.stringify({ url: server.url, caPem: server.caPem, token: server.token }));
`;

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function dataDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'pilotlight-api-'));
  cleanups.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function startChild(dataDir: string): Promise<{ child: ChildProcess; client: TestClient }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', CHILD, DIST, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanups.push(() => void child.kill('SIGKILL'));
  let line = '';
  for await (const chunk of child.stdout!) {
    line += String(chunk);
    if (line.includes('\n')) break;
  }
  const client = new TestClient(JSON.parse(line));
  cleanups.push(() => client.close());
  return { child, client };
}

/** Writes until the connection breaks; returns what was acknowledged: name -> resourceVersion. */
async function writeUntilKilled(client: TestClient, round: number): Promise<Map<string, string>> {
  const acknowledged = new Map<string, string>();
  const writer = async (lane: number): Promise<void> => {
    for (let index = 0; ; index += 1) {
      const name = `r${round}-l${lane}-${index}`;
      const { code, body } = await client.post(CONFIG_MAPS, configMap(name));
      if (code === 201) acknowledged.set(name, body.metadata.resourceVersion);
    }
  };
  await Promise.allSettled([0, 1, 2, 3].map(writer));
  return acknowledged;
}

test.skipIf(!isBuilt)(
  `D9: no acknowledged write is lost and no resourceVersion comes twice in ${KILL_ROUNDS} kill -9`,
  async () => {
    const dataDir = await dataDirectory();
    const expected = new Map<string, string>();
    let highest = 0;
    for (let round = 0; round < KILL_ROUNDS; round += 1) {
      const { child, client } = await startChild(dataDir);
      const { body } = await client.get(CONFIG_MAPS);
      const found = new Map<string, string>(
        body.items.map((item: { metadata: { name: string; resourceVersion: string } }) => [
          item.metadata.name,
          item.metadata.resourceVersion,
        ]),
      );
      for (const [name, revision] of expected) expect(found.get(name)).toBe(revision);
      expect(new Set(found.values()).size).toBe(found.size);
      expect(Number(body.metadata.resourceVersion)).toBeGreaterThanOrEqual(highest);
      const writing = writeUntilKilled(client, round);
      await client.get(CONFIG_MAPS); // some writes are through by now, more are under way
      await client.get(CONFIG_MAPS);
      child.kill('SIGKILL');
      for (const [name, revision] of await writing) {
        expected.set(name, revision);
        highest = Math.max(highest, Number(revision));
      }
    }
    expect(expected.size).toBeGreaterThan(KILL_ROUNDS);
  },
  120_000,
);

test('objects, apply memory, identity and the revision counter survive a restart', async () => {
  const dataDir = await dataDirectory();
  const first = await startTestServer({ dataDir });
  const before = new TestClient(first);
  await before.post(SERVICES, knativeService('kept'));
  const apply = { type: 'application/apply-patch+yaml' };
  const path = `${CONFIG_MAPS}/applied?fieldManager=m`;
  await before.call('PATCH', path, { ...apply, body: configMap('applied', { a: '1', b: '2' }) });
  await before.post(CONFIG_MAPS, configMap('dropped'));
  await before.delete(`${CONFIG_MAPS}/dropped`);
  const service = (await before.get(`${SERVICES}/kept`)).body;
  const { resourceVersion } = (await before.get(CONFIG_MAPS)).body.metadata;
  before.close();
  await first.stop();

  const second = await startTestServer({ dataDir });
  expect([second.token, second.caPem]).toEqual([first.token, first.caPem]);
  const after = new TestClient(second);
  expect((await after.get(`${SERVICES}/kept`)).body).toEqual(service);
  const list = (await after.get(CONFIG_MAPS)).body;
  expect(list.metadata.resourceVersion).toBe(resourceVersion);
  expect(list.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual([
    'applied',
  ]);
  const again = await after.call('PATCH', path, {
    ...apply,
    body: configMap('applied', { a: '1' }),
  });
  expect(again.body.data).toEqual({ a: '1' });
  const old = await after.get(`${CONFIG_MAPS}?watch=1&resourceVersion=1`);
  expect(old.body.code).toBe(410);
  after.close();
  await second.stop();
});

test('a second instance on one directory is refused, with what to do', async () => {
  const dataDir = await dataDirectory();
  const first = await startTestServer({ dataDir });
  await expect(startTestServer({ dataDir })).rejects.toMatchObject({
    code: 'DATA_DIRECTORY_LOCKED',
    message: expect.stringContaining(`${dataDir}/store is in use by another running instance`),
  });
  await first.stop();
  await (await startTestServer({ dataDir })).stop();
});

test('a damaged directory is refused, with what to do', async () => {
  const dataDir = await dataDirectory();
  const server = await startTestServer({ dataDir });
  await server.stop();
  const store = join(dataDir, 'store');
  const manifest = (await readdir(store)).find((name) => name.startsWith('MANIFEST'))!;
  await writeFile(join(store, manifest), 'garbage'.repeat(100));
  await expect(startTestServer({ dataDir })).rejects.toMatchObject({
    code: 'DATA_DIRECTORY_CORRUPT',
    message: expect.stringContaining(`${store} is damaged: move it away`),
  });
});

test('with durability disk every write is acknowledged after its flush', async () => {
  const server = await startTestServer({ dataDir: await dataDirectory(), durability: 'disk' });
  const client = new TestClient(server);
  const writes = Array.from({ length: 20 }, (_, index) =>
    client.post(CONFIG_MAPS, configMap(`synced-${index}`)),
  );
  expect((await Promise.all(writes)).every(({ code }) => code === 201)).toBe(true);
  client.close();
  await server.stop();
});
