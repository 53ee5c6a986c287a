// Metrics of requests (QP-139 to QP-150): current names, the older `revision_*` ones, or both. A
// series is found by one small integer packed from method, status, route tag and the like, so
// observing creates nothing once a series exists. Hosts and tags come from clients and are bounded
// . Hot when metrics are on: two to three observations per request.

import { BoundedNames } from '../proxy/observe/bounded-names.ts';
import type { Exchange } from '../proxy/types.ts';
import { METRICS } from '../telemetry/metric-definitions.ts';
import {
  cellsOf,
  type Labels,
  type MetricSnapshot,
  observe,
  SeriesGroup,
} from '../telemetry/metric-series.ts';
import { LegacyMetrics } from './legacy-metrics.ts';
import type { MetricNames } from './observability.ts';
import { routeTag } from './route-tag.ts';

const METHODS = [
  '_OTHER',
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
] as const;
const METHOD_NUMBERS: ReadonlyMap<string, number> = new Map(
  METHODS.map((method, number) => [method, number]),
);
const VERSIONS = ['1.0', '1.1', '2'] as const;
/** Statuses are below it, errors of the client side from it on. */
const FIRST_ERROR = 1000;

const SERVER = [
  METRICS.SERVER_DURATION,
  METRICS.SERVER_REQUEST_SIZE,
  METRICS.SERVER_RESPONSE_SIZE,
] as const;
const CLIENT = [METRICS.CLIENT_DURATION, METRICS.CLIENT_REQUEST_SIZE] as const;
const DURATIONS = METRICS.SERVER_DURATION.bounds;
const SIZES = METRICS.SERVER_REQUEST_SIZE.bounds;
const SECOND_AT = cellsOf(METRICS.SERVER_DURATION);
const THIRD_AT = SECOND_AT + cellsOf(METRICS.SERVER_REQUEST_SIZE);

/** What is known of a request sent to the app; an Observation is one. */
export interface SentRequest {
  readonly appStatus: number;
  /** Code of the error table; '' = the app answered. */
  readonly failure: string;
  readonly isProbe: boolean;
}

export class RequestMetrics {
  readonly #userPort: number;
  readonly #tags = new BoundedNames();
  readonly #hosts = new BoundedNames();
  readonly #errors = new BoundedNames();
  readonly #server = new SeriesGroup(SERVER, (key) => this.#serverLabels(key));
  readonly #client = new SeriesGroup(CLIENT, (key) => this.#clientLabels(key));
  readonly #app = new SeriesGroup([METRICS.INVOCATION_DURATION], (key) => statusLabel(key));
  readonly #hasCurrent: boolean;
  /** Null when only the current names are wanted. */
  readonly #legacy: LegacyMetrics | null;

  constructor(names: MetricNames, userPort: number) {
    this.#userPort = userPort;
    this.#hasCurrent = names !== 'legacy';
    this.#legacy = names === 'current' ? null : new LegacyMetrics();
  }

  /** Layer 1; not for probes. */
  observeServed(
    exchange: Exchange,
    status: number,
    responseBytes: number,
    durationMs: number,
  ): void {
    const tag = routeTag(exchange);
    if (this.#legacy !== null) this.#legacy.observeRequest(status, tag, durationMs);
    if (!this.#hasCurrent) return;
    const host = this.#hosts.numberOf(exchange.host);
    const cells = this.#server.at((this.#requestKey(exchange, status, tag) << 6) | host);
    observe(cells, 0, DURATIONS, durationMs / 1000);
    observe(cells, SECOND_AT, SIZES, exchange.requestBytes);
    observe(cells, THIRD_AT, SIZES, responseBytes);
  }

  /** Layer 12: until the app's head, or its failure. */
  observeSent(exchange: Exchange, sent: SentRequest, durationMs: number): void {
    if (!this.#hasCurrent) return;
    const { appStatus, failure, isProbe } = sent;
    const code = failure === '' ? appStatus : FIRST_ERROR + this.#errors.numberOf(failure);
    const tag = isProbe ? '' : routeTag(exchange);
    const cells = this.#client.at(this.#requestKey(exchange, code, tag));
    observe(cells, 0, DURATIONS, durationMs / 1000);
    observe(cells, SECOND_AT, SIZES, exchange.requestBytes);
  }

  /** Layer 10: from the slot to the end; not for probes. */
  observeInvocation(status: number, durationMs: number): void {
    if (this.#hasCurrent) observe(this.#app.at(status), 0, DURATIONS, durationMs / 1000);
    if (this.#legacy !== null) this.#legacy.observeInvocation(status, durationMs);
  }

  snapshot(): MetricSnapshot {
    return [
      ...this.#app.snapshot(),
      ...this.#server.snapshot(),
      ...this.#client.snapshot(),
      ...(this.#legacy?.snapshot() ?? []),
    ];
  }

  /** 23 bits: method 4, status or error 11, tag 6, version 2. */
  #requestKey(exchange: Exchange, code: number, tag: string): number {
    const method = METHOD_NUMBERS.get(exchange.method) ?? 0;
    const version = exchange.httpVersion === 20 ? 2 : exchange.httpVersion - 10;
    const known = code >= 0 && code < FIRST_ERROR + 64 ? code : 0;
    const tagNumber = tag === '' ? 0 : this.#tags.numberOf(tag);
    return (((((method << 11) | known) << 6) | tagNumber) << 2) | version;
  }

  #commonLabels(key: number): (readonly [string, string | number])[] {
    const code = (key >> 8) & 0x7ff;
    const tag = this.#tags.nameOf((key >> 2) & 0x3f);
    return [
      ['http.request.method', METHODS[key >> 19] ?? '_OTHER'],
      code < FIRST_ERROR
        ? ['http.response.status_code', code]
        : ['error.type', this.#errors.nameOf(code - FIRST_ERROR)],
      ...(tag === '' ? [] : [['kn.route.tag', tag] as const]),
      ['network.protocol.name', 'http'],
      ['network.protocol.version', VERSIONS[key & 3] ?? ''],
      ['url.scheme', 'http'],
    ];
  }

  #serverLabels(key: number): Labels {
    const [address, port] = splitHost(this.#hosts.nameOf(key & 0x3f));
    const labels = this.#commonLabels(key >> 6);
    labels.push(['server.address', address]);
    if (port !== '') labels.push(['server.port', Number(port)]);
    return labels;
  }

  #clientLabels(key: number): Labels {
    return [
      ...this.#commonLabels(key),
      ['server.address', '127.0.0.1'],
      ['server.port', this.#userPort],
    ];
  }
}

function statusLabel(status: number): Labels {
  return [['http.response.status_code', status]];
}

/** `name:port` or `[::1]:port` in two; the port may be absent. */
export function splitHost(host: string): [address: string, port: string] {
  const found = /^(\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(host);
  const address = found?.[1] ?? host;
  return [address.replace(/^\[(.*)\]$/, '$1'), found?.[2] ?? ''];
}
