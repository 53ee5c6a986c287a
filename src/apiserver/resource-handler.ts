// Requests on resources: get, list, create, update, patch and delete, the same for every kind;
// status and scale are the same paths with another view of the object. Watches and logs stream and
// live beside.

import type { Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { ApplyHandler } from './apply/apply-handler.ts';
import { isDeleteOptions, type ObjectDeleter, parseDeleteOptions } from './deleter.ts';
import { listObjects, parseRevision, waitForRevision } from './list.ts';
import { acceptedPatchTypes, chooseFormat, patchTypeOf } from './negotiation.ts';
import { applyJsonPatch } from './patch/json-patch.ts';
import { isJsonObject, type JsonObject } from './patch/json-value.ts';
import { mergeNodeOf } from './patch/merge-keys.ts';
import { applyMergePatch } from './patch/merge-patch.ts';
import { applyStrategicMerge } from './patch/strategic-merge.ts';
import { asKubeObject, decodeBody, decodeOptionalBody, parseJsonBody } from './request-body.ts';
import type { ResourcePath } from './resource-path.ts';
import {
  type RenderOptions,
  type Reply,
  renderList,
  renderObject,
  renderStatus,
  renderValue,
  unknownPath,
} from './respond.ts';
import { toScale, withScale } from './scale.ts';
import { parseSelection } from './selectors.ts';
import {
  badRequest,
  methodNotAllowed,
  notFound,
  StatusError,
  unsupportedMediaType,
} from './status-error.ts';
import type { ObjectStore } from './store/object-store.ts';
import { type Stored, storeKey } from './store/stored.ts';
import type { StructuralSchema } from './structural-schema.ts';
import { includeObjectOf } from './table.ts';
import {
  checkForce,
  fieldValidationOf,
  isDryRun,
  managerOf,
  optionsName,
} from './write-options.ts';
import type { WriteRequest, Written } from './write-request.ts';
import type { ObjectWriter } from './writer.ts';

/** Objects removed by one deletecollection request. */
export const MAX_COLLECTION_DELETES = 100_000;

/** A request on a resource, with everything read that the handler needs. */
export interface ResourceRequest {
  method: string;
  target: ResourcePath;
  query: URLSearchParams;
  accept: string | undefined;
  contentType: string | undefined;
  body: Buffer;
  userName: string;
  userAgent: string | undefined;
  /** Texts for Warning headers end up here. */
  warnings: string[];
}

export interface ResourceDependencies {
  store: ObjectStore;
  writer: ObjectWriter;
  deleter: ObjectDeleter;
  schemaOf: (kind: Kind) => StructuralSchema | undefined;
  clock: Clock;
}

export class ResourceHandler {
  readonly #deps: ResourceDependencies;
  readonly #applies: ApplyHandler;

  constructor(deps: ResourceDependencies) {
    this.#deps = deps;
    this.#applies = new ApplyHandler(deps);
  }

  handle(request: ResourceRequest): Promise<Reply> | Reply {
    const { method, target } = request;
    const { kind, name, subresource } = target;
    const isKnown =
      subresource === '' ||
      (kind.subresources as readonly string[]).includes(subresource) ||
      (subresource === 'finalize' && kind.plural === 'namespaces');
    if (!isKnown || target.rest !== '') return unknownPath();
    switch (method) {
      case 'GET':
      case 'HEAD':
        return name === '' ? this.#list(request) : this.#get(request);
      case 'POST':
        if (name === '' && isOneCollection(target)) return this.#create(request);
        throw methodNotAllowed(kind, 'create');
      case 'PUT':
        if (name !== '') return this.#update(request);
        throw methodNotAllowed(kind, 'update');
      case 'PATCH':
        if (name !== '') return this.#patch(request);
        throw methodNotAllowed(kind, 'patch');
      case 'DELETE':
        if (subresource !== '' || !isOneCollection(target)) throw methodNotAllowed(kind, 'delete');
        return name === '' ? this.#deleteCollection(request) : this.#delete(request);
      default:
        throw methodNotAllowed(kind, method.toLowerCase());
    }
  }

  async #get(request: ResourceRequest): Promise<Reply> {
    const { kind, namespace, name, subresource } = request.target;
    const options = this.#renderOptions(request);
    const revision = parseRevision(kind, request.query.get('resourceVersion') ?? '');
    await waitForRevision(this.#deps.store, this.#deps.clock, revision);
    const found = this.#deps.store.of(kind).get(storeKey(namespace, name));
    if (found === undefined) throw notFound(kind, name);
    if (subresource === 'scale') return renderValue(200, toScale(kind, found.object));
    return renderObject(200, kind, found, options);
  }

  async #list(request: ResourceRequest): Promise<Reply> {
    const { kind, namespace } = request.target;
    const { query } = request;
    const options = this.#renderOptions(request);
    const selection = parseSelection(kind, query);
    const { store, clock } = this.#deps;
    const result = await listObjects(store, clock, { kind, namespace, query, selection });
    return renderList(kind, result, options);
  }

  async #create(request: ResourceRequest): Promise<Reply> {
    const { kind } = request.target;
    const options = this.#renderOptions(request);
    const { write, object } = this.#decode(request);
    const written = await this.#deps.writer.create(write, object);
    return renderObject(201, kind, written, options);
  }

  async #update(request: ResourceRequest): Promise<Reply> {
    const { kind, subresource } = request.target;
    const options = this.#renderOptions(request);
    const { write, object } = this.#decode(request);
    if (subresource === 'scale') {
      return this.#asScale(
        kind,
        await this.#deps.writer.modify(write, ({ object: current }) =>
          withScale(kind, current, object),
        ),
      );
    }
    return renderObject(200, kind, await this.#deps.writer.update(write, object), options);
  }

  #asScale(kind: Kind, written: Written): Reply {
    return renderValue(200, toScale(kind, written.object));
  }

  async #patch(request: ResourceRequest): Promise<Reply> {
    const { kind, subresource } = request.target;
    const options = this.#renderOptions(request);
    const type = patchTypeOf(request.contentType);
    if (type === null || (type === 'strategic' && kind.custom)) {
      throw unsupportedMediaType(acceptedPatchTypes(kind.custom));
    }
    if (type === 'apply') return this.#apply(request, options);
    const write = this.#writeRequest(request, []);
    checkForce(kind, request.query, false);
    const patch = parseJsonBody(request.body);
    const patched = (before: KubeObject): KubeObject =>
      asPatched(before, applyPatch(kind, type, before, patch));
    if (subresource === 'scale') {
      return this.#asScale(
        kind,
        await this.#deps.writer.modify(write, ({ object }) =>
          withScale(kind, object, patched(toScale(kind, object))),
        ),
      );
    }
    const written = await this.#deps.writer.modify(write, ({ object }) => patched(object));
    return renderObject(200, kind, written, options);
  }

  async #apply(request: ResourceRequest, options: RenderOptions): Promise<Reply> {
    const { kind } = request.target;
    const isForced = checkForce(kind, request.query, true);
    const write: WriteRequest = { ...this.#writeRequest(request, []), operation: 'Apply' };
    write.manager = request.query.get('fieldManager') ?? '';
    const { code, written } = await this.#applies.apply(write, request.body, isForced);
    if (write.subresource === 'scale') return this.#asScale(kind, written);
    return renderObject(code, kind, written, options);
  }

  async #delete(request: ResourceRequest): Promise<Reply> {
    const { kind } = request.target;
    const body = this.#deleteBody(request);
    const options = parseDeleteOptions(kind, body, request.query);
    const write = this.#writeRequest(request, []);
    write.dryRun ||= isDryRun(
      kind,
      'DeleteOptions',
      (body['dryRun'] as string[] | undefined) ?? [],
    );
    const deleted = await this.#deps.deleter.delete(write, options);
    if (deleted.gone !== null) return renderStatus(deleted.gone, 200);
    return renderObject(200, kind, deleted.final, this.#renderOptions(request));
  }

  /** KN-204. */
  async #deleteCollection(request: ResourceRequest): Promise<Reply> {
    const { kind, namespace } = request.target;
    const body = this.#deleteBody(request);
    const options = parseDeleteOptions(kind, body, request.query);
    const selection = parseSelection(kind, request.query);
    const chosen = this.#deps.store
      .of(kind)
      .list(namespace)
      .filter(({ object }) => selection.matches?.(object) ?? true)
      .slice(0, MAX_COLLECTION_DELETES);
    const items: Stored[] = [];
    for (const stored of chosen) {
      const { name, namespace: at = '' } = stored.object.metadata;
      const write = { ...this.#writeRequest(request, []), name, namespace: at };
      write.dryRun ||= isDryRun(
        kind,
        'DeleteOptions',
        (body['dryRun'] as string[] | undefined) ?? [],
      );
      try {
        await this.#deps.deleter.delete(write, options);
        items.push(stored);
      } catch (error) {
        if (!(error instanceof StatusError && error.code === 404)) throw error; // gone already
      }
    }
    const resourceVersion = String(this.#deps.store.revision);
    return renderList(kind, { items, resourceVersion }, this.#renderOptions(request));
  }

  #deleteBody(request: ResourceRequest): JsonObject {
    const body = decodeOptionalBody(request.body, request.contentType);
    if (!isDeleteOptions(request.target.kind, body)) {
      throw badRequest('the body of a DELETE request must be DeleteOptions');
    }
    return body;
  }

  #decode(request: ResourceRequest): { write: WriteRequest; object: KubeObject } {
    const asked = request.query.get('fieldValidation');
    const findsDuplicates = asked === 'Strict' || asked === 'Warn';
    const decoded = decodeBody(request.body, request.contentType, { findsDuplicates });
    const object = asKubeObject(decoded.value);
    return { write: this.#writeRequest(request, decoded.duplicates), object };
  }

  #writeRequest(request: ResourceRequest, duplicates: readonly string[]): WriteRequest {
    const { kind, namespace, name, subresource } = request.target;
    const options = optionsName(request.method);
    return {
      kind,
      namespace,
      name,
      subresource: subresource === 'status' || subresource === 'scale' ? subresource : '',
      userName: request.userName,
      manager: managerOf(kind, options, request.query, request.userAgent),
      operation: 'Update',
      dryRun: isDryRun(kind, options, request.query.getAll('dryRun')),
      fieldValidation: fieldValidationOf(kind, options, request.query),
      duplicates,
      warnings: request.warnings,
    };
  }

  #renderOptions(request: ResourceRequest): RenderOptions {
    return {
      format: chooseFormat(request.accept),
      include: includeObjectOf(request.query),
      nowMs: this.#deps.clock.nowMs(),
    };
  }
}

