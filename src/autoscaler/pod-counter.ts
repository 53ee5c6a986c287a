// Pods of a revision by state (AS-78), counted from the shared pod cache. Every count the
// autoscaler uses comes from here: decisions, status, activator numbers, scrape candidates.

import { findCondition, READY } from '../api/conditions.ts';
import type { Pod } from '../api/core.ts';
import { REVISION_LABEL, REVISION_UID_LABEL } from '../api/labels.ts';
import { joinKey, splitKey } from '../api/objects.ts';
import type { Informer } from '../kube/types.ts';

export interface PodCounts {
  ready: number;
  notReady: number;
  pending: number;
  terminating: number;
}

/** `namespace/revision` of a pod, or undefined when it belongs to none. */
export function revisionKeyOf(pod: Pod): string | undefined {
  const { labels, namespace } = pod.metadata;
  const revision = labels?.[REVISION_LABEL];
  if (!revision || labels?.[REVISION_UID_LABEL] === undefined) return undefined;
  return joinKey(namespace, revision);
}

export function isPodReady(pod: Pod): boolean {
  return pod.status?.phase === 'Running' && findCondition(pod, READY)?.status === 'True';
}

/** The revision whose ready pods include this one. */
function readyKeyOf(pod: Pod): string | undefined {
  const isCounted = pod.metadata.deletionTimestamp === undefined && isPodReady(pod);
  return isCounted ? revisionKeyOf(pod) : undefined;
}

/** AS-78. */
export function countPods(pods: readonly Pod[]): PodCounts {
  const counts: PodCounts = { ready: 0, notReady: 0, pending: 0, terminating: 0 };
  for (const pod of pods) {
    const phase = pod.status?.phase;
    if (phase === 'Pending') {
      counts.pending += 1;
      counts.notReady += 1;
    } else if (phase === 'Running') {
      if (pod.metadata.deletionTimestamp !== undefined) {
        counts.terminating += 1;
        counts.notReady += 1;
      } else if (isPodReady(pod)) counts.ready += 1;
      else counts.notReady += 1;
    }
  }
  return counts;
}

export class PodCounter {
  readonly #informer: Informer<Pod>;

  constructor(informer: Informer<Pod>) {
    this.#informer = informer;
  }

  pods(key: string): Pod[] {
    const { namespace, name } = splitKey(key);
    return this.#informer.lister
      .byLabel(REVISION_LABEL, name)
      .filter((pod) => pod.metadata.namespace === namespace && revisionKeyOf(pod) === key);
  }

  /** False = `pods` is empty, for less. */
  hasAny(key: string): boolean {
    const name = key.slice(key.indexOf('/') + 1);
    return this.#informer.lister.byLabel(REVISION_LABEL, name).length > 0;
  }

  counts(key: string): PodCounts {
    return countPods(this.pods(key));
  }

  /** -1 while the cache has not been filled. */
  ready(key: string): number {
    return this.#informer.hasSynced() ? this.counts(key).ready : -1;
  }

  /** Calls `handler` with the revision of every pod that starts or stops being counted as ready. */
  onReadyChange(handler: (key: string) => void): () => void {
    return this.#informer.onChange((current, previous) => {
      const before = previous === null ? undefined : readyKeyOf(previous);
      const now = current === null ? undefined : readyKeyOf(current);
      if (before === now) return;
      if (before !== undefined) handler(before);
      if (now !== undefined) handler(now);
    });
  }
}
