// What the server itself has to tidy: namespaces that are being deleted (KN-205: empty them, then
// let them go), events, which expire after an hour (KN-242), and changes no watch will ask for.

import { Event, Namespace } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { DeleteOptions, ObjectDeleter } from './deleter.ts';
import { StatusError } from './status-error.ts';
import type { ChangeListener } from './store/kind-store.ts';
import type { ObjectStore } from './store/object-store.ts';
import { namespaceOfKey, type Stored, storeKey } from './store/stored.ts';
import { internalRequest, type WriteRequest } from './write-request.ts';
import type { ObjectWriter } from './writer.ts';

/** KN-242. */
export const EVENT_LIFETIME_MS = 60 * 60 * 1000;
/** Events kept at most; above it the oldest go, whatever their age. */
export const MAX_EVENTS = 10_000;
const EVENT_SWEEP_MS = 60_000;
/** KN-157: 5 minutes. Changes stay in a kind's history for one to two of these. */
export const HISTORY_PERIOD_MS = 300_000;
/** How long after a change in a terminating namespace it is looked at again. */
const NAMESPACE_SWEEP_DELAY_MS = 20;
const NAMESPACE_RETRY_MS = 1000;

const BACKGROUND: DeleteOptions = {
  propagationPolicy: 'Background',
  gracePeriodSeconds: null,
  uid: null,
  resourceVersion: null,
};

interface Dependencies {
  store: ObjectStore;
  writer: ObjectWriter;
  deleter: ObjectDeleter;
  clock: Clock;
  logger: Logger;
}

export class Housekeeping {
  readonly #deps: Dependencies;
  readonly #terminating = new Map<string, TimerHandle | null>();
  #eventTicker: TimerHandle | null = null;
  #historyTicker: TimerHandle | null = null;
  #isStopped = false;

  constructor(deps: Dependencies) {
    this.#deps = deps;
  }

  start(): void {
    const { store, clock } = this.#deps;
    const namespaces: ChangeListener = {
      changed: ({ type, stored }) => this.#namespaceChanged(stored.object, type === 'DELETED'),
    };
    store.of(Namespace).listeners.add(namespaces);
    for (const kinds of store.kinds()) {
      if (!kinds.kind.namespaced) continue;
      kinds.listeners.add({
        changed: ({ type, stored }) => {
          if (type === 'DELETED') this.#schedule(namespaceOfKey(stored.key));
        },
      });
    }
    for (const { object } of store.of(Namespace).list('')) this.#namespaceChanged(object, false);
    const sweep = (): void => void this.sweepEvents();
    this.#eventTicker = clock.setTicker(EVENT_SWEEP_MS, sweep, { background: true });
    const age = (): void => {
      for (const { history } of store.kinds()) history.age();
    };
    this.#historyTicker = clock.setTicker(HISTORY_PERIOD_MS, age, { background: true });
  }

  stop(): void {
    this.#isStopped = true;
    this.#eventTicker?.cancel();
    this.#historyTicker?.cancel();
    for (const timer of this.#terminating.values()) timer?.cancel();
  }

  #namespaceChanged(namespace: KubeObject, isGone: boolean): void {
    const { name, deletionTimestamp } = namespace.metadata;
    if (isGone) this.#terminating.delete(name);
    else if (deletionTimestamp !== undefined && !this.#terminating.has(name)) {
      this.#terminating.set(name, null);
      this.#schedule(name);
    }
  }

  /** Looks at a terminating namespace soon; several changes make one look. */
  #schedule(name: string, delayMs = NAMESPACE_SWEEP_DELAY_MS): void {
    if (this.#isStopped || this.#terminating.get(name) !== null) return;
    const timer = this.#deps.clock.setTimer(
      delayMs,
      () => {
        if (!this.#terminating.has(name)) return;
        this.#terminating.set(name, null);
        void this.#empty(name);
      },
      { background: true },
    );
    this.#terminating.set(name, timer);
  }

  async #empty(namespace: string): Promise<void> {
    const { store, logger } = this.#deps;
    try {
      let left = 0;
      for (const kinds of store.kinds()) {
        if (!kinds.kind.namespaced) continue;
        for (const stored of kinds.list(namespace)) {
          left += 1;
          if (stored.object.metadata.deletionTimestamp === undefined) {
            await this.#delete(this.#request(kinds.kind, stored));
          }
        }
      }
      if (left === 0) await this.#release(namespace);
      else this.#schedule(namespace, NAMESPACE_RETRY_MS);
    } catch (error) {
      logger.warn({ namespace, error }, 'emptying a namespace failed, it will be tried again');
      this.#schedule(namespace, NAMESPACE_RETRY_MS);
    }
  }

  /** Nothing is left: drop the last hold on the namespace itself. */
  async #release(name: string): Promise<void> {
    const { store, writer } = this.#deps;
    const stored = store.of(Namespace).latest(storeKey('', name));
    if (stored === undefined) return;
    const request = this.#request(Namespace, stored);
    await writer.modify(request, ({ object }) => {
      const { spec } = object as unknown as { spec?: object };
      return { ...object, spec: { ...spec, finalizers: [] } } as KubeObject;
    });
  }

  /** Removes events that are too old or too many. */
  async sweepEvents(): Promise<void> {
    const { store, clock, logger } = this.#deps;
    const oldestMs = clock.nowMs() - EVENT_LIFETIME_MS;
    const byAge = store
      .of(Event)
      .list('')
      .map((stored) => ({ stored, atMs: lastSeenMs(stored.object) }))
      .sort((a, b) => a.atMs - b.atMs);
    const tooMany = byAge.length - MAX_EVENTS;
    try {
      for (const [index, { stored, atMs }] of byAge.entries()) {
        if (index >= tooMany && atMs >= oldestMs) break;
        await this.#delete(this.#request(Event, stored));
      }
    } catch (error) {
      logger.warn({ error }, 'removing old events failed, it will be tried again');
    }
  }

  async #delete(request: WriteRequest): Promise<void> {
    try {
      await this.#deps.deleter.delete(request, BACKGROUND);
    } catch (error) {
      if (!(error instanceof StatusError && error.code === 404)) throw error; // gone already
    }
  }

  #request(kind: WriteRequest['kind'], stored: Stored): WriteRequest {
    const { name, namespace = '' } = stored.object.metadata;
    return internalRequest(kind, namespace, name);
  }
}

function lastSeenMs(event: KubeObject): number {
  const { lastTimestamp, eventTime } = event as unknown as Record<string, string | undefined>;
  const atMs = Date.parse(lastTimestamp ?? eventTime ?? event.metadata.creationTimestamp ?? '');
  return Number.isNaN(atMs) ? 0 : atMs;
}
