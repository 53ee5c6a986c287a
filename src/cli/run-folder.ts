// Where a run keeps its things. Light, because `up` needs it too.

import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

export interface RunOptions {
  name?: string | undefined;
  dataDir?: string | undefined;
  kubeconfig?: string | undefined;
}

export const DEFAULT_NAME = 'default';
export const KUBECONFIG_FILE = 'kubeconfig';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `--data-dir`, else `$XDG_STATE_HOME/pilotlight/<name>`. Absolute. */
export function dataDirOf(options: RunOptions, env: Environment): string {
  if (options.dataDir !== undefined) return resolve(options.dataDir);
  const fromEnv = env.XDG_STATE_HOME ?? '';
  // The standard says a relative path is to be ignored.
  const state = isAbsolute(fromEnv) ? fromEnv : join(homedir(), '.local', 'state');
  return join(state, 'pilotlight', options.name ?? DEFAULT_NAME);
}

export function kubeconfigPath(options: RunOptions, env: Environment): string {
  return options.kubeconfig ?? join(dataDirOf(options, env), KUBECONFIG_FILE);
}
