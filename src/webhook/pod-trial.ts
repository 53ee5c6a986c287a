// Asks the Kubernetes API whether it would take a pod, without making one (WH-180).

import * as kinds from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import type { KubeClient } from '../kube/types.ts';
import type { ReviewContext } from './review.ts';

/** The function rejects with what the API has against the pod. */
export function podTrial(client: KubeClient): NonNullable<ReviewContext['tryPod']> {
  return async (pod: KubeObject) => {
    const path = `${kinds.resourcePath(kinds.Pod, pod.metadata.namespace)}?dryRun=All`;
    const contentType = 'application/json';
    const answer = await client.request('POST', path, { contentType, body: pod });
    answer.body.resume();
  };
}
