// The activator's request path (ACT-15): probes, then which revision, then count, hold, choose a
// pod and forward. What the activator answers by itself is chosen here or in probe-answers.ts.
// Invariant: what a request holds is given back when it is answered here or at its end, whichever
// comes first, and counting it as concurrency ends only with its end (ACT-125).
// Hot: one object per request, no closure and no promise.

import type { Clock } from '../clock/clock.ts';
import { answerError, answerErrorText } from '../errors/answer.ts';
import { ERRORS } from '../errors/errors.ts';
import type { DeadlineWheel } from '../proxy/deadline-wheel.ts';
import { upstreamError } from '../proxy/failure-errors.ts';
import type { Exchange, ExchangeHandler, Outcome, UpstreamFailure } from '../proxy/types.ts';
import {
  ORIGINAL_HOST_KEY,
  SERVING_NAMESPACE_KEY,
  SERVING_REVISION_KEY,
} from '../wire/probe-headers.ts';
import type { ActivationObserver } from './activation-observer.ts';
import { type ActivationOwner, ActivationRequest } from './activation-request.ts';
import type { RequestReporter } from './concurrency-reporter.ts';
import type { PodTracker } from './pod-tracker.ts';
import { answerProbe, type HealthCheck } from './probe-answers.ts';
import type { RevisionThrottler } from './revision-throttler.ts';

/** Pods tried for one request of which nothing was sent; then 502. */
export const MAX_POD_ATTEMPTS = 16;
/** Pods tried for a repeatable request that was sent, lest it ends many pods; then 502. */
export const MAX_REPEATED_ATTEMPTS = 3;
const SWITCHING_PROTOCOLS = 101;

/** Finds the throttler of a revision. */
export interface RevisionSource {
  find(namespace: string, name: string): RevisionThrottler | null;
}

export interface ActivatorHandlerDeps {
  revisions: RevisionSource;
  reporter: RequestReporter;
  deadlines: DeadlineWheel;
  clock: Clock;
  health: HealthCheck;
  clusterDomain: string;
}

/** What became of requests that a pod did not answer; counts up. */
export interface ForwardCounts {
  /** Sent to another pod. */
  retried: number;
  /** Answered 502. */
  failed: number;
}

export class ActivatorHandler implements ExchangeHandler, ActivationOwner {
  readonly counts: ForwardCounts = { retried: 0, failed: 0 };
  /** Log, metrics and traces; null = nothing of the next request is of interest. */
  observer: ActivationObserver | null = null;
  readonly #revisions: RevisionSource;
  readonly #reporter: RequestReporter;
  readonly #deadlines: DeadlineWheel;
  readonly #clock: Clock;
  readonly #health: HealthCheck;
  readonly #clusterDomain: string;

  constructor(deps: ActivatorHandlerDeps) {
    this.#revisions = deps.revisions;
    this.#reporter = deps.reporter;
    this.#deadlines = deps.deadlines;
    this.#clock = deps.clock;
    this.#health = deps.health;
    this.#clusterDomain = deps.clusterDomain;
  }

