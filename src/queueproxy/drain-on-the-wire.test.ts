// Who asks the sidecar what, and what its going down looks like from outside (QP-25, QP-113 to
// QP-126): kubelet, activator, ingress, preStop hooks and clients, on real sockets with time in the
// test's hand.

import { afterEach, describe, expect, it } from 'vitest';
import { decodeStat } from '../wire/stat.ts';
import { RawClient } from './testing/raw-client.ts';
import { closeAll, startWithApp, turn, until } from './testing/started-proxy.ts';

afterEach(closeAll);

const KUBELET = ['User-Agent: kube-probe/1.33', 'K-Network-Probe: queue'];

type Started = Awaited<ReturnType<typeof startWithApp>>;

async function preStop(started: Started): Promise<RawClient> {
  const client = await RawClient.connect(started.proxy.ports!.admin);
  client.request('GET', '/wait-for-drain');
  return client;
}

const isReady = async (started: Started): Promise<boolean> =>
  (await RawClient.ask(started.port, '/', ...KUBELET)).status === 200;

describe('QP-25: each asker gets what it requires', () => {
  it('the kubelet a status from 200 to 399', async () => {
    const { port } = await startWithApp();
    expect((await RawClient.ask(port, '/', ...KUBELET)).status).toBe(200);
  });

  it('the activator exactly 200 and exactly `queue`', async () => {
    const { port } = await startWithApp();
    const headers = ['User-Agent: Knative-Activator-Probe', 'K-Network-Probe: queue'];
    const { status, body } = await RawClient.ask(port, '/healthz', ...headers);
    expect([status, body]).toEqual([200, 'queue']);
  });

  it('the ingress its hash', async () => {
    const { port } = await startWithApp();
    const headers = [
      'User-Agent: Knative-Ingress-Probe',
      'K-Network-Probe: probe',
      'K-Network-Hash: 4f2a',
    ];
    const answer = await RawClient.ask(port, '/healthz', ...headers);
    expect([answer.status, answer.headers.get('k-network-hash')]).toEqual([200, '4f2a']);
  });

  it('QP-22: the sidecar itself nothing special: it is a request like others', async () => {
    const started = await startWithApp();
    started.app.answer = ({ response }) => response.end('app');
    const answer = await RawClient.ask(started.port, '/', 'User-Agent: Knative-Queue-Proxy-Probe');
    expect(answer.body).toBe('app');
  });
});

describe('preStop calls', () => {
  it('QP-118: each looks for itself, and without a signal the first to look ends it for all', async () => {
    const started = await startWithApp();
    const first = await preStop(started);
    while (await isReady(started)) await turn();
    started.clock.advance(600);
    const second = await preStop(started);
    // Its arrival shows in nothing; a round trip behind it on the same server does.
    await RawClient.ask(started.proxy.ports!.admin, '/other');
    started.clock.advance(400);
    expect((await first.answer()).status).toBe(200);
    expect((await second.answer()).status).toBe(200);
    expect(await isReady(started)).toBe(true);
    for (const client of [first, second]) client.socket.destroy();
  });

  it('QP-119: one that comes more than a second before the signal is released early', async () => {
    const started = await startWithApp({ drainQuietMs: 30_000 });
    const early = await preStop(started);
    while (await isReady(started)) await turn();
    started.clock.advance(1_000);
    expect((await early.answer()).status).toBe(200);
    void started.proxy.shutdown();
    const late = await preStop(started);
    await RawClient.ask(started.proxy.ports!.admin, '/other');
    started.clock.advance(29_000);
    await turn();
    expect(late.received).toBe('');
    started.clock.advance(1_000);
    expect((await late.answer()).status).toBe(200);
    for (const client of [early, late]) client.socket.destroy();
  });

  it('QP-119: one that comes after the drain returns at once', async () => {
    const started = await startWithApp({ drainQuietMs: 1_000, timeoutMs: 600_000 });
    // Keeps the servers open: the admin one closes last.
    const slow = await RawClient.connect(started.port);
    slow.request('GET', '/slow');
    await started.app.untilHeld(1);
    void started.proxy.shutdown();
    started.clock.advance(1_000);
    const late = await preStop(started);
    expect((await late.answer()).status).toBe(200);
    for (const client of [slow, late]) client.socket.destroy();
  });

  it('QP-121, Q-17: scrapes are answered until the last request is done', async () => {
    const started = await startWithApp({ drainQuietMs: 1_000, timeoutMs: 600_000 });
    const slow = await RawClient.connect(started.port);
    slow.request('GET', '/slow');
    await started.app.untilHeld(1);
    void started.proxy.shutdown();
    started.clock.advance(2_000);
    const scraped = await RawClient.ask(started.proxy.ports!.stats, '/metrics');
    const stat = decodeStat(Buffer.from(scraped.body, 'latin1'));
    expect(stat.averageConcurrentRequests).toBe(1);
    slow.socket.destroy();
  });
});

describe('QP-125: the measured timeline', () => {
  it('probes at once, the quiet timer from the last arrival, the slow request, the tunnel', async () => {
    const started = await startWithApp({ drainQuietMs: 30_000, timeoutMs: 600_000 });
    const { app, clock, port, proxy, logs } = started;
    const tunnel = await RawClient.connect(port);
    tunnel.request('GET', '/', 'Connection: Upgrade', 'Upgrade: websocket');
    await tunnel.until((text) => text.endsWith('\r\n\r\n'));
    const slow = await RawClient.connect(port);
    slow.request('GET', '/35-seconds');
    await app.untilHeld(1);
    const done = proxy.shutdown();
    expect(logs).toContain('Sleeping 30s to allow K8s propagation of non-ready state');
    const hook = await preStop(started);
    clock.advance(300);
    expect(await isReady(started)).toBe(false);
    clock.advance(8_400);
    app.answer = ({ response }) => response.end('late');
    // Restarts the quiet timer at its arrival, 8.7 s after the signal.
    expect((await RawClient.ask(port, '/late')).body).toBe('late');
    clock.advance(29_999);
    await turn();
    expect(hook.received).toBe('');
    clock.advance(1);
    expect((await hook.answer()).status).toBe(200);
    clock.advance(5_000);
    app.held[0]!.response.end('slow');
    const answer = await slow.answer();
    expect([answer.body, answer.headers.get('connection')]).toEqual(['slow', 'close']);
    await until(() => proxy.inFlight === 1, 'only the tunnel left');
    let isOver = false;
    void done.then(() => {
      isOver = true;
    });
    for (let second = 0; second < 59; second += 1) await clock.advanceAsync(1_000);
    expect([tunnel.closed, isOver]).toEqual([false, false]);
    while (!isOver) await clock.advanceAsync(1_000);
    await tunnel.untilClosed();
    expect(logs.slice(-2)).toEqual([
      'Hijack connection drain failed',
      'Shutdown complete, exiting...',
    ]);
    hook.socket.destroy();
  });

  it('QP-116: a request that merely runs does not hold the drain', async () => {
    const started = await startWithApp({ drainQuietMs: 30_000, timeoutMs: 600_000 });
    const slow = await RawClient.connect(started.port);
    slow.request('GET', '/slow');
    await started.app.untilHeld(1);
    void started.proxy.shutdown();
    const hook = await preStop(started);
    await RawClient.ask(started.proxy.ports!.admin, '/other');
    started.clock.advance(30_000);
    expect((await hook.answer()).status).toBe(200);
    expect(started.proxy.inFlight).toBe(1);
    for (const client of [slow, hook]) client.socket.destroy();
  });
});
