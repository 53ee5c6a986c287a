// Real processes: pods in the container table, the lock, and the promise that nothing survives a
// root killed with -9. Waits are on conditions; a hang ends with the test's own limit.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import { logFile } from '../node/log-format.ts';
import type { ContainerSpec } from '../node/runtime.ts';
import { ContainerTable } from './container-table.ts';
import { acquireLock, DataDirInUseError } from './lock.ts';
import { RUN_VARIABLE, type ToControl, type ToDataPlane } from './messages.ts';
import { findListener, nextFreePort, requirePort } from './ports.ts';
import { findMarked, killGroup, reap } from './reaper.ts';
import { findWrapper } from './wrapper.ts';

const dist = join(import.meta.dirname, '..', '..', 'dist', 'standalone');
let folder = '';
let run = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pilotlight-processes-'));
  run = `test.${folder.slice(-6)}`;
});
afterEach(async () => {
  await reap({ marker: `${RUN_VARIABLE}=${run}` }, systemClock);
  rmSync(folder, { recursive: true, force: true });
});

function spec(id: string, script: string): ContainerSpec {
  return {
    id,
    podUid: 'u',
    namespace: 'ns',
    podName: 'p',
    container: 'c',
    attempt: 0,
    kind: 'process',
    argv: ['/bin/sh', '-c', script],
    cwd: folder,
    env: { PATH: process.env.PATH ?? '' },
  };
}

/** A table whose messages can be waited for. */
function createTable(): {
  table: ContainerTable;
  next(type: ToControl['type']): Promise<ToControl>;
  /** What the data plane was told. */
  heard: ToDataPlane[];
} {
  const heard: ToDataPlane[] = [];
  const messages: ToControl[] = [];
  const waiters: { type: string; resolve(message: ToControl): void }[] = [];
  const table = new ContainerTable({
    clock: systemClock,
    logRoot: folder,
    run,
    wrapper: findWrapper(process.env.PATH),
    hostsSidecars: true,
    toControl(message) {
      const index = waiters.findIndex((waiter) => waiter.type === message.type);
      if (index >= 0) waiters.splice(index, 1)[0]?.resolve(message);
      else messages.push(message);
    },
    toDataPlane: (message) => heard.push(message),
    onGroup: () => undefined,
  });
  return {
    table,
    heard,
    next(type) {
      const index = messages.findIndex((message) => message.type === type);
      const found = index < 0 ? undefined : messages.splice(index, 1)[0];
      if (found !== undefined) return Promise.resolve(found);
      return new Promise((resolve) => waiters.push({ type, resolve }));
    },
  };
}

