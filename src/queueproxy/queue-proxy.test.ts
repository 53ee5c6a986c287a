// A whole sidecar on real sockets with time in the test's hand: what clients, kubelet, activator
// and autoscaler see on the wire.

import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { decodeStat, emptyStat } from '../wire/stat.ts';
import { QueueProxy } from './queue-proxy.ts';
import { parseQueueProxySettings } from './settings.ts';
import { TEST_ENVIRONMENT } from './testing/environment.ts';
import { RawClient } from './testing/raw-client.ts';
import { atEnd, closeAll, startWithApp, turn, until } from './testing/started-proxy.ts';
import { TestApp } from './testing/test-app.ts';

const start = startWithApp;
afterEach(closeAll);

const okApp = (app: TestApp, body = 'hello') => {
  app.answer = ({ response }) => response.end(body);
};
const kubelet = ['User-Agent: kube-probe/1.33', 'K-Network-Probe: queue'];
const tcpProbe = (port: number) => ({
  readinessProbes: [
    {
      action: { kind: 'tcp' as const, host: '127.0.0.1', port },
      aggressive: false,
      timeoutMs: 0,
      successThreshold: 1,
    },
  ],
});

describe('probes on the wire', () => {
  it('QP-21: a ready app is `queue`, plain text, nothing else', async () => {
    const { port } = await start();
    const answer = await RawClient.ask(port, '/healthz', ...kubelet);
    expect([answer.status, answer.body]).toEqual([200, 'queue']);
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(answer.headers.get('content-length')).toBe('5');
  });

  it('QP-21: HEAD gets the same head and no body', async () => {
    const { port } = await start();
    const client = await RawClient.connect(port);
    client.request('HEAD', '/', ...kubelet);
    const answer = await client.answer(true);
    expect([answer.status, answer.headers.get('content-length')]).toEqual([200, '5']);
    // The connection is in step: the next answer is read from its beginning.
    client.request('GET', '/', ...kubelet);
    expect((await client.answer()).body).toBe('queue');
    client.socket.destroy();
  });

  it('QP-21: an app that does not listen is 503 with an empty body and no content type', async () => {
    const { app, port } = await start(tcpProbe(1));
    expect(app.port).toBeGreaterThan(0);
    const answer = await RawClient.ask(port, '/', ...kubelet);
    expect([answer.status, answer.body]).toEqual([503, '']);
    expect(answer.headers.has('content-type')).toBe(false);
    expect(answer.headers.get('content-length')).toBe('0');
  });

  it('QP-21: wrong, missing and network probe headers', async () => {
    const { port } = await start();
    const ask = async (...headers: string[]) => {
      const { status, body, headers: seen } = await RawClient.ask(port, '/', ...headers);
      return [status, body, seen.get('x-content-type-options'), seen.get('k-network-hash')];
    };
    const none = undefined;
    expect(await ask('User-Agent: kube-probe/1')).toEqual([
      400,
      'unexpected probe header value: \n',
      'nosniff',
      none,
    ]);
    expect(await ask('K-Network-Probe: probe', 'K-Network-Hash: abc')).toEqual([
      200,
      '',
      none,
      'abc',
    ]);
    expect(await ask('K-Network-Probe: probe')).toEqual([
      400,
      'a probe request must contain a non-empty "K-Network-Hash" header\n',
      'nosniff',
      none,
    ]);
  });

  it('QP-24: readiness is looked at anew for each check', async () => {
    const other = await TestApp.start();
    const { port: otherPort } = other;
    other.close();
    const { port } = await start(tcpProbe(otherPort));
    expect((await RawClient.ask(port, '/', ...kubelet)).status).toBe(503);
    const back = await TestApp.start(otherPort);
    atEnd(() => back.close());
    expect((await RawClient.ask(port, '/', ...kubelet)).status).toBe(200);
  });
});

