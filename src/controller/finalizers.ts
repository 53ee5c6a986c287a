// Adds and removes the finalizer of a controller (CP-22), with the events that tell of it. A
// finalizer holds a deleted object until whoever set it has cleaned up.

import type { Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import type { EventRecorder } from '../kube/events.ts';
import { messageOf } from '../kube/status-pass.ts';
import { isConflict, isNotFound, type KubeClient } from '../kube/types.ts';

export interface FinalizerDeps {
  readonly client: KubeClient;
  readonly recorder: EventRecorder;
}

export function hasFinalizer({ metadata }: KubeObject, finalizer: string): boolean {
  return metadata.finalizers?.includes(finalizer) ?? false;
}

/**
 * Resolves with the stored object, which later writes of the same pass build on; null when it is
 * gone already.
 */
export async function addFinalizer<T extends KubeObject>(
  deps: FinalizerDeps,
  kind: Kind,
  object: T,
  finalizer: string,
): Promise<T | null> {
  return patch(deps, kind, object, [...(object.metadata.finalizers ?? []), finalizer]);
}

export async function removeFinalizer<T extends KubeObject>(
  deps: FinalizerDeps,
  kind: Kind,
  object: T,
  finalizer: string,
): Promise<void> {
  const others = (object.metadata.finalizers ?? []).filter((each) => each !== finalizer);
  await patch(deps, kind, object, others);
}

async function patch<T extends KubeObject>(
  { client, recorder }: FinalizerDeps,
  kind: Kind,
  object: T,
  finalizers: string[],
): Promise<T | null> {
  const { namespace, name, resourceVersion } = object.metadata;
  const body = { metadata: { finalizers, resourceVersion } };
  try {
    const stored = await client.patch<T>(kind, { namespace, name }, { type: 'merge', body });
    recorder.normal(object, 'FinalizerUpdate', `Updated "${name}" finalizers`);
    return stored;
  } catch (error) {
    if (isNotFound(error)) return null;
    if (!isConflict(error)) {
      const text = `Failed to update finalizers for "${name}": ${messageOf(error)}`;
      recorder.warning(object, 'FinalizerUpdateFailed', text);
    }
    throw error;
  }
}
