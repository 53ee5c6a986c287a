// CPU and memory of the processes of one `pilotlight up`, each by its name: root, control, data
// plane, and the spares that stand beside the last two. CPU is user and system time of all threads,
// those that ended included, in the kernel's ticks of 10 ms.

import { readdirSync, readFileSync } from 'node:fs';

const SECONDS_PER_TICK = 0.01;

export interface Pids {
  readonly root: number;
  readonly control: number;
  readonly dataPlane: number;
}

export interface Usage {
  readonly root: number;
  readonly control: number;
  readonly dataPlane: number;
  readonly spares: number;
}

/** Seconds of CPU since each process started. */
export function cpuSeconds(pids: Pids): Usage {
  return readAll(pids, (pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * SECONDS_PER_TICK;
  });
}

/** Resident megabytes. */
export function residentMb(pids: Pids): Usage {
  return readAll(pids, (pid) => {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
  });
}

export function difference(after: Usage, before: Usage): Usage {
  return {
    root: round(after.root - before.root),
    control: round(after.control - before.control),
    dataPlane: round(after.dataPlane - before.dataPlane),
    spares: round(after.spares - before.spares),
  };
}

export const total = ({ root, control, dataPlane, spares }: Usage): number =>
  round(root + control + dataPlane + spares);

export const round = (value: number, digits = 2): number => Number(value.toFixed(digits));

function readAll(pids: Pids, read: (pid: number) => number): Usage {
  const { root, control, dataPlane } = pids;
  const spares = childrenOf(root).filter((pid) => pid !== control && pid !== dataPlane);
  return {
    root: read(root),
    control: read(control),
    dataPlane: read(dataPlane),
    spares: spares.reduce((sum, pid) => sum + readOrZero(read, pid), 0),
  };
}

/** A spare may end while it is looked at. */
function readOrZero(read: (pid: number) => number, pid: number): number {
  try {
    return read(pid);
  } catch {
    return 0;
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1')
      .split(' ')
      .filter((text) => text.trim() !== '')
      .map(Number),
  );
}
