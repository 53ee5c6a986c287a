// The identity a server keeps between starts.

import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { loadServerIdentity } from './identity.ts';

const HOSTS = ['localhost', '127.0.0.1'];
const NOW_MS = Date.parse('2026-11-21T00:00:00Z');
const DAY_MS = 86_400_000;
const directories: string[] = [];

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'pilotlight-pki-'));
  directories.push(path);
  return path;
}

afterEach(async () => {
  await Promise.all(directories.splice(0).map((path) => rm(path, { recursive: true })));
});

test('the serving certificate is signed by the CA and names every host', async () => {
  const identity = await loadServerIdentity(null, { hosts: HOSTS, nowMs: NOW_MS });
  const certificate = new X509Certificate(identity.certificatePem);
  expect(certificate.verify(new X509Certificate(identity.caPem).publicKey)).toBe(true);
  expect(certificate.checkHost('localhost')).toBe('localhost');
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(new X509Certificate(identity.caPem).ca).toBe(true);
});

test('a second start finds the same identity, in files only the owner can read', async () => {
  const path = await directory();
  const first = await loadServerIdentity(path, { hosts: HOSTS, nowMs: NOW_MS });
  const second = await loadServerIdentity(path, { hosts: HOSTS, nowMs: NOW_MS });
  expect(second).toEqual(first);
  for (const name of ['ca.key', 'server.key', 'token']) {
    expect((await stat(join(path, name))).mode & 0o777).toBe(0o600);
  }
});

test('a serving certificate near its end, or lacking a name, is replaced under the same CA', async () => {
  const path = await directory();
  const first = await loadServerIdentity(path, { hosts: HOSTS, nowMs: NOW_MS });
  const later = await loadServerIdentity(path, { hosts: HOSTS, nowMs: NOW_MS + 700 * DAY_MS });
  expect(later.certificatePem).not.toBe(first.certificatePem);
  const renamed = await loadServerIdentity(path, {
    hosts: [...HOSTS, '127.0.0.9'],
    nowMs: NOW_MS + 700 * DAY_MS,
  });
  expect(new X509Certificate(renamed.certificatePem).checkIP('127.0.0.9')).toBe('127.0.0.9');
  expect([later.caPem, later.token]).toEqual([first.caPem, first.token]);
  expect(renamed.caPem).toBe(first.caPem);
});
