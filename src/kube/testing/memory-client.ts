// A KubeClient without a server, for tests of reconcilers and informers: it keeps the promises they
// build on (one counter of resource versions, conflicts, generations, the status subresource,
// scale, finalizers, graceful deletion of pods, watches that miss nothing) and nothing more. No
// admission, no defaults, no schemas. Objects handed out are copies.

import { Readable } from 'node:stream';
import { ALL_KINDS, type Kind, resourceName, resourcePath } from '../../api/kinds.ts';
import { type KubeList, type KubeObject, objectKey } from '../../api/objects.ts';
import type { Clock } from '../../clock/clock.ts';
import { FakeClock } from '../../clock/fake-clock.ts';
import type {
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectName,
  Patch,
  RawRequestOptions,
  RawResponse,
  WatchEvent,
} from '../types.ts';
import { conflict, failure, notFound } from './failures.ts';
import { applyJsonPatch, applyMergePatch } from './patches.ts';
import { matchesSelectors } from './selectors.ts';

/** One call, as `intercept` and `calls` see it. */
export interface ClientCall {
  verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';
  kind: Kind;
  /** `namespace/name`; the namespace for lists and watches. */
  key: string;
  subresource?: string;
  body?: unknown;
}

interface Stored extends KubeObject {
  spec?: unknown;
  status?: unknown;
}

interface Change {
  version: number;
  kind: Kind;
  event: WatchEvent;
}

interface Watcher {
  kind: Kind;
  namespace: string | undefined;
  selection: ListOptions;
  body: Readable;
}

const EVERYTHING_BUT_META = ['apiVersion', 'kind', 'metadata', 'status'];

export class MemoryClient implements KubeClient {
  /** Every call in order; tests may clear it. */
  readonly calls: ClientCall[] = [];
  /** Runs before each call; throwing (or rejecting) makes the call fail with that error. */
  intercept: (call: ClientCall) => void | Promise<void> = () => undefined;
  readonly #clock: Clock;
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #changes: Change[] = [];
  readonly #watchers = new Set<Watcher>();
  #version = 0;
  #uids = 0;

  constructor(options: { clock?: Clock } = {}) {
    this.#clock = options.clock ?? new FakeClock();
  }

