// How many pods to create and which to remove, for one Deployment, from what exists now.
// Level-based: nothing here remembers the last pass, so a rollout interrupted anywhere goes on from
// where it is. Pure. Never makes fewer pods available than `replicas - maxUnavailable` while old
// ones can still serve, nor more pods than `replicas + maxSurge`.

import type { Pod } from '../../api/core.ts';
import { POD_DELETION_COST_ANNOTATION } from '../../api/labels.ts';
import type { DeploymentSpec, SeenPod, SeenPods } from './seen-pods.ts';

export interface ReplicaPlan {
  create: number;
  remove: readonly Pod[];
}

const DEFAULT_ROLLING_SHARE = '25%';

export function planReplicas(spec: DeploymentSpec, seen: SeenPods): ReplicaPlan {
  const replicas = spec.replicas ?? 1;
  const surplus = chooseVictims(seen.current, seen.current.length - replicas);
  const kept = seen.current.filter(({ pod }) => !surplus.includes(pod));
  const remove = [...seen.finished, ...surplus];
  if (seen.old.length === 0) {
    const mustWait = spec.strategy?.type === 'Recreate' && seen.terminating > 0;
    return { create: mustWait ? 0 : Math.max(0, replicas - kept.length), remove };
  }
  if (spec.strategy?.type === 'Recreate') {
    return { create: 0, remove: [...remove, ...seen.old.map(({ pod }) => pod)] };
  }
  const { maxSurge, maxUnavailable } = rollingLimits(spec, replicas);
  const room = replicas + maxSurge - kept.length - seen.old.length;
  return {
    create: Math.max(0, Math.min(replicas - kept.length, room)),
    remove: [...remove, ...oldToRemove(kept, seen.old, replicas - maxUnavailable)],
  };
}

/**
 * Old pods that do not serve go first: they count towards nothing once enough others are available.
 */
function oldToRemove(
  kept: readonly SeenPod[],
  old: readonly SeenPod[],
  minAvailable: number,
): Pod[] {
  const availableNow = countAvailable(kept);
  const broken = old.filter((seen) => !seen.isAvailable);
  const serving = old.filter((seen) => seen.isAvailable);
  const mayLose = availableNow + old.length - minAvailable;
  const mayLoseServing = availableNow + serving.length - minAvailable;
  return [...chooseVictims(broken, mayLose), ...chooseVictims(serving, mayLoseServing)];
}

/** Not ready first, then the lower deletion cost, then the youngest. */
export function chooseVictims(pods: readonly SeenPod[], count: number): Pod[] {
  if (count <= 0) return [];
  return [...pods]
    .sort(compareVictims)
    .slice(0, count)
    .map(({ pod }) => pod);
}

function compareVictims(a: SeenPod, b: SeenPod): number {
  if (a.isReady !== b.isReady) return a.isReady ? 1 : -1;
  const costs = deletionCost(a.pod) - deletionCost(b.pod);
  if (costs !== 0) return costs;
  const [bornA, bornB] = [bornAt(a.pod), bornAt(b.pod)];
  if (bornA !== bornB) return bornA > bornB ? -1 : 1;
  return a.pod.metadata.name < b.pod.metadata.name ? -1 : 1;
}

function deletionCost(pod: Pod): number {
  const cost = Number(pod.metadata.annotations?.[POD_DELETION_COST_ANNOTATION] ?? 0);
  return Number.isNaN(cost) ? 0 : cost;
}

/** A pod whose creation has not come back yet is the youngest of all. */
const bornAt = (pod: Pod): string => pod.metadata.creationTimestamp ?? '~';

export function countAvailable(pods: readonly SeenPod[]): number {
  return pods.filter((seen) => seen.isAvailable).length;
}

/** Whole pods. Surge rounds up, unavailability down; both 0 would never get anywhere. */
export function rollingLimits(
  spec: DeploymentSpec,
  replicas: number,
): { maxSurge: number; maxUnavailable: number } {
  const rolling = spec.strategy?.rollingUpdate;
  const maxSurge = Math.ceil(share(rolling?.maxSurge, replicas));
  const maxUnavailable = Math.floor(share(rolling?.maxUnavailable, replicas));
  return maxSurge === 0 && maxUnavailable === 0
    ? { maxSurge, maxUnavailable: 1 }
    : { maxSurge, maxUnavailable };
}

function share(given: number | string | undefined, replicas: number): number {
  const value = given ?? DEFAULT_ROLLING_SHARE;
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent === undefined ? 0 : (Number(percent) * replicas) / 100;
}
