// One sidecar: its servers, its state, its way of going down. A class without globals, so that one
// process can host many (decision 0007) and tests can run it in-process. It reads no environment,
// installs no signal handler and never exits the process: start.ts does that for the role.

import { formatDurationMs } from '../api/duration.ts';
import type { Clock } from '../clock/clock.ts';
import type { Gate } from '../proxy/gate.ts';
import { createNetServer } from '../proxy/net-server.ts';
import { RequestAccounting } from '../proxy/request-accounting.ts';
import type { ExchangeHandler, HttpServer, HttpServerLimits } from '../proxy/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Drainer } from './drainer.ts';
import { drainEndpoint, metricsEndpoint, statsEndpoint } from './endpoints.ts';
import { createGate } from './handler.ts';
import { MetricsPage } from './metrics-page.ts';
import { createAttempt } from './probe-attempts.ts';
import { Prober } from './prober.ts';
import { REQUEST_LIMITS, RequestPlane } from './request-plane.ts';
import type { QueueProxySettings } from './settings.ts';
import { StatReporter } from './stat-reporter.ts';
import { hasMetrics, Telemetry } from './telemetry.ts';

export interface QueueProxyDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 <= value < 1. */
  readonly random: () => number;
}

/** Where it listens, after `start`. */
export interface QueueProxyPorts {
  readonly serving: number;
  readonly admin: number;
  readonly stats: number;
  /** Null when request metrics are off. */
  readonly metrics: number | null;
}

/** How long tunnels may live on after the servers closed (QP-122). */
const TUNNEL_GRACE_MS = 60_000;
const METRICS_HEAD_TIMEOUT_MS = 5_000;

export class QueueProxy {
  readonly #settings: QueueProxySettings;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #drainer: Drainer;
  readonly #prober: Prober;
  readonly #reporter: StatReporter;
  readonly #gate: Gate | null;
  readonly #plane: RequestPlane;
  readonly #stats: HttpServer;
  readonly #admin: HttpServer;
  /** Null when no request log, metrics or traces are wanted. */
  readonly #telemetry: Telemetry | null;
  /** Null when metrics are neither served nor pushed. */
  readonly #page: MetricsPage | null;
  readonly #metrics: HttpServer | null;
  #ports: QueueProxyPorts | null = null;
  #terminating = false;
  #shutdown: Promise<void> | null = null;
  #closed: Promise<void> | null = null;

