// The observer in use: tells request log, metrics and tracer what they want to know of a request,
// each of them only if it is on. Keeps the order of QP-17: the slot's metrics see only requests
// that got one, the log and the server's metrics see what the client got (QP-18). Hot when any of
// the three is on: one Observation, and no more clock than arrival, head and end.

import type { Clock } from '../clock/clock.ts';
import {
  recordedAppStatus,
  recordedSize,
  recordedStatus,
} from '../proxy/observe/recorded-answer.ts';
import type { RequestLog } from '../proxy/observe/request-log/request-log.ts';
import type { Exchange, HeaderEdits, Outcome } from '../proxy/types.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { Observation, type RequestObserver } from './request-observer.ts';
import type { RequestTracer } from './request-trace.ts';

/** Error type of a request whose client left before the app answered. */
const CANCELLED = 'canceled';

export interface ObserverParts {
  readonly clock: Clock;
  /** Null = off; so are the other two. */
  readonly log: RequestLog | null;
  readonly metrics: RequestMetrics | null;
  readonly tracer: RequestTracer | null;
}

export class TelemetryObserver implements RequestObserver {
  readonly #clock: Clock;
  readonly #log: RequestLog | null;
  readonly #metrics: RequestMetrics | null;
  readonly #tracer: RequestTracer | null;

  constructor({ clock, log, metrics, tracer }: ObserverParts) {
    this.#clock = clock;
    this.#log = log;
    this.#metrics = metrics;
    this.#tracer = tracer;
  }

  arrive(exchange: Exchange, isProbe: boolean, nowMs: number): Observation | null {
    if (isProbe && this.#metrics === null && this.#log?.logsProbes !== true) return null;
    const observation = new Observation(nowMs, isProbe);
    if (this.#tracer !== null && !isProbe) observation.trace = this.#tracer.start(exchange);
    return observation;
  }

  enter(observation: Observation, nowMs: number): void {
    observation.enteredMs = nowMs;
  }

  forward(observation: Observation, edits: HeaderEdits, nowMs: number): HeaderEdits {
    observation.forwardedMs = nowMs;
    const trace = observation.trace;
    return trace === null ? edits : this.#tracer!.carry(trace, edits);
  }

  head(observation: Observation, status: number, nowMs: number): void {
    if (!isUnderWay(observation)) return;
    observation.appStatus = status;
    observation.settledMs = nowMs;
  }

  fail(observation: Observation, code: string): void {
    if (!isUnderWay(observation)) return;
    observation.failure = code;
    observation.settledMs = this.#clock.monotonicMs();
  }

  end(observation: Observation, exchange: Exchange, outcome: Outcome, nowMs: number): void {
    const wasForwarded = !Number.isNaN(observation.forwardedMs);
    const isInner = !Number.isNaN(observation.enteredMs);
    // A request answered before layer 9 has no slot to wait for: its status is what it got.
    const status = recordedStatus(exchange, outcome, wasForwarded || !isInner);
    const size = recordedSize(exchange, outcome);
    const { startMs, isProbe: probe, trace } = observation;
    if (isUnderWay(observation)) this.#cancel(observation, nowMs);
    if (this.#log !== null && (!probe || this.#log.logsProbes)) {
      this.#log.log(exchange, status, size, nowMs - startMs);
    }
    if (this.#metrics !== null) {
      if (!probe) this.#metrics.observeServed(exchange, status, size, nowMs - startMs);
      if (wasForwarded) this.#observeForwarded(observation, exchange, outcome, nowMs);
    }
    if (trace?.isSampled === true) {
      this.#tracer!.finish(trace, observation, exchange, { status, bodyBytes: size }, nowMs);
    }
  }

  #cancel(observation: Observation, nowMs: number): void {
    observation.failure = CANCELLED;
    observation.settledMs = nowMs;
  }

  #observeForwarded(
    observation: Observation,
    exchange: Exchange,
    outcome: Outcome,
    nowMs: number,
  ): void {
    const { forwardedMs, settledMs } = observation;
    const metrics = this.#metrics!;
    metrics.observeSent(exchange, observation, settledMs - forwardedMs);
    if (observation.isProbe) return;
    metrics.observeInvocation(recordedAppStatus(exchange, outcome), nowMs - forwardedMs);
  }
}

/** The app was asked, and has neither answered nor failed. */
function isUnderWay({ forwardedMs, settledMs }: Observation): boolean {
  return !Number.isNaN(forwardedMs) && Number.isNaN(settledMs);
}