function applyPatch(
  kind: Kind,
  type: 'merge' | 'json' | 'strategic',
  before: KubeObject,
  patch: unknown,
): unknown {
  if (type === 'json') return applyJsonPatch(before, patch);
  if (!isJsonObject(patch)) throw badRequest('a patch of this type is an object');
  if (type === 'merge') return applyMergePatch(before, patch);
  return applyStrategicMerge(before, patch, mergeNodeOf(kind.group, kind.kind));
}

/** Across all namespaces a collection is read only: nothing is created or emptied there. */
const isOneCollection = ({ kind, namespace }: ResourcePath): boolean =>
  !kind.namespaced || namespace !== '';

/** A patch may not make another object of it. */
function asPatched(before: KubeObject, value: unknown): KubeObject {
  const patched = asKubeObject(isJsonObject(value) ? { ...value } : value);
  const { name, namespace } = before.metadata;
  if (patched.apiVersion !== before.apiVersion || patched.kind !== before.kind) {
    throw badRequest('a patch may not change apiVersion or kind');
  }
  if (patched.metadata.name !== name) {
    const other = patched.metadata.name ?? '';
    throw badRequest(
      `the name of the object (${other}) does not match the name on the URL (${name})`,
    );
  }
  if (patched.metadata.namespace !== namespace) {
    throw badRequest('a patch may not change the namespace of the object');
  }
  return patched;
}
