// The controllers as a process of their own on Kubernetes (CP-1 to CP-9): environment in, exit code
// out. One of several, unless it is alone: each control loop is led through Leases. Exit codes: 0
// after a signal, 1 when it cannot go on, 2 for an environment it cannot start in.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { parseLeaderElectionConfig } from '../api/config/leader-election.ts';
import { parseLoggingConfig } from '../api/config/logging.ts';
import type { Clock } from '../clock/clock.ts';
import { createKubeClient } from '../kube/client.ts';
import { createInformerFactory } from '../kube/informer.ts';
import { type Leadership, LeasedLeadership, soleLeadership } from '../kube/leadership.ts';
import {
  connectionOf,
  type ProcessEnvironment,
  readConfigMap,
  type Stoppable,
  stopAll,
  waitForApi,
} from '../kube/process.ts';
import type { KubeClient } from '../kube/types.ts';
import { createLogger, type Logger, type LogLevel } from '../telemetry/logger.ts';
import { HealthServer } from './health-server.ts';
import { type ControllerSettings, readControllerSettings } from './process-settings.ts';
import { createRegistrySender } from './revision/digest/http.ts';
import { DigestQueue } from './revision/digest/queue.ts';
import { RegistryClient } from './revision/digest/registry-client.ts';
import { startController } from './start.ts';
import { hasImageKind, readStartConfig, requireCertManager } from './start-checks.ts';

const EXIT_FAILED = 1;
const EXIT_ENVIRONMENT = 2;
const NAME = 'controller';
/** CP-165. */
const REGISTRY_USER_AGENT = 'knative/pilotlight (serving)';
const SERVICE_ACCOUNT_CA = '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt';

export interface ControllerProcessOptions {
  readonly env: ProcessEnvironment;
  /** What follows the name of the role on the command line. */
  readonly args: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly onSignal: (listener: () => void) => void;
  readonly exit: (code: number) => void;
  readonly printError: (line: string) => void;
}

/** Resolves when it works, or when it could not start and `exit` was called. */
export async function runController(options: ControllerProcessOptions): Promise<void> {
  let settings: ControllerSettings;
  try {
    settings = readControllerSettings(options.env, options.args, textOf('/etc/resolv.conf'));
  } catch (error) {
    options.printError((error as Error).message);
    options.exit(EXIT_ENVIRONMENT);
    return;
  }
  const running: Stoppable[] = [];
  const health = new HealthServer();
  let signals = 0;
  options.onSignal(() => {
    signals += 1;
    health.end();
    if (signals > 1) options.exit(EXIT_FAILED);
    else {
      const stopped = stopAll(running, options.clock);
      void stopped.then((isDone) => options.exit(isDone ? 0 : EXIT_FAILED));
    }
  });
  try {
    await start(settings, options, running, health);
  } catch (error) {
    if (signals > 0) return;
    options.printError(`controller: ${(error as Error).message}`);
    options.exit(EXIT_FAILED);
  }
}

async function start(
  settings: ControllerSettings,
  options: ControllerProcessOptions,
  running: Stoppable[],
  health: HealthServer,
): Promise<void> {
  const { env, clock, random } = options;
  const { systemNamespace, clusterDomain } = settings;
  const connection = await connectionOf(env, clock);
  const kubeLogger = createLogger('kube', { level: 'warn' });
  const userAgent = 'pilotlight-controller';
  const client = createKubeClient({ ...connection, clock, logger: kubeLogger, userAgent });
  running.push({ stop: async () => client.close() });
  await waitForApi(client, clock);
  const probePort = await health.listen(settings.bindAddress, settings.probePort);
  running.push(health);
  const logger = createLogger(NAME, { level: await levelOf(client, settings) });
  const config = await readStartConfig(client, systemNamespace, clusterDomain);
  const hasCertManager = config.wantsCertManager && (await requireCertManager(client));
  const informers = createInformerFactory(client, { clock, logger: kubeLogger, random });
  running.push(informers);
  const role = startController({
    client,
    informers,
    clock,
    logger,
    random,
    systemNamespace,
    clusterDomain,
    leadership: await joinLeadership(settings, options, client, logger),
    digests: createDigests(settings, client, clock),
    hasImageCaches: await hasImageKind(client),
    hasCertManager,
  });
  running.push(role);
  await informers.start();
  logger.info({ probePort, hasCertManager }, 'controller started');
}

function createDigests(
  { registryTls }: ControllerSettings,
  kube: KubeClient,
  clock: Clock,
): DigestQueue {
  const extraCa = textOf(SERVICE_ACCOUNT_CA);
  const tls = extraCa === '' ? registryTls : { ...registryTls, extraCa };
  const send = createRegistrySender(clock, tls);
  const registry = new RegistryClient({ send, clock, userAgent: REGISTRY_USER_AGENT });
  return new DigestQueue({ kube, registry, clock });
}

/** CP-6. */
async function joinLeadership(
  { systemNamespace, configNames, podName, isAlone }: ControllerSettings,
  { clock, random }: ControllerProcessOptions,
  client: KubeClient,
  logger: Logger,
): Promise<Leadership> {
  if (isAlone) return soleLeadership();
  const name = configNames.leaderElection;
  const parsed = parseLeaderElectionConfig(await readConfigMap(client, systemNamespace, name));
  if (!parsed.ok) throw new Error(`${name}: ${parsed.problems.join('; ')}`);
  return new LeasedLeadership({
    client,
    namespace: systemNamespace,
    component: NAME,
    identity: `${podName || hostname()}_${randomUUID()}`,
    config: parsed.value,
    clock,
    logger,
    random,
  });
}

async function levelOf(
  client: KubeClient,
  { systemNamespace, configNames }: ControllerSettings,
): Promise<LogLevel> {
  const parsed = parseLoggingConfig(
    await readConfigMap(client, systemNamespace, configNames.logging),
  );
  const word = parsed.ok ? (parsed.value.levels[NAME]?.toLowerCase() ?? 'info') : 'info';
  return word === 'debug' || word === 'info' || word === 'warn' ? word : 'error';
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Not in a pod.
  }
}
