// What surrounds every reconciler that owns a status (CP-23 to CP-26, AS-123): a copy of the status
// to change, its conditions prepared, the status written afterwards whether the step succeeded or
// not, a Warning event for a failure. Invariants: the cached object is never changed; a pass that
// changes nothing writes nothing; a condition that ends a pass as it began keeps its time, whatever
// happened between.

import { ConditionManager, type ConditionSet, READY } from '../api/conditions.ts';
import type { Kind } from '../api/kinds.ts';
import type { CommonStatus, Condition, KubeObject } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import type { EventRecorder } from './events.ts';
import { writeStatus } from './status.ts';
import { isConflict, type KubeClient } from './types.ts';

export type StatusObject = KubeObject & { status?: CommonStatus };
/** The pass's own copy: its status may be changed, everything else is shared with the cache. */
export type OwnCopy<T extends StatusObject> = T & { status: NonNullable<T['status']> };

export interface StatusPassDeps {
  client: KubeClient;
  clock: Clock;
  recorder: EventRecorder;
}

/** Rejects with what `step` threw, after the status changes made so far are written. */
export async function runWithStatus<T extends StatusObject, R>(
  deps: StatusPassDeps,
  kind: Kind,
  set: ConditionSet,
  cached: T,
  step: (object: OwnCopy<T>, conditions: ConditionManager, nowMs: number) => R,
): Promise<Awaited<R>> {
  const status = structuredClone(cached.status ?? {}) as NonNullable<T['status']>;
  const object = { ...cached, status };
  const nowMs = deps.clock.nowMs();
  const conditions = new ConditionManager(set, status, nowMs);
  conditions.initialize();
  if (status.observedGeneration !== cached.metadata.generation) {
    const message = 'unsuccessfully observed a new generation';
    conditions.markUnknown(READY, 'NewObservedGenFailure', message);
  }
  let failure: unknown;
  let result: Awaited<R> | undefined;
  try {
    result = await step(object, conditions, nowMs);
  } catch (error) {
    failure = error ?? new Error('reconciler threw nothing');
  }
  if (cached.metadata.generation !== undefined) {
    status.observedGeneration = cached.metadata.generation;
  }
  keepTimes(cached.status?.conditions ?? [], status.conditions ?? []);
  await store(deps, kind, cached, status, failure);
  return result as Awaited<R>;
}

async function store<T extends StatusObject>(
  deps: StatusPassDeps,
  kind: Kind,
  cached: T,
  status: NonNullable<T['status']>,
  failure: unknown,
): Promise<void> {
  try {
    await writeStatus<T>(deps.client, kind, cached, status, deps.clock);
  } catch (error) {
    if (!isConflict(error)) {
      const text = `Failed to update status for "${cached.metadata.name}": ${messageOf(error)}`;
      deps.recorder.warning(cached, 'UpdateFailed', text);
    }
    throw failure ?? error;
  }
  if (failure === undefined) return;
  if (!isConflict(failure)) deps.recorder.warning(cached, 'InternalError', messageOf(failure));
  throw failure;
}

/** CP-24: a condition that ends the pass as it began keeps its time. */
function keepTimes(before: readonly Condition[], after: readonly Condition[]): void {
  for (const condition of after) {
    const old = before.find(({ type }) => type === condition.type);
    if (old?.lastTransitionTime === undefined) continue;
    const isSame =
      old.status === condition.status &&
      old.severity === condition.severity &&
      old.reason === condition.reason &&
      old.message === condition.message;
    if (isSame) condition.lastTransitionTime = old.lastTransitionTime;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Names the step that failed and keeps the cause; conflicts stay recognisable for the retry. */
export function stepError(prefix: string, error: unknown): unknown {
  if (isConflict(error)) return error;
  return new Error(`${prefix}${messageOf(error)}`, { cause: error });
}
