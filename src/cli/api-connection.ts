// The connection to the API of a run. Commands talk to the API
// of `pilotlight up` and never to whatever cluster the shell happens to point at, unless told so.

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { systemClock } from '../clock/clock.ts';
import { createKubeClient } from '../kube/client.ts';
import type { KubeConnection } from '../kube/connection.ts';
import type { KubeClient } from '../kube/types.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { CommandError } from './errors.ts';
import { type Environment, kubeconfigPath, type RunOptions } from './run-folder.ts';

/** Throws CommandError when there is no kubeconfig. */
export async function connect(options: RunOptions, env: Environment): Promise<KubeClient> {
  const connection =
    options.kubeconfig === undefined
      ? readOwnKubeconfig(kubeconfigPath(options, env))
      : await loadForeign(options.kubeconfig);
  return createKubeClient({
    ...connection,
    clock: systemClock,
    logger: silentLogger,
    userAgent: 'pilotlight',
  });
}

/** Any kubeconfig, with plug-ins and proxies; its library is slow to load, so only on request. */
async function loadForeign(path: string): Promise<KubeConnection> {
  const { loadKubeconfig } = await import('../kube/kubeconfig.ts');
  return loadKubeconfig(path);
}

interface OwnKubeconfig {
  clusters?: { cluster?: { server?: string; 'certificate-authority-data'?: string } }[];
  users?: { user?: { token?: string } }[];
}

/** The file `up` writes: one cluster, one user with a token. */
function readOwnKubeconfig(path: string): KubeConnection {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new CommandError(
      `there is no ${path}: start with \`pilotlight up\`, or name another run with --name, ` +
        '--data-dir or --kubeconfig',
    );
  }
  const config = parse(text) as OwnKubeconfig;
  const cluster = config.clusters?.[0]?.cluster;
  const ca = cluster?.['certificate-authority-data'];
  return {
    server: cluster?.server ?? '',
    caPem: ca === undefined ? undefined : Buffer.from(ca, 'base64').toString('utf8'),
    token: config.users?.[0]?.user?.token,
  };
}
