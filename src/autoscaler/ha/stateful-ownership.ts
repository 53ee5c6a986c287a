// Ownership without leases (AS-176): the pods are those of a StatefulSet, bucket i belongs to the
// one with ordinal i for good, and a bucket's name is the address of its owner. Nobody takes over
// from a pod that is gone: its StatefulSet makes it anew.

import { ownerOf } from '../bucket-owner.ts';
import type { Ownership, OwnershipListener } from './ownership.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface StatefulPlace {
  readonly ordinal: number;
  readonly buckets: readonly string[];
}

/** Null = this process is to use leases: a variable is missing, or its ordinal has no bucket. */
export function readStatefulPlace(
  env: Env,
  names: { bucketCount: number; systemNamespace: string; clusterDomain: string },
): StatefulPlace | null {
  const controller = env.STATEFUL_CONTROLLER_ORDINAL ?? '';
  const service = env.STATEFUL_SERVICE_NAME ?? '';
  const [, set = '', digits = ''] = /^(.+)-(\d+)$/.exec(controller) ?? [];
  const ordinal = Number(digits);
  if (set === '' || service === '' || ordinal >= names.bucketCount) return null;
  const port = env.STATEFUL_SERVICE_PORT || '80';
  const protocol = env.STATEFUL_SERVICE_PROTOCOL || 'http';
  const domain = `${service}.${names.systemNamespace}.svc.${names.clusterDomain}`;
  const buckets = Array.from(
    { length: names.bucketCount },
    (_, index) => `${protocol}://${set}-${index}.${domain}:${port}`,
  );
  return { ordinal, buckets };
}

export class StatefulOwnership implements Ownership {
  readonly buckets: readonly string[];
  readonly #own: string;
  #listener: OwnershipListener | null = null;
  #isStarted = false;

  constructor({ ordinal, buckets }: StatefulPlace) {
    this.buckets = buckets;
    this.#own = buckets[ordinal]!;
  }

  bucketOf(key: string): string {
    return ownerOf(this.buckets, key);
  }

  owns(key: string): boolean {
    return this.isOwned(this.bucketOf(key));
  }

  isOwned(bucket: string): boolean {
    return this.#isStarted && bucket === this.#own;
  }

  baseUrl(bucket: string): string {
    return bucket.replace(/^http/, 'ws');
  }

  listen(listener: OwnershipListener): void {
    this.#listener = listener;
  }

  start(): void {
    this.#isStarted = true;
    for (const bucket of this.buckets) {
      if (bucket === this.#own) this.#listener?.onGained(bucket);
      else this.#listener?.onHolder(bucket, new URL(bucket).hostname);
    }
  }

  async stop(): Promise<void> {
    this.#isStarted = false;
  }
}
