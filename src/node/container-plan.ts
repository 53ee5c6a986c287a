// Turns one container of a pod into what the runtime needs to start it, or into the reason why it
// cannot be started. Reads the ConfigMaps and Secrets the container refers to and looks at the file
// system; everything decided from that is in the pure files beside.

import { accessSync, constants, statSync } from 'node:fs';
import type {
  ConfigMap as ConfigMapObject,
  Container,
  Pod,
  Secret as SecretObject,
} from '../api/core.ts';
import { ConfigMap, Secret } from '../api/kinds.ts';
import { isNotFound, type KubeClient } from '../kube/types.ts';
import type { ImageMap } from '../settings/image-map.ts';
import type { PodAddress } from './addresses.ts';
import { findExecutable, type Resolved, resolveArgv, resolveWorkingDir } from './command.ts';
import {
  ContainerConfigError,
  expand,
  type ReferencedData,
  referencedNames,
  resolveEnv,
} from './pod-env.ts';
import { isSidecar, platformVariables } from './pod-ports.ts';
import { type ContainerSpec, containerId } from './runtime.ts';

/** Put on the template by `apply` and `up -f`: the folder the YAML came from. */
export const SOURCE_DIR_ANNOTATION = 'pilotlight.dev/source-dir';

export interface PlanSettings {
  images: ImageMap;
  /** Where `pilotlight up` was started. */
  startDir: string;
  /** PATH, HOME, USER, LANG, TMPDIR of the person who started it; the pod's own values win. */
  baseEnv: Readonly<Record<string, string>>;
  /** Given to apps as K_GATEWAY; null = none. */
  gatewayUrl: string | null;
  /** Further variables of queue-proxies; the pod's own values win. */
  sidecarEnv?: Readonly<Record<string, string>>;
  /** Given to a queue-proxy that is a process: executable and arguments. */
  sidecarArgv: readonly string[];
}

/** Rejects only when the API cannot be asked; everything about the container is in the answer. */
export async function planContainer(
  pod: Pod,
  container: Container,
  attempt: number,
  address: PodAddress,
  settings: PlanSettings,
  client: KubeClient,
): Promise<Resolved<ContainerSpec>> {
  const data = await fetchReferenced(pod, container, client);
  try {
    return buildSpec(pod, container, attempt, address, settings, data);
  } catch (error) {
    if (!(error instanceof ContainerConfigError)) throw error;
    return { ok: false, reason: 'CreateContainerConfigError', message: error.message };
  }
}

function buildSpec(
  pod: Pod,
  container: Container,
  attempt: number,
  address: PodAddress,
  settings: PlanSettings,
  data: ReferencedData,
): Resolved<ContainerSpec> {
  const platform = platformVariables(pod, container, address, settings);
  const own = resolveEnv(container, pod, address, data, platform);
  const sidecar = isSidecar(container);
  const env = { ...settings.baseEnv, ...(sidecar ? settings.sidecarEnv : null), ...own };
  const { cwd } = resolveWorkingDir(
    container.workingDir,
    pod.metadata.annotations?.[SOURCE_DIR_ANNOTATION],
    settings.startDir,
    isDirectory,
  );
  const argv = sidecar
    ? ({ ok: true, value: settings.sidecarArgv } as const)
    : executableArgv(resolveArgv(container, settings.images), cwd, env);
  if (!argv.ok) return argv;
  const uid = pod.metadata.uid ?? '';
  return {
    ok: true,
    value: {
      id: containerId(uid, container.name, attempt),
      podUid: uid,
      namespace: pod.metadata.namespace ?? '',
      podName: pod.metadata.name,
      container: container.name,
      attempt,
      kind: sidecar ? 'sidecar' : 'process',
      argv: argv.value,
      cwd,
      env,
    },
  };
}

function executableArgv(
  argv: Resolved<readonly string[]>,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Resolved<readonly string[]> {
  if (!argv.ok) return argv;
  const [command = '', ...args] = argv.value.map((word) => expand(word, env));
  const executable = findExecutable(command, cwd, env.PATH ?? '', isExecutableFile);
  return executable.ok ? { ok: true, value: [executable.value, ...args] } : executable;
}

async function fetchReferenced(
  pod: Pod,
  container: Container,
  client: KubeClient,
): Promise<ReferencedData> {
  const { configMaps, secrets } = referencedNames(container);
  const namespace = pod.metadata.namespace;
  const maps = new Map<string, Readonly<Record<string, string>>>();
  for (const name of configMaps) {
    const found = await orUndefined(client.get<ConfigMapObject>(ConfigMap, { namespace, name }));
    if (found !== undefined) maps.set(`configmap/${name}`, found.data ?? {});
  }
  for (const name of secrets) {
    const found = await orUndefined(client.get<SecretObject>(Secret, { namespace, name }));
    if (found !== undefined) maps.set(`secret/${name}`, decodeSecret(found));
  }
  return {
    configMap: (name) => maps.get(`configmap/${name}`),
    secret: (name) => maps.get(`secret/${name}`),
  };
}

function decodeSecret(secret: SecretObject): Record<string, string> {
  const decoded: Record<string, string> = {};
  for (const [key, value] of Object.entries(secret.data ?? {})) {
    decoded[key] = Buffer.from(value, 'base64').toString('utf8');
  }
  return decoded;
}

async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isExecutableFile(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // Not permitted to execute it: as good as not there.
  }
}
