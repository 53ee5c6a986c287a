// Stock kubectl against the embedded API, with the kubeconfig `up` writes.

import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  exampleService,
  type Pilotlight,
  startPilotlight,
  temporaryFolder,
  until,
} from '../support/pilotlight.ts';

// Without kubectl there is nothing to drive. Before 1.27 it needs an OpenAPI v2 document (KN-123).
const OLDEST_MINOR = 27;
const hasKubectl = clientMinor() >= OLDEST_MINOR;
const folder = temporaryFolder();
const manifest = join(folder, 'service.yaml');
let pilotlight: Pilotlight;

function clientMinor(): number {
  const { status, stdout } = spawnSync('kubectl', ['version', '--client', '-o', 'json'], {
    encoding: 'utf8',
  });
  if (status !== 0) return 0;
  const { clientVersion } = JSON.parse(stdout) as { clientVersion: { minor: string } };
  return Number.parseInt(clientVersion.minor, 10);
}

function kubectl(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const result = spawnSync('kubectl', ['--kubeconfig', pilotlight.kubeconfig, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, HOME: folder },
  });
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}

beforeAll(async () => {
  if (hasKubectl) pilotlight = await startPilotlight();
  const service = exampleService('hello', 'hello', {
    annotations: { 'autoscaling.knative.dev/min-scale': '1' },
  });
  writeFileSync(manifest, JSON.stringify(service));
});
afterAll(async () => {
  await pilotlight?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(!hasKubectl)('kubectl', () => {
  it('applies a service, waits for Ready; applying it again changes nothing (KN-150)', () => {
    const created = kubectl('apply', '-f', manifest);
    expect(created.stderr + created.stdout).toContain('service.serving.knative.dev/hello created');
    const waited = kubectl('wait', '--for=condition=Ready', 'ksvc/hello', '--timeout=30s');
    expect(waited.stdout).toContain('condition met');
    // kubectl's merge patch for custom kinds carries the whole containers list, defaults missing, so
    // it says "configured"; after defaulting nothing is different and nothing may be written.
    const version = () => kubectl('get', 'ksvc', 'hello', '-o', 'jsonpath={.metadata.generation}');
    const before = version().stdout;
    expect(kubectl('apply', '-f', manifest).stdout).toMatch(/unchanged|configured/);
    expect(version().stdout).toBe(before);
    expect(kubectl('get', 'revision', '-o', 'name').stdout.trim().split('\n').length).toBe(1);
  });

  it("prints Knative's columns (CP-82)", () => {
    const table = (kind: string) => kubectl('get', kind).stdout.split('\n');
    expect(table('ksvc')[0]?.split(/\s{2,}/)).toEqual([
      'NAME',
      'URL',
      'LATESTCREATED',
      'LATESTREADY',
      'READY',
      'REASON',
    ]);
    expect(table('ksvc')[1]).toMatch(/hello\s+http:\/\/hello\.default\.localhost\S*\s+hello-00001/);
    expect(table('configuration')[0]).toMatch(
      /NAME\s+LATESTCREATED\s+LATESTREADY\s+READY\s+REASON/,
    );
    expect(table('revision')[0]).toMatch(
      /CONFIG NAME\s+GENERATION\s+READY\s+REASON\s+ACTUAL REPLICAS/,
    );
    expect(table('route')[0]).toMatch(/NAME\s+URL\s+READY\s+REASON/);
    expect(table('podautoscaler')[0]).toMatch(/NAME\s+DESIREDSCALE\s+ACTUALSCALE\s+READY\s+REASON/);
    expect(table('deployment')[0]).toMatch(/NAME\s+READY\s+UP-TO-DATE\s+AVAILABLE\s+AGE/);
    expect(table('pods')[1]).toMatch(/hello-00001-deployment-\S+\s+2\/2\s+Running\s+0\s+\d+s/);
  });

  it('reads several kinds in one command', () => {
    const all = kubectl(
      'get',
      'ksvc,configuration,revision,route,podautoscaler,deployment,pods',
      '-o',
      'name',
    );
    expect(all.status).toBe(0);
    expect(all.stdout.trim().split('\n').length).toBe(7);
  });

  it('prints the log of a pod', () => {
    const pod = kubectl('get', 'pods', '-o', 'name').stdout.trim().split('\n')[0] ?? '';
    expect(kubectl('logs', pod).stdout).toMatch(/listening/i);
  });

  it('reports an unknown field as kubectl users know it (KN-176)', () => {
    const bad = exampleService('typo', 'hello');
    (bad.spec as Record<string, unknown>)['templat'] = {};
    writeFileSync(join(folder, 'typo.yaml'), JSON.stringify(bad));
    const result = kubectl('apply', '-f', join(folder, 'typo.yaml'));
    expect(result.status).not.toBe(0);
    expect(result.stderr).toContain('unknown field "spec.templat"');
  });

  it('deletes the service and everything it owns', async () => {
    expect(kubectl('delete', 'ksvc', 'hello').stdout).toContain('"hello" deleted');
    await until(
      'nothing of it to be left',
      () => kubectl('get', 'configuration,revision,route,pods', '-o', 'name').stdout.trim() === '',
      30_000,
    );
  });
});
