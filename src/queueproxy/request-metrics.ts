// Metrics of requests (QP-139 to QP-150): current names, the older `revision_*` ones, or both.
// What every role has is in http-metrics.ts; here are the sidecar's own and which of them are
// wanted. Hot when metrics are on: two to three observations per request.

import { HttpMetrics, type SentRequest as SentOn } from '../proxy/observe/http-metrics.ts';
import type { Exchange } from '../proxy/types.ts';
import { METRICS } from '../telemetry/metric-definitions.ts';
import {
  type Labels,
  type MetricSnapshot,
  observe,
  SeriesGroup,
} from '../telemetry/metric-series.ts';
import { LegacyMetrics } from './legacy-metrics.ts';
import type { MetricNames } from './observability.ts';
import { routeTag } from './route-tag.ts';

const DURATIONS = METRICS.INVOCATION_DURATION.bounds;

/** What is known of a request sent to the app; an Observation is one. */
export interface SentRequest extends SentOn {
  readonly isProbe: boolean;
}

export class RequestMetrics {
  readonly #peer: string;
  readonly #http = new HttpMetrics();
  readonly #app = new SeriesGroup([METRICS.INVOCATION_DURATION], (key) => statusLabel(key));
  readonly #hasCurrent: boolean;
  /** Null when only the current names are wanted. */
  readonly #legacy: LegacyMetrics | null;

  constructor(names: MetricNames, userPort: number) {
    this.#peer = `127.0.0.1:${userPort}`;
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
    this.#http.observeServed(exchange, status, tag, responseBytes, durationMs);
  }

  /** Layer 12: until the app's head, or its failure. */
  observeSent(exchange: Exchange, sent: SentRequest, durationMs: number): void {
    if (!this.#hasCurrent) return;
    const tag = sent.isProbe ? '' : routeTag(exchange);
    this.#http.observeSent(exchange, sent, tag, this.#peer, durationMs);
  }

  /** Layer 10: from the slot to the end; not for probes. */
  observeInvocation(status: number, durationMs: number): void {
    if (this.#hasCurrent) observe(this.#app.at(status), 0, DURATIONS, durationMs / 1000);
    if (this.#legacy !== null) this.#legacy.observeInvocation(status, durationMs);
  }

  snapshot(): MetricSnapshot {
    return [...this.#app.snapshot(), ...this.#http.snapshot(), ...(this.#legacy?.snapshot() ?? [])];
  }
}

function statusLabel(status: number): Labels {
  return [['http.response.status_code', status]];
}
