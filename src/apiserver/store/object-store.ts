// Commits writes: one counter for the whole server, atomic batches, each with the writes of one
// turn of the event loop and those that came while the database was busy. A write becomes visible,
// is sent to watchers and is acknowledged only after the database has taken it, in revision order,
// so nothing anybody saw can be taken back by a crash.
// Hot: the wake path waits for one commit (~0.1 ms).

import type { Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';
import { internalError, tooLarge, tooManyRequests } from '../status-error.ts';
import { KindStore } from './kind-store.ts';
import { type Change, resourceKey, type Stored } from './stored.ts';

/** Writes waiting for the database; more are answered 429. */
export const MAX_PENDING_WRITES = 20_000;
/** KN-211: stored size of one object, in characters of JSON. */
export const MAX_STORED_CHARS = 1536 * 1024;
/** Writes in one database batch. */
const MAX_BATCH_WRITES = 512;

/** Persistence behind the store. */
export interface StoreBackend {
  /** Takes all changes or none; resolves once they would survive the death of this process. */
  write(changes: readonly Persisted[], revision: number): Promise<void>;
  close(): Promise<void>;
}

export interface Persisted {
  kind: Kind;
  change: Change;
}

export interface LoadedState {
  revision: number;
  /** By `resourceKey`. */
  objects: ReadonlyMap<string, readonly Stored[]>;
}

interface QueuedWrite extends Persisted {
  kinds: KindStore;
  resolve: (stored: Stored) => void;
  reject: (error: unknown) => void;
}

export interface StoreOptions {
  kinds: readonly Kind[];
  loaded: LoadedState;
  /** null = memory only. */
  backend: StoreBackend | null;
  /** Told about a database that refused a batch. */
  onWriteFailure?: (error: unknown) => void;
  maxHistory?: number;
}

export class ObjectStore {
  readonly #kinds = new Map<string, KindStore>();
  /** Rows come and go with definitions; a look-up by row saves making the key. */
  readonly #byKind = new WeakMap<Kind, KindStore>();
  readonly #loaded: Map<string, readonly Stored[]>;
  readonly #maxHistory: number | undefined;
  readonly #backend: StoreBackend | null;
  readonly #onWriteFailure: (error: unknown) => void;
  #queue: QueuedWrite[] = [];
  #draining: Promise<void> | null = null;
  #assigned: number;
  #published: number;
  readonly #revisionWaiters = new Set<() => void>();

  constructor(options: StoreOptions) {
    const { loaded, backend } = options;
    this.#assigned = loaded.revision;
    this.#published = loaded.revision;
    this.#backend = backend;
    this.#onWriteFailure = options.onWriteFailure ?? (() => undefined);
    this.#loaded = new Map(loaded.objects);
    this.#maxHistory = options.maxHistory;
    for (const kind of options.kinds) this.serve(kind);
  }

  /**
   * From now on `kind` has a place here; of several versions the first one served names it. Finds
   * what the database held of it.
   */
  serve(kind: Kind): KindStore {
    const key = resourceKey(kind);
    const known = this.#kinds.get(key);
    if (known !== undefined) return known;
    const objects = this.#loaded.get(key) ?? [];
    this.#loaded.delete(key);
    const kinds = new KindStore(kind, objects, this.#published, this.#maxHistory);
    this.#kinds.set(key, kinds);
    return kinds;
  }

  /** The kind is gone, and all its objects are. */
  forget(kind: Kind): void {
    this.#kinds.delete(resourceKey(kind));
    this.#byKind.delete(kind);
  }

  /** Objects in the database of kinds nobody serves. */
  get unservedObjects(): number {
    return [...this.#loaded.values()].reduce((sum, objects) => sum + objects.length, 0);
  }

  /** Revision of the last published write; what lists and bookmarks report. */
  get revision(): number {
    return this.#published;
  }

  of(kind: Kind): KindStore {
    let found = this.#byKind.get(kind);
    if (found !== undefined) return found;
    found = this.#kinds.get(resourceKey(kind));
    if (found === undefined) throw new Error(`kind ${kind.kind} is not served`);
    this.#byKind.set(kind, found);
    return found;
  }

  kinds(): Iterable<KindStore> {
    return this.#kinds.values();
  }

  /**
   * Stores `object`, whose `metadata` must be the caller's own (its resourceVersion is set here).
   * The caller has just read `latest` in this same turn and decided on it.
   */
  put(kind: Kind, key: string, object: KubeObject): Promise<Stored> {
    const kinds = this.of(kind);
    const previous = kinds.latest(key) ?? null;
    const stored = this.#serialise(key, object);
    const type = previous === null ? 'ADDED' : 'MODIFIED';
    return this.#enqueue(kinds, { type, revision: stored.revision, stored, previous });
  }

  /** Removes `current`; resolves with its final state at the revision of the deletion. */
  remove(kind: Kind, current: Stored, final: KubeObject = current.object): Promise<Stored> {
    const kinds = this.of(kind);
    const object = { ...final, metadata: { ...final.metadata } };
    const stored = this.#serialise(current.key, object);
    const change: Change = {
      type: 'DELETED',
      revision: stored.revision,
      stored,
      previous: current,
    };
    return this.#enqueue(kinds, change);
  }

  /** Resolves when `key` has no write under way: what was read with `latest` is then durable. */
  async settled(kind: Kind, key: string): Promise<void> {
    while (this.of(kind).isPending(key) && this.#draining !== null) await this.#draining;
  }

  /** Calls back in the turn a later revision is published. Returns a remove function. */
  onRevision(callback: () => void): () => void {
    this.#revisionWaiters.add(callback);
    return () => this.#revisionWaiters.delete(callback);
  }

  /** Waits for writes under way, then closes the database. */
  async close(): Promise<void> {
    while (this.#draining !== null) await this.#draining;
    await this.#backend?.close();
  }

  #serialise(key: string, object: KubeObject): Stored {
    if (this.#queue.length >= MAX_PENDING_WRITES) {
      throw tooManyRequests('too many writes are waiting for the disk, please try again later');
    }
    const revision = this.#assigned + 1;
    object.metadata.resourceVersion = String(revision);
    const json = JSON.stringify(object);
    if (json.length > MAX_STORED_CHARS) {
      throw tooLarge(`etcdserver: request is too large: limit is ${MAX_STORED_CHARS} bytes`);
    }
    this.#assigned = revision;
    return { key, object, json, revision };
  }

  #enqueue(kinds: KindStore, change: Change): Promise<Stored> {
    if (this.#backend === null) {
      this.#publish(kinds, change);
      return Promise.resolve(change.stored);
    }
    kinds.setPending(change);
    return new Promise((resolve, reject) => {
      this.#queue.push({ kind: kinds.kind, kinds, change, resolve, reject });
      this.#draining ??= this.#drain(this.#backend!);
    });
  }

  async #drain(backend: StoreBackend): Promise<void> {
    // Requests read in the same turn share the batch; alone, a write loses a few microseconds.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, MAX_BATCH_WRITES);
      try {
        await backend.write(batch, batch[batch.length - 1]!.change.revision);
      } catch (error) {
        this.#refuse([...batch, ...this.#queue.splice(0)], error);
        continue;
      }
      for (const write of batch) {
        this.#publish(write.kinds, write.change);
        write.resolve(write.change.stored);
      }
    }
    this.#draining = null;
  }

  /** Later writes may build on refused ones, so all that wait fail together; clients try again. */
  #refuse(writes: readonly QueuedWrite[], error: unknown): void {
    this.#onWriteFailure(error);
    for (const write of writes) {
      write.kinds.dropPending(write.change);
      write.reject(internalError(`the database refused the write: ${String(error)}`));
    }
  }

  #publish(kinds: KindStore, change: Change): void {
    this.#published = change.revision;
    kinds.publish(change);
    for (const callback of this.#revisionWaiters) callback();
  }
}
