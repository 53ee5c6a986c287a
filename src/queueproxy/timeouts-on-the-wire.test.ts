// Timeouts as clients and application see them (QP-46 to QP-57), on real sockets with time in the
// test's hand: before the first byte, after it, in tunnels, and the table of QP-57.

import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeStat } from '../wire/stat.ts';
import { RawClient } from './testing/raw-client.ts';
import { closeAll, startWithApp, until } from './testing/started-proxy.ts';

afterEach(closeAll);

/** Fires whatever was due by then: the deadline wheel is coarse. */
const LATE_MS = 200;

type Started = Awaited<ReturnType<typeof startWithApp>>;

async function send(started: Started, path = '/', ...headers: string[]): Promise<RawClient> {
  const client = await RawClient.connect(started.port);
  client.request('GET', path, ...headers);
  await started.app.untilHeld(1);
  return client;
}

async function openTunnel(started: Started): Promise<RawClient> {
  const client = await RawClient.connect(started.port);
  client.request('GET', '/', 'Connection: Upgrade', 'Upgrade: websocket');
  await client.until((text) => text.endsWith('\r\n\r\n'));
  client.received = '';
  return client;
}

async function echo(client: RawClient, text: string): Promise<void> {
  client.received = '';
  client.socket.write(text);
  await client.until((received) => received === text);
}

describe('QP-57: the table of the end-to-end tests', () => {
  const rows = [
    { T: 10, sleep: 2, status: 200 },
    { T: 10, sleep: 12, status: 504 },
    { T: 10, R: 7, sleep: 4, status: 200 },
    { T: 20, R: 7, sleep: 15, status: 504 },
    { T: 10, I: 5, sleep: 2, status: 200 },
    { T: 15, I: 7, sleep: 20, status: 504 },
  ];
  it.each(rows)('T=$T R=$R I=$I, first byte after $sleep s: $status', async (row) => {
    const started = await startWithApp({
      timeoutMs: row.T * 1000,
      responseStartTimeoutMs: (row.R ?? 0) * 1000,
      idleTimeoutMs: (row.I ?? 0) * 1000,
    });
    const client = await send(started);
    started.clock.advance(row.sleep * 1000);
    started.app.held[0]!.response.end('slept');
    expect((await client.answer()).status).toBe(row.status);
    client.socket.destroy();
  });

  const limits = [
    { name: 'T', change: { timeoutMs: 10_000 } },
    { name: 'R', change: { responseStartTimeoutMs: 10_000 } },
    { name: 'I', change: { idleTimeoutMs: 10_000 } },
  ];
  it.each(limits)(
    'websocket, $name=10: echoes after 2 s, cut in 20 s of silence',
    async (limit) => {
      const started = await startWithApp({ timeoutMs: 100_000, ...limit.change });
      const client = await openTunnel(started);
      started.clock.advance(2_000);
      await echo(client, 'after two seconds');
      // A silent application: one that was never heard of in the tunnel is late for R as well.
      const silent = await openTunnel(started);
      started.clock.advance(18_000);
      await silent.untilClosed();
      expect(silent.received).toBe('');
      client.socket.destroy();
    },
  );
});

describe('before the first byte', () => {
  it('QP-50, QP-49: an upload under way is 504 as well, and its rest is not waited for', async () => {
    const started = await startWithApp({ timeoutMs: 10_000 });
    const client = await RawClient.connect(started.port);
    client.request('POST', '/', 'Content-Length: 1000000');
    client.socket.write('x'.repeat(1000));
    await started.app.untilHeld(1);
    started.clock.advance(10_000 + LATE_MS);
    const answer = await client.answer();
    expect([answer.status, answer.body]).toEqual([504, 'request timeout']);
    client.socket.destroy();
  });

  it('QP-48: progress of the request body is no write', async () => {
    const started = await startWithApp({ timeoutMs: 60_000, idleTimeoutMs: 5_000 });
    const client = await RawClient.connect(started.port);
    client.request('POST', '/', 'Content-Length: 1000');
    await started.app.untilHeld(1);
    let got = 0;
    started.app.held[0]!.request.on('data', (bytes: Buffer) => {
      got += bytes.length;
    });
    for (let second = 1; second <= 4; second += 1) {
      client.socket.write('x'.repeat(100));
      await until(() => got === second * 100);
      started.clock.advance(1_000);
    }
    started.clock.advance(1_000 + LATE_MS);
    expect((await client.answer()).status).toBe(504);
    client.socket.destroy();
  });

  it('QP-55: an application that breaks off before the timeout is no 504', async () => {
    const started = await startWithApp({ timeoutMs: 10_000 });
    const client = await send(started);
    started.app.held[0]!.response.write('begun');
    await client.until((text) => text.includes('begun'));
    started.app.held[0]!.response.destroy();
    await client.untilClosed();
    started.clock.advance(20_000);
    expect(client.received).toContain(' 200 ');
    expect(client.received).not.toContain('504');
    expect(started.logs.filter((line) => line.includes('timeout'))).toEqual([]);
  });
});

