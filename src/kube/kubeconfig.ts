// Kubeconfig files, read by the Kubernetes library: it knows contexts, exec plug-ins, OIDC, client
// certificates and proxies. It is loaded only when a kubeconfig is really used, because the import
// alone costs 310 ms and 75 MB. Requests never go through it (it opens a connection per call).

import type { Agent, RequestOptions } from 'node:https';
import type { Clock } from '../clock/clock.ts';
import { systemClock } from '../clock/clock.ts';
import type { KubeConnection } from './connection.ts';

/** How long credentials made by a plug-in are reused before it is asked again; it caches too. */
const CREDENTIAL_REUSE_MS = 10_000;

export interface KubeconfigOptions {
  /** Another context than the current one. */
  context?: string | undefined;
  clock?: Clock | undefined;
}

type Library = typeof import('@kubernetes/client-node');
type Config = InstanceType<Library['KubeConfig']>;

/**
 * Reads one file (or, with no path, KUBECONFIG and then `~/.kube/config`); throws when unusable.
 */
export async function loadKubeconfig(
  path: string | undefined,
  options: KubeconfigOptions = {},
): Promise<KubeConnection> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  if (path === undefined) config.loadFromDefault();
  else config.loadFromFile(path);
  if (options.context !== undefined) config.setCurrentContext(options.context);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new Error(`kubeconfig ${path ?? '(default)'}: the current context names no cluster`);
  }
  // The library refuses plain http unless told so; KN-1 accepts it.
  if (cluster.server.startsWith('http:')) Object.assign(cluster, { skipTLSVerify: true });
  return connectionOf(config, options.clock ?? systemClock);
}

async function connectionOf(config: Config, clock: Clock): Promise<KubeConnection> {
  const cluster = config.getCurrentCluster();
  const user = config.getCurrentUser();
  const applied = await apply(config);
  const changing =
    user?.exec !== undefined || user?.authProvider !== undefined || Boolean(user?.token === '');
  return {
    server: cluster?.server ?? '',
    caPem: pem(applied.ca),
    clientCertPem: pem(applied.cert),
    clientKeyPem: pem(applied.key),
    tlsServerName: cluster?.tlsServerName,
    insecureSkipTlsVerify: cluster?.skipTLSVerify,
    headers: changing ? undefined : headersOf(applied),
    freshHeaders: changing ? refreshing(config, clock) : undefined,
    agent: cluster?.proxyUrl === undefined ? undefined : (applied.agent as Agent),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
  };
}

async function apply(config: Config): Promise<RequestOptions> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return options;
}

function refreshing(config: Config, clock: Clock): () => Promise<Record<string, string>> {
  let cached: { headers: Promise<Record<string, string>>; atMs: number } | null = null;
  return () => {
    const nowMs = clock.monotonicMs();
    if (cached === null || nowMs - cached.atMs >= CREDENTIAL_REUSE_MS) {
      const headers = apply(config).then(headersOf);
      cached = { headers, atMs: nowMs };
      headers.catch(() => {
        cached = null;
      });
    }
    return cached.headers;
  };
}

function headersOf(applied: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(applied.headers ?? {})) {
    if (value !== undefined && value !== null) headers[name] = String(value);
  }
  if (typeof applied.auth === 'string') {
    headers.Authorization = `Basic ${Buffer.from(applied.auth).toString('base64')}`;
  }
  return headers;
}

function pem(value: RequestOptions['ca'] | RequestOptions['key']): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' || Buffer.isBuffer(value) ? value.toString() : undefined;
}
