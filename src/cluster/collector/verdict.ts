// What becomes of a dependent, given what is known of each of its owners (KN-203). Pure.

import type { OwnerReference } from '../../api/objects.ts';

export const FOREGROUND_FINALIZER = 'foregroundDeletion';
export const ORPHAN_FINALIZER = 'orphan';

/** `leaving`: waits, in foreground deletion, for its dependents to go first. */
export type OwnerState = 'living' | 'leaving' | 'gone';

export type Verdict =
  | { action: 'keep' }
  | { action: 'delete'; propagationPolicy: 'Background' | 'Foreground' }
  | { action: 'relink'; ownerReferences: OwnerReference[] };

/** `states` runs parallel to `references`. One living owner is enough to live. */
export function judgeDependent(
  references: readonly OwnerReference[],
  states: readonly OwnerState[],
  hasDependents: boolean,
): Verdict {
  if (references.length === 0) return { action: 'keep' };
  const living = references.filter((_, index) => states[index] === 'living');
  if (living.length === references.length) return { action: 'keep' };
  if (living.length > 0) return { action: 'relink', ownerReferences: living };
  // An owner that waits for us waits for our own dependents too.
  const isForeground = hasDependents && states.includes('leaving');
  return { action: 'delete', propagationPolicy: isForeground ? 'Foreground' : 'Background' };
}
