// The spans of one request in the activator (ACT-208): the server's, throttler_try until capacity is
// granted, activator_proxy with the client's inside. A request held at zero pods also has one span
// per phase of the wake it waited for. Built when the request is over, for sampled requests only.

import {
  clientAttributes,
  pathOf,
  type RequestTrace,
  type ServerAnswer,
  type SpanDraft,
  serverAttributes,
  TraceStarter,
  type TraceStarterDeps,
  toSpan,
} from '../proxy/observe/request-trace.ts';
import type { Exchange } from '../proxy/types.ts';
import type { Labels } from '../telemetry/metric-series.ts';
import { type Span, SpanKind } from '../telemetry/span.ts';
import { WAKE_PHASES } from '../telemetry/wake.ts';
import type { Observation } from './activation-observer.ts';

export interface ActivationTracerDeps extends TraceStarterDeps {
  readonly onSpan: (span: Span) => void;
}

type Emit = (draft: SpanDraft) => void;

export class ActivationTracer extends TraceStarter {
  readonly #onSpan: (span: Span) => void;

  constructor(deps: ActivationTracerDeps) {
    super(deps);
    this.#onSpan = deps.onSpan;
  }

  /** In the order in which they complete. */
  finish(
    trace: RequestTrace,
    observation: Observation,
    exchange: Exchange,
    answer: ServerAnswer,
    endMs: number,
  ): void {
    const emit: Emit = (draft) => this.#onSpan(toSpan(trace, exchange, draft));
    const serverId = this.newSpanId();
    this.#finishTry(trace, observation, { serverId, endMs, emit });
    if (!Number.isNaN(observation.forwardedMs)) {
      this.#finishProxy(trace, observation, exchange, { serverId, endMs, emit });
    }
    const { identity } = observation.revision;
    emit(
      serverSpan(trace, serverId, [observation.startMs, endMs], exchange, answer, [
        ['kn.service.name', identity.service],
        ['kn.configuration.name', identity.configuration],
        ['kn.revision.name', identity.name],
        ['k8s.namespace.name', identity.namespace],
      ]),
    );
  }

  /** Only the server's span: nothing was looked for. */
  finishUnknown(
    trace: RequestTrace,
    exchange: Exchange,
    answer: ServerAnswer,
    nowMs: number,
  ): void {
    const draft = serverSpan(trace, this.newSpanId(), [nowMs, nowMs], exchange, answer, []);
    this.#onSpan(toSpan(trace, exchange, draft));
  }

  #finishTry(
    trace: RequestTrace,
    { startMs, grantedMs, wake }: Observation,
    { serverId, endMs, emit }: { serverId: string; endMs: number; emit: Emit },
  ): void {
    const spanId = this.newSpanId();
    const isGranted = !Number.isNaN(grantedMs);
    const triedMs = isGranted ? grantedMs : endMs;
    if (wake !== null) {
      let fromMs = startMs;
      for (const [index, phase] of WAKE_PHASES.entries()) {
        const atMs = wake.atMs[index]! - trace.offsetMs;
        // What was reached before this request came, or is not known, is no time it waited.
        if (!(atMs > fromMs && atMs <= triedMs)) continue;
        emit({
          name: `wake ${phase}`,
          kind: SpanKind.INTERNAL,
          spanId: this.newSpanId(),
          parentId: spanId,
          startMs: fromMs,
          endMs: atMs,
        });
        fromMs = atMs;
      }
    }
    emit({
      name: 'throttler_try',
      kind: SpanKind.INTERNAL,
      spanId,
      parentId: serverId,
      startMs,
      endMs: triedMs,
      isError: !isGranted,
    });
  }

  #finishProxy(
    trace: RequestTrace,
    { grantedMs, forwardedMs, settledMs, dest, appStatus, failure }: Observation,
    exchange: Exchange,
    { serverId, endMs, emit }: { serverId: string; endMs: number; emit: Emit },
  ): void {
    const proxyId = this.newSpanId();
    emit({
      name: `${exchange.method} ${pathOf(exchange.target)}`,
      kind: SpanKind.CLIENT,
      spanId: trace.clientId,
      parentId: proxyId,
      startMs: forwardedMs,
      endMs: failure === '' ? endMs : settledMs,
      attributes: clientAttributes(exchange, dest, appStatus, failure),
      isError: failure !== '' || appStatus >= 400,
    });
    emit({
      name: 'activator_proxy',
      kind: SpanKind.INTERNAL,
      spanId: proxyId,
      parentId: serverId,
      startMs: grantedMs,
      endMs,
    });
  }
}

function serverSpan(
  trace: RequestTrace,
  spanId: string,
  [startMs, endMs]: readonly [number, number],
  exchange: Exchange,
  answer: ServerAnswer,
  labels: Labels,
): SpanDraft {
  return {
    name: exchange.method,
    kind: SpanKind.SERVER,
    spanId,
    parentId: trace.parentId,
    startMs,
    endMs,
    attributes: serverAttributes(exchange, answer, labels),
    isError: answer.status >= 500,
  };
}
