// A cache of one kind and the calls that say what changed in it. Turns whatever a server sends
// (lists, events, repeated events, gaps) into a consistent series of changes. Invariants: handlers
// see a change only after the cache holds it; per object the series is add, changes, delete; a
// deleted and recreated object (another uid) is a delete followed by an add even if the server
// showed one update; a handler that throws costs its own call only.

import type { Kind } from '../api/kinds.ts';
import { type KubeObject, objectKey } from '../api/objects.ts';
import type { Logger } from '../telemetry/logger.ts';
import { ObjectStore } from './object-store.ts';
import type { ChangeHandler, Informer, Lister } from './types.ts';

/** Handlers of one informer; one more is a programming error. */
export const MAX_HANDLERS = 256;

export class CachingInformer<T extends KubeObject> implements Informer<T> {
  readonly kind: Kind;
  readonly #logger: Logger;
  readonly #store = new ObjectStore<T>();
  /** Replaced, never changed: a delivery under way keeps the list it started with. */
  #handlers: readonly ChangeHandler<T>[] = [];
  #isSynced = false;
  readonly #synced: Promise<void>;
  #resolveSynced: () => void = () => undefined;

  constructor(kind: Kind, logger: Logger) {
    this.kind = kind;
    this.#logger = logger;
    this.#synced = new Promise((resolve) => {
      this.#resolveSynced = resolve;
    });
  }

  get lister(): Lister<T> {
    return this.#store;
  }

  onChange(handler: ChangeHandler<T>): () => void {
    if (this.#handlers.length >= MAX_HANDLERS) {
      throw new Error(`more than ${MAX_HANDLERS} handlers on the informer of ${this.kind.plural}`);
    }
    // Wrapped, so that the same function added twice is two handlers.
    const own: ChangeHandler<T> = (current, previous) => handler(current, previous);
    this.#handlers = [...this.#handlers, own];
    for (const object of this.#store.list()) this.#call(own, object, null);
    return () => {
      this.#handlers = this.#handlers.filter((existing) => existing !== own);
    };
  }

  hasSynced(): boolean {
    return this.#isSynced;
  }

  whenSynced(): Promise<void> {
    return this.#synced;
  }

  /** The whole current state, after a list: delivers the difference to what was cached. */
  replace(objects: readonly T[]): void {
    const handlers = this.#handlers;
    const keys = new Set(objects.map(objectKey));
    for (const cached of this.#store.list()) {
      if (!keys.has(objectKey(cached))) this.#delete(cached, handlers);
    }
    for (const object of objects) this.#upsert(object, handlers, true);
    if (this.#isSynced) return;
    this.#isSynced = true;
    this.#resolveSynced();
  }

  /** ADDED or MODIFIED: which of the two is decided by the cache, not by the server. */
  upsert(object: T): void {
    this.#upsert(object, this.#handlers, false);
  }

  /** DELETED, with the object's last state. */
  remove(object: T): void {
    const cached = this.#store.getByKey(objectKey(object));
    if (cached === undefined || cached.metadata.uid !== object.metadata.uid) return;
    this.#delete(cached, this.#handlers);
  }

  /** A list is the truth even if its versions are lower: a server may have lost its state. */
  #upsert(object: T, handlers: readonly ChangeHandler<T>[], isListed: boolean): void {
    const cached = this.#store.getByKey(objectKey(object));
    if (cached !== undefined && !isListed && isOlder(object, cached)) return;
    if (cached === undefined) {
      this.#store.set(object);
      this.#deliver(handlers, object, null);
    } else if (cached.metadata.uid !== object.metadata.uid) {
      this.#delete(cached, handlers);
      this.#store.set(object);
      this.#deliver(handlers, object, null);
    } else {
      if (cached.metadata.resourceVersion === object.metadata.resourceVersion) return;
      this.#store.set(object);
      this.#deliver(handlers, object, cached);
    }
  }

  #delete(cached: T, handlers: readonly ChangeHandler<T>[]): void {
    this.#store.remove(cached);
    this.#deliver(handlers, null, cached);
  }

  #deliver(handlers: readonly ChangeHandler<T>[], current: T | null, previous: T | null): void {
    for (const handler of handlers) this.#call(handler, current, previous);
  }

  #call(handler: ChangeHandler<T>, current: T | null, previous: T | null): void {
    try {
      handler(current, previous);
    } catch (error) {
      const object = current ?? previous;
      const key = object === null ? '' : objectKey(object);
      this.#logger.error({ kind: this.kind.kind, key, error }, 'informer handler failed');
    }
  }
}

/** Versions are numbers from one counter (KN-150); anything else cannot be ordered. */
function isOlder(object: KubeObject, cached: KubeObject): boolean {
  const seen = Number(cached.metadata.resourceVersion);
  return Number(object.metadata.resourceVersion) < seen;
}
