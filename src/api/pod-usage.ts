// What pods use, as the node agent tells it and the embedded HorizontalPodAutoscaler asks for it.
// Kubernetes has a metrics API for it; here whoever runs the processes answers. Pure types.

export interface PodUsage {
  /** Averaged over the time since the last reading, thousandths of a core. */
  cpuMilli: number;
  memoryBytes: number;
  /** Containers the figures cover. */
  containers: readonly string[];
}

export interface PodUsageSource {
  /** Null = not measured yet. */
  usage(podUid: string): PodUsage | null;
}
