// The sidecar on the `uws` engine: probes, gate, timeouts and drain behave as on the default one.
// What the engines do on the wire is compared in proxy/engines.test.ts.

import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { QueueProxy } from './queue-proxy.ts';
import { parseQueueProxySettings, type QueueProxySettings } from './settings.ts';
import { TEST_ENVIRONMENT } from './testing/environment.ts';
import { RawClient } from './testing/raw-client.ts';
import { TestApp } from './testing/test-app.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(change: Partial<QueueProxySettings> = {}) {
  const app = await TestApp.start();
  closers.push(() => app.close());
  const env = {
    ...TEST_ENVIRONMENT,
    USER_PORT: String(app.port),
    PILOTLIGHT_HTTP_ENGINE: 'uws',
    QUEUE_DRAIN_QUIET_SECONDS: '0.05',
  };
  const settings = { ...parseQueueProxySettings(env), ...change };
  const deps = { clock: systemClock, logger: silentLogger, random: () => 0.5 };
  const proxy = new QueueProxy(settings, deps);
  closers.push(() => proxy.close());
  await proxy.start();
  return { app, proxy, port: proxy.ports!.serving };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await systemClock.sleep(1);
}

describe('the sidecar on uws', () => {
  it('QP-21: answers a kubelet probe and forwards everything else', async () => {
    const { app, port } = await start();
    app.answer = ({ response }) => response.end('hello');
    const probe = ['User-Agent: kube-probe/1.33', 'K-Network-Probe: queue'];
    expect((await RawClient.ask(port, '/healthz', ...probe)).body).toBe('queue');
    const answer = await RawClient.ask(port, '/a');
    expect([answer.status, answer.body]).toEqual([200, 'hello']);
  });

  it('QP-27: lets as many requests in as agreed, queues ten times as many, refuses the rest', async () => {
    const { app, proxy, port } = await start({ containerConcurrency: 1 });
    let running = 0;
    let maxRunning = 0;
    let release: (() => void)[] = [];
    app.answer = ({ response }) => {
      running += 1;
      maxRunning = Math.max(maxRunning, running);
      release.push(() => {
        running -= 1;
        response.end('done');
      });
    };
    const answers = Array.from({ length: 11 }, () => RawClient.ask(port, '/'));
    await until(() => proxy.inFlight === 11 && running === 1);
    expect((await RawClient.ask(port, '/')).status).toBe(503);
    for (let served = 0; served < 11; served += 1) {
      await until(() => release.length > 0);
      const [next] = release;
      release = [];
      next?.();
    }
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses).toEqual(new Array(11).fill(200));
    expect(maxRunning).toBe(1);
  });

  it('QP-49: a request that takes too long is 504', async () => {
    const { port } = await start({ timeoutMs: 50 });
    const answer = await RawClient.ask(port, '/');
    expect([answer.status, answer.body]).toEqual([504, 'request timeout']);
  });

  it('QP-120: shutting down finishes what is inside', async () => {
    const { app, proxy, port } = await start();
    let finish: (() => void) | null = null;
    app.answer = ({ response }) => {
      finish = () => response.end('late');
    };
    const answer = RawClient.ask(port, '/');
    await until(() => finish !== null);
    const down = proxy.shutdown();
    (finish as unknown as () => void)();
    expect((await answer).body).toBe('late');
    await down;
    await expect(RawClient.ask(port, '/')).rejects.toThrow();
  });
});
