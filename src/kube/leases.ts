// Leader election by Lease: at most one of several processes leads a bucket, and each knows within
// the renew deadline when it no longer does (AS-166 to AS-168). Invariants: a holder that cannot
// renew stops leading before anybody else may take over (renewDeadline < leaseDuration); a foreign
// holder is judged by how long its record has not changed on our own clock, never by comparing
// clocks of two machines; an orderly stop gives the lease back.

import { Lease as LeaseKind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import { isNotFound, type KubeClient } from './types.ts';

/** AS-166; each is milliseconds. */
export interface LeaseTimings {
  leaseDurationMs: number;
  renewDeadlineMs: number;
  retryPeriodMs: number;
}

export const DEFAULT_LEASE_TIMINGS: LeaseTimings = {
  leaseDurationMs: 60_000,
  renewDeadlineMs: 40_000,
  retryPeriodMs: 10_000,
};

export interface LeaderElectorOptions {
  client: KubeClient;
  namespace: string;
  name: string;
  /** AS-167: `<pod name>_<pod IP>`. */
  identity: string;
  timings?: LeaseTimings;
  clock: Clock;
  logger: Logger;
  random: () => number;
  onGained: () => void;
  onLost: () => void;
}

export interface LeaseObject extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

export class LeaderElector {
  readonly #options: LeaderElectorOptions;
  readonly #timings: LeaseTimings;
  #isLeader = false;
  #isStopped = false;
  #deadline: { cancel(): void } | null = null;
  #observed = { version: '', atMs: 0 };
  #timer: { cancel(): void } | null = null;
  #attempt: Promise<void> = Promise.resolve();

  constructor(options: LeaderElectorOptions) {
    this.#options = options;
    this.#timings = options.timings ?? DEFAULT_LEASE_TIMINGS;
    if (this.#timings.renewDeadlineMs >= this.#timings.leaseDurationMs) {
      throw new Error('lease: the renew deadline must be shorter than the lease duration');
    }
  }

  get isLeader(): boolean {
    return this.#isLeader;
  }

  start(): void {
    this.#attempt = this.#tick();
  }

  /** Stops leading and, if it led, gives the lease back. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#attempt;
    this.#deadline?.cancel();
    if (!this.#isLeader) return;
    this.#setLeader(false);
    try {
      await this.#release();
    } catch (error) {
      this.#options.logger.debug({ error }, 'lease not given back');
    }
  }

  async #tick(): Promise<void> {
    const { clock, logger, name, random } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      const isOurs = await this.#tryAcquireOrRenew();
      if (isOurs) this.#extend(startedMs);
      if (!isOurs || !this.#isStopped) this.#setLeader(isOurs);
    } catch (error) {
      logger.debug({ lease: name, error }, 'lease attempt failed');
    }
    if (this.#isStopped) return;
    const delayMs = this.#timings.retryPeriodMs * (this.#isLeader ? 1 : 1 + 0.2 * random());
    this.#timer = clock.setTimer(delayMs, () => {
      this.#attempt = this.#tick();
    });
  }

  /** Leading ends by itself unless renewed in time, counted from before the request was sent. */
  #extend(renewedMs: number): void {
    const { clock } = this.#options;
    this.#deadline?.cancel();
    const leftMs = renewedMs + this.#timings.renewDeadlineMs - clock.monotonicMs();
    this.#deadline = clock.setTimer(leftMs, () => this.#setLeader(false), { background: true });
  }

  async #tryAcquireOrRenew(): Promise<boolean> {
    const { client, namespace, name, identity } = this.#options;
    let lease: LeaseObject;
    try {
      lease = await client.get<LeaseObject>(LeaseKind, { namespace, name });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await client.create(LeaseKind, this.#record(undefined));
      return true;
    }
    if (!this.#mayTake(lease, identity)) return false;
    await client.update(LeaseKind, this.#record(lease));
    return true;
  }

  #mayTake(lease: LeaseObject, identity: string): boolean {
    const holder = lease.spec?.holderIdentity ?? '';
    if (holder === '' || holder === identity) return true;
    const version = lease.metadata.resourceVersion ?? '';
    const nowMs = this.#options.clock.monotonicMs();
    if (version !== this.#observed.version) this.#observed = { version, atMs: nowMs };
    return nowMs - this.#observed.atMs >= this.#timings.leaseDurationMs;
  }

  #record(previous: LeaseObject | undefined): LeaseObject {
    const { namespace, name, identity, clock } = this.#options;
    const now = new Date(clock.nowMs()).toISOString().replace('Z', '000Z');
    const isOurs = previous?.spec?.holderIdentity === identity;
    const transitions = previous?.spec?.leaseTransitions ?? 0;
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: previous?.metadata ?? { namespace, name },
      spec: {
        ...previous?.spec,
        holderIdentity: identity,
        leaseDurationSeconds: Math.max(1, Math.round(this.#timings.leaseDurationMs / 1000)),
        acquireTime: isOurs ? (previous?.spec?.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: isOurs || previous === undefined ? transitions : transitions + 1,
      },
    };
  }

  async #release(): Promise<void> {
    const { client, namespace, name, identity } = this.#options;
    const lease = await client.get<LeaseObject>(LeaseKind, { namespace, name });
    if (lease.spec?.holderIdentity !== identity) return;
    const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 };
    await client.update(LeaseKind, { ...lease, spec });
  }

  #setLeader(isLeader: boolean): void {
    if (isLeader === this.#isLeader) return;
    this.#isLeader = isLeader;
    this.#options.logger.info({ lease: this.#options.name, isLeader }, 'leadership changed');
    if (isLeader) this.#options.onGained();
    else this.#options.onLost();
  }
}
