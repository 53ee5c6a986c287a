// Turns the request accounting into the Stat message served on the stats port: once a second,
// encoded once, served as it is until the next report (QP-39 to QP-43). Before the first report it
// holds only the pod name; the scrape must work from the first moment.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { AccountingReport } from '../proxy/request-accounting.ts';
import { emptyStat, encodeStat } from '../wire/stat.ts';

/** The statistics of one thread, or of all of them together. */
export interface ReportSource {
  report(nowMs: number): AccountingReport;
}

const DEFAULT_PERIOD_MS = 1000;

export class StatReporter {
  readonly #clock: Clock;
  readonly #accounting: ReportSource;
  readonly #podName: string;
  readonly #periodMs: number;
  readonly #startMs: number;
  readonly #ticker: TimerHandle;
  /** Null until the first report or the first reader. */
  #current: Uint8Array | null = null;

  /** `periodMs` > 0; counts are published per second of it (QP-39). */
  constructor(
    podName: string,
    accounting: ReportSource,
    clock: Clock,
    periodMs = DEFAULT_PERIOD_MS,
  ) {
    this.#podName = podName;
    this.#accounting = accounting;
    this.#clock = clock;
    this.#periodMs = periodMs;
    this.#startMs = clock.monotonicMs();
    this.#ticker = clock.setTicker(periodMs, () => this.#report(), { background: true });
  }

  /** The message to serve now. */
  get current(): Uint8Array {
    this.#current ??= encodeStat(emptyStat(this.#podName));
    return this.#current;
  }

  stop(): void {
    this.#ticker.cancel();
  }

  #report(): void {
    const nowMs = this.#clock.monotonicMs();
    const report = this.#accounting.report(nowMs);
    const periodSeconds = this.#periodMs / 1000;
    this.#current = encodeStat({
      podName: this.#podName,
      averageConcurrentRequests: report.averageConcurrency,
      averageProxiedConcurrentRequests: report.averageProxiedConcurrency,
      requestCount: report.requestCount / periodSeconds,
      proxiedRequestCount: report.proxiedRequestCount / periodSeconds,
      processUptime: (nowMs - this.#startMs) / 1000,
      timestamp: 0,
    });
  }
}
