// The metrics up to 1.18 (QP-148 to QP-150), for dashboards still in use: counters and histograms
// of whole milliseconds with the prefix `revision_`. Hot when switched on.

import { BoundedNames } from '../proxy/observe/bounded-names.ts';
import { METRICS } from '../telemetry/metric-definitions.ts';
import {
  type Labels,
  type MetricSnapshot,
  observe,
  reading,
  type Series,
  SeriesGroup,
} from '../telemetry/metric-series.ts';
import type { MetricsIdentity } from './metrics-identity.ts';
import { legacyRouteTag } from './route-tag.ts';

const BOUNDS = METRICS.LEGACY_REQUEST_LATENCIES.bounds;
/** Every group is a counter of one cell, then the histogram. */
const LATENCIES_AT = 1;

export class LegacyMetrics {
  readonly #tags = new BoundedNames();
  readonly #requests = new SeriesGroup(
    [METRICS.LEGACY_REQUEST_COUNT, METRICS.LEGACY_REQUEST_LATENCIES],
    (key) => [
      ...classLabels(key >> 6),
      ['route_tag', legacyRouteTag(this.#tags.nameOf(key & 0x3f))] as const,
    ],
  );
  readonly #invocations = new SeriesGroup(
    [METRICS.LEGACY_APP_REQUEST_COUNT, METRICS.LEGACY_APP_REQUEST_LATENCIES],
    classLabels,
  );

  observeRequest(status: number, tag: string, durationMs: number): void {
    count(this.#requests.at((status << 6) | this.#tags.numberOf(tag)), durationMs);
  }

  observeInvocation(status: number, durationMs: number): void {
    count(this.#invocations.at(status), durationMs);
  }

  snapshot(): MetricSnapshot {
    return [...this.#requests.snapshot(), ...this.#invocations.snapshot()];
  }
}

/** The gauge of QP-148, its labels empty. */
export function legacyQueueDepth(depth: number): Series {
  return reading(METRICS.LEGACY_QUEUE_DEPTH, depth, [
    ['response_code', ''],
    ['response_code_class', ''],
  ]);
}

/** What every series of this form carries. */
export function legacyCommonLabels(identity: MetricsIdentity): Labels {
  return [
    ['namespace_name', identity.namespace],
    ['service_name', identity.service || 'unknown'],
    ['configuration_name', identity.configuration],
    ['revision_name', identity.revision],
    ['pod_name', identity.podName],
    ['container_name', 'queue-proxy'],
  ];
}

function count(cells: Float64Array, durationMs: number): void {
  cells[0]! += 1;
  observe(cells, LATENCIES_AT, BOUNDS, Math.trunc(durationMs));
}

function classLabels(status: number): Labels {
  return [
    ['response_code', status],
    ['response_code_class', `${Math.floor(status / 100)}xx`],
  ];
}
