// How many requests of one revision this activator may have running at once (ACT-67).
// Pure. 0 means everyone waits; MAX_CAPACITY stands for "no limit".

/** ACT `MAXCAP`. */
export const MAX_CAPACITY = 2_147_483_647;

export interface CapacityInput {
  /** Requests per pod, 0 = unlimited. */
  containerConcurrency: number;
  /** Pods assigned to this activator. */
  assignedCount: number;
  /** Backends known behind a ClusterIP; the number of pods otherwise. */
  backendCount: number;
  /** Activators sharing the revision, 0 = unknown. */
  activatorCount: number;
}

export function revisionCapacity(input: CapacityInput): number {
  const { containerConcurrency, assignedCount, backendCount } = input;
  let capacity = containerConcurrency * assignedCount;
  if (assignedCount === 0) {
    capacity = containerConcurrency * backendCount;
    if (capacity > 0) {
      capacity = Math.max(1, Math.floor(capacity / Math.max(1, input.activatorCount)));
    }
  }
  const backends = Math.max(backendCount, assignedCount);
  if (backends > 0 && (containerConcurrency === 0 || capacity > MAX_CAPACITY)) return MAX_CAPACITY;
  return capacity;
}
