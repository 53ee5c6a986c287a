// The request threads beside the main one (ACTIVATOR_THREADS above 1): starts them, gives each its
// channel to every other, and passes on what the main thread decides (decision 0018). A thread that
// ends by itself has lost requests and may have held slots, so it is not replaced: the activator
// says why and ends. Not hot.

import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { Clock, TimerHandle } from '../../clock/clock.ts';
import { scaleOriginMs } from '../../clock/thread-clock.ts';
import { duplicateDescriptors } from '../../proxy/listening-descriptors.ts';
import type { CertificatePem } from '../../proxy/tls-server.ts';
import type { HttpServer, UpstreamOptions } from '../../proxy/types.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { MetricSnapshot } from '../../telemetry/metric-series.ts';
import type { ActivatorTelemetry } from '../activator-telemetry.ts';
import type { ConcurrencyReporter } from '../concurrency-reporter.ts';
import type { RevisionDirectory } from '../observed-revision.ts';
import type { RevisionSettings } from '../revision-settings.ts';
import { MAX_QUEUED_PER_REVISION, type RevisionThrottler } from '../revision-throttler.ts';
import type { TlsPlaneOptions } from '../tls-plane.ts';
import { MainTeam } from './main-team.ts';
import { MergedAccounting } from './merged-accounting.ts';
import {
  type FromThread,
  HEALTH_PROBLEMS,
  type RevisionStart,
  type ThreadListen,
  type ThreadReport,
  type ThreadStart,
  type ToThread,
} from './thread-messages.ts';
import { ThreadTasks } from './thread-tasks.ts';

/** How often probes of other threads hear of a change in health. */
const HEALTH_PERIOD_MS = 100;
/** Its own build entry point; the only place that knows where it is. */
const THREAD_FILE = new URL('./thread-main.js', import.meta.url);

export interface ThreadsOptions {
  /** 2 to 16, the main thread counted. */
  readonly threads: number;
  readonly host: string;
  readonly clusterDomain: string;
  readonly upstream: UpstreamOptions;
  /** Null = nothing is observed. */
  readonly telemetry: ThreadStart['telemetry'];
  /** Null = neither served nor spoken. */
  readonly tls: TlsPlaneOptions | null;
  /** The built entry file; the one beside this module unless a test says otherwise. */
  readonly threadFile?: URL;
}

export interface ThreadsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly reporter: ConcurrencyReporter;
  readonly health: () => string | null;
  readonly revisions: RevisionDirectory;
  /** A thread ended although nobody asked it to. */
  readonly onDeath: (error: Error) => void;
}

export class ActivatorThreads {
  readonly #options: ThreadsOptions;
  readonly #deps: ThreadsDeps;
  readonly #health = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  readonly #workers: Worker[] = [];
  /** This thread's channels, by thread. */
  readonly #ports: (MessagePort | null)[];
  /** By number; forgotten ones stay until nobody is inside. */
  readonly #teams = new Map<number, MainTeam>();
  readonly #forgotten = new Set<MainTeam>();
  readonly #throttlers = new Map<number, RevisionThrottler>();
  readonly #ticker: TimerHandle;
  readonly #tasks: ThreadTasks;
  #telemetry: ActivatorTelemetry | null = null;
  #lastId = 0;
  #isClosing = false;
  /** The last metrics of every thread. */
  #closed: Promise<MetricSnapshot[]> | null = null;

