// Deletion (KN-200 to KN-206). An object goes at once unless something holds it: finalizers, a
// pod's grace period, a namespace's content. Then it is only marked, and vanishes with the write
// that removes the last hold. Collecting dependents is the garbage collector's work, through the
// API: this file only puts the `foregroundDeletion` and `orphan` finalizers it acts on.

import { apiVersionOf, type Kind, Namespace, Pod } from '../api/kinds.ts';
import type { ApiStatus, KubeObject } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { timestamp } from './object-meta.ts';
import {
  conflict,
  deletedStatus,
  forbidden,
  invalid,
  modifiedConflict,
  notFound,
  type StatusError,
  type Violation,
} from './status-error.ts';
import type { ObjectStore } from './store/object-store.ts';
import { type Stored, storeKey } from './store/stored.ts';
import { asWritten, isReadyToVanish, type WriteRequest, type Written } from './write-request.ts';
import { MAX_WRITE_ATTEMPTS, type ObjectWriter } from './writer.ts';

export type PropagationPolicy = 'Background' | 'Foreground' | 'Orphan';

export interface DeleteOptions {
  propagationPolicy: PropagationPolicy;
  /** null = the kind's own. */
  gracePeriodSeconds: number | null;
  uid: string | null;
  resourceVersion: string | null;
}

export type Deleted = { gone: ApiStatus; final: Written } | { gone: null; final: Written };

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';
const DEFAULT_POD_GRACE_SECONDS = 30;
/** KN-205. */
const PROTECTED_NAMESPACES = new Set(['default', 'kube-system', 'kube-public']);

export class ObjectDeleter {
  readonly #store: ObjectStore;
  readonly #writer: ObjectWriter;
  readonly #clock: Clock;

  readonly #checkDelete: (kind: Kind, name: string) => void;
  readonly #collects: (kind: Kind) => boolean;

  /**
   * `checkDelete` throws for what may not go; `collects` knows the kinds the garbage collector looks
   * after.
   */
  constructor(deps: {
    store: ObjectStore;
    writer: ObjectWriter;
    clock: Clock;
    checkDelete?: (kind: Kind, name: string) => void;
    collects?: (kind: Kind) => boolean;
  }) {
    this.#collects = deps.collects ?? (() => true);
    this.#checkDelete = deps.checkDelete ?? (() => undefined);
    this.#store = deps.store;
    this.#writer = deps.writer;
    this.#clock = deps.clock;
  }

  async delete(request: WriteRequest, asked: DeleteOptions): Promise<Deleted> {
    const { kind, namespace, name } = request;
    // Nobody would take the finalizer off again.
    const options = this.#collects(kind)
      ? asked
      : { ...asked, propagationPolicy: 'Background' as const };
    const kinds = this.#store.of(kind);
    const key = storeKey(namespace, name);
    for (let attempt = 1; attempt <= MAX_WRITE_ATTEMPTS; attempt += 1) {
      const current = kinds.latest(key);
      if (current === undefined) throw notFound(kind, name);
      this.#checkAllowed(kind, current, options);
      await this.#writer.admitDelete(request, current);
      if (kinds.latest(key) === current) return this.#commit(request, current, options);
    }
    throw modifiedConflict(kind, name);
  }

  #checkAllowed(kind: Kind, current: Stored, options: DeleteOptions): void {
    const { name, uid, resourceVersion } = current.object.metadata;
    // Kubernetes names the kind here, not the resource.
    const named = { ...kind, plural: kind.kind };
    if (options.uid !== null && options.uid !== uid) {
      throw conflict(named, name, mismatch('UID', options.uid, uid));
    }
    if (options.resourceVersion !== null && options.resourceVersion !== resourceVersion) {
      throw conflict(
        named,
        name,
        mismatch('ResourceVersion', options.resourceVersion, resourceVersion),
      );
    }
    this.#checkDelete(kind, name);
    if (kind === Namespace && PROTECTED_NAMESPACES.has(name)) {
      throw forbidden(kind, name, 'this namespace may not be deleted');
    }
  }

  async #commit(request: WriteRequest, current: Stored, options: DeleteOptions): Promise<Deleted> {
    const { kind, dryRun } = request;
    const { name, uid = '' } = current.object.metadata;
    const marked = mark(kind, current.object, options, this.#clock.nowMs());
    if (isReadyToVanish(marked ?? current.object)) {
      // What never waited leaves no mark; a pod always ends with its last words.
      const wasMarked = current.object.metadata.deletionTimestamp !== undefined;
      const last = kind === Pod || wasMarked ? (marked ?? current.object) : current.object;
      const final = dryRun ? asWritten(last) : await this.#store.remove(kind, current, last);
      return { gone: kind === Pod ? null : deletedStatus(kind, name, uid), final } as Deleted;
    }
    if (marked === null) {
      await this.#store.settled(kind, current.key);
      return { gone: null, final: current };
    }
    if (dryRun) return { gone: null, final: asWritten(marked) };
    return { gone: null, final: await this.#store.put(kind, current.key, marked) };
  }
}

