// One watch: replays what the client has not seen, then follows (KN-155 to KN-159). Events are
// pulled from the kind's history by a cursor, so the history is the watcher's only buffer: a client
// that reads too slowly simply falls behind in it, and one that falls out of it is told 410 and
// closed. Invariant: every change after the cursor is delivered once, in revision order. Hot:
// `changed` runs per watcher and write, in the turn of the write; no timers, no copies.

import type { Kind } from '../api/kinds.ts';
import { apiVersionOf } from '../api/kinds.ts';
import type { ApiStatus } from '../api/objects.ts';
import type { Selection } from './selectors.ts';
import { expired } from './status-error.ts';
import type { ChangeListener, KindStore } from './store/kind-store.ts';
import type { ObjectStore } from './store/object-store.ts';
import { type Change, type ChangeType, inVersion, type Stored } from './store/stored.ts';

/** Where the bytes go. `write` false = stop until `drained` is called. */
export interface WatchSink {
  write(bytes: Buffer): boolean;
  end(): void;
}

/** Turns an event into one line of the stream. */
export interface EventEncoder {
  encode(type: ChangeType, stored: Stored): Buffer;
  bookmark(revision: number, endsInitialEvents: boolean): Buffer;
}

/** Plain objects. Shared by all watchers: the last event's bytes are made once per type. */
export class PlainEncoder implements EventEncoder {
  readonly #kind: Kind;
  #stored: Stored | null = null;
  #frames: { ADDED: Buffer | null; MODIFIED: Buffer | null; DELETED: Buffer | null } = {
    ADDED: null,
    MODIFIED: null,
    DELETED: null,
  };

  constructor(kind: Kind) {
    this.#kind = kind;
  }

  encode(type: ChangeType, stored: Stored): Buffer {
    if (this.#stored !== stored) {
      this.#stored = stored;
      this.#frames = { ADDED: null, MODIFIED: null, DELETED: null };
    }
    const made =
      this.#frames[type] ??
      Buffer.from(`{"type":"${type}","object":${inVersion(this.#kind, stored).json}}\n`);
    this.#frames[type] = made;
    return made;
  }

  bookmark(revision: number, endsInitialEvents: boolean): Buffer {
    return encodeBookmark(this.#kind, revision, endsInitialEvents);
  }
}

/** KN-158, KN-159. */
export function encodeBookmark(kind: Kind, revision: number, endsInitialEvents: boolean): Buffer {
  const annotations = endsInitialEvents
    ? { annotations: { 'k8s.io/initial-events-end': 'true' } }
    : {};
  const object = {
    kind: kind.kind,
    apiVersion: apiVersionOf(kind),
    metadata: { resourceVersion: String(revision), ...annotations },
  };
  return Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
}

export function encodeErrorEvent(status: ApiStatus): Buffer {
  return Buffer.from(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
}

export interface WatchOptions {
  store: ObjectStore;
  kinds: KindStore;
  /** `''` = all. */
  namespace: string;
  selection: Selection;
  encoder: EventEncoder;
  sink: WatchSink;
  /** Current state to send as ADDED before following; null = none. */
  initial: readonly Stored[] | null;
  /** Everything up to here is known to the client (or part of `initial`). */
  cursor: number;
  wantsBookmarks: boolean;
  /** KN-159: close the initial state with a marked bookmark. */
  marksInitialEnd: boolean;
  onClose: () => void;
}

export class Watch implements ChangeListener {
  readonly #options: WatchOptions;
  readonly #prefix: string;
  #cursor: number;
  #initial: readonly Stored[] | null;
  #initialIndex = 0;
  #isBlocked = false;
  #isClosed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#prefix = options.namespace === '' ? '' : `${options.namespace}\u0000`;
    this.#cursor = options.cursor;
    this.#initial = options.initial;
  }

  /** Sends what is due and follows from then on. */
  start(): void {
    this.#options.kinds.listeners.add(this);
    this.#pump();
  }

  changed(change: Change): void {
    if (this.#isBlocked || this.#initial !== null) return; // the pump will find it in the history
    this.#deliver(change);
  }

  /** The sink takes bytes again. */
  drained(): void {
    this.#isBlocked = false;
    this.#pump();
  }

  /** Tells the client how far it is; skipped while it lags. */
  bookmark(): void {
    const { wantsBookmarks, store, encoder } = this.#options;
    if (!wantsBookmarks || this.#isBlocked || this.#isClosed || this.#initial !== null) return;
    this.#write(encoder.bookmark(store.revision, false));
  }

  /** Orderly end, as on `timeoutSeconds` (KN-158). */
  close(): void {
    this.bookmark();
    this.#finish();
  }

  /** The client went away. */
  abandon(): void {
    this.#finish();
  }

  #finish(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.kinds.listeners.delete(this);
    this.#options.sink.end();
    this.#options.onClose();
  }

  #pump(): void {
    if (this.#isClosed || !this.#sendInitial()) return;
    const { history } = this.#options.kinds;
    if (this.#cursor < history.droppedThrough) {
      const message = `too old resource version: ${this.#cursor} (${history.droppedThrough})`;
      this.#write(encodeErrorEvent(expired(message).status));
      this.#finish();
      return;
    }
    history.forEachAfter(this.#cursor, (change) => {
      this.#deliver(change);
      return !this.#isBlocked;
    });
  }

  /** True when the initial state is out. */
  #sendInitial(): boolean {
    const initial = this.#initial;
    if (initial === null) return true;
    const { encoder, marksInitialEnd } = this.#options;
    while (this.#initialIndex < initial.length && !this.#isBlocked) {
      const stored = initial[this.#initialIndex]!;
      this.#initialIndex += 1;
      this.#write(encoder.encode('ADDED', stored));
    }
    if (this.#isBlocked) return false;
    this.#initial = null;
    if (marksInitialEnd) this.#write(encoder.bookmark(this.#cursor, true));
    return !this.#isBlocked;
  }

  #deliver(change: Change): void {
    this.#cursor = change.revision;
    const { stored, previous } = change;
    if (!stored.key.startsWith(this.#prefix)) return;
    const { matches } = this.#options.selection;
    if (matches === null) {
      this.#write(this.#options.encoder.encode(change.type, stored));
      return;
    }
    const before = previous !== null && matches(previous.object);
    const now = change.type !== 'DELETED' && matches(stored.object);
    if (now) {
      this.#write(this.#options.encoder.encode(before ? 'MODIFIED' : 'ADDED', stored));
    } else if (before) {
      const last = change.type === 'DELETED' ? stored : withRevision(previous, change.revision);
      this.#write(this.#options.encoder.encode('DELETED', last));
    }
  }

  #write(bytes: Buffer): void {
    if (!this.#options.sink.write(bytes)) this.#isBlocked = true;
  }
}

/** KN-156: an object that stopped matching is shown as it last matched, at the new revision. */
function withRevision(stored: Stored, revision: number): Stored {
  const metadata = { ...stored.object.metadata, resourceVersion: String(revision) };
  const object = { ...stored.object, metadata };
  return { ...stored, object, json: JSON.stringify(object), revision };
}
