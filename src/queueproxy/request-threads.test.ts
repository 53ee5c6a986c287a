// A sidecar with real request threads, from the build, as seen from its ports: one gate, one set of
// statistics, one readiness evaluation, one drain. `npm test` builds before it starts the tests.

import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { decodeStat, emptyStat } from '../wire/stat.ts';
import { QueueProxy } from './queue-proxy.ts';
import { parseQueueProxySettings } from './settings.ts';
import { TEST_ENVIRONMENT } from './testing/environment.ts';
import { RawClient } from './testing/raw-client.ts';
import { TestApp } from './testing/test-app.ts';

const dist = process.env.PILOTLIGHT_DIST_URL ?? new URL('../../dist/', import.meta.url).href;
const threadFile = new URL('queueproxy/thread-main.js', dist);
const THREADS = 3;
const CLIENTS = 24;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(env: Record<string, string> = {}) {
  const app = await TestApp.start();
  closers.push(() => app.close());
  const logs: string[] = [];
  const note = (_fields: object, message: string) => logs.push(message);
  const logger = { ...silentLogger, info: note, warn: note, error: note };
  let failures = 0;
  const proxy = new QueueProxy(
    parseQueueProxySettings({
      ...TEST_ENVIRONMENT,
      USER_PORT: String(app.port),
      QUEUE_THREADS: String(THREADS),
      QUEUE_DRAIN_QUIET_SECONDS: '0',
      ...env,
    }),
    {
      clock: systemClock,
      logger: { ...logger, child: () => logger },
      random: () => 0.5,
      threadFile,
      onFailure: () => {
        failures += 1;
      },
    },
  );
  closers.push(() => proxy.close());
  await proxy.start();
  return { proxy, app, logs, port: proxy.ports!.serving, failures: () => failures };
}

const clients = (port: number) =>
  Promise.all(Array.from({ length: CLIENTS }, () => RawClient.connect(port)));

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise<void>((resolve) => setImmediate(resolve));
}

describe('request threads', () => {
  it('QP-27, QP-30: one limit for all threads: the app never sees more, and everybody is served', async () => {
    const { proxy, app, port } = await start({ CONTAINER_CONCURRENCY: '3' });
    let inside = 0;
    let worst = 0;
    app.answer = ({ response }) => {
      inside += 1;
      worst = Math.max(worst, inside);
      setImmediate(() => {
        inside -= 1;
        response.end('served');
      });
    };
    const all = await clients(port);
    for (const client of all) client.request('GET', '/');
    const answers = await Promise.all(all.map((client) => client.answer()));
    expect(answers.map(({ body }) => body)).toEqual(all.map(() => 'served'));
    expect(worst).toBeLessThanOrEqual(3);
    await until(() => proxy.gate!.inFlight === 0);
    expect(proxy.gate!.waiting).toBe(0);
    for (const client of all) client.socket.destroy();
  });

  it('QP-39: the one stat message counts the requests of all threads', async () => {
    const { proxy, app, port } = await start();
    const waiting: (() => void)[] = [];
    app.answer = ({ response }) => waiting.push(() => response.end());
    const all = await clients(port);
    for (const client of all) client.request('GET', '/');
    await until(() => waiting.length === CLIENTS);
    expect(proxy.inFlight).toBe(CLIENTS);
    let count = 0;
    while (count < CLIENTS) {
      const { body } = await RawClient.ask(proxy.ports!.stats, '/metrics');
      const stat = decodeStat(Buffer.from(body, 'latin1')) ?? emptyStat('');
      count = Math.max(count, Math.round(stat.requestCount));
      if (stat.requestCount > 0) break;
    }
    expect(count).toBe(CLIENTS);
    for (const answer of waiting) answer();
    await Promise.all(all.map((client) => client.answer()));
    for (const client of all) client.socket.destroy();
  });

  it('QP-21, QP-104: every thread answers health checks, and fails them while draining', async () => {
    const { proxy, port } = await start({ QUEUE_DRAIN_QUIET_SECONDS: '600' });
    const probe = ['User-Agent: kube-probe/1.33', 'K-Network-Probe: queue'];
    const statuses = async () => {
      const asked = Array.from({ length: CLIENTS }, () => RawClient.ask(port, '/', ...probe));
      return new Set((await Promise.all(asked)).map(({ status }) => status));
    };
    expect(await statuses()).toEqual(new Set([200]));
    void proxy.shutdown();
    expect(await statuses()).toEqual(new Set([503]));
  });

  it('QP-121: a shutdown cuts no request in any thread and closes the port', async () => {
    const { proxy, app, port, failures } = await start();
    const waiting: (() => void)[] = [];
    app.answer = ({ response }) => waiting.push(() => response.end('whole'));
    const all = await clients(port);
    for (const client of all) client.request('GET', '/');
    await until(() => waiting.length === CLIENTS);
    const over = proxy.shutdown();
    for (;;) {
      const refused = await RawClient.connect(port).then(
        (client) => client.socket.destroy() === null,
        () => true,
      );
      if (refused) break;
    }
    for (const answer of waiting) answer();
    const answers = await Promise.all(all.map((client) => client.answer()));
    expect(answers.map(({ body }) => body)).toEqual(all.map(() => 'whole'));
    await over;
    expect(failures()).toBe(0);
  });

  it('QP-120: a shutdown that is overtaken by a close comes to its end all the same', async () => {
    const { proxy } = await start({ QUEUE_DRAIN_QUIET_SECONDS: '3600' });
    const over = proxy.shutdown();
    await proxy.close();
    await over;
  });
});
