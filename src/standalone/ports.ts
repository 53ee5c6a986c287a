// Chooses the ports of a run before anything starts. A taken port is found by a plain bind, the
// only check that also sees SO_REUSEPORT listeners; on Linux the holder is named.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { LOOPBACK } from '../node/addresses.ts';
import { tryBind } from '../node/port-probe.ts';

/** Ports tried above a taken one; then the start fails and names the flag. */
const MAX_PORTS_TRIED = 100;

export class PortTakenError extends Error {
  constructor(what: string, port: number, code: string, option: string) {
    super(describeFailure(what, port, code, option));
    this.name = 'PortTakenError';
  }
}

/** `port` exactly (0 = any free one). Throws PortTakenError naming `option` and the holder. */
export async function requirePort(what: string, port: number, option: string): Promise<number> {
  const bound = await tryBind(LOOPBACK, port);
  if (typeof bound === 'number') return bound;
  throw new PortTakenError(what, port, bound, option);
}

/** The first free port from `port` on. */
export async function nextFreePort(what: string, port: number, option: string): Promise<number> {
  let code = 'EADDRINUSE';
  for (let candidate = port; candidate < Math.min(port + MAX_PORTS_TRIED, 65_536); candidate++) {
    const bound = await tryBind(LOOPBACK, candidate);
    if (typeof bound === 'number') return bound;
    code = bound;
  }
  throw new PortTakenError(what, port, code, option);
}

function describeFailure(what: string, port: number, code: string, option: string): string {
  const choose = `choose another with ${option}`;
  if (code === 'EACCES') return `the ${what} may not listen on port ${port}; ${choose}`;
  if (code !== 'EADDRINUSE')
    return `the ${what} cannot listen on port ${port} (${code}); ${choose}`;
  const holder = findListener(port);
  const by = holder === null ? '' : ` by ${holder.command} (pid ${holder.pid})`;
  return `port ${port} for the ${what} is taken${by}; ${choose}`;
}

/** The process listening on a TCP port, as far as this user may see; null when unknown. */
export function findListener(port: number): { pid: number; command: string } | null {
  if (process.platform !== 'linux') return null;
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const inode of listeningInodes(readText(table), port)) inodes.add(inode);
  }
  if (inodes.size === 0) return null;
  for (const pid of listNames('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of listNames(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/${pid}/fd/${descriptor}`))?.[1];
      if (inode === undefined || !inodes.has(inode)) continue;
      const command = readText(`/proc/${pid}/cmdline`).split('\0').filter(Boolean).join(' ');
      return { pid: Number(pid), command: command.slice(0, 120) || 'a process' };
    }
  }
  return null;
}

/** Inodes of sockets in state LISTEN (0A) on `port`, from the text of /proc/net/tcp. */
export function listeningInodes(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === '0A' && fields[1]?.endsWith(`:${wanted}`) === true)
    .flatMap((fields) => fields[9] ?? []);
}

/** `/proc` entries vanish while one looks; what cannot be read is simply not known. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function listNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
