// Which keys this process may write for (CP-6). Alone it is all of them; of several processes each
// control loop is led by one per bucket, and a key belongs to one bucket. Invariant: a loop runs no
// pass for a key whose bucket it does not lead.

import type { LeaderElectionConfig } from '../api/config/leader-election.ts';
import { LeaderElector, type LeaderElectorOptions } from './leases.ts';

export interface Leadership {
  owns(loop: string, key: string): boolean;
  /** `onGained` is called when further keys of `loop` became ours. */
  join(loop: string, onGained: () => void): void;
  start(): void;
  /** Gives everything back. */
  stop(): Promise<void>;
}

/** The only controller there is. */
export function soleLeadership(): Leadership {
  return {
    owns: () => true,
    join: () => undefined,
    start: () => undefined,
    stop: async () => undefined,
  };
}

export interface LeasedLeadershipOptions
  extends Pick<
    LeaderElectorOptions,
    'client' | 'namespace' | 'identity' | 'clock' | 'logger' | 'random'
  > {
  /** First part of every Lease's name: `controller`. */
  component: string;
  config: LeaderElectionConfig;
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** 0 to `buckets` - 1, the same in every process. */
export function bucketOf(key: string, buckets: number): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(index), FNV_PRIME);
  }
  return (hash >>> 0) % buckets;
}

/** `<component>.<queue>.<NN>-of-<MM>`, or with the prefix that the config map gives instead. */
export function leaseName(
  component: string,
  loop: string,
  bucket: number,
  { buckets, leasePrefixes }: LeaderElectionConfig,
): string {
  const queue = `${component}.pilotlight.${loop}`;
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${leasePrefixes[queue] ?? queue}.${two(bucket)}-of-${two(buckets)}`.toLowerCase();
}

export class LeasedLeadership implements Leadership {
  readonly #options: LeasedLeadershipOptions;
  /** By loop, in order of buckets. */
  readonly #electors = new Map<string, readonly LeaderElector[]>();

  constructor(options: LeasedLeadershipOptions) {
    this.#options = options;
  }

  owns(loop: string, key: string): boolean {
    const electors = this.#electors.get(loop);
    return electors?.[bucketOf(key, electors.length)]?.isLeader === true;
  }

  join(loop: string, onGained: () => void): void {
    const { component, config, ...common } = this.#options;
    const { leaseDurationMs, renewDeadlineMs, retryPeriodMs, buckets } = config;
    const electors = Array.from({ length: buckets }, (_, bucket) => {
      const name = leaseName(component, loop, bucket, config);
      const timings = { leaseDurationMs, renewDeadlineMs, retryPeriodMs };
      return new LeaderElector({ ...common, name, timings, onGained, onLost: () => undefined });
    });
    this.#electors.set(loop, electors);
  }

  start(): void {
    for (const elector of [...this.#electors.values()].flat()) elector.start();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#electors.values()].flat().map((elector) => elector.stop()));
  }
}
