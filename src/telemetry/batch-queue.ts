// Batches on their way to a collector (QP-157): items gather until a batch is full or its time has
// come, one batch is under way at a time, a collector that says "later" is asked again with growing
// pauses. What does not fit, or was refused too often, is dropped and counted; nothing waits for a
// collector except `flush`, which the caller limits. Hot only in `add`, for sampled requests.

import type { Clock, TimerHandle } from '../clock/clock.ts';

/** Items waiting to be sent; one more is dropped and counted. */
export const MAX_QUEUED_ITEMS = 2_048;
/** Items in one export request; the rest goes with the next. */
const MAX_BATCH_ITEMS = 512;
/** Tries of one batch; then it is dropped and counted. */
const MAX_EXPORT_ATTEMPTS = 5;
/** Longest pause between two tries. */
const MAX_RETRY_MS = 30_000;
const FIRST_RETRY_MS = 1_000;
const BATCH_DELAY_MS = 5_000;

/** What became of one export request. */
export type SendResult =
  | { readonly kind: 'sent' }
  /** The collector may take it later; `afterMs` 0 = it did not say when. */
  | { readonly kind: 'later'; readonly afterMs: number; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

export interface BatchQueueDeps<Item> {
  readonly clock: Clock;
  readonly random: () => number;
  /** Never rejects. */
  readonly send: (items: readonly Item[]) => Promise<SendResult>;
  /** Told about every batch that was given up. */
  readonly onDrop: (itemCount: number, reason: string) => void;
}

export class BatchQueue<Item> {
  readonly #deps: BatchQueueDeps<Item>;
  #waiting: Item[] = [];
  #dropped = 0;
  #timer: TimerHandle | null = null;
  /** Null while no batch is under way. */
  #run: Promise<void> | null = null;
  #isFlushing = false;
  #endPause: (() => void) | null = null;

  constructor(deps: BatchQueueDeps<Item>) {
    this.#deps = deps;
  }

  get droppedCount(): number {
    return this.#dropped;
  }

  add(item: Item): void {
    if (this.#waiting.length >= MAX_QUEUED_ITEMS) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(item);
    if (this.#run !== null) return;
    if (this.#waiting.length >= MAX_BATCH_ITEMS) this.#start();
    else {
      this.#timer ??= this.#deps.clock.setTimer(BATCH_DELAY_MS, () => this.#start(), {
        background: true,
      });
    }
  }

  /** Sends what waits now, without the pauses; resolves when nothing waits any more. */
  async flush(): Promise<void> {
    this.#isFlushing = true;
    this.#endPause?.();
    while (this.#run !== null || this.#waiting.length > 0) {
      if (this.#run === null) this.#start();
      await this.#run;
    }
    this.#isFlushing = false;
  }

  /** Forgets everything; for when the time to flush is over. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#waiting = [];
    this.#isFlushing = true;
    this.#endPause?.();
  }

  #start(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#run !== null || this.#waiting.length === 0) return;
    this.#run = this.#sendAll().finally(() => {
      this.#run = null;
    });
  }

  async #sendAll(): Promise<void> {
    do {
      const batch = this.#waiting.slice(0, MAX_BATCH_ITEMS);
      this.#waiting = this.#waiting.slice(MAX_BATCH_ITEMS);
      await this.#sendBatch(batch);
    } while (this.#waiting.length >= MAX_BATCH_ITEMS || (this.#isFlushing && this.#hasMore()));
    if (this.#hasMore()) {
      this.#timer ??= this.#deps.clock.setTimer(BATCH_DELAY_MS, () => this.#start(), {
        background: true,
      });
    }
  }

  #hasMore(): boolean {
    return this.#waiting.length > 0;
  }

  async #sendBatch(batch: readonly Item[]): Promise<void> {
    let reason = '';
    for (let attempt = 1; attempt <= MAX_EXPORT_ATTEMPTS; attempt += 1) {
      const result = await this.#deps.send(batch);
      if (result.kind === 'sent') return;
      reason = result.reason;
      // At the end there is no time to wait for a collector that may never come.
      if (result.kind === 'refused' || this.#isFlushing || attempt === MAX_EXPORT_ATTEMPTS) break;
      await this.#pause(result.afterMs || this.#backOffMs(attempt));
    }
    this.#dropped += batch.length;
    this.#deps.onDrop(batch.length, reason);
  }

  #backOffMs(attempt: number): number {
    const longest = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
    return longest * (0.5 + this.#deps.random() / 2);
  }

  #pause(ms: number): Promise<void> {
    if (this.#isFlushing) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#endPause = null;
        resolve();
      };
      const timer = this.#deps.clock.setTimer(Math.min(ms, MAX_RETRY_MS), end, {
        background: true,
      });
      this.#endPause = end;
    });
  }
}
