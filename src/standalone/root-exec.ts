// Commands beside containers, as the root runs them: `kubectl exec`. The root only spawns; the
// command's own descriptors are sockets that control listens on, so no byte of it passes here and
// backpressure is the kernel's. Control must not spawn it: its database descriptors would leak.
// Everything a command starts carries its container's marker, and ends with the container at the
// latest (decision 0007).

import { type ChildProcess, spawn } from 'node:child_process';
import {
  accessSync,
  constants as fsConstants,
  readdirSync,
  readFileSync,
  readlinkSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Clock } from '../clock/clock.ts';
import type { ExecMessage, ToControl } from './messages.ts';
import { killGroup, reap } from './reaper.ts';
import { quoteWord } from './shell-words.ts';

/** Marks every process of one exec in its environment. */
const EXEC_VARIABLE = 'PILOTLIGHT_EXEC';
/** A terminal is sized as soon as its shell exists. */
const RESIZE_RETRY_MS = 20;
const MAX_RESIZE_RETRIES = 100;

export interface ExecContext {
  cwd: string;
  env: Readonly<Record<string, string>>;
}

export interface RootExecsOptions {
  clock: Clock;
  /** Put in front of every command, as for containers. */
  wrapper: readonly string[];
  /** Null = that container is not running. */
  context(containerId: string): ExecContext | null;
  toControl(message: ToControl): void;
}

export class RootExecs {
  readonly #options: RootExecsOptions;
  readonly #children = new Map<string, ChildProcess>();

  constructor(options: RootExecsOptions) {
    this.#options = options;
  }

  handle(message: ExecMessage): void {
    if (message.type === 'execStart') void this.#start(message);
    else if (message.type === 'execKill') this.#kill(message.requestId);
    else this.#resize(message, MAX_RESIZE_RETRIES);
  }

  async #start(message: Extract<ExecMessage, { type: 'execStart' }>): Promise<void> {
    const { requestId } = message;
    const end = (exitCode: number, problem: string | null): void => {
      this.#children.delete(requestId);
      this.#options.toControl({ type: 'execEnded', requestId, exitCode, problem });
    };
    try {
      const child = await this.#spawn(message);
      this.#children.set(requestId, child);
      child.once('error', (error) => end(-1, error.message));
      child.once('exit', (code, signal) =>
        end(code ?? 128 + (constants.signals[signal as NodeJS.Signals] ?? 0), null),
      );
    } catch (error) {
      end(-1, error instanceof Error ? error.message : String(error));
    }
  }

  async #spawn(message: Extract<ExecMessage, { type: 'execStart' }>): Promise<ChildProcess> {
    const context = this.#options.context(message.id);
    if (context === null) throw new Error('the container has ended');
    const path = process.env['PATH'];
    if (message.isTerminal) requireExecutable('script', context.cwd, path);
    else requireExecutable(message.argv[0] ?? '', context.cwd, context.env['PATH']);
    const argv = message.isTerminal ? inTerminal(message.argv) : message.argv;
    const [command = '', ...args] = [...this.#options.wrapper, ...argv];
    const sockets: (Socket | 'ignore')[] = ['ignore', 'ignore', 'ignore'];
    for (const descriptor of message.streams) {
      sockets[descriptor] = await connectStream(message.socketPath, descriptor);
    }
    try {
      return spawn(command, args, {
        cwd: context.cwd,
        env: {
          ...(message.isTerminal ? { TERM: 'xterm' } : {}),
          ...context.env,
          [EXEC_VARIABLE]: message.requestId,
        },
        stdio: sockets,
        detached: true,
      });
    } finally {
      for (const socket of sockets) if (socket !== 'ignore') socket.destroy();
    }
  }

  #kill(requestId: string): void {
    const child = this.#children.get(requestId);
    if (child?.pid !== undefined) killGroup(child.pid, 'SIGKILL');
    void reap({ marker: `${EXEC_VARIABLE}=${requestId}` }, this.#options.clock);
  }

  /** Through the terminal's own device, which the shell's descriptors name. */
  #resize(message: Extract<ExecMessage, { type: 'execResize' }>, retries: number): void {
    const child = this.#children.get(message.requestId);
    const device = child?.pid === undefined ? null : terminalOf(child.pid);
    if (device === null) {
      if (retries === 0) return;
      const again = () => this.#resize(message, retries - 1);
      this.#options.clock.setTimer(RESIZE_RETRY_MS, again, { background: true });
      return;
    }
    const args = ['-F', device, 'rows', String(message.rows), 'cols', String(message.columns)];
    spawn('stty', args, { stdio: 'ignore' }).on('error', () => undefined); // It keeps its size.
  }
}

/** Paused before it opens, so that nothing is read here; its first byte says which one it is. */
function connectStream(path: string, descriptor: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.pause();
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.write(Buffer.from([descriptor]), () => resolve(socket));
    });
  });
}

/** The wrapper would start all the same and complain in its own words. */
function requireExecutable(command: string, cwd: string, path: string | undefined): void {
  const candidates = command.includes('/')
    ? [command.startsWith('/') ? command : join(cwd, command)]
    : (path ?? '').split(delimiter).map((folder) => join(folder, command));
  for (const candidate of candidates) {
    try {
      accessSync(candidate, fsConstants.X_OK);
      return;
    } catch {
      // Not here.
    }
  }
  throw new Error(`exec: ${JSON.stringify(command)}: executable file not found in $PATH`);
}

/** Node has no terminals to give; `script` of util-linux has. */
function inTerminal(argv: readonly string[]): string[] {
  const words = argv.map(quoteWord).join(' ');
  return ['script', '-q', '-e', '-f', '-E', 'always', '-c', `exec ${words}`, '/dev/null'];
}

/** `/dev/pts/N` of the first child of `pid` that has one; null while there is none. */
function terminalOf(pid: number): string | null {
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1');
      for (const child of children.split(' ').filter((text) => text !== '')) {
        const device = readlinkSync(`/proc/${child}/fd/0`);
        if (device.startsWith('/dev/pts/')) return device;
      }
    }
  } catch {
    // Ended meanwhile, or not started yet.
  }
  return null;
}
