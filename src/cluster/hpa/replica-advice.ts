// How many replicas one metric asks for, by the rules of the Kubernetes autoscaler: usage over
// target with a tolerance, and doubt always resolved towards doing less. Pods that are not ready or
// not measured yet count as idle when the others ask for more, and as busy when they ask for fewer.
// Pure.

/** Deviations up to this share of the target change nothing. */
export const TOLERANCE = 0.1;

export interface PodSample {
  isReady: boolean;
  /** In units of the metric; null = not measured yet. */
  usage: number | null;
  /** What 100 % means for this pod, in the same units. */
  full: number;
}

export interface Advice {
  replicas: number;
  /** Average over the measured pods: percent of `full` for utilisation, else a value per pod. */
  current: number;
}

interface Totals {
  usage: number;
  full: number;
  pods: number;
}

/**
 * `target` in percent of `full` when `isUtilization`, else a usage per pod; > 0. Null when no ready
 * pod is measured.
 */
export function adviseReplicas(
  pods: readonly PodSample[],
  currentReplicas: number,
  target: number,
  isUtilization: boolean,
): Advice | null {
  const ready = pods.filter((pod) => pod.isReady && pod.usage !== null);
  if (ready.length === 0) return null;
  const measured = sum(ready);
  const ratio = ratioOf(measured, target, isUtilization);
  const current = isUtilization ? (100 * measured.usage) / measured.full : averageOf(measured);
  const others = pods.filter((pod) => !pod.isReady || pod.usage === null);
  if (others.length === 0) {
    const replicas = isWithinTolerance(ratio) ? currentReplicas : Math.ceil(ratio * ready.length);
    return { replicas, current };
  }
  const all = sum([...ready, ...others.map((pod) => assume(pod, ratio, target, isUtilization))]);
  const cautious = ratioOf(all, target, isUtilization);
  return { replicas: cautiously(ratio, cautious, all.pods, currentReplicas), current };
}

/** Not measured: idle against a rise, busy against a fall. Not ready: idle against a rise. */
function assume(pod: PodSample, ratio: number, target: number, isUtilization: boolean): PodSample {
  if (ratio > 1) return { ...pod, usage: 0 };
  const busy = isUtilization ? pod.full : target;
  return { ...pod, usage: pod.usage ?? busy };
}

function cautiously(
  ratio: number,
  cautious: number,
  pods: number,
  currentReplicas: number,
): number {
  const turnsAround = (ratio < 1 && cautious > 1) || (ratio > 1 && cautious < 1);
  if (isWithinTolerance(cautious) || turnsAround) return currentReplicas;
  const replicas = Math.ceil(cautious * pods);
  const isWrongWay =
    (cautious < 1 && replicas > currentReplicas) || (cautious > 1 && replicas < currentReplicas);
  return isWrongWay ? currentReplicas : replicas;
}

function sum(pods: readonly PodSample[]): Totals {
  const totals = { usage: 0, full: 0, pods: pods.length };
  for (const pod of pods) {
    totals.usage += pod.usage ?? 0;
    totals.full += pod.full;
  }
  return totals;
}

function averageOf({ usage, pods }: Totals): number {
  return usage / pods;
}

function ratioOf(totals: Totals, target: number, isUtilization: boolean): number {
  if (!isUtilization) return averageOf(totals) / target;
  return (100 * totals.usage) / totals.full / target;
}

function isWithinTolerance(ratio: number): boolean {
  return Math.abs(ratio - 1) <= TOLERANCE;
}
