// A whole sidecar on real sockets with time in the test's hand, and what it logged. Everything that
// was started ends with `closeAll`, which each test file calls after each test.

import { FakeClock } from '../../clock/fake-clock.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { QueueProxy } from '../queue-proxy.ts';
import { parseQueueProxySettings, type QueueProxySettings } from '../settings.ts';
import { TEST_ENVIRONMENT } from './environment.ts';
import { TestApp } from './test-app.ts';

export interface StartedProxy {
  readonly proxy: QueueProxy;
  readonly clock: FakeClock;
  /** The request port. */
  readonly port: number;
  /** Messages, oldest first. */
  readonly logs: string[];
  /** The fields of each message. */
  readonly logFields: object[];
}

const closers: (() => unknown)[] = [];

/** Runs at the end of the test, last in first out. */
export function atEnd(close: () => unknown): void {
  closers.push(close);
}

export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** In front of whatever listens on `appPort`. */
export async function startProxy(
  appPort: number,
  change: Partial<QueueProxySettings> = {},
): Promise<StartedProxy> {
  const clock = new FakeClock();
  const logs: string[] = [];
  const logFields: object[] = [];
  const note = (fields: object, message: string): void => {
    logs.push(message);
    logFields.push(fields);
  };
  const logger = { ...silentLogger, info: note, warn: note, error: note };
  const environment = { ...TEST_ENVIRONMENT, USER_PORT: String(appPort) };
  const settings = { ...parseQueueProxySettings(environment), ...change };
  const proxy = new QueueProxy(settings, {
    clock,
    logger: { ...logger, child: () => logger },
    random: () => 0.5,
  });
  atEnd(() => proxy.close());
  await proxy.start();
  return { proxy, clock, port: proxy.ports!.serving, logs, logFields };
}

/** In front of an application that holds every request until the test lets it go. */
export async function startWithApp(
  change: Partial<QueueProxySettings> = {},
): Promise<StartedProxy & { app: TestApp }> {
  const app = await TestApp.start();
  atEnd(() => app.close());
  return { ...(await startProxy(app.port, change)), app };
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets real IO happen until `isTrue` holds, without waiting for any amount of time. */
export async function until(isTrue: () => boolean, what = 'condition'): Promise<void> {
  for (let turns = 0; turns < 100_000; turns += 1) {
    if (isTrue()) return;
    await turn();
  }
  throw new Error(`never held: ${what}`);
}