describe('forwarding', () => {
  it('QP-14, QP-63: until the app listens a request is 502 at once', async () => {
    const { app, port, logs } = await start();
    const appPort = app.port;
    app.close();
    const answer = await RawClient.ask(port, '/');
    expect([answer.status, answer.body]).toEqual([
      502,
      `dial tcp 127.0.0.1:${appPort}: connect: connection refused\n`,
    ]);
    expect(logs).toContain('error reverse proxying request');
  });

  it('QP-65 to QP-68, QP-90: the app sees the right headers', async () => {
    const { app, port } = await start();
    okApp(app);
    let seen: string[] = [];
    app.answer = ({ request, response }) => {
      seen = request.rawHeaders;
      response.end();
    };
    await RawClient.ask(
      port,
      '/a//b?x=%zz',
      'K-Original-Host: real.example',
      'Knative-Serving-Revision: r',
      'Knative-Serving-Namespace: n',
      'X-Forwarded-For: 1.1.1.1',
      'X-Forwarded-Proto: https',
      'Connection: X-Hop',
      'X-Hop: 1',
      'K-Proxy-Request: activator',
    );
    const pairs = Object.fromEntries(
      seen.flatMap((name, index) =>
        index % 2 === 0 ? [[name.toLowerCase(), seen[index + 1]]] : [],
      ),
    );
    expect(pairs).toMatchObject({
      host: 'real.example',
      'x-forwarded-for': '1.1.1.1, 127.0.0.1',
      'x-forwarded-proto': 'https',
      forwarded: 'for=1.1.1.1;proto=https',
      'k-proxy-request': 'activator',
    });
    for (const gone of ['k-original-host', 'knative-serving-revision', 'x-hop']) {
      expect(pairs).not.toHaveProperty(gone);
    }
  });

  it('QP-30: an upgraded connection is a byte tunnel and keeps its slot', async () => {
    const { proxy, app, port } = await start({ containerConcurrency: 1 });
    okApp(app);
    const client = await RawClient.connect(port);
    client.request('GET', '/', 'Connection: keep-alive, Upgrade', 'Upgrade: odd-protocol');
    await client.until((text) => text.endsWith('\r\n\r\n'));
    expect(client.received).toContain('HTTP/1.1 101');
    client.received = '';
    client.socket.write('\0\x01any bytes');
    await client.until((text) => text === '\0\x01any bytes');
    const waiting = await RawClient.connect(port);
    waiting.request('GET', '/');
    await until(() => proxy.inFlight === 2);
    expect(app.inside).toBe(0);
    client.socket.destroy();
    expect((await waiting.answer()).body).toBe('hello');
    waiting.socket.destroy();
  });
});

describe('concurrency limit on the wire', () => {
  it('QP-28: of twelve requests one runs, ten wait in order, the twelfth is refused', async () => {
    const { proxy, app, port } = await start({ containerConcurrency: 1 });
    const clients: RawClient[] = [];
    for (let index = 0; index < 11; index += 1) {
      const client = await RawClient.connect(port);
      client.request('GET', `/${index}`);
      clients.push(client);
      await until(() => proxy.inFlight === index + 1);
    }
    const refused = await RawClient.ask(port, '/11');
    expect([refused.status, refused.body]).toEqual([503, 'pending request queue full\n']);
    for (let index = 0; index < 11; index += 1) {
      await app.untilHeld(index + 1);
      const { request, response } = app.held[index]!;
      expect(request.url).toBe(`/${index}`);
      response.end(`answer ${index}`);
      expect((await clients[index]!.answer()).body).toBe(`answer ${index}`);
    }
    expect(app.mostInside).toBe(1);
    await until(() => proxy.inFlight === 0);
    for (const client of clients) client.socket.destroy();
  });

  it('QP-29: a client that leaves the queue is forgotten, and its request never reaches the app', async () => {
    const { proxy, app, port } = await start({ containerConcurrency: 1 });
    const first = await RawClient.connect(port);
    first.request('GET', '/first');
    await app.untilHeld(1);
    const second = await RawClient.connect(port);
    second.request('GET', '/second');
    await until(() => proxy.inFlight === 2);
    second.socket.resetAndDestroy();
    await until(() => proxy.inFlight === 1);
    const third = await RawClient.connect(port);
    third.request('GET', '/third');
    await until(() => proxy.inFlight === 2);
    app.held[0]!.response.end();
    await app.untilHeld(2);
    expect(app.held[1]!.request.url).toBe('/third');
    for (const client of [first, third]) client.socket.destroy();
  });

  it('random departures of clients and breaks of the app leave nothing behind', async () => {
    const { proxy, app, clock, port } = await start({ containerConcurrency: 3, timeoutMs: 60_000 });
    let seed = 20_261_121;
    const random = (): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed / 2 ** 32;
    };
    app.answer = ({ response }) => {
      const fate = random();
      if (fate < 0.2) response.destroy();
      else if (fate < 0.4) {
        response.write('part');
        setImmediate(() => response.destroy());
      } else if (fate < 0.6) return;
      else response.end('whole');
    };
    for (let round = 0; round < 15; round += 1) {
      const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(port)));
      for (const client of clients) {
        client.request('GET', '/', ...(random() < 0.2 ? ['K-Proxy-Request: activator'] : []));
      }
      for (const client of clients) {
        for (let turns = Math.floor(random() * 6); turns > 0; turns -= 1) await turn();
        if (random() < 0.5) client.socket.resetAndDestroy();
        else client.socket.destroy();
      }
    }
    // A client that only half-closed is told from one that left by the engine's own timer.
    await until(() => {
      clock.advance(100);
      return proxy.inFlight === 0;
    });
    // All slots are there: three requests get in at once again.
    app.answer = null;
    const last = await Promise.all([1, 2, 3].map(() => RawClient.connect(port)));
    for (const client of last) client.request('GET', '/last');
    await app.untilHeld(3);
    clock.advance(1000);
    for (const client of last) client.socket.resetAndDestroy();
    await until(() => proxy.inFlight === 0);
    clock.advance(2000);
    const scraped = await RawClient.ask(proxy.ports!.stats, '/metrics');
    const stat = decodeStat(Buffer.from(scraped.body, 'latin1'));
    expect(stat.averageConcurrentRequests).toBe(0);
  });
});

