// The sidecar's request plane, layers 3 to 10 of QP-17: health checks and network probes are
// answered here; everything else is counted, timed, let through the gate and forwarded to the app.
// Every request that got a context gives back in `onEnd` exactly what it took: deadline,
// statistics, in-flight count, slot. Nothing else may give any of it back.
// Hot: per request one context; no closure, promise or array; the clock is read at arrival and at
// departure, in between only for an idle timeout or for an observer (request-observer.ts).

import { formatDurationNs, NS_PER_MS } from '../api/duration.ts';
import type { Clock } from '../clock/clock.ts';
import { answerError, answerErrorText, TEXT_HEADERS } from '../errors/answer.ts';
import { ERRORS } from '../errors/errors.ts';
import { DeadlineWheel } from '../proxy/deadline-wheel.ts';
import { upstreamError } from '../proxy/failure-errors.ts';
import { Admission, Gate, MAX_GATE_LIMIT, WaiterState } from '../proxy/gate.ts';
import type {
  Exchange,
  ExchangeHandler,
  Outcome,
  Upstream,
  UpstreamFailure,
} from '../proxy/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import * as headers from '../wire/probe-headers.ts';
import { type ContextOwner, RequestContext, RequestFlag } from './request-context.ts';
import { requestEdits } from './request-edits.ts';
import type { Observation, RequestObserver } from './request-observer.ts';
import { RequestTimeouts, TimeoutCause } from './timeouts.ts';

/** Waiting requests per running one (QP-26). */
const QUEUE_DEPTH_PER_SLOT = 10;

export interface HandlerOptions {
  /** Below 1 = unlimited. */
  readonly containerConcurrency: number;
  readonly timeoutMs: number;
  readonly responseStartTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** The part of the statistics a request touches (QP-38). */
export interface RequestCounter {
  arrive(nowMs: number, proxied: boolean): void;
  depart(nowMs: number, proxied: boolean): void;
}

/** The part of the drain a request touches (QP-113). */
export interface DrainState {
  readonly draining: boolean;
  onArrival(nowMs: number): void;
}

export interface HandlerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly app: Upstream;
  /** Absent: one of its own, made from `containerConcurrency`. Null: concurrency is unlimited. */
  readonly gate?: Gate | null;
  readonly accounting: RequestCounter;
  readonly drainer: DrainState;
  /** Shares one evaluation among concurrent callers (QP-104); never rejects. */
  readonly isAppReady: () => Promise<boolean>;
  /** Request log, metrics and traces; null = all of them are off. */
  readonly observer: RequestObserver | null;
  /** Text of /proc/net/sockstat for the log (QP-83). */
  readonly readSockstat: () => string;
}

export class QueueProxyHandler implements ExchangeHandler, ContextOwner {
  /** Null when concurrency is unlimited. */
  readonly gate: Gate | null;
  readonly #deps: HandlerDeps;
  readonly #clock: Clock;
  readonly #observer: RequestObserver | null;
  readonly #timeouts: RequestTimeouts;
  readonly #wheel: DeadlineWheel;
  /** By TimeoutCause (QP-52). */
  readonly #timeoutTexts: readonly string[];
  #inFlight = 0;
  /** Called at every end while somebody waits for the requests to finish. */
  #onCountChange: (() => void) | null = null;

