// An autoscaler process that cannot start: what it says and its exit code. A start that
// succeeds is test/e2e/fail-over.test.ts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { runAutoscaler } from './process.ts';

const folder = mkdtempSync(join(tmpdir(), 'pilotlight-autoscaler-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A port nobody listens on. */
async function closedPort(): Promise<number> {
  const probe = createServer();
  const port = await new Promise<number>((resolve) =>
    probe.listen(0, '127.0.0.1', () => resolve((probe.address() as { port: number }).port)),
  );
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

function start(env: Record<string, string>): {
  clock: FakeClock;
  printed: string[];
  codes: number[];
} {
  const clock = new FakeClock();
  const printed: string[] = [];
  const codes: number[] = [];
  void runAutoscaler({
    env,
    clock,
    random: () => 0.5,
    onSignal: () => undefined,
    exit: (code) => codes.push(code),
    printError: (line) => printed.push(line),
  });
  return { clock, printed, codes };
}

describe('an autoscaler process', () => {
  it('AS-167: ends with 2 without an identity', () => {
    const { printed, codes } = start({ POD_IP: '10.0.0.7' });
    expect(codes).toEqual([2]);
    expect(printed).toEqual(['POD_NAME environment variable not set']);
  });

  it('AS-190: waits 60 s for the Kubernetes API, then ends with 1', async () => {
    const server = `http://127.0.0.1:${await closedPort()}`;
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    const file = join(folder, 'kubeconfig');
    writeFileSync(file, JSON.stringify(config));
    const { clock, printed, codes } = start({
      POD_NAME: 'as-0',
      POD_IP: '10.0.0.7',
      SYSTEM_NAMESPACE: 'knative-serving',
      KUBECONFIG: file,
    });
    const startedMs = clock.monotonicMs();
    while (codes.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(100);
    }
    expect(clock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(60_000);
    expect(codes).toEqual([1]);
    expect(printed[0]).toContain('autoscaler: the Kubernetes API cannot be reached: ');
  });
});
