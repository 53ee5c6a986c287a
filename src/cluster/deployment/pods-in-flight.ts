// What this controller has just asked for and the cache does not show yet, for one Deployment. Laid
// over the cache it keeps a pass that runs on a stale cache from creating or removing twice.
// Invariants: a creation is noted before its request leaves and struck out when the cache has shown
// the pod, even if it is gone again; a note that nothing confirms expires, and the cache is
// believed.

import type { Pod } from '../../api/core.ts';

/** Far above any watch delay: only an add and a delete lost together in one gap get this far. */
export const IN_FLIGHT_LIMIT_MS = 30_000;
/** Names kept for a second attempt after a request whose outcome is unknown. */
const MAX_RETRY_NAMES = 64;

export class PodsInFlight {
  readonly #created = new Map<string, { pod: Pod; atMs: number }>();
  readonly #removed = new Map<string, number>();
  #retryNames: string[] = [];

  creating(pod: Pod, nowMs: number): void {
    this.#created.set(pod.metadata.name, { pod, atMs: nowMs });
  }

  /** The server has it; it may have come and gone in the cache before this answer. */
  created(pod: Pod): void {
    const noted = this.#created.get(pod.metadata.name);
    if (noted !== undefined) noted.pod = pod;
  }

  /**
   * With an unknown outcome the name is tried again, so that the server shows if it took effect.
   */
  notCreated(name: string, isOutcomeUnknown: boolean): void {
    this.#created.delete(name);
    if (isOutcomeUnknown && this.#retryNames.length < MAX_RETRY_NAMES) this.#retryNames.push(name);
  }

  takeRetryName(): string | undefined {
    return this.#retryNames.shift();
  }

  removing(uid: string, nowMs: number): void {
    this.#removed.set(uid, nowMs);
  }

  notRemoved(uid: string): void {
    this.#removed.delete(uid);
  }

  /** The cache has shown a change of this pod. */
  seen(name: string): void {
    this.#created.delete(name);
  }

  /** The cached pods as they will be: with those just created, without those just removed. */
  over(cached: readonly Pod[], nowMs: number): Pod[] {
    const pods: Pod[] = [];
    const uids = new Set<string | undefined>();
    for (const pod of cached) {
      const { name, uid = '', deletionTimestamp } = pod.metadata;
      this.#created.delete(name);
      uids.add(uid);
      if (deletionTimestamp !== undefined) this.#removed.delete(uid);
      if (!this.#removed.has(uid)) pods.push(pod);
    }
    for (const [name, { pod, atMs }] of this.#created) {
      if (nowMs - atMs >= IN_FLIGHT_LIMIT_MS) this.#created.delete(name);
      else pods.push(pod);
    }
    for (const [uid, atMs] of this.#removed) {
      if (!uids.has(uid) || nowMs - atMs >= IN_FLIGHT_LIMIT_MS) this.#removed.delete(uid);
    }
    return pods;
  }
}
