// One role process of standalone mode as the root sees it: started, listened to, started again when
// it dies. A first death is answered at once; one that dies young again and again is given longer
// and longer pauses, so a broken installation does not spin. Beside it stands a spare: the same
// program, loaded and waiting for its first message. Loading takes most of a start, so a killed
// role is back in a fraction of the second it may take.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import { LineSplitter } from './line-splitter.ts';
import { killGroup } from './reaper.ts';

const YOUNG_MS = 5_000;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;
/** A spare is not loaded while the first start still needs the processor. */
const SPARE_DELAY_MS = 3_000;

export interface RoleProcessOptions<Incoming> {
  /** For people: `control`, `data plane`. */
  name: string;
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  /** Called after every start, to send what the process needs first. */
  onStart(isFirstStart: boolean): void;
  onMessage(message: Incoming): void;
  /** One line it printed. */
  onLine(line: string): void;
  onDeath(how: string): void;
  onGroup(pid: number, isAlive: boolean): void;
}

export class RoleProcess<Outgoing extends object, Incoming> {
  readonly #options: RoleProcessOptions<Incoming>;
  #child: ChildProcess | null = null;
  #spare: ChildProcess | null = null;
  #spareTimer: TimerHandle | null = null;
  #starts = 0;
  #youngDeaths = 0;
  #startedAtMs = 0;
  #isEnding = false;
  #timer: TimerHandle | null = null;
  readonly #endWaiters: (() => void)[] = [];

  constructor(options: RoleProcessOptions<Incoming>) {
    this.#options = options;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  start(): void {
    const { clock, onStart } = this.#options;
    this.#child = this.#spare ?? this.#spawn();
    this.#spare = null;
    this.#startedAtMs = clock.monotonicMs();
    this.#starts += 1;
    this.#prepareSpare();
    onStart(this.#starts === 1);
  }

  #prepareSpare(): void {
    this.#spareTimer?.cancel();
    this.#spareTimer = this.#options.clock.setTimer(SPARE_DELAY_MS, () => {
      this.#spare ??= this.#spawn();
    });
  }

  #spawn(): ChildProcess {
    const { argv, env, onMessage, onLine, onGroup } = this.#options;
    const [command = '', ...args] = argv;
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Its own group: Ctrl-C in the terminal is the root's to hear, and a kill takes its threads
      // too.
      detached: true,
      env,
    });
    for (const stream of [child.stdout, child.stderr]) {
      const splitter = new LineSplitter(onLine);
      stream?.on('data', (chunk: Buffer) => splitter.write(chunk));
      stream?.on('end', () => splitter.end());
    }
    child.on('message', (message) => onMessage(message as Incoming));
    child.on('error', () => undefined); // Always followed by 'exit', or by a failed send below.
    child.on('exit', (code, signal) => this.#handleExit(child, code, signal));
    if (child.pid !== undefined) onGroup(child.pid, true);
    return child;
  }

  /** Dropped when the process is not there; it is told everything again when it is back. */
  send(message: Outgoing): void {
    if (this.#child?.connected === true) this.#child.send(message, () => undefined);
  }

  /** No more restarts. Resolves when the process has gone; kills it after `patienceMs`. */
  async end(patienceMs: number): Promise<void> {
    this.#isEnding = true;
    this.#timer?.cancel();
    this.#killSpare();
    if (this.#child === null) return;
    const ended = new Promise<void>((resolve) => this.#endWaiters.push(resolve));
    this.#timer = this.#options.clock.setTimer(patienceMs, () => this.kill());
    await ended;
    this.#timer.cancel();
  }

  kill(): void {
    this.#isEnding = true;
    this.#killSpare();
    if (this.#child?.pid !== undefined) killGroup(this.#child.pid, 'SIGKILL');
  }

  #killSpare(): void {
    this.#spareTimer?.cancel();
    if (this.#spare?.pid !== undefined) killGroup(this.#spare.pid, 'SIGKILL');
    this.#spare = null;
  }

  #handleExit(child: ChildProcess, code: number | null, signal: string | null): void {
    const { clock, onGroup, onDeath } = this.#options;
    if (child.pid !== undefined) onGroup(child.pid, false);
    if (this.#spare === child) {
      this.#spare = null;
      if (!this.#isEnding) this.#prepareSpare();
    }
    if (this.#child !== child) return;
    this.#child = null;
    for (const resolve of this.#endWaiters.splice(0)) resolve();
    if (this.#isEnding) return;
    onDeath(signal === null ? `exit code ${code ?? 0}` : signal);
    if (this.#isEnding) return;
    const isYoung = clock.monotonicMs() - this.#startedAtMs < YOUNG_MS;
    this.#youngDeaths = isYoung ? this.#youngDeaths + 1 : 0;
    const pauseMs =
      this.#youngDeaths <= 1
        ? 0
        : Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#youngDeaths - 2));
    this.#timer = clock.setTimer(pauseMs, () => this.start());
  }
}
