// kill -9 of each process of the tree: what is lost (nothing), what comes back and how soon.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KnativeService, Pod } from '../../src/api/kinds.ts';
import {
  type AnyObject,
  condition,
  exampleService,
  type Pilotlight,
  processesWith,
  ROOT,
  startPilotlight,
  temporaryFolder,
  until,
} from '../support/pilotlight.ts';

const HOST = 'sturdy.default.localhost';
const dataDir = temporaryFolder();
// Inherited by whatever a pod starts, so the test finds it all without knowing how we do.
const MARK = `e2e-${process.pid}-${dataDir.slice(-6)}`;
// A pod whose process leaves its group and session: the sweep must find it all the same.
const withEscapee = [
  process.execPath,
  '-e',
  `require('node:child_process').spawn('setsid', ['sleep', '300'], { detached: true, stdio: 'ignore' });
   import(${JSON.stringify(join(ROOT, 'examples', 'hello', 'server.js'))});`,
];
let pilotlight: Pilotlight;

async function podPids(): Promise<string[]> {
  const pods = await pilotlight.client.list<AnyObject>(Pod, { namespace: 'default' });
  return pods.items.map((pod) => `${pod.metadata.name}/${pod.metadata.uid}`).sort();
}

async function servesAgain(limitMs: number): Promise<void> {
  await until(
    'the service to answer',
    async () =>
      (await pilotlight.get(HOST, '/', 5_000).catch(() => ({ status: 0 }))).status === 200,
    limitMs,
    () => pilotlight.tail(),
  );
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/ Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

beforeAll(async () => {
  pilotlight = await startPilotlight({ dataDir });
  await pilotlight.client.create(
    KnativeService,
    exampleService('sturdy', 'hello', {
      annotations: { 'autoscaling.knative.dev/min-scale': '1' },
      command: withEscapee,
      env: { E2E_MARK: MARK },
    }),
  );
  await until(
    'sturdy to be Ready',
    async () =>
      condition(
        await pilotlight.client.get<AnyObject>(KnativeService, {
          namespace: 'default',
          name: 'sturdy',
        }),
        'Ready',
      ).status === 'True',
    30_000,
    () => pilotlight.tail(),
  );
});
afterAll(async () => {
  await pilotlight?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

describe('kill -9', () => {
  it('of control: serving goes on, pods stay, the API comes back with every object', async () => {
    const before = await podPids();
    let failures = 0;
    let isBack = false;
    const serving = (async () => {
      while (!isBack) {
        const answer = await pilotlight.get(HOST, '/', 5_000).catch(() => ({ status: 0 }));
        if (answer.status !== 200) failures += 1;
      }
    })();
    process.kill(pilotlight.pids.control, 'SIGKILL');
    const after = await until('the API to answer', () => podPids().catch(() => undefined), 5_000);
    isBack = true;
    await serving;
    expect(after).toEqual(before);
    expect(failures).toBe(0);
  });

  it('of the data plane: it is back within seconds and pods are untouched', async () => {
    const before = await podPids();
    process.kill(pilotlight.pids.dataPlane, 'SIGKILL');
    await servesAgain(5_000);
    expect(await podPids()).toEqual(before);
  });

  it('of the root under load: no process of any pod remains, setsid grandchildren included', async () => {
    expect(processesWith(MARK).length).toBe(2); // the program and the sleep that left its session
    const { root, ...children } = pilotlight.pids;
    const load = pilotlight.load({ host: HOST, path: '/', connections: 10, seconds: 2 });
    process.kill(root, 'SIGKILL');
    await until(
      'every process of the run to be gone',
      () => processesWith(MARK).length === 0 && !Object.values(children).some(isAlive),
      3_000,
      () => pilotlight.tail(),
    );
    await load;
  });

  it('and a new start finds all objects and serves', async () => {
    pilotlight = await startPilotlight({ dataDir });
    const service = await pilotlight.client.get<AnyObject>(KnativeService, {
      namespace: 'default',
      name: 'sturdy',
    });
    expect(service.metadata.generation).toBe(1);
    await servesAgain(20_000);
  });
});
