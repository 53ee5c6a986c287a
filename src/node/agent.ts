// The node agent ("kubelet") of a machine that is its own cluster: runs the pods the API holds as
// processes and reports what becomes of them. Talks to the API and to a ContainerRuntime, to nobody
// else. Restartable: what runs is found again through `runtime.list`, what was meant through the
// API.

import type { Pod } from '../api/core.ts';
import { Pod as PodKind } from '../api/kinds.ts';
import { PORT_MAP_ANNOTATION } from '../api/labels.ts';
import { objectKey } from '../api/objects.ts';
import type { PodUsage } from '../api/pod-usage.ts';
import type { Clock } from '../clock/clock.ts';
import { type Informer, type InformerFactory, isNotFound, type KubeClient } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { AddressAllocator, type PortProbe, parsePortMap } from './addresses.ts';
import type { PlanSettings } from './container-plan.ts';
import { PodWorker } from './pod-worker.ts';
import { ProcessUsage } from './process-usage.ts';
import { type ContainerRecord, type ContainerRuntime, errorMessage } from './runtime.ts';

export const NODE_NAME = 'local';

export interface NodeAgentOptions {
  client: KubeClient;
  informers: InformerFactory;
  runtime: ContainerRuntime;
  clock: Clock;
  logger: Logger;
  random: () => number;
  settings: PlanSettings;
  ports: PortProbe;
  /** How long reports of a pod after its first one wait, in ms. Default 0. */
  reportDelayMs?: number;
  /** Whether every pod can have an address of its own in 127.0.0.0/8. */
  ownAddresses: boolean;
}

export interface NodeAgent {
  /** Whether that container is running now; used to end followed logs. */
  isLive(namespace: string, pod: string, container: string): boolean;
  /** CPU and memory of a pod's processes; null = not measured yet. */
  usage(podUid: string): PodUsage | null;
  /** Stops watching; pods keep running. */
  stop(): Promise<void>;
}

/** Resolves when everything that ran before is adopted and the pods of the API are being run. */
export async function startNodeAgent(options: NodeAgentOptions): Promise<NodeAgent> {
  const agent = new Agent(options);
  await agent.start();
  return agent;
}

class Agent implements NodeAgent {
  readonly #options: NodeAgentOptions;
  readonly #pods: Informer<Pod>;
  readonly #addresses: AddressAllocator;
  /** By uid: a name may be used again while its former bearer is still ending. */
  readonly #workers = new Map<string, PodWorker>();
  readonly #processUsage: ProcessUsage;
  #removeHandler: () => void = () => undefined;

  constructor(options: NodeAgentOptions) {
    this.#options = options;
    this.#pods = options.informers.informer<Pod>(PodKind);
    this.#processUsage = new ProcessUsage(options.clock);
    const { ownAddresses, ports: probe, random } = options;
    this.#addresses = new AddressAllocator({ ownAddresses, probe, random });
  }

