// CPU and memory of process groups, from /proc: what a metrics server would say of local pods. One
// scan serves every pod asked about within SCAN_AGE_MS. Linux only; elsewhere nothing is known.
// Bounded by the processes of the machine: a group that ended is dropped with the next scan.

import { readdirSync, readFileSync } from 'node:fs';
import type { PodUsage } from '../api/pod-usage.ts';
import type { Clock } from '../clock/clock.ts';

const SCAN_AGE_MS = 1000;
/** A shorter span would measure the kernel's clock tick more than the process. */
const MIN_SPAN_MS = 2000;
/** USER_HZ, fixed by the kernel's interface whatever its own rate. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

export interface GroupUsage {
  /** Since the group's first process started. */
  cpuMs: number;
  rssBytes: number;
}

/** Of one group, as of a pod. */
export type UsageReading = Pick<PodUsage, 'cpuMilli' | 'memoryBytes'>;

export class ProcessUsage {
  readonly #clock: Clock;
  readonly #scan: () => Map<number, GroupUsage>;
  /** By process group; where the next difference starts. */
  #since = new Map<number, { atMs: number; cpuMs: number; last: UsageReading | null }>();
  #groups = new Map<number, GroupUsage>();
  #scannedAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, scan: () => Map<number, GroupUsage> = scanProcesses) {
    this.#clock = clock;
    this.#scan = scan;
  }

  /** Averages since the reading before; null until there are two readings a while apart. */
  read(group: number): UsageReading | null {
    const nowMs = this.#clock.monotonicMs();
    this.#refresh(nowMs);
    const found = this.#groups.get(group);
    if (found === undefined) return null;
    const since = this.#since.get(group);
    if (since === undefined) {
      this.#since.set(group, { atMs: nowMs, cpuMs: found.cpuMs, last: null });
      return null;
    }
    const spanMs = nowMs - since.atMs;
    if (spanMs < MIN_SPAN_MS) return since.last;
    // A process of the group may have ended and taken its time along.
    const usedMs = Math.max(0, found.cpuMs - since.cpuMs);
    const last = { cpuMilli: (1000 * usedMs) / spanMs, memoryBytes: found.rssBytes };
    this.#since.set(group, { atMs: nowMs, cpuMs: found.cpuMs, last });
    return last;
  }

  #refresh(nowMs: number): void {
    if (nowMs - this.#scannedAtMs < SCAN_AGE_MS) return;
    this.#groups = this.#scan();
    this.#scannedAtMs = nowMs;
    for (const group of this.#since.keys()) {
      if (!this.#groups.has(group)) this.#since.delete(group);
    }
  }
}

/** Every process of the machine, added up by process group. */
export function scanProcesses(): Map<number, GroupUsage> {
  const groups = new Map<number, GroupUsage>();
  if (process.platform !== 'linux') return groups;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${name}/stat`, 'latin1');
    } catch {
      continue; // Ended meanwhile, or not ours to look at.
    }
    const { group, cpuMs, rssBytes } = parseStat(stat);
    const sum = groups.get(group) ?? { cpuMs: 0, rssBytes: 0 };
    groups.set(group, { cpuMs: sum.cpuMs + cpuMs, rssBytes: sum.rssBytes + rssBytes });
  }
  return groups;
}

/** Fields 5 (group), 14 to 17 (ticks, those of children waited for included) and 24 (pages). */
export function parseStat(stat: string): GroupUsage & { group: number } {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3] ?? 0);
  const ticks = field(14) + field(15) + field(16) + field(17);
  return {
    group: field(5),
    cpuMs: (1000 * ticks) / TICKS_PER_SECOND,
    rssBytes: field(24) * PAGE_BYTES,
  };
}
