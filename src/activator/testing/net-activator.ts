// The whole activator on real sockets for tests of its transport: an API in memory, a websocket
// server in the autoscaler's place, applications that speak HTTP/1.1 and HTTP/2 as pods, and HTTP/2
// clients.

import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type RawData, WebSocketServer } from 'ws';
import type { Endpoints } from '../../api/core.ts';
import { Endpoints as EndpointsKind, Revision as RevisionKind } from '../../api/kinds.ts';
import type { Revision, RevisionSpec } from '../../api/serving.ts';
import { systemClock } from '../../clock/clock.ts';
import { createInformerFactory } from '../../kube/informer.ts';
import { MemoryClient } from '../../kube/testing/memory-client.ts';
import { DualApp, type OnRequest, type OnStream } from '../../proxy/testing/dual-app.ts';
import { answerOf, type Http2Answer } from '../../proxy/testing/h2-harness.ts';
import { until } from '../../proxy/testing/harness.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { decodeStatMessages, type StatMessage } from '../../wire/stat.ts';
import { type ActivatorOptions, type RunningActivator, startActivator } from '../start.ts';
import { revision, seededRandom } from './harness.ts';

export interface DeployOptions {
  protocol?: 'http1' | 'h2c';
  spec?: Partial<RevisionSpec>;
  onRequest?: OnRequest;
}

export interface AskOptions {
  port?: number;
  body?: string;
  headers?: Record<string, string>;
}

export class NetActivator {
  readonly client = new MemoryClient();
  readonly stats: StatMessage[] = [];
  running!: RunningActivator;
  readonly #autoscaler: WebSocketServer;
  readonly #pods = new Map<string, DualApp>();
  readonly #sessions: ClientHttp2Session[] = [];
  #stopInformers: () => Promise<void> = async () => undefined;

  private constructor(autoscaler: WebSocketServer) {
    this.#autoscaler = autoscaler;
    autoscaler.on('connection', (socket) => {
      socket.on('message', (data: RawData) => {
        this.stats.push(...decodeStatMessages(data as Buffer));
      });
    });
  }

  /** `prepare` fills the API before anything starts. */
  static async start(
    options: Partial<ActivatorOptions> = {},
    prepare: (client: MemoryClient) => Promise<void> = async () => undefined,
  ): Promise<NetActivator> {
    const autoscaler = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(autoscaler, 'listening');
    const activator = new NetActivator(autoscaler);
    await prepare(activator.client);
    const deps = { clock: systemClock, logger: silentLogger, random: seededRandom(5) };
    const informers = createInformerFactory(activator.client, deps);
    const { port } = autoscaler.address() as AddressInfo;
    const starting = startActivator({
      ...deps,
      client: activator.client,
      informers,
      host: '127.0.0.1',
      port: 0,
      h2cPort: 0,
      podName: 'activator-0',
      autoscalerUrl: () => `ws://127.0.0.1:${port}`,
      systemNamespace: 'knative-serving',
      clusterDomain: 'cluster.local',
      ...options,
    });
    activator.#stopInformers = () => informers.stop();
    try {
      await informers.start();
      activator.running = await starting;
    } catch (error) {
      await activator.#stopBesides();
      throw error;
    }
    const isConnected = () => autoscaler.clients.size > 0;
    await until(isConnected, 'the stat connection');
    return activator;
  }

  get port(): number {
    return this.running.port;
  }

  get h2cPort(): number {
    return this.running.h2cPort;
  }

  destOf(name: string): string {
    return `127.0.0.1:${this.#pods.get(name)?.port}`;
  }

  /** A revision without pods. */
  async create(name: string, options: DeployOptions = {}): Promise<void> {
    const ports = options.protocol === 'h2c' ? [{ name: 'h2c', containerPort: 8080 }] : [];
    const containers = [{ name: 'user-container', ports }];
    await this.client.create<Revision>(
      RevisionKind,
      revision(name, { containers, ...options.spec }),
    );
  }

  /** A pod for a revision. */
  async start(name: string, onStream: OnStream, options: DeployOptions = {}): Promise<DualApp> {
    const pod = await DualApp.start(onStream, options.onRequest);
    this.#pods.set(name, pod);
    const portName = options.protocol === 'http1' ? 'http' : 'http2';
    await this.client.create<Endpoints>(EndpointsKind, {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: {
        namespace: 'default',
        name: `${name}-private`,
        labels: {
          'serving.knative.dev/revision': name,
          'serving.knative.dev/revisionUID': `uid-${name}`,
          'networking.internal.knative.dev/serviceType': 'Private',
        },
      },
      subsets: [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ name: portName, port: pod.port }] }],
    });
    return pod;
  }

  async deploy(name: string, options: DeployOptions, onStream: OnStream): Promise<DualApp> {
    await this.create(name, options);
    return this.start(name, onStream, { protocol: 'http1', ...options });
  }

  /** Opens a stream for a POST whose body is the caller's. */
  open(name: string, options: AskOptions = {}): ClientHttp2Stream {
    const session = connect(`http://127.0.0.1:${options.port ?? this.h2cPort}`);
    session.on('error', () => undefined);
    this.#sessions.push(session);
    const stream = session.request(
      {
        ':method': 'POST',
        ':authority': `${name}.example.com`,
        'knative-serving-namespace': 'default',
        'knative-serving-revision': name,
        ...options.headers,
      },
      { endStream: false },
    );
    stream.on('error', () => undefined);
    return stream;
  }

  ask(name: string, options: AskOptions = {}): Promise<Http2Answer> {
    const stream = this.open(name, options);
    const answer = answerOf(stream);
    stream.end(options.body ?? '');
    return answer;
  }

  /** A kubelet's probe over HTTP/1.1. */
  probe(port: number): Promise<Response> {
    return fetch(`http://127.0.0.1:${port}/`, { headers: { 'k-kubelet-probe': 'queue' } });
  }

  /** Waits until the autoscaler was told of `count` requests in all. */
  async untilReported(name: string, count: number): Promise<void> {
    const told = (): number =>
      this.stats
        .filter((message) => message.name === name)
        .reduce((sum, { stat }) => sum + stat.requestCount, 0);
    await until(() => told() === count, `${count} requests of ${name} reported`);
  }

  /** Waits until the autoscaler was told that nobody is inside any more. */
  async untilIdle(name: string): Promise<void> {
    const last = () => this.stats.filter((message) => message.name === name).at(-1);
    await until(() => last()?.stat.averageConcurrentRequests === 0, `${name} idle`);
  }

  async stop(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await this.running.stop();
    await this.#stopBesides();
  }

  async #stopBesides(): Promise<void> {
    for (const pod of this.#pods.values()) pod.close();
    await this.#stopInformers();
    for (const socket of this.#autoscaler.clients) socket.terminate();
    this.#autoscaler.close();
  }
}
