// What the bench compares: the app itself, nginx, our queue-proxy with and without a concurrency limit,
// and any peer already running. Each proxy is a process of its own on the proxy core, in front of the
// same app.

import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILD, end, freePort, PROXY_CORE, spawnPinned, untilListening } from './processes.ts';

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

/** Spawns a sidecar without waiting for it. */
export async function spawnSidecar(
  appPort: number,
  containerConcurrency: number,
): Promise<{ child: ChildProcess; port: number }> {
  const [serving, admin, stats, metrics] = await freePorts(4);
  const ports = {
    serving: serving!,
    admin: admin!,
    stats: stats!,
    metrics: metrics!,
    app: appPort,
  };
  const entry = join(BUILD, 'src', 'main.js');
  const child = spawnPinned(process.execPath, [entry, '--role', 'queueproxy'], {
    core: PROXY_CORE,
    env: sidecarEnvironment(ports, containerConcurrency),
  });
  return { child, port: ports.serving };
}

export async function oursTarget(appPort: number, containerConcurrency: number): Promise<Target> {
  const { child, port } = await spawnSidecar(appPort, containerConcurrency);
  await untilListening(port);
  return {
    name: `ours-net-cc${containerConcurrency}`,
    engine: 'net',
    containerConcurrency,
    host: '127.0.0.1',
    port,
    pid: child.pid!,
    close: () => end(child),
  };
}

/** True when nginx is there, installing it if this is root on a Debian; else says why not. */
export function ensureNginx(
  say: (line: string) => void,
  options: { mayInstall: boolean },
): boolean {
  if (spawnSync('nginx', ['-v']).status === 0) return true;
  const canInstall =
    options.mayInstall &&
    process.getuid?.() === 0 &&
    spawnSync('apt-get', ['--version']).status === 0;
  if (!canInstall) {
    say('nginx is not installed and cannot be installed here: its rows are skipped');
    return false;
  }
  say('installing nginx');
  const install = () => spawnSync('apt-get', ['install', '-y', '-q', 'nginx-light']).status === 0;
  if (install()) return true;
  spawnSync('apt-get', ['update', '-q']);
  if (install()) return true;
  say('nginx could not be installed: its rows are skipped');
  return false;
}

/** One worker, upstream keep-alive, X-Forwarded-For, no access log, stock buffers. */
export async function nginxTarget(appPort: number): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-nginx-'));
  const port = await freePort();
  const config = join(folder, 'nginx.conf');
  writeFileSync(config, nginxConfig(folder, port, appPort));
  const child = spawnPinned(
    'nginx',
    ['-c', config, '-p', folder, '-e', join(folder, 'error.log')],
    {
      core: PROXY_CORE,
    },
  );
  await untilListening(port);
  return {
    name: 'nginx',
    engine: 'nginx',
    containerConcurrency: 0,
    host: '127.0.0.1',
    port,
    pid: child.pid!,
    close: async () => {
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('exit', resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function nginxConfig(folder: string, port: number, appPort: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  return `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off; ${temporary}
  keepalive_requests 100000000;
  upstream app { server 127.0.0.1:${appPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`;
}

async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}
