// One apply request (KN-190, KN-191): checks the body, then creates what does not exist and merges
// into what does. Conflicts are judged on the newest state, in the turn of the write.

import { apiVersionOf, type Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';
import type { Clock } from '../../clock/clock.ts';
import { isJsonObject, type JsonObject } from '../patch/json-value.ts';
import { asKubeObject, parseYamlBody } from '../request-body.ts';
import { badRequest, conflict, methodNotAllowed, notFound } from '../status-error.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { storeKey } from '../store/stored.ts';
import { pruneObject, type StructuralSchema } from '../structural-schema.ts';
import { complain } from '../unknown-fields.ts';
import { requireManager } from '../write-options.ts';
import { type WriteRequest, type Written, writerOf } from '../write-request.ts';
import type { ObjectWriter } from '../writer.ts';

export interface Applied {
  code: 200 | 201;
  written: Written;
}

interface Dependencies {
  store: ObjectStore;
  writer: ObjectWriter;
  schemaOf: (kind: Kind) => StructuralSchema | undefined;
  clock: Clock;
}

export class ApplyHandler {
  readonly #deps: Dependencies;

  constructor(deps: Dependencies) {
    this.#deps = deps;
  }

  async apply(request: WriteRequest, body: Buffer, force: boolean): Promise<Applied> {
    const { kind, name } = request;
    const { store, writer } = this.#deps;
    const value = parseYamlBody(body);
    checkType(kind, request.subresource, value);
    const given = asKubeObject(value);
    const applied = this.#configuration(request, given);
    if (store.of(kind).latest(storeKey(request.namespace, name)) !== undefined) {
      const written = await writer.modify(request, ({ object }) =>
        this.#merged(request, object, applied, force),
      );
      return { code: 200, written };
    }
    if (request.subresource !== '') throw notFound(kind, name);
    const { uid } = applied.metadata;
    if (uid) {
      const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
      throw conflict(kind, name, why);
    }
    const made = this.#merged(request, null, structuredClone(applied), force);
    return { code: 201, written: await writer.create(request, made) };
  }

  #merged(
    request: WriteRequest,
    live: KubeObject | null,
    config: KubeObject,
    force: boolean,
  ): KubeObject {
    const nowMs = this.#deps.clock.nowMs();
    const manager = this.#deps.writer.fieldManager(request.kind);
    const result = manager.apply(live, config, writerOf(request), { force, nowMs });
    const metadata = { ...result.object.metadata, managedFields: result.managed as unknown[] };
    return { ...result.object, metadata };
  }

  /** The body as a configuration of the object; a Scale speaks of one field of it. */
  #configuration(request: WriteRequest, given: KubeObject): KubeObject {
    const { kind, name, namespace, manager, subresource } = request;
    requireManager(kind, manager);
    if (subresource === 'scale') return fromScale(kind, name, given);
    checkBody(name, given);
    given.metadata.name = name;
    if (kind.namespaced) given.metadata.namespace ||= namespace;
    if ((given.metadata.namespace ?? '') !== namespace) {
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      );
    }
    const unknown: string[] = [];
    const schema = this.#deps.schemaOf(kind);
    const known = pruneObject(given as unknown as JsonObject, schema, unknown);
    complain(request, unknown);
    return known as unknown as KubeObject;
  }
}

function checkType(kind: Kind, subresource: string, body: unknown): void {
  if (subresource === 'scale' || !isJsonObject(body)) return;
  const { apiVersion, kind: name } = body;
  if (apiVersion === apiVersionOf(kind) && name === kind.kind) return;
  const version = typeof apiVersion === 'string' ? apiVersion : '';
  const shown = version.includes('/') ? version : `/${version}`;
  throw badRequest(`invalid object type: ${shown}, Kind=${typeof name === 'string' ? name : ''}`);
}

function checkBody(name: string, body: KubeObject): void {
  if (body.metadata.name !== undefined && body.metadata.name !== name) {
    throw badRequest(
      `the name of the object (${body.metadata.name}) does not match ` +
        `the name on the URL (${name})`,
    );
  }
  if (body.metadata.managedFields !== undefined && body.metadata.managedFields !== null) {
    throw badRequest('metadata.managedFields must be nil');
  }
}

/** `autoscaling/v1 Scale` applied: the replicas of the object behind it. */
function fromScale(kind: Kind, name: string, scale: KubeObject): KubeObject {
  const { spec } = scale as unknown as { spec?: unknown };
  if (scale.kind !== 'Scale' || !isJsonObject(spec)) throw methodNotAllowed(kind, 'apply');
  const { resourceVersion } = scale.metadata;
  const config: JsonObject = {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: { name, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    spec: { replicas: spec['replicas'] },
  };
  return config as unknown as KubeObject;
}