  constructor(options: HandlerOptions, deps: HandlerDeps) {
    this.#deps = deps;
    this.#clock = deps.clock;
    this.#observer = deps.observer;
    this.#timeouts = new RequestTimeouts(
      options.timeoutMs,
      options.responseStartTimeoutMs,
      options.idleTimeoutMs,
    );
    this.#wheel = new DeadlineWheel(deps.clock);
    this.gate = deps.gate === undefined ? createGate(options.containerConcurrency) : deps.gate;
    this.#timeoutTexts = [
      '',
      `Request timeout: ${goDuration(options.timeoutMs)}`,
      `Response start timeout: ${goDuration(options.responseStartTimeoutMs)}`,
      `Idle timeout: ${goDuration(options.idleTimeoutMs)}`,
    ];
  }

  /** Requests inside, tunnels included (layer 4). */
  get inFlight(): number {
    return this.#inFlight;
  }

  onRequest(exchange: Exchange): void {
    const nowMs = this.#clock.monotonicMs();
    const userAgent = exchange.header('user-agent');
    const networkProbe = exchange.header(headers.NETWORK_PROBE_KEY);
    const isBypass = exchange.header(headers.KUBELET_PROBE_KEY) !== '';
    let observation: Observation | null = null;
    if (this.#observer !== null) {
      const isProbe =
        isBypass || networkProbe !== '' || userAgent.startsWith(headers.KUBELET_USER_AGENT_PREFIX);
      observation = this.#observer.arrive(exchange, isProbe, nowMs);
    }
    if (headers.isHealthCheckUserAgent(userAgent)) {
      if (observation !== null) this.#observeOnly(exchange, observation);
      this.#answerHealthCheck(exchange);
      return;
    }
    if (networkProbe === headers.NETWORK_PROBE_VALUE) {
      if (observation !== null) this.#observeOnly(exchange, observation);
      this.#answerNetworkProbe(exchange);
      return;
    }
    if (this.#deps.drainer.draining) this.#deps.drainer.onArrival(nowMs);
    const context = new RequestContext(this, exchange, Math.floor(nowMs));
    exchange.context = context;
    if (observation !== null) {
      context.observation = observation;
      this.#observer!.enter(observation, nowMs);
    }
    this.#inFlight += 1;
    if (isBypass) context.flags |= RequestFlag.BYPASS;
    else this.#count(context, nowMs);
    this.#admit(context, nowMs);
  }

  onResponseHead(exchange: Exchange, status: number): void {
    const context = exchange.context as RequestContext | null;
    if (context === null) return;
    const { observation } = context;
    const isTimed = observation !== null || this.#timeouts.tracksWrites;
    const nowMs = isTimed ? this.#clock.monotonicMs() : 0;
    if (observation !== null) this.#observer!.head(observation, status, nowMs);
    // A tunnel writes when the app does, not when it opens.
    if (status === 101) return;
    context.flags |= RequestFlag.WRITTEN;
    if (this.#timeouts.tracksWrites) context.lastWriteAtMs = Math.floor(nowMs);
  }

  /** A relayed 1xx is a write too (QP-47); a 101 is no interim head. */
  onInterimHead(exchange: Exchange): void {
    const context = exchange.context as RequestContext | null;
    if (context !== null) this.#markWritten(context);
  }

  onResponseBytes(exchange: Exchange, _byteCount: number): void {
    const context = exchange.context as RequestContext | null;
    if (context !== null) this.#markWritten(context);
  }

  onUpstreamFailure(exchange: Exchange, failure: UpstreamFailure): void {
    const error = upstreamError(failure.code);
    const observation = (exchange.context as RequestContext | null)?.observation ?? null;
    if (observation !== null) this.#observer!.fail(observation, error.code);
    this.#deps.logger.error(
      { code: error.code, error: failure.message, sockstat: this.#deps.readSockstat() },
      'error reverse proxying request',
    );
    answerErrorText(exchange, error, failure.message);
  }

  onEnd(exchange: Exchange, outcome: Outcome): void {
    const context = exchange.context as RequestContext | null;
    if (context === null) return;
    const { flags, observation } = context;
    if ((flags & RequestFlag.COUNTED) !== 0 || observation !== null) {
      const nowMs = this.#clock.monotonicMs();
      if ((flags & RequestFlag.COUNTED) !== 0) {
        this.#deps.accounting.depart(nowMs, (flags & RequestFlag.PROXIED) !== 0);
      }
      if (observation !== null) this.#observer!.end(observation, exchange, outcome, nowMs);
    }
    if ((flags & RequestFlag.ANSWERED_HERE) !== 0) return;
    this.#wheel.remove(context);
    this.#inFlight -= 1;
    if (this.#onCountChange !== null) this.#onCountChange();
    // Last, because it may start forwarding the next request before it returns.
    if (context.gateState === WaiterState.ADMITTED) {
      context.gateState = WaiterState.IDLE;
      this.gate!.release();
    } else if (context.gateState === WaiterState.QUEUED) this.gate!.cancel(context);
  }

  /** The gate let a waiting request in. */
  onAdmitted(context: RequestContext): void {
    this.#forward(context, this.#observer === null ? 0 : this.#clock.monotonicMs());
  }

  /** A deadline passed that may have been moved meanwhile by what the request did. */
  onDeadline(context: RequestContext, nowMs: number): void {
    const cause = this.#timeouts.causeAt(context, nowMs);
    if (cause !== TimeoutCause.NONE) {
      this.#timeOut(context, cause);
      return;
    }
    context.deadlineMs = this.#timeouts.nextDeadlineMs(context);
    this.#wheel.add(context, nowMs);
  }

  /** Resolves once nothing is inside, tunnels included. One caller at a time. */
  whenDone(): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.#inFlight > 0) return;
        this.#onCountChange = null;
        resolve();
      };
      this.#onCountChange = check;
      check();
    });
  }

  /** Stops the timer. Requests still inside time out no more. */
  stop(): void {
    this.#wheel.stop();
  }

  #count(context: RequestContext, nowMs: number): void {
    const proxied =
      context.exchange.header(headers.PROXY_REQUEST_KEY) === headers.PROXY_REQUEST_ACTIVATOR;
    context.flags |= proxied ? RequestFlag.COUNTED | RequestFlag.PROXIED : RequestFlag.COUNTED;
    this.#deps.accounting.arrive(nowMs, proxied);
  }

  #admit(context: RequestContext, nowMs: number): void {
    if (this.#timeouts.totalMs === 0) {
      this.#timeOut(context, TimeoutCause.TOTAL);
      return;
    }
    context.deadlineMs = this.#timeouts.firstDeadlineMs(context.arrivedAtMs);
    this.#wheel.add(context, nowMs);
    if (this.gate === null || (context.flags & RequestFlag.BYPASS) !== 0) {
      this.#forward(context, nowMs);
      return;
    }
    const admission = this.gate.acquire(context);
    if (admission === Admission.ADMITTED) this.#forward(context, nowMs);
    else if (admission === Admission.FULL) answerError(context.exchange, ERRORS.QUEUE_FULL);
  }

  #forward(context: RequestContext, nowMs: number): void {
    const { exchange, flags, observation } = context;
    const edits = requestEdits(exchange, (flags & RequestFlag.BYPASS) === 0);
    exchange.forward(
      this.#deps.app,
      observation === null ? edits : this.#observer!.forward(observation, edits, nowMs),
    );
  }

  #markWritten(context: RequestContext): void {
    context.flags |= RequestFlag.WRITTEN;
    if (this.#timeouts.tracksWrites) context.lastWriteAtMs = Math.floor(this.#clock.monotonicMs());
  }

  #timeOut(context: RequestContext, cause: TimeoutCause): void {
    const exchange = context.exchange;
    this.#deps.logger.warn({ code: ERRORS.REQUEST_TIMEOUT.code }, this.#timeoutTexts[cause]!);
    // Nothing honest can follow a started answer: cut it, so that nobody takes it for whole.
    if (exchange.responseStarted) {
      exchange.abort();
      return;
    }
    if (this.gate !== null) this.gate.cancel(context);
    if (context.observation !== null) {
      this.#observer!.fail(context.observation, ERRORS.REQUEST_TIMEOUT.code);
    }
    exchange.cancelForward();
    answerError(exchange, ERRORS.REQUEST_TIMEOUT);
  }

  /** Gives a request that ends in layer 3 a context that holds nothing but what is observed. */
  #observeOnly(exchange: Exchange, observation: Observation): void {
    const context = new RequestContext(this, exchange, Math.floor(observation.startMs));
    context.flags = RequestFlag.ANSWERED_HERE;
    context.observation = observation;
    exchange.context = context;
  }

  /** QP-21, in the order of its table. */
  #answerHealthCheck(exchange: Exchange): void {
    if (this.#deps.drainer.draining) {
      answerError(exchange, ERRORS.SHUTTING_DOWN);
      return;
    }
    const value = exchange.header(headers.NETWORK_PROBE_KEY);
    if (value !== headers.QUEUE_PROBE_VALUE) {
      const error = ERRORS.PROBE_HEADER_UNEXPECTED;
      answerErrorText(exchange, error, error.message + value);
      return;
    }
    void this.#deps.isAppReady().then((ready) => {
      if (exchange.ended) return;
      if (ready) exchange.respond(200, TEXT_HEADERS, headers.QUEUE_PROBE_VALUE);
      else answerError(exchange, ERRORS.NOT_READY);
    });
  }

  #answerNetworkProbe(exchange: Exchange): void {
    if (this.#deps.drainer.draining) {
      answerError(exchange, ERRORS.SHUTTING_DOWN);
      return;
    }
    const hash = exchange.header(headers.NETWORK_HASH_KEY);
    if (hash === '') answerError(exchange, ERRORS.PROBE_HASH_MISSING);
    else exchange.respond(200, `${headers.NETWORK_HASH_HEADER}: ${hash}\r\n`, '');
  }
}

/** QP-26. Null: below 1 nothing is limited. */
export function createGate(containerConcurrency: number): Gate | null {
  if (containerConcurrency < 1) return null;
  return Gate.create(containerConcurrency, waitLimitFor(containerConcurrency));
}

export function waitLimitFor(containerConcurrency: number): number {
  return Math.min(MAX_GATE_LIMIT, containerConcurrency * QUEUE_DEPTH_PER_SLOT);
}

function goDuration(ms: number): string {
  return formatDurationNs(ms * NS_PER_MS);
}
