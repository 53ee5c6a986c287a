// Request log, metrics, traces and profiling of an activator, from config-observability (ACT-9,
// ACT-32, ACT-200 to ACT-208): metrics and traces as they are at the start, log, profiling and
// Server-Timing followed while running. A map that cannot be used is logged and changes nothing.
// Cold: what runs per request is the observer.

import { type ObservabilityConfig, parseObservabilityConfig } from '../api/config/observability.ts';
import type { Clock } from '../clock/clock.ts';
import { HttpMetrics } from '../proxy/observe/http-metrics.ts';
import { RequestLog } from '../proxy/observe/request-log/request-log.ts';
import { openSpanExporter, samplerOf, type TracingSettings } from '../proxy/observe/span-outlet.ts';
import { ACTIVATOR, ACTIVATOR_METRICS } from '../telemetry/activator-metric-definitions.ts';
import { LineOutput, type LineSink } from '../telemetry/line-output.ts';
import type { Logger } from '../telemetry/logger.ts';
import { addMetrics, METRICS } from '../telemetry/metric-definitions.ts';
import { type Labels, type MetricSnapshot, reading } from '../telemetry/metric-series.ts';
import type { SpanExporter } from '../telemetry/span-exporter.ts';
import { ActivationObserver } from './activation-observer.ts';
import { ActivationTracer } from './activation-trace.ts';
import type { ForwardCounts } from './handler.ts';
import {
  ObservedRevisions,
  type ObservedSource,
  type RevisionDirectory,
} from './observed-revision.ts';
import type { MetricNames } from './revision-metrics.ts';
import { isServerTiming, SERVER_TIMING_CONFIG } from './server-timing.ts';

type Data = Readonly<Record<string, string>> | undefined;

/** ACT-210: how long log lines and spans may take to leave at the end. */
const FLUSH_LIMIT_MS = 10_000;
const PEER: Labels = [['peer', 'autoscaler']];

export interface TelemetryOptions {
  /** Of the map at the start; undefined = there is none. */
  readonly config: Data;
  /** Null = metrics are off, whatever the map says. */
  readonly metricNames: MetricNames | null;
  readonly podName: string;
  readonly resource: Labels;
  /** OTEL_* variables. */
  readonly variables: Readonly<Record<string, string>>;
  /** Where request log and stdout traces go; default stdout. */
  readonly output?: LineSink;
}

export interface TelemetryDeps {
  readonly revisions: RevisionDirectory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

/** What every thread counts whether anybody asks or not. */
export interface RequestCounts {
  readonly forwards: ForwardCounts;
  /** Requests refused for their framing. */
  readonly rejected: number;
}

/** What the main thread counts beside them. */
export interface ActivatorCounts extends RequestCounts {
  readonly isConnected: boolean;
  readonly lostConnections: number;
}

addMetrics(ACTIVATOR_METRICS);

export class ActivatorTelemetry {
  /** What was valid when the process started; metrics and traces follow it. */
  readonly config: ObservabilityConfig;
  readonly observer: ActivationObserver;
  readonly isMeasured: boolean;
  readonly #options: TelemetryOptions;
  readonly #deps: TelemetryDeps;
  readonly #revisions: ObservedRevisions;
  readonly #unknown: HttpMetrics | null;
  readonly #exporter: SpanExporter | null;
  readonly #output: LineSink;
  #logKey = '';
  /** Called after every change that was taken over. */
  onChange: (config: ObservabilityConfig) => void = () => undefined;

  /** Throws an Error that says what is wrong with the map: at the start that is fatal. */
  constructor(options: TelemetryOptions, deps: TelemetryDeps) {
    const parsed = parseObservabilityConfig(options.config);
    if (!parsed.ok) throw new Error(`config-observability: ${parsed.problems.join('; ')}`);
    this.config = parsed.value;
    this.#options = options;
    this.#deps = deps;
    this.#output = options.output ?? new LineOutput(deps.clock);
    const { podName } = options;
    const isMeasured = options.metricNames !== null && this.config.metrics.protocol !== 'none';
    this.isMeasured = isMeasured;
    const metricNames = isMeasured ? options.metricNames : null;
    this.#revisions = new ObservedRevisions({ revisions: deps.revisions, metricNames, podName });
    this.#unknown = isMeasured && metricNames !== 'legacy' ? new HttpMetrics() : null;
    const tracing = tracingOf(this.config);
    this.#exporter = tracing === null ? null : this.#openExporter(tracing);
    this.observer = new ActivationObserver({
      clock: deps.clock,
      revisions: this.#revisions,
      isMeasured,
      unknown: this.#unknown,
      tracer: tracing === null ? null : this.#createTracer(tracing),
    });
    this.configured(options.config);
  }

