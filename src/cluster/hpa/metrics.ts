// What the metrics of a HorizontalPodAutoscaler say right now: usage of each pod against what it
// requests, or against a value per pod. Pure but for the usage source.

import { findCondition, READY } from '../../api/conditions.ts';
import type { Pod } from '../../api/core.ts';
import {
  type HorizontalPodAutoscaler,
  type HpaMetric,
  metricsOf,
  type ResourceMetric,
} from '../../api/horizontal-pod-autoscaler.ts';
import type { PodUsageSource } from '../../api/pod-usage.ts';
import { parseQuantity } from '../../api/quantity.ts';
import { type Advice, adviseReplicas, type PodSample } from './replica-advice.ts';

export interface Measured {
  metric: HpaMetric;
  advice: Advice | null;
  /** Why there is no advice; reason and sentence of a condition. */
  problem: { reason: string; message: string } | null;
}

/** A local process without a request may use a whole core; a cluster would refuse to measure it. */
const DEFAULT_CPU_MILLI = 1000;
const DEFAULT_MEMORY_BYTES = 512 * 1024 * 1024;

export function measure(
  hpa: HorizontalPodAutoscaler,
  pods: readonly Pod[],
  currentReplicas: number,
  source: PodUsageSource,
): Measured[] {
  const live = pods.filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined && status?.phase !== 'Failed',
  );
  return metricsOf(hpa.spec).map((metric) => measureOne(metric, live, currentReplicas, source));
}

function measureOne(
  metric: HpaMetric,
  pods: readonly Pod[],
  currentReplicas: number,
  source: PodUsageSource,
): Measured {
  if (metric.type !== 'Resource') {
    const message = `no metrics API knows the pods metric ${metric.pods?.metric.name}`;
    return { metric, advice: null, problem: { reason: 'FailedGetPodsMetric', message } };
  }
  const { name, target } = metric.resource;
  if (name !== 'cpu' && name !== 'memory') {
    return failed(metric, `unknown resource "${name}"; cpu and memory are measured`);
  }
  const samples = pods.map((pod) => sampleOf(pod, name, source));
  const isUtilization = target.type === 'Utilization';
  const goal = isUtilization ? target.averageUtilization : averageGoal(name, target.averageValue);
  if (!(goal > 0)) return failed(metric, `the target of ${name} must be positive`);
  const advice = adviseReplicas(samples, currentReplicas, goal, isUtilization);
  if (advice !== null) return { metric, advice, problem: null };
  return failed(metric, `no ready pod is measured for ${name} yet`);
}

function failed(metric: ResourceMetric, message: string): Measured {
  return { metric, advice: null, problem: { reason: 'FailedGetResourceMetric', message } };
}

/** CPU in thousandths of a core, memory in bytes. */
function averageGoal(name: 'cpu' | 'memory', value: string): number {
  const thousandths = parseQuantity(value);
  return name === 'cpu' ? thousandths : thousandths / 1000;
}

function sampleOf(pod: Pod, name: 'cpu' | 'memory', source: PodUsageSource): PodSample {
  const usage = source.usage(pod.metadata.uid ?? '');
  const isReady = findCondition(pod, READY)?.status === 'True';
  // Containers that are no processes of their own cannot be measured, so nothing is asked of them.
  const covered = pod.spec.containers.filter(
    (container) => usage === null || usage.containers.includes(container.name),
  );
  let full = 0;
  for (const { resources } of covered) {
    const request = resources?.requests?.[name];
    full += request === undefined ? fullByDefault(name) : averageGoal(name, request);
  }
  const value = name === 'cpu' ? usage?.cpuMilli : usage?.memoryBytes;
  return { isReady, usage: value ?? null, full: full || fullByDefault(name) };
}

function fullByDefault(name: 'cpu' | 'memory'): number {
  return name === 'cpu' ? DEFAULT_CPU_MILLI : DEFAULT_MEMORY_BYTES;
}