const mismatch = (what: string, asked: string, found: string | undefined): string =>
  `the ${what} in the precondition (${asked}) does not match the ${what} in record (${found}). ` +
  `The object might have been ${what === 'UID' ? 'deleted and then recreated' : 'modified'}`;

/** KN-206: how long the object may still run; 0 for everything but live pods. */
function graceOf(kind: Kind, object: KubeObject, asked: number | null): number {
  if (kind !== Pod) return 0;
  const { spec, status } = object as unknown as {
    spec?: { nodeName?: string; terminationGracePeriodSeconds?: number };
    status?: { phase?: string };
  };
  const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  if (isOver || !spec?.nodeName) return 0;
  return Math.max(0, asked ?? spec.terminationGracePeriodSeconds ?? DEFAULT_POD_GRACE_SECONDS);
}

/** The object marked for deletion as asked, or null when it already is and nothing changes. */
function mark(
  kind: Kind,
  object: KubeObject,
  options: DeleteOptions,
  nowMs: number,
): KubeObject | null {
  const old = object.metadata;
  const isFirst = old.deletionTimestamp === undefined;
  const asked = graceOf(kind, object, options.gracePeriodSeconds);
  const grace = isFirst ? asked : Math.min(asked, old.deletionGracePeriodSeconds ?? 0);
  const finalizers = finalizersFor(old.finalizers ?? [], options.propagationPolicy);
  const isSame =
    !isFirst &&
    grace === (old.deletionGracePeriodSeconds ?? 0) &&
    finalizers.join() === (old.finalizers ?? []).join();
  if (isSame) return null;
  const metadata = { ...old, deletionGracePeriodSeconds: grace };
  if (isFirst) metadata.generation = (old.generation ?? 0) + 1;
  if (isFirst || grace !== old.deletionGracePeriodSeconds) {
    metadata.deletionTimestamp = timestamp(nowMs + grace * 1000);
  }
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  const marked = { ...object, metadata };
  return kind === Namespace ? terminating(marked) : marked;
}

/** KN-201. A later request may change how dependents are treated. */
function finalizersFor(existing: readonly string[], policy: PropagationPolicy): string[] {
  const others = existing.filter((name) => name !== FOREGROUND && name !== ORPHAN);
  if (policy === 'Foreground') return [...others, FOREGROUND];
  if (policy === 'Orphan') return [...others, ORPHAN];
  return others;
}

function terminating(namespace: KubeObject): KubeObject {
  const { status } = namespace as unknown as { status?: object };
  return { ...namespace, status: { ...status, phase: 'Terminating' } } as KubeObject;
}

const POLICIES: readonly string[] = ['Background', 'Foreground', 'Orphan'];

/**
 * Options from the body and the query (the query wins where both speak, as it is closer at hand).
 */
export function parseDeleteOptions(
  kind: Kind,
  body: Readonly<Record<string, unknown>>,
  query: URLSearchParams,
): DeleteOptions {
  const preconditions = (body['preconditions'] ?? {}) as { uid?: string; resourceVersion?: string };
  const isOrphan = query.get('orphanDependents') ?? body['orphanDependents'];
  const legacy = isOrphan === true || isOrphan === 'true' ? 'Orphan' : 'Background';
  const policy = query.get('propagationPolicy') ?? body['propagationPolicy'] ?? legacy;
  const field = 'propagationPolicy';
  const refuse = (violation: Violation): StatusError =>
    invalid({ ...kind, kind: 'DeleteOptions', group: 'meta.k8s.io' }, '', [violation]);
  if (!POLICIES.includes(policy as string)) {
    const detail = 'supported values: "Foreground", "Background", "Orphan", "nil"';
    throw refuse({ type: 'NotSupported', field, value: policy, detail });
  }
  if (isOrphan !== undefined && (query.get(field) ?? body[field]) !== undefined) {
    const detail = 'orphanDependents and deletionPropagation cannot be both set';
    throw refuse({ type: 'Invalid', field, value: policy, detail });
  }
  const grace = query.get('gracePeriodSeconds') ?? body['gracePeriodSeconds'];
  const seconds = grace === undefined || grace === null ? null : Number(grace);
  return {
    propagationPolicy: policy as PropagationPolicy,
    gracePeriodSeconds: seconds === null || Number.isNaN(seconds) ? null : seconds,
    uid: preconditions.uid ?? null,
    resourceVersion: preconditions.resourceVersion ?? null,
  };
}

/** What a DeleteOptions body may call itself. */
export function isDeleteOptions(kind: Kind, body: Readonly<Record<string, unknown>>): boolean {
  const { kind: name, apiVersion } = body;
  return (
    (name === undefined || name === 'DeleteOptions') &&
    (apiVersion === undefined ||
      apiVersion === 'v1' ||
      apiVersion === 'meta.k8s.io/v1' ||
      apiVersion === apiVersionOf(kind))
  );
}
