// The webhook as a process of its own on Kubernetes (section 1 of WH): environment in, exit code
// out. Every replica answers reviews; one of them, through a Lease, keeps certificates and
// configurations. Exit codes: 0 after a drain, 1 when it cannot go on or at a second signal, 2 for
// an environment it cannot start in.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { parseLeaderElectionConfig } from '../api/config/leader-election.ts';
import { CONFIG_MAPS, type ConfigMember } from '../api/config/registry.ts';
import type { Secret } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import type { Clock } from '../clock/clock.ts';
import { createKubeClient } from '../kube/client.ts';
import { ConfigStore } from '../kube/config-store.ts';
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
import type { InformerFactory, KubeClient } from '../kube/types.ts';
import { SettingsError } from '../settings/env-reader.ts';
import { LiveLogger } from '../telemetry/live-logger.ts';
import { createLogger, type Logger, type LogLevel } from '../telemetry/logger.ts';
import { readCertificates, SECRET_NAME } from './certificates.ts';
import { podTrial } from './pod-trial.ts';
import { readWebhookSettings, type WebhookSettings } from './process-settings.ts';
import { Registration } from './registration.ts';
import { WebhookServer } from './server.ts';

const EXIT_FAILED = 1;
const EXIT_ENVIRONMENT = 2;
const NAME = 'webhook';
/** CP-9: without them no object could be judged. */
const REQUIRED: readonly ConfigMember[] = ['autoscaler', 'defaults', 'features'];

export interface WebhookProcessOptions {
  readonly env: ProcessEnvironment;
  /** What follows the name of the role on the command line. */
  readonly args: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly onSignal: (listener: () => void) => void;
  readonly exit: (code: number) => void;
  readonly printError: (line: string) => void;
}

/** What a signal has to end, as far as the start has come. */
interface Parts {
  readonly others: Stoppable[];
  /** Ended before the drain, so that another replica may lead. */
  readonly leading: Stoppable[];
  server: WebhookServer | null;
}

/** Resolves with its port when it serves; null when it could not start and `exit` was called. */
export async function runWebhook(options: WebhookProcessOptions): Promise<number | null> {
  const settings = readSettings(options);
  if (settings === null) return null;
  const parts: Parts = { others: [], leading: [], server: null };
  let signals = 0;
  options.onSignal(() => {
    signals += 1;
    if (signals > 1) options.exit(EXIT_FAILED);
    else {
      const ended = end(parts, settings, options.clock);
      void ended.then((isDone) => options.exit(isDone ? 0 : EXIT_FAILED));
    }
  });
  try {
    return await start(settings, options, parts);
  } catch (error) {
    if (signals > 0) return null;
    options.printError(`webhook: ${(error as Error).message}`);
    options.exit(EXIT_FAILED);
    return null;
  }
}

function readSettings(options: WebhookProcessOptions): WebhookSettings | null {
  try {
    return readWebhookSettings(options.env, options.args, textOfFile('/etc/resolv.conf'));
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const problem of error.problems) options.printError(`webhook: ${problem}`);
    options.exit(EXIT_ENVIRONMENT);
    return null;
  }
}

async function end(
  { server, leading, others }: Parts,
  { drainQuietMs }: WebhookSettings,
  clock: Clock,
): Promise<boolean> {
  const handedOver = stopAll(leading, clock);
  await server?.drain(drainQuietMs);
  return (await handedOver) && stopAll(others, clock);
}

async function start(
  settings: WebhookSettings,
  options: WebhookProcessOptions,
  parts: Parts,
): Promise<number> {
  const { env, clock, random } = options;
  const { systemNamespace, clusterDomain } = settings;
  const kubeLogger = createLogger('kube', { level: 'warn' });
  const connection = await connectionOf(env, clock);
  const userAgent = 'pilotlight-webhook';
  const client = createKubeClient({ ...connection, clock, logger: kubeLogger, userAgent });
  parts.others.push({ stop: async () => client.close() });
  await waitForApi(client, clock);
  await requireConfig(client, settings);
  const logger = LiveLogger.create(NAME);
  const deps = { clock, logger: kubeLogger, random };
  const informers = createInformerFactory(client, deps);
  const own = createInformerFactory(client, { ...deps, namespace: systemNamespace });
  parts.others.push(informers, own);
  const store = new ConfigStore({ informers: own, logger, systemNamespace, clusterDomain });
  followLevel(store, logger);
  const leadership = await joinLeadership(settings, options, client, logger);
  const registration = new Registration({
    client,
    ownInformers: own,
    informers,
    leadership,
    names: { service: settings.serviceName, namespace: systemNamespace, clusterDomain },
    isOwnedByNamespace: settings.isOwnedByNamespace,
    clock,
    logger,
    random,
  });
  const whenReady = own.start();
  const tryPod = podTrial(client);
  const context = () => ({ config: store.current, clusterDomain, tryPod });
  const server = new WebhookServer({ tls: settings.tls, whenReady, context, clock, logger });
  parts.server = server;
  parts.others.push(server);
  serveFromSecret(own, settings, server);
  const port = await server.listen(settings.bindAddress, settings.port);
  await Promise.all([whenReady, informers.start()]);
  parts.leading.push({ stop: () => leadership.stop() }, registration);
  leadership.start();
  registration.start();
  logger.info({ port }, 'webhook started');
  return port;
}

/** CP-9: a map that is missing or does not parse ends the start; later the last good one stays. */
async function requireConfig(
  client: KubeClient,
  { systemNamespace, clusterDomain }: WebhookSettings,
): Promise<void> {
  for (const row of CONFIG_MAPS.filter(({ member }) => REQUIRED.includes(member))) {
    const data = await readConfigMap(client, systemNamespace, row.name);
    if (data === undefined) {
      throw new Error(`config map ${systemNamespace}/${row.name} does not exist`);
    }
    const parsed = row.parse(data, clusterDomain);
    if (!parsed.ok) throw new Error(`config map ${row.name}: ${parsed.problems.join('; ')}`);
  }
}

/** WH-2: each handshake takes what the Secret holds at that moment. */
function serveFromSecret(
  own: InformerFactory,
  { systemNamespace }: WebhookSettings,
  server: WebhookServer,
): void {
  own.informer<Secret>(kinds.Secret).onChange((now, before) => {
    const { namespace, name } = (now ?? before)?.metadata ?? {};
    if (namespace !== systemNamespace || name !== SECRET_NAME) return;
    server.useCertificates(readCertificates(now ?? undefined));
  });
}

function followLevel(store: ConfigStore, logger: LiveLogger): void {
  const apply = (): void => logger.setLevel(levelOf(store.current.logging.levels[NAME]));
  apply();
  store.onChange((member) => {
    if (member === 'logging') apply();
  });
}

function levelOf(word = 'info'): LogLevel {
  const level = word.toLowerCase();
  return level === 'debug' || level === 'info' || level === 'warn' ? level : 'error';
}

/** CP-6, WH-4. */
async function joinLeadership(
  { systemNamespace, configNames, podName, isAlone }: WebhookSettings,
  { clock, random }: WebhookProcessOptions,
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

function textOfFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Not in a pod.
  }
}
