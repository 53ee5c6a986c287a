// What `process_*` metrics show (QP-145): CPU, memory, descriptors, start time. Memory and
// descriptors are read at most once per interval (`runtime.exportInterval`), however often somebody
// scrapes. On systems without /proc only what Node itself knows is shown. Cold.

import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../clock/clock.ts';
import { METRICS } from './metric-definitions.ts';
import { type MetricSnapshot, reading, type Series } from './metric-series.ts';

const US_PER_S = 1e6;

export class ProcessReadings {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #readings: MetricSnapshot = [];

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  snapshot(): MetricSnapshot {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#readAtMs >= this.#intervalMs) {
      this.#readings = [...memory(), ...descriptors()];
      this.#readAtMs = nowMs;
    }
    const { user, system } = process.cpuUsage();
    const startSeconds = this.#clock.nowMs() / 1000 - process.uptime();
    return [
      reading(METRICS.CPU_SECONDS, (user + system) / US_PER_S),
      ...this.#readings,
      reading(METRICS.START_TIME, Math.round(startSeconds * 100) / 100),
    ];
  }
}

function memory(): Series[] {
  const resident = reading(METRICS.RESIDENT_MEMORY, process.memoryUsage.rss());
  const virtualKb = /^VmSize:\s+(\d+)/m.exec(text('/proc/self/status'))?.[1];
  if (virtualKb === undefined) return [resident];
  return [resident, reading(METRICS.VIRTUAL_MEMORY, Number(virtualKb) * 1024)];
}

function descriptors(): Series[] {
  const limit = /^Max open files\s+(\d+)/m.exec(text('/proc/self/limits'))?.[1];
  if (limit === undefined) return [];
  return [
    reading(METRICS.MAX_FDS, Number(limit)),
    reading(METRICS.OPEN_FDS, readdirSync('/proc/self/fd').length),
  ];
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // No /proc here: what it would say is left out.
  }
}
