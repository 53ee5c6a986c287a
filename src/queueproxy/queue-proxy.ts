// One sidecar: its servers, its state, its way of going down. A class without globals, so that one
// process can host many (decision 0007) and tests can run it in-process. It reads no environment,
// installs no signal handler and never exits the process: start.ts does that for the role.

import { formatDurationMs } from '../api/duration.ts';
import type { Clock } from '../clock/clock.ts';
import type { Gate } from '../proxy/gate.ts';
import { listenAnywhere } from '../proxy/listen-anywhere.ts';
import { createNetServer } from '../proxy/net-server.ts';
import { RequestAccounting } from '../proxy/request-accounting.ts';
import type { ExchangeHandler, HttpServer, HttpServerLimits } from '../proxy/types.ts';
import { LineOutput } from '../telemetry/line-output.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MetricSnapshot } from '../telemetry/metric-series.ts';
import { Drainer } from './drainer.ts';
import { drainEndpoint, statsEndpoint } from './endpoints.ts';
import { createGate } from './handler.ts';
import { MetricsOutlets } from './metrics-outlets.ts';
import { createAttempt } from './probe-attempts.ts';
import { Prober } from './prober.ts';
import { REQUEST_LIMITS, RequestPlane } from './request-plane.ts';
import { RequestThreads } from './request-threads.ts';
import type { QueueProxySettings } from './settings.ts';
import type { StartTime } from './start-times.ts';
import { StatReporter } from './stat-reporter.ts';
import { Telemetry } from './telemetry.ts';
import { TlsPort } from './tls-port.ts';

export interface QueueProxyDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 <= value < 1. */
  readonly random: () => number;
  /** Something ended that must not, and the sidecar cannot go on (QP-15). Default: only logged. */
  readonly onFailure?: () => void;
  /** What a host of many sidecars knows of this app's earlier starts. */
  readonly startTime?: StartTime;
  /** The built entry file of a request thread; tests run from source and name it. */
  readonly threadFile?: URL;
}

/** Where it listens, after `start`. */
export interface QueueProxyPorts {
  readonly serving: number;
  readonly admin: number;
  readonly stats: number;
  /** Null when there was no certificate at start (QP-160). */
  readonly tls: number | null;
  /** Null when request metrics are off. */
  readonly metrics: number | null;
  /** Null when profiling is off. */
  readonly profiling: number | null;
}

/** How long tunnels may live on after the servers closed (QP-122). */
const TUNNEL_GRACE_MS = 60_000;