  onRequest(exchange: Exchange): void {
    if (answerProbe(exchange, this.#health)) return;
    const throttler = this.#selectRevision(exchange);
    if (throttler === null) return;
    // The wake begins before the signal goes out, so that its first two phases are in order.
    if (!throttler.hasPods) throttler.wake.begin();
    const nowMs = this.#clock.monotonicMs();
    const report = this.#reporter.arrive(throttler, nowMs);
    const request = new ActivationRequest(exchange, throttler, report, this, Math.trunc(nowMs));
    exchange.context = request;
    if (this.observer !== null) {
      const wake = throttler.hasPods ? null : throttler.wake.timeline;
      request.observation = this.observer.arrive(exchange, throttler, wake, nowMs);
    }
    this.#deadlines.add(request, nowMs);
    request.enter();
  }

  onResponseHead(exchange: Exchange, status: number): void {
    const request = exchange.context as ActivationRequest | null;
    if (request === null) return;
    request.throttler.wake.firstByte();
    const { observation } = request;
    if (observation !== null) observation.observer.head(observation, exchange, status);
    // ACT-41: what follows a 101 does not count as writing.
    if (status !== SWITCHING_PROTOCOLS) this.#noteWrite(request);
    else request.isUpgraded = true;
  }

  /** ACT-36: an interim answer is a write, too. */
  onInterimHead(exchange: Exchange): void {
    const request = exchange.context as ActivationRequest | null;
    if (request === null) return;
    request.responseStartMs = 0;
    this.#noteWrite(request);
  }

  onResponseBytes(exchange: Exchange, _byteCount: number): void {
    const request = exchange.context as ActivationRequest | null;
    if (request !== null && !request.isUpgraded) this.#noteWrite(request);
  }

  /** Rather than 20 s for one silent pod (ACT-112), a request waits 0.6 s if there is another. */
  onUpstreamStall(exchange: Exchange): void {
    const request = exchange.context as ActivationRequest;
    if (request.attempts >= MAX_POD_ATTEMPTS || !request.hasAlternative) return;
    this.#observeFailure(request, ERRORS.UPSTREAM_DIAL_TIMEOUT.code);
    this.counts.retried += 1;
    exchange.cancelForward();
    request.retryElsewhere();
  }

  onUpstreamFailure(exchange: Exchange, failure: UpstreamFailure): void {
    const request = exchange.context as ActivationRequest;
    const maxAttempts = !failure.sent
      ? MAX_POD_ATTEMPTS
      : failure.isRepeatable === true
        ? MAX_REPEATED_ATTEMPTS
        : 0;
    const error = upstreamError(failure.code);
    this.#observeFailure(request, error.code);
    if (request.attempts < maxAttempts) {
      this.counts.retried += 1;
      request.retryElsewhere();
      return;
    }
    this.counts.failed += 1;
    request.leave();
    answerErrorText(exchange, error, failure.message);
  }

  onEnd(exchange: Exchange, outcome: Outcome): void {
    const request = exchange.context as ActivationRequest | null;
    if (request === null) return;
    const nowMs = this.#clock.monotonicMs();
    const { observation } = request;
    if (observation !== null) observation.observer.end(observation, exchange, outcome, nowMs);
    this.#deadlines.remove(request);
    request.leave();
    this.#reporter.depart(request.report, nowMs);
  }

  forward(request: ActivationRequest, tracker: PodTracker): void {
    const { exchange, observation } = request;
    const edits = tracker.editsFor(exchange.host, exchange.header(ORIGINAL_HOST_KEY));
    exchange.forward(
      tracker.upstream,
      observation === null ? edits : observation.observer.forward(observation, edits, tracker.dest),
    );
  }

  queueFull(request: ActivationRequest): void {
    answerError(request.exchange, ERRORS.QUEUE_FULL);
  }

  expelled(request: ActivationRequest, reason: string | null): void {
    if (reason === null) answerError(request.exchange, ERRORS.ACTIVATOR_TIMEOUT);
    else answerErrorText(request.exchange, ERRORS.REVISION_FAILED, reason);
  }

  /** ACT-35 to ACT-38. An answer under way is cut instead of getting text appended to it. */
  timedOut(request: ActivationRequest, nowMs: number): void {
    const { exchange } = request;
    if (exchange.ended) return;
    const nextMs = this.#nextDeadline(request);
    if (nextMs > nowMs) {
      request.deadlineMs = nextMs;
      this.#deadlines.add(request, nowMs);
      return;
    }
    if (exchange.responseStarted) {
      exchange.abort();
      return;
    }
    if (!request.isRunning) {
      request.expel(null);
      return;
    }
    this.#observeFailure(request, ERRORS.ACTIVATOR_TIMEOUT.code);
    exchange.cancelForward();
    request.leave();
    answerError(exchange, ERRORS.ACTIVATOR_TIMEOUT);
  }

  #observeFailure({ observation, exchange }: ActivationRequest, code: string): void {
    if (observation !== null) observation.observer.fail(observation, exchange, code);
  }

  isOver(request: ActivationRequest): boolean {
    return this.#clock.monotonicMs() >= request.deadlineMs;
  }

  /** The earliest limit that still applies, in monotonic ms. */
  #nextDeadline(request: ActivationRequest): number {
    const { idleTimeoutMs } = request.throttler.settings;
    const hasWritten = request.exchange.responseStarted && !request.isUpgraded;
    let deadlineMs = request.expiresMs;
    if (request.responseStartMs > 0 && !hasWritten) {
      deadlineMs = Math.min(deadlineMs, request.responseStartMs);
    }
    if (idleTimeoutMs > 0) deadlineMs = Math.min(deadlineMs, request.lastWriteMs + idleTimeoutMs);
    return deadlineMs;
  }

  #noteWrite(request: ActivationRequest): void {
    if (request.throttler.settings.idleTimeoutMs > 0) {
      request.lastWriteMs = Math.trunc(this.#clock.monotonicMs());
    }
  }

  /** ACT-26 to ACT-28; null when the request has been answered with 404. */
  #selectRevision(exchange: Exchange): RevisionThrottler | null {
    let namespace = exchange.header(SERVING_NAMESPACE_KEY);
    let name = exchange.header(SERVING_REVISION_KEY);
    if (namespace === '' || name === '') {
      const parts = this.#revisionOfHost(exchange.host);
      if (parts !== null) ({ namespace, name } = parts);
    }
    const throttler = this.#revisions.find(namespace, name);
    if (throttler === null) {
      const missing = `revision.serving.knative.dev ${JSON.stringify(name)} not found`;
      const error = ERRORS.REVISION_NOT_FOUND;
      answerErrorText(exchange, error, error.message + missing);
      this.observer?.answeredUnknown(exchange, this.#clock.monotonicMs());
    }
    return throttler;
  }

  /** ACT-27: `<revision>.<namespace>.svc.<cluster domain>`, with or without a port. */
  #revisionOfHost(host: string): { namespace: string; name: string } | null {
    const [name, namespace, svc, ...rest] = host.split('.');
    const domain = rest.join('.').split(':', 1)[0];
    if (name === undefined || namespace === undefined || svc !== 'svc') return null;
    return domain === this.#clusterDomain ? { namespace, name } : null;
  }
}
