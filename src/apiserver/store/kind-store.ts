// All objects of one kind. Readers see committed state only; writers also see what is on its way to
// the database, so two writes to one object never build on the same state.
// Invariant: `latest` is what the next write must build on; `get` and `list` never show more than
// what has been published to watchers.

import type { Kind } from '../../api/kinds.ts';
import { ChangeHistory } from './change-history.ts';
import type { Change, Stored } from './stored.ts';

/** Gets every change of its kind, in order, in the turn it is published. Must not throw. */
export interface ChangeListener {
  changed(change: Change): void;
}

export class KindStore {
  readonly kind: Kind;
  readonly history: ChangeHistory;
  readonly listeners = new Set<ChangeListener>();
  readonly #committed = new Map<string, Stored>();
  /** The last write per key that is handed to the database but not yet acknowledged. */
  readonly #pending = new Map<string, Change>();
  #sortedKeys: string[] | null = null;

  constructor(kind: Kind, loaded: readonly Stored[], startRevision: number, maxHistory?: number) {
    this.kind = kind;
    this.history = new ChangeHistory(startRevision, maxHistory);
    for (const stored of loaded) this.#committed.set(stored.key, stored);
  }

  get size(): number {
    return this.#committed.size;
  }

  get(key: string): Stored | undefined {
    return this.#committed.get(key);
  }

  /** The newest state, acknowledged or not: what a write must be based on. */
  latest(key: string): Stored | undefined {
    const pending = this.#pending.get(key);
    if (pending === undefined) return this.#committed.get(key);
    return pending.type === 'DELETED' ? undefined : pending.stored;
  }

  isPending(key: string): boolean {
    return this.#pending.has(key);
  }

  setPending(change: Change): void {
    this.#pending.set(change.stored.key, change);
  }

  /** Forgets a write, because it is published or because the database refused it. */
  dropPending(change: Change): void {
    if (this.#pending.get(change.stored.key) === change) this.#pending.delete(change.stored.key);
  }

  publish(change: Change): void {
    const { key } = change.stored;
    this.dropPending(change);
    if (change.type === 'DELETED') this.#committed.delete(key);
    else this.#committed.set(key, change.stored);
    if (change.type !== 'MODIFIED') this.#sortedKeys = null;
    this.history.add(change);
    for (const listener of this.listeners) listener.changed(change);
  }

  /** Everything, or one namespace, ordered by namespace and name (KN-151). */
  list(namespace: string): Stored[] {
    const keys = this.#keys();
    const from = namespace === '' ? 0 : lowerBound(keys, `${namespace}\u0000`);
    const to = namespace === '' ? keys.length : lowerBound(keys, `${namespace}\u0001`);
    const found = new Array<Stored>(to - from);
    for (let index = from; index < to; index += 1) {
      found[index - from] = this.#committed.get(keys[index]!)!;
    }
    return found;
  }

  /** As `list`, at an earlier revision; only for `revision >= history.droppedThrough`. */
  listAt(namespace: string, revision: number): Stored[] {
    const before = this.history.undoTo(revision);
    const found = this.list(namespace).filter((stored) => !before.has(stored.key));
    const prefix = namespace === '' ? '' : `${namespace}\u0000`;
    for (const [key, stored] of before) {
      if (stored !== null && key.startsWith(prefix)) found.push(stored);
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #keys(): string[] {
    this.#sortedKeys ??= [...this.#committed.keys()].sort();
    return this.#sortedKeys;
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
