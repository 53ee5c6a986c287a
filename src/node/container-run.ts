// The life of one container of one pod: start, probes, exit, back-off, start again; until told to
// stop. Says what it knows through `facts` and calls `onChange` whenever they may have changed.
// Every start has its own id, so a late exit of an earlier run can never be taken for this one's.

import type { Container, ContainerStateTerminated, Probe } from '../api/core.ts';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Resolved } from './command.ts';
import { type ContainerFacts, timestamp, WAITING } from './pod-status.ts';
import { ProbeLoop } from './probe-loop.ts';
import type { ProbeState } from './probe-schedule.ts';
import { afterExit, NO_CRASHES, type RestartState } from './restart-backoff.ts';
import {
  type ContainerExit,
  type ContainerRecord,
  type ContainerRuntime,
  type ContainerSignal,
  type ContainerSpec,
  errorMessage,
} from './runtime.ts';
import type { Terminable } from './termination.ts';

/** A container that cannot be started is planned again after this long (a Secret may appear). */
const PLAN_RETRY_MS = 5_000;

export interface ContainerRunDeps {
  runtime: ContainerRuntime;
  clock: Clock;
  logger: Logger;
  /** What to start, for the given attempt. */
  plan(attempt: number): Promise<Resolved<ContainerSpec>>;
  /** One attempt of a probe of the running container. */
  probe(probe: Probe, containerId: string, timeoutMs: number): Promise<boolean>;
  /** A liveness or startup probe has failed for good: stop the process so that it restarts. */
  restart(run: ContainerRun): void;
  preStop: (() => Promise<void>) | null;
  /** A start succeeded; its facts have changed. */
  onStarted(): void;
  /** The facts have changed in any other way. */
  onChange(): void;
}

export class ContainerRun implements Terminable {
  readonly container: Container;
  readonly #deps: ContainerRunDeps;
  #facts: ContainerFacts = WAITING;
  /** Id of the run that is starting or running; null otherwise. */
  #currentId: string | null = null;
  #pid: number | null = null;
  #startedAtMs = 0;
  #earlyExit: ContainerExit | null = null;
  #isRunning = false;
  #isPlanning = false;
  #stopping = false;
  /** It was told to stop, and has. */
  #isSettled = false;
  #crashes: RestartState = NO_CRASHES;
  #timer: TimerHandle | null = null;
  #probes: ProbeLoop[] = [];
  readonly #stopWaiters: (() => void)[] = [];

  constructor(container: Container, deps: ContainerRunDeps) {
    this.container = container;
    this.#deps = deps;
  }

  get facts(): ContainerFacts {
    return this.#facts;
  }

  get name(): string {
    return this.container.name;
  }

  /** A getter, because terminate() asks at the moment it matters. */
  get preStop(): (() => Promise<void>) | null {
    // A hook belongs to a process that runs; there is nothing to prepare for otherwise.
    return this.#isRunning ? this.#deps.preStop : null;
  }

  get currentId(): string | null {
    return this.#currentId;
  }

  /** Its process group; null when it is hosted or not running. */
  get pid(): number | null {
    return this.#isRunning ? this.#pid : null;
  }

  /** A start is under way; its end will be told. */
  get isStarting(): boolean {
    return this.#isPlanning || (this.#currentId !== null && !this.#isRunning);
  }

  begin(): void {
    void this.#start();
  }

  /** Takes over a run that an earlier agent started, or its unnoticed end. */
  adopt(record: ContainerRecord, before: ContainerFacts | null): void {
    this.#currentId = record.spec.id;
    this.#pid = record.pid;
    const lastState = before?.lastState ?? {};
    this.#facts = { ...WAITING, lastState, restartCount: record.spec.attempt };
    this.#markRunning(record.startedAtMs);
    if (record.exit !== null) this.handleExit(record.exit);
  }

  /** Continues counting where an earlier agent stopped, when no run was found. */
  resume(before: ContainerFacts): void {
    const restartCount = before.restartCount + 1;
    this.#facts = { ...WAITING, lastState: before.lastState, restartCount };
    this.begin();
  }

  /** Ends the container for good. */
  signal(signal: ContainerSignal): void {
    this.stopRestarting();
    this.signalForRestart(signal);
  }

