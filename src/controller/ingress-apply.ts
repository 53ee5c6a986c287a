// Creates and updates an Ingress for its owner (CP-307), and says on the owner how far it is
// (CP-260, step 12). Ownership is not checked: the name belongs to the owner's.

import type { ConditionManager } from '../api/conditions.ts';
import { findCondition, READY } from '../api/conditions.ts';
import * as kinds from '../api/kinds.ts';
import type { Ingress } from '../api/networking.ts';
import type { KubeObject } from '../api/objects.ts';
import { deepEqual } from '../kube/equal.ts';
import type { EventRecorder } from '../kube/events.ts';
import { messageOf } from '../kube/status-pass.ts';
import type { KubeClient } from '../kube/types.ts';
import { createOrGet } from './children.ts';
import { wrapError } from './pipeline.ts';

/** What a child is written with, and whose events tell of it. */
export interface ChildWriter {
  readonly client: KubeClient;
  readonly recorder: EventRecorder;
}

export async function createIngress(
  { client, recorder }: ChildWriter,
  owner: KubeObject,
  desired: Ingress,
): Promise<Ingress> {
  try {
    const { object, created } = await createOrGet(client, kinds.Ingress, desired);
    if (created) recorder.normal(owner, 'Created', `Created Ingress "${desired.metadata.name}"`);
    return object;
  } catch (error) {
    const text = `Failed to create Ingress: ${messageOf(error)}`;
    recorder.warning(owner, 'CreationFailed', text);
    throw wrapError('failed to create Ingress', error);
  }
}

/** Spec, labels and annotations become the desired ones; resolves with what is stored then. */
export async function updateIngress(
  { client }: ChildWriter,
  live: Ingress,
  desired: Ingress,
): Promise<Ingress> {
  const { labels, annotations } = desired.metadata;
  const isSame =
    deepEqual(live.spec, desired.spec) &&
    deepEqual(live.metadata.annotations, annotations) &&
    deepEqual(live.metadata.labels, labels);
  if (isSame) return live;
  const metadata = { ...live.metadata, labels: labels ?? {}, annotations: annotations ?? {} };
  try {
    return await client.update(kinds.Ingress, { ...live, metadata, spec: desired.spec });
  } catch (error) {
    throw wrapError('failed to update Ingress', error);
  }
}

export function markIngressNotConfigured(conditions: ConditionManager): void {
  const message = 'Ingress has not yet been reconciled.';
  conditions.markUnknown('IngressReady', 'IngressNotConfigured', message);
}

/** CP-260, step 12; `isRolling` leaves the condition to whoever rolls. */
export function propagateIngress(
  { metadata, status }: Ingress,
  conditions: ConditionManager,
  isRolling = false,
): void {
  if (metadata.generation !== status?.observedGeneration) {
    markIngressNotConfigured(conditions);
    return;
  }
  if (isRolling) return;
  const ready = findCondition({ status }, READY);
  if (ready === undefined) markIngressNotConfigured(conditions);
  else conditions.mirror('IngressReady', ready);
}