describe('timeouts on the wire', () => {
  it('QP-49: a silent app is a bare 504, and the connection stays usable', async () => {
    const { proxy, app, clock, port, logs } = await start({ timeoutMs: 10_000 });
    const client = await RawClient.connect(port);
    client.request('GET', '/');
    await app.untilHeld(1);
    const appSide = app.held[0]!.response;
    clock.advance(10_100);
    const answer = await client.answer();
    expect([answer.status, answer.body]).toEqual([504, 'request timeout']);
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(answer.headers.has('x-content-type-options')).toBe(false);
    expect(logs).toContain('Request timeout: 10s');
    // QP-52: the app's connection was closed.
    await until(() => appSide.destroyed && app.inside === 0);
    okApp(app);
    client.request('GET', '/again');
    expect((await client.answer()).status).toBe(200);
    await until(() => proxy.inFlight === 0);
    client.socket.destroy();
  });

  it('Q-2: a started answer is cut without its last chunk', async () => {
    const { app, clock, port } = await start({ timeoutMs: 10_000 });
    const client = await RawClient.connect(port);
    client.request('GET', '/');
    await app.untilHeld(1);
    app.held[0]!.response.write('partial response');
    await client.until((text) => text.includes('partial response'));
    clock.advance(10_100);
    await client.untilClosed();
    expect(client.received).not.toContain('0\r\n\r\n');
  });

  it('QP-29: a request that times out in the queue is 504 and its place is free', async () => {
    const { proxy, app, clock, port } = await start({
      containerConcurrency: 1,
      timeoutMs: 10_000,
    });
    const running = await RawClient.connect(port);
    running.request('GET', '/running', 'K-Kubelet-Probe: no');
    await app.untilHeld(1);
    const first = await RawClient.connect(port);
    first.request('GET', '/first');
    await app.untilHeld(2);
    clock.advance(5_000);
    const waiting = await RawClient.connect(port);
    waiting.request('GET', '/waiting');
    await until(() => proxy.inFlight === 3);
    clock.advance(5_100);
    expect((await first.answer()).status).toBe(504);
    // The one that waited has the slot now, and its own time still runs from its arrival.
    await app.untilHeld(3);
    clock.advance(5_000);
    expect((await waiting.answer()).status).toBe(504);
    await until(() => proxy.inFlight === 0);
    for (const client of [running, first, waiting]) client.socket.destroy();
  });
});

describe('statistics on the wire', () => {
  it('QP-41 to QP-43: the scrape works at once and carries what happened', async () => {
    const { proxy, app, clock, port } = await start();
    const scrape = async () => {
      const answer = await RawClient.ask(proxy.ports!.stats, '/metrics', 'Accept: text/plain');
      expect(answer.headers.get('content-type')).toBe('application/protobuf');
      return decodeStat(Buffer.from(answer.body, 'latin1'));
    };
    const podName = 'hello-00001-abcde';
    expect(await scrape()).toEqual(emptyStat(podName));
    const client = await RawClient.connect(port);
    client.request('GET', '/', 'K-Proxy-Request: activator');
    await app.untilHeld(1);
    clock.advance(500);
    app.held[0]!.response.end();
    await client.answer();
    await until(() => proxy.inFlight === 0);
    clock.advance(500);
    expect(await scrape()).toEqual({
      ...emptyStat(podName),
      averageConcurrentRequests: 0.5,
      averageProxiedConcurrentRequests: 0.5,
      requestCount: 1,
      proxiedRequestCount: 1,
      processUptime: 1,
    });
    client.socket.destroy();
  });

  it('QP-139: request metrics have a port only when configured', async () => {
    expect((await start()).proxy.ports!.metrics).toBeNull();
    const { proxy, app, port } = await start({
      containerConcurrency: 2,
      metrics: { host: '127.0.0.1', port: 0 },
    });
    okApp(app);
    expect((await RawClient.ask(port, '/')).status).toBe(200);
    await until(() => proxy.inFlight === 0);
    const { body } = await RawClient.ask(proxy.ports!.metrics!, '/metrics');
    expect(body).toMatch(/kn_serving_invocation_duration_seconds_count\{[^}]*="200"[^}]*\} 1\n/);
    expect(body).toMatch(/kn_serving_queue_depth\{[^}]*\} 0\n/);
  });
});

