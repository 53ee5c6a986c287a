// The activator as a process of its own on Kubernetes (section 1 of ACT): environment in, exit code
// out, in the order of ACT-12. Exit codes: 0 after a drain, 1 when it cannot go on or at a second
// signal, 2 for an environment it cannot start in.

import { readFileSync } from 'node:fs';
import { parseLoggingConfig } from '../api/config/logging.ts';
import { parseNetworkConfig } from '../api/config/network.ts';
import type { ConfigMap } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import type { Clock } from '../clock/clock.ts';
import { createKubeClient } from '../kube/client.ts';
import { createInformerFactory } from '../kube/informer.ts';
import { requireVersion } from '../kube/minimum-version.ts';
import {
  connectionOf,
  readConfigMap,
  type Stoppable,
  stopAll,
  waitForApi,
} from '../kube/process.ts';
import type { Informer } from '../kube/types.ts';
import { SettingsError } from '../settings/env-reader.ts';
import { LiveLogger } from '../telemetry/live-logger.ts';
import { createLogger, type LogLevel } from '../telemetry/logger.ts';
import type { DiscoverySettings } from './discovery-settings.ts';
import { type ActivatorFlags, readActivatorFlags } from './process-flags.ts';
import { type ActivatorSettings, readActivatorSettings } from './process-settings.ts';
import { type RunningActivator, startActivator } from './start.ts';

const EXIT_FAILED = 1;
const EXIT_ENVIRONMENT = 2;
const NAME = 'activator';
const AUTOSCALER_PORT = 8080;
const TRUE_WORDS = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);

type Data = Readonly<Record<string, string>> | undefined;

export interface ActivatorProcessOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
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
  activator: RunningActivator | null;
}

/** Resolves when it serves, or when it could not start and `exit` was called. */
export async function runActivator(options: ActivatorProcessOptions): Promise<void> {
  const flags = readActivatorFlags(options.args);
  const settings = readSettings(options, flags.problems);
  if (settings === null) return;
  const parts: Parts = { others: [], activator: null };
  let signals = 0;
  options.onSignal(() => {
    signals += 1;
    if (signals > 1) options.exit(EXIT_FAILED);
    else void end(parts, settings, options.clock).then(() => options.exit(0));
  });
  try {
    await start(settings, options, flags, parts);
  } catch (error) {
    if (signals > 0) return;
    options.printError(`activator: ${(error as Error).message}`);
    options.exit(EXIT_FAILED);
  }
}

function readSettings(
  options: ActivatorProcessOptions,
  problems: readonly string[],
): ActivatorSettings | null {
  try {
    if (problems.length > 0) throw new SettingsError(problems);
    return readActivatorSettings(options.env, textOf('/etc/resolv.conf'));
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const problem of error.problems) options.printError(`activator: ${problem}`);
    options.exit(EXIT_ENVIRONMENT);
    return null;
  }
}

/** ACT-210; a signal before the listeners are open ends the process at once (ACT-209). */
async function end(parts: Parts, settings: ActivatorSettings, clock: Clock): Promise<void> {
  await parts.activator?.drain({ delayMs: settings.drainDelayMs });
  await stopAll(parts.others, clock);
}

