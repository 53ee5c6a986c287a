// What the embedded autoscaler asks about pods. Kubernetes has a metrics API for it; here whoever
// runs the processes answers.

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
