// The objects a PodAutoscaler owns, as they should be (AS-52, AS-149). Pure.

import type { Metric, PodAutoscaler } from '../api/autoscaling.ts';
import { NS_PER_MS } from '../api/duration.ts';
import * as kinds from '../api/kinds.ts';
import { AUTOSCALING_METRIC_ANNOTATION } from '../api/labels.ts';
import type { ServerlessService, ServerlessServiceMode } from '../api/networking.ts';
import { controllerReference, type KubeObject, type ObjectMeta } from '../api/objects.ts';
import type { EffectiveSettings } from './effective-settings.ts';

/** AS-149. */
export function desiredSks(
  pa: PodAutoscaler,
  mode: ServerlessServiceMode,
  numActivators: number,
): ServerlessService {
  const annotations = { ...pa.metadata.annotations };
  delete annotations[AUTOSCALING_METRIC_ANNOTATION];
  return {
    apiVersion: kinds.apiVersionOf(kinds.ServerlessService),
    kind: kinds.ServerlessService.kind,
    metadata: childMetadata(pa, annotations),
    spec: {
      mode,
      objectRef: pa.spec.scaleTargetRef,
      protocolType: pa.spec.protocolType,
      numActivators,
    },
  };
}

/** AS-52. */
export function desiredMetric(pa: PodAutoscaler, settings: EffectiveSettings): Metric {
  const isPushOnly = settings.targetBurstCapacity === -1;
  return {
    apiVersion: kinds.apiVersionOf(kinds.Metric),
    kind: kinds.Metric.kind,
    metadata: childMetadata(pa, { ...pa.metadata.annotations }),
    spec: {
      stableWindow: settings.stableWindowMs * NS_PER_MS,
      panicWindow: settings.panicWindowMs * NS_PER_MS,
      scrapeTarget: isPushOnly ? '' : (pa.status?.metricsServiceName ?? ''),
    },
  };
}

/** Name, labels and controller of whatever a PodAutoscaler owns. */
export function childMetadata(owner: KubeObject, annotations: Record<string, string>): ObjectMeta {
  const { namespace, name, labels } = owner.metadata;
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    labels: { ...labels },
    annotations,
    ownerReferences: [controllerReference(owner)],
  };
}
