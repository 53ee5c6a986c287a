// Ownership of fields through a write (KN-190 to KN-194), with the rules of Kubernetes: an update
// takes what it changed from everybody else, an apply takes what it names, conflicts where somebody
// else's value would change, and drops what it named before. Built on comparing the old with the
// new object, never on walking all of it. Pure. Warm: `afterUpdate` runs once per write.

import { apiVersionOf, type Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';
import { deepEqual } from '../../kube/equal.ts';
import type { JsonObject } from '../patch/json-value.ts';
import { badRequest } from '../status-error.ts';
import type { StructuralSchema } from '../structural-schema.ts';
import { builtinTypeOf } from './builtin-types.ts';
import { type Comparison, compareValues, SAME, writtenFields } from './compare.ts';
import { fieldsOf, mergeConfiguration } from './configuration.ts';
import { applyConflict, type Conflict } from './conflicts.ts';
import {
  child,
  difference,
  differenceDeep,
  type FieldSet,
  fieldElement,
  intersection,
  MEMBER,
  makeNode,
  union,
} from './field-set.ts';
import { type MapType, typeOfSchema, UNOWNED_METADATA } from './field-type.ts';
import { allowedByLastApplied, withLastApplied } from './last-applied.ts';
import { ListItemError } from './list-items.ts';
import {
  decodeManaged,
  isOwn,
  isReset,
  type ManagedEntry,
  type ManagedFields,
  makeEntry,
  NOBODY,
  settleManaged,
  type Writer,
} from './managed-fields.ts';
import { pruneDropped } from './prune.ts';

/** Owns what an object had before its first apply, where nothing was recorded. */
const BEFORE_FIRST_APPLY = 'before-first-apply';

const members = (...names: string[]): FieldSet =>
  makeNode(
    false,
    names.map((name) => [fieldElement(name), MEMBER]),
  );

const STATUS = members('status');

/** Never owned (`metadata` only as a container). */
const UNOWNED: FieldSet = union(
  members('apiVersion', 'kind', 'metadata'),
  makeNode(false, [[fieldElement('metadata'), members(...UNOWNED_METADATA)!]]),
);

export interface ApplyResult {
  object: KubeObject;
  managed: ManagedFields;
}

/** Field ownership of one kind's objects. */
export class FieldManager {
  readonly #type: MapType;
  readonly #kind: Kind;

  constructor(kind: Kind, schema: StructuralSchema | undefined) {
    this.#kind = kind;
    this.#type = kind.custom ? typeOfSchema(schema) : builtinTypeOf(kind);
  }

  /** What the request says about ownership itself: normally nothing, then `live` has it. */
  managedOf(live: KubeObject | null, given: KubeObject, subresource: string): ManagedFields {
    const stored = decodeStored(live);
    const asked: unknown = given.metadata.managedFields;
    if (subresource !== '' || asked === undefined || asked === stored) return stored;
    if (isReset(asked)) return NOBODY;
    if (deepEqual(asked, stored)) return stored;
    const decoded = decodeManaged(asked);
    return decoded === null || decoded.length === 0 ? stored : decoded;
  }

  /** Ownership after `writer` made `next` of `live` (null = created it) by create, update or patch. */
  afterUpdate(
    live: KubeObject | null,
    next: KubeObject,
    managed: ManagedFields,
    writer: Writer,
    nowMs: number,
  ): ManagedFields {
    // Nobody is recorded: it was asked to forget, and only an apply starts anew.
    if (live !== null && managed.length === 0) return managed;
    const compared = this.#compare(live, next, writer.subresource);
    if (compared === SAME) return managed;
    const written = writtenFields(compared);
    const { removed } = compared;
    const lost = union(written, removed);
    let own: FieldSet = null;
    const after: ManagedEntry[] = [];
    for (const entry of managed) {
      if (written !== null && isOwn(entry, writer)) own = difference(entry.fieldsV1, removed);
      else after.push(withFields(entry, difference(entry.fieldsV1, lost)));
    }
    if (written === null) return keepIfSame(managed, after);
    after.push(makeEntry(writer, union(own, written), nowMs));
    return settleManaged(after);
  }

  /** KN-190: `config` applied to `live` (null = it does not exist). Throws StatusError. */
  apply(
    live: KubeObject | null,
    config: KubeObject,
    writer: Writer,
    options: { force: boolean; nowMs: number },
  ): ApplyResult {
    const stored = decodeStored(live);
    const managed =
      live === null || stored.length > 0 ? stored : this.#beforeFirstApply(live, options.nowMs);
    try {
      return this.#applyAs(live, config, managed, writer, options);
    } catch (error) {
      if (!(error instanceof ListItemError)) throw error;
      throw badRequest(`failed to create typed patch object: ${error.message}`);
    }
  }

  #applyAs(
    live: KubeObject | null,
    config: KubeObject,
    managed: ManagedFields,
    writer: Writer,
    { force, nowMs }: { force: boolean; nowMs: number },
  ): ApplyResult {
    const base = withoutManaged(live ?? bare(config));
    const own = managed.find((entry) => isOwn(entry, writer));
    const named = fieldsOf(this.#type, config);
    const claimed = this.#ownable(named, writer.subresource);
    const entry = makeEntry(writer, claimed, nowMs);
    const foreign = managed.filter((other) => other !== own);
    // With its name, which nobody owns: else leaving out the last of its metadata drops it all.
    const owned = foreign.reduce((all, { fieldsV1 }) => union(all, fieldsV1), named);
    const merged = mergeConfiguration(this.#type, base, config) as JsonObject;
    const pruned = pruneDropped(this.#type, merged, own?.fieldsV1 ?? null, owned);
    const compared = this.#compare(live === null ? null : base, pruned, writer.subresource);
    const others = this.#settleConflicts(foreign, writer, compared, base, force);
    const object = withLastApplied(pruned as unknown as KubeObject, config, writer.manager);
    if (compared === SAME && deepEqual(own?.fieldsV1, claimed)) return { object, managed };
    return { object, managed: settleManaged([...others, entry]) };
  }

  /** The others after the apply took over what it may; throws the conflict where it may not. */
  #settleConflicts(
    others: ManagedFields,
    writer: Writer,
    compared: Comparison,
    base: KubeObject,
    force: boolean,
  ): ManagedFields {
    const written = writtenFields(compared);
    const conflicts = others.flatMap((entry): Conflict[] => {
      const fields = intersection(entry.fieldsV1, written);
      return fields === null ? [] : [{ entry, fields }];
    });
    if (!force && conflicts.length > 0) {
      const allowed = writer.manager === 'kubectl' ? allowedByLastApplied(this.#type, base) : null;
      const left = conflicts.flatMap(({ entry, fields }) => {
        const rest = difference(fields, allowed);
        return rest === null ? [] : [{ entry, fields: rest }];
      });
      if (left.length > 0) throw applyConflict(left);
    }
    const lost = union(written, compared.removed);
    return others.map((entry) => withFields(entry, difference(entry.fieldsV1, lost)));
  }

  #compare(
    live: KubeObject | null,
    next: KubeObject | JsonObject,
    subresource: string,
  ): Comparison {
    const before = live === null ? EMPTY : (live as unknown as JsonObject);
    const compared = compareValues(this.#type, before, next);
    if (compared === SAME) return SAME;
    const result = {
      added: this.#ownable(compared.added, subresource),
      modified: this.#ownable(compared.modified, subresource),
      removed: this.#ownable(compared.removed, subresource),
    };
    const isNothing = result.added === null && result.modified === null && result.removed === null;
    return isNothing ? SAME : result;
  }

  /** Without what this path cannot write, and what nobody owns. */
  #ownable(set: FieldSet, subresource: string): FieldSet {
    if (set === null) return null;
    const { custom, subresources } = this.#kind;
    if (subresource === 'status') {
      const kept = custom ? ['status'] : ['status', 'metadata'];
      const nodes = kept.flatMap((name) => {
        const node = child(set, fieldElement(name));
        return node === null ? [] : [[fieldElement(name), node] as const];
      });
      return difference(makeNode(false, nodes), UNOWNED);
    }
    const written = subresources.includes('status') ? differenceDeep(set, STATUS) : set;
    return difference(written, UNOWNED);
  }

  #beforeFirstApply(live: KubeObject, nowMs: number): ManagedFields {
    const writer: Writer = {
      manager: BEFORE_FIRST_APPLY,
      operation: 'Update',
      apiVersion: apiVersionOf(this.#kind),
      subresource: '',
    };
    const compared = compareValues(this.#type, EMPTY, withoutManaged(live));
    const fields = this.#ownable(writtenFields(compared), '');
    return fields === null ? NOBODY : [makeEntry(writer, fields, nowMs)];
  }
}

const EMPTY: JsonObject = {};

function withFields(entry: ManagedEntry, fieldsV1: FieldSet): ManagedEntry {
  return fieldsV1 === entry.fieldsV1 ? entry : { ...entry, fieldsV1 };
}

function keepIfSame(before: ManagedFields, after: ManagedFields): ManagedFields {
  const isSame =
    before.length === after.length && before.every((entry, index) => entry === after[index]);
  return isSame ? before : settleManaged(after);
}

function withoutManaged(object: KubeObject): KubeObject {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields: _managed, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** What an apply that creates starts from. */
function bare({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata: { name: metadata.name } };
}

/** Stored entries are well-formed: they were checked on their way in. */
function decodeStored(live: KubeObject | null): ManagedFields {
  return (live?.metadata.managedFields as ManagedFields | undefined) ?? NOBODY;
}
