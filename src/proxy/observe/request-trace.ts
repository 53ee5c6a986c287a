// What every data-plane role's spans share (QP-153, QP-154, ACT-208): reading the client's trace,
// making the identifiers, the attributes of the server span. A request that is not sampled has only
// its trace identifier, because the next hop is told about it all the same (QP-70).
// Hot when tracing is on; building spans is for sampled requests only.

import type { Labels } from '../../telemetry/metric-series.ts';
import type { Span, SpanKind } from '../../telemetry/span.ts';
import {
  formatTraceparent,
  newSpanId,
  newTraceId,
  parseTraceparent,
  type Sampler,
} from '../../telemetry/trace-context.ts';
import { CompiledHeaderEdits } from '../header-edits.ts';
import type { Exchange, HeaderEdits } from '../types.ts';
import { splitHost } from './http-metrics.ts';

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

export interface TraceStarterDeps {
  readonly random: () => number;
  readonly sampler: Sampler;
  /** Unix time minus monotonic time, now. */
  readonly offsetMs: () => number;
}

/** What the outermost layer recorded, for the server span. */
export interface ServerAnswer {
  readonly status: number;
  readonly bodyBytes: number;
}

/** One span before it has its trace; times are monotonic milliseconds. */
export interface SpanDraft {
  readonly name: string;
  readonly kind: SpanKind;
  readonly spanId: string;
  readonly parentId: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes?: Labels;
  readonly isError?: boolean;
}

/** Begins traces and carries them to the next hop. */
export class TraceStarter {
  readonly #deps: TraceStarterDeps;
  /** Edits that also replace the trace headers, by the set of names the original ones drop. */
  readonly #traced = new WeakMap<ReadonlySet<string>, CompiledHeaderEdits>();
  readonly #tracedAnew = new WeakMap<ReadonlySet<string>, CompiledHeaderEdits>();

  constructor(deps: TraceStarterDeps) {
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

  newSpanId(): string {
    return newSpanId(this.#deps.random);
  }

  /** Edits that tell the next hop about the trace; the span they name exists from here on. */
  carry(trace: RequestTrace, edits: HeaderEdits): HeaderEdits {
    trace.clientId = this.newSpanId();
    const traceparent = formatTraceparent(trace.traceId, trace.clientId, trace.isSampled);
    const isNew = trace.parentId === '';
    const base = this.#editsFor(edits, isNew);
    return base.withValues(`${edits.add}Traceparent: ${traceparent}\r\n`, edits.host);
  }

  #editsFor(like: HeaderEdits, isNew: boolean): CompiledHeaderEdits {
    const known = isNew ? this.#tracedAnew : this.#traced;
    let edits = known.get(like.drop);
    if (edits === undefined) {
      // State that belongs to no valid parent must not travel on (W3C trace context 3.3.1.3).
      const names = isNew ? ['traceparent', 'tracestate'] : ['traceparent'];
      edits = new CompiledHeaderEdits({ ...like, drop: new Set([...like.drop, ...names]) });
      known.set(like.drop, edits);
    }
    return edits;
  }
}

/** The draft as part of its trace, in Unix time. */
export function toSpan(trace: RequestTrace, exchange: Exchange, draft: SpanDraft): Span {
  return {
    name: draft.name,
    kind: draft.kind,
    traceId: trace.traceId,
    spanId: draft.spanId,
    parentId: draft.parentId,
    traceState: trace.parentId === '' ? '' : exchange.header('tracestate'),
    startMs: draft.startMs + trace.offsetMs,
    endMs: draft.endMs + trace.offsetMs,
    attributes: draft.attributes ?? [],
    isError: draft.isError ?? false,
  };
}

/** `extra` are attributes of the role; those without a value are left out. */
export function serverAttributes(
  exchange: Exchange,
  answer: ServerAnswer,
  extra: Labels = [],
): Labels {
  const [address, port] = splitHost(exchange.host);
  const forwardedFor = exchange.header('x-forwarded-for').split(',', 1)[0]!.trim();
  const attributes: Labels = [
    ['http.request.method', exchange.method],
    ['url.scheme', exchange.isSecure === true ? 'https' : 'http'],
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
    ...extra,
  ];
  return attributes.filter(([, value]) => value !== '');
}

/** `peer` is `address:port`; `failure` '' = the upstream answered with `status`. */
export function clientAttributes(
  exchange: Exchange,
  peer: string,
  status: number,
  failure: string,
): Labels {
  const [address, port] = splitHost(peer);
  return [
    ['http.request.method', exchange.method],
    ['url.full', `http://${peer}${pathOf(exchange.target)}`],
    ['server.address', address],
    ['server.port', Number(port)],
    ['network.protocol.version', versionOf(exchange)],
    failure === '' ? ['http.response.status_code', status] : ['error.type', failure],
  ];
}

export function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

function versionOf(exchange: Exchange): string {
  return exchange.httpVersion === 20 ? '2' : `1.${exchange.httpVersion - 10}`;
}
