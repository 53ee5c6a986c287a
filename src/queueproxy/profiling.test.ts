// The profiling port (QP-166): paths and methods, and profiles the real `go tool pprof` reads where
// Go is installed.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import { createNetServer } from '../proxy/net-server.ts';
import { profilingEndpoint } from '../proxy/profiling.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { REQUEST_LIMITS } from './request-plane.ts';
import { Fields } from './testing/otlp-collector.ts';
import { RawClient } from './testing/raw-client.ts';
import { atEnd, closeAll } from './testing/started-proxy.ts';

afterEach(closeAll);

/** The first `go tool pprof` of a machine compiles it. */
const GO_LIMIT_MS = 120_000;
const TIMEOUT = { timeout: 180_000 };

async function start(): Promise<number> {
  const deps = { limits: REQUEST_LIMITS, clock: systemClock, logger: silentLogger };
  const server = createNetServer(profilingEndpoint(systemClock), deps);
  atEnd(() => server.close());
  return (await server.listen({ host: '127.0.0.1', port: 0 })).port;
}

async function profile(port: number, path: string): Promise<Buffer> {
  const response = await fetch(`http://127.0.0.1:${port}/debug/pprof/${path}`);
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

/** Something to find in a profile. */
function burnCycles(untilMs: number): number {
  let sum = 0;
  while (systemClock.monotonicMs() < untilMs) sum += Math.sqrt(sum + 1);
  return sum;
}

function readByGo(bytes: Buffer): string | null {
  if (spawnSync('go', ['version']).status !== 0) return null;
  const folder = mkdtempSync(join(tmpdir(), 'pilotlight-pprof-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'profile.pb.gz');
  writeFileSync(file, bytes);
  const limit = { encoding: 'utf8', timeout: GO_LIMIT_MS } as const;
  const result = spawnSync('go', ['tool', 'pprof', '-raw', file], limit);
  if (result.error !== undefined) return null;
  expect(result.stderr).not.toContain('unrecognized');
  return result.stdout;
}

/** Names in the string table of a profile. */
function namesIn(bytes: Buffer): Set<string> {
  const message = new Fields(gunzipSync(bytes));
  return new Set(message.all(5).map((entry) => message.texts(6)[Number(entry.number(2))] ?? ''));
}

describe('profiling', () => {
  it('QP-166: only GET, only its own paths', async () => {
    const port = await start();
    const statusOf = async (method: string, path: string) =>
      (await fetch(`http://127.0.0.1:${port}${path}`, { method })).status;
    expect(await statusOf('GET', '/debug/pprof/')).toBe(200);
    expect(await statusOf('GET', '/debug/pprof/cmdline')).toBe(200);
    expect(await statusOf('GET', '/debug/pprof/symbol')).toBe(200);
    expect(await statusOf('GET', '/debug/pprof/trace')).toBe(501);
    expect(await statusOf('GET', '/debug/pprof/nothing')).toBe(404);
    expect(await statusOf('GET', '/')).toBe(404);
    expect(await statusOf('POST', '/debug/pprof/profile')).toBe(405);
    expect(await statusOf('GET', '/debug/pprof/profile?seconds=301')).toBe(400);
    const { body } = await RawClient.ask(port, '/debug/pprof/cmdline');
    expect(body.split('\0')[0]).toBe(process.execPath);
  });

  it('QP-166: a CPU profile names what ran, and go tool pprof reads it', TIMEOUT, async () => {
    const port = await start();
    const taken = profile(port, 'profile?seconds=0.5');
    let isDone = false;
    void taken.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      burnCycles(systemClock.monotonicMs() + 20);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const bytes = await taken;
    expect(namesIn(bytes)).toContain('burnCycles');
    const raw = readByGo(bytes);
    if (raw !== null) {
      expect(raw).toContain('samples/count cpu/nanoseconds');
      expect(raw).toContain('burnCycles');
    }
  });

  it('QP-166: a heap profile is readable too, and one is taken at a time', TIMEOUT, async () => {
    const port = await start();
    const taken = profile(port, 'heap?seconds=0.3');
    const second = await fetch(`http://127.0.0.1:${port}/debug/pprof/profile?seconds=0.1`);
    expect(second.status).toBe(400);
    const kept: string[][] = [];
    for (let count = 0; count < 200; count += 1) {
      kept.push(Array.from({ length: 1_000 }, (_unused, index) => `${count}/${index}`));
    }
    const bytes = await taken;
    expect(kept).toHaveLength(200);
    expect(namesIn(bytes).size).toBeGreaterThan(0);
    const raw = readByGo(bytes);
    if (raw !== null) expect(raw).toContain('inuse_space/bytes');
  });
});
