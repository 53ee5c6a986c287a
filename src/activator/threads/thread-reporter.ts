// The side of the concurrency reporter a request thread has (ACT-125): counts per revision, tells
// the main thread of the first request of one it does not track (ACT-127), and once a second of
// all it tracks. Invariant: an entry is forgotten only when nobody is inside and nothing happened
// since the last report (ACT-131). Hot: `arrive` and `depart` run once per request.

import type { Clock, TimerHandle } from '../../clock/clock.ts';
import { RequestAccounting } from '../../proxy/request-accounting.ts';
import {
  REPORT_PERIOD_MS,
  type ReportEntry,
  type ReportSubject,
  type RequestReporter,
} from '../concurrency-reporter.ts';
import type { FromThread, ThreadReport } from './thread-messages.ts';

export class ThreadReporter implements RequestReporter {
  readonly #post: (message: FromThread) => void;
  readonly #clock: Clock;
  readonly #idOf: (subject: ReportSubject) => number;
  /** Tracked revisions, and when each was last reported. */
  readonly #entries = new Map<ReportEntry, number>();
  readonly #ticker: TimerHandle;

  constructor(
    clock: Clock,
    idOf: (subject: ReportSubject) => number,
    post: (message: FromThread) => void,
  ) {
    this.#clock = clock;
    this.#idOf = idOf;
    this.#post = post;
    const report = (): void => this.report();
    this.#ticker = clock.setTicker(REPORT_PERIOD_MS, report, { background: true });
  }

  stop(): void {
    this.#ticker.cancel();
  }

  arrive(subject: ReportSubject, nowMs: number): ReportEntry {
    const entry = subject.reportEntry ?? this.#track(subject, nowMs);
    entry.accounting.arrive(nowMs, false);
    return entry;
  }

  depart(entry: ReportEntry, nowMs: number): void {
    entry.accounting.depart(nowMs, false);
  }

  report(): void {
    if (this.#entries.size === 0) return;
    const nowMs = this.#clock.monotonicMs();
    const reports: ThreadReport[] = [];
    for (const [entry, lastMs] of this.#entries) {
      const { accounting, subject } = entry;
      const { averageConcurrency, requestCount } = accounting.report(nowMs);
      const inside = accounting.concurrency;
      const requestMs = averageConcurrency * (nowMs - lastMs);
      reports.push({ id: this.#idOf(subject), requestMs, requestCount, inside });
      this.#entries.set(entry, nowMs);
      if (inside > 0 || requestCount > 0 || requestMs > 0) continue;
      this.#entries.delete(entry);
      if (subject.reportEntry === entry) subject.reportEntry = null;
    }
    this.#post({ kind: 'reports', reports });
  }

  #track(subject: ReportSubject, nowMs: number): ReportEntry {
    const entry: ReportEntry = {
      subject,
      accounting: new RequestAccounting(nowMs),
      isAnnounced: false,
    };
    subject.reportEntry = entry;
    this.#entries.set(entry, nowMs);
    this.#post({ kind: 'arrived', id: this.#idOf(subject) });
    return entry;
  }
}
