// The spans of one request (QP-153, QP-154): server, proxy, wait and client, each inside the one
// before. A request that is not sampled has only its trace identifier, because the app is told
// about it all the same (QP-70). Spans are built when the request is over. Hot when tracing is on;
// the building is for sampled requests only.

import type { Exchange } from '../proxy/types.ts';
import type { Labels } from '../telemetry/metric-series.ts';
import { type Span, SpanKind } from '../telemetry/span.ts';
import {
  formatTraceparent,
  newSpanId,
  newTraceId,
  parseTraceparent,
  type Sampler,
} from '../telemetry/trace-context.ts';
import { splitHost } from './request-metrics.ts';
import type { Observation } from './request-observer.ts';
import { routeTag } from './route-tag.ts';

export class RequestTrace {
  readonly traceId: string;
  /** Of the client's span; '' when the trace begins here. */
  readonly parentId: string;
  readonly isSampled: boolean;
  /** Unix time minus monotonic time; NaN when not sampled. */
  readonly offsetMs: number;
  clientId = '';

  constructor(traceId: string, parentId: string, isSampled: boolean, offsetMs: number) {
    this.traceId = traceId;
    this.parentId = parentId;
    this.isSampled = isSampled;
    this.offsetMs = offsetMs;
  }
}

export interface TracerDeps {
  readonly random: () => number;
  readonly sampler: Sampler;
  /** Unix time minus monotonic time, now. */
  readonly offsetMs: () => number;
  readonly onSpan: (span: Span) => void;
  readonly userPort: number;
  /** With it requests wait for a slot, and have a span for that. */
  readonly hasGate: boolean;
}

/** What the outermost layer recorded, for the server span. */
export interface ServerAnswer {
  readonly status: number;
  readonly bodyBytes: number;
}

export class RequestTracer {
  readonly #deps: TracerDeps;

  constructor(deps: TracerDeps) {
    this.#deps = deps;
  }

  start(exchange: Exchange): RequestTrace {
    const { random, sampler, offsetMs } = this.#deps;
    const parent = parseTraceparent(exchange.header('traceparent'));
    const traceId = parent === null ? newTraceId(random) : parent.traceId;
    const isSampled = sampler.isSampled(traceId, parent);
    return new RequestTrace(
      traceId,
      parent === null ? '' : parent.spanId,
      isSampled,
      isSampled ? offsetMs() : Number.NaN,
    );
  }

  /** Value of the header the app gets; the span it names exists from here on. */
  traceparent(trace: RequestTrace): string {
    trace.clientId = newSpanId(this.#deps.random);
    return formatTraceparent(trace.traceId, trace.clientId, trace.isSampled);
  }

  /** In the order in which they complete. */
  finish(
    trace: RequestTrace,
    observation: Observation,
    exchange: Exchange,
    answer: ServerAnswer,
    endMs: number,
  ): void {
    const { random, onSpan, hasGate } = this.#deps;
    const serverId = newSpanId(random);
    const span = (
      name: string,
      kind: SpanKind,
      [spanId, parentId]: readonly [string, string],
      [startMs, stopMs]: readonly [number, number],
      attributes: Labels = [],
      isError = false,
    ): Span => ({
      name,
      kind,
      traceId: trace.traceId,
      spanId,
      parentId,
      traceState: trace.parentId === '' ? '' : exchange.header('tracestate'),
      startMs: startMs + trace.offsetMs,
      endMs: stopMs + trace.offsetMs,
      attributes,
      isError,
    });
    if (!Number.isNaN(observation.enteredMs)) {
      const proxyId = newSpanId(random);
      let innerId = proxyId;
      const { enteredMs, forwardedMs, failure, appStatus } = observation;
      if (hasGate) {
        innerId = newSpanId(random);
        const grantedMs = Number.isNaN(forwardedMs) ? endMs : forwardedMs;
        onSpan(
          span('kn.queueproxy.wait', SpanKind.INTERNAL, [innerId, proxyId], [enteredMs, grantedMs]),
        );
      }
      if (trace.clientId !== '') {
        const stopMs = failure === '' ? endMs : observation.settledMs;
        onSpan(
          span(
            `HTTP ${exchange.method}`,
            SpanKind.CLIENT,
            [trace.clientId, innerId],
            [forwardedMs, stopMs],
            this.#clientAttributes(exchange, appStatus, failure),
            failure !== '' || appStatus >= 400,
          ),
        );
      }
      onSpan(
        span('kn.queueproxy.proxy', SpanKind.INTERNAL, [proxyId, serverId], [enteredMs, endMs]),
      );
    }
    onSpan(
      span(
        exchange.method,
        SpanKind.SERVER,
        [serverId, trace.parentId],
        [observation.startMs, endMs],
        serverAttributes(exchange, answer),
        answer.status >= 500,
      ),
    );
  }

  #clientAttributes(exchange: Exchange, status: number, failure: string): Labels {
    const { userPort } = this.#deps;
    return [
      ['http.request.method', exchange.method],
      ['url.full', `http://127.0.0.1:${userPort}${pathOf(exchange.target)}`],
      ['server.address', '127.0.0.1'],
      ['server.port', userPort],
      ['network.protocol.version', versionOf(exchange)],
      failure === '' ? ['http.response.status_code', status] : ['error.type', failure],
    ];
  }
}

function serverAttributes(exchange: Exchange, answer: ServerAnswer): Labels {
  const [address, port] = splitHost(exchange.host);
  const forwardedFor = exchange.header('x-forwarded-for').split(',', 1)[0]!.trim();
  const attributes: Labels = [
    ['http.request.method', exchange.method],
    ['url.scheme', 'http'],
    ['url.path', pathOf(exchange.target)],
    ['server.address', address],
    ...(port === '' ? [] : [['server.port', Number(port)] as const]),
    ['network.peer.address', exchange.remoteAddress],
    ['network.peer.port', exchange.remotePort],
    ['client.address', forwardedFor || exchange.remoteAddress],
    ['user_agent.original', exchange.header('user-agent')],
    ['network.protocol.version', versionOf(exchange)],
    ['http.response.status_code', answer.status],
    ['http.response.body.size', answer.bodyBytes],
    ['kn.route.tag', routeTag(exchange)],
  ];
  return attributes.filter(([, value]) => value !== '');
}

function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

function versionOf(exchange: Exchange): string {
  return exchange.httpVersion === 20 ? '2' : `1.${exchange.httpVersion - 10}`;
}
