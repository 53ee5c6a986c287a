// Idle pods go first: before a scale-down the pods with the least to do are given a low
// `controller.kubernetes.io/pod-deletion-cost`, which Deployments on Kubernetes and the embedded
// ones follow. What pods have to do is known from the stats scraped anyway, so nothing is asked for
// it. Only a hint: a mark that fails or comes too late changes nothing but which pod goes.

import type { Pod } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import { POD_DELETION_COST_ANNOTATION } from '../api/labels.ts';
import type { Clock } from '../clock/clock.ts';
import type { KubeClient } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Stat } from '../wire/stat.ts';
import { isPodReady, type PodCounter } from './pod-counter.ts';

/** Pods marked before one scale-down; which others go is left to the Deployment. */
export const MAX_MARKED_PODS = 100;
/** Pods remembered per revision; beyond, the one not seen for longest is forgotten. */
export const MAX_TRACKED_PODS = 256;
/** A scale-down waits so long for its marks and then goes ahead without those still missing. */
const MARK_LIMIT_MS = 200;

export interface DeletionMark {
  readonly pod: Pod;
  /** null = taken off again. */
  readonly cost: number | null;
}

export interface IdleFirstOptions {
  client: KubeClient;
  pods: PodCounter;
  clock: Clock;
  logger: Logger;
}

export class IdleFirst {
  readonly #options: IdleFirstOptions;
  /** Concurrency by pod, by revision; the pod seen last is at the end. */
  readonly #loads = new Map<string, Map<string, number>>();

  constructor(options: IdleFirstOptions) {
    this.#options = options;
  }

  /** Stats just read. A revision with a single pod has no choice and is not remembered. */
  note(key: string, stats: readonly Stat[]): void {
    let loads = this.#loads.get(key);
    if (loads === undefined) {
      if (stats.length < 2) return;
      loads = new Map();
      this.#loads.set(key, loads);
    }
    for (const { podName, averageConcurrentRequests } of stats) {
      loads.delete(podName);
      loads.set(podName, averageConcurrentRequests);
    }
    for (const oldest of loads.keys()) {
      if (loads.size <= MAX_TRACKED_PODS) break;
      loads.delete(oldest);
    }
  }

  forget(key: string): void {
    this.#loads.delete(key);
  }

  /** Before `count` pods of the revision go. Never rejects; takes no longer than its limit. */
  async mark(key: string, count: number): Promise<void> {
    const loads = this.#loads.get(key);
    if (loads === undefined) return;
    const marks = planMarks(this.#options.pods.pods(key), loads, count);
    if (marks.length === 0) return;
    let expire: () => void = () => undefined;
    const expired = new Promise<void>((resolve) => {
      expire = resolve;
    });
    const timer = this.#options.clock.setTimer(MARK_LIMIT_MS, expire);
    await Promise.race([Promise.all(marks.map((mark) => this.#write(mark))), expired]);
    timer.cancel();
  }

  async #write({ pod, cost }: DeletionMark): Promise<void> {
    const { namespace, name } = pod.metadata;
    const value = cost === null ? null : String(cost);
    const body = { metadata: { annotations: { [POD_DELETION_COST_ANNOTATION]: value } } };
    try {
      await this.#options.client.patch(kinds.Pod, { namespace, name }, { type: 'merge', body });
    } catch (error) {
      this.#options.logger.debug({ error, pod: name }, 'deletion cost not written');
    }
  }
}

/**
 * The `count` idlest ready pods get the costs -count to -1, idlest lowest; a pod without a cost has
 * 0. Marks of an earlier scale-down are taken off pods that are not among them. A cost somebody
 * else gave a pod stays.
 */
export function planMarks(
  pods: readonly Pod[],
  loads: ReadonlyMap<string, number>,
  count: number,
): DeletionMark[] {
  const own = pods.filter((pod) => {
    const cost = costOf(pod);
    return cost === null || isOurs(cost);
  });
  const known = own.filter(
    (pod) =>
      pod.metadata.deletionTimestamp === undefined &&
      isPodReady(pod) &&
      loads.has(pod.metadata.name),
  );
  known.sort((a, b) => loads.get(a.metadata.name)! - loads.get(b.metadata.name)!);
  const chosen = known.slice(0, Math.min(count, MAX_MARKED_PODS));
  const wanted = new Map(chosen.map((pod, rank) => [pod, rank - chosen.length]));
  const marks: DeletionMark[] = [];
  for (const pod of own) {
    const cost = wanted.get(pod) ?? null;
    if (cost !== costOf(pod)) marks.push({ pod, cost });
  }
  return marks;
}

/** null = it has none; NaN = one that is no number. */
function costOf(pod: Pod): number | null {
  const text = pod.metadata.annotations?.[POD_DELETION_COST_ANNOTATION];
  return text === undefined ? null : Number(text);
}

function isOurs(cost: number): boolean {
  return Number.isInteger(cost) && cost < 0 && cost >= -MAX_MARKED_PODS;
}
