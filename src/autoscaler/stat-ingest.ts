// Takes whole frames of pushed stats (AS-58, AS-62, AS-63, AS-154): what belongs to a revision that
// is collected here goes from the bytes of the frame into its windows without an object in between;
// everything else is handed on as messages. Invariants: a frame that cannot be read leaves no
// trace; stats of one revision are recorded in the order they came. Hot: once per stat.

import { joinKey } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { decodeStatMessages, type StatMessage } from '../wire/stat.ts';
import { SPAN, SPANS, StatFrame, VALUE, VALUES } from '../wire/stat-frame.ts';
import type { Collector } from './collector.ts';
import type { Deciders } from './deciders.ts';
import { type RowEntry, RowTable } from './row-table.ts';

/** AS-168, AS-169: which keys are ours, where several share them. */
export interface KeyOwnership {
  bucketOf(key: string): string;
  isOwned(bucket: string): boolean;
}

export interface StatIngestOptions {
  collector: Collector;
  deciders: Deciders;
  clock: Clock;
  /** null = every key is ours. */
  ownership: KeyOwnership | null;
  /** Stats of revisions that nobody collects here, in the order they came. */
  onOthers: (messages: StatMessage[]) => void;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export class StatIngest {
  readonly #options: StatIngestOptions;
  readonly #frame = new StatFrame();
  readonly #table = new RowTable();
  // Filled anew for each stat.
  readonly #span = { namespaceAt: 0, namespaceEnd: 0, nameAt: 0, nameEnd: 0 };

  constructor(options: StatIngestOptions) {
    this.#options = options;
  }

  /** Throws on bytes that are no such message. */
  take(bytes: Uint8Array): void {
    const frame = this.#frame;
    const { collector, clock, onOthers } = this.#options;
    if (!frame.read(bytes)) {
      onOthers(decodeStatMessages(bytes));
      return;
    }
    const nowSecond = Math.floor(clock.nowMs() / 1000);
    let others: StatMessage[] | null = null;
    for (let index = 0; index < frame.count; index += 1) {
      const entry = this.#entryOf(index);
      if (entry === null) {
        others ??= [];
        others.push(this.#messageOf(index));
        continue;
      }
      const { row } = entry;
      const { values } = frame;
      const cell = index * VALUES;
      const average = values[cell + VALUE.average]!;
      const second = values[cell + VALUE.timestamp]!;
      collector.recordInto(
        row,
        second === 0 ? nowSecond : second,
        average - values[cell + VALUE.proxied]!,
        values[cell + VALUE.count]! - values[cell + VALUE.proxiedCount]!,
      );
      if (row.isPokable && average !== 0) this.#options.deciders.poke(row.key);
    }
    if (others !== null) onOthers(others);
  }

  /** Null = not collected here, or somebody else's. */
  #entryOf(index: number): RowEntry | null {
    const { spans, bytes } = this.#frame;
    const span = this.#span;
    const from = index * SPANS;
    span.namespaceAt = spans[from + SPAN.namespaceAt]!;
    span.namespaceEnd = spans[from + SPAN.namespaceEnd]!;
    span.nameAt = spans[from + SPAN.nameAt]!;
    span.nameEnd = spans[from + SPAN.nameEnd]!;
    let entry = this.#table.find(bytes, span);
    if (entry === null || !entry.row.isCollected) entry = this.#lookUp();
    const { ownership } = this.#options;
    return entry === null || ownership === null || ownership.isOwned(entry.bucket) ? entry : null;
  }

  /** The names of `#span`, by their key. */
  #lookUp(): RowEntry | null {
    const { collector, ownership } = this.#options;
    const key = joinKey(this.#namespace(), this.#name());
    const row = collector.rowOf(key);
    if (row === null) return null;
    const entry = { row, bucket: ownership?.bucketOf(key) ?? '' };
    this.#table.set(this.#frame.bytes, this.#span, entry);
    return entry;
  }

  /** As an object; the names are those of `#span`. */
  #messageOf(index: number): StatMessage {
    const { values, spans } = this.#frame;
    const cell = index * VALUES;
    const podNameAt = spans[index * SPANS + SPAN.podNameAt]!;
    const podNameEnd = spans[index * SPANS + SPAN.podNameEnd]!;
    return {
      namespace: this.#namespace(),
      name: this.#name(),
      stat: {
        podName: this.#text(podNameAt, podNameEnd),
        averageConcurrentRequests: values[cell + VALUE.average]!,
        averageProxiedConcurrentRequests: values[cell + VALUE.proxied]!,
        requestCount: values[cell + VALUE.count]!,
        proxiedRequestCount: values[cell + VALUE.proxiedCount]!,
        processUptime: values[cell + VALUE.processUptime]!,
        timestamp: values[cell + VALUE.timestamp]!,
      },
    };
  }

  #namespace(): string {
    const { namespaceAt, namespaceEnd } = this.#span;
    return this.#text(namespaceAt, namespaceEnd);
  }

  #name(): string {
    const { nameAt, nameEnd } = this.#span;
    return this.#text(nameAt, nameEnd);
  }

  #text(at: number, end: number): string {
    return decoder.decode(this.#frame.bytes.subarray(at, end));
  }
}
