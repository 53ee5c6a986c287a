// Sends each received stat to the process that decides for its revision (AS-173, AS-174): recorded
// here when the bucket is ours, otherwise over a websocket to its holder. What cannot be sent is
// kept and tried again; unlike the reference that ends after the retries it meant to make. One
// connection per foreign bucket.

import { joinKey } from '../../api/objects.ts';
import type { Clock, TimerHandle } from '../../clock/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { encodeStatMessages, type StatMessage } from '../../wire/stat.ts';
import { StatClient } from '../../wire/stat-client.ts';
import type { Ownership } from './ownership.ts';

/** AS-174. */
const RETRY_MS = 500;
/** AS-174: after so many retries a stat is dropped and counted. */
export const MAX_RETRIES = 30;
/** AS-175: stats kept for another try; more are dropped, the newest first, and counted. */
export const MAX_KEPT_STATS = 1000;

export interface StatRouterOptions {
  ownership: Ownership;
  clock: Clock;
  logger: Logger;
  random: () => number;
  systemNamespace: string;
  clusterDomain: string;
  /** Where every autoscaler listens. */
  port: number;
  /** Stats of revisions this process decides for. */
  onOwn: (messages: StatMessage[]) => void;
  /** Stats given up; a copy of the windows they belong to may still want them. */
  onStranded?: (messages: StatMessage[]) => void;
}

interface Remote {
  address: string;
  client: StatClient;
  /** Counts dials, because they alternate between the two names of the holder. */
  dials: number;
}

interface Kept {
  message: StatMessage;
  retries: number;
}

export class StatRouter {
  readonly #options: StatRouterOptions;
  readonly #remotes = new Map<string, Remote>();
  #kept: Kept[] = [];
  #timer: TimerHandle | null = null;
  dropped = 0;

  constructor(options: StatRouterOptions) {
    this.#options = options;
  }

  /** AS-62: stamps first, so that a forwarded stat counts for the second it was received in. */
  route(messages: StatMessage[]): void {
    const second = Math.floor(this.#options.clock.nowMs() / 1000);
    for (const { stat } of messages) if (stat.timestamp === 0) stat.timestamp = second;
    const failed = this.#send(messages);
    if (failed.length === 0) return;
    this.#keep(failed.map((message) => ({ message, retries: 0 })));
  }

  /** AS-171: a changed holder closes the previous connection. */
  setHolder(bucket: string, address: string | null): void {
    this.#remotes.get(bucket)?.client.stop();
    this.#remotes.delete(bucket);
    if (address === null) return;
    const { clock, random, logger } = this.#options;
    const remote: Remote = {
      address,
      dials: 0,
      client: new StatClient({ url: () => this.#urlOf(bucket, remote), clock, random, logger }),
    };
    this.#remotes.set(bucket, remote);
    remote.client.start();
  }

  stop(): void {
    this.#timer?.cancel();
    for (const { client } of this.#remotes.values()) client.stop();
    this.#remotes.clear();
    this.#kept = [];
  }

  /** AS-173: its address first, then the bucket's Service, in turn. */
  #urlOf(bucket: string, remote: Remote): string {
    const { ownership, systemNamespace, clusterDomain, port } = this.#options;
    const fixed = ownership.baseUrl?.(bucket);
    if (fixed !== undefined) return fixed;
    remote.dials += 1;
    const host = remote.address.includes(':') ? `[${remote.address}]` : remote.address;
    return remote.dials % 2 === 1
      ? `ws://${host}:${port}`
      : `ws://${bucket}.${systemNamespace}.svc.${clusterDomain}:${port}`;
  }

  /** Returns those that could not be sent. */
  #send(messages: StatMessage[]): StatMessage[] {
    const { ownership, onOwn } = this.#options;
    const own: StatMessage[] = [];
    const byBucket = new Map<string, StatMessage[]>();
    for (const message of messages) {
      const bucket = ownership.bucketOf(joinKey(message.namespace, message.name));
      if (ownership.isOwned(bucket)) own.push(message);
      else if (!byBucket.get(bucket)?.push(message)) byBucket.set(bucket, [message]);
    }
    if (own.length > 0) onOwn(own);
    const failed: StatMessage[] = [];
    for (const [bucket, batch] of byBucket) {
      const client = this.#remotes.get(bucket)?.client;
      if (client?.send(encodeStatMessages(batch)) !== true) failed.push(...batch);
    }
    return failed;
  }

  #keep(entries: readonly Kept[]): void {
    const room = Math.max(0, MAX_KEPT_STATS - this.#kept.length);
    this.#kept.push(...entries.slice(0, room));
    this.#drop(entries.slice(room));
    if (this.#kept.length === 0) return;
    this.#timer ??= this.#options.clock.setTimer(RETRY_MS, () => this.#retry(), {
      background: true,
    });
  }

  #retry(): void {
    this.#timer = null;
    const kept = this.#kept;
    this.#kept = [];
    const failed = new Set(this.#send(kept.map(({ message }) => message)));
    const again = kept
      .filter(({ message }) => failed.has(message))
      .map(({ message, retries }) => ({ message, retries: retries + 1 }));
    const worth = again.filter(({ retries }) => retries < MAX_RETRIES);
    this.#drop(again.filter(({ retries }) => retries >= MAX_RETRIES));
    this.#keep(worth);
  }

  #drop(entries: readonly Kept[]): void {
    if (entries.length === 0) return;
    this.dropped += entries.length;
    const { logger, onStranded } = this.#options;
    logger.warn({ stats: entries.length }, 'stats dropped: their owner cannot be reached');
    onStranded?.(entries.map(({ message }) => message));
  }
}
