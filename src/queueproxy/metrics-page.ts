// All metrics of the sidecar together: those of every request plane added up, the queue's depth as
// it is now, the process (QP-145). Serves the Prometheus page and the OTLP push from the
// same numbers. Cold: runs per scrape or push.

import type { Clock } from '../clock/clock.ts';
import { METRICS, metricNamed } from '../telemetry/metric-definitions.ts';
import {
  type Labels,
  type MetricSnapshot,
  mergeSnapshots,
  reading,
} from '../telemetry/metric-series.ts';
import { ProcessReadings } from '../telemetry/process-readings.ts';
import { renderPrometheus, renderTargetInfo } from '../telemetry/prometheus-text.ts';
import { legacyCommonLabels, legacyQueueDepth } from './legacy-metrics.ts';
import type { QueueProxySettings } from './settings.ts';
import { resourceFor } from './telemetry.ts';

export interface MetricsPageDeps {
  readonly clock: Clock;
  /** Snapshots of all request planes. */
  readonly collect: () => Promise<readonly MetricSnapshot[]> | readonly MetricSnapshot[];
  /** Running + waiting requests, null when concurrency is unlimited. */
  readonly queueDepth: () => number | null;
  /** Requests refused for their framing. */
  readonly rejectedCount: () => number;
}

export class MetricsPage {
  readonly #deps: MetricsPageDeps;
  readonly #process: ProcessReadings;
  readonly #names: QueueProxySettings['observability']['metricNames'];
  readonly #resource: Labels;
  readonly #legacyLabels: Labels;
  #scrapeCount = 0;

  constructor(settings: QueueProxySettings, deps: MetricsPageDeps) {
    this.#deps = deps;
    this.#process = new ProcessReadings(deps.clock, settings.observability.runtimeIntervalMs);
    this.#names = settings.observability.metricNames;
    this.#resource = resourceFor(settings);
    this.#legacyLabels = legacyCommonLabels({ ...settings, serviceName: '' });
  }

  get resource(): Labels {
    return this.#resource;
  }

  /** What is pushed: everything but what only a scrape has. */
  async snapshot(): Promise<MetricSnapshot> {
    const { collect, queueDepth, rejectedCount } = this.#deps;
    const merged = mergeSnapshots(await collect());
    const depth = queueDepth();
    return [
      ...merged,
      ...(depth === null || this.#names === 'legacy' ? [] : [reading(METRICS.QUEUE_DEPTH, depth)]),
      ...(depth === null || this.#names === 'current' ? [] : [legacyQueueDepth(depth)]),
      reading(METRICS.REJECTED_REQUESTS, rejectedCount()),
      ...this.#process.snapshot(),
    ];
  }

  /** Prometheus text format 0.0.4. */
  async render(): Promise<string> {
    const snapshot = [...(await this.snapshot()), ...this.#handlerReadings()];
    const isLegacy = ({ metric }: { metric: string }) => metricNamed(metric).names === 'legacy';
    const older = snapshot.filter(isLegacy);
    const current = snapshot.filter((series) => !isLegacy(series));
    const info = this.#names === 'legacy' ? '' : renderTargetInfo(this.#resource);
    return info + renderPrometheus(current) + renderPrometheus(older, this.#legacyLabels);
  }

  /** As client libraries count their own scrapes; this one counts with the next. */
  #handlerReadings(): MetricSnapshot {
    const served = this.#scrapeCount;
    this.#scrapeCount += 1;
    return [
      reading(METRICS.HANDLER_REQUESTS, served, [['code', 200]]),
      reading(METRICS.HANDLER_IN_FLIGHT, 1),
    ];
  }
}
