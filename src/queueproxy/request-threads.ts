// The request threads beside the main one (QUEUE_THREADS above 1) and what the pod shares with
// them: one gate, one set of statistics, one drain state, one readiness evaluation (QP-16). The
// main thread serves requests too and is thread 0. A thread that ends by itself has lost requests
// and may have held slots, so it is not replaced: the process says why and exits (QP-15, decision
// 0012).

import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { Clock } from '../clock/clock.ts';
import { scaleOriginMs } from '../clock/thread-clock.ts';
import { Gate } from '../proxy/gate.ts';
import type { GateSeat } from '../proxy/gate-team.ts';
import { duplicateDescriptors } from '../proxy/listening-descriptors.ts';
import type { HttpServer } from '../proxy/types.ts';
import type { LineSink } from '../telemetry/line-output.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MetricSnapshot } from '../telemetry/metric-series.ts';
import { waitLimitFor } from './handler.ts';
import type { QueueProxySettings } from './settings.ts';
import {
  createThreadCells,
  DrainBoard,
  ThreadAccounting,
  ThreadAccountingSum,
} from './thread-cells.ts';
import type {
  FromThread,
  ThreadListen,
  ThreadSnapshot,
  ThreadStart,
  ThreadTask,
} from './thread-messages.ts';

export interface RequestThreadsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where request log lines of all threads leave. */
  readonly output: LineSink;
  readonly isAppReady: () => Promise<boolean>;
  /** A thread ended although nobody asked it to. */
  readonly onDeath: (error: Error) => void;
  /** The built entry file; the one beside this module unless a test says otherwise. */
  readonly threadFile?: URL;
}

/** Its own build entry point; the only place that knows where it is. */
const THREAD_FILE = new URL('./thread-main.js', import.meta.url);

export class RequestThreads {
  /** The main thread's view; null when concurrency is unlimited. */
  readonly gate: Gate | null;
  /** The main thread's part of the statistics. */
  readonly accounting: ThreadAccounting;
  /** The statistics of all threads. */
  readonly sum: ThreadAccountingSum;
  readonly drainBoard: DrainBoard;
  readonly #settings: QueueProxySettings;
  readonly #deps: RequestThreadsDeps;
  readonly #cells: SharedArrayBuffer;
  /** By thread and thread: where one sends its wakes to the other. */
  readonly #ports: (MessagePort | null)[][];
  readonly #threads: RequestThread[] = [];
  #rejectedCount = 0;

