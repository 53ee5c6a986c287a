// What request log, metrics and traces see of a request on its way through the activator (ACT-16,
// ACT-31 to ACT-33, ACT-201 to ACT-208). One observer per activator; the handler has none while all
// of them are off, and a request then has no Observation, which costs one comparison per hook.
// Hot when something is on: one Observation per request, every field set here, in this order.

import type { Clock } from '../clock/clock.ts';
import type { HttpMetrics } from '../proxy/observe/http-metrics.ts';
import { recordedSize, recordedStatus } from '../proxy/observe/recorded-answer.ts';
import type { RequestLog } from '../proxy/observe/request-log/request-log.ts';
import type { RequestTrace } from '../proxy/observe/request-trace.ts';
import type { Exchange, HeaderEdits, Outcome } from '../proxy/types.ts';
import type { WakeTimeline } from '../telemetry/wake.ts';
import type { ActivationTracer } from './activation-trace.ts';
import type { ObservedRevision, ObservedRevisions, ObservedSource } from './observed-revision.ts';
import { type ServerTiming, serverTimingLine, wantsServerTiming } from './server-timing.ts';

/** Error type of an attempt whose client left before the pod answered. */
const CANCELLED = 'canceled';

/** What is remembered of one request; times are monotonic milliseconds with fraction. */
export class Observation {
  readonly startMs: number;
  readonly revision: ObservedRevision;
  readonly observer: ActivationObserver;
  /** Null when tracing is off. */
  readonly trace: RequestTrace | null;
  /** The wake it was held for; null for a request that came when there were pods. */
  readonly wake: WakeTimeline | null;
  /** The first pod was chosen; NaN before. */
  grantedMs = Number.NaN;
  /** The latest pod was chosen; NaN before. */
  forwardedMs = Number.NaN;
  /** That pod answered or failed; NaN before. */
  settledMs = Number.NaN;
  /** The answer's head went out; NaN before. */
  headMs = Number.NaN;
  dest = '';
  /** Of the pod's head; 0 = none came. */
  appStatus = 0;
  /** Code of the error table; '' = none failed. */
  failure = '';

  constructor(
    observer: ActivationObserver,
    revision: ObservedRevision,
    startMs: number,
    trace: RequestTrace | null,
    wake: WakeTimeline | null,
  ) {
    this.observer = observer;
    this.revision = revision;
    this.startMs = startMs;
    this.trace = trace;
    this.wake = wake;
  }

  /** The pod was asked, and has neither answered nor failed. */
  get isUnderWay(): boolean {
    return !Number.isNaN(this.forwardedMs) && Number.isNaN(this.settledMs);
  }
}

export interface ActivationObserverParts {
  readonly clock: Clock;
  readonly revisions: ObservedRevisions;
  readonly isMeasured: boolean;
  /** Of requests whose revision nobody knows; null = these are not measured. */
  readonly unknown: HttpMetrics | null;
  /** Null = tracing is off. */
  readonly tracer: ActivationTracer | null;
}

export class ActivationObserver {
  /** Changed while running (ACT-9); null = off. */
  log: RequestLog | null = null;
  /** Changed while running. */
  serverTiming: ServerTiming = 'off';
  readonly #clock: Clock;
  readonly #revisions: ObservedRevisions;
  readonly #isMeasured: boolean;
  readonly #unknown: HttpMetrics | null;
  readonly #tracer: ActivationTracer | null;

  constructor({ clock, revisions, isMeasured, unknown, tracer }: ActivationObserverParts) {
    this.#clock = clock;
    this.#revisions = revisions;
    this.#isMeasured = isMeasured;
    this.#unknown = unknown;
    this.#tracer = tracer;
  }

  /** False = requests need not be observed. */
  get isNeeded(): boolean {
    const isFixed = this.#isMeasured || this.#tracer !== null;
    return isFixed || this.log !== null || this.serverTiming !== 'off';
  }

