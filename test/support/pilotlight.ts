// Starts the real program from dist/ for a test file or a bench, speaks to it as a user would (HTTP through the
// gateway with a Host header, the API with the kubeconfig it wrote) and makes sure it is gone after.
// Waits are always on a condition with a limit; nothing here sleeps a fixed time.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import autocannon from 'autocannon';
import { ConfigMap, Pod } from '../../src/api/kinds.ts';
import type { CommonStatus, KubeObject } from '../../src/api/objects.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { createKubeClient } from '../../src/kube/client.ts';
import { loadKubeconfig } from '../../src/kube/kubeconfig.ts';
import type { KubeClient } from '../../src/kube/types.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';

/** The checkout, found from here as source (test/support) and as built bench (dist-bench/test/support). */
export const ROOT = checkoutAbove(import.meta.dirname);
export const MAIN = join(ROOT, 'dist', 'main.js');

export interface LogLine {
  message?: string;
  [field: string]: unknown;
}

function checkoutAbove(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : checkoutAbove(dirname(folder));
}

/** One finished wake as the program logs it: phase name to milliseconds since `queued`, in order. */
export function wakesIn(lines: readonly LogLine[]): Map<string, number>[] {
  return lines
    .filter((line) => line.message === 'wake')
    .map((line) => line['phases'] as { phase: string; atMs: number }[])
    .map((phases) => new Map(phases.map(({ phase, atMs }) => [phase, atMs])));
}

/** Any API object with a loosely typed spec and status, as tests read it. */
export interface AnyObject extends KubeObject {
  spec?: Record<string, unknown>;
  status?: CommonStatus & Record<string, unknown>;
}

export interface Answer {
  status: number;
  body: string;
  headers: http.IncomingHttpHeaders;
}

export interface StartOptions {
  args?: string[];
  dataDir?: string;
  /** `dist/main.js` of another checkout; by default this one's. */
  main?: string;
  /** config-autoscaler keys for this run. */
  autoscaler?: Record<string, string>;
}

/** Short windows, so that a whole life cycle fits into a test: 6 s is the least AS-26 allows. */
export const FAST_AUTOSCALER = {
  'stable-window': '6s',
  'scale-to-zero-grace-period': '1s',
};

