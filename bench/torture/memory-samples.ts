// Resident memory of a process over time: sampled while a scenario runs, then judged by how far it
// rose over idle and whether it was still rising at the end.

import { memoryMb } from '../support/processes.ts';

const SAMPLE_PERIOD_MS = 250;
const MS_PER_MINUTE = 60_000;

interface Sample {
  readonly atMs: number;
  readonly rssMb: number;
}

export class MemorySamples {
  readonly #samples: Sample[] = [];
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#pid = pid;
    this.#take();
    this.#timer = setInterval(() => this.#take(), SAMPLE_PERIOD_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#take();
  }

  get maxMb(): number {
    return Math.max(...this.#samples.map(({ rssMb }) => rssMb));
  }

  /** Least-squares slope over the second half, when caches and pools have filled. */
  get slopeMbPerMinute(): number {
    const half = this.#samples.slice(Math.floor(this.#samples.length / 2));
    const meanMs = mean(half.map(({ atMs }) => atMs));
    const meanMb = mean(half.map(({ rssMb }) => rssMb));
    let covariance = 0;
    let variance = 0;
    for (const { atMs, rssMb } of half) {
      covariance += (atMs - meanMs) * (rssMb - meanMb);
      variance += (atMs - meanMs) ** 2;
    }
    return variance === 0 ? 0 : (covariance / variance) * MS_PER_MINUTE;
  }

  #take(): void {
    this.#samples.push({ atMs: performance.now(), rssMb: memoryMb(this.#pid).rssMb });
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
