// A revision without the rest of a cluster: a real API server in this process, and around it real
// processes of the program (activators, autoscalers, pods made of sidecar and application), each on
// a loopback address of its own. The test is controller and kubelet: it writes the objects a
// controller would write and starts or kills pods. The application writes down what it ran, so that
// a check compares answers with deeds.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AdmissionPlugin } from '../../src/api/admission.ts';
import * as kinds from '../../src/api/kinds.ts';
import type { KubeObject } from '../../src/api/objects.ts';
import { type ApiServer, startApiServer } from '../../src/apiserver/start.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { createKubeClient } from '../../src/kube/client.ts';
import type { KubeClient } from '../../src/kube/types.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { MAIN, until } from './pilotlight.ts';

export const SYSTEM = 'knative-serving';
export const REVISION = 'hello-00001';
const LABELS = {
  'serving.knative.dev/service': 'hello',
  'serving.knative.dev/configuration': 'hello',
  'serving.knative.dev/revision': REVISION,
  'serving.knative.dev/revisionUID': 'u-1',
};
const SERVICE_TYPE = 'networking.internal.knative.dev/serviceType';
/** Another build than dist/. */
const PROGRAM = process.env['PILOTLIGHT_MAIN'] ?? MAIN;
/** Long enough for a loaded machine; nothing is measured by it. */
const LIMIT_MS = 60_000;

/** Appends a line per request before it answers: identifier and how many were inside with it. */
const RECORDING_APP = `
const { appendFileSync } = require('node:fs');
let inside = 0;
require('node:http').createServer((request, response) => {
  const { searchParams } = new URL(request.url, 'http://localhost');
  inside += 1;
  appendFileSync(process.env.RECORD, searchParams.get('id') + ' ' + inside + '\\n');
  request.resume();
  setTimeout(() => { inside -= 1; response.end(searchParams.get('id')); },
    Number(searchParams.get('ms') || 0));
}).listen(Number(process.env.PORT), '127.0.0.1');`;

const admitAll: AdmissionPlugin = {
  admit: (request) => ({ allowed: true, object: request.object, warnings: [] }),
};

export interface Answer {
  /** 0 = the connection broke. */
  status: number;
  body: string;
  headers: http.IncomingHttpHeaders;
}

/** One process of the program. */
export class Member {
  readonly child: ChildProcess;
  readonly address: string;
  output = '';

  constructor(args: string[], env: Record<string, string>, address: string) {
    this.address = address;
    this.child = spawn(process.execPath, args, {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.output += data.toString();
      });
    }
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
    return child.exitCode;
  }
}

/** Sidecar and application, which live and die together. */
export interface RunningPod {
  readonly address: string;
  readonly sidecar: Member;
  readonly app: Member;
}

export interface Run {
  readonly id: string;
  readonly address: string;
  /** Requests inside the application when it began, itself included. */
  readonly inside: number;
}

