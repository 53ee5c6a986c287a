// Who exists and who depends on whom, by uid: the garbage collector's view of all objects, kept
// from informer events. A uid that is gone never comes back, so the last ones are remembered and
// need no question to the server. Invariants: `dependentsOf` holds exactly the objects whose
// ownerReferences name the uid; the memory of gone uids is bounded, forgetting one only costs a
// request.

import type { Kind } from '../../api/kinds.ts';
import { resourceName } from '../../api/kinds.ts';
import { type KubeObject, objectKey } from '../../api/objects.ts';

/** Uids known to be gone; the oldest is forgotten. */
export const MAX_GONE_UIDS = 10_000;

/** `resource namespace/name`: the collector's work queue key. */
export type ItemKey = string;

export const itemKey = (kind: Kind, object: KubeObject): ItemKey =>
  `${resourceName(kind)} ${objectKey(object)}`;

export class Ownership {
  readonly #living = new Map<string, ItemKey>();
  readonly #namespaces = new Map<string, string>();
  readonly #dependents = new Map<string, Set<ItemKey>>();
  readonly #gone = new Set<string>();

  /** `previous` null = new, `current` null = deleted; otherwise the same object changed. */
  update(kind: Kind, current: KubeObject | null, previous: KubeObject | null): void {
    if (previous !== null) this.#unlink(itemKey(kind, previous), previous);
    if (current !== null) {
      this.#link(itemKey(kind, current), current);
      return;
    }
    const uid = previous?.metadata.uid;
    if (uid === undefined) return;
    this.#living.delete(uid);
    this.#namespaces.delete(uid);
    this.markGone(uid);
  }

  markGone(uid: string): void {
    this.#gone.add(uid);
    if (this.#gone.size <= MAX_GONE_UIDS) return;
    const oldest = this.#gone.values().next().value;
    if (oldest !== undefined) this.#gone.delete(oldest);
  }

  isGone(uid: string): boolean {
    return this.#gone.has(uid);
  }

  /** The living object of this uid. */
  find(uid: string): ItemKey | undefined {
    return this.#living.get(uid);
  }

  /** Its namespace; empty when it is cluster-scoped or unknown. */
  namespaceOf(uid: string): string {
    return this.#namespaces.get(uid) ?? '';
  }

  dependentsOf(uid: string): ItemKey[] {
    return [...(this.#dependents.get(uid) ?? [])];
  }

  #link(key: ItemKey, object: KubeObject): void {
    const { uid, namespace, ownerReferences } = object.metadata;
    if (uid !== undefined) {
      this.#living.set(uid, key);
      if (namespace !== undefined) this.#namespaces.set(uid, namespace);
    }
    for (const { uid: owner } of ownerReferences ?? []) {
      let dependents = this.#dependents.get(owner);
      if (dependents === undefined) {
        dependents = new Set();
        this.#dependents.set(owner, dependents);
      }
      dependents.add(key);
    }
  }

  #unlink(key: ItemKey, object: KubeObject): void {
    for (const { uid: owner } of object.metadata.ownerReferences ?? []) {
      const dependents = this.#dependents.get(owner);
      dependents?.delete(key);
      if (dependents?.size === 0) this.#dependents.delete(owner);
    }
  }
}
