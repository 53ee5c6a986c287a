// The part of autoscaling/v2 HorizontalPodAutoscaler that class HPA writes and the embedded
// controller reads (AS-157 to AS-164), and what Kubernetes takes for granted in it. Pure.

import type { Condition, KubeObject } from './objects.ts';

export type MetricTarget =
  | { type: 'Utilization'; averageUtilization: number }
  | { type: 'AverageValue'; averageValue: string };

export interface ResourceMetric {
  type: 'Resource';
  resource: { name: string; target: MetricTarget };
}

export interface PodsMetric {
  type: 'Pods';
  pods: { metric: { name: string }; target: MetricTarget };
}

export type HpaMetric = ResourceMetric | PodsMetric;

export interface ScalingRules {
  stabilizationWindowSeconds?: number;
}

export interface HorizontalPodAutoscalerSpec {
  scaleTargetRef: { apiVersion: string; kind: string; name: string };
  /** Absent = 1. */
  minReplicas?: number;
  maxReplicas: number;
  /** Absent = CPU at 80 % of what is requested, as Kubernetes has it. */
  metrics?: HpaMetric[];
  behavior?: { scaleUp?: ScalingRules; scaleDown?: ScalingRules };
}

export interface HorizontalPodAutoscalerStatus {
  observedGeneration?: number;
  lastScaleTime?: string;
  currentReplicas?: number;
  desiredReplicas?: number;
  currentMetrics?: unknown[];
  conditions?: Condition[];
}

export interface HorizontalPodAutoscaler extends KubeObject {
  spec: HorizontalPodAutoscalerSpec;
  status?: HorizontalPodAutoscalerStatus;
}

/** What an absent `minReplicas` means. */
export const DEFAULT_MIN_REPLICAS = 1;
/** What absent metrics mean. */
export const DEFAULT_HPA_METRICS: readonly HpaMetric[] = [
  {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
  },
];

/** The metrics in force. */
export function metricsOf({ metrics }: HorizontalPodAutoscalerSpec): readonly HpaMetric[] {
  return metrics === undefined || metrics.length === 0 ? DEFAULT_HPA_METRICS : metrics;
}
