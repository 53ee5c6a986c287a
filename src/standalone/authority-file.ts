// The certificate of Pilotlight's own authority (Secret `pilotlight-ca`) as a file beside the
// kubeconfig, so that `curl --cacert` can be told whom to trust. Not there before the first
// certificate was asked for; written anew when the authority changed. Not hot.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Secret } from '../api/core.ts';
import { Secret as SecretKind } from '../api/kinds.ts';
import { SYSTEM_NAMESPACE } from '../api/labels.ts';
import { AUTHORITY_SECRET } from '../controller/issuer/authority.ts';
import { isNotFound, type KubeClient } from '../kube/types.ts';

const FILE = 'ca.crt';

/** Absolute path of the file; null = there is no authority. Rejects when it cannot be asked for. */
export async function writeAuthorityFile(
  client: KubeClient,
  dataDir: string,
): Promise<string | null> {
  const key = { namespace: SYSTEM_NAMESPACE, name: AUTHORITY_SECRET };
  const secret = await client.get<Secret>(SecretKind, key).catch((error: unknown) => {
    if (isNotFound(error)) return null;
    throw error;
  });
  const text = Buffer.from(secret?.data?.['ca.crt'] ?? '', 'base64').toString('utf8');
  if (text === '') return null;
  const path = join(dataDir, FILE);
  if (readOrEmpty(path) !== text) writeFileSync(path, text);
  return path;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
