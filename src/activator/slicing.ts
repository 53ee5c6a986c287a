// Which pods of a revision this activator uses when several share the work (ACT-73 to ACT-76).
// Pure arithmetic on positions in the sorted pod list: every activator computes its own slice from
// the same two lists, so nothing has to be agreed on. Only revisions with a limit are sliced.

/** `index` of an activator that does not know its place yet: it uses every pod. */
export const UNKNOWN_INDEX = -1;

/** ACT-74. `pods` sorted; `index` in 0..activatorCount-1 or UNKNOWN_INDEX. */
export function assignSlice<T>(
  pods: readonly T[],
  activatorCount: number,
  index: number,
): readonly T[] {
  const podCount = pods.length;
  if (index === UNKNOWN_INDEX || podCount <= 1 || activatorCount <= 1) return pods;
  if (activatorCount > podCount) {
    const position = index % podCount;
    return pods.slice(position, position + 1);
  }
  const size = Math.floor(podCount / activatorCount);
  const leftover = podCount % activatorCount;
  const slice = pods.slice(index * size, (index + 1) * size);
  // Leftover pods sit at the tail, one each for the first activators, shared with nobody.
  if (index < leftover) slice.push(pods[podCount - leftover + index] as T);
  return slice;
}

export interface ActivatorPlace {
  count: number;
  index: number;
}

/** ACT-71, ACT-72: null when `ownAddress` is not listed, which means "keep what you knew". */
export function placeAmong(
  addresses: readonly string[],
  ownAddress: string,
): ActivatorPlace | null {
  const sorted = [...new Set(addresses)].sort();
  const index = sorted.indexOf(ownAddress);
  return index < 0 ? null : { count: sorted.length, index };
}
