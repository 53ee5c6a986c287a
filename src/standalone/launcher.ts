// Processes that wait to become a pod's. Forking the root and starting the wrapper takes three
// milliseconds that a wake would wait for; so a shell is started ahead, in its own process group
// and already tied to the root's life, and turns into the app when it is told what to run.
// Invariants: what it becomes has exactly the wanted environment, folder and arguments, or the
// shell is not used; a shell carries the run's marker from its first moment, so it is found and
// ended like a pod. Where a shell adds variables of its own, none is ever kept.

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import { killGroup } from './reaper.ts';
import { quoteWord } from './shell-words.ts';

/** Shells kept waiting: a pod of two containers is common, more at once are started directly. */
const MAX_SPARES = 2;
/** A used shell is replaced this much later, when the app it became has its start behind it. */
const REFILL_DELAY_MS = 1_000;
/** Longest text handed to a shell; what is longer is started directly. */
const MAX_SCRIPT_CHARACTERS = 64 * 1024;

export interface Launch {
  argv: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
}

export interface LauncherOptions {
  clock: Clock;
  /** Put in front of the shell's command; may be empty. */
  wrapper: readonly string[];
  /** What every process of the run has in its environment. */
  env: Readonly<Record<string, string>>;
  onGroup(pid: number, isAlive: boolean): void;
}

export class Launcher {
  readonly #options: LauncherOptions;
  readonly #spares = new Set<ChildProcess>();
  #isClosed = false;
  #timer: TimerHandle | null = null;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /** Tries a shell out; with one that is exact, keeps spares. Resolves when that is decided. */
  async prepare(): Promise<void> {
    if (process.platform === 'linux' && (await this.#isExact())) this.#refill();
  }

  /** A process that is becoming what was asked for; null: start it yourself. */
  take(launch: Launch): ChildProcess | null {
    const script = this.#spares.size === 0 ? null : describeLaunch(launch);
    if (script === null) return null;
    const [spare] = this.#spares;
    if (spare === undefined) return null;
    this.#spares.delete(spare);
    this.#refillLater();
    spare.stdin?.end(script);
    return spare;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const { pid } of this.#spares) if (pid !== undefined) killGroup(pid, 'SIGKILL');
  }

  #refillLater(): void {
    this.#timer?.cancel();
    const { clock } = this.#options;
    this.#timer = clock.setTimer(REFILL_DELAY_MS, () => this.#refill(), { background: true });
  }

  #refill(): void {
    while (!this.#isClosed && this.#spares.size < MAX_SPARES) {
      const spare = this.#spawn();
      const { pid } = spare;
      if (pid === undefined) return;
      this.#spares.add(spare);
      this.#options.onGroup(pid, true);
      spare.once('exit', () => {
        // One that was taken is a container's now.
        if (!this.#spares.delete(spare)) return;
        this.#options.onGroup(pid, false);
        if (!this.#isClosed) this.#refillLater();
      });
    }
  }

  #spawn(): ChildProcess {
    const { wrapper, env } = this.#options;
    const [command = '', ...args] = [...wrapper, '/bin/sh'];
    const spare = spawn(command, args, {
      cwd: '/',
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    spare.on('error', () => undefined); // No pid, or a failed kill: both are seen elsewhere.
    spare.stdin?.on('error', () => undefined); // It has ended, which 'exit' tells.
    return spare;
  }

  /** Whether a shell hands on exactly what it is told: some add SHLVL or _ to the environment. */
  #isExact(): Promise<boolean> {
    const { env } = this.#options;
    const wanted = { ...env, PILOTLIGHT_TRIAL: "it's exact\n" };
    const script = describeLaunch({ argv: ['/usr/bin/env', '-0'], cwd: '/', env: wanted });
    if (script === null) return Promise.resolve(false);
    return new Promise((resolve) => {
      const shell = this.#spawn();
      let text = '';
      shell.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8');
      });
      shell.stderr?.resume();
      shell.once('error', () => resolve(false));
      shell.once('close', () => resolve(sameVariables(text, wanted)));
      shell.stdin?.end(script);
    });
  }
}

function sameVariables(text: string, wanted: Readonly<Record<string, string>>): boolean {
  const seen = text.split('\0').filter((line) => line !== '');
  const expected = Object.entries(wanted).map(([name, value]) => `${name}=${value}`);
  return seen.sort().join('\0') === expected.sort().join('\0');
}

/** What shells let nobody set, or read themselves. */
const SHELL_NAMES: ReadonlySet<string> = new Set(['IFS', 'LINENO', 'OPTIND', 'PPID', 'UID']);
const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The text that turns a shell into the process; null when only a direct start can do it. */
export function describeLaunch({ argv, cwd, env }: Launch): string | null {
  if (!isFolder(cwd)) return null;
  const names = Object.keys(env);
  if (!names.every((name) => PLAIN_NAME.test(name) && !SHELL_NAMES.has(name))) return null;
  const words = [cwd, ...argv, ...Object.values(env)];
  if (argv[0] === undefined || argv[0].startsWith('-')) return null;
  if (words.some((word) => word.includes('\0'))) return null;
  const lines = [
    `cd -- ${quoteWord(cwd)} || exit 127`,
    'unset PWD OLDPWD',
    ...names.map((name) => `export ${name}=${quoteWord(env[name] ?? '')}`),
    `exec ${argv.map(quoteWord).join(' ')} </dev/null`,
    '',
  ];
  const script = lines.join('\n');
  return script.length > MAX_SCRIPT_CHARACTERS ? null : script;
}

/** A folder that cannot be entered is an error a direct start words better. */
function isFolder(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
