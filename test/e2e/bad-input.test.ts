// What a person gets to read when something is wrong, and with which exit code.

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAIN, type Pilotlight, startPilotlight, temporaryFolder } from '../support/pilotlight.ts';

const folder = temporaryFolder();
let pilotlight: Pilotlight;

interface Finished {
  status: number | null;
  output: string;
}

function run(...args: string[]): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.on('close', (status) => resolve({ status, output }));
  });
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const apply = (path: string) => run('apply', '--data-dir', pilotlight.dataDir, '-f', path);

beforeAll(async () => {
  pilotlight = await startPilotlight();
});
afterAll(async () => {
  await pilotlight?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe('bad input', () => {
  it('YAML that does not parse names file and line', async () => {
    const path = file(
      'broken.yaml',
      'apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata:\n  name: [x\n',
    );
    const { status, output } = await apply(path);
    expect(status).not.toBe(0);
    expect(output).toMatch(/broken\.yaml:[45]/);
  });

  it('an unknown field names file, line and field', async () => {
    const path = file(
      'unknown.yaml',
      `apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: hello
spec:
  template:
    spec:
      containerConcurency: 5
      containers:
        - image: hello
`,
    );
    const { status, output } = await apply(path);
    expect(status).not.toBe(0);
    expect(output).toContain('unknown.yaml:8');
    expect(output).toContain('spec.template.spec.containerConcurency');
  });

  it('a value out of range names the field and the offending value', async () => {
    const path = file(
      'range.yaml',
      `apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: hello
spec:
  template:
    spec:
      containerConcurrency: -1
      containers:
        - image: hello
`,
    );
    const { status, output } = await apply(path);
    expect(status).not.toBe(0);
    expect(output).toContain('containerConcurrency');
    expect(output).toContain('-1');
  });

  it('a missing file is named', async () => {
    const { status, output } = await apply(join(folder, 'nowhere.yaml'));
    expect(status).not.toBe(0);
    expect(output).toContain('nowhere.yaml');
  });

  it('a second instance on the same data directory is refused and nothing is lost', async () => {
    const second = await run(
      'up',
      '--data-dir',
      pilotlight.dataDir,
      '--port',
      '0',
      '--api-port',
      '0',
    );
    expect(second.status).not.toBe(0);
    expect(second.output).toContain(pilotlight.dataDir);
    const listed = await run('get', 'ksvc', '--data-dir', pilotlight.dataDir);
    expect(listed.status).toBe(0);
  });

  it('a taken gateway port is refused and names --port', async () => {
    const holder = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => holder.once('listening', resolve));
    const { port } = holder.address() as net.AddressInfo;
    const dataDir = temporaryFolder();
    const { status, output } = await run(
      'up',
      '--data-dir',
      dataDir,
      '--port',
      String(port),
      '--api-port',
      '0',
    );
    expect(status).not.toBe(0);
    expect(output).toContain('--port');
    expect(output).toContain(String(port));
    holder.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('a damaged data directory is refused with the way to recover', async () => {
    const dataDir = temporaryFolder();
    const first = await startPilotlight({ dataDir });
    await first.stop();
    const store = readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /(CURRENT|MANIFEST-\d+)$/.test(name),
    );
    expect(store.length).toBeGreaterThan(0);
    for (const name of store) writeFileSync(join(dataDir, name), 'not a manifest');
    const { status, output } = await run(
      'up',
      '--data-dir',
      dataDir,
      '--port',
      '0',
      '--api-port',
      '0',
    );
    expect(status).not.toBe(0);
    expect(output).toContain(dataDir);
    expect(output.toLowerCase()).toContain('damaged');
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('an unknown command exits 2 or more and points to help', () => {
    const result = spawnSync(process.execPath, [MAIN, 'frobnicate'], { encoding: 'utf8' });
    expect(result.status).not.toBe(0);
    expect(result.stdout + result.stderr).toContain('frobnicate');
  });

  it('an empty folder given to apply says so', async () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const { status, output } = await apply(empty);
    expect(status).not.toBe(0);
    expect(output).toContain(empty);
  });
});
