// TLS inside the system with a second request thread, which runs from dist/. While this thread
// waits for a client process it answers nobody, so whatever that client hears is the other thread's.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Secret } from '../../api/core.ts';
import { Secret as SecretKind } from '../../api/kinds.ts';
import { systemClock } from '../../clock/clock.ts';
import {
  createCertificateAuthority,
  issueServingCertificate,
  type KeyPairPem,
} from '../../pki/certificates.ts';
import { until } from '../../proxy/testing/harness.ts';
import { NetActivator } from '../testing/net-activator.ts';

const THREAD_FILE = new URL('../../../dist/activator/threads/thread-main.js', import.meta.url);
const UNSET = { minVersion: '', maxVersion: '', cipherSuites: '', curvePreferences: '' };
const SECRET = { namespace: 'knative-serving', name: 'routing-serving-certs' };

/** A pod's TLS port; prints where it listens. */
const POD = `
  const { cert, key } = JSON.parse(process.env.PAIR);
  const server = require('https').createServer({ cert, key }, (_, res) => res.end('over tls'));
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;
/** One request; prints status, body and the number of the certificate it saw. */
const CLIENT = `
  const { port, ca } = JSON.parse(process.env.ASKED);
  const headers = { 'Knative-Serving-Namespace': 'default', 'Knative-Serving-Revision': 'app' };
  const target = { port, host: '127.0.0.1', servername: 'kn-routing', ca, headers };
  require('https').get(target, (res) => {
    const { serialNumber: serial } = res.socket.getPeerCertificate();
    let body = '';
    res.on('data', (chunk) => { body += chunk; });
    res.on('end', () => console.log(JSON.stringify({ status: res.statusCode, body, serial })));
  });`;

interface Heard {
  status: number;
  body: string;
  serial: string;
}

let authority: KeyPairPem;
let activator: NetActivator;
let pod: ChildProcess;

async function issue(...hosts: string[]): Promise<{ cert: string; key: string }> {
  const names = { commonName: 'x', hosts, nowMs: systemClock.nowMs(), validDays: 1 };
  const pair = await issueServingCertificate(authority, names);
  return { cert: pair.certificatePem, key: pair.privateKeyPem };
}

async function secret(): Promise<Secret> {
  const { cert, key } = await issue('kn-routing');
  const texts = { 'tls.crt': cert, 'tls.key': key, 'ca.crt': authority.certificatePem };
  const data = Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
  );
  return { apiVersion: 'v1', kind: 'Secret', metadata: SECRET, data };
}

/** Answered by the other thread. */
function ask(): Heard {
  const { tlsPort: port } = activator.running;
  const env = { ASKED: JSON.stringify({ port, ca: authority.certificatePem }) };
  const options = { env, encoding: 'utf8', timeout: 20_000 } as const;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', CLIENT], options);
  if (stdout === '') throw new Error(`no answer: ${stderr}`);
  return JSON.parse(stdout) as Heard;
}

beforeAll(async () => {
  const names = { commonName: 'test CA', validDays: 1, nowMs: systemClock.nowMs() };
  authority = await createCertificateAuthority(names);
});

beforeEach(async () => {
  const pair = await issue('data-plane.knative.dev', 'kn-user-default');
  pod = spawn(process.execPath, ['-e', POD], { env: { PAIR: JSON.stringify(pair) } });
  const [line] = (await once(pod.stdout!, 'data')) as [Buffer];
  activator = await NetActivator.start(
    { threads: 2, threadFile: THREAD_FILE, tls: { port: 0, texts: UNSET, podPort: Number(line) } },
    async (client) => void (await client.create<Secret>(SecretKind, await secret())),
  );
  await activator.deploy('app', {}, () => undefined);
});
afterEach(async () => {
  await activator.stop();
  pod.kill();
});

describe('TLS inside the system in a further request thread', () => {
  it('ACT-117 to ACT-121: serves TLS, dials it, and follows the certificate', async () => {
    const { client, port } = activator;
    // Whoever answers it: from here on both know the pod.
    const headers = { 'Knative-Serving-Namespace': 'default', 'Knative-Serving-Revision': 'app' };
    expect((await fetch(`http://127.0.0.1:${port}/`, { headers })).status).toBe(200);
    const first = ask();
    expect(first).toMatchObject({ status: 200, body: 'over tls' });
    const current = await client.get<Secret>(SecretKind, SECRET);
    await client.update<Secret>(SecretKind, { ...current, data: (await secret()).data ?? {} });
    await until(() => ask().serial !== first.serial, 'the new certificate');
  });
});
