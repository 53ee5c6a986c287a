// The cache behind one informer: objects by key, with indexes built the first time they are asked
// for and kept up to date from then on. Listers read it, only the informer writes it.
// Invariants: every index holds exactly the objects the store holds; objects are shared, so readers
// never change them. Warm: once per event and per lookup.

import type { KubeObject } from '../api/objects.ts';
import { controllerOf, joinKey, objectKey } from '../api/objects.ts';
import type { Lister } from './types.ts';

/**
 * Label names with an index; queries for further names scan. Names come from code, not from users.
 */
export const MAX_LABEL_INDEXES = 16;

type IndexKeyOf = (object: KubeObject) => string | undefined;

class Index<T extends KubeObject> {
  readonly #keyOf: IndexKeyOf;
  readonly #buckets = new Map<string, Map<string, T>>();

  constructor(keyOf: IndexKeyOf, objects: Iterable<T>) {
    this.#keyOf = keyOf;
    for (const object of objects) this.add(object);
  }

  add(object: T): void {
    const bucketKey = this.#keyOf(object);
    if (bucketKey === undefined) return;
    let bucket = this.#buckets.get(bucketKey);
    if (bucket === undefined) {
      bucket = new Map();
      this.#buckets.set(bucketKey, bucket);
    }
    bucket.set(objectKey(object), object);
  }

  remove(object: T): void {
    const bucketKey = this.#keyOf(object);
    if (bucketKey === undefined) return;
    const bucket = this.#buckets.get(bucketKey);
    bucket?.delete(objectKey(object));
    if (bucket?.size === 0) this.#buckets.delete(bucketKey);
  }

  find(bucketKey: string): T[] {
    return [...(this.#buckets.get(bucketKey)?.values() ?? [])];
  }
}

export class ObjectStore<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<string, T>();
  readonly #labelIndexes = new Map<string, Index<T>>();
  #namespaceIndex: Index<T> | null = null;
  #ownerIndex: Index<T> | null = null;

  get size(): number {
    return this.#objects.size;
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(joinKey(namespace, name));
  }

  getByKey(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): T[] {
    if (namespace === undefined || namespace === '') return [...this.#objects.values()];
    this.#namespaceIndex ??= this.#build((object) => object.metadata.namespace);
    return this.#namespaceIndex.find(namespace);
  }

  byLabel(name: string, value: string): T[] {
    const existing = this.#labelIndexes.get(name);
    if (existing !== undefined) return existing.find(value);
    if (this.#labelIndexes.size >= MAX_LABEL_INDEXES) {
      return this.list().filter((object) => object.metadata.labels?.[name] === value);
    }
    const index = this.#build((object) => object.metadata.labels?.[name]);
    this.#labelIndexes.set(name, index);
    return index.find(value);
  }

  byOwner(uid: string): T[] {
    this.#ownerIndex ??= this.#build((object) => controllerOf(object)?.uid);
    return this.#ownerIndex.find(uid);
  }

  /** Adds or replaces. */
  set(object: T): void {
    const key = objectKey(object);
    const previous = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const index of this.#indexes()) {
      if (previous !== undefined) index.remove(previous);
      index.add(object);
    }
  }

  remove(object: T): void {
    if (!this.#objects.delete(objectKey(object))) return;
    for (const index of this.#indexes()) index.remove(object);
  }

  #build(keyOf: IndexKeyOf): Index<T> {
    return new Index(keyOf, this.#objects.values());
  }

  *#indexes(): Iterable<Index<T>> {
    if (this.#namespaceIndex !== null) yield this.#namespaceIndex;
    if (this.#ownerIndex !== null) yield this.#ownerIndex;
    yield* this.#labelIndexes.values();
  }
}
