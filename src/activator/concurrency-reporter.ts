// Tells the autoscaler how busy each revision is (section 7 of ACT). The first request of a
// revision nobody is tracking is reported at once, before it is counted or queued: that is the
// signal that wakes a revision from zero. After that one batch per second covers every tracked
// revision.
// Invariants: a request leaves through the entry it arrived by (ACT-131); an entry is forgotten
// only when its average was zero and nobody is inside. Sending never blocks and is never awaited.
// Hot: `arrive` and `depart` run once per request and do not allocate for a tracked revision.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import { RequestAccounting } from '../proxy/request-accounting.ts';
import { emptyStat, encodeStatMessages, type StatMessage } from '../wire/stat.ts';
import type { StatSink } from '../wire/stat-client.ts';

/** ACT-125. */
export const REPORT_PERIOD_MS = 1000;

/** A revision as far as reporting goes. */
export interface ReportSubject {
  readonly namespace: string;
  readonly name: string;
  /** Belongs to the reporter; null = not tracked. */
  reportEntry: ReportEntry | null;
  /** The signal of the first request was handed to the socket. */
  onPokeSent(sentAtMs: number): void;
}

/** What a reporter counts with; RequestAccounting unless several threads count one revision. */
export interface Accounting {
  readonly concurrency: number;
  arrive(nowMs: number, proxied: boolean): void;
  depart(nowMs: number, proxied: boolean): void;
  report(nowMs: number): { averageConcurrency: number; requestCount: number };
}

/** The side of requests. */
export interface RequestReporter {
  /** Counts a request in; the result belongs to the request until its `depart`. */
  arrive(subject: ReportSubject, nowMs: number): ReportEntry;
  depart(entry: ReportEntry, nowMs: number): void;
}

export interface ReportEntry {
  readonly subject: ReportSubject;
  readonly accounting: Accounting;
  /** The first request was announced and is to be subtracted once (ACT-128). */
  isAnnounced: boolean;
}

export class ConcurrencyReporter implements RequestReporter {
  readonly #podName: string;
  readonly #sink: StatSink;
  readonly #clock: Clock;
  readonly #entries = new Set<ReportEntry>();
  #ticker: TimerHandle | null = null;
  /** ACT-133: what each report says of each revision; null = nobody wants to know. */
  onReport: ((subject: ReportSubject, averageConcurrency: number) => void) | null = null;

  /** Replaced where several threads count. */
  createAccounting: (startMs: number) => Accounting = (startMs) => new RequestAccounting(startMs);

  constructor(podName: string, sink: StatSink, clock: Clock) {
    this.#podName = podName;
    this.#sink = sink;
    this.#clock = clock;
  }

  start(): void {
    this.#ticker ??= this.#clock.setTicker(REPORT_PERIOD_MS, () => this.report(), {
      background: true,
    });
  }

  stop(): void {
    this.#ticker?.cancel();
    this.#ticker = null;
  }

  get trackedCount(): number {
    return this.#entries.size;
  }

  /** Counts a request in; the result belongs to the request until its `depart`. */
  arrive(subject: ReportSubject, nowMs: number): ReportEntry {
    const entry = subject.reportEntry ?? this.#track(subject, nowMs);
    entry.accounting.arrive(nowMs, false);
    return entry;
  }

  /** Another thread has requests of an untracked revision: tells of it as `arrive` would. */
  announce(subject: ReportSubject, nowMs: number): ReportEntry {
    return subject.reportEntry ?? this.#track(subject, nowMs);
  }

  depart(entry: ReportEntry, nowMs: number): void {
    entry.accounting.depart(nowMs, false);
  }

  /** ACT-129: one batch with every tracked revision; idle ones go in once more, then are out. */
  report(): void {
    if (this.#entries.size === 0) return;
    const nowMs = this.#clock.monotonicMs();
    const messages: StatMessage[] = [];
    for (const entry of this.#entries) {
      const seen = entry.accounting.report(nowMs);
      const announced = entry.isAnnounced ? 1 : 0;
      entry.isAnnounced = false;
      const average = Math.max(seen.averageConcurrency - announced, 0);
      messages.push(this.#message(entry.subject, average, seen.requestCount - announced));
      if (this.onReport !== null) this.onReport(entry.subject, average);
      if (seen.averageConcurrency === 0 && entry.accounting.concurrency === 0) this.#forget(entry);
    }
    this.#sink.send(encodeStatMessages(messages));
  }

  /**
   * After a reconnect: whoever listens now may know nothing of the requests inside, so they are
   * announced like first ones instead of with the next tick.
   */
  resendPokes(): void {
    const messages: StatMessage[] = [];
    const subjects: ReportSubject[] = [];
    for (const entry of this.#entries) {
      if (entry.accounting.concurrency === 0) continue;
      entry.isAnnounced = true;
      messages.push(this.#message(entry.subject, 1, 1));
      subjects.push(entry.subject);
    }
    if (messages.length === 0) return;
    const sentAtMs = this.#clock.preciseNowMs();
    if (!this.#sink.send(encodeStatMessages(messages))) return;
    for (const subject of subjects) subject.onPokeSent(sentAtMs);
  }

  #track(subject: ReportSubject, nowMs: number): ReportEntry {
    const entry = { subject, accounting: this.createAccounting(nowMs), isAnnounced: true };
    subject.reportEntry = entry;
    this.#entries.add(entry);
    this.#poke(entry);
    return entry;
  }

  /** ACT-127. */
  #poke(entry: ReportEntry): void {
    // Read before the write: the autoscaler may have acted by the time the call returns.
    const sentAtMs = this.#clock.preciseNowMs();
    const isSent = this.#sink.send(encodeStatMessages([this.#message(entry.subject, 1, 1)]));
    if (isSent) entry.subject.onPokeSent(sentAtMs);
    else this.#sink.hurry();
  }

  #forget(entry: ReportEntry): void {
    this.#entries.delete(entry);
    if (entry.subject.reportEntry === entry) entry.subject.reportEntry = null;
  }

  /** ACT-132: proxied values, uptime and timestamp stay zero. */
  #message(subject: ReportSubject, concurrency: number, requestCount: number): StatMessage {
    const stat = emptyStat(this.#podName);
    stat.averageConcurrentRequests = concurrency;
    stat.requestCount = requestCount;
    return { namespace: subject.namespace, name: subject.name, stat };
  }
}
