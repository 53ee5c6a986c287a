// Small rules about owned objects that several reconcilers share.

import type { Kind } from '../api/kinds.ts';
import { controllerOf, type KubeObject } from '../api/objects.ts';
import { isAlreadyExists, type KubeClient } from '../kube/types.ts';

export function isControlledBy(child: KubeObject, owner: KubeObject): boolean {
  return controllerOf(child)?.uid === owner.metadata.uid;
}

/** `map` without `keys`. */
export function withoutKeys(
  map: Record<string, string> | undefined,
  keys: Iterable<string>,
): Record<string, string> {
  const dropped = new Set(keys);
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => !dropped.has(key)));
}

/** Metadata maps that are empty are left out of objects. */
export function mapMembers(members: {
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}): { labels?: Record<string, string>; annotations?: Record<string, string> } {
  const kept: { labels?: Record<string, string>; annotations?: Record<string, string> } = {};
  if (Object.keys(members.labels ?? {}).length > 0) kept.labels = members.labels!;
  if (Object.keys(members.annotations ?? {}).length > 0) kept.annotations = members.annotations!;
  return kept;
}

/**
 * Creates a child; when the cache had not seen yet that it exists, reads it instead. `created` tells
 * which it was, so that the event is recorded once.
 */
export async function createOrGet<T extends KubeObject>(
  client: KubeClient,
  kind: Kind,
  desired: T,
): Promise<{ object: T; created: boolean }> {
  try {
    return { object: await client.create(kind, desired), created: true };
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const { namespace, name } = desired.metadata;
    return { object: await client.get<T>(kind, { namespace, name }), created: false };
  }
}
