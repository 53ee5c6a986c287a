// The PodAutoscaler of a Revision (CP-191 to CP-193). Pure.

import type { PodAutoscaler, Reachability } from '../../../api/autoscaling.ts';
import type { Deployment } from '../../../api/core.ts';
import {
  apiVersionOf,
  Deployment as DeploymentKind,
  PodAutoscaler as PodAutoscalerKind,
} from '../../../api/kinds.ts';
import {
  AUTOSCALING_CLASS_ANNOTATION,
  AUTOSCALING_METRIC_ANNOTATION,
  AUTOSCALING_PREFIX,
  ROUTING_STATE_ACTIVE,
  ROUTING_STATE_LABEL,
  ROUTING_STATE_RESERVE,
} from '../../../api/labels.ts';
import { controllerReference } from '../../../api/objects.ts';
import { type Revision, revisionProtocol } from '../../../api/serving.ts';
import { deepEqual } from '../../../kube/equal.ts';
import { mapMembers } from '../../children.ts';
import { autoscalerAnnotations, childLabels } from './metadata.ts';

/** Filled in by defaulting, so their absence in the wish is no difference. */
const DEFAULTED_ANNOTATIONS = [AUTOSCALING_CLASS_ANNOTATION, AUTOSCALING_METRIC_ANNOTATION];

export function makePodAutoscaler(
  revision: Revision,
  deployment: Deployment,
  reachability: Reachability,
): PodAutoscaler {
  const { metadata, spec } = revision;
  return {
    apiVersion: apiVersionOf(PodAutoscalerKind),
    kind: 'PodAutoscaler',
    metadata: {
      name: metadata.name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      ...mapMembers({
        labels: childLabels(revision),
        annotations: autoscalerAnnotations(revision),
      }),
      ownerReferences: [controllerReference(revision)],
    },
    spec: {
      ...(spec.containerConcurrency ? { containerConcurrency: spec.containerConcurrency } : {}),
      scaleTargetRef: {
        apiVersion: apiVersionOf(DeploymentKind),
        kind: 'Deployment',
        name: deployment.metadata.name,
      },
      protocolType: revisionProtocol(spec),
      ...(reachability === '' ? {} : { reachability }),
    },
  };
}

/** CP-192. `isFailed`: the Revision's resources or container are known not to work. */
export function reachabilityOf(
  revision: Revision,
  deployment: Deployment | undefined,
  isFailed: boolean,
): Reachability {
  const wanted = deployment?.spec.replicas ?? 0;
  const ready = deployment?.status?.readyReplicas ?? 0;
  if (isFailed && wanted > 0 && ready === 0) return 'Unreachable';
  const state = revision.metadata.labels?.[ROUTING_STATE_LABEL];
  if (state === ROUTING_STATE_ACTIVE) return 'Reachable';
  return state === ROUTING_STATE_RESERVE ? 'Unreachable' : '';
}

/** CP-193: undefined when there is nothing to change. */
export function updatedPodAutoscaler(
  live: PodAutoscaler,
  desired: PodAutoscaler,
): PodAutoscaler | undefined {
  const liveAnnotations = live.metadata.annotations ?? {};
  const desiredAnnotations = desired.metadata.annotations ?? {};
  const extra = Object.keys(liveAnnotations).filter(
    (key) =>
      key.startsWith(AUTOSCALING_PREFIX) &&
      !DEFAULTED_ANNOTATIONS.includes(key) &&
      desiredAnnotations[key] === undefined,
  );
  const isSame =
    extra.length === 0 &&
    deepEqual(comparableSpec(live), comparableSpec(desired)) &&
    Object.entries(desiredAnnotations).every(([key, value]) => liveAnnotations[key] === value);
  if (isSame) return undefined;
  const annotations = { ...liveAnnotations, ...desiredAnnotations };
  for (const key of extra) delete annotations[key];
  return { ...live, metadata: { ...live.metadata, annotations }, spec: desired.spec };
}

/** Zero values count as absent. */
function comparableSpec({ spec }: PodAutoscaler): object {
  return {
    ...spec,
    containerConcurrency: spec.containerConcurrency || undefined,
    reachability: spec.reachability || undefined,
  };
}
