// Every container of the run, kept by the root so that the control and data-plane processes can
// come and go without touching a pod. Processes are spawned here, in groups of their own; hosted
// sidecars are handed to the data plane and handed over again whenever it had to be started anew.
// Invariants: one exit per start is reported; a group is known to the reaper while it may live;
// nothing of a container is left running once its exit was reported.

import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Clock } from '../clock/clock.ts';
import { logFile } from '../node/log-format.ts';
import { LogWriter } from '../node/log-writer.ts';
import type {
  ContainerExit,
  ContainerRecord,
  ContainerSignal,
  ContainerSpec,
} from '../node/runtime.ts';
import { Launcher } from './launcher.ts';
import { CONTAINER_VARIABLE, RUN_VARIABLE, type ToControl, type ToDataPlane } from './messages.ts';
import { killGroup, reap } from './reaper.ts';

/** Ended containers whose end control has not taken notice of; the oldest are dropped beyond it. */
const MAX_UNFORGOTTEN = 10_000;
/** Pieces of output the sidecar is told of after a start; an app that says more is long up. */
const MAX_SIGNS_OF_LIFE = 8;
/** Output still in the pipe when a process ends is waited for this long. */
const OUTPUT_PATIENCE_MS = 100;

export interface ContainerTableOptions {
  clock: Clock;
  logRoot: string;
  /** Value of RUN_VARIABLE. */
  run: string;
  /** Put in front of every command, e.g. `setpriv --pdeathsig KILL --`; may be empty. */
  wrapper: readonly string[];
  /** Whether sidecars run inside the data-plane process. */
  hostsSidecars: boolean;
  toControl(message: ToControl): void;
  toDataPlane(message: ToDataPlane): void;
  onGroup(pid: number, isAlive: boolean): void;
}

interface Entry extends ContainerRecord {
  child: ChildProcess | null;
  log: LogWriter | null;
  isHosted: boolean;
  /** A hosted sidecar that was asked to end; it is not hosted again. */
  isEnding: boolean;
  /** Its start has been answered. */
  isStarted: boolean;
  /** Pieces of output so far, up to MAX_SIGNS_OF_LIFE. */
  signsOfLife: number;
}

export class ContainerTable {
  readonly #options: ContainerTableOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #launcher: Launcher;

  constructor(options: ContainerTableOptions) {
    this.#options = options;
    const { clock, wrapper, run, onGroup } = options;
    this.#launcher = new Launcher({ clock, wrapper, env: { [RUN_VARIABLE]: run }, onGroup });
  }

  /** From now on processes wait to become containers. Resolves when the first ones do. */
  prepare(): Promise<void> {
    return this.#launcher.prepare();
  }

  /** Ends the waiting processes; containers go on. */
  close(): void {
    this.#launcher.close();
  }