export class QueueProxy {
  readonly #settings: QueueProxySettings;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #drainer: Drainer;
  readonly #prober: Prober;
  readonly #reporter: StatReporter;
  readonly #gate: Gate | null;
  readonly #plane: RequestPlane;
  /** Null when this thread serves all requests. */
  readonly #threads: RequestThreads | null;
  readonly #stats: HttpServer;
  readonly #admin: HttpServer;
  /** Null before `start`, and without a certificate. */
  #tls: TlsPort | null = null;
  /** Null when no request log, metrics or traces are wanted. */
  readonly #telemetry: Telemetry | null;
  readonly #outlets: MetricsOutlets;
  #ports: QueueProxyPorts | null = null;
  #starting: Promise<void> | null = null;
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
    this.#prober = this.#createProber(deps.startTime ?? null);
    const output = new LineOutput(clock);
    this.#threads = settings.threads > 1 ? this.#createThreads(deps, output) : null;
    const threads = this.#threads;
    this.#gate = threads === null ? createGate(settings.containerConcurrency) : threads.gate;
    this.#drainer = new Drainer(clock, settings.drainQuietMs, threads?.drainBoard);
    const own = threads === null ? new RequestAccounting(clock.monotonicMs()) : null;
    const accounting = own ?? threads!.accounting;
    this.#reporter = new StatReporter(settings.podName, own ?? threads!.sum, clock);
    this.#telemetry = Telemetry.create(settings, { ...deps, logger: this.#logger, output });
    this.#outlets = this.#createOutlets();
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
  }

  /** The pod's gate as this thread sees it; null when concurrency is unlimited. */
  get gate(): Gate | null {
    return this.#gate;
  }

  /** Null before `start` has resolved. */
  get ports(): QueueProxyPorts | null {
    return this.#ports;
  }

  /** Requests inside, tunnels included. */
  get inFlight(): number {
    return this.#plane.handler.inFlight + (this.#threads?.inFlight ?? 0);
  }

  /**
   * Resolves when all ports are open; the app need not be there yet (QP-14). Rejects with the
   * system's error when a port cannot be had (QP-15), except for the metrics port: that is logged.
   */
  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /** The app gave a sign of life: a readiness check that waits for it asks again now. */
  nudge(): void {
    this.#prober.nudge();
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

  /**
   * What must be over before the process may end without `close`; null when nothing must. A thread
   * that ends with an open `uws` engine takes the process down with a signal.
   */
  halt(): Promise<void> | null {
    return this.#threads === null ? null : this.#threads.close();
  }

  /** Closes everything now; requests inside are cut. */
  close(): Promise<void> {
    this.#terminating = true;
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #start(): Promise<void> {
    const { servingPort, adminPort, statsPort, bindAddress, warnings } = this.#settings;
    for (const warning of warnings) this.#logger.warn({ warning }, 'setting without effect');
    try {
      const [serving, admin, stats] = await Promise.all([
        listenAnywhere(this.#plane.server, bindAddress, servingPort),
        listenAnywhere(this.#admin, bindAddress, adminPort),
        listenAnywhere(this.#stats, bindAddress, statsPort),
      ]);
      await this.#threads?.start(this.#plane.server, serving);
      const tls = await this.#listenTls();
      const metrics = await this.#outlets.listenMetrics();
      const profiling = await this.#outlets.listenProfiling();
      this.#outlets.startPushing();
      this.#ports = { serving, admin, stats, tls, metrics, profiling };
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#logger.info({ ...this.#ports }, 'Starting queue-proxy');
  }

  async #shutDown(): Promise<void> {
    const quietMs = this.#settings.drainQuietMs;
    this.#logger.info({}, 'Received TERM signal, attempting to gracefully shutdown servers.');
    const quiet = formatDurationMs(quietMs);
    this.#logger.info({}, `Sleeping ${quiet} to allow K8s propagation of non-ready state`);
    await this.#drainer.drain();
    // Threads may still be starting; while they do, the main one serves.
    await this.#starting?.catch(() => undefined);
    // Main first and admin last, so that late preStop calls and scrapes are answered.
    await Promise.all([this.#plane.server.drain(), this.#threads?.drain()]);
    await this.#tls?.server.drain();
    await this.#stats.drain();
    await this.#admin.drain();
    await this.#waitForTunnels();
    await this.#outlets.flush();
    await this.close();
    this.#logger.info({}, 'Shutdown complete, exiting...');
    await this.#telemetry?.stop();
  }

  async #waitForTunnels(): Promise<void> {
    const done = Promise.all([this.#plane.handler.whenDone(), this.#threads?.whenDone()]);
    let expire: () => void = () => undefined;
    const expired = new Promise<void>((resolve) => {
      expire = resolve;
    });
    const timer = this.#clock.setTimer(TUNNEL_GRACE_MS, expire);
    await Promise.race([done, expired]);
    timer.cancel();
    const { inFlight } = this;
    if (inFlight > 0) this.#logger.warn({ inFlight }, 'Hijack connection drain failed');
  }

  async #close(): Promise<void> {
    this.#drainer.reset();
    this.#prober.stop();
    this.#reporter.stop();
    await this.#tls?.close();
    const parts = [this.#plane, this.#threads, this.#stats, this.#admin, this.#outlets];
    await Promise.all(parts.map((part) => part?.close()));
  }

  /** The TLS port lives in this thread, whatever the number of request threads. */
  async #listenTls(): Promise<number | null> {
    const { tls, tlsPort, bindAddress } = this.#settings;
    const deps = { clock: this.#clock, logger: this.#logger, limits: this.#plane.limits };
    this.#tls = await TlsPort.open(tls, this.#plane.handler, deps);
    return this.#tls === null ? null : listenAnywhere(this.#tls.server, bindAddress, tlsPort);
  }

  #createServer(handler: ExchangeHandler, limits: HttpServerLimits): HttpServer {
    return createNetServer(handler, { limits, clock: this.#clock, logger: this.#logger });
  }

  #createOutlets(): MetricsOutlets {
    return new MetricsOutlets(this.#settings, {
      clock: this.#clock,
      logger: this.#logger,
      collect: () => this.#collect(),
      queueDepth: () => (this.#gate === null ? null : this.#gate.inFlight + this.#gate.waiting),
      rejectedCount: () => this.#rejectedCount(),
    });
  }

  /** Requests refused for their framing (QP-7), on every port and in every thread. */
  #rejectedCount(): number {
    const inTls = this.#tls?.server.rejectedCount ?? 0;
    return this.#plane.server.rejectedCount + inTls + (this.#threads?.rejectedCount ?? 0);
  }

  /** What every request plane counted. */
  async #collect(): Promise<MetricSnapshot[]> {
    const own = this.#telemetry === null ? [] : [this.#telemetry.snapshot()];
    return this.#threads === null ? own : [...own, ...(await this.#threads.snapshots())];
  }

  #createThreads(deps: QueueProxyDeps, output: LineOutput): RequestThreads {
    const { threadFile } = deps;
    return new RequestThreads(this.#settings, {
      clock: this.#clock,
      logger: this.#logger,
      output,
      isAppReady: () => this.#prober.isReady(),
      onDeath: (error) => {
        this.#logger.error({ error }, 'a request thread ended');
        deps.onFailure?.();
      },
      ...(threadFile === undefined ? {} : { threadFile }),
    });
  }

  #createProber(startTime: StartTime | null): Prober {
    const { readinessProbes, probeIntervalMs, http2AutoDetection } = this.#settings;
    // The app's first connection costs it milliseconds, so the first request comes on it.
    let isFirst = this.#settings.threads === 1;
    const keep = (host: string, port: number, handle: object): boolean => {
      const isKept = isFirst && this.#plane.adopt(host, port, handle);
      isFirst = false;
      return isKept;
    };
    const attemptDeps = { clock: this.#clock, http2AutoDetection, keep };
    return new Prober(readinessProbes, {
      clock: this.#clock,
      logger: this.#logger,
      attemptFor: (probe) => createAttempt(probe, attemptDeps),
      intervalMs: probeIntervalMs,
      startTime,
    });
  }
}
