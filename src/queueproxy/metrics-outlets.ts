// The ways metrics and profiles leave the sidecar: the page on 9091, in plain text or TLS (QP-139,
// QP-145), the OTLP push (QP-11), profiling on 8008 (QP-166). Each exists only if configured, and
// what only one of them needs is loaded with it. Cold.

import type { Clock } from '../clock/clock.ts';
import { metricsEndpoint } from '../proxy/endpoint.ts';
import { listenAnywhere } from '../proxy/listen-anywhere.ts';
import { createNetServer } from '../proxy/net-server.ts';
import type { HttpServer } from '../proxy/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { MetricPusher } from '../telemetry/metric-pusher.ts';
import { resolveOtlpEndpoint } from '../telemetry/otlp-endpoint.ts';
import { MetricsPage, type MetricsPageDeps } from './metrics-page.ts';
import { REQUEST_LIMITS } from './request-plane.ts';
import type { QueueProxySettings } from './settings.ts';
import { hasMetrics, resourceFor } from './telemetry.ts';

export interface MetricsOutletsDeps extends MetricsPageDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** QP-5. */
const METRICS_HEAD_TIMEOUT_MS = 5_000;
const PROFILING_HEAD_TIMEOUT_MS = 15_000;

/** QP-123. */
const FLUSH_LIMIT_MS = 10_000;

export class MetricsOutlets {
  readonly #settings: QueueProxySettings;
  readonly #deps: MetricsOutletsDeps;
  /** Null when metrics are neither served nor pushed. */
  readonly #page: MetricsPage | null;
  readonly #servers: { close(): Promise<void> }[] = [];
  #pusher: MetricPusher | null = null;

  constructor(settings: QueueProxySettings, deps: MetricsOutletsDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#page = hasMetrics(settings) ? new MetricsPage(settings, deps) : null;
  }

  /** Null = not served, or the port cannot be had: without it the sidecar still works (QP-15). */
  async listenMetrics(): Promise<number | null> {
    const { metrics } = this.#settings;
    if (this.#page === null || metrics === null) return null;
    try {
      const server = await this.#metricsServer(this.#page);
      this.#servers.push(server);
      return await listenAnywhere(server, metrics.host, metrics.port);
    } catch (error) {
      this.#deps.logger.error({ error }, 'metrics server error');
      return null;
    }
  }

  /** Null = not configured. Rejects when the port cannot be had (QP-15). */
  async listenProfiling(): Promise<number | null> {
    const port = this.#settings.observability.profilingPort;
    if (port === null) return null;
    const { profilingEndpoint } = await import('../proxy/profiling.ts');
    const { clock, logger } = this.#deps;
    const limits = { ...REQUEST_LIMITS, headTimeoutMs: PROFILING_HEAD_TIMEOUT_MS };
    const server = createNetServer(profilingEndpoint(clock), { limits, clock, logger });
    this.#servers.push(server);
    return listenAnywhere(server, this.#settings.bindAddress, port);
  }

  startPushing(): void {
    const { push, variables } = this.#settings.observability;
    const page = this.#page;
    if (push === null || page === null) return;
    const endpoint = resolveOtlpEndpoint(push.protocol, 'metrics', push.endpoint, variables);
    const { clock, logger } = this.#deps;
    this.#pusher = new MetricPusher(endpoint, {
      clock,
      resource: resourceFor(this.#settings),
      intervalMs: push.intervalMs,
      collect: () => page.snapshot(),
      onFailure: (reason) => logger.warn({ reason }, 'metrics push failed'),
    });
  }

  /** The last push, for at most ten seconds. */
  async flush(): Promise<void> {
    const pusher = this.#pusher;
    if (pusher === null) return;
    let expire: () => void = () => undefined;
    const expired = new Promise<void>((resolve) => {
      expire = resolve;
    });
    const timer = this.#deps.clock.setTimer(FLUSH_LIMIT_MS, expire);
    await Promise.race([pusher.push(), expired]);
    timer.cancel();
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
    await this.#pusher?.stop();
  }

  async #metricsServer(page: MetricsPage): Promise<Pick<HttpServer, 'listen' | 'close'>> {
    const { clock, logger } = this.#deps;
    const limits = { ...REQUEST_LIMITS, headTimeoutMs: METRICS_HEAD_TIMEOUT_MS };
    const server = createNetServer(metricsEndpoint(page), { limits, clock, logger });
    const { variables } = this.#settings.observability;
    if ((variables.METRICS_PROMETHEUS_TLS_CERT ?? '') === '') return server;
    const { MetricsTlsFront } = await import('../proxy/metrics-tls.ts');
    return new MetricsTlsFront(server, variables);
  }
}
