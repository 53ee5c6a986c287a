// Lists (KN-151 to KN-153): selection, chunking, and the promise of each resourceVersion form.
// Chunks of one list show one state: later chunks undo what happened since through the change
// history, so nothing has to be kept per list.

import type { Kind } from '../api/kinds.ts';
import type { Clock } from '../clock/clock.ts';
import type { Selection } from './selectors.ts';
import {
  badRequest,
  expired,
  invalid,
  revisionTooLarge,
  type StatusError,
  type Violation,
} from './status-error.ts';
import type { KindStore } from './store/kind-store.ts';
import type { ObjectStore } from './store/object-store.ts';
import { type Stored, storeKey } from './store/stored.ts';

/** KN-152: how long a request waits for a revision that does not exist yet. */
export const REVISION_WAIT_MS = 3000;
const TOKEN_VERSION = 1;

export interface ListResult {
  items: Stored[];
  resourceVersion: string;
  continue?: string;
  remainingItemCount?: number;
}

interface Continuation {
  /** State the list shows; -1 = newest, for a continuation that gave up consistency. */
  revision: number;
  /** Last key already sent. */
  after: string;
}

export function encodeContinue({ revision, after }: Continuation): string {
  const token = JSON.stringify({ v: TOKEN_VERSION, rv: revision, start: after });
  return Buffer.from(token).toString('base64url');
}

export function decodeContinue(token: string): Continuation {
  try {
    const { v, rv, start } = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (v === TOKEN_VERSION && Number.isInteger(rv) && typeof start === 'string') {
      return { revision: rv, after: start };
    }
  } catch {
    // Not ours: falls through to the refusal below.
  }
  throw badRequest('continue key is not valid');
}

/** Decimal without sign, or throws. '' = 0. */
export function parseRevision(kind: Kind, text: string): number {
  if (text === '') return 0;
  const revision = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(revision)) return revision;
  throw invalid(kind, '', [
    {
      type: 'Invalid',
      field: 'resourceVersion',
      value: text,
      detail: `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    },
  ]);
}

/** Resolves once `revision` is published; rejects with 504 after REVISION_WAIT_MS. */
export function waitForRevision(store: ObjectStore, clock: Clock, revision: number): Promise<void> {
  if (store.revision >= revision) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(
      REVISION_WAIT_MS,
      () => {
        stop();
        reject(revisionTooLarge(revision, store.revision));
      },
      { background: true },
    );
    const stop = store.onRevision(() => {
      if (store.revision < revision) return;
      stop();
      timer.cancel();
      resolve();
    });
  });
}

/** What Go says of a parameter that is no whole number. */
export const notNumber = (text: string): string =>
  `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`;

interface ListRequest {
  limit: number;
  continuation: Continuation | null;
  revision: number;
  exact: boolean;
}

function parseListRequest(kind: Kind, query: URLSearchParams): ListRequest {
  const match = query.get('resourceVersionMatch') ?? '';
  const revision = query.get('resourceVersion') ?? '';
  const token = query.get('continue') ?? '';
  const limit = Number(query.get('limit') ?? '0');
  const refuse = (violation: Violation): StatusError =>
    invalid({ ...kind, kind: 'ListOptions', group: 'meta.k8s.io' }, '', [violation]);
  const forbid = (detail: string): StatusError =>
    refuse({ type: 'Forbidden', field: 'resourceVersionMatch', detail });
  if (query.get('sendInitialEvents') !== null && query.get('sendInitialEvents') !== '') {
    const field = 'sendInitialEvents';
    throw refuse({ type: 'Forbidden', field, detail: 'sendInitialEvents is forbidden for list' });
  }
  if (match !== '') {
    if (token !== '') throw forbid('resourceVersionMatch is forbidden when continue is provided');
    if (revision === '') {
      throw forbid('resourceVersionMatch is forbidden unless resourceVersion is provided');
    }
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      const field = 'resourceVersionMatch';
      const detail = 'supported values: "Exact", "NotOlderThan", ""';
      throw refuse({ type: 'NotSupported', field, value: match, detail });
    }
    if (match === 'Exact' && revision === '0') {
      throw forbid('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
    }
  }
  if (token !== '' && revision !== '' && revision !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  if (!Number.isSafeInteger(limit)) throw badRequest(notNumber(query.get('limit') ?? ''));
  const asked = parseRevision(kind, revision);
  return {
    limit: Math.max(0, limit), // below 0 asks for no limit
    continuation: token === '' ? null : decodeContinue(token),
    revision: asked,
    exact: match === 'Exact' || (match === '' && limit > 0 && asked > 0),
  };
}

/** One list request. `namespace` `''` = all. */
export async function listObjects(
  store: ObjectStore,
  clock: Clock,
  request: { kind: Kind; namespace: string; query: URLSearchParams; selection: Selection },
): Promise<ListResult> {
  const { kind, namespace, query, selection } = request;
  const asked = parseListRequest(kind, query);
  await waitForRevision(store, clock, asked.revision);
  const kinds = store.of(kind);
  const shown = asked.continuation?.revision ?? (asked.exact ? asked.revision : -1);
  const revision = shown < 0 ? store.revision : shown;
  const one =
    shown < 0 && selection.name !== null ? findOne(kinds, namespace, selection.name) : null;
  const all = one ?? stateAt(kinds, namespace, shown, asked.continuation);
  const after = asked.continuation?.after ?? '';
  const matching = all.filter(
    (stored) => stored.key > after && (selection.matches?.(stored.object) ?? true),
  );
  if (asked.limit === 0 || matching.length <= asked.limit) {
    return { items: matching, resourceVersion: String(revision) };
  }
  const items = matching.slice(0, asked.limit);
  const token = encodeContinue({
    revision: shown < 0 ? revision : shown,
    after: items.at(-1)!.key,
  });
  return {
    items,
    resourceVersion: String(revision),
    continue: token,
    ...(selection.matches === null ? { remainingItemCount: matching.length - items.length } : {}),
  };
}

/** A list pinned to one name needs no scan; null = the namespace is open, so it does. */
function findOne(kinds: KindStore, namespace: string, name: string): Stored[] | null {
  if (kinds.kind.namespaced && namespace === '') return null;
  const found = kinds.get(storeKey(namespace, name));
  return found === undefined ? [] : [found];
}

function stateAt(
  kinds: KindStore,
  namespace: string,
  revision: number,
  continuation: Continuation | null,
): Stored[] {
  if (revision < 0) return kinds.list(namespace);
  if (revision >= kinds.history.droppedThrough) return kinds.listAt(namespace, revision);
  const error = expired(
    'The provided continue parameter is too old to display a consistent list result. You can ' +
      'start a new list without the continue parameter, or use the continue token in this ' +
      'response to retrieve the remainder of the results.',
  );
  if (continuation === null) {
    throw expired(`too old resource version: ${revision} (${kinds.history.droppedThrough})`);
  }
  const token = encodeContinue({ revision: -1, after: continuation.after });
  error.status.metadata = { continue: token };
  throw error;
}
