// The autoscaler's metrics as they are when somebody asks (AS-184, AS-185): gauges are read from
// the Deciders, the pod counts and the status of the PodAutoscalers, so they are never stale and
// are gone with what they describe. Only scrapes are counted as they happen. Cold but for
// `noteScrape`, which runs once per scrape.

import type { PodAutoscaler } from '../api/autoscaling.ts';
import { CONFIGURATION_LABEL, REVISION_LABEL, SERVICE_LABEL } from '../api/labels.ts';
import type { Lister } from '../kube/types.ts';
import {
  AUTOSCALER_METRICS,
  LEGACY_SCRAPE_TIME,
  REVISION_GAUGES,
  SCRAPE_DURATION,
} from '../telemetry/autoscaler-metric-definitions.ts';
import { addMetrics } from '../telemetry/metric-definitions.ts';
import {
  cellsOf,
  type Labels,
  type MetricSnapshot,
  observe,
  reading,
  type Series,
} from '../telemetry/metric-series.ts';
import type { Decider, Deciders } from './deciders.ts';
import type { PodCounter, PodCounts } from './pod-counter.ts';
import { type PastDecision, readHistory, readState } from './row-decision.ts';
import { REASON } from './scale-decision.ts';

/** AS-187: which names gauges have. */
export type MetricNames = 'current' | 'legacy' | 'both';
/** Revisions in one snapshot; those made last are left out, or a page would take gigabytes. */
export const MAX_METRIC_REVISIONS = 10_000;

addMetrics(AUTOSCALER_METRICS);

export interface AutoscalerMetricsDeps {
  deciders: Deciders;
  pods: PodCounter;
  podAutoscalers: Lister<PodAutoscaler>;
}

type Values = Partial<Record<keyof typeof REVISION_GAUGES, number>>;

export class AutoscalerMetrics {
  readonly #deps: AutoscalerMetricsDeps;
  readonly #scrapeSeconds = new Float64Array(cellsOf(SCRAPE_DURATION));
  readonly #scrapeMs = new Float64Array(cellsOf(LEGACY_SCRAPE_TIME));

  constructor(deps: AutoscalerMetricsDeps) {
    this.#deps = deps;
  }

  /** A scrape that read something or failed. */
  noteScrape(durationMs: number): void {
    observe(this.#scrapeSeconds, 0, SCRAPE_DURATION.bounds, durationMs / 1000);
    observe(this.#scrapeMs, 0, LEGACY_SCRAPE_TIME.bounds, durationMs);
  }

  snapshot(names: MetricNames): MetricSnapshot {
    const series: Series[] = [];
    let count = 0;
    for (const decider of this.#deps.deciders.all()) {
      const pa = this.#deps.podAutoscalers.getByKey(decider.key);
      if (pa === undefined) continue;
      if (count === MAX_METRIC_REVISIONS) break;
      count += 1;
      const values = valuesOf(decider, pa, this.#deps.pods.counts(decider.key));
      if (names !== 'legacy') addGauges(series, values, 'current', labelsOf(pa));
      if (names !== 'current') addGauges(series, values, 'legacy', legacyLabelsOf(pa));
    }
    if (names !== 'legacy') series.push(histogram(SCRAPE_DURATION.name, this.#scrapeSeconds));
    if (names !== 'current') series.push(histogram(LEGACY_SCRAPE_TIME.name, this.#scrapeMs));
    return series;
  }
}

function histogram(metric: string, cells: Float64Array): Series {
  return { metric, labels: [], values: cells.slice() };
}

function addGauges(
  series: Series[],
  values: Values,
  names: 'current' | 'legacy',
  labels: Labels,
): void {
  for (const [gauge, value] of Object.entries(values)) {
    const definition = REVISION_GAUGES[gauge as keyof typeof REVISION_GAUGES][names];
    series.push(reading(definition, value, labels));
  }
}

/** AS-185: 0 before the first decision; invalid decisions change nothing. */
function valuesOf(decider: Decider, pa: PodAutoscaler, pods: PodCounts): Values {
  const { row, spec } = decider;
  const state = readState(row.slab.cells, row.at);
  const isDecided = state.recommendation >= 0;
  const last = readHistory(row.slab, row.at).find(isValid);
  const stable = last?.stable ?? 0;
  const panic = last?.panic ?? 0;
  const { target } = spec;
  const averages = spec.isRps
    ? { rpsStable: stable, rpsPanic: panic, rpsTarget: target }
    : { concurrencyStable: stable, concurrencyPanic: panic, concurrencyTarget: target };
  return {
    desired: isDecided ? state.recommendation : 0,
    excess: isDecided ? state.excessBurstCapacity : 0,
    panic: Number.isNaN(state.panicSinceMs) ? 0 : 1,
    ...averages,
    requested: pa.status?.desiredScale ?? 0, // Like the gauge, it keeps its value at -1 (AS-141).
    ready: pods.ready,
    notReady: pods.notReady,
    pending: pods.pending,
    terminating: pods.terminating,
  };
}

function isValid({ reason }: PastDecision): boolean {
  return reason !== REASON.noData && reason !== REASON.podsUncountable;
}

function labelsOf(pa: PodAutoscaler): Labels {
  const { labels = {}, name, namespace = '' } = pa.metadata;
  return [
    ['k8s.namespace.name', namespace],
    ['kn.service.name', labels[SERVICE_LABEL] ?? ''],
    ['kn.configuration.name', labels[CONFIGURATION_LABEL] ?? ''],
    ['kn.revision.name', labels[REVISION_LABEL] ?? name],
  ];
}

function legacyLabelsOf(pa: PodAutoscaler): Labels {
  const { labels = {}, name, namespace = '' } = pa.metadata;
  return [
    ['namespace_name', namespace],
    ['service_name', labels[SERVICE_LABEL] || 'unknown'],
    ['configuration_name', labels[CONFIGURATION_LABEL] ?? ''],
    ['revision_name', labels[REVISION_LABEL] ?? name],
  ];
}
