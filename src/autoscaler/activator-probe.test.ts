import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { PodAutoscaler } from '../api/autoscaling.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { ActivatorProbe } from './activator-probe.ts';

let server: Server | null = null;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)));
  server = null;
});

/** Tells a probe's time limit from the pause between two probes. */
class CountingClock extends FakeClock {
  pauses = 0;

  override sleep(delayMs: number): Promise<void> {
    this.pauses += 1;
    return super.sleep(delayMs);
  }
}

let clock = new CountingClock();
const requests: IncomingMessage[] = [];

async function make(listener: RequestListener): Promise<ActivatorProbe> {
  requests.length = 0;
  clock = new CountingClock();
  server = createServer((request, response) => {
    requests.push(request);
    listener(request, response);
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return new ActivatorProbe({
    resolveService: (_namespace, _name, portName) =>
      portName === 'http' ? { host: '127.0.0.1', port } : null,
    clusterDomain: 'cluster.local',
    clock,
  });
}

const pa = (over: { serviceName?: string; protocolType?: 'http1' | 'h2c' } = {}): PodAutoscaler =>
  ({
    metadata: { name: 'hello', namespace: 'default' },
    spec: { protocolType: over.protocolType ?? 'http1' },
    status: { serviceName: over.serviceName ?? 'hello' },
  }) as PodAutoscaler;

/** Real turns of the event loop, for the real HTTP exchange. */
const until = async (holds: () => boolean): Promise<void> => {
  for (let turn = 0; turn < 10_000 && !holds(); turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(holds()).toBe(true);
};

describe('asking whether the activator is in the path', () => {
  it('AS-135: one request with the double slash, its own agent and headers', async () => {
    const probe = await make((_request, response) => response.end('activator'));
    expect(await probe.once(pa())).toBe(true);
    expect(requests[0]?.url).toBe('//healthz');
    expect(requests[0]?.headers).toMatchObject({
      host: 'hello.default.svc.cluster.local:80',
      'user-agent': 'Knative-Autoscaling-Probe',
      'k-network-probe': 'activator',
      connection: 'close',
    });
  });

  it.each<[string, RequestListener]>([
    ['another body', (_request, response) => response.end('queue')],
    ['another status', (_request, response) => response.writeHead(503).end('activator')],
    ['a cut connection', (request) => request.socket.destroy()],
    ['AS-198: silence', () => clock.advance(1000)],
    ['an endless body', (_request, response) => response.end('activator'.repeat(20))],
  ])('AS-198: %s is unsuccessful', async (_name, listener) => {
    const probe = await make(listener);
    expect(await probe.once(pa())).toBe(false);
  });

  it('AS-135: without a service name or an address nothing is asked', async () => {
    const probe = await make((_request, response) => response.end('activator'));
    expect(await probe.once(pa({ serviceName: '' }))).toBe(false);
    expect(await probe.once(pa({ protocolType: 'h2c' }))).toBe(false);
    expect(requests).toHaveLength(0);
  });

  it('AS-136: repeats every second in the background, one at a time, then says so', async () => {
    let answer = 'queue';
    const probe = await make((_request, response) => response.end(answer));
    let done = 0;
    probe.inBackground(pa(), () => {
      done += 1;
    });
    probe.inBackground(pa(), () => {
      done += 100;
    });
    await until(() => clock.pauses === 1);
    expect(requests).toHaveLength(1);
    answer = 'activator';
    clock.advance(1000);
    await until(() => done > 0);
    expect([requests.length, done]).toEqual([2, 1]);
  });

  it('AS-136: gives up after 45 s', async () => {
    const probe = await make((_request, response) => response.end('queue'));
    let isDone = false;
    probe.inBackground(pa(), () => {
      isDone = true;
    });
    for (let pause = 1; pause <= 45; pause += 1) {
      await until(() => clock.pauses === pause);
      clock.advance(1000);
    }
    await until(() => isDone);
    expect(requests).toHaveLength(46);
  });
});