export class Pilotlight {
  readonly child: ChildProcess;
  readonly dataDir: string;
  readonly lines: LogLine[] = [];
  readonly output: string[] = [];
  exitCode: number | null | undefined;
  gatewayPort = 0;
  localGatewayPort = 0;
  pids = { root: 0, control: 0, dataPlane: 0 };
  kubeconfig = '';
  client!: KubeClient;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 600 });

  constructor(args: string[], dataDir: string, main = MAIN) {
    this.dataDir = dataDir;
    this.child = spawn(process.execPath, [main, 'up', '--data-dir', dataDir, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: ROOT,
    });
    const read = (stream: NodeJS.ReadableStream) =>
      createInterface({ input: stream }).on('line', (line) => this.#onLine(line));
    if (this.child.stdout) read(this.child.stdout);
    if (this.child.stderr) read(this.child.stderr);
    this.child.on('exit', (code) => {
      this.exitCode = code;
    });
  }

  #onLine(line: string): void {
    this.output.push(line);
    try {
      this.lines.push(JSON.parse(line) as LogLine);
    } catch {
      this.lines.push({ message: line });
    }
  }

  async whenReady(): Promise<this> {
    const ready = await until(
      'the ready line',
      () => {
        if (this.exitCode !== undefined)
          throw new Error(`exited ${this.exitCode}:\n${this.tail()}`);
        return this.lines.find((line) => line.message === 'ready');
      },
      60_000,
      () => this.tail(),
    );
    this.gatewayPort = Number(ready['gatewayPort']);
    this.localGatewayPort = Number(ready['localGatewayPort']);
    this.kubeconfig = String(ready['kubeconfig']);
    this.pids = ready['pids'] as typeof this.pids;
    const connection = await loadKubeconfig(this.kubeconfig);
    this.client = createKubeClient({
      ...connection,
      clock: systemClock,
      logger: silentLogger,
      userAgent: 'pilotlight-test',
    });
    return this;
  }

  /** Stdout of a command for people run against this instance; throws when it fails. */
  async command(...args: string[]): Promise<string> {
    const all = [MAIN, ...args, '--kubeconfig', this.kubeconfig];
    const { stdout } = await promisify(execFile)(process.execPath, all);
    return stdout;
  }

  tail(count = 60): string {
    return this.output.slice(-count).join('\n');
  }

  get(host: string, path = '/', timeoutMs = 60_000): Promise<Answer> {
    return request(this.gatewayPort, host, path, timeoutMs, this.#agent);
  }

  /** Pods of that Knative Service that are not being deleted. */
  async pods(service: string): Promise<AnyObject[]> {
    const pods = await this.podsMatching(`serving.knative.dev/service=${service}`);
    return pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  }

  async podsMatching(labelSelector: string): Promise<AnyObject[]> {
    const list = await this.client.list<AnyObject>(Pod, { namespace: 'default', labelSelector });
    return list.items;
  }

  /** Runs a load of `connections` for `seconds`; `overallRate` makes it an open-ish fixed rate. */
  load(options: {
    host: string;
    path: string;
    connections: number;
    seconds: number;
    overallRate?: number;
  }): Promise<autocannon.Result> {
    return autocannon({
      url: `http://127.0.0.1:${this.gatewayPort}${options.path}`,
      headers: { host: options.host },
      connections: options.connections,
      duration: options.seconds,
      timeout: 60,
      ...(options.overallRate === undefined ? {} : { overallRate: options.overallRate }),
    });
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    this.client?.close();
    if (this.exitCode === undefined) {
      this.child.kill('SIGINT');
      await until(
        'exit after SIGINT',
        () => this.exitCode !== undefined,
        30_000,
        () => this.tail(),
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'pilotlight-e2e-'));
}

/** Starts `pilotlight up` on free ports with its own data directory and waits until it serves. */
export async function startPilotlight(options: StartOptions = {}): Promise<Pilotlight> {
  const args = ['--port', '0', '--api-port', '0', '--log-format', 'json', ...(options.args ?? [])];
  const pilotlight = new Pilotlight(args, options.dataDir ?? temporaryFolder(), options.main);
  await pilotlight.whenReady();
  const autoscaler = options.autoscaler ?? FAST_AUTOSCALER;
  await configure(pilotlight, 'config-autoscaler', autoscaler);
  await configure(pilotlight, 'config-deployment', { 'queue-sidecar-drain-quiet-period': '1s' });
  return pilotlight;
}

async function configure(
  pilotlight: Pilotlight,
  name: string,
  data: Record<string, string>,
): Promise<void> {
  await pilotlight.client.patch(
    ConfigMap,
    { namespace: 'knative-serving', name },
    { type: 'merge', body: { data } },
  );
}

/** A Knative Service that runs one of the examples. */
export function exampleService(
  name: string,
  example: 'hello' | 'sleep' | 'stream',
  template: {
    annotations?: Record<string, string>;
    containerConcurrency?: number;
    timeoutSeconds?: number;
    env?: Record<string, string>;
    command?: string[];
    image?: string;
  } = {},
): AnyObject {
  const command = template.command ?? [
    process.execPath,
    join(ROOT, 'examples', example, 'server.js'),
  ];
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: {
      template: {
        metadata: { annotations: template.annotations ?? {} },
        spec: {
          ...(template.containerConcurrency === undefined
            ? {}
            : { containerConcurrency: template.containerConcurrency }),
          ...(template.timeoutSeconds === undefined
            ? {}
            : { timeoutSeconds: template.timeoutSeconds }),
          containers: [
            {
              image: template.image ?? `pilotlight/${example}`,
              ...(command.length === 0 ? {} : { command }),
              env: Object.entries(template.env ?? {}).map(([key, value]) => ({ name: key, value })),
            },
          ],
        },
      },
    },
  };
}

export function condition(
  object: AnyObject,
  type: string,
): { status?: string; reason?: string; message?: string } {
  return object.status?.conditions?.find((entry) => entry.type === type) ?? {};
}

/** Polls until `probe` returns something truthy; throws with `what` and `detail` at the limit. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
  timeoutMs = 30_000,
  detail: () => string = () => '',
): Promise<NonNullable<T>> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (performance.now() > deadlineMs) {
      throw new Error(`waited ${timeoutMs} ms for ${what}\n${detail()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** One GET through a keep-alive agent, with a Host header, as curl to *.localhost would send it. */
export function request(
  port: number,
  host: string,
  path: string,
  timeoutMs: number,
  agent?: http.Agent,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = http.request(
      {
        host: '127.0.0.1',
        port,
        path,
        headers: { host },
        timeout: timeoutMs,
        ...(agent ? { agent } : {}),
      },
      (incoming) => {
        let body = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => {
          body += chunk;
        });
        incoming.on('error', reject);
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, body, headers: incoming.headers }),
        );
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** Processes alive on this machine whose environment holds `text`; zombies do not count. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const isZombie = / Z /.test(
          readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/\(.*\)/, ''),
        );
        return !isZombie && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(text);
      } catch {
        return false; // gone, or not ours to read
      }
    });
}
