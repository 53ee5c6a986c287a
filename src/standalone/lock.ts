// One `pilotlight up` per data directory. The lock is a file with the owner's pid and the time the
// kernel says that process began, so a pid used again by something else does not keep a crashed
// run's lock alive.

import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export class DataDirInUseError extends Error {
  constructor(dataDir: string, pid: number) {
    super(
      `data directory ${dataDir} is in use by another pilotlight (pid ${pid}); stop that one, or ` +
        'choose another with --name or --data-dir',
    );
    this.name = 'DataDirInUseError';
  }
}

export interface Lock {
  release(): void;
}

const MAX_ATTEMPTS = 3;

/** Throws DataDirInUseError. */
export function acquireLock(dataDir: string): Lock {
  const path = join(dataDir, 'up.lock');
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    try {
      const descriptor = openSync(path, 'wx', 0o600);
      writeSync(descriptor, `${process.pid} ${processStart(process.pid) ?? ''}\n`);
      closeSync(descriptor);
      return { release: () => rmSync(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readHolder(path);
    if (holder !== null) throw new DataDirInUseError(dataDir, holder);
    rmSync(path, { force: true });
  }
  throw new Error(`cannot lock ${path}: another process keeps taking it`);
}

/** The living owner of the lock; null when it is stale. */
function readHolder(path: string): number | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const [pidText = '', started = ''] = text.trim().split(' ');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return null;
  const startsNow = processStart(pid);
  return started !== '' && startsNow !== null && startsNow !== started ? null : pid;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Field 22 of /proc/<pid>/stat: clock ticks from boot to the process's start. Null elsewhere. */
function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null; // Not Linux, or just ended.
  }
}
