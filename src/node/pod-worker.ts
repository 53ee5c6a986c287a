// One pod on this node, from its first sight to its removal: address, containers, status, end.
// Level-based towards the API: it is told the newest object and works out what is left to do.
// Invariants: the first report has the address and comes with the first news of the containers (an
// agent that dies between the spawn and it leaves strays, which the next one ends); an object that
// is gone has no process a moment later; the object goes only after the last process went.

import type { Container, Pod, Probe } from '../api/core.ts';
import { Pod as PodKind } from '../api/kinds.ts';
import { PORT_MAP_ANNOTATION, REVISION_LABEL } from '../api/labels.ts';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import { isNotFound, type KubeClient } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { logWakePhase } from '../telemetry/wake.ts';
import { type AddressAllocator, formatPortMap, type PodAddress } from './addresses.ts';
import { type PlanSettings, planContainer } from './container-plan.ts';
import { ContainerRun } from './container-run.ts';
import { listeningPorts, wrongPortMessage } from './listening.ts';
import { actualPort, addressRequest, appContainer, isSidecar } from './pod-ports.ts';
import {
  buildPodStatus,
  type ContainerFacts,
  localWarnings,
  timestamp,
  type Unschedulable,
  WAITING,
} from './pod-status.ts';
import { PodSync } from './pod-sync.ts';
import { attemptProbe, httpGet } from './probe.ts';
import {
  type ContainerExit,
  type ContainerRecord,
  type ContainerRuntime,
  errorMessage,
} from './runtime.ts';
import { terminate } from './termination.ts';

export interface PodWorkerDeps {
  client: KubeClient;
  runtime: ContainerRuntime;
  clock: Clock;
  logger: Logger;
  addresses: AddressAllocator;
  settings: PlanSettings;
  /** How long reports after a pod's first one wait, in ms. Default 0. */
  reportDelayMs?: number | undefined;
  /** The pod has ended here; the worker may be dropped. */
  onGone(uid: string): void;
}

const DEFAULT_GRACE_SECONDS = 30;
const REMOVE_RETRY_MS = 500;
/** An app that starts has this long before anybody looks where it listens. */
const PORT_LOOK_MS = 3_000;
const HOPELESS_REASONS: ReadonlySet<string> = new Set(['ErrImagePull', 'CreateContainerError']);

export class PodWorker {
  readonly #deps: PodWorkerDeps;
  readonly #sync: PodSync;
  readonly #runs = new Map<string, ContainerRun>();
  readonly #warnings: readonly string[];
  #pod: Pod;
  #address: PodAddress | null = null;
  #startTime: string | null = null;
  #unschedulable: Unschedulable | null = null;
  /** The app was seen listening elsewhere than on PORT. */
  #wrongPort: Unschedulable | null = null;
  #portTimer: TimerHandle | null = null;
  #isEnding = false;
  #isDiscarded = false;

  constructor(pod: Pod, deps: PodWorkerDeps) {
    this.#pod = pod;
    this.#deps = deps;
    this.#sync = new PodSync(pod, deps);
    this.#warnings = localWarnings(pod);
    for (const container of pod.spec.containers) {
      this.#runs.set(container.name, this.#createRun(container));
    }
  }

  /** Containers that are processes, with their process groups. */
  processes(): { container: string; group: number }[] {
    const found: { container: string; group: number }[] = [];
    for (const [container, { pid }] of this.#runs) {
      if (pid !== null) found.push({ container, group: pid });
    }
    return found;
  }

  get uid(): string {
    return this.#pod.metadata.uid ?? '';
  }

