// Kinds defined by CustomResourceDefinitions: served from the turn the definition is stored, gone
// when it is, with all their objects. A definition whose names are taken stays, unserved, and its
// conditions say why. Definitions of the kinds built in are kept in the store so that clients find
// them; those rows never change. Invariant: the registry and the store change in the same turn.

import {
  type CustomResourceDefinition,
  compareVersions,
  definitionOf,
  kindOfVersion,
} from '../../api/custom-resource.ts';
import { CustomResourceDefinition as DefinitionKind, type Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';
import type { Clock } from '../../clock/clock.ts';
import { deepEqual } from '../../kube/equal.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { DeleteOptions, ObjectDeleter } from '../deleter.ts';
import type { KindRegistry } from '../kind-registry.ts';
import { timestamp } from '../object-meta.ts';
import { forbidden, StatusError } from '../status-error.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { type Change, type Stored, storeKey } from '../store/stored.ts';
import type { StructuralSchema } from '../structural-schema.ts';
import { internalRequest } from '../write-request.ts';
import type { ObjectWriter } from '../writer.ts';
import { CLEANUP_FINALIZER } from './definition-rules.ts';
import { statusOf, type Verdict } from './definition-status.ts';

/** Definitions served beside the kinds built in; the names of more are not accepted. */
export const MAX_DEFINITIONS = 2000;
const RETRY_MS = 1000;

const BACKGROUND: DeleteOptions = {
  propagationPolicy: 'Background',
  gracePeriodSeconds: null,
  uid: null,
  resourceVersion: null,
};

interface Dependencies {
  registry: KindRegistry;
  store: ObjectStore;
  clock: Clock;
  logger: Logger;
  /** Schemas of the kinds built in. */
  schemaOf: (kind: Kind) => StructuralSchema | undefined;
}

interface Served {
  spec: CustomResourceDefinition['spec'];
  kinds: readonly Kind[];
}

export class CustomKinds {
  readonly #deps: Dependencies;
  readonly #served = new Map<string, Served>();
  readonly #schemas = new WeakMap<Kind, StructuralSchema>();
  readonly #builtIn: ReadonlyMap<string, CustomResourceDefinition>;
  #writes: { writer: ObjectWriter; deleter: ObjectDeleter } | null = null;
  #isStopped = false;

  constructor(deps: Dependencies) {
    this.#deps = deps;
    const definitions = deps.registry.kinds.flatMap((kind) => {
      const schema = kind.custom ? deps.schemaOf(kind) : undefined;
      return schema === undefined ? [] : [definitionOf(kind, schema as never)];
    });
    this.#builtIn = new Map(definitions.map((crd) => [crd.metadata.name, crd]));
    for (const { object } of this.#definitions()) this.#serve(asDefinition(object));
  }

  schemaOf(kind: Kind): StructuralSchema | undefined {
    return this.#schemas.get(kind) ?? this.#deps.schemaOf(kind);
  }

  /** Follows the definitions, and stores those of the kinds built in. */
  async start(writes: { writer: ObjectWriter; deleter: ObjectDeleter }): Promise<void> {
    this.#writes = writes;
    if (this.#deps.registry.byKind('apiextensions.k8s.io/v1', DefinitionKind.kind) === undefined) {
      return;
    }
    this.#deps.store.of(DefinitionKind).listeners.add({
      changed: (change) => this.#changed(change),
    });
    for (const definition of this.#builtIn.values()) await this.#ensure(definition);
    for (const { object } of this.#definitions()) this.#settle(asDefinition(object));
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** True for a kind a client's definition made. */
  isServed(kind: Kind): boolean {
    return this.#schemas.has(kind);
  }

  /** Throws 403 for a definition of a kind that is built in. */
  checkDelete(kind: Kind, name: string): void {
    if (kind === DefinitionKind && this.#builtIn.has(name)) {
      throw forbidden(kind, name, 'the kind is built into this server');
    }
  }

  #definitions(): readonly Stored[] {
    const { registry, store } = this.#deps;
    const isServed = registry.kinds.includes(DefinitionKind);
    return isServed ? store.of(DefinitionKind).list('') : [];
  }

  async #ensure(definition: CustomResourceDefinition): Promise<void> {
    const { writer } = this.#writes!;
    const { name } = definition.metadata;
    const stored = this.#deps.store.of(DefinitionKind).get(storeKey('', name));
    if (stored === undefined) {
      await writer.create(internalRequest(DefinitionKind, '', ''), structuredClone(definition));
    } else if (!deepEqual(asDefinition(stored.object).spec, definition.spec)) {
      await writer.modify(internalRequest(DefinitionKind, '', name), ({ object }) => ({
        ...object,
        spec: definition.spec,
      }));
    }
  }

  #changed({ type, stored }: Change): void {
    const definition = asDefinition(stored.object);
    if (type === 'DELETED') this.#forget(definition.metadata.name);
    else {
      this.#serve(definition);
      this.#settle(definition);
    }
  }

  /** Puts the rows of a definition in place; does nothing when its names are taken. */
  #serve(definition: CustomResourceDefinition): void {
    const { registry, store } = this.#deps;
    const { name } = definition.metadata;
    const known = this.#served.get(name);
    if (this.#builtIn.has(name) || deepEqual(known?.spec, definition.spec)) return;
    if (this.#refusal(definition) !== null) return;
    const versions = definition.spec.versions
      .filter(({ served }) => served)
      .sort((a, b) => compareVersions(a.name, b.name));
    const kinds = versions.map((version) => {
      const kind = kindOfVersion(definition, version);
      const schema = version.schema?.openAPIV3Schema as StructuralSchema | undefined;
      if (schema !== undefined) this.#schemas.set(kind, schema);
      return kind;
    });
    for (const kind of kinds) store.serve(kind);
    registry.replace(known?.kinds ?? [], kinds);
    this.#served.set(name, { spec: definition.spec, kinds });
  }

  /** Why the names of a definition cannot be had, or null. */
  #refusal({ metadata, spec }: CustomResourceDefinition): Verdict | null {
    const own = this.#served.get(metadata.name)?.kinds ?? [];
    const rivals = this.#deps.registry.kinds.filter(
      (kind) => kind.group === spec.group && !own.includes(kind),
    );
    const refuse = (reason: string, text: string): Verdict => ({
      type: 'NamesAccepted',
      status: 'False',
      reason,
      message: `${JSON.stringify(text)} is already in use`,
    });
    const { plural, kind, shortNames = [] } = spec.names;
    if (rivals.some((rival) => rival.plural === plural)) return refuse('PluralConflict', plural);
    if (rivals.some((rival) => rival.kind === kind)) return refuse('KindConflict', kind);
    const short = shortNames.find((name) =>
      rivals.some((rival) => rival.shortNames.includes(name)),
    );
    if (short !== undefined) return refuse('ShortNamesConflict', short);
    const isFull = this.#served.size >= MAX_DEFINITIONS && own.length === 0;
    return isFull ? { ...refuse('TooMany', plural), message: 'too many definitions' } : null;
  }

  #forget(name: string): void {
    const served = this.#served.get(name);
    if (served === undefined) return;
    this.#served.delete(name);
    this.#deps.registry.replace(served.kinds, []);
    for (const kind of served.kinds) this.#deps.store.forget(kind);
  }

  /** What follows from a change, in its own time: conditions, or the clean-up of one that goes. */
  #settle(definition: CustomResourceDefinition): void {
    const { name, deletionTimestamp } = definition.metadata;
    const work =
      deletionTimestamp === undefined ? this.#report(definition) : this.#cleanUp(definition);
    work.catch((error: unknown) => {
      if (this.#isStopped || (error instanceof StatusError && error.code === 404)) return;
      this.#deps.logger.warn({ definition: name, error }, 'custom kind: will be tried again');
      this.#deps.clock.setTimer(RETRY_MS, () => this.#again(name), { background: true });
    });
  }

  #again(name: string): void {
    const stored = this.#deps.store.of(DefinitionKind).get(storeKey('', name));
    if (!this.#isStopped && stored !== undefined) this.#settle(asDefinition(stored.object));
  }

  async #report(definition: CustomResourceDefinition): Promise<void> {
    const { name } = definition.metadata;
    const isBuiltIn = this.#builtIn.has(name);
    const refusal = isBuiltIn ? null : this.#refusal(definition);
    const nowMs = this.#deps.clock.nowMs();
    const request = {
      ...internalRequest(DefinitionKind, '', name),
      subresource: 'status' as const,
    };
    await this.#writes?.writer.modify(request, ({ object }) => {
      const { status: old } = asDefinition(object);
      const status = statusOf(asDefinition(object), refusal, timestamp(nowMs));
      return { ...object, status: { ...old, ...status } } as KubeObject;
    });
  }

  /** Deletes the objects, then lets the definition go. */
  async #cleanUp({ metadata }: CustomResourceDefinition): Promise<void> {
    const { store, clock } = this.#deps;
    const writes = this.#writes;
    if (writes === null || !metadata.finalizers?.includes(CLEANUP_FINALIZER)) return;
    const kind = this.#served.get(metadata.name)?.kinds[0];
    let left = 0;
    for (const { object } of kind === undefined ? [] : store.of(kind).list('')) {
      const { name, namespace = '' } = object.metadata;
      const request = internalRequest(kind!, namespace, name);
      const { gone } = await writes.deleter.delete(request, BACKGROUND).catch(ifGone);
      if (gone === null) left += 1;
    }
    if (left > 0) {
      clock.setTimer(RETRY_MS, () => this.#again(metadata.name), { background: true });
      return;
    }
    await writes.writer.modify(internalRequest(DefinitionKind, '', metadata.name), ({ object }) => {
      const finalizers = object.metadata.finalizers?.filter((name) => name !== CLEANUP_FINALIZER);
      return { ...object, metadata: { ...object.metadata, finalizers: finalizers ?? [] } };
    });
  }
}

function ifGone(error: unknown): { gone: unknown } {
  if (error instanceof StatusError && error.code === 404) return { gone: true };
  throw error;
}

const asDefinition = (object: KubeObject): CustomResourceDefinition =>
  object as CustomResourceDefinition;