  constructor(settings: QueueProxySettings, deps: RequestThreadsDeps) {
    const { threads, containerConcurrency } = settings;
    const nowMs = deps.clock.monotonicMs();
    this.#settings = settings;
    this.#deps = deps;
    this.#cells = createThreadCells(threads);
    this.accounting = new ThreadAccounting(this.#cells, 0, nowMs);
    this.sum = new ThreadAccountingSum(this.#cells, threads, nowMs);
    this.drainBoard = new DrainBoard(this.#cells, threads);
    this.#ports = createPorts(threads);
    const seat: GateSeat = {
      thread: 0,
      threads,
      wake: (thread) => this.#ports[0]?.[thread]?.postMessage(0),
    };
    this.gate =
      containerConcurrency < 1
        ? null
        : Gate.create(containerConcurrency, waitLimitFor(containerConcurrency), seat);
    for (const port of this.#ports[0] ?? []) {
      port?.on('message', () => this.gate?.collect());
      port?.unref();
    }
  }

  /** Requests inside the other threads that count for the autoscaler. */
  get inFlight(): number {
    return Math.max(0, this.sum.concurrency - this.accounting.concurrency);
  }

  /** Starts the threads; `server` is the main thread's and listens on `port`. */
  async start(server: HttpServer, port: number): Promise<void> {
    const settings = this.#settings;
    const originMs = scaleOriginMs(this.#deps.clock);
    for (let index = 1; index < settings.threads; index += 1) {
      const start: ThreadStart = {
        thread: index,
        threads: settings.threads,
        settings,
        originMs,
        cells: this.#cells,
        gate: this.gate?.shared ?? null,
        ports: this.#ports[index]!,
      };
      this.#threads.push(new RequestThread(start, this.#deps));
    }
    // Found while the threads load.
    const places = await this.#places(server, port);
    await Promise.all(
      this.#threads.map((thread, index) => thread.ask({ do: 'listen', where: places[index]! })),
    );
  }

  /** Resolves when every thread's server is drained. */
  drain(): Promise<unknown> {
    return this.#askAll({ do: 'drain' });
  }

  /** Resolves once nothing is inside the other threads. */
  whenDone(): Promise<unknown> {
    return this.#askAll({ do: 'finish' });
  }

  /** Metrics of each thread; a thread that cannot answer any more is left out. */
  async snapshots(): Promise<MetricSnapshot[]> {
    const asked = this.#threads.map((thread) => thread.ask({ do: 'snapshot' }).catch(() => null));
    const answers = (await Promise.all(asked)) as (ThreadSnapshot | null)[];
    const found = answers.filter((answer) => answer !== null);
    this.#rejectedCount = found.reduce((sum, { rejectedCount }) => sum + rejectedCount, 0);
    return found.map(({ metrics }) => metrics);
  }

  /** Requests the other threads refused for their framing, as of the last snapshots. */
  get rejectedCount(): number {
    return this.#rejectedCount;
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
    for (const port of this.#ports[0] ?? []) port?.close();
  }

  #askAll(task: ThreadTask): Promise<unknown[]> {
    return Promise.all(this.#threads.map((thread) => thread.ask(task)));
  }

  /** Where each thread beside the main one listens. */
  async #places({ listener }: HttpServer, port: number): Promise<ThreadListen[]> {
    const { threads, bindAddress } = this.#settings;
    if (listener !== undefined) {
      const descriptors = await duplicateDescriptors(listener, threads - 1);
      return descriptors.map((descriptor) => ({ descriptor }));
    }
    const hosts = bindAddress === '' ? ['::', '0.0.0.0'] : [bindAddress];
    return Array.from({ length: threads - 1 }, () => ({ hosts, port }));
  }
}

/** One further thread: its worker and the questions it has not answered yet. */
class RequestThread {
  readonly #worker: Worker;
  readonly #deps: RequestThreadsDeps;
  readonly #asked = new Map<number, (reply: FromThread & { id: number }) => void>();
  #lastId = 0;
  #closing = false;
  /** Nobody is there to answer any more. */
  #isOver = false;

  constructor(start: ThreadStart, deps: RequestThreadsDeps) {
    this.#deps = deps;
    this.#worker = new Worker(deps.threadFile ?? THREAD_FILE, {
      workerData: start,
      transferList: start.ports.filter((port) => port !== null),
    });
    this.#worker.on('message', (message: FromThread) => this.#onMessage(message));
    this.#worker.on('error', (error) => this.#onDeath(error));
    this.#worker.on('exit', (code) => this.#onDeath(new Error(`exit code ${code}`)));
  }

  /** Null once the thread is over: whatever was to be done there, nothing of it is left. */
  ask(task: ThreadTask): Promise<unknown> {
    if (this.#isOver) return Promise.resolve(null);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, (reply) => {
        if (reply.kind === 'reply') resolve(reply.value);
        else reject(reply.kind === 'failure' ? reply.error : new Error(reply.kind));
      });
      this.#worker.postMessage({ kind: 'task', id, task });
    });
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    await this.ask({ do: 'close' }).catch(() => undefined);
    await this.#worker.terminate();
  }

  #onMessage(message: FromThread): void {
    if (message.kind === 'reply' || message.kind === 'failure') {
      this.#asked.get(message.id)?.(message);
      this.#asked.delete(message.id);
    } else if (message.kind === 'probe') {
      const { id } = message;
      void this.#deps
        .isAppReady()
        .then((ready) => this.#worker.postMessage({ kind: 'probed', id, ready }));
    } else if (message.kind === 'log') {
      this.#deps.logger[message.method](message.fields, message.message);
    } else this.#deps.output.write(message.text);
  }

  #onDeath(error: Error): void {
    this.#isOver = true;
    // Closed on purpose: what was asked of it before is over as well, and that is no failure.
    for (const [id, settle] of this.#asked) {
      settle(this.#closing ? { kind: 'reply', id, value: null } : { kind: 'failure', id, error });
    }
    this.#asked.clear();
    if (this.#closing) return;
    this.#closing = true;
    this.#deps.onDeath(error);
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
      ports[first]![second] = port1;
      ports[second]![first] = port2;
    }
  }
  return ports;
}