export class ActivatorCluster {
  readonly client: KubeClient;
  readonly #api: ApiServer;
  readonly #folder: string;
  readonly #ports: { sidecar: number; activator: number; autoscaler: number };
  /** By pod: sidecars look for their application on 127.0.0.1. */
  readonly #appPorts = new Map<string, number>();
  readonly #metricsPort: number;
  readonly #members: Member[] = [];
  readonly #pods = new Map<string, RunningPod>();
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1_000 });
  readonly containerConcurrency: number;
  autoscalerAddress = '127.0.0.9';

  private constructor(
    api: ApiServer,
    folder: string,
    ports: readonly number[],
    containerConcurrency: number,
  ) {
    const [sidecar = 0, activator = 0, autoscaler = 0, metrics = 0] = ports;
    this.#api = api;
    this.#folder = folder;
    this.#ports = { sidecar, activator, autoscaler };
    this.#metricsPort = metrics;
    this.containerConcurrency = containerConcurrency;
    const connection = { server: api.url, caPem: api.caPem, token: api.token };
    const deps = { clock: systemClock, logger: silentLogger, userAgent: 'test' };
    this.client = createKubeClient({ ...connection, ...deps });
  }

  static async start(containerConcurrency: number): Promise<ActivatorCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'pilotlight-activators-'));
    const api = await startApiServer({
      dataDir: null,
      durability: 'kernel',
      host: '127.0.0.1',
      port: 0,
      userName: 'admin',
      admission: admitAll,
      podLogs: { open: () => Promise.resolve(null) } as never,
      clock: systemClock,
      logger: silentLogger,
    });
    writeFileSync(join(folder, 'kubeconfig'), api.kubeconfig, { mode: 0o600 });
    const ports = await Promise.all(Array.from({ length: 4 }, freePort));
    const cluster = new ActivatorCluster(api, folder, ports, containerConcurrency);
    await cluster.#createObjects();
    return cluster;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await Promise.all(this.#members.map((member) => member.kill('SIGKILL')));
    this.client.close();
    await this.#api.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async create(kind: kinds.Kind, object: object): Promise<void> {
    const typed = { apiVersion: kinds.apiVersionOf(kind), kind: kind.kind, ...object };
    await this.client.create(kind, typed as KubeObject);
  }

  /** Resolves when it listens; `env` on top of what a Deployment would give it. */
  async startActivator(address: string, env: Record<string, string> = {}): Promise<Member> {
    const member = this.#spawn([PROGRAM, 'activator'], address, {
      POD_NAME: `activator-${address}`,
      ACTIVATOR_BIND_ADDRESS: address,
      ACTIVATOR_PORT: String(this.#ports.activator),
      ACTIVATOR_H2C_PORT: '0',
      ACTIVATOR_DRAIN_SECONDS: '0.2',
      ACTIVATOR_AUTOSCALER_URL: `ws://${this.autoscalerAddress}:${this.#ports.autoscaler}`,
      METRICS_PROMETHEUS_PORT: String(this.#metricsPort),
      ...env,
    });
    const isUp = () => member.output.includes('activator started') || undefined;
    await this.#eventually(`activator ${address}`, isUp, member);
    return member;
  }

  /** Resolves when its stat socket answers. */
  async startAutoscaler(): Promise<Member> {
    const address = this.autoscalerAddress;
    const member = this.#spawn([PROGRAM, 'autoscaler'], address, {
      POD_NAME: 'autoscaler-0',
      AUTOSCALER_BIND_ADDRESS: address,
      AUTOSCALER_PORT: String(this.#ports.autoscaler),
      AUTOSCALER_METRICS_PORT: '0',
    });
    const isUp = () => member.output.includes('autoscaler started') || undefined;
    await this.#eventually('the autoscaler', isUp, member);
    return member;
  }

  /** Starts application and sidecar; again after they were killed. Listed by `listPods` only. */
  async startPod(address: string): Promise<RunningPod> {
    const appPort = this.#appPorts.get(address) ?? (await freePort());
    this.#appPorts.set(address, appPort);
    const appEnv = { PORT: String(appPort), RECORD: this.#recordOf(address) };
    const app = new Member(['-e', RECORDING_APP], appEnv, address);
    const env = this.#sidecarEnv(address, appPort);
    const sidecar = new Member([PROGRAM, 'queueproxy'], env, address);
    this.#members.push(app, sidecar);
    const pod = { address, sidecar, app };
    this.#pods.set(address, pod);
    await this.#eventually(
      `pod ${address}`,
      async () => {
        const headers = { 'user-agent': 'kube-probe/1.33', 'k-network-probe': 'queue' };
        const answer = await this.#request(address, this.#ports.sidecar, 'GET', '/', headers);
        return answer.status === 200 || undefined;
      },
      sidecar,
    );
    return pod;
  }

  /** Without a warning, both at once; the sidecar first, so that it never speaks for a dead app. */
  async killPod(address: string): Promise<void> {
    const pod = this.#pods.get(address);
    if (pod === undefined) return;
    this.#pods.delete(address);
    await Promise.all([pod.sidecar.kill('SIGKILL'), pod.app.kill('SIGKILL')]);
  }

  /** The private Endpoints, as Kubernetes would write them. */
  async listPods(ready: readonly string[]): Promise<void> {
    await this.#writeEndpoints(`${REVISION}-private`, ready, this.#ports.sidecar);
  }

  /** The public Endpoints in Proxy mode. */
  async listActivators(addresses: readonly string[]): Promise<void> {
    await this.#writeEndpoints(REVISION, addresses, this.#ports.activator);
  }

  /** One request for the revision through that activator; never rejects. */
  send(
    activator: string,
    path: string,
    method: 'GET' | 'POST' = 'POST',
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return this.#request(activator, this.#ports.activator, method, path, {
      'knative-serving-namespace': 'default',
      'knative-serving-revision': REVISION,
      ...headers,
    });
  }

  /** Its health, as a kubelet asks. */
  probe(activator: string): Promise<Answer> {
    const headers = { 'user-agent': 'kube-probe/1.33' };
    return this.#request(activator, this.#ports.activator, 'GET', '/', headers);
  }

  /** Value of a metric without labels; NaN = not there. */
  async metric(activator: string, name: string): Promise<number> {
    const { body } = await this.#request(activator, this.#metricsPort, 'GET', '/metrics', {});
    return Number(
      new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(body)?.[1] ?? Number.NaN,
    );
  }

  metricsPage(activator: string): Promise<Answer> {
    return this.#request(activator, this.#metricsPort, 'GET', '/metrics', {});
  }

  /** What all applications ran, in no order. */
  runs(addresses: readonly string[]): Run[] {
    return addresses.flatMap((address) => {
      const lines = readRecord(this.#recordOf(address)).split('\n').filter(Boolean);
      return lines.map((line) => {
        const [id = '', inside = ''] = line.split(' ');
        return { id, address, inside: Number(inside) };
      });
    });
  }

  #eventually<T>(what: string, read: () => T | undefined | Promise<T | undefined>, member: Member) {
    return until(what, read, LIMIT_MS, () => member.output);
  }

  #spawn(args: string[], address: string, env: Record<string, string>): Member {
    const common = {
      KUBECONFIG: join(this.#folder, 'kubeconfig'),
      POD_IP: address,
      SYSTEM_NAMESPACE: SYSTEM,
    };
    const member = new Member(args, { ...common, ...env }, address);
    this.#members.push(member);
    return member;
  }

  #recordOf(address: string): string {
    return join(this.#folder, `${address}.runs`);
  }

  #sidecarEnv(address: string, appPort: number): Record<string, string> {
    const { sidecar } = this.#ports;
    const readiness = { tcpSocket: { host: '127.0.0.1', port: appPort }, successThreshold: 1 };
    return {
      CONTAINER_CONCURRENCY: String(this.containerConcurrency),
      QUEUE_SERVING_PORT: String(sidecar),
      QUEUE_SERVING_TLS_PORT: '0',
      QUEUE_ADMIN_PORT: '0',
      QUEUE_STATS_PORT: '0',
      QUEUE_BIND_ADDRESS: address,
      USER_PORT: String(appPort),
      REVISION_TIMEOUT_SECONDS: '300',
      SERVING_CONFIGURATION: 'hello',
      SERVING_LOGGING_CONFIG: '',
      SERVING_LOGGING_LEVEL: 'error',
      SERVING_NAMESPACE: 'default',
      SERVING_POD: `pod-${address}`,
      SERVING_POD_IP: address,
      SERVING_READINESS_PROBE: JSON.stringify(readiness),
      SERVING_REVISION: REVISION,
      SERVING_SERVICE: 'hello',
    };
  }

  #request(
    host: string,
    port: number,
    method: string,
    path: string,
    headers: Record<string, string>,
  ): Promise<Answer> {
    return new Promise((resolve) => {
      const broken = (error: Error): void =>
        resolve({ status: 0, body: error.message, headers: {} });
      const length = method === 'POST' ? { 'content-length': '1' } : {};
      const options = { host, port, method, path, headers: { ...headers, ...length } };
      const outgoing = http.request({ ...options, agent: this.#agent }, (incoming) => {
        let body = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => {
          body += chunk;
        });
        incoming.on('error', broken);
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, body, headers: incoming.headers }),
        );
      });
      outgoing.on('error', broken);
      outgoing.end(method === 'POST' ? 'x' : undefined);
    });
  }

  async #createObjects(): Promise<void> {
    await this.create(kinds.Namespace, { metadata: { name: SYSTEM } });
    const map = (name: string, data: Record<string, string>) =>
      this.create(kinds.ConfigMap, { metadata: { namespace: SYSTEM, name }, data });
    await map('config-network', {});
    await map('config-observability', { 'metrics-protocol': 'prometheus' });
    await this.create(kinds.Revision, {
      metadata: { namespace: 'default', name: REVISION, labels: LABELS },
      spec: {
        containerConcurrency: this.containerConcurrency,
        timeoutSeconds: 300,
        containers: [{ name: 'user-container', image: 'recorder' }],
      },
    });
    const endpoints = (name: string, type: string) =>
      this.create(kinds.Endpoints, {
        metadata: { namespace: 'default', name, labels: { ...LABELS, [SERVICE_TYPE]: type } },
        subsets: [],
      });
    await endpoints(`${REVISION}-private`, 'Private');
    await endpoints(REVISION, 'Public');
  }

  async #writeEndpoints(name: string, addresses: readonly string[], port: number): Promise<void> {
    const subset = {
      addresses: addresses.map((ip) => ({ ip })),
      ports: [{ name: 'http', port, protocol: 'TCP' }],
    };
    const subsets = addresses.length === 0 ? [] : [subset];
    const key = { namespace: 'default', name };
    await this.client.patch(kinds.Endpoints, key, { type: 'merge', body: { subsets } });
  }
}

function readRecord(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // It has run nothing yet.
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '0.0.0.0');
  await once(probe, 'listening');
  const found = (probe.address() as { port: number }).port;
  probe.close();
  await once(probe, 'close');
  return found;
}