async function start(
  settings: ActivatorSettings,
  options: ActivatorProcessOptions,
  flags: ActivatorFlags,
  parts: Parts,
): Promise<void> {
  const { env, clock, random } = options;
  const { systemNamespace, configNames } = settings;
  const kubeLogger = createLogger('kube', { level: 'warn' });
  const client = createKubeClient({
    ...(await connectionOf(
      flags.kubeconfig === '' ? env : { KUBECONFIG: flags.kubeconfig },
      clock,
    )),
    ...(flags.server === '' ? {} : { server: flags.server }),
    clock,
    logger: kubeLogger,
    userAgent: 'pilotlight-activator',
  });
  parts.others.push({ stop: async () => client.close() });
  await waitForApi(client, clock);
  await requireVersion(client, settings.minVersion);
  const logger = LiveLogger.create(NAME);
  const read = (name: string): Promise<Data> => readConfigMap(client, systemNamespace, name);
  logger.setLevel(levelOf(await read(configNames.logging)) ?? 'info');
  const network = readNetwork(settings, await read(configNames.network));
  const observability = await read(configNames.observability);
  const informerDeps = { clock, logger: kubeLogger, random };
  const informers = createInformerFactory(client, informerDeps);
  // ACT-11: config maps may be read in one namespace only.
  const own = createInformerFactory(client, { ...informerDeps, namespace: systemNamespace });
  parts.others.push(informers, own);
  const configMaps = own.informer<ConfigMap>(kinds.ConfigMap);
  await Promise.all([informers.start(), own.start()]);
  const activator = await startActivator({
    ...settings,
    podIP: settings.podIp,
    host: settings.bindAddress,
    client,
    informers,
    clock,
    logger,
    random,
    discovery: network.discovery,
    ...(network.isTlsOn
      ? { tls: { port: settings.httpsPort, texts: settings.tlsTexts, informers: own } }
      : {}),
    autoscalerUrl: () => autoscalerUrl(settings),
    telemetry: {
      config: observability,
      metricNames: settings.metricNames,
      podName: settings.podName,
      variables: settings.variables,
      resource: resourceOf(settings),
      outlets: { metricsPort: settings.metricsPort, profilingPort: settings.profilingPort },
    },
  });
  parts.activator = activator;
  followMaps(configMaps, settings, {
    logging: (data) => {
      const level = levelOf(data);
      if (level === null) logger.error({ configMap: configNames.logging }, 'invalid config map');
      else logger.setLevel(level);
    },
    observability: (data) => activator.configured(data),
  });
  const { port, h2cPort, metricsPort } = activator;
  logger.info({ port, h2cPort, metricsPort }, 'activator started');
}

/** ACT-9: what is applied while running. */
function followMaps(
  configMaps: Informer<ConfigMap>,
  { systemNamespace, configNames }: ActivatorSettings,
  apply: { logging: (data: Data) => void; observability: (data: Data) => void },
): void {
  configMaps.onChange((current, previous) => {
    const { name, namespace } = (current ?? previous)!.metadata;
    if (namespace !== systemNamespace) return;
    if (name === configNames.logging) apply.logging(current?.data);
    if (name === configNames.observability) apply.observability(current?.data);
  });
}

/** ACT-9, ACT-10: read once; without the map, or with a bad one, there is no start. */
function readNetwork(
  settings: ActivatorSettings,
  data: Data,
): { discovery: DiscoverySettings; isTlsOn: boolean } {
  const { systemNamespace, configNames, probeTimeoutMs, probePeriodMs } = settings;
  if (data === undefined) {
    throw new Error(`config map ${systemNamespace}/${configNames.network} does not exist`);
  }
  const parsed = parseNetworkConfig(data);
  if (!parsed.ok) throw new Error(`${configNames.network}: ${parsed.problems.join('; ')}`);
  const mode = data['mesh-compatibility-mode']?.trim().toLowerCase();
  const discovery: DiscoverySettings = {
    probeTimeoutMs,
    probePeriodMs,
    meshMode: mode === 'enabled' || mode === 'disabled' ? mode : 'auto',
    podAddressability: TRUE_WORDS.has(data['enable-mesh-pod-addressability']?.trim() ?? ''),
  };
  return { discovery, isTlsOn: parsed.value.systemInternalTls };
}

/** Null = the map is not valid. */
function levelOf(data: Data): LogLevel | null {
  const parsed = parseLoggingConfig(data);
  if (!parsed.ok) return null;
  const word = parsed.value.levels[NAME]?.toLowerCase() ?? 'info';
  return word === 'debug' || word === 'info' || word === 'warn' ? word : 'error';
}

/** ACT-142. */
function autoscalerUrl(settings: ActivatorSettings): string {
  const { systemNamespace, clusterDomain } = settings;
  const host = `autoscaler.${systemNamespace}.svc.${clusterDomain}`;
  return settings.autoscalerUrl || `ws://${host}:${AUTOSCALER_PORT}`;
}

/** ACT-205. */
function resourceOf({ variables, systemNamespace, podName }: ActivatorSettings) {
  return [
    ['k8s.namespace.name', systemNamespace],
    ['k8s.pod.name', podName],
    ['service.instance.id', podName],
    ['service.name', variables['OTEL_SERVICE_NAME'] ?? NAME],
    // No build revision is stamped into the program.
    ['service.version', 'unknown'],
    ['telemetry.sdk.language', 'nodejs'],
    ['telemetry.sdk.name', 'pilotlight'],
  ] as const;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Not in a container: the default domain holds.
  }
}
