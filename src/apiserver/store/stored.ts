// What the store holds and hands out. A stored object is parsed once and serialised once; both
// forms are shared by lists, watches and the database and never change: a write makes a new one.

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

export function storeKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}\u0000${name}`;
}

export function namespaceOfKey(key: string): string {
  return key.slice(0, key.indexOf('\u0000'));
}
