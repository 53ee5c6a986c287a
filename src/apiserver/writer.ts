// Create, update and patch, the same way for every kind (KN-170 to KN-178): decode, admission,
// checks, commit. Optimistic: a write is prepared on the newest state and committed only if that is
// still the newest, otherwise prepared again; so admission may take its time without a lock.
// Invariant: between the last look at `latest` and the commit there is no await. Hot: the wake path
// is a patch through here. Objects are copied only along what changes.

import { randomUUID } from 'node:crypto';
import type { AdmissionPlugin, AdmissionRequest } from '../api/admission.ts';
import { apiVersionOf, type Kind, Namespace } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { deepEqual } from '../kube/equal.ts';
import { rulesOf, withInitialStatus } from './kind-rules.ts';
import {
  dropEmpty,
  generateName,
  isSpecChanged,
  keepServerMetadata,
  metadataUpdateViolations,
  metadataViolations,
  timestamp,
} from './object-meta.ts';
import type { JsonObject } from './patch/json-value.ts';
import {
  alreadyExists,
  badRequest,
  cannotBeHandled,
  conflict,
  forbidden,
  invalid,
  modifiedConflict,
  notFound,
  StatusError,
} from './status-error.ts';
import type { ObjectStore } from './store/object-store.ts';
import { type AppliedConfigurations, type Stored, storeKey } from './store/stored.ts';
import {
  fillDefaults,
  findViolations,
  pruneObject,
  type StructuralSchema,
} from './structural-schema.ts';

/** KN-174: how often a write without precondition is prepared again before it gives up with 409. */
export const MAX_WRITE_ATTEMPTS = 20;
/** KN-170: generated names that were taken before the create is answered 409. */
const MAX_NAME_ATTEMPTS = 8;
/** Objects of one kind; more are refused with 403, as an exceeded quota is. */
export const MAX_OBJECTS_PER_KIND = 500_000;

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface WriteRequest {
  kind: Kind;
  namespace: string;
  name: string;
  subresource: '' | 'status' | 'scale';
  userName: string;
  dryRun: boolean;
  fieldValidation: FieldValidation;
  /** Members named twice in the body. */
  duplicates: readonly string[];
  /** Texts for `Warning` headers are added here. */
  warnings: string[];
}

/** What a write answers with. */
export interface Written {
  object: KubeObject;
  json: string;
}

export interface WriterDependencies {
  store: ObjectStore;
  admission: AdmissionPlugin;
  schemaOf: (kind: Kind) => StructuralSchema | undefined;
  clock: Clock;
  random: () => number;
  /** Told about fields that were dropped without the client asking for an error. */
  onUnknownField?: (kind: Kind, path: string) => void;
}

/**
 * Makes the next state from the newest one; throws StatusError when it cannot. Must not change it.
 */
export type Transform = (current: Stored) => KubeObject;

export class ObjectWriter {
  readonly #deps: WriterDependencies;
  readonly #store: ObjectStore;

  constructor(deps: WriterDependencies) {
    this.#deps = deps;
    this.#store = deps.store;
  }

