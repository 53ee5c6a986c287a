// A sidecar as a process of its own, from the build, in front of an application of the scenario.
// Timeouts are out of the way unless the scenario sets them; the environment is Knative's.

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { BUILD, end, freePort, untilListening } from '../support/processes.ts';
import { sidecarEnvironment } from '../support/proxies.ts';
import type { TortureOptions } from './scenario.ts';

export interface Sidecar {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Requests. */
  readonly port: number;
  readonly adminPort: number;
  readonly statsPort: number;
  /** Exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  stop(): Promise<void>;
}

export interface SidecarSettings {
  readonly appPort: number;
  /** 0 = unlimited. */
  readonly containerConcurrency: number;
  readonly env?: Readonly<Record<string, string>>;
}

export async function startSidecar(
  settings: SidecarSettings,
  options: Pick<TortureOptions, 'engine' | 'threads'>,
): Promise<Sidecar> {
  const ports = {
    serving: await freePort(),
    admin: await freePort(),
    stats: await freePort(),
    metrics: await freePort(),
    app: settings.appPort,
  };
  const child = spawn(process.execPath, [join(BUILD, 'src', 'main.cjs'), '--role', 'queueproxy'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      ...sidecarEnvironment(ports, settings.containerConcurrency),
      REVISION_TIMEOUT_SECONDS: '3600',
      REVISION_RESPONSE_START_TIMEOUT_SECONDS: '0',
      REVISION_IDLE_TIMEOUT_SECONDS: '0',
      PILOTLIGHT_HTTP_ENGINE: options.engine,
      QUEUE_THREADS: String(options.threads),
      ...settings.env,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  await untilListening(ports.serving);
  await untilListening(ports.admin);
  return {
    child,
    pid: child.pid!,
    port: ports.serving,
    adminPort: ports.admin,
    statsPort: ports.stats,
    exited,
    stop: () => end(child),
  };
}
