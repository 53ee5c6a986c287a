// Finds out where an app really listens when it does not listen on PORT, from the kernel's socket
// tables: a process that ignores PORT never becomes ready, and nothing else would say why. Linux
// only; elsewhere nothing is known. Looks at one process group; whatever cannot be read is not
// there.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** TCP ports on which any process of the group `pgid` listens, sorted. */
export function listeningPorts(pgid: number): number[] {
  if (process.platform !== 'linux') return [];
  const inodes = new Set<string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (groupOf(attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1'), '')) !== pgid) continue;
    for (const descriptor of attempt(() => readdirSync(`/proc/${pid}/fd`), [])) {
      const link = attempt(() => readlinkSync(`/proc/${pid}/fd/${descriptor}`), '');
      const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
  }
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((path) =>
    attempt(() => readFileSync(path, 'latin1'), ''),
  );
  const ports = tables.flatMap((table) => portsOf(table, inodes));
  return [...new Set(ports)].sort((a, b) => a - b);
}

/** Field 5 of /proc/<pid>/stat; the name before it may hold anything, brackets included. */
export function groupOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2] ?? Number.NaN);
}

/** Ports of the sockets in state LISTEN (0A) that are among `inodes`. */
export function portsOf(table: string, inodes: ReadonlySet<string>): number[] {
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === '0A' && inodes.has(fields[9] ?? ''))
    .map((fields) => Number.parseInt(fields[1]?.split(':')[1] ?? '', 16))
    .filter((port) => Number.isInteger(port));
}

/** What to tell its author; null when it listens where it should, or nowhere yet. */
export function wrongPortMessage(ports: readonly number[], wanted: number): string | null {
  if (ports.length === 0 || ports.includes(wanted)) return null;
  const found = ports.length === 1 ? `port ${ports[0]}` : `ports ${ports.join(', ')}`;
  return (
    `the app listens on ${found} and not on ${wanted}, the value of PORT it was started with: ` +
    'let it read PORT, or pass it on, for example with args: ["--port", "$(PORT)"]'
  );
}

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise; // Ended meanwhile, or not ours to look at.
  }
}