describe('ContainerTable', () => {
  it('reports start and exit and keeps what was printed', async () => {
    const { table, next } = createTable();
    const container = spec('u/c/0', 'echo out; echo err >&2; exit 3');
    table.start(container);
    await next('started');
    expect(await next('exited')).toMatchObject({
      id: 'u/c/0',
      exit: { exitCode: 3, signal: null },
    });
    const log = readFileSync(logFile(folder, container, 0), 'utf8');
    expect(log).toMatch(/Z o out\n/);
    expect(log).toMatch(/Z e err\n/);
    expect(table.records()).toHaveLength(1);
    table.forget('u/c/0');
    expect(table.records()).toHaveLength(0);
  });

  it('ends what a container left behind, setsid children included', async () => {
    const { table, next } = createTable();
    table.start(spec('u/c/0', 'setsid sleep 300 & sleep 300 & sleep 0.1; exit 0'));
    await next('started');
    await next('exited');
    expect(findMarked(`${RUN_VARIABLE}=${run}`)).toEqual([]);
  });

  it('reports the same of a process that had waited to become the container', async () => {
    const { table, next } = createTable();
    await table.prepare();
    const container = spec('u/c/0', 'echo out; setsid sleep 300 & sleep 0.1; exit 3');
    table.start(container);
    const { pid } = (await next('started')) as Extract<ToControl, { type: 'started' }>;
    expect(table.groups()).toEqual([pid]);
    expect(await next('exited')).toMatchObject({ id: 'u/c/0', exit: { exitCode: 3 } });
    expect(readFileSync(logFile(folder, container, 0), 'utf8')).toMatch(/Z o out\n/);
    table.close();
    while (findMarked(`${RUN_VARIABLE}=${run}`).length > 0) await systemClock.sleep(5);
  });

  it('tells the sidecar of the first eight pieces of output, whatever comes after', async () => {
    const { table, next, heard } = createTable();
    table.start(spec('u/c/0', 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i; sleep 0.01; done'));
    await next('started');
    await next('exited');
    expect(heard).toEqual(Array(8).fill({ type: 'heard', podUid: 'u' }));
  });

  it('signals the whole group', async () => {
    const { table, next } = createTable();
    table.start(spec('u/c/0', 'sleep 300 & wait'));
    await next('started');
    table.signal('u/c/0', 'SIGKILL');
    expect(await next('exited')).toMatchObject({ exit: { exitCode: 137, signal: 'SIGKILL' } });
  });

  it('says why a process could not be started', async () => {
    const { table, next } = createTable();
    table.start({ ...spec('u/c/0', ''), cwd: '/nosuch' });
    expect(await next('startFailed')).toMatchObject({ id: 'u/c/0' });
  });

  it('runs commands beside a container for exec probes', async () => {
    const { table, next } = createTable();
    table.start(spec('u/c/0', 'sleep 300'));
    await next('started');
    expect(await table.exec('u/c/0', ['sh', '-c', 'exit 7'], 5000)).toBe(7);
    expect(await table.exec('u/c/0', ['sleep', '300'], 50)).toBe(-1);
    table.signal('u/c/0', 'SIGKILL');
    await next('exited');
  });
});

describe('lock', () => {
  it('lets one run have a data directory and names it to the second', () => {
    const lock = acquireLock(folder);
    expect(() => acquireLock(folder)).toThrow(DataDirInUseError);
    expect(() => acquireLock(folder)).toThrow(String(process.pid));
    lock.release();
    acquireLock(folder).release();
  });
});

describe('ports', () => {
  it('name the option and the holder of a taken port', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(requirePort('gateway', port, '--port')).rejects.toThrow(
      new RegExp(`port ${port} for the gateway is taken.*--port`),
    );
    if (process.platform === 'linux') expect(findListener(port)?.pid).toBe(process.pid);
    expect(await nextFreePort('API server', port, '--api-port')).toBeGreaterThan(port);
    await new Promise((resolve) => server.close(resolve));
  });
});

describe.runIf(existsSync(join(dist, 'reaper.js')))('a root killed with -9', () => {
  /** A stand-in for the root: a container table and the watcher beside it. */
  function startRoot(script: string): ChildProcess {
    const code = `
      import { ContainerTable } from ${JSON.stringify(join(dist, 'container-table.js'))};
      import { ReaperHelper } from ${JSON.stringify(join(dist, 'reaper.js'))};
      import { systemClock } from ${JSON.stringify(join(dist, '..', 'clock', 'clock.js'))};
      const run = ${JSON.stringify(run)};
      const helper = new ReaperHelper('${RUN_VARIABLE}=' + run);
      helper.start();
      const table = new ContainerTable({
        clock: systemClock, logRoot: ${JSON.stringify(folder)}, run, wrapper: [], hostsSidecars: true,
        toControl: (message) => console.log(message.type), toDataPlane() {},
        onGroup: (pid, isAlive) => (isAlive ? helper.add(pid) : helper.remove(pid)),
      });
      table.start(${JSON.stringify(spec('u/c/0', script))});`;
    return spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
  }

  it('leaves nothing within a second, setsid grandchildren included', async () => {
    const root = startRoot('(setsid sh -c "sleep 300 & sleep 300" &) ; sleep 300 & sleep 300');
    await new Promise((resolve) => root.stdout?.once('data', resolve));
    while (findMarked(`${RUN_VARIABLE}=${run}`).length < 4) await systemClock.sleep(10);
    const killedAtMs = systemClock.monotonicMs();
    // Its own group only: the pod's groups are what the watcher must find.
    killGroup(root.pid ?? 0, 'SIGKILL');
    while (findMarked(`${RUN_VARIABLE}=${run}`).length > 0) await systemClock.sleep(10);
    expect(systemClock.monotonicMs() - killedAtMs).toBeLessThan(1000);
  });
});