  records(): ContainerRecord[] {
    return [...this.#entries.values()]
      .filter((entry) => entry.isStarted)
      .map(({ spec, pid, startedAtMs, exit }) => ({ spec, pid, startedAtMs, exit }));
  }

  start(spec: ContainerSpec): void {
    const isHosted = spec.kind === 'sidecar' && this.#options.hostsSidecars;
    const entry: Entry = {
      spec,
      pid: null,
      startedAtMs: this.#options.clock.nowMs(),
      exit: null,
      child: null,
      log: null,
      isHosted,
      isEnding: false,
      isStarted: false,
      signsOfLife: 0,
    };
    this.#entries.set(spec.id, entry);
    if (isHosted) this.#options.toDataPlane({ type: 'host', id: spec.id, env: spec.env });
    else this.#spawn(entry);
  }

  signal(id: string, signal: ContainerSignal): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.exit !== null) return;
    entry.isEnding = true;
    if (entry.isHosted) this.#options.toDataPlane({ type: 'unhost', id, signal });
    else if (entry.pid !== null) killGroup(entry.pid, signal);
  }

  forget(id: string): void {
    if (this.#entries.get(id)?.exit !== null) this.#entries.delete(id);
  }

  /** Runs a command beside a container; -1 when it could not run or took too long. */
  exec(id: string, argv: readonly string[], timeoutMs: number): Promise<number> {
    const entry = this.#entries.get(id);
    const [command, ...args] = argv;
    if (entry === undefined || entry.exit !== null || command === undefined) {
      return Promise.resolve(-1);
    }
    return new Promise((resolve) => {
      const child = spawn(command, args, {
        cwd: entry.spec.cwd,
        env: this.#environment(entry.spec),
        stdio: 'ignore',
        detached: true,
      });
      const timer = this.#options.clock.setTimer(timeoutMs, () => {
        if (child.pid !== undefined) killGroup(child.pid, 'SIGKILL');
      });
      child.on('error', () => resolve(-1));
      child.on('exit', (code) => {
        timer.cancel();
        resolve(code ?? -1);
      });
    });
  }

  /** Where and in what environment a running container runs; null = it does not. */
  context(id: string): { cwd: string; env: Record<string, string> } | null {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.pid === null || entry.exit !== null) return null;
    return { cwd: entry.spec.cwd, env: this.#environment(entry.spec) };
  }

  /** The data plane is new and hosts nothing yet. */
  hostAgain(): void {
    for (const entry of this.#entries.values()) {
      if (!entry.isHosted || entry.exit !== null) continue;
      const { id, env } = entry.spec;
      if (entry.isEnding) this.#finish(entry, 0, null);
      else this.#options.toDataPlane({ type: 'host', id, env });
    }
  }

  handleHosted(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined && !entry.isStarted) this.#answerStarted(entry);
  }

  handleHostFailed(id: string, message: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    if (entry.isStarted) this.#finish(entry, 1, null, message);
    else this.#answerFailed(entry, message);
  }

  handleUnhosted(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined && entry.exit === null) this.#finish(entry, 0, null);
  }

  /** Process groups that are alive. */
  groups(): number[] {
    return [...this.#entries.values()].flatMap((entry) =>
      entry.pid !== null && entry.exit === null ? [entry.pid] : [],
    );
  }

  #environment(spec: ContainerSpec): Record<string, string> {
    return { ...spec.env, [RUN_VARIABLE]: this.#options.run, [CONTAINER_VARIABLE]: spec.id };
  }

  #spawn(entry: Entry): void {
    const { spec } = entry;
    const [command = '', ...args] = [...this.#options.wrapper, ...spec.argv];
    let child: ChildProcess;
    let log: LogWriter;
    try {
      log = new LogWriter(logFile(this.#options.logRoot, spec, spec.attempt), this.#options.clock);
      const { argv, cwd } = spec;
      const env = this.#environment(spec);
      child =
        this.#launcher.take({ argv, cwd, env }) ??
        spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    } catch (error) {
      this.#answerFailed(entry, error instanceof Error ? error.message : String(error));
      return;
    }
    child.on('error', (error) => {
      if (!entry.isStarted) this.#answerFailed(entry, error.message);
    });
    if (child.pid === undefined) return;
    entry.child = child;
    entry.log = log;
    entry.pid = child.pid;
    this.#options.onGroup(child.pid, true);
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream]?.on('data', (chunk: Buffer) => {
        this.#heard(entry);
        log.write(stream, chunk);
      });
    }
    child.on('exit', (code, signal) => this.#handleExit(entry, child, code, signal));
    this.#answerStarted(entry);
  }

  /** Most apps say so when they listen, and their sidecar need not find it out by trying. */
  #heard(entry: Entry): void {
    if (entry.signsOfLife === MAX_SIGNS_OF_LIFE || !this.#options.hostsSidecars) return;
    entry.signsOfLife += 1;
    this.#options.toDataPlane({ type: 'heard', podUid: entry.spec.podUid });
  }

  #answerStarted(entry: Entry): void {
    entry.isStarted = true;
    entry.startedAtMs = this.#options.clock.nowMs();
    const { pid, startedAtMs } = entry;
    this.#options.toControl({ type: 'started', id: entry.spec.id, pid, startedAtMs });
  }

  #answerFailed(entry: Entry, message: string): void {
    this.#entries.delete(entry.spec.id);
    this.#options.toControl({ type: 'startFailed', id: entry.spec.id, message });
  }

  #handleExit(entry: Entry, child: ChildProcess, code: number | null, signal: string | null): void {
    const pid = child.pid ?? 0;
    killGroup(pid, 'SIGKILL');
    const timer = this.#options.clock.setTimer(OUTPUT_PATIENCE_MS, () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    });
    child.once('close', () => {
      timer.cancel();
      void this.#killLeftovers(entry).then(() => {
        this.#options.onGroup(pid, false);
        this.#finish(entry, exitCodeOf(code, signal), signal);
      });
    });
  }

  /** What left the group (setsid) still has the container's marker. */
  async #killLeftovers(entry: Entry): Promise<void> {
    await reap({ marker: `${CONTAINER_VARIABLE}=${entry.spec.id}` }, this.#options.clock);
  }

  #finish(entry: Entry, exitCode: number, signal: string | null, message = ''): void {
    if (entry.exit !== null) return;
    const logTail = entry.log?.tail() ?? message;
    const exit: ContainerExit = {
      exitCode,
      signal,
      finishedAtMs: this.#options.clock.nowMs(),
      logTail,
    };
    entry.exit = exit;
    entry.log?.close();
    entry.child = null;
    this.#options.toControl({ type: 'exited', id: entry.spec.id, exit });
    this.#dropOldest();
  }

  #dropOldest(): void {
    if (this.#entries.size <= MAX_UNFORGOTTEN) return;
    for (const [id, entry] of this.#entries) {
      if (entry.exit === null) continue;
      this.#entries.delete(id);
      return;
    }
  }
}

function exitCodeOf(code: number | null, signal: string | null): number {
  if (signal === null) return code ?? 0;
  return 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}
