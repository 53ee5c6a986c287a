// What every controller sees of a Kubernetes API: plain-JSON requests, informers with shared caches
// and a keyed work loop. Implementations live beside; tests may implement KubeClient in memory.

import type { Kind } from '../api/kinds.ts';
import type { ApiStatus, KubeList, KubeObject } from '../api/objects.ts';

export interface ObjectName {
  namespace?: string | undefined;
  name: string;
}

export interface ListOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** At most this many items; the answer's `metadata.continue` asks for the rest (KN-153). */
  limit?: number;
  continue?: string;
}

/** The content type is always named, because servers default to different ones. */
export type Patch =
  | { type: 'merge'; body: unknown }
  | { type: 'json'; body: readonly { op: string; path: string; value?: unknown }[] }
  | { type: 'strategic'; body: unknown }
  | { type: 'apply'; body: unknown; fieldManager: string; force?: boolean };

export interface DeleteOptions {
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  gracePeriodSeconds?: number;
  uid?: string;
}

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

export interface WatchEvent<T extends KubeObject = KubeObject> {
  type: WatchEventType;
  object: T;
}

/** Methods reject with ApiError for an answer that is not 2xx, with a network error otherwise. */
export interface KubeClient {
  get<T extends KubeObject>(kind: Kind, key: ObjectName): Promise<T>;
  list<T extends KubeObject>(kind: Kind, options?: ListOptions): Promise<KubeList<T>>;
  create<T extends KubeObject>(kind: Kind, object: T): Promise<T>;
  update<T extends KubeObject>(kind: Kind, object: T): Promise<T>;
  updateStatus<T extends KubeObject>(kind: Kind, object: T): Promise<T>;
  patch<T extends KubeObject>(
    kind: Kind,
    key: ObjectName,
    patch: Patch,
    options?: {
      subresource?: 'status' | 'scale';
      dryRun?: boolean;
      fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
    },
  ): Promise<T>;
  delete(kind: Kind, key: ObjectName, options?: DeleteOptions): Promise<void>;
  /** Any other request; `path` starts with `/`. The body, if any, is sent as JSON. */
  request(method: string, path: string, options?: RawRequestOptions): Promise<RawResponse>;
  /** Closes idle connections; requests after this reject. */
  close(): void;
}

export interface RawRequestOptions {
  body?: unknown;
  contentType?: string;
  accept?: string;
  signal?: AbortSignal;
}

export interface RawResponse {
  status: number;
  contentType: string;
  /** Streams the body; abort by destroying it. */
  body: import('node:stream').Readable;
}

export class ApiError extends Error {
  readonly status: ApiStatus;
  readonly code: number;
  readonly reason: string;

  constructor(status: ApiStatus) {
    super(status.message ?? status.reason ?? `HTTP ${status.code ?? 0}`);
    this.name = 'ApiError';
    this.status = status;
    this.code = status.code ?? 0;
    this.reason = status.reason ?? '';
  }
}

export const isNotFound = (error: unknown): boolean =>
  error instanceof ApiError && error.code === 404;
export const isConflict = (error: unknown): boolean =>
  error instanceof ApiError && error.reason === 'Conflict';
export const isAlreadyExists = (error: unknown): boolean =>
  error instanceof ApiError && error.reason === 'AlreadyExists';
export const isGone = (error: unknown): boolean => error instanceof ApiError && error.code === 410;

/** Read-only view of a cache. Objects are shared and frozen by convention: copy before changing. */
export interface Lister<T extends KubeObject> {
  get(namespace: string | undefined, name: string): T | undefined;
  getByKey(key: string): T | undefined;
  list(namespace?: string): T[];
  /** Objects having label `name` equal to `value`, through an index. */
  byLabel(name: string, value: string): T[];
  /** Objects controlled (ownerReferences, `controller: true`) by this uid, through an index. */
  byOwner(uid: string): T[];
}

/** `current` null = deleted; `previous` null = added. A throw costs this call only (logged). */
export type ChangeHandler<T extends KubeObject> = (current: T | null, previous: T | null) => void;

export interface Informer<T extends KubeObject> {
  readonly kind: Kind;
  readonly lister: Lister<T>;
  /** Handlers added late are called for everything already cached. Returns a remove function. */
  onChange(handler: ChangeHandler<T>): () => void;
  hasSynced(): boolean;
  /** Resolves once the first list has been delivered to handlers. */
  whenSynced(): Promise<void>;
}

/** One informer per kind and process, shared by whoever asks. */
export interface InformerFactory {
  informer<T extends KubeObject>(kind: Kind): Informer<T>;
  /** Starts all informers asked for, later ones at once; resolves when all have synced. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface ReconcileResult {
  /** Ask again after this long even if nothing changes. */
  requeueAfterMs?: number;
}

/** Level-based: reads current state, makes it so; running twice equals running once. */
export interface Reconciler {
  reconcile(key: string): Promise<ReconcileResult | undefined>;
}
