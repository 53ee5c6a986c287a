// What is measured of one revision (ACT-201, ACT-202, ACT-207): HTTP metrics under their present
// names, the older ones, or both; how long its wakes take by phase. Made with the revision's first
// request while metrics are on, so observing looks nothing up. Hot when metrics are on.

import { HttpMetrics, type SentRequest } from '../proxy/observe/http-metrics.ts';
import type { Exchange } from '../proxy/types.ts';
import { ACTIVATOR } from '../telemetry/activator-metric-definitions.ts';
import {
  type Labels,
  type MetricSnapshot,
  observe,
  reading,
  type Series,
  SeriesGroup,
} from '../telemetry/metric-series.ts';
import { WAKE_PHASES, type WakeTimeline } from '../telemetry/wake.ts';

/** Which names metrics have; `both` doubles the work per request. */
export type MetricNames = 'current' | 'legacy' | 'both';

export interface RevisionIdentity {
  readonly namespace: string;
  readonly name: string;
  /** '' when the revision belongs to none, as the next one. */
  readonly service: string;
  readonly configuration: string;
}

const LEGACY_BOUNDS = ACTIVATOR.LEGACY_LATENCIES.bounds;
/** Every group of older names is a counter of one cell, then the histogram. */
const LATENCIES_AT = 1;
const QUEUED = WAKE_PHASES.indexOf('queued');
const FIRST_BYTE = WAKE_PHASES.indexOf('first byte');
const WAKE_BOUNDS = ACTIVATOR.WAKE.bounds;

export class RevisionMetrics {
  readonly #identity: RevisionIdentity;
  readonly #labels: Labels;
  readonly #legacyLabels: Labels;
  /** Null when only the older names are wanted. */
  readonly #http: HttpMetrics | null;
  /** Null when only the current names are wanted. */
  readonly #legacy: SeriesGroup | null;
  readonly #wakes: SeriesGroup;
  /** Average of the last report; NaN = none yet (ACT-133). */
  #concurrency = Number.NaN;

  constructor(identity: RevisionIdentity, names: MetricNames, podName: string) {
    this.#identity = identity;
    this.#labels = [
      ['kn.service.name', identity.service],
      ['kn.configuration.name', identity.configuration],
      ['kn.revision.name', identity.name],
      ['k8s.namespace.name', identity.namespace],
    ];
    this.#http = names === 'legacy' ? null : new HttpMetrics(this.#labels);
    const legacyLabels = legacyLabelsOf(identity, podName);
    this.#legacy =
      names === 'current'
        ? null
        : new SeriesGroup([ACTIVATOR.LEGACY_COUNT, ACTIVATOR.LEGACY_LATENCIES], (status) => [
            ...legacyLabels,
            ['response_code', status],
            ['response_code_class', `${Math.floor(status / 100)}xx`],
          ]);
    this.#wakes = new SeriesGroup([ACTIVATOR.WAKE], (phase) => [
      ...this.#labels,
      ['phase', WAKE_PHASES[phase]!],
    ]);
    this.#legacyLabels = legacyLabels;
  }

  /** The whole request, as its client saw it. */
  observeServed(
    exchange: Exchange,
    status: number,
    responseBytes: number,
    durationMs: number,
  ): void {
    this.#http?.observeServed(exchange, status, '', responseBytes, durationMs);
    const cells = this.#legacy?.at(status);
    if (cells === undefined) return;
    cells[0]! += 1;
    observe(cells, LATENCIES_AT, LEGACY_BOUNDS, Math.trunc(durationMs));
  }

  /** One attempt at one pod, until its answer head or its failure. */
  observeSent(exchange: Exchange, sent: SentRequest, dest: string, durationMs: number): void {
    this.#http?.observeSent(exchange, sent, '', dest, durationMs);
  }

  /** A request held at zero pods ended; `firstByteAtMs` NaN = without an answer. */
  observeWake(timeline: WakeTimeline, arrivedAtMs: number, firstByteAtMs: number): void {
    for (let phase = 0; phase < WAKE_PHASES.length; phase += 1) {
      const atMs = phase === FIRST_BYTE ? firstByteAtMs : timeline.atMs[phase]!;
      const sinceMs = phase === QUEUED ? 0 : Math.max(0, atMs - arrivedAtMs);
      if (!Number.isNaN(sinceMs)) observe(this.#wakes.at(phase), 0, WAKE_BOUNDS, sinceMs / 1000);
    }
  }

  noteConcurrency(average: number): void {
    this.#concurrency = average;
  }

  /**
   * `queued` and `active` are read from the throttler when somebody asks (ACT-203); null leaves
   * them out, as in a thread that is not the one to tell.
   */
  snapshot(gauges: { queued: number; active: number } | null): MetricSnapshot {
    const series: Series[] = [];
    if (this.#http !== null) {
      const short: Labels = [
        ['k8s.namespace.name', this.#identity.namespace],
        ['kn.revision.name', this.#identity.name],
      ];
      if (gauges !== null) {
        series.push(reading(ACTIVATOR.QUEUED, gauges.queued, short));
        series.push(reading(ACTIVATOR.ACTIVE, gauges.active, short));
      }
      if (!Number.isNaN(this.#concurrency)) {
        series.push(reading(ACTIVATOR.CONCURRENCY, this.#concurrency, this.#labels));
      }
      series.push(...this.#http.snapshot());
    }
    if (this.#legacy !== null) {
      if (!Number.isNaN(this.#concurrency)) {
        series.push(reading(ACTIVATOR.LEGACY_CONCURRENCY, this.#concurrency, this.#legacyLabels));
      }
      series.push(...this.#legacy.snapshot());
    }
    series.push(...this.#wakes.snapshot());
    return series;
  }
}

/** ACT-207. */
function legacyLabelsOf(identity: RevisionIdentity, podName: string): Labels {
  return [
    ['namespace_name', identity.namespace],
    ['service_name', identity.service || 'unknown'],
    ['configuration_name', identity.configuration],
    ['revision_name', identity.name],
    ['pod_name', podName],
    ['container_name', 'activator'],
  ];
}
