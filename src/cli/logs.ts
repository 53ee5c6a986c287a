// `pilotlight logs <service>`: the output of all pods of a service, each line with its pod when
// there are several. Following also picks up the pods that start later.

import type { Pod } from '../api/core.ts';
import { KnativeService, Pod as PodKind, resourcePath } from '../api/kinds.ts';
import {
  DEFAULT_CONTAINER_ANNOTATION,
  QUEUE_PROXY_CONTAINER,
  SERVICE_LABEL,
} from '../api/labels.ts';
import { systemClock } from '../clock/clock.ts';
import { ApiError, type KubeClient } from '../kube/types.ts';
import { LineSplitter } from '../standalone/line-splitter.ts';
import { connect } from './api-connection.ts';
import { CommandError, EXIT_USAGE } from './errors.ts';
import type { CommandContext } from './program.ts';
import type { RunOptions } from './run-folder.ts';

export interface LogsOptions extends RunOptions {
  namespace: string;
  follow?: boolean;
  container?: string;
  previous?: boolean;
  tail?: string;
  timestamps?: boolean;
}

/** How often a followed service is asked for new pods. */
const POD_POLL_MS = 500;

export async function logs(
  target: string,
  options: LogsOptions,
  context: CommandContext,
): Promise<void> {
  if (options.tail !== undefined && !/^\d+$/.test(options.tail)) {
    throw new CommandError(`--tail must be a whole number, not "${options.tail}"`, EXIT_USAGE);
  }
  const client = await connect(options, context.env);
  try {
    if (target.startsWith('pod/')) {
      const { namespace } = options;
      const pod = await client.get<Pod>(PodKind, { namespace, name: target.slice(4) });
      return await printPod(client, pod, options, context, false);
    }
    await printService(client, target, options, context);
  } finally {
    client.close();
  }
}

async function printService(
  client: KubeClient,
  service: string,
  options: LogsOptions,
  context: CommandContext,
): Promise<void> {
  const { namespace } = options;
  await client.get(KnativeService, { namespace, name: service });
  const labelSelector = `${SERVICE_LABEL}=${service}`;
  const find = async () => (await client.list<Pod>(PodKind, { namespace, labelSelector })).items;
  const pods = await find();
  if (options.follow !== true) {
    if (pods.length === 0)
      context.printError(`service ${service} has no pods now (scaled to zero)`);
    for (const pod of pods) await printPod(client, pod, options, context, pods.length > 1);
    return;
  }
  const seen = new Set<string>();
  for (let current = pods; ; current = await find()) {
    for (const pod of current) {
      const uid = pod.metadata.uid ?? '';
      if (seen.has(uid)) continue;
      seen.add(uid);
      printPod(client, pod, options, context, true).catch((error: unknown) => {
        // A container that waits to start will be asked again.
        if (error instanceof ApiError && error.code === 400) seen.delete(uid);
        else context.printError(`${pod.metadata.name}: ${String(error)}`);
      });
    }
    await systemClock.sleep(POD_POLL_MS);
  }
}

async function printPod(
  client: KubeClient,
  pod: Pod,
  options: LogsOptions,
  context: CommandContext,
  withName: boolean,
): Promise<void> {
  const query = new URLSearchParams({ container: options.container ?? defaultContainer(pod) });
  if (options.follow === true) query.set('follow', 'true');
  if (options.previous === true) query.set('previous', 'true');
  if (options.timestamps === true) query.set('timestamps', 'true');
  if (options.tail !== undefined) query.set('tailLines', options.tail);
  const { namespace, name } = pod.metadata;
  const path = `${resourcePath(PodKind, namespace, name, 'log')}?${query}`;
  const response = await client.request('GET', path, { accept: 'text/plain' });
  const prefix = withName ? `[${name}] ` : '';
  const splitter = new LineSplitter((line) => context.print(`${prefix}${line}`));
  for await (const chunk of response.body) splitter.write(Buffer.from(chunk as Buffer));
  splitter.end();
}

function defaultContainer(pod: Pod): string {
  const annotated = pod.metadata.annotations?.[DEFAULT_CONTAINER_ANNOTATION];
  const user = pod.spec.containers.find(({ name }) => name !== QUEUE_PROXY_CONTAINER);
  return annotated ?? user?.name ?? '';
}
