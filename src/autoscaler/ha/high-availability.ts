// What several autoscalers do for each other: stats go to whoever owns the revision, windows are
// copied to whoever does not, and a bucket changes hands without a decision being lost (AS-166 to
// AS-180; AS-178 improved on: the new owner decides from a copy of the windows). Made only where
// there can be several.

import { joinKey } from '../../api/objects.ts';
import type { Clock } from '../../clock/clock.ts';
import type { KubeClient } from '../../kube/types.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { StatMessage } from '../../wire/stat.ts';
import type { MetricRow, MetricStore } from '../metric-store.ts';
import { directConcurrency, directRate } from '../sampling.ts';
import { publishBucket } from './bucket-endpoints.ts';
import type { Ownership } from './ownership.ts';
import { ReplicaClient } from './replica-client.ts';
import { ReplicaMirror } from './replica-mirror.ts';
import { type ReplicaSink, ReplicaSource } from './replica-source.ts';
import { StatRouter } from './stat-router.ts';

/** A bucket gained keeps its copied rows so long for revisions still to be taken up. */
const TAKEOVER_MS = 60_000;
export const REPLICA_PATH = '/replica';

export interface HighAvailabilityOptions {
  ownership: Ownership;
  store: MetricStore;
  client: KubeClient;
  clock: Clock;
  logger: Logger;
  random: () => number;
  systemNamespace: string;
  clusterDomain: string;
  podIp: string;
  port: number;
  onOwnStats: (messages: StatMessage[]) => void;
  onGained: (bucket: string) => void;
  onLost: (bucket: string) => void;
  /** AS-172: nobody would find this owner; the process is to end. */
  onFatal: (error: unknown) => void;
}

interface Following {
  mirror: ReplicaMirror;
  client: ReplicaClient | null;
}

export class HighAvailability {
  readonly #options: HighAvailabilityOptions;
  readonly #router: StatRouter;
  readonly #source: ReplicaSource;
  readonly #following = new Map<string, Following>();

  constructor(options: HighAvailabilityOptions) {
    const { ownership, store, clock } = options;
    this.#options = options;
    this.#source = new ReplicaSource(store, (key) => ownership.bucketOf(key), clock);
    this.#router = new StatRouter({
      ...options,
      onOwn: options.onOwnStats,
      onStranded: (messages) => this.#recordStranded(messages),
    });
    for (const bucket of ownership.buckets) {
      this.#following.set(bucket, { mirror: new ReplicaMirror(store), client: null });
    }
    ownership.listen({
      onGained: (bucket) => this.#gained(bucket),
      onLost: (bucket) => this.#lost(bucket),
      onHolder: (bucket, address) => this.#holderChanged(bucket, address),
    });
  }

  start(): void {
    this.#options.ownership.start();
  }

  async stop(): Promise<void> {
    for (const { client } of this.#following.values()) client?.stop();
    this.#router.stop();
    this.#source.stop();
    await this.#options.ownership.stop();
  }

  route(messages: StatMessage[]): void {
    this.#router.route(messages);
  }

  decided(row: MetricRow): void {
    this.#source.decided(row);
  }

  /** A process that wants a copy of that bucket; null = not ours to give. */
  subscribe(bucket: string, sink: ReplicaSink): (() => void) | null {
    return this.#options.ownership.isOwned(bucket) ? this.#source.subscribe(bucket, sink) : null;
  }

  /** True when the copy of that bucket has every row its owner has. */
  isWarm(bucket: string): boolean {
    return this.#following.get(bucket)?.mirror.isComplete === true;
  }

  #gained(bucket: string): void {
    const following = this.#following.get(bucket)!;
    following.client?.stop();
    following.client = null;
    this.#router.setHolder(bucket, null);
    const { clock, ownership, onFatal, onGained } = this.#options;
    if (ownership.baseUrl === undefined) void publishBucket(bucket, this.#options).catch(onFatal);
    onGained(bucket);
    clock.setTimer(TAKEOVER_MS, () => this.#letGo(bucket), { background: true });
  }

  #letGo(bucket: string): void {
    if (this.#options.ownership.isOwned(bucket)) this.#following.get(bucket)!.mirror.release();
  }

  #lost(bucket: string): void {
    this.#source.closeBucket(bucket);
    this.#options.onLost(bucket);
  }

  #holderChanged(bucket: string, address: string | null): void {
    const following = this.#following.get(bucket)!;
    following.client?.stop();
    following.client = null;
    if (this.#options.ownership.isOwned(bucket)) return;
    this.#router.setHolder(bucket, address);
    if (address === null) return;
    const { clock, logger, ownership, port } = this.#options;
    const host = address.includes(':') ? `[${address}]` : address;
    const base = ownership.baseUrl?.(bucket) ?? `ws://${host}:${port}`;
    const url = `${base}${REPLICA_PATH}/${encodeURIComponent(bucket)}`;
    following.client = new ReplicaClient({ url, mirror: following.mirror, clock, logger });
    following.client.start();
  }

  #recordStranded(messages: readonly StatMessage[]): void {
    const { ownership } = this.#options;
    for (const { namespace, name, stat } of messages) {
      const key = joinKey(namespace, name);
      const mirror = this.#following.get(ownership.bucketOf(key))?.mirror;
      mirror?.record(key, stat.timestamp, directConcurrency(stat), directRate(stat));
    }
  }
}