  async start(): Promise<void> {
    const { runtime } = this.#options;
    this.#addresses.prepare();
    runtime.onExit((id, exit) => {
      const uid = id.slice(0, id.indexOf('/'));
      this.#workers.get(uid)?.handleExit(id, exit);
    });
    const records = await runtime.list();
    await this.#pods.whenSynced();
    this.#adoptAll(records);
    this.#removeHandler = this.#pods.onChange((current, previous) =>
      this.#handleChange(current, previous),
    );
  }

  isLive(namespace: string, pod: string, container: string): boolean {
    const uid = this.#pods.lister.get(namespace, pod)?.metadata.uid ?? '';
    return this.#workers.get(uid)?.isLive(container) ?? false;
  }

  usage(podUid: string): PodUsage | null {
    const processes = this.#workers.get(podUid)?.processes() ?? [];
    let [cpuMilli, memoryBytes] = [0, 0];
    for (const { group } of processes) {
      const reading = this.#processUsage.read(group);
      if (reading === null) return null;
      cpuMilli += reading.cpuMilli;
      memoryBytes += reading.memoryBytes;
    }
    if (processes.length === 0) return null;
    return { cpuMilli, memoryBytes, containers: processes.map(({ container }) => container) };
  }

  async stop(): Promise<void> {
    this.#removeHandler();
  }

  #adoptAll(records: readonly ContainerRecord[]): void {
    const byPod = groupByPod(records);
    for (const pod of this.#pods.lister.list()) {
      const uid = pod.metadata.uid ?? '';
      const found = byPod.get(uid);
      byPod.delete(uid);
      const annotation = pod.metadata.annotations?.[PORT_MAP_ANNOTATION];
      const address = parsePortMap(pod.status?.podIP, annotation);
      if (found !== undefined && address !== undefined) {
        const worker = this.#addWorker(pod);
        worker.adopt(address, found);
        worker.update(pod);
      } else if (found !== undefined || pod.status?.startTime !== undefined) {
        for (const record of found ?? []) this.#killStray(record);
        void this.#removeLost(pod);
      }
    }
    for (const strays of byPod.values()) for (const record of strays) this.#killStray(record);
  }

  /** Its processes went with an earlier run of the program; a Deployment makes a new one. */
  async #removeLost(pod: Pod): Promise<void> {
    const { client, logger } = this.#options;
    const { namespace, name, uid = '' } = pod.metadata;
    logger.info({ pod: objectKey(pod) }, 'pod of an earlier run removed');
    try {
      await client.delete(PodKind, { namespace, name }, { gracePeriodSeconds: 0, uid });
    } catch (error) {
      if (isNotFound(error)) return;
      logger.warn({ pod: objectKey(pod), error: errorMessage(error) }, 'lost pod not removed');
    }
  }

  #killStray(record: ContainerRecord): void {
    const { runtime } = this.#options;
    if (record.exit === null) runtime.signal(record.spec.id, 'SIGKILL');
    runtime.forget(record.spec.id);
  }

  #handleChange(current: Pod | null, previous: Pod | null): void {
    const uid = current?.metadata.uid;
    const formerUid = previous?.metadata.uid;
    if (formerUid !== undefined && formerUid !== uid) this.#workers.get(formerUid)?.discard();
    if (current === null || uid === undefined) return;
    const worker = this.#workers.get(uid);
    if (worker !== undefined) {
      worker.update(current);
      return;
    }
    if (!this.#isOurs(current) || current.status?.startTime !== undefined) return;
    if (current.metadata.deletionTimestamp !== undefined) {
      void this.#removeLost(current);
      return;
    }
    if (current.spec.nodeName === undefined) void this.#bind(current);
    void this.#addWorker(current).begin();
  }

  #isOurs(pod: Pod): boolean {
    return (pod.spec.nodeName ?? '') === '' || pod.spec.nodeName === NODE_NAME;
  }

  /** One node, so the scheduler's decision is already made. */
  async #bind(pod: Pod): Promise<void> {
    const { client, logger } = this.#options;
    const { namespace, name } = pod.metadata;
    try {
      const body = { spec: { nodeName: NODE_NAME } };
      await client.patch(PodKind, { namespace, name }, { type: 'merge', body });
    } catch (error) {
      if (isNotFound(error)) return;
      logger.warn({ pod: objectKey(pod), error: errorMessage(error) }, 'pod not bound');
    }
  }

  #addWorker(pod: Pod): PodWorker {
    const { client, runtime, clock, logger, settings, reportDelayMs } = this.#options;
    const worker = new PodWorker(pod, {
      reportDelayMs,
      client,
      runtime,
      clock,
      logger,
      settings,
      addresses: this.#addresses,
      onGone: (uid) => this.#workers.delete(uid),
    });
    this.#workers.set(worker.uid, worker);
    return worker;
  }
}

function groupByPod(records: readonly ContainerRecord[]): Map<string, ContainerRecord[]> {
  const groups = new Map<string, ContainerRecord[]>();
  for (const record of records) {
    const group = groups.get(record.spec.podUid);
    if (group === undefined) groups.set(record.spec.podUid, [record]);
    else group.push(record);
  }
  return groups;
}
