// Garbage collection by owner (KN-201, KN-203): deletes what all owners have left behind, drops
// dead references of what still has one, and finishes foreground and orphaning deletions.
// Invariants: nothing is deleted on the word of a cache alone (an owner the cache does not know is
// asked for); every delete names the uid it means; an owner of a kind we do not know is never
// judged gone. Event-driven: work is queued by the events that can change a verdict.

import { type Kind, resourceName } from '../../api/kinds.ts';
import { type KubeObject, type OwnerReference, objectKey, splitKey } from '../../api/objects.ts';
import {
  type Informer,
  isConflict,
  isNotFound,
  type KubeClient,
  type ReconcileResult,
  type Reconciler,
} from '../../kube/types.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { type ItemKey, itemKey, Ownership } from './ownership.ts';
import {
  FOREGROUND_FINALIZER,
  judgeDependent,
  ORPHAN_FINALIZER,
  type OwnerState,
} from './verdict.ts';

export interface CollectorDeps {
  client: KubeClient;
  /** One per collected kind. */
  informers: readonly Informer<KubeObject>[];
  logger: Logger;
}

interface Item {
  kind: Kind;
  object: KubeObject;
}

export class CollectorReconciler implements Reconciler {
  readonly #deps: CollectorDeps;
  readonly #ownership = new Ownership();
  readonly #byResource = new Map<string, Informer<KubeObject>>();
  #enqueue: (key: ItemKey) => void = () => undefined;

  constructor(deps: CollectorDeps) {
    this.#deps = deps;
    for (const informer of deps.informers) {
      this.#byResource.set(resourceName(informer.kind), informer);
    }
  }

  /** Calls `enqueue` with the key of every object whose verdict may have changed. */
  watch(enqueue: (key: ItemKey) => void): void {
    this.#enqueue = enqueue;
    for (const informer of this.#deps.informers) {
      informer.onChange((current, previous) => this.#onChange(informer.kind, current, previous));
    }
  }

  async reconcile(key: ItemKey): Promise<ReconcileResult | undefined> {
    const item = this.#find(key);
    if (item === undefined) return undefined;
    const { deletionTimestamp, finalizers = [] } = item.object.metadata;
    if (deletionTimestamp === undefined) await this.#judge(key, item);
    else if (finalizers.includes(ORPHAN_FINALIZER)) await this.#orphanDependents(item);
    else if (finalizers.includes(FOREGROUND_FINALIZER)) await this.#finishForeground(item);
    return undefined;
  }

  #onChange(kind: Kind, current: KubeObject | null, previous: KubeObject | null): void {
    this.#ownership.update(kind, current, previous);
    const object = current ?? previous;
    if (object === null) return;
    const { uid = '', ownerReferences = [] } = object.metadata;
    if (current === null) {
      for (const dependent of this.#ownership.dependentsOf(uid)) this.#enqueue(dependent);
    } else if (needsLook(current) || !this.#hasOnlyLivingOwners(current)) {
      this.#enqueue(itemKey(kind, current));
    }
    // Owners waiting for their dependents look again whenever one of those changes.
    for (const owner of [...ownerReferences, ...(previous?.metadata.ownerReferences ?? [])]) {
      const ownerKey = this.#ownership.find(owner.uid);
      if (ownerKey !== undefined && this.#isLeaving(ownerKey)) this.#enqueue(ownerKey);
    }
  }

  #find(key: ItemKey): Item | undefined {
    const space = key.indexOf(' ');
    const informer = this.#byResource.get(key.slice(0, space));
    const object = informer?.lister.getByKey(key.slice(space + 1));
    return informer === undefined || object === undefined
      ? undefined
      : { kind: informer.kind, object };
  }

  /** As far as the caches know, and without judging those they do not know. */
  #hasOnlyLivingOwners({ metadata }: KubeObject): boolean {
    return (metadata.ownerReferences ?? []).every(
      ({ uid }) => this.#knownState(uid, metadata.namespace ?? '') === 'living',
    );
  }

  /** null = not in any cache. */
  #knownState(uid: string, dependentNamespace: string): OwnerState | null {
    if (this.#ownership.isGone(uid)) return 'gone';
    const ownerKey = this.#ownership.find(uid);
    if (ownerKey === undefined) return null;
    // A cluster-scoped dependent cannot name its owner's namespace: nothing to compare.
    const ownerNamespace = this.#ownership.namespaceOf(uid);
    const isComparable = ownerNamespace !== '' && dependentNamespace !== '';
    if (isComparable && ownerNamespace !== dependentNamespace) return 'gone';
    return this.#isLeaving(ownerKey) ? 'leaving' : 'living';
  }