  /** `wake` is that of a revision without pods. */
  arrive(
    exchange: Exchange,
    source: ObservedSource,
    wake: WakeTimeline | null,
    nowMs: number,
  ): Observation {
    const revision = this.#revisions.of(source);
    const trace = this.#tracer === null ? null : this.#tracer.start(exchange);
    return new Observation(this, revision, nowMs, trace, wake);
  }

  /** ACT-16: an unknown revision is measured and traced, nothing else. It is answered already. */
  answeredUnknown(exchange: Exchange, nowMs: number): void {
    const status = exchange.responseStatus;
    const bodyBytes = exchange.responseBytes;
    this.#unknown?.observeServed(exchange, status, '', bodyBytes, 0);
    const trace = this.#tracer?.start(exchange) ?? null;
    if (trace?.isSampled !== true) return;
    this.#tracer!.finishUnknown(trace, exchange, { status, bodyBytes }, nowMs);
  }

  /** A pod was chosen. Returns the header edits to forward with. */
  forward(observation: Observation, edits: HeaderEdits, dest: string): HeaderEdits {
    const nowMs = this.#clock.monotonicMs();
    if (Number.isNaN(observation.grantedMs)) observation.grantedMs = nowMs;
    observation.forwardedMs = nowMs;
    observation.settledMs = Number.NaN;
    observation.dest = dest;
    observation.failure = '';
    const { trace } = observation;
    return trace === null ? edits : this.#tracer!.carry(trace, edits);
  }

  /** A head is about to go to the client: the pod's, if it was asked and has not failed. */
  head(observation: Observation, exchange: Exchange, status: number): void {
    const nowMs = this.#clock.monotonicMs();
    observation.headMs = nowMs;
    if (observation.isUnderWay) {
      observation.appStatus = status;
      this.#settle(observation, exchange, nowMs);
    }
    const { wake } = observation;
    if (wake === null || this.serverTiming === 'off') return;
    if (!wantsServerTiming(this.serverTiming, exchange)) return;
    const offsetMs = this.#clock.preciseNowMs() - nowMs;
    const arrivedAtMs = observation.startMs + offsetMs;
    exchange.addResponseHeaders(serverTimingLine(wake, arrivedAtMs, nowMs + offsetMs));
  }

  /** The pod gave no answer, or is not waited for any more. */
  fail(observation: Observation, exchange: Exchange, code: string): void {
    if (!observation.isUnderWay) return;
    observation.failure = code;
    this.#settle(observation, exchange, this.#clock.monotonicMs());
  }

  /** The exchange still answers for its headers. */
  end(observation: Observation, exchange: Exchange, outcome: Outcome, nowMs: number): void {
    const { startMs, revision, trace, wake } = observation;
    const wasForwarded = !Number.isNaN(observation.grantedMs);
    const status = recordedStatus(exchange, outcome, wasForwarded);
    const size = recordedSize(exchange, outcome);
    if (observation.isUnderWay) {
      observation.failure = CANCELLED;
      this.#settle(observation, exchange, nowMs);
    }
    this.log?.logOf(revision.identity, exchange, status, size, nowMs - startMs);
    const { metrics } = revision;
    if (metrics !== null) {
      metrics.observeServed(exchange, status, size, nowMs - startMs);
      if (wake !== null) {
        const offsetMs = this.#clock.preciseNowMs() - this.#clock.monotonicMs();
        metrics.observeWake(wake, startMs + offsetMs, observation.headMs + offsetMs);
      }
    }
    if (trace?.isSampled === true) {
      this.#tracer!.finish(trace, observation, exchange, { status, bodyBytes: size }, nowMs);
    }
  }

  #settle(observation: Observation, exchange: Exchange, nowMs: number): void {
    observation.settledMs = nowMs;
    const { revision, dest, forwardedMs } = observation;
    revision.metrics?.observeSent(exchange, observation, dest, nowMs - forwardedMs);
  }
}
