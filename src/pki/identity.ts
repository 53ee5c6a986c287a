// The embedded API server's lasting identity: CA, serving certificate and bearer token, made on
// first start and kept in files only their owner can read. A serving certificate that is about to
// expire or lacks a name is replaced under the same CA, so existing kubeconfig files stay valid.

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createCertificateAuthority,
  isServingCertificateUsable,
  issueServingCertificate,
  type KeyPairPem,
} from './certificates.ts';

export interface ServerIdentity {
  caPem: string;
  certificatePem: string;
  privateKeyPem: string;
  token: string;
}

const AUTHORITY_VALID_DAYS = 3650;
const SERVING_VALID_DAYS = 730;
/** A serving certificate with less left than this is replaced at start. */
const RENEW_BELOW_DAYS = 90;
const TOKEN_BYTES = 32;

/** 256 random bits, URL-safe. */
export function createToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

async function readOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Appears whole or not at all, mode 0600. */
async function writePrivate(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

async function keyPair(
  directory: string | null,
  name: string,
  isUsable: (pair: KeyPairPem) => boolean,
  create: () => Promise<KeyPairPem>,
): Promise<KeyPairPem> {
  if (directory === null) return create();
  const certificatePath = join(directory, `${name}.crt`);
  const keyPath = join(directory, `${name}.key`);
  const certificatePem = await readOrNull(certificatePath);
  const privateKeyPem = await readOrNull(keyPath);
  if (certificatePem !== null && privateKeyPem !== null) {
    const kept = { certificatePem, privateKeyPem };
    if (isUsable(kept)) return kept;
  }
  const made = await create();
  await writePrivate(keyPath, made.privateKeyPem);
  await writePrivate(certificatePath, made.certificatePem);
  return made;
}

/**
 * Loads or creates the identity under `directory` (created 0700); null keeps it in memory only.
 * `hosts` are the names and addresses clients will use.
 */
export async function loadServerIdentity(
  directory: string | null,
  request: { hosts: readonly string[]; nowMs: number },
): Promise<ServerIdentity> {
  const { hosts, nowMs } = request;
  if (directory !== null) await mkdir(directory, { recursive: true, mode: 0o700 });
  const authority = await keyPair(
    directory,
    'ca',
    () => true,
    () =>
      createCertificateAuthority({
        commonName: 'pilotlight-ca',
        nowMs,
        validDays: AUTHORITY_VALID_DAYS,
      }),
  );
  const serving = await keyPair(
    directory,
    'server',
    (pair) =>
      isServingCertificateUsable(pair.certificatePem, authority.certificatePem, {
        hosts,
        nowMs,
        minimumDays: RENEW_BELOW_DAYS,
      }),
    () =>
      issueServingCertificate(authority, {
        commonName: 'pilotlight-apiserver',
        hosts,
        nowMs,
        validDays: SERVING_VALID_DAYS,
      }),
  );
  return { caPem: authority.certificatePem, ...serving, token: await loadToken(directory) };
}

async function loadToken(directory: string | null): Promise<string> {
  if (directory === null) return createToken();
  const path = join(directory, 'token');
  const kept = (await readOrNull(path))?.trim();
  if (kept !== undefined && kept !== '') return kept;
  const token = createToken();
  await writePrivate(path, `${token}\n`);
  return token;
}
