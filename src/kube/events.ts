// Kubernetes Events about objects (CP-28, KN-242), sent in the background: recording never waits
// and never fails its caller. The same event again raises `count` and `lastTimestamp` of the stored
// one; repeats that arrive while a write is under way are merged into the next write. Bounds: so
// many events remembered (the least recently used is forgotten, its next repeat becomes a new
// Event) and so many waiting (further new ones are dropped and counted in the log).

import { Event as EventKind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import { isNotFound, type KubeClient } from './types.ts';

/** Events known by key, so that a repeat only counts up; the oldest is forgotten. */
export const MAX_REMEMBERED_EVENTS = 4_096;
/** Events not sent yet; one more is dropped and the drop is logged. */
export const MAX_WAITING_EVENTS = 512;
/** Kubernetes refuses longer ones. */
const MAX_MESSAGE_CHARACTERS = 1_024;

export interface EventRecorderOptions {
  client: KubeClient;
  /** `source.component`, as in CP-28. */
  component: string;
  clock: Clock;
  logger: Logger;
  random: () => number;
}

interface CoreEvent extends KubeObject {
  involvedObject: object;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  source: { component: string };
  firstTimestamp: string;
  lastTimestamp: string;
  count: number;
  reportingComponent: string;
  reportingInstance: string;
}

interface Remembered {
  key: string;
  event: CoreEvent;
  isStored: boolean;
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  /** In order of last use. */
  readonly #remembered = new Map<string, Remembered>();
  readonly #waiting = new Set<Remembered>();
  #sending: Promise<void> | null = null;
  /** Since the last line about it in the log. */
  #dropped = 0;
  #isStopped = false;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  normal(object: KubeObject, reason: string, message: string): void {
    this.#record(object, 'Normal', reason, message);
  }

  warning(object: KubeObject, reason: string, message: string): void {
    this.#record(object, 'Warning', reason, message);
  }

  /** Resolves when everything recorded so far has been sent or given up. */
  async flush(): Promise<void> {
    await this.#sending;
  }

  /** Sends what waits, then records nothing more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#sending;
  }

  #record(object: KubeObject, type: CoreEvent['type'], reason: string, text: string): void {
    if (this.#isStopped) return;
    const message = text.slice(0, MAX_MESSAGE_CHARACTERS);
    const key = [object.kind, object.metadata.uid, type, reason, message].join('\n');
    const known = this.#remembered.get(key);
    if (known === undefined && this.#waiting.size >= MAX_WAITING_EVENTS) {
      this.#dropped += 1;
      return;
    }
    const entry = known ?? {
      key,
      event: this.#build(object, type, reason, message),
      isStored: false,
    };
    if (known !== undefined) {
      known.event.count += 1;
      known.event.lastTimestamp = this.#timestamp();
    }
    this.#remember(entry);
    this.#waiting.add(entry);
    this.#sending ??= this.#send();
  }

  #remember(entry: Remembered): void {
    this.#remembered.delete(entry.key);
    this.#remembered.set(entry.key, entry);
    if (this.#remembered.size <= MAX_REMEMBERED_EVENTS) return;
    const oldest = this.#remembered.keys().next().value;
    if (oldest !== undefined) this.#remembered.delete(oldest);
  }

  async #send(): Promise<void> {
    await Promise.resolve(); // Lets the caller's whole turn record before the first write.
    for (const entry of this.#waiting) {
      this.#waiting.delete(entry);
      try {
        await this.#write(entry);
      } catch (error) {
        this.#options.logger.debug({ error, reason: entry.event.reason }, 'event not written');
      }
    }
    this.#sending = null;
    if (this.#dropped === 0) return;
    const { component, logger } = this.#options;
    logger.warn({ component, events: this.#dropped }, 'too many events at once, some dropped');
    this.#dropped = 0;
  }

  async #write(entry: Remembered): Promise<void> {
    const { client } = this.#options;
    const { event } = entry;
    const { namespace, name } = event.metadata;
    if (entry.isStored) {
      const body = { count: event.count, lastTimestamp: event.lastTimestamp };
      try {
        await client.patch(EventKind, { namespace, name }, { type: 'merge', body });
        return;
      } catch (error) {
        if (!isNotFound(error)) throw error; // Expired on the server: store it again.
      }
    }
    await client.create(EventKind, event);
    entry.isStored = true;
  }

  #build(object: KubeObject, type: CoreEvent['type'], reason: string, message: string): CoreEvent {
    const { component, random, clock } = this.#options;
    const { namespace, name, uid, resourceVersion } = object.metadata;
    const now = this.#timestamp();
    const suffix = clock.nowMs().toString(16) + Math.floor(random() * 0x10000).toString(16);
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${suffix}`, namespace: namespace ?? 'default' },
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        ...(namespace === undefined ? {} : { namespace }),
        name,
        uid,
        resourceVersion,
      },
      type,
      reason,
      message,
      source: { component },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
      reportingComponent: component,
      reportingInstance: '',
    };
  }

  /** RFC 3339, whole seconds. */
  #timestamp(): string {
    return new Date(this.#options.clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  }
}
