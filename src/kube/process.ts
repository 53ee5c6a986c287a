// What every role that runs as a process on Kubernetes does first and last: find the API, wait for
// it, read a config map before any cache exists, and stop its parts in reverse order in time.

import type { ConfigMap } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import type { Clock } from '../clock/clock.ts';
import { inClusterConnection, type KubeConnection } from './connection.ts';
import { isNotFound, type KubeClient } from './types.ts';

/** AS-190. */
const API_WAIT_MS = 60_000;
const API_RETRY_MS = 500;
/** AS-182. */
const STOP_LIMIT_MS = 5_000;

export type ProcessEnvironment = Readonly<Record<string, string | undefined>>;

export interface Stoppable {
  stop(): Promise<unknown>;
}

/** KUBECONFIG if it is set, else the pod's service account, else the default kubeconfig. */
export async function connectionOf(env: ProcessEnvironment, clock: Clock): Promise<KubeConnection> {
  const host = env.KUBERNETES_SERVICE_HOST ?? '';
  if (!env.KUBECONFIG && host !== '') {
    return inClusterConnection({ host, port: env.KUBERNETES_SERVICE_PORT || '443', clock });
  }
  const { loadKubeconfig } = await import('./kubeconfig.ts');
  return loadKubeconfig(env.KUBECONFIG || undefined, { clock });
}

/** AS-190: any answer will do, a refusal too. Rejects after a minute without one. */
export async function waitForApi(client: KubeClient, clock: Clock): Promise<void> {
  const untilMs = clock.monotonicMs() + API_WAIT_MS;
  for (;;) {
    try {
      const answer = await client.request('GET', '/version');
      answer.body.destroy();
      return;
    } catch (error) {
      if (clock.monotonicMs() >= untilMs) {
        const { message } = error as Error;
        throw new Error(`the Kubernetes API cannot be reached: ${message}`, { cause: error });
      }
    }
    await clock.sleep(API_RETRY_MS);
  }
}

/** undefined = there is no such map. */
export async function readConfigMap(
  client: KubeClient,
  namespace: string,
  name: string,
): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    return (await client.get<ConfigMap>(kinds.ConfigMap, { namespace, name })).data ?? {};
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** In reverse order of their start; false when they took longer than 5 s. */
export async function stopAll(running: Stoppable[], clock: Clock): Promise<boolean> {
  let expire: (isDone: boolean) => void = () => undefined;
  const expired = new Promise<boolean>((resolve) => {
    expire = resolve;
  });
  const timer = clock.setTimer(STOP_LIMIT_MS, () => expire(false));
  const stopped = (async () => {
    for (const part of running.splice(0).reverse()) await part.stop();
    return true;
  })();
  const isDone = await Promise.race([stopped, expired]);
  timer.cancel();
  return isDone;
}
