// The data-plane half of the runtime contract (RC), as a container sees it from behind the sidecar:
// one row per promise, by its number. What the control plane promises has its tests there.

import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { RawClient } from '../../../src/queueproxy/testing/raw-client.ts';
import {
  atEnd,
  closeAll,
  startProxy,
  startWithApp,
  turn,
  until,
} from '../../../src/queueproxy/testing/started-proxy.ts';
import type { HeldRequest } from '../../../src/queueproxy/testing/test-app.ts';
import { decodeStat } from '../../../src/wire/stat.ts';

afterEach(closeAll);

/** The deadline wheel is coarse. */
const LATE_MS = 200;
const PROBE = ['User-Agent: kube-probe/1.33', 'K-Network-Probe: queue'];

type Started = Awaited<ReturnType<typeof startWithApp>>;

/** Header lines the container saw, lower-case names. */
async function seenBy(started: Started, ...headers: string[]): Promise<Map<string, string>> {
  let lines: string[] = [];
  started.app.answer = ({ request, response }: HeldRequest) => {
    lines = request.rawHeaders;
    response.end();
  };
  await RawClient.ask(started.port, '/', ...headers);
  const seen = new Map<string, string>();
  for (let index = 0; index < lines.length; index += 2) {
    seen.set(lines[index]!.toLowerCase(), lines[index + 1]!);
  }
  return seen;
}

async function client(started: Started, method = 'GET', ...headers: string[]): Promise<RawClient> {
  const raw = await RawClient.connect(started.port);
  atEnd(() => raw.socket.destroy());
  raw.request(method, '/', ...headers);
  return raw;
}

describe('ports and protocols', () => {
  it('RC-12: HTTP/1.1 in is HTTP/1.1 to the container, HTTP/2 in is HTTP/2', async () => {
    const versions: string[] = [];
    const started = await startWithApp();
    started.app.answer = ({ request, response }) => {
      versions.push(request.httpVersion);
      response.end();
    };
    await RawClient.ask(started.port, '/');
    const app = http2.createServer((request, response) => {
      versions.push(request.httpVersion);
      response.end();
    });
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    atEnd(() => app.close());
    const { port } = await startProxy((app.address() as AddressInfo).port);
    const session = http2.connect(`http://127.0.0.1:${port}`);
    atEnd(() => session.destroy());
    const stream = session.request({ ':path': '/' });
    await new Promise((resolve) => stream.on('response', resolve));
    expect(versions).toEqual(['1.1', '2.0']);
    session.destroy();
  });

  it('RC-14: events and chunks pass unbuffered, upgrades as bytes', async () => {
    const started = await startWithApp();
    const events = await client(started);
    await started.app.untilHeld(1);
    const { response } = started.app.held[0]!;
    response.setHeader('Content-Type', 'text/event-stream');
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      response.write(event);
      await events.until((text) => text.includes(event));
    }
    const tunnel = await client(started, 'GET', 'Connection: Upgrade', 'Upgrade: any');
    await tunnel.until((text) => text.endsWith('\r\n\r\n'));
    tunnel.received = '';
    tunnel.socket.write('\x00\xff', 'latin1');
    await tunnel.until((text) => text === '\x00\xff');
  });
});

