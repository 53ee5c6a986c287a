// Where an API server is and how to authenticate to it: the plain value the client is built from.
// The embedded path passes { server, caPem, token } and so never loads the Kubernetes library;
// kubeconfig files and pods' service accounts are turned into the same value.

import { readFile } from 'node:fs/promises';
import type { Agent } from 'node:http';
import { join } from 'node:path';
import type { Clock } from '../clock/clock.ts';
import type { LocalServer } from './local-server.ts';

export interface KubeConnection {
  /** `https://host:port`, optionally with a path prefix; `http://` is accepted too (KN-1). */
  server: string;
  /** Trusted CA certificates in PEM; absent means the system's. */
  caPem?: string | undefined;
  token?: string | undefined;
  clientCertPem?: string | undefined;
  clientKeyPem?: string | undefined;
  /** Name to expect in the server's certificate instead of the host. */
  tlsServerName?: string | undefined;
  insecureSkipTlsVerify?: boolean | undefined;
  /** Further fixed headers, such as impersonation (KN-3). */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Asked before every request for credentials that expire; must answer from a cache. */
  freshHeaders?: (() => Promise<Readonly<Record<string, string>>>) | undefined;
  /** Replaces the client's own agent: only for proxies. */
  agent?: Agent | undefined;
  /** The same server, in this process: asked first, for what it answers. */
  local?: LocalServer | undefined;
  /** Default namespace of the context. */
  namespace?: string | undefined;
}

const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Projected tokens are replaced well before they expire; a minute of age is safe. */
const TOKEN_RELOAD_MS = 60_000;

/** The connection of a pod: `host` and `port` are KUBERNETES_SERVICE_HOST and _PORT. */
export async function inClusterConnection(options: {
  host: string;
  port: string;
  clock: Clock;
  directory?: string;
}): Promise<KubeConnection> {
  const directory = options.directory ?? SERVICE_ACCOUNT_DIRECTORY;
  const read = async (name: string): Promise<string> =>
    (await readFile(join(directory, name), 'utf8')).trim();
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  let loaded = { headers: bearer(await read('token')), atMs: options.clock.monotonicMs() };
  return {
    server: `https://${host}:${options.port}`,
    caPem: await read('ca.crt'),
    namespace: await read('namespace').catch(() => undefined),
    async freshHeaders() {
      const nowMs = options.clock.monotonicMs();
      if (nowMs - loaded.atMs >= TOKEN_RELOAD_MS) {
        loaded = { headers: bearer(await read('token')), atMs: nowMs };
      }
      return loaded.headers;
    },
  };
}

export function bearer(token: string): Record<string, string> {
  return { Authorization: `Bearer ${token}` };
}
