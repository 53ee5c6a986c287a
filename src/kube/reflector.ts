// Keeps one informer's cache true: list, watch from there, and whatever ends a watch, go on. An
// unusable version lists again; any other end backs off with jitter and resumes at the last version
// seen; several failures in a row list again to be safe. It never gives up: only `stop` ends it.
// Invariants: at most one list or watch of the kind at a time; the first attempt after a healthy
// watch comes within a few milliseconds, so that a restarted API server costs no noticeable time.

import { type Kind, resourcePath } from '../api/kinds.ts';
import type { KubeList, KubeObject } from '../api/objects.ts';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { CachingInformer } from './caching-informer.ts';
import { isGone, type KubeClient, type WatchEvent } from './types.ts';
import { type WatchEnd, watchOnce } from './watch-stream.ts';

/** Items per page of a list: keeps a big list from blocking the event loop in one piece. */
export const LIST_PAGE_ITEMS = 500;
/** Delay after the n-th end in a row: base × 2^(n-1), at most the limit, times 0.5 to 1.5. */
export const RECONNECT_BASE_MS = 20;
export const RECONNECT_LIMIT_MS = 2_000;
/** Ends in a row without a healthy watch after which the cache is listed anew. */
const FAILURES_BEFORE_RELIST = 3;
/** A watch that delivered nothing is healthy only if it lived this long. */
const HEALTHY_AFTER_MS = 5_000;
/** Watches ask to be ended after 5 to 10 minutes (KN-160), spread so that they do not coincide. */
const WATCH_MIN_SECONDS = 300;
const WATCH_SPREAD_SECONDS = 300;

export interface ReflectorDeps {
  client: KubeClient;
  clock: Clock;
  logger: Logger;
  random: () => number;
  /** Only objects of this namespace; absent = of all. */
  namespace?: string;
}

export class Reflector<T extends KubeObject> {
  readonly #kind: Kind;
  readonly #informer: CachingInformer<T>;
  readonly #deps: ReflectorDeps;
  readonly #logger: Logger;
  readonly #abort = new AbortController();
  #resourceVersion = '';
  #mustList = true;
  #failures = 0;
  #wake: () => void = () => undefined;
  #isStarted = false;

  constructor(kind: Kind, informer: CachingInformer<T>, deps: ReflectorDeps) {
    this.#kind = kind;
    this.#informer = informer;
    this.#deps = deps;
    this.#logger = deps.logger.child({ kind: kind.kind });
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    void this.#run();
  }

  /** Ends the watch now; a list still under way is ignored when it answers. */
  stop(): void {
    this.#abort.abort();
    this.#wake();
  }

  async #run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        if (this.#mustList) await this.#list();
        await this.#watch();
      } catch (error) {
        this.#onFailure(error, 'list failed');
      }
      await this.#pause();
    }
  }

  async #list(): Promise<void> {
    const items: T[] = [];
    let page: KubeList<T> | null = null;
    do {
      const next: string | undefined = page?.metadata.continue;
      page = await this.#listPage(next);
      for (const item of page.items) items.push(withoutManagers(item));
    } while (page.metadata.continue !== undefined && page.metadata.continue !== '');
    if (this.#abort.signal.aborted) return;
    this.#resourceVersion = page.metadata.resourceVersion;
    this.#mustList = false;
    this.#informer.replace(items);
  }

  /** A continuation whose snapshot is gone fails with 410 and starts over, like any failed list. */
  #listPage(next: string | undefined): Promise<KubeList<T>> {
    const { client, namespace } = this.#deps;
    return client.list<T>(this.#kind, {
      ...(namespace === undefined ? {} : { namespace }),
      limit: LIST_PAGE_ITEMS,
      ...(next === undefined ? {} : { continue: next }),
    });
  }

  async #watch(): Promise<void> {
    const { client, clock, random } = this.#deps;
    const startedMs = clock.monotonicMs();
    let events = 0;
    const end = await watchOnce(client, clock, {
      path: resourcePath(this.#kind, this.#deps.namespace),
      selection: {},
      resourceVersion: this.#resourceVersion,
      timeoutSeconds: WATCH_MIN_SECONDS + Math.floor(random() * WATCH_SPREAD_SECONDS),
      signal: this.#abort.signal,
      onOpen: () => this.#onOpen(),
      onEvent: (event) => {
        if (event.type !== 'BOOKMARK') events += 1;
        this.#onEvent(event as WatchEvent<T>);
      },
    });
    if (events > 0 || clock.monotonicMs() - startedMs >= HEALTHY_AFTER_MS) this.#failures = 0;
    this.#onEnd(end);
  }

  #onOpen(): void {
    if (this.#failures >= FAILURES_BEFORE_RELIST) {
      this.#logger.info({ failures: this.#failures }, 'watch is back');
    }
  }

  #onEvent(event: WatchEvent<T>): void {
    const { object } = event;
    this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion;
    if (event.type === 'DELETED') this.#informer.remove(object);
    else if (event.type === 'ADDED' || event.type === 'MODIFIED') {
      this.#informer.upsert(withoutManagers(object));
    }
  }

  #onEnd(end: WatchEnd): void {
    if (end.reason === 'gone' || end.reason === 'failed') {
      if (end.reason === 'gone') this.#mustList = true;
      this.#onFailure(end.error, 'watch failed');
    } else {
      this.#failures += 1;
    }
  }

  #onFailure(error: unknown, message: string): void {
    if (this.#abort.signal.aborted) return;
    this.#failures += 1;
    if (isGone(error) || this.#failures >= FAILURES_BEFORE_RELIST) this.#mustList = true;
    const fields = { error, failures: this.#failures };
    // The first of a row is routine (a restarted server, an expired version); one warning per row.
    if (this.#failures === FAILURES_BEFORE_RELIST) this.#logger.warn(fields, message);
    else this.#logger.debug(fields, message);
  }

  #pause(): Promise<void> {
    if (this.#abort.signal.aborted) return Promise.resolve();
    const plainMs = RECONNECT_BASE_MS * 2 ** Math.min(this.#failures - 1, 20);
    const delayMs = Math.min(plainMs, RECONNECT_LIMIT_MS) * (0.5 + this.#deps.random());
    return new Promise((resolve) => {
      const timer: TimerHandle = this.#deps.clock.setTimer(delayMs, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}

/**
 * Who wrote which field is a third of an object, and no controller asks: caches do without. An
 * update that leaves it out leaves it as it is on the server. The object is the reflector's own.
 */
function withoutManagers<T extends KubeObject>(object: T): T {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields: _dropped, ...metadata } = object.metadata;
  object.metadata = metadata;
  return object;
}