describe('request headers', () => {
  it('RC-20: Host is what the client asked for', async () => {
    const started = await startWithApp();
    expect((await seenBy(started)).get('host')).toBe('hello.example.com');
    const rewritten = await seenBy(started, 'K-Original-Host: asked.example');
    expect(rewritten.get('host')).toBe('asked.example');
    expect(rewritten.has('k-original-host')).toBe(false);
  });

  it.each([
    {
      sent: [
        'X-Forwarded-For: 1.2.3.4, 5.6.7.8',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: ex.com',
      ],
      want: 'for=1.2.3.4;host=ex.com;proto=https, for=5.6.7.8',
    },
    { sent: ['X-Forwarded-Proto: http'], want: 'proto=http' },
    { sent: ['X-Forwarded-For: ::1'], want: 'for="[::1]"' },
    { sent: ['Forwarded: for=known', 'X-Forwarded-Proto: http'], want: 'for=known' },
  ])('RC-21: Forwarded is $want', async ({ sent, want }) => {
    expect((await seenBy(await startWithApp(), ...sent)).get('forwarded')).toBe(want);
  });

  it('RC-22, RC-23: routing and hop-by-hop headers go, everything else comes through', async () => {
    const kept = [
      'Knative-Serving-Tag: t',
      'K-Proxy-Request: activator',
      'K-Network-Hash: h',
      'A: b',
    ];
    const gone = ['Knative-Serving-Revision: r', 'Knative-Serving-Namespace: n', 'Keep-Alive: 5'];
    const seen = await seenBy(await startWithApp(), ...kept, ...gone, 'X-Forwarded-For: 9.9.9.9');
    expect(seen.get('x-forwarded-for')).toBe('9.9.9.9, 127.0.0.1');
    for (const line of kept) expect(seen.has(line.split(':')[0]!.toLowerCase())).toBe(true);
    for (const line of gone) expect(seen.has(line.split(':')[0]!.toLowerCase())).toBe(false);
  });

  it('RC-24: probes never reach the container nor count, look-alikes do', async () => {
    const started = await startWithApp();
    let reached = 0;
    started.app.answer = ({ response }) => {
      reached += 1;
      response.end();
    };
    const ask = (...headers: string[]) => RawClient.ask(started.port, '/', ...headers);
    await ask(...PROBE);
    await ask('K-Network-Probe: probe', 'K-Network-Hash: h');
    expect(reached).toBe(0);
    await ask('K-Network-Probe: queue');
    await ask('K-Kubelet-Probe: x');
    expect(reached).toBe(2);
    await until(() => started.proxy.inFlight === 0);
    started.clock.advance(1_000);
    const scraped = await RawClient.ask(started.proxy.ports!.stats, '/metrics');
    expect(decodeStat(Buffer.from(scraped.body, 'latin1')).requestCount).toBe(1);
  });
});