  /** KN-170. `given` belongs to the writer from here on. */
  async create(
    request: WriteRequest,
    given: KubeObject,
    applied: AppliedConfigurations | null = null,
  ): Promise<Written> {
    const { kind } = request;
    const nowMs = this.#deps.clock.nowMs();
    checkIdentity(request, given);
    if (given.metadata.resourceVersion) {
      throw badRequest('resourceVersion should not be set on objects to be created');
    }
    const base = given.metadata.generateName ?? '';
    const isGenerated = !given.metadata.name && base !== '';
    for (let attempt = 1; ; attempt += 1) {
      const name = isGenerated ? generateName(base, this.#deps.random) : given.metadata.name;
      const prepared = this.#prepareNew(request, given, name ?? '', nowMs);
      const admitted = await this.#admit(request, 'CREATE', prepared, null);
      const object = this.#finishNew(request, admitted, prepared);
      this.#checkNamespace(kind, object);
      const key = storeKey(object.metadata.namespace, object.metadata.name);
      if (this.#store.of(kind).latest(key) === undefined) {
        this.#checkQuota(kind, object.metadata.name);
        if (request.dryRun) return asWritten(object);
        return this.#store.put(kind, key, object, applied);
      }
      if (!isGenerated || attempt === MAX_NAME_ATTEMPTS) {
        throw alreadyExists(kind, object.metadata.name);
      }
    }
  }

  /** PUT (KN-171). */
  update(request: WriteRequest, given: KubeObject): Promise<Written> {
    const { kind, name } = request;
    checkIdentity(request, given);
    if (given.metadata.name === undefined || given.metadata.name !== name) {
      throw badRequest(
        `the name of the object (${given.metadata.name ?? ''}) does not match ` +
          `the name on the URL (${name})`,
      );
    }
    if (!given.metadata.resourceVersion && kind.custom) {
      const field = 'metadata.resourceVersion';
      const detail = 'must be specified for an update';
      throw invalid(kind, name, [{ type: 'Invalid', field, value: 0, detail }]);
    }
    return this.modify(request, () => given);
  }

  /**
   * Replaces an existing object by what `transform` makes of its newest state. The result is
   * conditional where its resourceVersion or uid differ from the newest state's.
   */
  async modify(
    request: WriteRequest,
    transform: Transform,
    applied?: (current: Stored) => AppliedConfigurations | null,
  ): Promise<Written> {
    const { kind, namespace, name } = request;
    const key = storeKey(namespace, name);
    const kinds = this.#store.of(kind);
    for (let attempt = 1; attempt <= MAX_WRITE_ATTEMPTS; attempt += 1) {
      const current = kinds.latest(key);
      if (current === undefined) throw notFound(kind, name);
      const candidate = transform(current);
      checkPreconditions(kind, candidate, current);
      const prepared = this.#prepareUpdate(request, candidate, current);
      const admitted = await this.#admit(request, 'UPDATE', prepared, current.object);
      if (kinds.latest(key) !== current) continue;
      const object = this.#finishUpdate(request, admitted, current);
      const memory = applied === undefined ? current.applied : applied(current);
      return this.#commitUpdate(request, object, current, memory);
    }
    throw modifiedConflict(kind, name);
  }

  /** Mutating and validating admission of one request; throws the denial. */
  async admitDelete(request: WriteRequest, current: Stored): Promise<void> {
    await this.#admit(request, 'DELETE', current.object, current.object);
  }

  #prepareNew(request: WriteRequest, given: KubeObject, name: string, nowMs: number): KubeObject {
    const { kind } = request;
    const metadata = dropEmpty({ ...given.metadata, name });
    metadata.uid = randomUUID();
    metadata.creationTimestamp = timestamp(nowMs);
    metadata.generation = 1;
    delete metadata.resourceVersion;
    delete metadata.deletionTimestamp;
    delete metadata.deletionGracePeriodSeconds;
    if (kind.namespaced) metadata.namespace = request.namespace;
    else delete metadata.namespace;
    if (name === '') {
      const field = 'metadata.name';
      const detail = 'name or generateName is required';
      throw invalid(kind, '', [{ type: 'Required', field, detail }]);
    }
    const object = this.#sanitize(request, { ...given, metadata });
    return withInitialStatus(kind, object, nowMs);
  }

