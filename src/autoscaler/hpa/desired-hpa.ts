// The HorizontalPodAutoscaler a PodAutoscaler of class HPA wants (AS-157 to AS-160). Pure.

import type { PodAutoscaler } from '../../api/autoscaling.ts';
import {
  CPU_METRIC,
  MEMORY_METRIC,
  readTarget,
  readWindowMs,
} from '../../api/autoscaling-annotations.ts';
import {
  DEFAULT_MIN_REPLICAS,
  type HorizontalPodAutoscaler,
  type HorizontalPodAutoscalerSpec,
  type HpaMetric,
  metricsOf,
} from '../../api/horizontal-pod-autoscaler.ts';
import * as kinds from '../../api/kinds.ts';
import { deepEqual } from '../../kube/equal.ts';
import { childMetadata } from '../child-objects.ts';
import type { EffectiveSettings } from '../effective-settings.ts';

/** AS-158: what stands for "no upper limit". */
const MAX_REPLICAS_UNBOUNDED = 2_147_483_647;

export function desiredHpa(
  pa: PodAutoscaler,
  settings: EffectiveSettings,
): HorizontalPodAutoscaler {
  return {
    apiVersion: kinds.apiVersionOf(kinds.HorizontalPodAutoscaler),
    kind: kinds.HorizontalPodAutoscaler.kind,
    metadata: childMetadata(pa, { ...pa.metadata.annotations }),
    spec: desiredSpec(pa, settings),
  };
}

function desiredSpec(pa: PodAutoscaler, settings: EffectiveSettings): HorizontalPodAutoscalerSpec {
  const annotations = pa.metadata.annotations;
  const target = readTarget(annotations);
  const windowMs = readWindowMs(annotations);
  const spec: HorizontalPodAutoscalerSpec = {
    scaleTargetRef: pa.spec.scaleTargetRef,
    maxReplicas: settings.maxScale === 0 ? MAX_REPLICAS_UNBOUNDED : settings.maxScale,
  };
  if (settings.minScale > 0) spec.minReplicas = settings.minScale;
  if (target !== undefined) spec.metrics = [desiredMetricOf(settings.metric, target)];
  if (windowMs !== undefined) {
    const rules = { stabilizationWindowSeconds: Math.round(windowMs / 1000) };
    spec.behavior = { scaleUp: rules, scaleDown: { ...rules } };
  }
  return spec;
}

/** AS-159. */
function desiredMetricOf(metric: string, target: number): HpaMetric {
  if (metric === CPU_METRIC) {
    const utilization = { type: 'Utilization', averageUtilization: Math.ceil(target) } as const;
    return { type: 'Resource', resource: { name: metric, target: utilization } };
  }
  const whole = Math.trunc(target);
  if (metric === MEMORY_METRIC) {
    const value = { type: 'AverageValue', averageValue: `${whole}Mi` } as const;
    return { type: 'Resource', resource: { name: metric, target: value } };
  }
  const value = { type: 'AverageValue', averageValue: String(whole) } as const;
  return { type: 'Pods', pods: { metric: { name: metric }, target: value } };
}

/** AS-161, with what the API server defaults taken for what it is: not a difference. */
export function isSameSpec(
  existing: HorizontalPodAutoscalerSpec,
  desired: HorizontalPodAutoscalerSpec,
): boolean {
  return deepEqual(withDefaults(existing), withDefaults(desired));
}

function withDefaults(spec: HorizontalPodAutoscalerSpec): object {
  const { behavior, minReplicas } = spec;
  const up = behavior?.scaleUp?.stabilizationWindowSeconds;
  const down = behavior?.scaleDown?.stabilizationWindowSeconds;
  return {
    scaleTargetRef: spec.scaleTargetRef,
    maxReplicas: spec.maxReplicas,
    minReplicas: minReplicas ?? DEFAULT_MIN_REPLICAS,
    metrics: metricsOf(spec),
    up,
    down,
  };
}
