// The stat socket against a real websocket server on loopback; pauses run on a fake clock.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { StatClient } from './stat-client.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function listen(port = 0): Promise<{ server: WebSocketServer; url: string }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port });
  await once(server, 'listening');
  cleanups.push(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function create(url: () => string | null) {
  const clock = new FakeClock();
  const client = new StatClient({ url, clock, random: () => 0, logger: silentLogger });
  cleanups.push(() => client.stop());
  const connected = () =>
    new Promise<void>((resolve) => {
      client.onConnect = resolve;
    });
  return { clock, client, connected };
}

describe('stat client', () => {
  it('ACT-137, ACT-142: plain handshake, one binary message per batch', async () => {
    const { server, url } = await listen();
    const { client, connected } = create(() => url);
    const opened = connected();
    const arrived = once(server, 'connection');
    client.start();
    const [socket, request] = await arrived;
    expect(request.url).toBe('/');
    expect(request.headers.origin).toBeUndefined();
    expect(request.headers['sec-websocket-extensions']).toBeUndefined();
    expect(request.headers['sec-websocket-protocol']).toBeUndefined();
    await opened;
    const received = once(socket as WebSocket, 'message');
    expect(client.send(new Uint8Array([1, 2, 3]))).toBe(true);
    const [data, isBinary] = await received;
    expect([[...(data as Buffer)], isBinary]).toEqual([[1, 2, 3], true]);
  });

  it('ACT-148: sending without a connection fails at once', () => {
    const { client } = create(() => null);
    client.start();
    expect([client.send(new Uint8Array([1])), client.isConnected]).toEqual([false, false]);
  });

  it('ACT-146: a lost connection is dialled again at once', async () => {
    const { server, url } = await listen();
    const { clock, client, connected } = create(() => url);
    let opened = connected();
    const arrived = once(server, 'connection');
    client.start();
    const [socket] = await arrived;
    await opened;
    opened = connected();
    (socket as WebSocket).terminate();
    while (client.isConnected) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(25);
    await opened;
    expect(client.isConnected).toBe(true);
  });

  it('the address is asked for at each dial', async () => {
    const { url } = await listen();
    let known: string | null = null;
    const { clock, client, connected } = create(() => known);
    const opened = connected();
    client.start();
    clock.advance(100);
    known = url;
    clock.advance(129);
    expect(client.isConnected).toBe(false);
    clock.advance(1);
    await opened;
    expect(client.isConnected).toBe(true);
  });

  it('ACT-144: pauses grow from 100 ms, and stay below a second with their jitter', () => {
    let dials = 0;
    const { clock, client } = create(() => {
      dials += 1;
      return null;
    });
    client.start();
    const pauses: number[] = [];
    let since = 0;
    for (let ms = 1; pauses.length < 12; ms++) {
      const before = dials;
      clock.advance(1);
      if (dials > before) {
        pauses.push(ms - since);
        since = ms;
      }
    }
    expect(pauses.slice(0, 4)).toEqual([100, 130, 169, 220]);
    expect(pauses.slice(-2)).toEqual([650, 650]);
  });

  it('a first request cuts a pause short, but never dials in a tight loop', () => {
    let dials = 0;
    const { clock, client } = create(() => {
      dials += 1;
      return null;
    });
    client.start();
    clock.advance(5_000);
    const before = dials;
    for (let ms = 0; ms < 100; ms++) {
      client.hurry();
      clock.advance(1);
    }
    expect(dials - before).toBeGreaterThanOrEqual(3);
    expect(dials - before).toBeLessThanOrEqual(5);
  });

  it('ACT-145: ten seconds without a pong end the connection, pongs keep it', async () => {
    const { server, url } = await listen();
    const { clock, client, connected } = create(() => url);
    const opened = connected();
    const arrived = once(server, 'connection');
    client.start();
    const [socket] = (await arrived) as [WebSocket];
    await opened;
    // Answered pings: the deadline moves.
    for (let round = 0; round < 5; round++) {
      const ping = once(socket, 'ping');
      clock.advance(3_334);
      await ping;
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(client.isConnected).toBe(true);
    socket.pause();
    const gone = once(socket, 'close');
    clock.advance(10_001);
    socket.resume();
    await gone;
    while (client.isConnected) await new Promise((resolve) => setImmediate(resolve));
  });

  it('ACT-149: stopping ends without a close frame', async () => {
    const { server, url } = await listen();
    const { client, connected } = create(() => url);
    const opened = connected();
    const arrived = once(server, 'connection');
    client.start();
    const [socket] = (await arrived) as [WebSocket];
    await opened;
    const closed = once(socket, 'close');
    client.stop();
    expect((await closed)[0]).toBe(1006);
  });
});