describe('drain and shutdown', () => {
  it('QP-117: /wait-for-drain without a signal gives readiness back after a second', async () => {
    const { proxy, clock, port } = await start();
    const call = await RawClient.connect(proxy.ports!.admin);
    call.request('GET', '/wait-for-drain');
    const isDraining = async () => (await RawClient.ask(port, '/', ...kubelet)).status === 503;
    while (!(await isDraining())) await turn();
    clock.advance(1_000);
    expect((await call.answer()).status).toBe(200);
    expect(await isDraining()).toBe(false);
    call.socket.destroy();
  });

  it('QP-114, QP-120 to QP-123: serves while quiet is awaited, finishes what runs, then goes', async () => {
    const { proxy, app, clock, port, logs } = await start({ drainQuietMs: 30_000 });
    const slow = await RawClient.connect(port);
    slow.request('GET', '/slow');
    await app.untilHeld(1);
    const preStop = await RawClient.connect(proxy.ports!.admin);
    let ended = false;
    const done = proxy.shutdown().then(() => {
      ended = true;
    });
    preStop.request('GET', '/wait-for-drain');
    const probe = await RawClient.ask(port, '/', ...kubelet);
    expect([probe.status, probe.body]).toEqual([503, 'shutting down\n']);
    clock.advance(20_000);
    okApp(app);
    expect((await RawClient.ask(port, '/late')).status).toBe(200);
    clock.advance(20_000);
    await turn();
    expect(preStop.received).toBe('');
    clock.advance(10_000);
    expect((await preStop.answer()).status).toBe(200);
    // The slow request outlives the quiet period and still gets its answer.
    await until(() => logs.length > 0);
    expect(ended).toBe(false);
    app.held[0]!.response.end('worth waiting for');
    const answer = await slow.answer();
    expect([answer.body, answer.headers.get('connection')]).toEqual(['worth waiting for', 'close']);
    while (!ended) await clock.advanceAsync(100);
    await done;
    expect(logs.at(-1)).toBe('Shutdown complete, exiting...');
    await expect(RawClient.connect(port)).rejects.toThrow('ECONNREFUSED');
    preStop.socket.destroy();
  });

  it('QP-122: a tunnel gets a minute after the servers closed, and no more', async () => {
    const { proxy, clock, port, logs } = await start({ drainQuietMs: 1_000, timeoutMs: 600_000 });
    const tunnel = await RawClient.connect(port);
    tunnel.request('GET', '/', 'Connection: Upgrade', 'Upgrade: websocket');
    await tunnel.until((text) => text.endsWith('\r\n\r\n'));
    const done = proxy.shutdown();
    clock.advance(1_000);
    await until(() => clock.pendingCount > 0);
    tunnel.received = '';
    tunnel.socket.write('still here');
    await tunnel.until((text) => text === 'still here');
    for (let second = 0; second < 62 && !tunnel.closed; second += 1)
      await clock.advanceAsync(1_000);
    await done;
    expect(logs).toContain('Hijack connection drain failed');
    await tunnel.untilClosed();
  });

  it('QP-15: a taken port is an error and nothing stays open', async () => {
    const { port } = await start();
    const settings = parseQueueProxySettings({
      ...TEST_ENVIRONMENT,
      QUEUE_SERVING_PORT: String(port),
    });
    const clock = new FakeClock();
    const second = new QueueProxy(settings, { clock, logger: silentLogger, random: () => 0 });
    await expect(second.start()).rejects.toThrow('EADDRINUSE');
    expect(clock.pendingCount).toBe(0);
  });

  it('QP-1: without a bind address it listens on every interface', async () => {
    const { port } = await start({ bindAddress: '' });
    expect((await RawClient.ask(port, '/', ...kubelet)).body).toBe('queue');
    const rival = createServer();
    await expect(
      new Promise((resolve, reject) => {
        rival.once('error', reject);
        rival.listen(port, '127.0.0.1', () => resolve(rival.close()));
      }),
    ).rejects.toThrow('EADDRINUSE');
  });
});
