// Credentials for registries (CP-165): the pull secrets of the Revision and of its service account,
// read when an image is looked up, never kept. A secret or account that is missing counts as none,
// as it does for a kubelet.

import type { Secret } from '../../../api/core.ts';
import * as kinds from '../../../api/kinds.ts';
import type { KubeObject } from '../../../api/objects.ts';
import type { Revision } from '../../../api/serving.ts';
import { isNotFound, type KubeClient } from '../../../kube/types.ts';
import { type ImageReference, normalHost } from './reference.ts';

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
  /** Traded for an access token instead of user name and password. */
  readonly identityToken: string;
}

interface AuthEntry {
  username?: string;
  password?: string;
  auth?: string;
  identitytoken?: string;
}

type Named = { name?: string };
type Account = KubeObject & { imagePullSecrets?: Named[] };

/** Pull secrets looked at for one image; further ones are ignored. */
export const MAX_PULL_SECRETS = 32;

export async function readCredentials(
  client: KubeClient,
  { metadata, spec }: Revision,
  reference: ImageReference,
): Promise<RegistryCredentials | null> {
  const { namespace } = metadata;
  const accountName = spec.serviceAccountName || 'default';
  const account = await find<Account>(client, kinds.ServiceAccount, namespace, accountName);
  const names = [...(spec.imagePullSecrets ?? []), ...(account?.imagePullSecrets ?? [])]
    .map(({ name }) => name ?? '')
    .filter((name) => name !== '')
    .slice(0, MAX_PULL_SECRETS);
  for (const name of new Set(names)) {
    const secret = await find<Secret>(client, kinds.Secret, namespace, name);
    const found = secret === null ? null : credentialsIn(secret, reference);
    if (found !== null) return found;
  }
  return null;
}

async function find<T extends KubeObject>(
  client: KubeClient,
  kind: kinds.Kind,
  namespace: string | undefined,
  name: string,
): Promise<T | null> {
  try {
    return await client.get<T>(kind, { namespace, name });
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** The entry with the longest path that covers the repository; null = none fits. */
export function credentialsIn(
  { data }: Secret,
  reference: ImageReference,
): RegistryCredentials | null {
  const entries = Object.entries(authsOf(data ?? {}))
    .map(([key, entry]) => ({ ...placeOf(key), entry }))
    .filter(({ host, path }) => covers(host, path, reference))
    .sort((a, b) => b.path.length - a.path.length);
  const [best] = entries;
  return best === undefined ? null : credentialsOf(best.entry);
}

/** The two formats of pull secrets; one that is not JSON holds nothing. */
function authsOf(data: Record<string, string>): Record<string, AuthEntry> {
  const parse = (key: string): unknown => {
    try {
      return JSON.parse(Buffer.from(data[key] ?? '', 'base64').toString('utf8'));
    } catch {
      return null; // Absent, or somebody's typo: the registry will say that access is denied.
    }
  };
  const modern = parse('.dockerconfigjson') as { auths?: Record<string, AuthEntry> } | null;
  const legacy = parse('.dockercfg') as Record<string, AuthEntry> | null;
  return { ...legacy, ...modern?.auths };
}

/** `https://index.docker.io/v1/` and `ghcr.io/team` alike. */
function placeOf(key: string): { host: string; path: string } {
  const plain = key.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const slash = plain.indexOf('/');
  const host = normalHost(slash < 0 ? plain : plain.slice(0, slash));
  const path = slash < 0 ? '' : plain.slice(slash + 1);
  return { host, path: path === 'v1' || path === 'v2' ? '' : path };
}

function covers(host: string, path: string, { registry, repository }: ImageReference): boolean {
  const isHost = host.startsWith('*.') ? registry.endsWith(host.slice(1)) : host === registry;
  return isHost && (path === '' || repository === path || repository.startsWith(`${path}/`));
}

function credentialsOf(entry: AuthEntry): RegistryCredentials {
  const decoded = Buffer.from(entry.auth ?? '', 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return {
    username: entry.username || (colon < 0 ? '' : decoded.slice(0, colon)),
    password: entry.password || (colon < 0 ? '' : decoded.slice(colon + 1)),
    identityToken: entry.identitytoken ?? '',
  };
}
