// exec and port-forward for the API server: commands beside a pod's processes, and where its ports
// really are. Asks the root for its table each time: a person at a terminal is rare.

import type { Pod } from '../api/core.ts';
import { PORT_MAP_ANNOTATION } from '../api/labels.ts';
import { PodStreamError, type PodStreams } from '../apiserver/pod-streams.ts';
import { LOOPBACK, parsePortMap } from '../node/addresses.ts';
import { listeningPorts } from '../node/listening.ts';
import { addressRequest } from '../node/pod-ports.ts';
import type { ContainerRecord, ContainerRuntime } from '../node/runtime.ts';
import type { PipeExecs } from './pipe-execs.ts';

type Runtime = Pick<ContainerRuntime, 'list'>;

export function podStreams(runtime: Runtime, execs: Pick<PipeExecs, 'start'>): PodStreams {
  return {
    findPort: (pod, port) => findPort(runtime, pod, port),
    async exec(request) {
      const { spec } = await findProcess(runtime, request.pod, request.container);
      return execs.start(spec.id, request);
    },
  };
}

async function liveContainers(runtime: Runtime, pod: Pod): Promise<ContainerRecord[]> {
  const records = await runtime.list();
  return records.filter(({ spec, exit }) => spec.podUid === pod.metadata.uid && exit === null);
}

/**
 * The app's port is where it was told to listen, the sidecar's are on the pod's address. Any other
 * port must be one the pod's processes listen on, or be on an address that is this pod's alone.
 */
async function findPort(
  runtime: Runtime,
  pod: Pod,
  port: number,
): Promise<{ host: string; port: number }> {
  const { name } = pod.metadata;
  const address = parsePortMap(pod.status?.podIP, pod.metadata.annotations?.[PORT_MAP_ANNOTATION]);
  if (address === undefined) throw new PodStreamError(400, `pod "${name}" has no address yet`);
  const { userPort } = addressRequest(pod);
  const appPort = address.ports[userPort];
  if (appPort !== undefined && (port === userPort || port === appPort)) {
    return { host: LOOPBACK, port: appPort };
  }
  const mapped = address.ports[port];
  if (mapped !== undefined) return { host: address.ip, port: mapped };
  for (const { pid } of await liveContainers(runtime, pod)) {
    if (pid !== null && listeningPorts(pid).includes(port)) return { host: LOOPBACK, port };
  }
  if (address.ip !== LOOPBACK) return { host: address.ip, port };
  throw new PodStreamError(400, `nothing of pod "${name}" listens on port ${port}`);
}

async function findProcess(
  runtime: Runtime,
  pod: Pod,
  container: string,
): Promise<ContainerRecord> {
  const records = await liveContainers(runtime, pod);
  const record = records.find(({ spec }) => spec.container === container);
  const subject = `container "${container}" of pod "${pod.metadata.name}"`;
  if (record === undefined) throw new PodStreamError(400, `${subject} is not running`);
  if (record.pid !== null) return record;
  const why = 'is hosted inside the data plane and has no process of its own';
  throw new PodStreamError(400, `${subject} ${why}`);
}
