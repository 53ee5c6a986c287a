// What the handler tells about a request while it passes the layers of QP-17: to the request log,
// the traces and the metrics, which are layers 1, 2, 10 and 12. One observer per request plane; the
// handler has none when all of them are off, and then pays one comparison. Hot when on: one
// Observation per request, every field set here, in this order.

import type { RequestTrace } from '../proxy/observe/request-trace.ts';
import type { Exchange, HeaderEdits, Outcome } from '../proxy/types.ts';

/** What is remembered of one request; times are monotonic milliseconds with fraction. */
export class Observation {
  /** Entry of layer 1. */
  readonly startMs: number;
  /** QP-19: no span, no server series, no log line unless asked for. */
  readonly isProbe: boolean;
  /** Entry of layer 9; NaN for requests answered before. */
  enteredMs = Number.NaN;
  /** A slot was acquired, and forwarding began; NaN before. */
  forwardedMs = Number.NaN;
  /** The app answered or failed; NaN before. */
  settledMs = Number.NaN;
  /** Of the app's head; 0 = none came. */
  appStatus = 0;
  /** Why no head came; '' = none failed. */
  failure = '';
  /** Null when tracing is off, and for probes. */
  trace: RequestTrace | null = null;

  constructor(startMs: number, isProbe: boolean) {
    this.startMs = startMs;
    this.isProbe = isProbe;
  }
}

export interface RequestObserver {
  /** Entry of layer 1. Null: nothing about this request is of interest. `isProbe`: QP-19. */
  arrive(exchange: Exchange, isProbe: boolean, nowMs: number): Observation | null;
  /** Passed layer 3: no health check, no network probe. */
  enter(observation: Observation, nowMs: number): void;
  /** Has a slot and goes to the app. Returns the header edits to forward with. */
  forward(observation: Observation, edits: HeaderEdits, nowMs: number): HeaderEdits;
  /** A head is about to go to the client: the app's, if it was asked and has not failed. */
  head(observation: Observation, status: number, nowMs: number): void;
  /** The app gave no answer, or is not waited for any more. `code` is of the error table. */
  fail(observation: Observation, code: string): void;
  /** Exit of layer 1; the exchange still answers for its headers. */
  end(observation: Observation, exchange: Exchange, outcome: Outcome, nowMs: number): void;
}
