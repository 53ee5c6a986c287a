// A write as handlers ask for it, and the checks that need nothing but the request and the object:
// that both are about the same thing, and that preconditions hold. Pure.

import { apiVersionOf, type Kind, Namespace } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { deepEqual } from '../kube/equal.ts';
import { isSameOwnership, type Writer } from './apply/managed-fields.ts';
import { badRequest, conflict, modifiedConflict } from './status-error.ts';
import type { Stored } from './store/stored.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface WriteRequest {
  kind: Kind;
  namespace: string;
  name: string;
  subresource: '' | 'status' | 'scale';
  userName: string;
  /** Owns the fields this write changes (KN-192). */
  manager: string;
  operation: 'Apply' | 'Update';
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

/** A write of the server itself. */
export function internalRequest(kind: Kind, namespace: string, name: string): WriteRequest {
  return {
    kind,
    namespace,
    name,
    subresource: '',
    userName: 'system:apiserver',
    manager: 'apiserver',
    operation: 'Update',
    dryRun: false,
    fieldValidation: 'Ignore',
    duplicates: [],
    warnings: [],
  };
}

export function writerOf({ kind, manager, operation, subresource }: WriteRequest): Writer {
  return { manager, operation, apiVersion: apiVersionOf(kind), subresource };
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
export function checkIdentity(request: WriteRequest, given: KubeObject): void {
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
  if (kind.namespaced && (given.metadata.namespace || namespace) !== namespace) {
    throw badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    );
  }
}

export function checkPreconditions(kind: Kind, candidate: KubeObject, current: Stored): void {
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

/** True when the write changed nothing; the time a manager wrote last is no change. */
export function isSameState(next: KubeObject, old: KubeObject): boolean {
  return (
    isSameApartFrom('metadata', next, old) &&
    isSameApartFrom('managedFields', next.metadata, old.metadata) &&
    isSameOwnership(next.metadata.managedFields, old.metadata.managedFields)
  );
}

function isSameApartFrom(field: string, next: object, old: object): boolean {
  const a = next as Record<string, unknown>;
  const b = old as Record<string, unknown>;
  for (const key in a) if (key !== field && !deepEqual(a[key], b[key])) return false;
  for (const key in b) if (key !== field && b[key] !== undefined && !(key in a)) return false;
  return true;
}