  async get<T extends KubeObject>(kind: Kind, key: ObjectName): Promise<T> {
    await this.#enter({ verb: 'get', kind, key: nameOf(key) });
    return copy(this.#find(kind, nameOf(key))) as unknown as T;
  }

  async list<T extends KubeObject>(kind: Kind, options: ListOptions = {}): Promise<KubeList<T>> {
    await this.#enter({ verb: 'list', kind, key: options.namespace ?? '' });
    const items = [...this.#table(kind).values()]
      .filter((object) => isSelected(object, options.namespace, options))
      .sort((a, b) => (objectKey(a) < objectKey(b) ? -1 : 1));
    return {
      apiVersion: 'v1',
      kind: `${kind.kind}List`,
      metadata: { resourceVersion: String(this.#version) },
      items: items.map(copy) as unknown as T[],
    };
  }

  async create<T extends KubeObject>(kind: Kind, object: T): Promise<T> {
    const stored = copy(object) as Stored;
    const { metadata } = stored;
    if (metadata.generateName !== undefined && metadata.name === undefined) {
      metadata.name = metadata.generateName + (this.#uids + 1).toString(36).padStart(5, '0');
    }
    const key = objectKey(stored);
    await this.#enter({ verb: 'create', kind, key, body: object });
    if (this.#table(kind).has(key)) {
      const text = `${resourceName(kind)} "${metadata.name}" already exists`;
      throw failure(409, 'AlreadyExists', text);
    }
    this.#uids += 1;
    metadata.uid = `uid-${this.#uids}`;
    metadata.generation = 1;
    metadata.creationTimestamp = this.#timestamp();
    if (kind.subresources.includes('status')) delete stored.status;
    return this.#commit(kind, 'ADDED', stored) as unknown as T;
  }

  async update<T extends KubeObject>(kind: Kind, object: T): Promise<T> {
    const key = objectKey(object);
    await this.#enter({ verb: 'update', kind, key, body: object });
    const next = copy(object) as Stored;
    const stored = this.#find(kind, key);
    if (kind.subresources.includes('status')) setStatus(next, stored.status);
    return this.#replace(kind, stored, next) as unknown as T;
  }

  async updateStatus<T extends KubeObject>(kind: Kind, object: T): Promise<T> {
    const key = objectKey(object);
    await this.#enter({ verb: 'update', kind, key, subresource: 'status', body: object });
    const stored = this.#find(kind, key);
    const next = copy(stored);
    next.metadata.resourceVersion = object.metadata.resourceVersion!;
    setStatus(next, copy((object as Stored).status));
    return this.#replace(kind, stored, next) as unknown as T;
  }

  async patch<T extends KubeObject>(
    kind: Kind,
    key: ObjectName,
    patch: Patch,
    options: { subresource?: 'status' | 'scale'; dryRun?: boolean } = {},
  ): Promise<T> {
    const { subresource } = options;
    const call = { verb: 'patch' as const, kind, key: nameOf(key), body: patch.body };
    await this.#enter(subresource === undefined ? call : { ...call, subresource });
    const isNew = patch.type === 'apply' && !this.#table(kind).has(nameOf(key));
    if (isNew) return this.create(kind, patch.body as T);
    const stored = this.#find(kind, nameOf(key));
    if (subresource === 'scale') return this.#scale(kind, stored, patch) as unknown as T;
    const next = patched(stored, patch) as Stored;
    if (subresource === 'status') {
      const withStatus = copy(stored);
      setStatus(withStatus, next.status);
      withStatus.metadata.resourceVersion = next.metadata.resourceVersion!;
      // As the server: built-in kinds take annotations along with a status.
      const { annotations } = next.metadata;
      if (!kind.custom && annotations !== undefined) withStatus.metadata.annotations = annotations;
      return this.#replace(kind, stored, withStatus) as unknown as T;
    }
    if (kind.subresources.includes('status')) setStatus(next, stored.status);
    return this.#replace(kind, stored, next) as unknown as T;
  }

  async delete(kind: Kind, key: ObjectName, options: DeleteOptions = {}): Promise<void> {
    await this.#enter({ verb: 'delete', kind, key: nameOf(key), body: options });
    const stored = this.#find(kind, nameOf(key));
    if (options.uid !== undefined && options.uid !== stored.metadata.uid) {
      throw conflict(kind, stored.metadata.name);
    }
    const next = copy(stored);
    const { metadata } = next;
    const finalizer = { Foreground: 'foregroundDeletion', Orphan: 'orphan', Background: null }[
      options.propagationPolicy ?? 'Background'
    ];
    if (finalizer !== null && metadata.deletionTimestamp === undefined) {
      metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
    }
    const graceSeconds = kind.kind === 'Pod' ? (options.gracePeriodSeconds ?? 30) : 0;
    const isGraceful = graceSeconds > 0 && (stored.spec as { nodeName?: string })?.nodeName;
    if ((metadata.finalizers?.length ?? 0) === 0 && !isGraceful) {
      this.#remove(kind, next);
    } else if (metadata.deletionTimestamp === undefined) {
      metadata.deletionTimestamp = this.#timestamp();
      metadata.deletionGracePeriodSeconds = graceSeconds;
      metadata.generation = (metadata.generation ?? 0) + 1;
      this.#commit(kind, 'MODIFIED', next);
    }
  }

  /** Only watches; namespaces through `namespace` in the path, selectors as on lists. */
  async request(
    method: string,
    path: string,
    options: RawRequestOptions = {},
  ): Promise<RawResponse> {
    const url = new URL(path, 'http://memory');
    const namespace = /\/namespaces\/([^/]+)\//.exec(url.pathname)?.[1];
    const kind = ALL_KINDS.find((one) => resourcePath(one, namespace) === url.pathname);
    if (method !== 'GET' || kind === undefined || !url.searchParams.has('watch')) {
      throw failure(404, 'NotFound', `memory client: ${method} ${path}`);
    }
    await this.#enter({ verb: 'watch', kind, key: namespace ?? '' });
    const body = this.#watch(kind, namespace, url.searchParams);
    options.signal?.addEventListener('abort', () => body.destroy(), { once: true });
    return { status: 200, contentType: 'application/json', body };
  }

  close(): void {
    this.breakWatches();
  }

  /** Ends every open watch, as a restarted server does; `error` makes it a reset. */
  breakWatches(error?: Error): void {
    for (const { body } of this.#watchers) {
      if (error === undefined) body.push(null);
      else body.destroy(error);
    }
    this.#watchers.clear();
  }

  #watch(kind: Kind, namespace: string | undefined, query: URLSearchParams): Readable {
    const body = new Readable({ read: () => undefined });
    const selection: ListOptions = {};
    const labels = query.get('labelSelector');
    const fields = query.get('fieldSelector');
    if (labels !== null) selection.labelSelector = labels;
    if (fields !== null) selection.fieldSelector = fields;
    const watcher = { kind, namespace, selection, body };
    const since = Number(query.get('resourceVersion') ?? Number.NaN);
    if (Number.isNaN(since)) {
      for (const object of this.#table(kind).values()) send(watcher, { type: 'ADDED', object });
    } else {
      for (const change of this.#changes) {
        if (change.version > since && change.kind === kind) send(watcher, change.event);
      }
    }
    this.#watchers.add(watcher);
    body.on('close', () => this.#watchers.delete(watcher));
    return body;
  }

  async #enter(call: ClientCall): Promise<void> {
    this.calls.push(call);
    await this.intercept(call);
  }

  #table(kind: Kind): Map<string, Stored> {
    const name = resourceName(kind);
    let table = this.#objects.get(name);
    if (table === undefined) {
      table = new Map();
      this.#objects.set(name, table);
    }
    return table;
  }

  #find(kind: Kind, key: string): Stored {
    const stored = this.#table(kind).get(key);
    if (stored === undefined) throw notFound(kind, key.slice(key.indexOf('/') + 1));
    return stored;
  }

  #replace(kind: Kind, stored: Stored, next: Stored): Stored {
    const sent = next.metadata.resourceVersion;
    if (sent !== undefined && sent !== stored.metadata.resourceVersion) {
      throw conflict(kind, stored.metadata.name);
    }
    const { uid, creationTimestamp, generation, deletionTimestamp } = stored.metadata;
    Object.assign(next.metadata, { uid, creationTimestamp, generation });
    if (deletionTimestamp !== undefined) next.metadata.deletionTimestamp = deletionTimestamp;
    next.metadata.resourceVersion = stored.metadata.resourceVersion!;
    if (JSON.stringify(next) === JSON.stringify(stored)) return copy(stored);
    if (contentOf(next) !== contentOf(stored)) {
      next.metadata.generation = (generation ?? 0) + 1;
    }
    if (deletionTimestamp !== undefined && (next.metadata.finalizers?.length ?? 0) === 0) {
      const isGraceful = (next.metadata.deletionGracePeriodSeconds ?? 0) > 0;
      if (!isGraceful) return this.#remove(kind, next);
    }
    return this.#commit(kind, 'MODIFIED', next);
  }

  #scale(kind: Kind, stored: Stored, patch: Patch): Stored {
    const { namespace, name } = stored.metadata;
    const spec = (stored.spec ?? {}) as { replicas?: number };
    const scale = {
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
      spec: { replicas: spec.replicas ?? 1 },
    };
    const wanted = patched(scale, patch) as typeof scale;
    const next = copy(stored);
    next.spec = { ...spec, replicas: wanted.spec.replicas };
    const committed = this.#replace(kind, stored, next);
    wanted.metadata = committed.metadata;
    return wanted;
  }

  #remove(kind: Kind, object: Stored): Stored {
    return this.#commit(kind, 'DELETED', object);
  }