  constructor(settings: QueueProxySettings, deps: QueueProxyDeps) {
    const { clock } = deps;
    this.#settings = settings;
    this.#clock = clock;
    this.#logger = deps.logger.child({
      'knative.dev/key': `${settings.namespace}/${settings.revision}`,
      'knative.dev/pod': settings.podName,
    });
    this.#gate = createGate(settings.containerConcurrency);
    this.#drainer = new Drainer(clock, settings.drainQuietMs);
    this.#prober = this.#createProber();
    const accounting = new RequestAccounting(clock.monotonicMs());
    this.#reporter = new StatReporter(settings.podName, accounting, clock);
    this.#telemetry = Telemetry.create(settings, { ...deps, logger: this.#logger });
    this.#page = hasMetrics(settings) ? this.#createPage() : null;
    this.#plane = new RequestPlane(settings, {
      clock,
      logger: this.#logger,
      random: deps.random,
      gate: this.#gate,
      accounting,
      drainer: this.#drainer,
      isAppReady: () => this.#prober.isReady(),
      observer: this.#telemetry?.observer ?? null,
    });
    this.#stats = this.#createServer(statsEndpoint(this.#reporter), REQUEST_LIMITS);
    this.#admin = this.#createServer(
      drainEndpoint(this.#drainer, clock, () => this.#terminating),
      REQUEST_LIMITS,
    );
    this.#metrics =
      settings.metrics === null || this.#page === null
        ? null
        : this.#createServer(metricsEndpoint(this.#page), {
            ...REQUEST_LIMITS,
            headTimeoutMs: METRICS_HEAD_TIMEOUT_MS,
          });
  }

  /** Null before `start` has resolved. */
  get ports(): QueueProxyPorts | null {
    return this.#ports;
  }

  /** Requests inside, tunnels included. */
  get inFlight(): number {
    return this.#plane.handler.inFlight;
  }

  /**
   * Resolves when all ports are open; the app need not be there yet (QP-14). Rejects with the
   * system's error when a port cannot be had (QP-15), except for the metrics port: that is logged.
   */
  async start(): Promise<void> {
    const { servingPort, adminPort, statsPort, bindAddress, warnings } = this.#settings;
    for (const warning of warnings) this.#logger.warn({ warning }, 'setting without effect');
    try {
      const [serving, admin, stats] = await Promise.all([
        listen(this.#plane.server, bindAddress, servingPort),
        listen(this.#admin, bindAddress, adminPort),
        listen(this.#stats, bindAddress, statsPort),
      ]);
      this.#ports = { serving, admin, stats, metrics: await this.#listenMetrics() };
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#logger.info({ ...this.#ports }, 'Starting queue-proxy');
  }

  /**
   * What SIGTERM means (QP-120 to QP-123): probes fail at once, requests are served on until
   * nothing arrived for the quiet period, then the servers close, then tunnels get a last minute.
   * Resolves when all is over; later calls join the first.
   */
  shutdown(): Promise<void> {
    this.#terminating = true;
    this.#shutdown ??= this.#shutDown();
    return this.#shutdown;
  }

  /** Closes everything now; requests inside are cut. */
  close(): Promise<void> {
    this.#terminating = true;
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #shutDown(): Promise<void> {
    const quietMs = this.#settings.drainQuietMs;
    this.#logger.info({}, 'Received TERM signal, attempting to gracefully shutdown servers.');
    const quiet = formatDurationMs(quietMs);
    this.#logger.info({}, `Sleeping ${quiet} to allow K8s propagation of non-ready state`);
    await this.#drainer.drain();
    // Main first and admin last, so that late preStop calls and scrapes are answered.
    await this.#plane.server.drain();
    await this.#stats.drain();
    await this.#admin.drain();
    await this.#waitForTunnels();
    await this.close();
    this.#logger.info({}, 'Shutdown complete, exiting...');
    await this.#telemetry?.stop();
  }

  async #waitForTunnels(): Promise<void> {
    const done = this.#plane.handler.whenDone();
    let expire: () => void = () => undefined;
    const expired = new Promise<void>((resolve) => {
      expire = resolve;
    });
    const timer = this.#clock.setTimer(TUNNEL_GRACE_MS, expire);
    await Promise.race([done, expired]);
    timer.cancel();
    if (this.#plane.handler.inFlight > 0) {
      this.#logger.warn(
        { inFlight: this.#plane.handler.inFlight },
        'Hijack connection drain failed',
      );
    }
  }

  async #close(): Promise<void> {
    this.#drainer.reset();
    this.#prober.stop();
    this.#reporter.stop();
    const parts = [this.#plane, this.#stats, this.#admin, this.#metrics];
    await Promise.all(parts.map((part) => part?.close()));
  }

  #createServer(handler: ExchangeHandler, limits: HttpServerLimits): HttpServer {
    return createNetServer(handler, { limits, clock: this.#clock, logger: this.#logger });
  }

  #createPage(): MetricsPage {
    return new MetricsPage(this.#settings, {
      clock: this.#clock,
      collect: () => (this.#telemetry === null ? [] : [this.#telemetry.snapshot()]),
      queueDepth: () => (this.#gate === null ? null : this.#gate.inFlight + this.#gate.waiting),
      rejectedCount: () => this.#plane.server.rejectedCount,
    });
  }

  #createProber(): Prober {
    const { readinessProbes, probeIntervalMs, http2AutoDetection } = this.#settings;
    const attemptDeps = { clock: this.#clock, http2AutoDetection };
    return new Prober(readinessProbes, {
      clock: this.#clock,
      logger: this.#logger,
      attemptFor: (probe) => createAttempt(probe, attemptDeps),
      intervalMs: probeIntervalMs,
    });
  }

  /** QP-15: without metrics the sidecar still does its work. */
  async #listenMetrics(): Promise<number | null> {
    const metrics = this.#settings.metrics;
    if (this.#metrics === null || metrics === null) return null;
    try {
      return await listen(this.#metrics, metrics.host, metrics.port);
    } catch (error) {
      this.#logger.error({ error }, 'metrics server error');
      return null;
    }
  }
}

/** `host` '' = every interface, IPv4 and IPv6 where the machine has both (QP-1). */
async function listen(server: HttpServer, host: string, port: number): Promise<number> {
  if (host !== '') return (await server.listen({ host, port })).port;
  try {
    return (await server.listen({ host: '::', port })).port;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL') throw error;
    return (await server.listen({ host: '0.0.0.0', port })).port;
  }
}
