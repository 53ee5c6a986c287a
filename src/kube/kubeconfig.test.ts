// Kubeconfig files and service accounts as connections.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { inClusterConnection } from './connection.ts';
import { loadKubeconfig } from './kubeconfig.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pilotlight-kubeconfig-'));
});

afterEach(() => rm(directory, { recursive: true }));

async function writeConfig(server: string, user: string): Promise<string> {
  const path = join(directory, 'config');
  const ca = Buffer.from('CA PEM').toString('base64');
  await writeFile(
    path,
    `apiVersion: v1
kind: Config
current-context: main
clusters:
- name: one
  cluster: { server: "${server}", certificate-authority-data: ${ca} }
contexts:
- name: main
  context: { cluster: one, user: me, namespace: team }
- name: broken
  context: { cluster: none, user: me }
users:
- name: me
  user: ${user}
`,
  );
  return path;
}

describe('KN-1: kubeconfig', () => {
  test('a token, a CA and the namespace of the context', async () => {
    const path = await writeConfig('https://127.0.0.1:6443', '{ token: abc }');
    expect(await loadKubeconfig(path)).toMatchObject({
      server: 'https://127.0.0.1:6443',
      caPem: 'CA PEM',
      headers: { Authorization: 'Bearer abc' },
      namespace: 'team',
    });
  });

  test('a plain http server is accepted', async () => {
    const path = await writeConfig('http://127.0.0.1:8001', '{}');
    expect((await loadKubeconfig(path)).server).toBe('http://127.0.0.1:8001');
  });

  test('client certificates', async () => {
    const data = Buffer.from('PEM').toString('base64');
    const user = `{ client-certificate-data: ${data}, client-key-data: ${data} }`;
    const connection = await loadKubeconfig(await writeConfig('https://h:1', user));
    expect(connection).toMatchObject({ clientCertPem: 'PEM', clientKeyPem: 'PEM' });
  });

  test('a credential plug-in is asked again when its answer has aged', async () => {
    const clock = new FakeClock();
    const counter = join(directory, 'count');
    const script =
      `echo x >> ${counter}; echo "{\\"apiVersion\\":\\"client.authentication.k8s.io/v1\\",` +
      '\\"kind\\":\\"ExecCredential\\",\\"status\\":{\\"token\\":\\"fresh\\"}}"';
    const exec = JSON.stringify({
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'sh',
      args: ['-c', script],
      interactiveMode: 'Never',
    });
    const path = await writeConfig('https://h:1', `{ exec: ${exec} }`);
    const connection = await loadKubeconfig(path, { clock });
    expect(connection.headers).toBeUndefined();
    expect(await connection.freshHeaders?.()).toEqual({ Authorization: 'Bearer fresh' });
  });

  test('a context without a cluster is a named error', async () => {
    const path = await writeConfig('https://h:1', '{}');
    const loading = loadKubeconfig(path, { context: 'broken' });
    await expect(loading).rejects.toThrow('names no cluster');
  });
});

test('a pod connects with its service account and rereads the token every minute', async () => {
  const clock = new FakeClock();
  await writeFile(join(directory, 'token'), 'one\n');
  await writeFile(join(directory, 'ca.crt'), 'CA');
  await writeFile(join(directory, 'namespace'), 'knative-serving');
  const connection = await inClusterConnection({ host: 'fd00::1', port: '443', clock, directory });
  expect(connection).toMatchObject({
    server: 'https://[fd00::1]:443',
    caPem: 'CA',
    namespace: 'knative-serving',
  });
  await writeFile(join(directory, 'token'), 'two\n');
  expect(await connection.freshHeaders?.()).toEqual({ Authorization: 'Bearer one' });
  clock.advance(60_000);
  expect(await connection.freshHeaders?.()).toEqual({ Authorization: 'Bearer two' });
});
