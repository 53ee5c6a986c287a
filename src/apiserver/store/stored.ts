// What the store holds and hands out. A stored object is parsed once and serialised once; both
// forms are shared by lists, watches and the database and never change: a write makes a new one.

import { apiVersionOf, type Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';

export interface Stored {
  /** `namespace NUL name`: sorts by namespace, then name, in byte order (KN-151). */
  readonly key: string;
  /** Frozen by convention. */
  readonly object: KubeObject;
  readonly json: string;
  /** The number behind `metadata.resourceVersion`. */
  readonly revision: number;
}

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/**
 * One committed write. `stored` is the new state; for DELETED the final one, at its own revision.
 */
export interface Change {
  readonly type: ChangeType;
  readonly revision: number;
  readonly stored: Stored;
  /** The state before; null for ADDED. */
  readonly previous: Stored | null;
}

/** As the version of `kind` shows it: versions of a kind differ in nothing but the name. */
export function inVersion<T extends Pick<Stored, 'object' | 'json'>>(kind: Kind, stored: T): T {
  const apiVersion = apiVersionOf(kind);
  if (stored.object.apiVersion === apiVersion) return stored;
  const object = { ...stored.object, apiVersion };
  return { ...stored, object, json: JSON.stringify(object) };
}

/** Names the objects of a kind whatever its version: versions share them. */
export function resourceKey({ group, plural }: Pick<Kind, 'group' | 'plural'>): string {
  return `${group}/${plural}`;
}

export function storeKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}\u0000${name}`;
}

export function namespaceOfKey(key: string): string {
  return key.slice(0, key.indexOf('\u0000'));
}
