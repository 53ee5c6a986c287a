// Starts the real API server on a free loopback port with everything in one temporary folder, and
// writes a kubeconfig for its administrator. It ends with this process: its standard input is a pipe.

import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubeconfigText } from '../../../src/apiserver/kubeconfig.ts';
import { loadServerIdentity, type ServerIdentity } from '../../../src/pki/identity.ts';

const START_LIMIT_MS = 120_000;
const POLL_MS = 100;
const LOG_TAIL_CHARS = 4000;

export interface RealServer {
  kubeconfigPath: string;
  stop(): Promise<void>;
}

export async function startRealServer(binary: string): Promise<RealServer> {
  const folder = mkdtempSync(join(tmpdir(), 'pilotlight-kubernetes-'));
  const hosts = ['127.0.0.1', 'localhost'];
  const nowMs = Date.now();
  const identity = await loadServerIdentity(join(folder, 'pki'), { hosts, nowMs });
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const kubeconfigPath = join(folder, 'kubeconfig');
  const { caPem, token } = identity;
  const text = kubeconfigText({ url, caPem, token, userName: 'kubernetes-admin' });
  writeFileSync(kubeconfigPath, text, { mode: 0o600 });
  const flags = writeFiles(folder, identity, port);
  const etcd = join(folder, 'etcd');
  const args = ['-etcd-dir', etcd, '-kubeconfig', kubeconfigPath, '--', ...flags];
  const child = spawn(binary, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilReady(child, url, identity);
  } catch (error) {
    await stop();
    throw error;
  }
  return { kubeconfigPath, stop };
}

/** Keys and tokens it reads; returns its flags. */
function writeFiles(folder: string, identity: ServerIdentity, port: number): string[] {
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const accounts = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const signingKey = write('accounts.key', accounts.privateKey);
  return [
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    `--tls-cert-file=${write('serving.crt', identity.certificatePem)}`,
    `--tls-private-key-file=${write('serving.key', identity.privateKeyPem)}`,
    `--token-auth-file=${write('tokens.csv', `${identity.token},tester,tester,system:masters\n`)}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-signing-key-file=${signingKey}`,
    `--service-account-key-file=${write('accounts.pub', accounts.publicKey)}`,
    '--service-cluster-ip-range=10.0.0.0/16',
    // Nobody here makes the default service account of a namespace.
    '--disable-admission-plugins=ServiceAccount',
    '--profiling=false',
    '-v=0',
  ];
}

async function untilReady(
  child: ChildProcess,
  url: string,
  { caPem, token }: ServerIdentity,
): Promise<void> {
  let log = '';
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (chunk: string) => {
    log = (log + chunk).slice(-LOG_TAIL_CHARS);
  });
  const deadlineMs = performance.now() + START_LIMIT_MS;
  while (!(await isReady(url, caPem, token))) {
    if (child.exitCode !== null) throw new Error(`the real API server ended: ${log}`);
    if (performance.now() > deadlineMs) throw new Error(`the real API server is not ready: ${log}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function isReady(url: string, ca: string, token: string): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` };
    const asked = request(`${url}/readyz`, { ca, headers, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
      response.on('error', () => resolve(false));
    });
    asked.on('error', () => resolve(false));
    asked.end();
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
