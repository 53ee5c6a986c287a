// Starts the sidecar as a process of its own: environment in, exit code out (QP-10, QP-13, QP-15,
// QP-120 to QP-124). Everything of the process it touches is injected, so it runs in tests as well.

import { readFileSync } from 'node:fs';
import type { Clock } from '../clock/clock.ts';
import { type Environment, SettingsError } from '../settings/env-reader.ts';
import type { LogFormat } from '../telemetry/log-format.ts';
import { createLogger, type Logger, type LogLevel } from '../telemetry/logger.ts';
import { cpuQuota, type ReadText, threadsWithin } from './cpu-quota.ts';
import { keepYoungGenerationSmall } from './process-memory.ts';
import { QueueProxy } from './queue-proxy.ts';
import { parseQueueProxySettings, type QueueProxySettings } from './settings.ts';

/** Threads have this long to close when the process must end now; then it ends all the same. */
const MAX_HALT_MS = 2_000;

export interface QueueProxyStartOptions {
  readonly env: Environment;
  readonly clock: Clock;
  /** 0 <= value < 1. */
  readonly random: () => number;
  /** Calls the listener at every SIGTERM and SIGINT. */
  readonly onSignal: (listener: () => void) => void;
  /** Ends the process. */
  readonly exit: (code: number) => void;
  /** Writes one line for people before there is a logger. */
  readonly printError: (line: string) => void;
  /** Default: JSON lines on stdout at the configured level. */
  readonly createLogger?: (level: LogLevel, format: LogFormat) => Logger;
  /** Reads the cgroup's files (QP-16). */
  readonly readText?: ReadText;
  /** Settles how much memory the process may take, once it listens. Default: keeps it small. */
  readonly limitMemory?: () => Promise<void>;
}

export interface RunningQueueProxy {
  readonly proxy: QueueProxy;
  /** Drains like SIGTERM, without exiting. */
  stop(): Promise<void>;
}

/** Resolves when it listens; null when it could not start, in which case `exit(1)` was called. */
export async function startQueueProxy(
  options: QueueProxyStartOptions,
): Promise<RunningQueueProxy | null> {
  let proxy: QueueProxy | null = null;
  let signals = 0;
  let hasFailed = false;
  const begin = (): void => {
    void proxy?.shutdown().then(() => {
      if (!hasFailed) options.exit(0);
    });
  };
  const fail = (): void => {
    hasFailed = true;
    exitNow(proxy, options);
  };
  options.onSignal(() => {
    signals += 1;
    // The second signal means now (QP-124).
    if (signals === 1) begin();
    else if (signals === 2) fail();
  });
  const settings = readSettings(options);
  if (settings === null) return null;
  const logger = (options.createLogger ?? defaultLogger)(settings.logLevel, settings.logFormat);
  const onFailure = (): void => {
    logger.error({}, 'Failed to bring up queue-proxy, shutting down.');
    fail();
  };
  const started = new QueueProxy(capThreads(settings, logger, options.readText ?? readText), {
    ...options,
    logger,
    onFailure,
  });
  // From here on a signal drains: ports open one by one, and the first may have clients already.
  proxy = started;
  if (signals > 0) begin();
  try {
    await started.start();
    await (options.limitMemory ?? keepYoungGenerationSmall)();
  } catch (error) {
    logger.error({ error }, 'Failed to bring up queue-proxy, shutting down.');
    hasFailed = true;
    options.exit(1);
    return null;
  }
  return { proxy: started, stop: () => started.shutdown() };
}

/** Exit code 1 without a drain, as soon as no thread is left that would turn it into a crash. */
function exitNow(proxy: QueueProxy | null, { clock, exit }: QueueProxyStartOptions): void {
  const halting = proxy?.halt() ?? null;
  if (halting === null) {
    exit(1);
    return;
  }
  const timer = clock.setTimer(MAX_HALT_MS, () => exit(1));
  void halting.then(() => {
    timer.cancel();
    exit(1);
  });
}

/** QP-10: one line, the first problem, nothing listens. */
function readSettings(options: QueueProxyStartOptions): QueueProxySettings | null {
  try {
    return parseQueueProxySettings(options.env);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    options.printError(error.message);
    options.exit(1);
    return null;
  }
}

/** QP-16: threads beyond the CPU quota would only take turns. */
function capThreads(
  settings: QueueProxySettings,
  logger: Logger,
  read: ReadText,
): QueueProxySettings {
  if (settings.threads === 1) return settings;
  const cpus = cpuQuota(read);
  const threads = threadsWithin(cpus, settings.threads);
  if (threads === settings.threads) return settings;
  logger.warn({ wanted: settings.threads, threads, cpus }, 'QUEUE_THREADS capped by the CPU quota');
  return { ...settings, threads };
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // There is no such file in this version of cgroups, or no cgroup at all.
  }
}

function defaultLogger(level: LogLevel, format: LogFormat): Logger {
  return createLogger('queueproxy', { level, format });
}
