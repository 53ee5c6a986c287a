// The last changes of one kind, oldest first, so that a watch can resume from a resource version
// and a list can be answered as of an earlier one. Bounded by count and by bytes; what falls out is
// gone and asking for it is answered 410. What is old goes too (`age`), so that a burst of writes
// does not stay in memory for good. Invariant: revisions strictly increase; every change after
// `droppedThrough` is here.

import type { Change, Stored } from './stored.ts';

/** KN-157: a few thousand changes per resource. */
export const MAX_HISTORY_CHANGES = 4096;
/** Serialised bytes kept alive per resource by history alone. */
export const MAX_HISTORY_BYTES = 16 * 1024 * 1024;
/** These stay however old they are: a quiet kind can be resumed after hours. */
const MIN_AGED_CHANGES = 128;
/** Dropped slots at the front that trigger compaction. */
const COMPACT_AT = 1024;

export class ChangeHistory {
  /** Slots before `#head` are null: what was dropped must not stay in memory. */
  #changes: (Change | null)[] = [];
  #head = 0;
  #bytes = 0;
  #droppedThrough: number;
  /** The last revision there was when `age` was called before. */
  #oldThrough: number;
  readonly #maxChanges: number;

  /** Nothing at or before `startRevision` is known. */
  constructor(startRevision: number, maxChanges: number = MAX_HISTORY_CHANGES) {
    this.#droppedThrough = startRevision;
    this.#oldThrough = startRevision;
    this.#maxChanges = maxChanges;
  }

  /** A watcher that has seen everything up to this revision, or later, can resume. */
  get droppedThrough(): number {
    return this.#droppedThrough;
  }

  add(change: Change): void {
    this.#changes.push(change);
    this.#bytes += change.stored.json.length;
    while (
      this.#changes.length - this.#head > this.#maxChanges ||
      (this.#bytes > MAX_HISTORY_BYTES && this.#changes.length - this.#head > 1)
    ) {
      this.#dropOldest();
    }
  }

  /** Drops what was here at the last call already. Called at a fixed period. */
  age(): void {
    while (this.#changes.length - this.#head > MIN_AGED_CHANGES) {
      if (this.#changes[this.#head]!.revision > this.#oldThrough) break;
      this.#dropOldest();
    }
    this.#oldThrough = this.#changes.at(-1)?.revision ?? this.#oldThrough;
  }

  /** The first change after `revision`, or undefined when there is none yet. */
  next(revision: number): Change | undefined {
    return this.#changes[this.#indexAfter(revision)] ?? undefined;
  }

  /** Calls `visit` with every change after `revision`, in order, until it returns false. */
  forEachAfter(revision: number, visit: (change: Change) => boolean): void {
    for (let index = this.#indexAfter(revision); index < this.#changes.length; index += 1) {
      if (!visit(this.#changes[index]!)) return;
    }
  }

  /**
   * What differed at `revision` from now: key -> the state then, null = did not exist. Only for
   * `revision >= droppedThrough`.
   */
  undoTo(revision: number): Map<string, Stored | null> {
    const before = new Map<string, Stored | null>();
    for (let index = this.#changes.length - 1; index >= this.#head; index -= 1) {
      const change = this.#changes[index]!;
      if (change.revision <= revision) break;
      before.set(change.stored.key, change.previous);
    }
    return before;
  }

  #dropOldest(): void {
    const change = this.#changes[this.#head]!;
    this.#changes[this.#head] = null;
    this.#bytes -= change.stored.json.length;
    this.#droppedThrough = change.revision;
    this.#head += 1;
    if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#changes.length) {
      this.#changes = this.#changes.slice(this.#head);
      this.#head = 0;
    }
  }

  #indexAfter(revision: number): number {
    let low = this.#head;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#changes[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
