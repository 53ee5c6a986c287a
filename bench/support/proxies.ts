// What the bench compares: the app itself, our queue-proxy in several settings, and any peer already
// running (nginx has a file of its own). Each proxy is a process of its own on the proxy core, in
// front of the same app.

import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { BUILD, end, freePort, isListening, PROXY_CORE, spawnPinned } from './processes.ts';
import type { Sinks } from './sinks.ts';

export interface Peer {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
}

export interface Target {
  readonly name: string;
  readonly engine: string;
  readonly containerConcurrency: number;
  readonly port: number;
  readonly host: string;
  /** Null for the app itself, whose CPU is not asked for. */
  readonly pid: number | null;
  close(): Promise<void>;
}

const keep = async (): Promise<void> => undefined;

export function directTarget(appPort: number): Target {
  return {
    name: 'direct',
    engine: 'none',
    containerConcurrency: 0,
    host: '127.0.0.1',
    port: appPort,
    pid: null,
    close: keep,
  };
}

export function peerTarget(peer: Peer): Target {
  const url = new URL(peer.url);
  return {
    name: peer.name,
    engine: 'peer',
    containerConcurrency: 0,
    host: url.hostname,
    port: Number(url.port || 80),
    pid: peer.pid,
    close: keep,
  };
}

/** Environment of a sidecar in front of `appPort`, gate, statistics, timeouts and metrics on. */
export function sidecarEnvironment(
  ports: { serving: number; admin: number; stats: number; metrics: number; app: number },
  containerConcurrency: number,
): Record<string, string> {
  return {
    CONTAINER_CONCURRENCY: String(containerConcurrency),
    QUEUE_SERVING_PORT: String(ports.serving),
    QUEUE_SERVING_TLS_PORT: '8112',
    USER_PORT: String(ports.app),
    REVISION_TIMEOUT_SECONDS: '300',
    REVISION_RESPONSE_START_TIMEOUT_SECONDS: '200',
    REVISION_IDLE_TIMEOUT_SECONDS: '100',
    SERVING_READINESS_PROBE: `{"tcpSocket":{"host":"127.0.0.1","port":${ports.app}}}`,
    SERVING_LOGGING_CONFIG: '',
    SERVING_LOGGING_LEVEL: 'error',
    SERVING_NAMESPACE: 'default',
    SERVING_SERVICE: 'hello',
    SERVING_CONFIGURATION: 'hello',
    SERVING_REVISION: 'hello-00001',
    SERVING_POD: 'hello-00001-bench',
    SERVING_POD_IP: '127.0.0.1',
    OBSERVABILITY_CONFIG: '{"requestMetrics":{"protocol":"prometheus"}}',
    QUEUE_BIND_ADDRESS: '127.0.0.1',
    QUEUE_ADMIN_PORT: String(ports.admin),
    QUEUE_STATS_PORT: String(ports.stats),
    QUEUE_METRICS_PORT: String(ports.metrics),
  };
}

export interface SidecarVariant {
  readonly name: string;
  readonly engine: 'net' | 'uws';
  readonly containerConcurrency: number;
  /** Where request log and spans go; null = neither is on. */
  readonly sinks: Sinks | null;
}

export function sidecarVariant(
  engine: 'net' | 'uws',
  containerConcurrency: number,
  sinks: Sinks | null = null,
): SidecarVariant {
  const what = sinks === null ? `cc${containerConcurrency}` : 'log-trace';
  return { name: `ours-${engine}-${what}`, engine, containerConcurrency, sinks };
}

/** Spawns a sidecar without waiting for it. */
export async function spawnSidecar(
  appPort: number,
  { engine, containerConcurrency, sinks }: SidecarVariant,
): Promise<{ child: ChildProcess; port: number }> {
  const [serving, admin, stats, metrics] = await freePorts(4);
  const ports = {
    serving: serving!,
    admin: admin!,
    stats: stats!,
    metrics: metrics!,
    app: appPort,
  };
  const entry = join(BUILD, 'src', 'main.cjs');
  const env: Record<string, string> = sidecarEnvironment(ports, containerConcurrency);
  if (engine !== 'net') env['PILOTLIGHT_HTTP_ENGINE'] = engine;
  if (sinks !== null) env['OBSERVABILITY_CONFIG'] = loggingAndTracing(sinks.tracesUrl);
  const stdout = sinks === null ? null : sinks.openLog();
  const child = spawnPinned(process.execPath, [entry, '--role', 'queueproxy'], {
    core: PROXY_CORE,
    env,
    ...(stdout === null ? {} : { stdout }),
  });
  if (stdout !== null) closeSync(stdout);
  return { child, port: ports.serving };
}

/** The default log template, and one request in a hundred traced. */
function loggingAndTracing(endpoint: string): string {
  return JSON.stringify({
    requestMetrics: { protocol: 'prometheus' },
    enableRequestLog: true,
    tracing: { protocol: 'http/protobuf', endpoint, samplingRate: 0.01 },
  });
}

/** Null when it ends instead of listening: this machine or build cannot run that variant. */
export async function oursTarget(appPort: number, variant: SidecarVariant): Promise<Target | null> {
  const { child, port } = await spawnSidecar(appPort, variant);
  if (!(await isListening(child, port))) return null;
  return {
    name: variant.name,
    engine: variant.engine,
    containerConcurrency: variant.containerConcurrency,
    host: '127.0.0.1',
    port,
    pid: child.pid!,
    close: () => end(child),
  };
}

async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}
