// From a change of an object to the keys that have to be looked at (CP-11). A handler only marks
// keys: what has to be done is read from the caches when their turn comes.

import { findCondition, READY } from '../api/conditions.ts';
import type { Pod } from '../api/core.ts';
import { REVISION_LABEL } from '../api/labels.ts';
import { controllerOf, joinKey, type KubeObject, objectKey } from '../api/objects.ts';
import type { Configuration } from '../api/serving.ts';
import type { Controller } from '../kube/controller.ts';
import { deepEqual } from '../kube/equal.ts';
import type { ChangeHandler } from '../kube/types.ts';
import type { ReferenceTracker } from './tracker.ts';

/**
 * Drops changes only the user looks at, such as replica counts: they come several times during
 * a wake from zero, and everything that depends on the object would run for nothing.
 */
export function unlessMinor<T extends KubeObject>(handler: ChangeHandler<T>): ChangeHandler<T> {
  return (current, previous) => {
    if (current !== null && previous !== null && deepEqual(outline(current), outline(previous))) {
      return;
    }
    handler(current, previous);
  };
}

function outline(object: KubeObject & { status?: Configuration['status'] }): unknown[] {
  const { uid, generation, deletionTimestamp, labels, annotations } = object.metadata;
  const { observedGeneration, latestCreatedRevisionName, latestReadyRevisionName } =
    object.status ?? {};
  return [
    [uid, generation, deletionTimestamp, labels, annotations],
    [observedGeneration, latestCreatedRevisionName, latestReadyRevisionName],
    findCondition(object, READY),
  ];
}

export function enqueueChange<T extends KubeObject>(controller: Controller): ChangeHandler<T> {
  return (current, previous) => controller.enqueue(objectKey((current ?? previous)!));
}

export function enqueueOwner<T extends KubeObject>(
  controller: Pick<Controller, 'enqueue'>,
  ownerKind: string,
): ChangeHandler<T> {
  return (current, previous) => {
    const child = (current ?? previous)!;
    const owner = controllerOf(child);
    if (owner?.kind !== ownerKind) return;
    const namespace = ownerKind === 'Namespace' ? undefined : child.metadata.namespace;
    controller.enqueue(joinKey(namespace, owner.name));
  };
}

/** Pods come and go often; what matters is when a container not ready says why (CP-185). */
export function enqueueFailingPod(controller: Controller): ChangeHandler<Pod> {
  return (current, previous) => {
    const revision = current?.metadata.labels?.[REVISION_LABEL];
    if (current === null || !revision) return;
    const states = failures(current);
    if (states.length === 0 || deepEqual(states, failures(previous))) return;
    controller.enqueue(joinKey(current.metadata.namespace, revision));
  };
}

/** A container waits like this on its normal way up. */
const STARTING_REASONS = new Set(['', 'ContainerCreating', 'PodInitializing']);

function failures(pod: Pod | null): unknown[] {
  const scheduled = pod?.status?.conditions?.filter(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  );
  const containers = (pod?.status?.containerStatuses ?? [])
    .filter(({ ready, state, lastState }) => {
      const isStuck = state?.waiting && !STARTING_REASONS.has(state.waiting.reason ?? '');
      return !ready && (isStuck || state?.terminated || lastState?.terminated);
    })
    .map(({ name, state, lastState }) => [name, state?.waiting, state?.terminated, lastState]);
  return [...(scheduled ?? []), ...containers];
}

/** Wakes whoever looks at the changed object; `keyOf` names it as the tracker does. */
export function enqueueObservers(
  controller: Controller,
  tracker: ReferenceTracker,
  keyOf: (object: KubeObject) => string,
): ChangeHandler<KubeObject> {
  return (current, previous) => {
    const key = keyOf((current ?? previous)!);
    for (const observer of tracker.observersOf(key)) controller.enqueue(observer);
  };
}