  /** The map as it is now. */
  configured(data: Data): void {
    const parsed = parseObservabilityConfig(data);
    const timing = data?.[SERVER_TIMING_CONFIG]?.trim() || 'off';
    const problems = parsed.ok ? [] : [...parsed.problems];
    if (!isServerTiming(timing)) {
      problems.push(`${SERVER_TIMING_CONFIG}: "${timing}" is not off, asked or always`);
    }
    if (!parsed.ok || !isServerTiming(timing) || !this.#replaceLog(parsed.value)) {
      this.#deps.logger.error({ problems }, 'invalid config map, keeping the last one');
      return;
    }
    this.observer.serverTiming = timing;
    this.onChange(parsed.value);
  }

  noteConcurrency(namespace: string, name: string, average: number): void {
    this.#revisions.noteConcurrency(namespace, name, average);
  }

  /** A revision has requests, perhaps in other threads only: its gauges are shown from now on. */
  noteRequests(source: ObservedSource): void {
    if (this.isMeasured) this.#revisions.of(source);
  }

  /** Lines of other threads, on their way to the one writer. */
  writeLines(text: string): void {
    this.#output.write(text);
  }

  snapshot(counts: ActivatorCounts): MetricSnapshot {
    const isCurrent = this.#options.metricNames !== 'legacy';
    const ofRequests = this.requestSnapshot(counts, true);
    if (!isCurrent) return ofRequests;
    return [
      reading(ACTIVATOR.REACHABLE, counts.isConnected ? 1 : 0, PEER),
      reading(ACTIVATOR.CONNECTION_ERRORS, counts.lostConnections, PEER),
      ...ofRequests,
    ];
  }

  /** What threads count apart and `mergeSnapshots` adds up; gauges are told by one of them. */
  requestSnapshot({ forwards, rejected }: RequestCounts, hasGauges: boolean): MetricSnapshot {
    return [
      ...(this.#unknown?.snapshot() ?? []),
      ...this.#revisions.snapshot(hasGauges).flat(),
      reading(ACTIVATOR.RETRIED, forwards.retried),
      reading(ACTIVATOR.FAILED, forwards.failed),
      reading(METRICS.REJECTED_REQUESTS, rejected),
      ...(this.#exporter === null
        ? []
        : [reading(METRICS.DROPPED_SPANS, this.#exporter.droppedCount)]),
      ...(this.#output instanceof LineOutput
        ? [reading(METRICS.DROPPED_LOG_LINES, this.#output.droppedCount)]
        : []),
    ];
  }

  /** Lets out what is still inside, for at most ten seconds. */
  async stop(): Promise<void> {
    this.#revisions.stop();
    let expire: () => void = () => undefined;
    const expired = new Promise<void>((resolve) => {
      expire = resolve;
    });
    const timer = this.#deps.clock.setTimer(FLUSH_LIMIT_MS, expire);
    await Promise.race([this.#flush(), expired]);
    timer.cancel();
    await this.#exporter?.stop();
  }

  async #flush(): Promise<void> {
    await this.#exporter?.flush();
    if (this.#output instanceof LineOutput) await this.#output.flush();
  }

  /** False = the template is no template; the log stays as it is (ACT-32). */
  #replaceLog({ enableRequestLog, requestLogTemplate }: ObservabilityConfig): boolean {
    const template = enableRequestLog ? requestLogTemplate : '';
    if (template === this.#logKey) return true;
    if (template === '') {
      this.observer.log = null;
    } else {
      const none = { name: '', namespace: '', service: '', configuration: '' };
      const revision = { ...none, podName: '', podIp: '' };
      const options = { template, logsProbes: false, revision };
      const log = RequestLog.create(options, this.#output, this.#deps.logger);
      if (log === null) return false;
      this.observer.log = log;
    }
    this.#logKey = template;
    return true;
  }

  #openExporter(tracing: TracingSettings): SpanExporter {
    const { clock, random, logger } = this.#deps;
    const { variables, resource } = this.#options;
    return openSpanExporter(tracing, variables, this.#output, {
      clock,
      random,
      resource,
      onDrop: (spanCount, reason) => logger.warn({ spanCount, reason }, 'spans dropped'),
    });
  }

  #createTracer(tracing: TracingSettings): ActivationTracer {
    const { clock, random } = this.#deps;
    return new ActivationTracer({
      random,
      sampler: samplerOf(tracing, this.#options.variables),
      offsetMs: () => clock.preciseNowMs() - clock.monotonicMs(),
      onSpan: (span) => this.#exporter?.export(span),
    });
  }
}

function tracingOf({ tracing }: ObservabilityConfig): TracingSettings | null {
  const { protocol, endpoint, samplingRate: rate } = tracing;
  if (protocol !== 'stdout' && protocol !== 'http/protobuf' && protocol !== 'grpc') return null;
  return { protocol, endpoint, rate };
}
