// Create, update and patch, the same way for every kind (KN-170 to KN-178): decode, admission,
// checks, commit. Optimistic: a write is prepared on the newest state and committed only if that is
// still the newest, otherwise prepared again; so admission may take its time without a lock.
// Invariant: between the last look at `latest` and the commit there is no await. Hot: the wake path
// is a patch through here. Objects are copied only along what changes.

import { randomUUID } from 'node:crypto';
import type { AdmissionPlugin, AdmissionRequest } from '../api/admission.ts';
import { type Kind, Namespace } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { FieldManager } from './apply/field-manager.ts';
import type { ManagedFields } from './apply/managed-fields.ts';
import { findDecodingError } from './builtin-decoding.ts';
import { rulesOf, withInitialStatus } from './kind-rules.ts';
import {
  generateName,
  isSpecChanged,
  keepServerMetadata,
  metadataUpdateViolations,
  metadataViolations,
  timestamp,
} from './object-meta.ts';
import type { JsonObject } from './patch/json-value.ts';
import { findViolations } from './schema-validation.ts';
import {
  alreadyExists,
  badRequest,
  cannotBeHandled,
  forbidden,
  invalid,
  modifiedConflict,
  notFound,
  StatusError,
} from './status-error.ts';
import type { ObjectStore } from './store/object-store.ts';
import { inVersion, type Stored, storeKey } from './store/stored.ts';
import { fillDefaults, pruneObject, type StructuralSchema } from './structural-schema.ts';
import { complain } from './unknown-fields.ts';
import {
  asWritten,
  checkIdentity,
  checkPreconditions,
  isReadyToVanish,
  isSameState,
  type WriteRequest,
  type Written,
  writerOf,
} from './write-request.ts';

/** KN-174: how often a write without precondition is prepared again before it gives up with 409. */
export const MAX_WRITE_ATTEMPTS = 20;
/** KN-170: generated names that were taken before the create is answered 409. */
const MAX_NAME_ATTEMPTS = 8;
/** Objects of one kind; more are refused with 403, as an exceeded quota is. */
export const MAX_OBJECTS_PER_KIND = 500_000;

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
 * An apply brings its `managedFields` along; for other writes they are worked out here.
 */
export type Transform = (current: Stored) => KubeObject;

export class ObjectWriter {
  readonly #deps: WriterDependencies;
  readonly #store: ObjectStore;
  readonly #fieldManagers = new WeakMap<Kind, FieldManager>();

  constructor(deps: WriterDependencies) {
    this.#deps = deps;
    this.#store = deps.store;
  }