describe('after the first byte', () => {
  it('QP-50, Q-2: an answer of known length closes short, without a foreign byte', async () => {
    const started = await startWithApp({ timeoutMs: 10_000 });
    const client = await send(started);
    const { response } = started.app.held[0]!;
    response.setHeader('Content-Length', 100);
    response.write('partial response');
    await client.until((text) => text.endsWith('partial response'));
    started.clock.advance(10_000 + LATE_MS);
    await client.untilClosed();
    expect(client.received.endsWith('partial response')).toBe(true);
  });

  it('QP-50, Q-2: I cuts an answer that stopped, and only then', async () => {
    const started = await startWithApp({ timeoutMs: 60_000, idleTimeoutMs: 5_000 });
    const client = await send(started);
    const { response } = started.app.held[0]!;
    for (const piece of ['one', 'two', 'three']) {
      response.write(piece);
      await client.until((text) => text.includes(piece));
      started.clock.advance(4_000);
    }
    expect(client.closed).toBe(false);
    started.clock.advance(1_000 + LATE_MS);
    await client.untilClosed();
    expect(client.received).not.toContain('0\r\n\r\n');
    expect(started.logs).toContain('Idle timeout: 5s');
  });

  it('QP-51: a head alone is on its way at once, so no 504 can follow it', async () => {
    const started = await startWithApp({ timeoutMs: 10_000 });
    const client = await send(started);
    started.app.held[0]!.response.setHeader('Content-Length', 5).flushHeaders();
    await client.until((text) => text.endsWith('\r\n\r\n'));
    started.clock.advance(10_000 + LATE_MS);
    await client.untilClosed();
    expect(client.received).not.toContain('504');
  });

  it('QP-56: an answer that begins before R and ends after it is whole', async () => {
    const started = await startWithApp({ timeoutMs: 10_000, responseStartTimeoutMs: 50 });
    const client = await send(started);
    const { response } = started.app.held[0]!;
    response.setHeader('Content-Length', 8);
    response.write('half');
    await client.until((text) => text.endsWith('half'));
    started.clock.advance(60 + LATE_MS);
    response.end('full');
    await client.until((text) => text.endsWith('halffull'));
    await until(() => started.proxy.inFlight === 0);
    expect(client.closed).toBe(false);
    client.socket.destroy();
  });
});

describe('tunnels', () => {
  it('QP-53, Q-3: what the application sends counts for R and I, the 101 does not', async () => {
    const started = await startWithApp({
      timeoutMs: 300_000,
      responseStartTimeoutMs: 3_000,
      idleTimeoutMs: 5_000,
    });
    const busy = await openTunnel(started);
    const silent = await openTunnel(started);
    await echo(busy, 'hello');
    started.clock.advance(3_000 + LATE_MS);
    await silent.untilClosed();
    for (let round = 0; round < 5; round += 1) {
      await echo(busy, `round ${round}`);
      started.clock.advance(4_000);
    }
    expect(busy.closed).toBe(false);
    started.clock.advance(2_000);
    await busy.untilClosed();
    expect(started.logs).toEqual(
      expect.arrayContaining(['Response start timeout: 3s', 'Idle timeout: 5s']),
    );
  });

  it('QP-53, QP-89: T ends a busy tunnel without a close frame and frees its slot', async () => {
    const started = await startWithApp({ timeoutMs: 10_000, containerConcurrency: 1 });
    const { proxy, app, clock, port } = started;
    const tunnel = await openTunnel(started);
    app.answer = ({ response }: { response: { end(text: string): unknown } }) => {
      response.end('next');
    };
    const waiting = await RawClient.connect(port);
    waiting.request('GET', '/');
    await until(() => proxy.inFlight === 2);
    for (let second = 0; second < 9; second += 1) {
      await echo(tunnel, `second ${second}`);
      clock.advance(1_000);
    }
    tunnel.received = '';
    // The one that waits arrived as late as the tunnel: it must not be out of time with it.
    clock.advance(500);
    const fresh = await RawClient.connect(port);
    fresh.request('GET', '/');
    await until(() => proxy.inFlight === 3);
    clock.advance(500 + LATE_MS);
    await tunnel.untilClosed();
    expect(tunnel.received).toBe('');
    expect((await fresh.answer()).body).toBe('next');
    for (const client of [waiting, fresh]) client.socket.destroy();
  });

  it('QP-37, QP-52: with the 504 the application is let go and counted out', async () => {
    const started = await startWithApp({ timeoutMs: 10_000 });
    const client = await send(started);
    const request: IncomingMessage = started.app.held[0]!.request;
    started.clock.advance(10_000 + LATE_MS);
    await client.answer();
    await until(() => request.destroyed && started.app.inside === 0);
    await until(() => started.proxy.inFlight === 0);
    started.clock.advance(2_000);
    const scraped = await RawClient.ask(started.proxy.ports!.stats, '/metrics');
    expect(decodeStat(Buffer.from(scraped.body, 'latin1')).averageConcurrentRequests).toBe(0);
    client.socket.destroy();
  });
});
