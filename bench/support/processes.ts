// Child processes of a bench: pinned to a core where the machine allows it, measured through /proc,
// ended with the bench. CPU and memory are of the whole process tree, because nginx is two processes.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)));
/** Compiled bench and sources; another place may be given while several people build at once. */
export const BUILD = process.env['PILOTLIGHT_BENCH_BUILD'] ?? join(ROOT, 'dist-bench');

/** The proxy under test runs alone on one core; load and app share the other. */
export const PROXY_CORE = 0;
export const LOAD_CORE = 1;

const CONNECT_DEADLINE_MS = 20_000;
const canPin = availableParallelism() > 1 && spawnSync('taskset', ['-V']).error === undefined;

export interface SpawnOptions {
  readonly core: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly ipc?: boolean;
  /** Descriptor for the child's output; default: nowhere. */
  readonly stdout?: number;
}

/** taskset replaces itself by the command, so the pid is the command's. */
export function spawnPinned(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  const pinned = canPin ? ['taskset', '-c', String(options.core), command, ...args] : null;
  const [program = command, ...rest] = pinned ?? [command, ...args];
  return spawn(program, rest, {
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    stdio: [
      'ignore',
      options.stdout ?? 'ignore',
      'inherit',
      ...(options.ipc ? ['ipc' as const] : []),
    ],
  });
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** A port nobody holds right now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Milliseconds until something accepts connections; tries every millisecond. */
export async function untilListening(port: number): Promise<number> {
  const startMs = performance.now();
  if (await isListening(null, port)) return performance.now() - startMs;
  throw new Error(`nothing listens on port ${port}`);
}

/** Waits until the port accepts; false when the process ended before, or after a long while. */
export async function isListening(child: ChildProcess | null, port: number): Promise<boolean> {
  const deadlineMs = performance.now() + CONNECT_DEADLINE_MS;
  while (!(await accepts(port))) {
    const hasEnded = child !== null && (child.exitCode !== null || child.signalCode !== null);
    if (hasEnded || performance.now() > deadlineMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return true;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Microseconds of CPU the tree has used; falls back to the 10 ms ticks of /proc/<pid>/stat. */
export function cpuUs(pid: number): number {
  return tree(pid).reduce((sum, member) => sum + threadsCpuUs(member), 0);
}

function threadsCpuUs(pid: number): number {
  let totalUs = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const schedstat = `/proc/${pid}/task/${thread}/schedstat`;
    if (!existsSync(schedstat)) return ticksUs(pid);
    totalUs += Number(readFileSync(schedstat, 'latin1').split(' ')[0]) / 1000;
  }
  return totalUs;
}

function ticksUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Megabytes of the tree. */
export function memoryMb(pid: number): { rssMb: number; privateDirtyMb: number } {
  let rssKb = 0;
  let privateDirtyKb = 0;
  for (const member of tree(pid)) {
    const rollup = readFileSync(`/proc/${member}/smaps_rollup`, 'latin1');
    rssKb += Number(/^Rss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
    privateDirtyKb += Number(/^Private_Dirty:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
  }
  return { rssMb: rssKb / 1024, privateDirtyMb: privateDirtyKb / 1024 };
}

function tree(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  const children = existsSync(path) ? readFileSync(path, 'latin1').trim() : '';
  if (children === '') return [pid];
  return [pid, ...children.split(' ').flatMap((child) => tree(Number(child)))];
}

function findRoot(from: string): string {
  if (existsSync(join(from, 'package.json'))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error('no package.json above the bench');
  return findRoot(parent);
}
