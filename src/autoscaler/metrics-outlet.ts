// How the autoscaler's metrics leave the process (AS-186): not at all unless config-observability
// says so, as a Prometheus page or as an OTLP push, changed while running when the map changes.
// Changes are applied one after the other, so a listener is closed before the next opens. Cold.

import { createServer, type Server } from 'node:http';
import type { MetricsConfig } from '../api/config/observability.ts';
import { parseObservabilityConfig } from '../api/config/observability.ts';
import type { ConfigMap } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import type { Clock } from '../clock/clock.ts';
import type { InformerFactory } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { MetricPusher } from '../telemetry/metric-pusher.ts';
import type { Labels, MetricSnapshot } from '../telemetry/metric-series.ts';
import { resolveOtlpEndpoint } from '../telemetry/otlp-endpoint.ts';
import { renderPrometheus, renderTargetInfo } from '../telemetry/prometheus-text.ts';

const DEFAULT_PUSH_MS = 60_000;
const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface MetricsOutletOptions {
  /** Where the page is served unless `metrics-endpoint` says otherwise; port 0 = any free one. */
  host: string;
  port: number;
  /** Name of the ConfigMap. */
  configName: string;
  systemNamespace: string;
  /** OTEL_* variables. */
  variables: Readonly<Record<string, string | undefined>>;
  resource: Labels;
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  collect: () => MetricSnapshot;
}

interface Outlet {
  port: number | null;
  close(): Promise<void>;
}

export class MetricsOutlet {
  readonly #options: MetricsOutletOptions;
  readonly #unwatch: () => void;
  #settings: MetricsConfig = { protocol: 'none', endpoint: '', exportIntervalMs: 0 };
  #outlet: Outlet | null = null;
  #pass: Promise<void> = Promise.resolve();

  constructor(options: MetricsOutletOptions) {
    this.#options = options;
    const informer = options.informers.informer<ConfigMap>(kinds.ConfigMap);
    this.#unwatch = informer.onChange((current, previous) => {
      const { name, namespace } = (current ?? previous)!.metadata;
      if (name !== options.configName || namespace !== options.systemNamespace) return;
      this.#configured(current?.data);
    });
  }

  /** Of the page; null = none is served. */
  get port(): number | null {
    return this.#outlet?.port ?? null;
  }

  async stop(): Promise<void> {
    this.#unwatch();
    await this.#pass;
    await this.#outlet?.close();
    this.#outlet = null;
  }

  #configured(data: Readonly<Record<string, string>> | undefined): void {
    const parsed = parseObservabilityConfig(data);
    if (!parsed.ok) {
      const { problems } = parsed;
      this.#options.logger.error({ problems }, 'invalid config map, keeping the last one');
      return;
    }
    const { metrics } = parsed.value;
    if (JSON.stringify(metrics) === JSON.stringify(this.#settings)) return;
    this.#settings = metrics;
    this.#pass = this.#pass.then(() => this.#apply(metrics));
  }

  async #apply(metrics: MetricsConfig): Promise<void> {
    await this.#outlet?.close();
    this.#outlet = null;
    try {
      this.#outlet = await this.#open(metrics);
    } catch (error) {
      this.#options.logger.error({ error }, 'metrics cannot be exported');
    }
  }

  async #open({ protocol, endpoint, exportIntervalMs }: MetricsConfig): Promise<Outlet | null> {
    if (protocol === 'prometheus') return this.#serve(endpoint);
    if (protocol !== 'http/protobuf' && protocol !== 'grpc') return null;
    const { variables, clock, resource, collect, logger } = this.#options;
    const pusher = new MetricPusher(resolveOtlpEndpoint(protocol, 'metrics', endpoint, variables), {
      clock,
      resource,
      intervalMs: exportIntervalMs || DEFAULT_PUSH_MS,
      collect: () => Promise.resolve(collect()),
      onFailure: (reason) => logger.warn({ reason }, 'metrics push failed'),
    });
    return { port: null, close: () => pusher.stop() };
  }

  async #serve(endpoint: string): Promise<Outlet> {
    const { host, port, resource, collect } = this.#options;
    const server = createServer((request, response) => {
      if (request.url?.split('?')[0] !== '/metrics') response.writeHead(404).end();
      else {
        response.writeHead(200, { 'content-type': PROMETHEUS_TYPE });
        response.end(renderTargetInfo(resource) + renderPrometheus(collect()));
      }
    });
    const given = /^(.*):(\d+)$/.exec(endpoint);
    await listen(server, given?.[1] || host, Number(given?.[2] ?? port));
    const address = server.address();
    return {
      port: typeof address === 'object' && address !== null ? address.port : null,
      close() {
        server.closeAllConnections();
        return new Promise((resolve) => server.close(() => resolve()));
      },
    };
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: host === '' ? undefined : host, port }, resolve);
  });
}
