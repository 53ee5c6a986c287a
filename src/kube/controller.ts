// Runs a reconciler over a work queue: up to `workers` keys at once, each key by one worker only,
// failures with growing back-off. Starting a pass takes a microtask after the event, never a timer,
// because these passes lie on the path of a wake from zero; after a burst of passes the event loop
// gets a turn, so that a thousand cached keys cannot starve the sockets. With `restMs` a key rests
// after its pass and the events of the meantime share the next one: the first event of a burst is
// still answered at once, and the echoes of our own writes cost one pass together.
// Invariants: at most `workers` passes run; an exception costs its key a retry and nothing else.

import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import { isConflict, type Reconciler } from './types.ts';
import { WorkQueue } from './workqueue.ts';

export const DEFAULT_WORKERS = 8;
/** Passes started before the event loop gets a turn. */
const PASSES_PER_TURN = 64;
/** How long `stop` waits for passes that are running. */
const STOP_LIMIT_MS = 5_000;
/** From this many failures in a row on, a key's errors are warnings; before, details. */
const WARN_AFTER_CONFLICTS = 5;

export interface ControllerOptions {
  /** For logs. */
  name: string;
  reconciler: Reconciler;
  /** Default 8. */
  workers?: number;
  /** How long a key stays untouched after a pass, in ms. Default 0. */
  restMs?: number;
  clock: Clock;
  logger: Logger;
  random: () => number;
}

export class Controller {
  readonly name: string;
  readonly #reconciler: Reconciler;
  readonly #workers: number;
  readonly #restMs: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #queue: WorkQueue;
  #isStarted = false;
  #isStopped = false;
  #isPumpQueued = false;
  #passesThisTurn = 0;
  /** Passes under way; keys that rest do not count. */
  #passes = 0;
  #onIdle: () => void = () => undefined;

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#reconciler = options.reconciler;
    this.#workers = options.workers ?? DEFAULT_WORKERS;
    this.#restMs = options.restMs ?? 0;
    this.#clock = options.clock;
    this.#logger = options.logger.child({ controller: options.name });
    this.#queue = new WorkQueue(options, () => this.#queuePump());
  }

  /** Marks a key as needing a pass. Before `start` keys are only collected. */
  enqueue(key: string): void {
    if (!this.#queue.add(key) && !this.#isStopped) {
      this.#logger.error({ key }, 'work queue is full, key dropped');
    }
  }

  /** For echoes of changes others act upon: the pass may wait for as long as a key rests. */
  enqueueEcho(key: string): void {
    if (this.#restMs === 0) this.enqueue(key);
    else this.enqueueAfter(key, this.#restMs);
  }

  enqueueAfter(key: string, delayMs: number): void {
    if (!this.#queue.addAfter(key, delayMs) && !this.#isStopped) {
      this.#logger.error({ key }, 'work queue is full, key dropped');
    }
  }

  /** Keys waiting for a worker. */
  get queueDepth(): number {
    return this.#queue.size;
  }

  start(): void {
    this.#isStarted = true;
    this.#queuePump();
  }

  /** Takes no further keys; resolves when running passes have ended, after 5 s at most. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#queue.close();
    if (this.#passes === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(STOP_LIMIT_MS, resolve);
      this.#onIdle = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #queuePump(): void {
    if (this.#isPumpQueued || !this.#isStarted || this.#isStopped) return;
    this.#isPumpQueued = true;
    queueMicrotask(() => {
      this.#isPumpQueued = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#passes < this.#workers && this.#passesThisTurn < PASSES_PER_TURN) {
      const key = this.#queue.take();
      if (key === undefined) return;
      if (this.#passesThisTurn === 0) setImmediate(() => this.#onTurn());
      this.#passesThisTurn += 1;
      void this.#pass(key);
    }
  }

  /** A new turn of the event loop: the budget is fresh, and whatever waited for it goes on. */
  #onTurn(): void {
    this.#passesThisTurn = 0;
    this.#pump();
  }

  async #pass(key: string): Promise<void> {
    this.#passes += 1;
    try {
      const result = await this.#reconciler.reconcile(key);
      this.#queue.forget(key);
      if (result?.requeueAfterMs !== undefined) {
        this.#queue.addAfter(key, result.requeueAfterMs);
      }
    } catch (error) {
      const delayMs = this.#queue.addRateLimited(key);
      this.#logFailure(key, error, delayMs);
    } finally {
      this.#passes -= 1;
      if (this.#passes === 0) this.#onIdle();
      if (this.#restMs === 0) this.#queue.done(key);
      else this.#rest(key);
      if (this.#queue.size > 0) this.#queuePump();
    }
  }

  #rest(key: string): void {
    const rested = (): void => this.#queue.done(key);
    this.#clock.setTimer(this.#restMs, rested, { background: true });
  }

  /** A conflict is the normal answer to a stale cache (CP-26): no warning before it persists. */
  #logFailure(key: string, error: unknown, delayMs: number): void {
    if (this.#isStopped) return;
    const fields = { key, error, retryInMs: Math.round(delayMs) };
    if (isConflict(error) && this.#queue.failures(key) < WARN_AFTER_CONFLICTS) {
      this.#logger.debug(fields, 'reconcile met a conflict');
    } else {
      this.#logger.warn(fields, 'reconcile failed');
    }
  }
}