  /** Ends this run only; the container starts again afterwards. */
  signalForRestart(signal: ContainerSignal): void {
    if (this.#currentId !== null) this.#deps.runtime.signal(this.#currentId, signal);
  }

  /** No more starts; called when the pod begins to end. */
  stopRestarting(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#timer?.cancel();
    if (this.#currentId === null && !this.#isPlanning) this.#settleStop();
  }

  whenStopped(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => this.#stopWaiters.push(resolve));
  }

  handleExit(exit: ContainerExit): void {
    if (!this.#isRunning) {
      this.#earlyExit = exit;
      return;
    }
    const id = this.#currentId;
    if (id !== null) this.#deps.runtime.forget(id);
    this.#currentId = null;
    this.#isRunning = false;
    this.#stopProbes();
    const terminated = this.#terminated(exit);
    if (this.#stopping) {
      this.#facts = { ...this.#facts, state: { terminated }, ready: false, started: false };
      this.#settleStop();
    } else {
      this.#backOff({ terminated }, exit.finishedAtMs - this.#startedAtMs);
    }
    this.#deps.onChange();
  }

  async #start(): Promise<void> {
    const planned = await this.#plan();
    if (this.#stopping) return this.#settleStop();
    if (!planned.ok) return this.#waitToPlan(planned.reason, planned.message);
    this.#currentId = planned.value.id;
    try {
      const { pid, startedAtMs } = await this.#deps.runtime.start(planned.value);
      this.#pid = pid;
      this.#markRunning(startedAtMs);
      this.#deps.onStarted();
    } catch (error) {
      this.#currentId = null;
      if (this.#stopping) return this.#settleStop();
      this.#waitToPlan('RunContainerError', errorMessage(error));
    }
    const exit = this.#earlyExit;
    this.#earlyExit = null;
    if (exit !== null) this.handleExit(exit);
  }

  async #plan(): Promise<Resolved<ContainerSpec>> {
    this.#isPlanning = true;
    try {
      return await this.#deps.plan(this.#facts.restartCount);
    } catch (error) {
      // The API could not be asked; it will be again.
      return { ok: false, reason: 'CreateContainerConfigError', message: errorMessage(error) };
    } finally {
      this.#isPlanning = false;
    }
  }

  #waitToPlan(reason: string, message: string): void {
    this.#facts = { ...this.#facts, state: { waiting: { reason, message } }, ready: false };
    this.#timer = this.#deps.clock.setTimer(PLAN_RETRY_MS, () => this.begin(), {
      background: true,
    });
    this.#deps.onChange();
  }

  #markRunning(startedAtMs: number): void {
    const { startupProbe, readinessProbe } = this.container;
    this.#isRunning = true;
    this.#startedAtMs = startedAtMs;
    this.#facts = {
      ...this.#facts,
      state: { running: { startedAt: timestamp(startedAtMs) } },
      started: startupProbe === undefined,
      ready: startupProbe === undefined && readinessProbe === undefined,
      containerId: `local://${this.#currentId ?? ''}`,
    };
    if (startupProbe !== undefined) this.#probeStartup(startupProbe);
    else this.#probeRunning();
  }

  #probeStartup(probe: Probe): void {
    const loop = this.#addProbe(probe, false, (state) => {
      const limit = probe.failureThreshold || 3;
      if (state.passing) {
        loop.stop();
        const ready = this.container.readinessProbe === undefined;
        this.#facts = { ...this.#facts, started: true, ready };
        this.#probeRunning();
        this.#deps.onChange();
      } else if (state.consecutiveFailures === limit) this.#failed('startup');
    });
    loop.start();
  }

  #probeRunning(): void {
    const { readinessProbe, livenessProbe } = this.container;
    if (readinessProbe !== undefined) {
      this.#addProbe(readinessProbe, false, ({ passing }) => {
        if (passing === this.#facts.ready) return;
        this.#facts = { ...this.#facts, ready: passing };
        this.#deps.onChange();
      }).start();
    }
    if (livenessProbe !== undefined) {
      const loop = this.#addProbe(livenessProbe, true, ({ passing }) => {
        if (passing) return;
        loop.stop();
        this.#failed('liveness');
      });
      loop.start();
    }
  }

  #failed(which: 'startup' | 'liveness'): void {
    this.#deps.logger.warn({ container: this.name, probe: which }, 'probe failed, restarting');
    this.#deps.restart(this);
  }

  #addProbe(probe: Probe, passing: boolean, onVerdict: (state: ProbeState) => void): ProbeLoop {
    const id = this.#currentId ?? '';
    const loop = new ProbeLoop({
      probe,
      passing,
      attempt: (timeoutMs) => this.#deps.probe(probe, id, timeoutMs),
      clock: this.#deps.clock,
      onVerdict,
    });
    this.#probes.push(loop);
    return loop;
  }

  #stopProbes(): void {
    for (const loop of this.#probes) loop.stop();
    this.#probes = [];
  }

  #backOff(lastState: { terminated: ContainerStateTerminated }, ranForMs: number): void {
    const { state, delayMs } = afterExit(this.#crashes, ranForMs);
    this.#crashes = state;
    const message = `back-off ${delayMs / 1000}s restarting failed container ${this.name}`;
    this.#facts = {
      ...this.#facts,
      state: { waiting: { reason: 'CrashLoopBackOff', message } },
      lastState,
      restartCount: this.#facts.restartCount + 1,
      ready: false,
      started: false,
    };
    this.#timer = this.#deps.clock.setTimer(delayMs, () => this.begin(), { background: true });
  }

  /** RC-82: no termination message file here, so an error carries the tail of the log. */
  #terminated(exit: ContainerExit): ContainerStateTerminated {
    const terminated: ContainerStateTerminated = {
      exitCode: exit.exitCode,
      reason: exit.exitCode === 0 ? 'Completed' : 'Error',
      startedAt: timestamp(this.#startedAtMs),
      finishedAt: timestamp(exit.finishedAtMs),
    };
    if (exit.exitCode !== 0) terminated.message = exit.logTail;
    return terminated;
  }

  #settleStop(): void {
    this.#isSettled = true;
    for (const resolve of this.#stopWaiters.splice(0)) resolve();
  }
}
