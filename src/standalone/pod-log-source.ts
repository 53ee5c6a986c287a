// Container logs for the API server: the node's files, with the API's way of saying no.

import { PodLogError, type PodLogSource } from '../apiserver/pod-logs.ts';
import type { Clock } from '../clock/clock.ts';
import type { NodeAgent } from '../node/agent.ts';
import { openPodLog } from '../node/log-reader.ts';

/** `agent` is null while the node agent is still starting. */
export function podLogSource(
  root: string,
  clock: Clock,
  agent: () => NodeAgent | null,
): PodLogSource {
  const isLive = (namespace: string, pod: string, container: string) =>
    agent()?.isLive(namespace, pod, container) ?? false;
  return {
    open(namespace, pod, container, options) {
      const stream = openPodLog({ root, clock, isLive }, namespace, pod, container, options);
      if (stream !== null) return stream;
      const why = options.previous
        ? `previous terminated container "${container}" in pod "${pod}" not found`
        : `container "${container}" in pod "${pod}" has printed nothing yet`;
      throw new PodLogError(400, why);
    },
  };
}