describe('timeouts and failures', () => {
  it.each([
    { name: 'RC-30: T', change: { timeoutMs: 10_000 } },
    { name: 'RC-31: R', change: { responseStartTimeoutMs: 10_000 } },
    { name: 'RC-32: I', change: { idleTimeoutMs: 10_000 } },
  ])('$name before the first byte is 504 `request timeout`', async ({ change }) => {
    const started = await startWithApp({ timeoutMs: 300_000, ...change });
    const waiting = await client(started);
    await started.app.untilHeld(1);
    started.clock.advance(10_000 + LATE_MS);
    const answer = await waiting.answer();
    expect([answer.status, answer.body]).toEqual([504, 'request timeout']);
  });

  it('RC-30: the status of a started answer stays; it is cut', async () => {
    const started = await startWithApp({ timeoutMs: 10_000 });
    const reading = await client(started);
    await started.app.untilHeld(1);
    started.app.held[0]!.response.write('begun');
    await reading.until((text) => text.includes('begun'));
    started.clock.advance(10_000 + LATE_MS);
    await reading.untilClosed();
    expect(reading.received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('RC-33: T cuts an upgraded connection', async () => {
    const started = await startWithApp({ timeoutMs: 10_000 });
    const tunnel = await client(started, 'GET', 'Connection: Upgrade', 'Upgrade: websocket');
    await tunnel.until((text) => text.endsWith('\r\n\r\n'));
    started.clock.advance(10_000 + LATE_MS);
    await tunnel.untilClosed();
  });

  it('RC-34, RC-37: a container that refuses is 502 with the error, at once', async () => {
    const started = await startWithApp();
    started.app.close();
    const answer = await RawClient.ask(started.port, '/');
    expect(answer.status).toBe(502);
    expect(answer.body).toMatch(/^dial tcp 127\.0\.0\.1:\d+: connect: connection refused\n$/);
  });

  it('RC-35: chunks go out as they come', async () => {
    const started = await startWithApp();
    const reading = await client(started);
    await started.app.untilHeld(1);
    for (const piece of ['one', 'two']) {
      started.app.held[0]!.response.write(piece);
      await reading.until((text) => text.includes(piece));
    }
  });

  it('RC-36: a head that takes longer than a minute is dropped, a body may take its time', async () => {
    const started = await startWithApp();
    const slow = await RawClient.connect(started.port);
    slow.socket.write('GET / HTTP/1.1\r\n');
    const body = await client(started, 'POST', 'Content-Length: 4');
    await started.app.untilHeld(1);
    for (let second = 0; second < 80; second += 1) await started.clock.advanceAsync(1_000);
    await slow.untilClosed();
    expect([slow.received, body.closed]).toEqual(['', false]);
  });
});

describe('concurrency', () => {
  it('RC-40, RC-41: one inside, ten waiting in order, the next is 503 at once', async () => {
    const started = await startWithApp({ containerConcurrency: 1 });
    for (let index = 0; index < 11; index += 1) {
      await client(started);
      await until(() => started.proxy.inFlight === index + 1);
    }
    const refused = await RawClient.ask(started.port, '/');
    expect([refused.status, refused.body]).toEqual([503, 'pending request queue full\n']);
    for (let served = 1; served <= 11; served += 1) {
      await started.app.untilHeld(served);
      started.app.held[served - 1]!.response.end();
    }
    expect(started.app.mostInside).toBe(1);
  });

  it('RC-42: probes take no slot', async () => {
    const started = await startWithApp({ containerConcurrency: 1 });
    await client(started);
    await started.app.untilHeld(1);
    expect((await RawClient.ask(started.port, '/', ...PROBE)).body).toBe('queue');
    expect(started.proxy.inFlight).toBe(1);
  });
});

describe('readiness', () => {
  it('RC-60, RC-61: the sidecar asks the container, over and over, until it listens', async () => {
    const started = await startWithApp({
      readinessProbes: [
        {
          action: { kind: 'tcp', host: '127.0.0.1', port: 1 },
          aggressive: true,
          timeoutMs: 0,
          successThreshold: 1,
        },
      ],
    });
    const first = await client(started, 'GET', ...PROBE);
    const second = await client(started, 'GET', ...PROBE);
    for (let step = 0; step < 99; step += 1) await started.clock.advanceAsync(100);
    expect([first.received, second.received]).toEqual(['', '']);
    for (let step = 0; step < 3; step += 1) await started.clock.advanceAsync(100);
    await until(() => {
      started.clock.advance(10);
      return first.received !== '' && second.received !== '';
    });
    expect([(await first.answer()).status, (await second.answer()).status]).toEqual([503, 503]);
    // One evaluation served both (QP-104): one line tells of it.
    expect(started.logs.filter((line) => line === 'readiness probe failed')).toHaveLength(1);
  });

  it('RC-62: what a health check is answered', async () => {
    const started = await startWithApp();
    const ask = async (...headers: string[]) => {
      const { status, body } = await RawClient.ask(started.port, '/any', ...headers);
      return [status, body];
    };
    expect(await ask(...PROBE)).toEqual([200, 'queue']);
    expect(await ask('User-Agent: Knative-Autoscaling-Probe', 'K-Network-Probe: x')).toEqual([
      400,
      'unexpected probe header value: x\n',
    ]);
    void started.proxy.shutdown();
    expect(await ask(...PROBE)).toEqual([503, 'shutting down\n']);
  });
});

describe('shutdown', () => {
  it('RC-71 to RC-73: probes fail, requests are served, each restarts the quiet period', async () => {
    const started = await startWithApp({ drainQuietMs: 30_000 });
    started.app.answer = ({ response }) => response.end('served');
    let isOver = false;
    void started.proxy.shutdown().then(() => {
      isOver = true;
    });
    const hook = await RawClient.connect(started.proxy.ports!.admin);
    hook.request('GET', '/wait-for-drain');
    expect((await RawClient.ask(started.port, '/', ...PROBE)).status).toBe(503);
    started.clock.advance(29_000);
    expect((await RawClient.ask(started.port, '/')).body).toBe('served');
    started.clock.advance(29_000);
    await turn();
    expect([hook.received, isOver]).toEqual(['', false]);
    started.clock.advance(1_000);
    expect((await hook.answer()).status).toBe(200);
    while (!isOver) await started.clock.advanceAsync(100);
    hook.socket.destroy();
  });

  it('RC-76: a hook without a signal is released after a second, readiness recovers', async () => {
    const started = await startWithApp();
    const hook = await RawClient.connect(started.proxy.ports!.admin);
    hook.request('GET', '/wait-for-drain');
    const probe = async () => (await RawClient.ask(started.port, '/', ...PROBE)).status;
    while ((await probe()) === 200) await turn();
    started.clock.advance(1_000);
    expect((await hook.answer()).status).toBe(200);
    expect(await probe()).toBe(200);
    hook.socket.destroy();
  });
});

describe('what the autoscaler is told', () => {
  it('RC-102: once a second, count and concurrency, the share through the activator apart', async () => {
    const started = await startWithApp();
    const through = await client(started, 'GET', 'K-Proxy-Request: activator');
    const direct = await client(started);
    await started.app.untilHeld(2);
    started.clock.advance(1_000);
    const scraped = await RawClient.ask(started.proxy.ports!.stats, '/metrics');
    const stat = decodeStat(Buffer.from(scraped.body, 'latin1'));
    expect([stat.requestCount, stat.proxiedRequestCount]).toEqual([2, 1]);
    expect(stat.averageConcurrentRequests).toBeGreaterThan(1);
    for (const held of started.app.held) held.response.end();
    await Promise.all([through.answer(), direct.answer()]);
  });
});
