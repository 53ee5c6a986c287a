// The HTTP metrics of OpenTelemetry for requests served and requests sent on (QP-140, QP-143,
// ACT-201, ACT-202). A series is found by one small integer packed from method, status, route tag
// and host, so observing creates nothing once a series exists. Hosts and tags come from clients and
// are bounded. Hot when metrics are on: two observations per request.

import { METRICS } from '../../telemetry/metric-definitions.ts';
import {
  cellsOf,
  type Labels,
  type MetricSnapshot,
  observe,
  SeriesGroup,
} from '../../telemetry/metric-series.ts';
import type { Exchange } from '../types.ts';
import { BoundedNames } from './bounded-names.ts';

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

/** What is known of a request sent on. */
export interface SentRequest {
  /** Of the upstream's head; 0 = none came. */
  readonly appStatus: number;
  /** Code of the error table; '' = the upstream answered. */
  readonly failure: string;
}

/** Bit of a series' key: the client spoke TLS. */
const SECURE = 1 << 29;

export class HttpMetrics {
  /** What every series carries besides. */
  readonly #labels: Labels;
  readonly #tags = new BoundedNames();
  readonly #hosts = new BoundedNames();
  readonly #peers = new BoundedNames();
  readonly #errors = new BoundedNames();
  readonly #server = new SeriesGroup(SERVER, (key) => this.#labelsOf(key, this.#hosts));
  readonly #client = new SeriesGroup(CLIENT, (key) => this.#labelsOf(key, this.#peers));

  constructor(labels: Labels = []) {
    this.#labels = labels;
  }

  /** `tag` '' = the role knows no route tags. */
  observeServed(
    exchange: Exchange,
    status: number,
    tag: string,
    responseBytes: number,
    durationMs: number,
  ): void {
    const host = this.#hosts.numberOf(exchange.host);
    const secure = exchange.isSecure === true ? SECURE : 0;
    const cells = this.#server.at(secure | (this.#requestKey(exchange, status, tag) << 6) | host);
    observe(cells, 0, DURATIONS, durationMs / 1000);
    observe(cells, SECOND_AT, SIZES, exchange.requestBytes);
    observe(cells, THIRD_AT, SIZES, responseBytes);
  }

  /** Until the upstream's head, or its failure. `peer` is `address:port`. */
  observeSent(
    exchange: Exchange,
    sent: SentRequest,
    tag: string,
    peer: string,
    durationMs: number,
  ): void {
    const { appStatus, failure } = sent;
    const code = failure === '' ? appStatus : FIRST_ERROR + this.#errors.numberOf(failure);
    const key = (this.#requestKey(exchange, code, tag) << 6) | this.#peers.numberOf(peer);
    const cells = this.#client.at(key);
    observe(cells, 0, DURATIONS, durationMs / 1000);
    observe(cells, SECOND_AT, SIZES, exchange.requestBytes);
  }

  snapshot(): MetricSnapshot {
    return [...this.#server.snapshot(), ...this.#client.snapshot()];
  }

  /** 23 bits: method 4, status or error 11, tag 6, version 2. */
  #requestKey(exchange: Exchange, code: number, tag: string): number {
    const method = METHOD_NUMBERS.get(exchange.method) ?? 0;
    const version = exchange.httpVersion === 20 ? 2 : exchange.httpVersion - 10;
    const known = code >= 0 && code < FIRST_ERROR + 64 ? code : 0;
    const tagNumber = tag === '' ? 0 : this.#tags.numberOf(tag);
    return (((((method << 11) | known) << 6) | tagNumber) << 2) | version;
  }

  #labelsOf(key: number, hosts: BoundedNames): Labels {
    const request = key >> 6;
    const code = (request >> 8) & 0x7ff;
    const tag = this.#tags.nameOf((request >> 2) & 0x3f);
    const [address, port] = splitHost(hosts.nameOf(key & 0x3f));
    return [
      ['http.request.method', METHODS[(request >> 19) & 15] ?? '_OTHER'],
      code < FIRST_ERROR
        ? ['http.response.status_code', code]
        : ['error.type', this.#errors.nameOf(code - FIRST_ERROR)],
      ...(tag === '' ? [] : [['kn.route.tag', tag] as const]),
      ['network.protocol.name', 'http'],
      ['network.protocol.version', VERSIONS[request & 3] ?? ''],
      ['url.scheme', (key & SECURE) === 0 ? 'http' : 'https'],
      ['server.address', address],
      ...(port === '' ? [] : [['server.port', Number(port)] as const]),
      ...this.#labels,
    ];
  }
}

/** `name:port` or `[::1]:port` in two; the port may be absent. */
export function splitHost(host: string): [address: string, port: string] {
  const found = /^(\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(host);
  const address = found?.[1] ?? host;
  return [address.replace(/^\[(.*)\]$/, '$1'), found?.[2] ?? ''];
}