  /** Starts a pod nobody has started before. */
  async begin(): Promise<void> {
    this.#startTime = timestamp(this.#deps.clock.nowMs());
    try {
      this.#address = await this.#deps.addresses.allocate(addressRequest(this.#pod));
    } catch (error) {
      this.#unschedulable = { reason: 'NoFreePort', message: errorMessage(error) };
      return this.#report();
    }
    if (this.#isEnding || this.#isDiscarded) return;
    // Nothing is reported before: the write would stand between the wake and the spawn, and nobody
    // can use the address before the sidecar listens there.
    // Apps first: theirs is the start everybody waits for, the sidecar is up in a millisecond.
    const runs = [...this.#runs.values()];
    for (const run of runs.filter((candidate) => !isSidecar(candidate.container))) run.begin();
    for (const run of runs.filter((candidate) => isSidecar(candidate.container))) run.begin();
    if (runs.length === 0) this.#report();
  }

  /** Takes over a pod that an earlier agent of this run left running. */
  adopt(address: PodAddress, records: readonly ContainerRecord[]): void {
    this.#address = address;
    this.#startTime = this.#pod.status?.startTime ?? timestamp(this.#deps.clock.nowMs());
    this.#deps.addresses.adopt(address);
    for (const run of this.#runs.values()) {
      const before = this.#factsBefore(run.name);
      const newest = records
        .filter((record) => record.spec.container === run.name)
        .sort((a, b) => b.spec.attempt - a.spec.attempt)[0];
      if (newest !== undefined) run.adopt(newest, before);
      else if (before !== null) run.resume(before);
      else run.begin();
    }
    this.#report();
  }

  /** The object as it is now. */
  update(pod: Pod): void {
    this.#pod = pod;
    if (pod.metadata.deletionTimestamp !== undefined && !this.#isEnding) void this.#end();
  }

  handleExit(id: string, exit: ContainerExit): void {
    for (const run of this.#runs.values()) if (run.currentId === id) run.handleExit(exit);
  }

  /** The object is gone: whatever still runs has no right to. */
  discard(): void {
    if (this.#isDiscarded) return;
    this.#isDiscarded = true;
    this.#sync.close();
    for (const run of this.#runs.values()) run.signal('SIGKILL');
    const stopped = [...this.#runs.values()].map((run) => run.whenStopped());
    void Promise.all(stopped).then(() => this.#gone());
  }

  isLive(container: string): boolean {
    return this.#runs.get(container)?.currentId != null;
  }

  async #end(): Promise<void> {
    this.#isEnding = true;
    const runs = [...this.#runs.values()];
    const graceSeconds = this.#pod.metadata.deletionGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    const hooks = new Map(runs.map((run) => [run, run.preStop]));
    for (const run of runs) run.stopRestarting();
    await terminate(
      runs.map((run) => ({
        name: run.name,
        preStop: hooks.get(run) ?? null,
        signal: (signal) => run.signal(signal),
        whenStopped: () => run.whenStopped(),
      })),
      graceSeconds * 1000,
      this.#deps.clock,
    );
    if (!this.#isDiscarded) await this.#removeObject();
  }

  async #removeObject(): Promise<void> {
    this.#sync.close();
    const { namespace, name } = this.#pod.metadata;
    const options = { gracePeriodSeconds: 0, uid: this.uid };
    while (!this.#isDiscarded) {
      try {
        await this.#deps.client.delete(PodKind, { namespace, name }, options);
        break;
      } catch (error) {
        if (isNotFound(error)) break;
        this.#deps.logger.warn({ pod: name, error: errorMessage(error) }, 'pod not removed yet');
        await this.#deps.clock.sleep(REMOVE_RETRY_MS);
      }
    }
    if (!this.#isDiscarded) this.#gone();
  }

  #gone(): void {
    this.#isDiscarded = true;
    if (this.#address !== null) this.#deps.addresses.release(this.#address);
    this.#deps.onGone(this.uid);
  }

  #createRun(container: Container): ContainerRun {
    const { runtime, clock, logger } = this.#deps;
    return new ContainerRun(container, {
      runtime,
      clock,
      logger: logger.child({ pod: this.#pod.metadata.name }),
      plan: (attempt) => this.#plan(container, attempt),
      probe: (probe, id, timeoutMs) => this.#probe(probe, container, id, timeoutMs),
      restart: (run) => void this.#restart(run),
      preStop: this.#preStopOf(container),
      onStarted: () => this.#started(container),
      onChange: () => this.#report(),
    });
  }

  #plan(container: Container, attempt: number) {
    const { settings, client } = this.#deps;
    if (this.#address === null) throw new Error('a container is planned before its pod is placed');
    return planContainer(this.#pod, container, attempt, this.#address, settings, client);
  }

  #probe(probe: Probe, container: Container, id: string, timeoutMs: number): Promise<boolean> {
    if (this.#address === null) return Promise.resolve(false);
    return attemptProbe(probe, container, id, this.#address, timeoutMs, this.#deps);
  }

  /** RC-76: the hook is called here too; the sidecar sees no SIGTERM and lets go after a second. */
  async #restart(run: ContainerRun): Promise<void> {
    const id = run.currentId;
    await run.preStop?.();
    if (run.currentId !== id) return;
    run.signalForRestart('SIGTERM');
    const graceSeconds = this.#pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    const kill = () => (run.currentId === id ? run.signalForRestart('SIGKILL') : undefined);
    this.#deps.clock.setTimer(graceSeconds * 1000, kill, { background: true });
  }

  /**
   * CP-206: the sidecar's drain. Its admin port is on the pod's address, whoever declares the hook.
   */
  #preStopOf(container: Container): (() => Promise<void>) | null {
    const hook = container.lifecycle?.preStop?.httpGet;
    if (hook === undefined) return null;
    return async () => {
      const address = this.#address;
      if (address === null) return;
      const port = actualPort(container, hook.port, address);
      const target = { host: hook.host ?? address.ip, port, path: hook.path ?? '/' };
      await httpGet(target, null, this.#deps.clock);
    };
  }

  /** Containers that start together are reported together: the last of them tells. */
  #started(container: Container): void {
    this.#appStarted(container);
    for (const run of this.#runs.values()) if (run.isStarting) return;
    this.#report();
  }

  #appStarted(container: Container): void {
    if (container.name !== appContainer(this.#pod)?.name) return;
    this.#watchPort(container);
    const revision = this.#pod.metadata.labels?.[REVISION_LABEL];
    if (revision === undefined) return;
    const name = `${this.#pod.metadata.namespace ?? ''}/${revision}`;
    logWakePhase(this.#deps.logger, this.#deps.clock, name, 'started');
  }

  /** Looks where the app listens for as long as the pod is not ready. */
  #watchPort(container: Container): void {
    this.#portTimer?.cancel();
    const look = () => {
      const facts = [...this.#runs.values()].map((run) => run.facts);
      const pid = this.#runs.get(container.name)?.pid ?? null;
      const wanted = this.#address?.ports[addressRequest(this.#pod).userPort];
      const isReady = facts.every((each) => each.ready);
      if (this.#isEnding || pid === null || wanted === undefined) return;
      const message = isReady ? null : wrongPortMessage(listeningPorts(pid), wanted);
      if ((message ?? '') !== (this.#wrongPort?.message ?? '')) {
        this.#wrongPort = message === null ? null : { reason: 'WrongPort', message };
        this.#report();
      }
      if (!isReady) this.#watchPort(container);
    };
    this.#portTimer = this.#deps.clock.setTimer(PORT_LOOK_MS, look, { background: true });
  }

  /**
   * A container that only a person can make startable. Said as `PodScheduled` False, which reaches
   * the Revision at once (CP-185); a waiting reason alone would take as long as the progress
   * deadline.
   */
  #hopeless(): Unschedulable | null {
    for (const { facts } of this.#runs.values()) {
      const { reason = '', message = '' } = facts.state.waiting ?? {};
      if (HOPELESS_REASONS.has(reason)) return { reason, message };
    }
    return null;
  }

  #factsBefore(name: string): ContainerFacts | null {
    const status = this.#pod.status?.containerStatuses?.find((each) => each.name === name);
    if (status === undefined) return null;
    const { restartCount, lastState = {} } = status;
    return { ...WAITING, restartCount, lastState };
  }

  #report(): void {
    if (this.#isDiscarded) return;
    const containers = new Map([...this.#runs].map(([name, run]) => [name, run.facts]));
    const status = buildPodStatus(
      this.#pod,
      {
        address: this.#address,
        startTime: this.#startTime,
        containers,
        unschedulable: this.#unschedulable ?? this.#hopeless() ?? this.#wrongPort,
        warnings: this.#warnings,
      },
      this.#deps.clock.nowMs(),
    );
    const annotations =
      this.#address === null ? {} : { [PORT_MAP_ANNOTATION]: formatPortMap(this.#address) };
    this.#sync.push({ annotations, status });
  }
}
