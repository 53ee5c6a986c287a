// The ways metrics and profiles leave an activator (ACT-1, ACT-200): the page on 9090 or the OTLP
// push, as config-observability said at the start, and profiling on 8008 while it says so. What is
// not configured has no listener. Cold.

import type { ObservabilityConfig } from '../api/config/observability.ts';
import type { Clock } from '../clock/clock.ts';
import { metricsEndpoint } from '../proxy/endpoint.ts';
import { createNetServer, type NetHttpServer } from '../proxy/net-server.ts';
import type { ExchangeHandler, HttpServer, HttpServerLimits } from '../proxy/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { metricNamed } from '../telemetry/metric-definitions.ts';
import { MetricPusher } from '../telemetry/metric-pusher.ts';
import type { Labels, MetricSnapshot } from '../telemetry/metric-series.ts';
import { resolveOtlpEndpoint } from '../telemetry/otlp-endpoint.ts';
import { ProcessReadings } from '../telemetry/process-readings.ts';
import { renderPrometheus, renderTargetInfo } from '../telemetry/prometheus-text.ts';

export interface OutletsOptions {
  readonly host: string;
  /** 0 = any free port; so is the next one. */
  readonly metricsPort: number;
  readonly profilingPort: number;
  readonly resource: Labels;
  /** OTEL_* and METRICS_PROMETHEUS_* variables. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface OutletsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly collect: () => Promise<MetricSnapshot>;
}

const LIMITS: HttpServerLimits = {
  maxHeadBytes: 16 * 1024,
  headTimeoutMs: 5_000,
  readAheadBytes: 8 * 1024,
};
const DEFAULT_PUSH_MS = 60_000;
/** ACT-210: how long the last push may take. */
const FLUSH_LIMIT_MS = 10_000;

export class Outlets {
  readonly #options: OutletsOptions;
  readonly #deps: OutletsDeps;
  readonly #config: ObservabilityConfig;
  readonly #process: ProcessReadings;
  #page: Pick<HttpServer, 'listen' | 'close'> | null = null;
  #pusher: MetricPusher | null = null;
  #profiling: HttpServer | null = null;
  /** Opening and closing follow each other. */
  #pass: Promise<void> = Promise.resolve();
  #wantsProfiling = false;
  /** Null = not served. */
  metricsPort: number | null = null;
  profilingPort: number | null = null;

  constructor(config: ObservabilityConfig, options: OutletsOptions, deps: OutletsDeps) {
    this.#config = config;
    this.#options = options;
    this.#deps = deps;
    this.#process = new ProcessReadings(deps.clock, config.runtimeExportIntervalMs);
  }

  /** Rejects when the metrics port cannot be had. */
  async start(): Promise<void> {
    const { protocol, endpoint, exportIntervalMs } = this.#config.metrics;
    if (protocol === 'prometheus') await this.#serve(endpoint);
    if (protocol === 'http/protobuf' || protocol === 'grpc') {
      const { clock, logger } = this.#deps;
      const { variables, resource } = this.#options;
      const target = resolveOtlpEndpoint(protocol, 'metrics', endpoint, variables);
      const intervalMs = Number(variables['OTEL_METRIC_EXPORT_INTERVAL'] || 0) || exportIntervalMs;
      this.#pusher = new MetricPusher(target, {
        clock,
        resource,
        intervalMs: intervalMs || DEFAULT_PUSH_MS,
        collect: () => this.#snapshot(),
        onFailure: (reason) => logger.warn({ reason }, 'metrics push failed'),
      });
    }
    this.configured(this.#config);
    await this.#pass;
  }

  /** `runtime-profiling` may change while running. */
  configured({ runtimeProfiling }: ObservabilityConfig): void {
    const isWanted = runtimeProfiling === 'enabled';
    if (isWanted === this.#wantsProfiling) return;
    this.#wantsProfiling = isWanted;
    this.#pass = this.#pass.then(() => this.#switchProfiling(isWanted));
  }

  /** The last push, then everything closes. */
  async stop(): Promise<void> {
    await this.#pass;
    if (this.#pusher !== null) await this.#flush(this.#pusher);
    await Promise.all([this.#page?.close(), this.#profiling?.close(), this.#pusher?.stop()]);
  }

  async #serve(endpoint: string): Promise<void> {
    const { host, metricsPort, variables } = this.#options;
    const given = /^(.*):(\d{1,5})$/.exec(endpoint);
    const ownPort = variables['METRICS_PROMETHEUS_PORT'];
    const page = this.#server(metricsEndpoint({ render: () => this.#render() }));
    this.#page = await behindTls(page, variables);
    const { port } = await this.#page.listen({
      host: variables['METRICS_PROMETHEUS_HOST'] ?? (given?.[1] || host),
      port: ownPort === undefined && given !== null ? Number(given[2]) : metricsPort,
    });
    this.metricsPort = port;
  }

  async #switchProfiling(isWanted: boolean): Promise<void> {
    await this.#profiling?.close();
    this.#profiling = null;
    this.profilingPort = null;
    if (!isWanted) return;
    const { profilingEndpoint } = await import('../proxy/profiling.ts');
    const server = this.#server(profilingEndpoint(this.#deps.clock));
    try {
      const { host, profilingPort } = this.#options;
      this.profilingPort = (await server.listen({ host, port: profilingPort })).port;
      this.#profiling = server;
    } catch (error) {
      this.#deps.logger.error({ error }, 'profiling cannot be served');
    }
  }

  #server(handler: ExchangeHandler): NetHttpServer {
    const { clock, logger } = this.#deps;
    return createNetServer(handler, { limits: LIMITS, clock, logger });
  }

  async #snapshot(): Promise<MetricSnapshot> {
    return [...(await this.#deps.collect()), ...this.#process.snapshot()];
  }

  async #render(): Promise<string> {
    const { resource } = this.#options;
    const snapshot = await this.#snapshot();
    const isCurrent = snapshot.some(({ metric }) => metricNamed(metric).names === 'current');
    return (isCurrent ? renderTargetInfo(resource) : '') + renderPrometheus(snapshot);
  }

  async #flush(pusher: MetricPusher): Promise<void> {
    let expire: () => void = () => undefined;
    const expired = new Promise<void>((resolve) => {
      expire = resolve;
    });
    const timer = this.#deps.clock.setTimer(FLUSH_LIMIT_MS, expire);
    await Promise.race([pusher.push(), expired]);
    timer.cancel();
  }
}

/** METRICS_PROMETHEUS_TLS_* (ACT-5); without a certificate the page is plain. */
async function behindTls(
  page: NetHttpServer,
  variables: Readonly<Record<string, string>>,
): Promise<Pick<HttpServer, 'listen' | 'close'>> {
  if ((variables['METRICS_PROMETHEUS_TLS_CERT'] ?? '') === '') return page;
  const { MetricsTlsFront } = await import('../proxy/metrics-tls.ts');
  return new MetricsTlsFront(page, variables);
}