  #commit(kind: Kind, type: 'ADDED' | 'MODIFIED' | 'DELETED', object: Stored): Stored {
    this.#version += 1;
    object.metadata.resourceVersion = String(this.#version);
    if (type === 'DELETED') this.#table(kind).delete(objectKey(object));
    else this.#table(kind).set(objectKey(object), object);
    const event = { type, object };
    this.#changes.push({ version: this.#version, kind, event: copy(event) });
    for (const watcher of this.#watchers) if (watcher.kind === kind) send(watcher, event);
    return copy(object);
  }

  #timestamp(): string {
    return new Date(this.#clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  }
}

function send(watcher: Watcher, event: WatchEvent): void {
  if (!isSelected(event.object, watcher.namespace, watcher.selection)) return;
  watcher.body.push(Buffer.from(`${JSON.stringify(event)}\n`));
}

function isSelected(object: KubeObject, namespace: string | undefined, by: ListOptions): boolean {
  const isInNamespace = namespace === undefined || object.metadata.namespace === namespace;
  return isInNamespace && matchesSelectors(object, by);
}

function patched(target: unknown, patch: Patch): unknown {
  if (patch.type !== 'json') return applyMergePatch(copy(target), patch.body);
  try {
    return applyJsonPatch(target, patch.body);
  } catch (error) {
    throw failure(422, 'Invalid', String(error));
  }
}

function setStatus(object: Stored, status: unknown): void {
  if (status === undefined) delete object.status;
  else object.status = status;
}

/** What raises the generation when it changes (KN-172). */
function contentOf(object: Stored): string {
  const entries = Object.entries(object).filter(([key]) => !EVERYTHING_BUT_META.includes(key));
  return JSON.stringify(entries);
}

const nameOf = (key: ObjectName): string =>
  key.namespace === undefined || key.namespace === '' ? key.name : `${key.namespace}/${key.name}`;

const copy = <T>(value: T): T =>
  value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T);
