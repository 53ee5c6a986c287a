// Spec and status of the internal autoscaling kinds (CP-89).

import type { CommonStatus, KubeObject } from './objects.ts';

/** `''` = not known yet: the autoscaler treats it as reachable (CP-192). */
export type Reachability = '' | 'Reachable' | 'Unreachable';

export interface PodAutoscalerStatus extends CommonStatus {
  serviceName?: string;
  metricsServiceName?: string;
  desiredScale?: number;
  actualScale?: number;
}

export interface PodAutoscaler extends KubeObject {
  spec: {
    containerConcurrency?: number;
    scaleTargetRef: { apiVersion: string; kind: string; name: string };
    protocolType: 'http1' | 'h2c';
    reachability?: Reachability;
  };
  status?: PodAutoscalerStatus;
}

export interface Metric extends KubeObject {
  spec: {
    /** Nanoseconds. */
    stableWindow: number;
    /** Nanoseconds. */
    panicWindow: number;
    scrapeTarget: string;
  };
  status?: CommonStatus;
}
