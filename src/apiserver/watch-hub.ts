// Opens watches and keeps them: parameters (KN-155 to KN-160), the shared bookmark ticker, encoders
// and the orderly end of every watch when the server stops.

import type { ServerResponse } from 'node:http';
import type { Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import { notNumber, parseRevision, waitForRevision } from './list.ts';
import { JSON_TYPE, type ResponseFormat } from './negotiation.ts';
import { parseSelection, type Selection } from './selectors.ts';
import { badRequest, expired, invalid, tooManyRequests, type Violation } from './status-error.ts';
import type { ObjectStore } from './store/object-store.ts';
import type { ChangeType, Stored } from './store/stored.ts';
import { type IncludeObject, includeObjectOf, toPartialMetadata, toTable } from './table.ts';
import { type EventEncoder, encodeBookmark, PlainEncoder, Watch } from './watch.ts';
import { WatchOutbox } from './watch-sink.ts';

/** Open watches; more are answered 429. */
export const MAX_WATCHES = 10_000;
/** KN-158. */
export const BOOKMARK_PERIOD_MS = 60_000;
const DEFAULT_TIMEOUT_SECONDS = 1800;
/** How long an ended watch may take to hand over its last bytes before its connection is cut. */
const LINGER_MS = 5000;

export interface WatchRequest {
  kind: Kind;
  namespace: string;
  /** Set when one object is watched by its path. */
  name: string;
  query: URLSearchParams;
  format: ResponseFormat;
}

interface WatchPlan {
  initial: readonly Stored[] | null;
  cursor: number;
  marksInitialEnd: boolean;
}

export class WatchHub {
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #watches = new Set<Watch>();
  readonly #outbox = new WatchOutbox();
  readonly #plainEncoders = new Map<Kind, PlainEncoder>();
  readonly #ticker: TimerHandle;

  constructor(deps: { store: ObjectStore; clock: Clock; random: () => number }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#ticker = deps.clock.setTicker(
      BOOKMARK_PERIOD_MS,
      () => {
        for (const watch of this.#watches) watch.bookmark();
      },
      { background: true },
    );
  }

  /** Answers with the stream, or rejects before anything is sent. */
  async open(request: WatchRequest, response: ServerResponse): Promise<void> {
    if (this.#watches.size >= MAX_WATCHES) throw tooManyRequests('too many open watches');
    const { kind, namespace, name, query } = request;
    const parsed = parseSelection(kind, query);
    const selection = name === '' ? parsed : pinned(parsed, name);
    const timeoutMs = this.#timeoutMs(query);
    const plan = await this.#plan(request, selection);
    if (response.destroyed) return;
    response.writeHead(200, { 'Content-Type': JSON_TYPE, 'Cache-Control': 'no-cache, private' });
    response.flushHeaders();
    const watch: Watch = new Watch({
      store: this.#store,
      kinds: this.#store.of(kind),
      namespace,
      selection,
      encoder: this.#encoder(request),
      sink: this.#outbox.sinkFor(response, () => watch.drained()),
      ...plan,
      wantsBookmarks: isTrue(query.get('allowWatchBookmarks')),
      onClose: () => {
        this.#watches.delete(watch);
        timer.cancel();
        if (!response.writableFinished) this.#linger(response);
      },
    });
    const timer = this.#clock.setTimer(timeoutMs, () => watch.close(), { background: true });
    this.#watches.add(watch);
    response.on('close', () => watch.abandon());
    watch.start();
  }

  /** A client that does not read must not keep its socket for ever. */
  #linger(response: ServerResponse): void {
    const cut = this.#clock.setTimer(LINGER_MS, () => response.destroy(), { background: true });
    response.once('close', () => cut.cancel());
  }

  /** Ends every watch in order. */
  stop(): void {
    this.#ticker.cancel();
    for (const watch of [...this.#watches]) watch.close();
  }

  async #plan(request: WatchRequest, selection: Selection): Promise<WatchPlan> {
    const { kind, namespace, query } = request;
    const asked = query.get('resourceVersion') ?? '';
    const revision = parseRevision(kind, asked);
    const sendsInitial = this.#sendInitialEvents(kind, query);
    await waitForRevision(this.#store, this.#clock, revision);
    const kinds = this.#store.of(kind);
    if (sendsInitial === true || (sendsInitial === null && revision === 0)) {
      const initial = kinds
        .list(namespace)
        .filter(({ object }) => selection.matches?.(object) ?? true);
      return { initial, cursor: this.#store.revision, marksInitialEnd: sendsInitial === true };
    }
    if (revision === 0) {
      return { initial: null, cursor: this.#store.revision, marksInitialEnd: false };
    }
    const oldest = kinds.history.droppedThrough;
    if (revision < oldest) throw expired(`too old resource version: ${revision} (${oldest})`);
    return { initial: null, cursor: revision, marksInitialEnd: false };
  }

  /** KN-159. null = the parameter is absent. */
  #sendInitialEvents(kind: Kind, query: URLSearchParams): boolean | null {
    const value = query.get('sendInitialEvents') ?? '';
    const match = query.get('resourceVersionMatch') ?? '';
    const refuse = (field: string, detail: string, more: readonly Violation[] = []): never => {
      const violations: Violation[] = [{ type: 'Forbidden', field, detail }, ...more];
      throw invalid({ ...kind, kind: 'ListOptions', group: 'meta.k8s.io' }, '', violations);
    };
    if (value === '') {
      if (match !== '') {
        const field = 'resourceVersionMatch';
        const detail = 'supported values: "NotOlderThan"';
        refuse(
          field,
          'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
          match === 'NotOlderThan' ? [] : [{ type: 'NotSupported', field, value: match, detail }],
        );
      }
      return null;
    }
    if (match !== 'NotOlderThan') {
      refuse(
        'resourceVersionMatch',
        'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      );
    }
    return isTrue(value);
  }

  #timeoutMs(query: URLSearchParams): number {
    const text = query.get('timeoutSeconds') ?? '';
    const seconds = text === '' ? 0 : Number(text);
    if (!Number.isInteger(seconds)) throw badRequest(notNumber(text));
    if (seconds < 0) throw badRequest('timeoutSeconds must not be below 0');
    const chosen = seconds > 0 ? seconds : DEFAULT_TIMEOUT_SECONDS * (1 + this.#random());
    return Math.min(chosen * 1000, 2 ** 31 - 1);
  }

  #encoder({ kind, query, format }: WatchRequest): EventEncoder {
    if (format === 'table') return new TableEncoder(kind, includeObjectOf(query), this.#clock);
    if (format === 'metadata') return new MetadataEncoder(kind);
    const encoder = this.#plainEncoders.get(kind) ?? new PlainEncoder(kind);
    this.#plainEncoders.set(kind, encoder);
    return encoder;
  }
}

const isTrue = (value: string | null): boolean => value === 'true' || value === '1';

function pinned(selection: Selection, name: string): Selection {
  const { matches } = selection;
  return {
    name,
    matches: (object: KubeObject) => object.metadata.name === name && (matches?.(object) ?? true),
  };
}

const line = (type: string, object: object): Buffer =>
  Buffer.from(`${JSON.stringify({ type, object })}\n`);

/** KN-143: one-row tables; only the first says what the columns are. */
class TableEncoder implements EventEncoder {
  readonly #kind: Kind;
  readonly #include: IncludeObject;
  readonly #clock: Clock;
  #hasColumns = true;

  constructor(kind: Kind, include: IncludeObject, clock: Clock) {
    this.#kind = kind;
    this.#include = include;
    this.#clock = clock;
  }

  encode(type: ChangeType, stored: Stored): Buffer {
    const table = toTable(this.#kind, [stored.object], {
      metadata: { resourceVersion: String(stored.revision) },
      include: this.#include,
      nowMs: this.#clock.nowMs(),
      hasColumns: this.#hasColumns,
    });
    this.#hasColumns = false;
    return line(type, table);
  }

  bookmark(revision: number, endsInitialEvents: boolean): Buffer {
    if (endsInitialEvents) return encodeBookmark(this.#kind, revision, true);
    const metadata = { resourceVersion: String(revision) };
    const table = { metadata, include: 'None' as const, nowMs: 0, hasColumns: false };
    return line('BOOKMARK', toTable(this.#kind, [], table));
  }
}

class MetadataEncoder implements EventEncoder {
  readonly #kind: Kind;

  constructor(kind: Kind) {
    this.#kind = kind;
  }

  encode(type: ChangeType, stored: Stored): Buffer {
    return line(type, toPartialMetadata(stored.object));
  }

  bookmark(revision: number, endsInitialEvents: boolean): Buffer {
    return encodeBookmark(this.#kind, revision, endsInitialEvents);
  }
}
