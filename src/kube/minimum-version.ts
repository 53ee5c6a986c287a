// The oldest Kubernetes a process works with (KUBERNETES_MIN_VERSION). An API that says an older
// version of itself may lack what the process needs, so it does not start. Not hot.

import type { KubeClient } from './types.ts';

export const DEFAULT_MIN_VERSION = 'v1.34.0';
const VERSION = /^v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+].*)?$/;

/** Numbers of `v1.34.0`, `1.34`, `v1.34.1-gke.7`; null when it is none of that kind. */
export function parseVersion(text: string): readonly number[] | null {
  const parts = VERSION.exec(text.trim());
  return parts === null ? null : [1, 2, 3].map((part) => Number(parts[part] ?? 0));
}

/** Pre-releases count as their release: distributions mark builds that way. */
export function isOlder(version: readonly number[], than: readonly number[]): boolean {
  const at = version.findIndex((part, index) => part !== than[index]);
  return at >= 0 && version[at]! < than[at]!;
}

/** Rejects when the API is older, or does not say. `minimum` was parsed already. */
export async function requireVersion(client: KubeClient, minimum: string): Promise<void> {
  const answer = await client.request('GET', '/version');
  const chunks: Buffer[] = [];
  for await (const chunk of answer.body) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const { gitVersion = '' } = JSON.parse(text) as { gitVersion?: string };
  const version = parseVersion(gitVersion);
  if (version !== null && !isOlder(version, parseVersion(minimum)!)) return;
  throw new Error(
    `kubernetes version "${gitVersion}" is not compatible, need at least "${minimum}" ` +
      '(this can be overridden with the env var "KUBERNETES_MIN_VERSION")',
  );
}