  #isLeaving(key: ItemKey): boolean {
    const metadata = this.#find(key)?.object.metadata;
    const isForeground = metadata?.finalizers?.includes(FOREGROUND_FINALIZER) === true;
    return metadata?.deletionTimestamp !== undefined && isForeground;
  }

  async #judge(key: ItemKey, { kind, object }: Item): Promise<void> {
    const { ownerReferences = [], uid = '', namespace, name, resourceVersion } = object.metadata;
    const states = await Promise.all(ownerReferences.map((ref) => this.#stateOf(ref, object)));
    const hasDependents = this.#ownership.dependentsOf(uid).length > 0;
    const verdict = judgeDependent(ownerReferences, states, hasDependents);
    if (verdict.action === 'keep') return;
    if (verdict.action === 'delete') {
      const { propagationPolicy } = verdict;
      this.#deps.logger.debug({ object: key }, 'all owners are gone, deleting');
      await settled(
        this.#deps.client.delete(kind, { namespace, name }, { uid, propagationPolicy }),
      );
      return;
    }
    const { ownerReferences: remaining } = verdict;
    await this.#patchMetadata(kind, object, { resourceVersion, ownerReferences: remaining });
  }

  async #stateOf(reference: OwnerReference, dependent: KubeObject): Promise<OwnerState> {
    const namespace = dependent.metadata.namespace ?? '';
    return this.#knownState(reference.uid, namespace) ?? this.#askFor(reference, namespace);
  }

  /** The cache does not know this owner: it may be newer than the cache. */
  async #askFor(reference: OwnerReference, namespace: string): Promise<OwnerState> {
    const kind = this.#kindOf(reference);
    if (kind === undefined || (kind.namespaced && namespace === '')) return 'living';
    try {
      const key = { namespace: kind.namespaced ? namespace : undefined, name: reference.name };
      const owner = await this.#deps.client.get(kind, key);
      if (owner.metadata.uid === reference.uid) return 'living';
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    this.#ownership.markGone(reference.uid);
    return 'gone';
  }

  /** By group and kind: a reference made through another version means the same object. */
  #kindOf(reference: OwnerReference): Kind | undefined {
    const slash = reference.apiVersion.indexOf('/');
    const group = slash < 0 ? '' : reference.apiVersion.slice(0, slash);
    for (const { kind } of this.#deps.informers) {
      if (kind.kind === reference.kind && kind.group === group) return kind;
    }
    return undefined;
  }

  async #finishForeground({ kind, object }: Item): Promise<void> {
    const { uid = '' } = object.metadata;
    let isBlocked = false;
    for (const dependentKey of this.#ownership.dependentsOf(uid)) {
      const dependent = this.#find(dependentKey);
      if (dependent === undefined) continue;
      const { deletionTimestamp, ownerReferences = [] } = dependent.object.metadata;
      if (deletionTimestamp === undefined) this.#enqueue(dependentKey);
      const reference = ownerReferences.find((one) => one.uid === uid);
      isBlocked ||= reference?.blockOwnerDeletion === true;
    }
    if (!isBlocked) await this.#dropFinalizer(kind, object, FOREGROUND_FINALIZER);
  }

  async #orphanDependents({ kind, object }: Item): Promise<void> {
    const { uid = '' } = object.metadata;
    const releases = this.#ownership.dependentsOf(uid).map(async (dependentKey) => {
      const dependent = this.#find(dependentKey);
      if (dependent === undefined) return;
      const { ownerReferences = [], resourceVersion } = dependent.object.metadata;
      const remaining = ownerReferences.filter((reference) => reference.uid !== uid);
      const metadata = { resourceVersion, ownerReferences: remaining };
      await this.#patchMetadata(dependent.kind, dependent.object, metadata);
    });
    await Promise.all(releases);
    await this.#dropFinalizer(kind, object, ORPHAN_FINALIZER);
  }

  async #dropFinalizer(kind: Kind, object: KubeObject, finalizer: string): Promise<void> {
    const { resourceVersion, finalizers = [] } = object.metadata;
    const remaining = finalizers.filter((one) => one !== finalizer);
    await this.#patchMetadata(kind, object, { resourceVersion, finalizers: remaining });
  }

  /** Conditional on the version the decision was made from; a conflict is retried by the queue. */
  async #patchMetadata(kind: Kind, object: KubeObject, metadata: object): Promise<void> {
    const { namespace, name } = splitKey(objectKey(object));
    const key = { namespace: namespace === '' ? undefined : namespace, name };
    try {
      await this.#deps.client.patch(kind, key, { type: 'merge', body: { metadata } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

function needsLook(object: KubeObject): boolean {
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  if (deletionTimestamp === undefined) return false;
  return finalizers.includes(FOREGROUND_FINALIZER) || finalizers.includes(ORPHAN_FINALIZER);
}

/** Gone already, or another object by that name: either way there is nothing left to delete. */
async function settled(deletion: Promise<void>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
