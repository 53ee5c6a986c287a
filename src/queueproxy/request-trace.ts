// The spans of one request in the sidecar (QP-153, QP-154): server, proxy, wait and client, each
// inside the one before. Spans are built when the request is over. Hot when tracing is on; the
// building is for sampled requests only.

import {
  clientAttributes,
  type RequestTrace,
  type ServerAnswer,
  type SpanDraft,
  serverAttributes,
  TraceStarter,
  type TraceStarterDeps,
  toSpan,
} from '../proxy/observe/request-trace.ts';
import type { Exchange } from '../proxy/types.ts';
import { type Span, SpanKind } from '../telemetry/span.ts';
import type { Observation } from './request-observer.ts';
import { routeTag } from './route-tag.ts';

export interface TracerDeps extends TraceStarterDeps {
  readonly onSpan: (span: Span) => void;
  readonly userPort: number;
  /** With it requests wait for a slot, and have a span for that. */
  readonly hasGate: boolean;
}

export class RequestTracer extends TraceStarter {
  readonly #onSpan: (span: Span) => void;
  readonly #peer: string;
  readonly #hasGate: boolean;

  constructor(deps: TracerDeps) {
    super(deps);
    this.#onSpan = deps.onSpan;
    this.#peer = `127.0.0.1:${deps.userPort}`;
    this.#hasGate = deps.hasGate;
  }

  /** In the order in which they complete. */
  finish(
    trace: RequestTrace,
    observation: Observation,
    exchange: Exchange,
    answer: ServerAnswer,
    endMs: number,
  ): void {
    const serverId = this.newSpanId();
    const emit = (draft: SpanDraft): void => this.#onSpan(toSpan(trace, exchange, draft));
    if (!Number.isNaN(observation.enteredMs)) {
      this.#finishInner(trace, observation, exchange, { serverId, endMs, emit });
    }
    emit({
      name: exchange.method,
      kind: SpanKind.SERVER,
      spanId: serverId,
      parentId: trace.parentId,
      startMs: observation.startMs,
      endMs,
      attributes: serverAttributes(exchange, answer, [['kn.route.tag', routeTag(exchange)]]),
      isError: answer.status >= 500,
    });
  }

  #finishInner(
    trace: RequestTrace,
    observation: Observation,
    exchange: Exchange,
    outer: { serverId: string; endMs: number; emit: (draft: SpanDraft) => void },
  ): void {
    const { enteredMs, forwardedMs, failure, appStatus } = observation;
    const { serverId, endMs, emit } = outer;
    const proxyId = this.newSpanId();
    let innerId = proxyId;
    if (this.#hasGate) {
      innerId = this.newSpanId();
      emit({
        name: 'kn.queueproxy.wait',
        kind: SpanKind.INTERNAL,
        spanId: innerId,
        parentId: proxyId,
        startMs: enteredMs,
        endMs: Number.isNaN(forwardedMs) ? endMs : forwardedMs,
      });
    }
    if (trace.clientId !== '') {
      emit({
        name: `HTTP ${exchange.method}`,
        kind: SpanKind.CLIENT,
        spanId: trace.clientId,
        parentId: innerId,
        startMs: forwardedMs,
        endMs: failure === '' ? endMs : observation.settledMs,
        attributes: clientAttributes(exchange, this.#peer, appStatus, failure),
        isError: failure !== '' || appStatus >= 400,
      });
    }
    emit({
      name: 'kn.queueproxy.proxy',
      kind: SpanKind.INTERNAL,
      spanId: proxyId,
      parentId: serverId,
      startMs: enteredMs,
      endMs,
    });
  }
}
