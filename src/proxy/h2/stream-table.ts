// The streams of a connection: those that are open, and what is remembered of those that are not,
// because a frame for a closed stream is an error, a late one, or nothing, depending on how the
// stream ended (RFC 9113 section 5.1). Hot: twice per request.

import type { ServerStream } from './stream.ts';

/**
 * Streams we reset that are remembered; frames a client sends before it hears of the reset are
 * ignored. Of an older one they end the connection with STREAM_CLOSED.
 */
const MAX_REMEMBERED_RESETS = 1_024;
/** Ids of streams that ended, for telling STREAM_CLOSED from PROTOCOL_ERROR. A power of two. */
const REMEMBERED_ENDS = 256;

export class StreamTable {
  readonly #open = new Map<number, ServerStream>();
  /** The highest id a client began a stream with. */
  lastId = 0;
  /** In order of their resets. */
  readonly #resets = new Set<number>();
  readonly #ended = new Int32Array(REMEMBERED_ENDS);
  #endedCount = 0;

  get size(): number {
    return this.#open.size;
  }

  get(id: number): ServerStream | undefined {
    return this.#open.get(id);
  }

  /** All that are open, as they are now. */
  all(): ServerStream[] {
    return [...this.#open.values()];
  }

  add(stream: ServerStream): void {
    this.#open.set(stream.id, stream);
  }

  /** Neither side sends on it any more. */
  remove(id: number): void {
    if (!this.#open.delete(id)) return;
    this.#ended[this.#endedCount & (REMEMBERED_ENDS - 1)] = id;
    this.#endedCount = (this.#endedCount + 1) | 0;
  }

  /** We ended it, and the client may not know yet. */
  noteReset(id: number): void {
    this.#resets.add(id);
    if (this.#resets.size <= MAX_REMEMBERED_RESETS) return;
    for (const oldest of this.#resets) {
      this.#resets.delete(oldest);
      return;
    }
  }

  /** Never begun: idle. */
  isIdle(id: number): boolean {
    return id > this.lastId || id % 2 === 0;
  }

  wasReset(id: number): boolean {
    return this.#resets.has(id);
  }

  /** Began and ended, not long ago. */
  hasEnded(id: number): boolean {
    return this.#ended.includes(id);
  }
}
