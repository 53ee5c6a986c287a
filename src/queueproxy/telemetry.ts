// Request log, metrics and traces of one request plane (QP-127 to QP-159), made from settings that
// can be copied between threads: every thread has its own, and hands its metrics over as a
// snapshot. Nothing exists when all three are off. The hot part is the observer; the rest is set-up
// and exit.

import type { Clock } from '../clock/clock.ts';
import { RequestLog } from '../proxy/observe/request-log/request-log.ts';
import { openSpanExporter, samplerOf, type TracingSettings } from '../proxy/observe/span-outlet.ts';
import { LineOutput, type LineSink } from '../telemetry/line-output.ts';
import type { Logger } from '../telemetry/logger.ts';
import { METRICS } from '../telemetry/metric-definitions.ts';
import { type MetricSnapshot, reading, type Series } from '../telemetry/metric-series.ts';
import type { SpanExporter } from '../telemetry/span-exporter.ts';
import { resourceOf } from './metrics-identity.ts';
import { RequestMetrics } from './request-metrics.ts';
import type { RequestObserver } from './request-observer.ts';
import { RequestTracer } from './request-trace.ts';
import type { QueueProxySettings } from './settings.ts';
import { TelemetryObserver } from './telemetry-observer.ts';

export interface TelemetryDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  /** Where request log and stdout traces go; default stdout. */
  readonly output?: LineSink;
}

/** QP-123: how long log lines and spans may take to leave at the end. */
const FLUSH_LIMIT_MS = 10_000;

export class Telemetry {
  readonly observer: RequestObserver;
  readonly #clock: Clock;
  readonly #metrics: RequestMetrics | null;
  readonly #exporter: SpanExporter | null;
  readonly #output: LineSink;

  private constructor(
    parts: { metrics: RequestMetrics | null; log: RequestLog | null; tracer: RequestTracer | null },
    exporter: SpanExporter | null,
    output: LineSink,
    clock: Clock,
  ) {
    this.observer = new TelemetryObserver({ clock, ...parts });
    this.#clock = clock;
    this.#metrics = parts.metrics;
    this.#exporter = exporter;
    this.#output = output;
  }

  /** Null when nothing is observed. */
  static create(settings: QueueProxySettings, deps: TelemetryDeps): Telemetry | null {
    const { observability } = settings;
    const output = deps.output ?? new LineOutput(deps.clock);
    const log = createLog(settings, output, deps.logger);
    const metrics = hasMetrics(settings)
      ? new RequestMetrics(observability.metricNames, settings.userPort)
      : null;
    const exporter = createExporter(settings, output, deps);
    if (log === null && metrics === null && exporter === null) return null;
    const { tracing } = observability;
    const tracer =
      exporter === null || tracing === null
        ? null
        : createTracer(settings, tracing, exporter, deps);
    return new Telemetry({ log, metrics, tracer }, exporter, output, deps.clock);
  }

  /** What this plane counted; plain data. */
  snapshot(): MetricSnapshot {
    const series: Series[] = [...(this.#metrics?.snapshot() ?? [])];
    if (this.#exporter !== null) {
      series.push(reading(METRICS.DROPPED_SPANS, this.#exporter.droppedCount));
    }
    if (this.#output instanceof LineOutput) {
      series.push(reading(METRICS.DROPPED_LOG_LINES, this.#output.droppedCount));
    }
    return series;
  }

  /** Lets out what is still inside, for at most ten seconds. */
  async stop(): Promise<void> {
    let expire: () => void = () => undefined;
    const expired = new Promise<void>((resolve) => {
      expire = resolve;
    });
    const timer = this.#clock.setTimer(FLUSH_LIMIT_MS, expire);
    await Promise.race([this.#flush(), expired]);
    timer.cancel();
    await this.#exporter?.stop();
  }

  async #flush(): Promise<void> {
    await this.#exporter?.flush();
    if (this.#output instanceof LineOutput) await this.#output.flush();
  }
}

export function hasMetrics({ metrics, observability }: QueueProxySettings): boolean {
  return metrics !== null || observability.push !== null;
}

function createLog(
  settings: QueueProxySettings,
  output: LineSink,
  logger: Logger,
): RequestLog | null {
  const { requestLog } = settings.observability;
  if (requestLog === null) return null;
  const { revision, namespace, service, configuration, podName, podIp } = settings;
  const identity = { name: revision, namespace, service, configuration, podName, podIp };
  return RequestLog.create({ ...requestLog, revision: identity }, output, logger);
}

function createExporter(
  settings: QueueProxySettings,
  output: LineSink,
  { clock, random, logger }: TelemetryDeps,
): SpanExporter | null {
  const { tracing, variables } = settings.observability;
  if (tracing === null) return null;
  return openSpanExporter(tracing, variables, output, {
    clock,
    random,
    resource: resourceFor(settings),
    onDrop: (spanCount, reason) => logger.warn({ spanCount, reason }, 'spans dropped'),
  });
}

function createTracer(
  settings: QueueProxySettings,
  tracing: TracingSettings,
  exporter: SpanExporter,
  { clock, random }: TelemetryDeps,
): RequestTracer {
  return new RequestTracer({
    random,
    sampler: samplerOf(tracing, settings.observability.variables),
    offsetMs: () => clock.preciseNowMs() - clock.monotonicMs(),
    onSpan: (span) => exporter.export(span),
    userPort: settings.userPort,
    hasGate: settings.containerConcurrency >= 1,
  });
}

/** Resource of metrics and traces. */
export function resourceFor(settings: QueueProxySettings) {
  const serviceName = settings.observability.variables.OTEL_SERVICE_NAME ?? '';
  return resourceOf({ ...settings, serviceName });
}