  constructor(options: ThreadsOptions, deps: ThreadsDeps) {
    const { threads } = options;
    this.#options = options;
    this.#deps = deps;
    deps.reporter.createAccounting = (startMs) => new MergedAccounting(startMs);
    const ports = createPorts(threads);
    this.#ports = ports[0] as (MessagePort | null)[];
    for (const port of this.#ports) {
      port?.on('message', (id: number) => this.#teams.get(id)?.gate.collect());
      port?.unref();
    }
    for (let thread = 1; thread < threads; thread += 1) {
      this.#workers.push(this.#start(thread, ports[thread] as (MessagePort | null)[]));
    }
    this.#tasks = new ThreadTasks(this.#workers);
    this.#ticker = deps.clock.setTicker(HEALTH_PERIOD_MS, () => this.#showHealth(), {
      background: true,
    });
    this.#showHealth();
  }

  /** The shared part of a new revision; every thread knows of it from now on. */
  teamFor(
    namespace: string,
    name: string,
    settings: RevisionSettings,
    passthroughHost: string | null,
  ): MainTeam {
    this.#sweep();
    this.#lastId = (this.#lastId + 1) | 0;
    const id = this.#lastId;
    const { threads } = this.#options;
    const team = new MainTeam({
      id,
      queueLimit: MAX_QUEUED_PER_REVISION,
      seat: { thread: 0, threads, wake: (thread) => this.#ports[thread]?.postMessage(id) },
      others: threads - 1,
      broadcast: (message) => this.#broadcast(message),
      onForgotten: (each) => this.#forgotten.add(each),
    });
    this.#teams.set(id, team);
    const gate = team.gate.shared;
    const start: RevisionStart = {
      kind: 'track',
      id,
      namespace,
      name,
      ...this.#deps.revisions.ownersOf(namespace, name),
      settings,
      passthroughHost,
      gate,
    };
    this.#broadcast(start);
    return team;
  }

  /** The throttler a team belongs to. */
  attach(team: MainTeam, throttler: RevisionThrottler): void {
    this.#throttlers.set(team.id, throttler);
    throttler.wake.onReach = (phase, atMs) =>
      this.#broadcast({ kind: 'phase', id: team.id, phase, atMs });
  }

  /** Every thread listens where these servers do; null = there is no TLS port. */
  async listen(
    servers: readonly { server: HttpServer; port: number }[],
    tls: HttpServer | null,
  ): Promise<void> {
    const places: ThreadListen[][] = this.#workers.map(() => []);
    for (const { server, port } of servers) {
      const descriptors = await this.#descriptorsOf(server);
      places.forEach((where, index) => {
        const descriptor = descriptors[index];
        where.push(descriptor === undefined ? { host: this.#options.host, port } : { descriptor });
      });
    }
    const secure = tls === null ? [] : await this.#descriptorsOf(tls);
    await this.#tasks.askAll((index) => ({
      do: 'listen',
      where: places[index] as ThreadListen[],
      tlsDescriptor: secure[index] ?? null,
    }));
  }

  /** ACT-121: one this thread could use. */
  useCertificate(pem: CertificatePem): void {
    this.#broadcast({ kind: 'certificate', pem });
  }

  /** ACT-120. */
  useTrust(certificates: readonly string[]): void {
    this.#broadcast({ kind: 'trust', certificates });
  }

  /** Their lines leave through this one's output, and what they see is seen there. */
  observe(telemetry: ActivatorTelemetry): void {
    this.#telemetry = telemetry;
  }

  /** config-observability as it is now (ACT-9). */
  configured(data: Readonly<Record<string, string>> | undefined): void {
    this.#broadcast({ kind: 'configured', data });
  }

  /** What each of them counted; after `close`, what it had counted in the end. */
  snapshots(): Promise<readonly MetricSnapshot[]> {
    return this.#closed ?? this.#tasks.askAll(() => ({ do: 'snapshot' }));
  }

  async drain(): Promise<void> {
    await this.#tasks.askAll(() => ({ do: 'drain' }));
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#ticker.cancel();
    this.#closed ??= this.#tasks.askAll(() => ({ do: 'close' }));
    await this.#closed;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    for (const port of this.#ports) port?.close();
  }

  /** One for each thread; none where the engine shares ports by itself. */
  async #descriptorsOf({ listener }: HttpServer): Promise<number[]> {
    return listener === undefined ? [] : duplicateDescriptors(listener, this.#workers.length);
  }

  #start(thread: number, ports: (MessagePort | null)[]): Worker {
    const { threads, clusterDomain, upstream, telemetry, tls } = this.#options;
    const start: ThreadStart = {
      thread,
      threads,
      clusterDomain,
      upstream,
      telemetry,
      tls,
      originMs: scaleOriginMs(this.#deps.clock),
      health: this.#health,
      ports,
    };
    const worker = new Worker(this.#options.threadFile ?? THREAD_FILE, {
      workerData: start,
      transferList: ports.filter((port) => port !== null),
    });
    worker.on('message', (message: FromThread) => this.#onMessage(thread, message));
    worker.on('error', (error) => this.#onDeath(error));
    worker.on('exit', (code) => this.#onDeath(new Error(`exit code ${code}`)));
    return worker;
  }

  #broadcast(message: ToThread): void {
    for (const worker of this.#workers) worker.postMessage(message);
  }

  #onMessage(thread: number, message: FromThread): void {
    switch (message.kind) {
      case 'published':
        this.#teams.get(message.id)?.onPublished(message.version);
        return;
      case 'arrived':
        this.#onArrived(thread, message.id);
        return;
      case 'reports':
        for (const report of message.reports) this.#onReport(thread, report);
        return;
      case 'suspect':
        this.#throttlers.get(message.id)?.suspectDest(message.dest);
        return;
      case 'log':
        this.#deps.logger[message.level](message.fields, message.message);
        return;
      case 'lines':
        this.#telemetry?.writeLines(message.text);
        return;
      case 'failure':
        this.#tasks.onFailure(message.id, message.message);
        return;
      case 'reply':
        this.#tasks.onReply(message.id, message.metrics);
    }
  }

  #onArrived(thread: number, id: number): void {
    const throttler = this.#throttlers.get(id);
    if (throttler === undefined) return;
    // The wake begins before the signal goes out, as where a request is this thread's own.
    if (!throttler.hasPods) throttler.wake.begin();
    this.#telemetry?.noteRequests(throttler);
    const entry = this.#deps.reporter.announce(throttler, this.#deps.clock.monotonicMs());
    if (entry.accounting instanceof MergedAccounting) entry.accounting.begin(thread);
  }

  #onReport(thread: number, report: ThreadReport): void {
    const throttler = this.#throttlers.get(report.id);
    if (throttler === undefined) return;
    const isIdle = report.inside === 0 && report.requestCount === 0 && report.requestMs === 0;
    if (throttler.reportEntry === null && isIdle) return;
    const entry = this.#deps.reporter.announce(throttler, this.#deps.clock.monotonicMs());
    if (entry.accounting instanceof MergedAccounting) entry.accounting.add(thread, report);
  }

  #onDeath(error: Error): void {
    this.#tasks.failAll(error);
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#deps.onDeath(error);
  }

  #showHealth(): void {
    const problem = HEALTH_PROBLEMS.indexOf(this.#deps.health() as null);
    Atomics.store(new Int32Array(this.#health), 0, Math.max(0, problem));
  }

  /** Revisions that went and have nobody inside any more. */
  #sweep(): void {
    for (const team of this.#forgotten) {
      if (!team.isIdle) continue;
      this.#forgotten.delete(team);
      this.#teams.delete(team.id);
      this.#throttlers.delete(team.id);
    }
  }
}

/** A channel between every two threads. */
function createPorts(threads: number): (MessagePort | null)[][] {
  const ports: (MessagePort | null)[][] = Array.from({ length: threads }, () =>
    new Array<MessagePort | null>(threads).fill(null),
  );
  for (let first = 0; first < threads; first += 1) {
    for (let second = first + 1; second < threads; second += 1) {
      const { port1, port2 } = new MessageChannel();
      (ports[first] as (MessagePort | null)[])[second] = port1;
      (ports[second] as (MessagePort | null)[])[first] = port2;
    }
  }
  return ports;
}
