// Which revisions this process decides for. Alone it owns them all; among several, each leader
// bucket belongs to the holder of its Lease (AS-166 to AS-171). Reconcilers, the stat router and
// the replication ask here and nowhere else.

import * as kinds from '../../api/kinds.ts';
import type { Clock } from '../../clock/clock.ts';
import { LeaderElector, type LeaseObject, type LeaseTimings } from '../../kube/leases.ts';
import type { InformerFactory, KubeClient } from '../../kube/types.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { bucketNames, ownerOf } from '../bucket-owner.ts';

/** AS-168: more buckets are refused. */
export const MAX_BUCKETS = 10;

export interface OwnershipListener {
  onGained(bucket: string): void;
  onLost(bucket: string): void;
  /** Somebody else holds the bucket now; null = nobody does. */
  onHolder(bucket: string, address: string | null): void;
}

export interface Ownership {
  readonly buckets: readonly string[];
  bucketOf(key: string): string;
  owns(key: string): boolean;
  isOwned(bucket: string): boolean;
  /** AS-176: where its owner always is; absent = at the address of whoever holds its Lease. */
  baseUrl?(bucket: string): string;
  listen(listener: OwnershipListener): void;
  start(): void;
  /** Gives every bucket back. */
  stop(): Promise<void>;
}

/** The only autoscaler there is: no Lease is needed to know that it owns everything. */
export function soleOwnership(): Ownership {
  const buckets = bucketNames(1);
  return {
    buckets,
    bucketOf: () => buckets[0]!,
    owns: () => true,
    isOwned: () => true,
    listen: () => undefined,
    start: () => undefined,
    stop: async () => undefined,
  };
}

export interface LeasedOwnershipOptions {
  client: KubeClient;
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  random: () => number;
  systemNamespace: string;
  /** AS-167: holder identity is `<podName>_<podIp>`. */
  podName: string;
  podIp: string;
  /** 1 to MAX_BUCKETS. */
  bucketCount: number;
  timings: LeaseTimings;
}

export class LeasedOwnership implements Ownership {
  readonly buckets: readonly string[];
  readonly #options: LeasedOwnershipOptions;
  readonly #electors = new Map<string, LeaderElector>();
  /** Address of the holder by bucket; own buckets included. */
  readonly #holders = new Map<string, string>();
  #listener: OwnershipListener | null = null;
  #unwatch: () => void = () => undefined;

  constructor(options: LeasedOwnershipOptions) {
    const { bucketCount, podName, podIp } = options;
    if (!Number.isInteger(bucketCount) || bucketCount < 1 || bucketCount > MAX_BUCKETS) {
      throw new Error(`buckets = ${bucketCount}, must be from 1 to ${MAX_BUCKETS}`);
    }
    this.#options = options;
    this.buckets = bucketNames(bucketCount);
    for (const name of this.buckets) {
      const elector = new LeaderElector({
        ...options,
        namespace: options.systemNamespace,
        name,
        identity: `${podName}_${podIp}`,
        onGained: () => this.#listener?.onGained(name),
        onLost: () => this.#listener?.onLost(name),
      });
      this.#electors.set(name, elector);
    }
  }

  bucketOf(key: string): string {
    return ownerOf(this.buckets, key);
  }

  owns(key: string): boolean {
    return this.isOwned(this.bucketOf(key));
  }

  isOwned(bucket: string): boolean {
    return this.#electors.get(bucket)?.isLeader === true;
  }

  listen(listener: OwnershipListener): void {
    this.#listener = listener;
  }

  start(): void {
    const leases = this.#options.informers.informer<LeaseObject>(kinds.Lease);
    this.#unwatch = leases.onChange((current, previous) => {
      const lease = current ?? previous;
      if (lease !== null) this.#onLease(lease.metadata.name, lease.metadata.namespace, current);
    });
    for (const elector of this.#electors.values()) elector.start();
  }

  async stop(): Promise<void> {
    this.#unwatch();
    await Promise.all([...this.#electors.values()].map((elector) => elector.stop()));
  }

  /** AS-171: other Leases, those without holder and those nothing happened to do not count. */
  #onLease(name: string, namespace: string | undefined, current: LeaseObject | null): void {
    if (namespace !== this.#options.systemNamespace || !this.#electors.has(name)) return;
    const address = addressOf(current?.spec?.holderIdentity ?? '');
    const known = this.#holders.get(name) ?? null;
    if (address === known) return;
    if (address === null) this.#holders.delete(name);
    else this.#holders.set(name, address);
    this.#listener?.onHolder(name, address === this.#options.podIp ? null : address);
  }
}

/** AS-167: what follows the first underscore. */
function addressOf(identity: string): string | null {
  const at = identity.indexOf('_');
  return at < 1 || at === identity.length - 1 ? null : identity.slice(at + 1);
}