  /** KN-170. `given` belongs to the writer from here on. */
  async create(request: WriteRequest, given: KubeObject): Promise<Written> {
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
        return this.#store.put(kind, key, object);
      }
      if (!isGenerated || attempt === MAX_NAME_ATTEMPTS) throw this.#taken(kind, key);
    }
  }

  #taken(kind: Kind, key: string): StatusError {
    const { metadata } = this.#store.of(kind).latest(key)!.object;
    const error = alreadyExists(kind, metadata.name);
    if (metadata.deletionTimestamp === undefined) return error;
    return new StatusError(409, 'AlreadyExists', `object is being deleted: ${error.message}`, {
      ...error.status.details,
    });
  }

  /** PUT (KN-171). */
  update(request: WriteRequest, given: KubeObject): Promise<Written> {
    const { kind, name } = request;
    checkIdentity(request, given);
    if (!given.metadata.name) {
      throw badRequest(
        `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
      );
    }
    if (given.metadata.name !== name) {
      throw badRequest(
        `the name of the object (${given.metadata.name}) does not match ` +
          `the name on the URL (${name})`,
      );
    }
    if (!given.metadata.resourceVersion && kind.custom) {
      const field = 'metadata.resourceVersion';
      const detail = 'must be specified for an update';
      const named = { ...kind, kind: kind.plural };
      throw invalid(named, name, [{ type: 'Invalid', field, value: 0, detail }]);
    }
    return this.modify(request, () => given);
  }

  /**
   * Replaces an existing object by what `transform` makes of its newest state. The result is
   * conditional where its resourceVersion or uid differ from the newest state's.
   */
  async modify(request: WriteRequest, transform: Transform): Promise<Written> {
    const { kind, namespace, name } = request;
    const key = storeKey(namespace, name);
    const kinds = this.#store.of(kind);
    for (let attempt = 1; attempt <= MAX_WRITE_ATTEMPTS; attempt += 1) {
      const newest = kinds.latest(key);
      if (newest === undefined) throw notFound(kind, name);
      const current = inVersion(kind, newest);
      const candidate = transform(current);
      checkPreconditions(kind, candidate, current);
      const prepared = this.#prepareUpdate(request, candidate, current);
      const admitted = await this.#admit(request, 'UPDATE', prepared, current.object);
      if (kinds.latest(key) !== newest) continue;
      const object = this.#finishUpdate(request, admitted, prepared, current);
      return this.#commitUpdate(request, object, current);
    }
    throw modifiedConflict(kind, name);
  }

  /** Mutating and validating admission of one request; throws the denial. */
  async admitDelete(request: WriteRequest, current: Stored): Promise<void> {
    await this.#admit(request, 'DELETE', current.object, current.object);
  }

  #prepareNew(request: WriteRequest, given: KubeObject, name: string, nowMs: number): KubeObject {
    const { kind } = request;
    const { generateName } = given.metadata;
    const metadata = keepServerMetadata(given.metadata, {
      name,
      ...(generateName === undefined ? {} : { generateName }),
      ...(kind.namespaced ? { namespace: request.namespace } : {}),
      uid: randomUUID(),
      generation: 1,
      creationTimestamp: timestamp(nowMs),
    });
    if (name === '') {
      const field = 'metadata.name';
      const detail = 'name or generateName is required';
      throw invalid(kind, '', [{ type: 'Required', field, detail }]);
    }
    const managed = this.#managerOf(kind).managedOf(null, given, request.subresource);
    const object = this.#sanitize(request, { ...given, metadata });
    this.#setManaged(request, null, object, managed);
    return withInitialStatus(kind, object);
  }

  /** Field ownership of a kind; for the apply that makes a state out of another. */
  fieldManager(kind: Kind): FieldManager {
    return this.#managerOf(kind);
  }

  #managerOf(kind: Kind): FieldManager {
    let found = this.#fieldManagers.get(kind);
    if (found === undefined) {
      found = new FieldManager(kind, this.#deps.schemaOf(kind));
      this.#fieldManagers.set(kind, found);
    }
    return found;
  }

  /** Writes down who owns what after this write, into the metadata of `next`, which is its own. */
  #setManaged(
    request: WriteRequest,
    old: KubeObject | null,
    next: KubeObject,
    managed: ManagedFields,
  ): void {
    const nowMs = this.#deps.clock.nowMs();
    const after =
      request.operation === 'Apply'
        ? managed
        : this.#managerOf(request.kind).afterUpdate(old, next, managed, writerOf(request), nowMs);
    if (after.length === 0) delete next.metadata.managedFields;
    else next.metadata.managedFields = after as unknown[];
  }

  #finishNew(request: WriteRequest, admitted: KubeObject, prepared: KubeObject): KubeObject {
    const { kind } = request;
    const normal = rulesOf(kind).normalize?.(admitted) ?? admitted;
    const object =
      normal === prepared
        ? prepared
        : { ...normal, metadata: keepServerMetadata(normal.metadata, prepared.metadata) };
    this.#validate(request, object);
    return object;
  }

  #prepareUpdate(request: WriteRequest, candidate: KubeObject, current: Stored): KubeObject {
    const old = current.object;
    const managed =
      request.operation === 'Apply'
        ? ((candidate.metadata.managedFields ?? []) as ManagedFields)
        : this.#managerOf(request.kind).managedOf(old, candidate, request.subresource);
    const prepared = this.#sanitize(request, this.#nextState(request, candidate, old), old);
    this.#setManaged(request, old, prepared, managed);
    return prepared;
  }

  /** The candidate with everything this path may not write taken from `old`. */
  #nextState(request: WriteRequest, candidate: KubeObject, old: KubeObject): KubeObject {
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
      return next as unknown as KubeObject;
    }
    const metadata = keepServerMetadata(candidate.metadata, old.metadata);
    const next = { ...candidate, metadata } as unknown as JsonObject;
    if (request.kind.subresources.includes('status')) {
      const { status } = old as unknown as JsonObject;
      if (status === undefined) delete next['status'];
      else next['status'] = status;
    }
    return next as unknown as KubeObject;
  }

  #finishUpdate(
    request: WriteRequest,
    admitted: KubeObject,
    prepared: KubeObject,
    current: Stored,
  ): KubeObject {
    const { kind } = request;
    const old = current.object;
    let object = prepared;
    if (admitted !== prepared) {
      // What admission changes on its way belongs to nobody, as on Kubernetes.
      const { managedFields } = prepared.metadata;
      const metadata = keepServerMetadata(admitted.metadata, old.metadata);
      if (managedFields === undefined) delete metadata.managedFields;
      else metadata.managedFields = managedFields;
      object = { ...admitted, metadata };
    }
    const violations = metadataUpdateViolations(object.metadata, old.metadata);
    if (violations.length > 0) throw invalid(kind, request.name, violations);
    this.#validate(request, object, old);
    return object;
  }

  #commitUpdate(request: WriteRequest, object: KubeObject, current: Stored): Promise<Written> {
    const { kind } = request;
    if (isSameState(object, current.object)) return this.#unchanged(kind, current);
    if (request.subresource !== 'status' && isSpecChanged(kind, object, current.object)) {
      object.metadata.generation = (current.object.metadata.generation ?? 0) + 1;
    }
    if (request.dryRun) return Promise.resolve(asWritten(object));
    if (isReadyToVanish(object)) return this.#store.remove(kind, current, object);
    return this.#store.put(kind, current.key, object);
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
      request.warnings.push(...(response.warnings ?? []));
      throw new StatusError(response.code, response.reason, response.message);
    }
    request.warnings.push(...response.warnings);
    return response.object;
  }

  /** Drops and names unknown fields, fills defaults, brings the object into stored form. */
  #sanitize(request: WriteRequest, object: KubeObject, old?: KubeObject): KubeObject {
    const { kind } = request;
    const schema = this.#deps.schemaOf(kind);
    const unknown: string[] = [];
    const baseline = old as unknown as JsonObject | undefined;
    if (schema !== undefined && !kind.custom) {
      const error = findDecodingError(object as unknown as JsonObject, schema, baseline);
      if (error !== null) throw badRequest(`${cannotBeHandled(kind)}: ${error}`);
    }
    let sanitized = pruneObject(object as unknown as JsonObject, schema, unknown, baseline);
    if (schema !== undefined) sanitized = fillDefaults(sanitized, schema, baseline) as JsonObject;
    complain(request, unknown, this.#deps.onUnknownField);
    const result = sanitized as unknown as KubeObject;
    return rulesOf(kind).normalize?.(result) ?? result;
  }

  #validate(request: WriteRequest, object: KubeObject, old?: KubeObject): void {
    const { kind } = request;
    const violations = metadataViolations(kind, object.metadata, old?.metadata);
    const baseline = old as unknown as JsonObject | undefined;
    const schema = this.#deps.schemaOf(kind);
    if (schema !== undefined && kind.custom) {
      findViolations(object, schema, '', violations, baseline);
    }
    const rules = rulesOf(kind);
    violations.push(...(rules.violations?.(object) ?? []));
    if (violations.length > 0) throw invalid(kind, object.metadata.name, violations);
    request.warnings.push(...(rules.warnings?.(object) ?? []));
    if (kind.deprecation !== undefined) request.warnings.push(kind.deprecation);
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
