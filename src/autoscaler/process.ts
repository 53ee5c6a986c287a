// The autoscaler as a process of its own on Kubernetes (AS-188 to AS-190): environment in, exit
// code out. One of several, unless it is alone: which revisions it decides for is settled by
// Leases or by its place in a StatefulSet. Exit codes: 0 after a signal, 1 when it cannot go on, 2
// for an environment it cannot start in.

import { readFileSync } from 'node:fs';
import { parseLeaderElectionConfig } from '../api/config/leader-election.ts';
import { parseLoggingConfig } from '../api/config/logging.ts';
import type { Clock } from '../clock/clock.ts';
import { createKubeClient } from '../kube/client.ts';
import { createInformerFactory } from '../kube/informer.ts';
import {
  connectionOf,
  readConfigMap,
  type Stoppable,
  stopAll,
  waitForApi,
} from '../kube/process.ts';
import type { InformerFactory, KubeClient } from '../kube/types.ts';
import { createLogger, type Logger, type LogLevel } from '../telemetry/logger.ts';
import type { AutoscalerGroup } from './autoscaler.ts';
import { LeasedOwnership, type Ownership } from './ha/ownership.ts';
import { readStatefulPlace, StatefulOwnership } from './ha/stateful-ownership.ts';
import { type ProcessSettings, readProcessSettings } from './process-settings.ts';
import { startAutoscaler } from './start.ts';

const EXIT_FAILED = 1;
const EXIT_ENVIRONMENT = 2;
const NAME = 'autoscaler';

export interface AutoscalerProcessOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onSignal: (listener: () => void) => void;
  readonly exit: (code: number) => void;
  readonly printError: (line: string) => void;
}

type Data = Readonly<Record<string, string>> | undefined;

/** Resolves when it serves, or when it could not start and `exit` was called. */
export async function runAutoscaler(options: AutoscalerProcessOptions): Promise<void> {
  let settings: ProcessSettings;
  try {
    settings = readProcessSettings(options.env, textOf('/etc/resolv.conf'));
  } catch (error) {
    options.printError((error as Error).message);
    options.exit(EXIT_ENVIRONMENT);
    return;
  }
  const running: Stoppable[] = [];
  let signals = 0;
  options.onSignal(() => {
    signals += 1;
    if (signals > 1) options.exit(EXIT_FAILED);
    else
      void stopAll(running, options.clock).then((isDone) => options.exit(isDone ? 0 : EXIT_FAILED));
  });
  try {
    await start(settings, options, running);
  } catch (error) {
    if (signals > 0) return;
    options.printError(`autoscaler: ${(error as Error).message}`);
    options.exit(EXIT_FAILED);
  }
}

async function start(
  settings: ProcessSettings,
  options: AutoscalerProcessOptions,
  running: Stoppable[],
): Promise<void> {
  const { env, clock, random } = options;
  const connection = await connectionOf(env, clock);
  const userAgent = 'pilotlight-autoscaler';
  const kubeLogger = createLogger('kube', { level: 'warn' });
  const client = createKubeClient({ ...connection, clock, logger: kubeLogger, userAgent });
  running.push({ stop: async () => client.close() });
  await waitForApi(client, clock);
  const level = levelOf(
    await readConfigMap(client, settings.systemNamespace, settings.configNames.logging),
  );
  const logger = createLogger(NAME, { level });
  const informers = createInformerFactory(client, { clock, logger: kubeLogger, random });
  running.push(informers);
  const { systemNamespace, clusterDomain, podName, bindAddress } = settings;
  const autoscaler = await startAutoscaler({
    client,
    informers,
    clock,
    logger,
    random,
    systemNamespace,
    clusterDomain,
    podName,
    host: bindAddress,
    port: settings.port,
    resolveService: (namespace, name, portName) => ({
      host: `${name}.${namespace}.svc.${clusterDomain}`,
      port: portName === 'http2' ? 81 : 80,
    }),
    group: await joinGroup(settings, options, { client, informers, logger }),
    metrics: {
      host: bindAddress,
      port: settings.metricsPort,
      configName: settings.configNames.observability,
      variables: env,
      names: settings.metricNames,
      resource: [
        ['service.name', NAME],
        ['k8s.namespace.name', systemNamespace],
        ['k8s.pod.name', podName],
      ],
    },
  });
  running.push(autoscaler);
  logger.info({ port: autoscaler.port }, 'autoscaler started');
}

function levelOf(data: Data): LogLevel {
  const parsed = parseLoggingConfig(data);
  const word = parsed.ok ? (parsed.value.levels[NAME]?.toLowerCase() ?? 'info') : 'info';
  return word === 'debug' || word === 'info' || word === 'warn' ? word : 'error';
}

/** AS-166, AS-176. */
async function joinGroup(
  settings: ProcessSettings,
  { env, clock, random, printError, exit }: AutoscalerProcessOptions,
  api: { client: KubeClient; informers: InformerFactory; logger: Logger },
): Promise<AutoscalerGroup> {
  const name = settings.configNames.leaderElection;
  const parsed = parseLeaderElectionConfig(
    await readConfigMap(api.client, settings.systemNamespace, name),
  );
  if (!parsed.ok) throw new Error(`${name}: ${parsed.problems.join('; ')}`);
  const { buckets: bucketCount, leasePrefixes: _, ...timings } = parsed.value;
  const place = readStatefulPlace(env, { ...settings, bucketCount });
  const ownership: Ownership =
    place === null
      ? new LeasedOwnership({ ...api, ...settings, clock, random, bucketCount, timings })
      : new StatefulOwnership(place);
  return {
    ownership,
    podIp: settings.podIp,
    port: settings.port,
    onFatal: (error) => {
      printError(`autoscaler: ${(error as Error).message}`);
      exit(EXIT_FAILED);
    },
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Not in a container: the default domain holds.
  }
}