  #finishNew(request: WriteRequest, admitted: KubeObject, prepared: KubeObject): KubeObject {
    const { kind } = request;
    const normal = rulesOf(kind).normalize?.(admitted) ?? admitted;
    const metadata = keepServerMetadata(normal.metadata, prepared.metadata);
    const object = { ...normal, metadata };
    this.#validate(kind, object);
    return object;
  }

  #prepareUpdate(request: WriteRequest, candidate: KubeObject, current: Stored): KubeObject {
    const old = current.object;
    if (request.subresource === 'status') {
      const { status } = candidate as unknown as JsonObject;
      // Built-in kinds take metadata along with a status (a kubelet annotates its pods); CRDs do
      // not.
      const metadata = request.kind.custom
        ? { ...old.metadata }
        : keepServerMetadata(candidate.metadata, old.metadata);
      const next = { ...old, metadata } as unknown as JsonObject;
      if (status === undefined) delete next['status'];
      else next['status'] = status;
      return this.#sanitize(request, next as unknown as KubeObject, old);
    }
    const metadata = keepServerMetadata(candidate.metadata, old.metadata);
    const next = { ...candidate, metadata } as unknown as JsonObject;
    if (request.kind.subresources.includes('status')) {
      const { status } = old as unknown as JsonObject;
      if (status === undefined) delete next['status'];
      else next['status'] = status;
    }
    return this.#sanitize(request, next as unknown as KubeObject, old);
  }

  #finishUpdate(request: WriteRequest, admitted: KubeObject, current: Stored): KubeObject {
    const { kind } = request;
    const old = current.object;
    const object = { ...admitted, metadata: keepServerMetadata(admitted.metadata, old.metadata) };
    const violations = metadataUpdateViolations(object.metadata, old.metadata);
    if (violations.length > 0) throw invalid(kind, request.name, violations);
    this.#validate(kind, object, old);
    return object;
  }

  #commitUpdate(
    request: WriteRequest,
    object: KubeObject,
    current: Stored,
    applied: AppliedConfigurations | null,
  ): Promise<Written> {
    const { kind } = request;
    if (deepEqual(object, current.object) && deepEqual(applied, current.applied)) {
      return this.#unchanged(kind, current);
    }
    if (request.subresource !== 'status' && isSpecChanged(kind, object, current.object)) {
      object.metadata.generation = (current.object.metadata.generation ?? 0) + 1;
    }
    if (request.dryRun) return Promise.resolve(asWritten(object));
    if (isReadyToVanish(object)) return this.#store.remove(kind, current, object);
    return this.#store.put(kind, current.key, object, applied);
  }

  /** KN-150: nothing to write; but what is answered must be durable. */
  async #unchanged(kind: Kind, current: Stored): Promise<Written> {
    if (this.#store.of(kind).isPending(current.key)) {
      await this.#store.settled(kind, current.key);
    }
    return current;
  }

  async #admit(
    request: WriteRequest,
    operation: AdmissionRequest['operation'],
    object: KubeObject,
    oldObject: KubeObject | null,
  ): Promise<KubeObject> {
    const { subresource, dryRun, userName } = request;
    const asked = { operation, subresource, dryRun, userName, object, oldObject };
    const answered = this.#deps.admission.admit(asked);
    const response = answered instanceof Promise ? await answered : answered;
    if (!response.allowed) {
      throw new StatusError(response.code, response.reason, response.message);
    }
    request.warnings.push(...response.warnings);
    return response.object;
  }

  /** Drops and names unknown fields, fills defaults, brings the object into stored form. */
  #sanitize(request: WriteRequest, object: KubeObject, old?: KubeObject): KubeObject {
    const { kind, fieldValidation } = request;
    const schema = this.#deps.schemaOf(kind);
    const unknown: string[] = [];
    const baseline = old as unknown as JsonObject | undefined;
    let sanitized = pruneObject(object as unknown as JsonObject, schema, unknown, baseline);
    if (schema !== undefined) sanitized = fillDefaults(sanitized, schema, baseline) as JsonObject;
    if (fieldValidation !== 'Ignore') {
      const complaints = [
        ...request.duplicates.map((field) => `duplicate field "${field}"`),
        ...unknown.map((field) => `unknown field "${field}"`),
      ];
      if (fieldValidation === 'Strict' && complaints.length > 0) {
        const list = complaints.join(', ');
        throw badRequest(`${cannotBeHandled(kind)}: strict decoding error: ${list}`);
      }
      request.warnings.push(...complaints);
      for (const path of unknown) this.#deps.onUnknownField?.(kind, path);
    }
    const result = sanitized as unknown as KubeObject;
    return rulesOf(kind).normalize?.(result) ?? result;
  }

  #validate(kind: Kind, object: KubeObject, old?: KubeObject): void {
    const violations = metadataViolations(kind, object.metadata);
    const baseline = old as unknown as JsonObject | undefined;
    const schema = this.#deps.schemaOf(kind);
    if (schema !== undefined) findViolations(object, schema, '', violations, baseline);
    if (violations.length > 0) throw invalid(kind, object.metadata.name, violations);
  }

  #checkQuota(kind: Kind, name: string): void {
    if (this.#store.of(kind).size < MAX_OBJECTS_PER_KIND) return;
    throw forbidden(kind, name, `exceeded quota: limited to ${MAX_OBJECTS_PER_KIND} objects`);
  }

  #checkNamespace(kind: Kind, object: KubeObject): void {
    if (!kind.namespaced) return;
    const namespace = object.metadata.namespace ?? '';
    const found = this.#store.of(Namespace).latest(storeKey('', namespace));
    if (found === undefined) throw notFound(Namespace, namespace);
    if (found.object.metadata.deletionTimestamp === undefined) return;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    const error = forbidden(kind, object.metadata.name, why);
    error.status.details = {
      ...error.status.details,
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    };
    throw error;
  }
}

export function asWritten(object: KubeObject): Written {
  return { object, json: JSON.stringify(object) };
}

/** Apart from `object` itself, nothing keeps an object that is being deleted (KN-202, KN-205). */
export function isReadyToVanish(object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  if (deletionTimestamp === undefined || (finalizers?.length ?? 0) > 0) return false;
  if ((deletionGracePeriodSeconds ?? 0) > 0) return false;
  if (object.kind !== Namespace.kind || object.apiVersion !== 'v1') return true;
  const { spec } = object as unknown as { spec?: { finalizers?: unknown[] } };
  return (spec?.finalizers?.length ?? 0) === 0;
}

/** The body must be of the kind, and in the namespace, that the path names. */
function checkIdentity(request: WriteRequest, given: KubeObject): void {
  const { kind, namespace } = request;
  const expected = apiVersionOf(kind);
  if (given.apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${given.apiVersion}) does not match ` +
        `the expected API version (${expected})`,
    );
  }
  if (given.kind !== kind.kind) {
    throw badRequest(
      `the kind in the data (${given.kind}) does not match the expected kind (${kind.kind})`,
    );
  }
  if (kind.namespaced && (given.metadata.namespace ?? namespace) !== namespace) {
    throw badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    );
  }
}

function checkPreconditions(kind: Kind, candidate: KubeObject, current: Stored): void {
  const { resourceVersion, uid } = candidate.metadata;
  const { name, uid: currentUid } = current.object.metadata;
  if (uid !== undefined && uid !== '' && uid !== currentUid) {
    const what = `UID in precondition: ${uid}, UID in object meta: ${currentUid}`;
    throw conflict(kind, name, `Precondition failed: ${what}`);
  }
  const asked = resourceVersion ?? '';
  if (asked !== '' && asked !== '0' && asked !== current.object.metadata.resourceVersion) {
    throw modifiedConflict(kind, name);
  }
}
