// Websockets the whole way: gateway, activator, sidecar, program. The service is brought up from
// its file, falls to zero, and is woken by the opening handshake of a stock client.

import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { KnativeService } from '../../src/api/kinds.ts';
import {
  type AnyObject,
  condition,
  type Pilotlight,
  ROOT,
  startPilotlight,
  until,
  wakesIn,
} from '../support/pilotlight.ts';

const HOST = 'echo-ws.default.localhost';
const FILE = join(ROOT, 'examples', 'echo-ws', 'service.yaml');
let pilotlight: Pilotlight;

async function open(protocols: string[] = []): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${pilotlight.gatewayPort}/`, protocols, {
    headers: { host: HOST },
  });
  await once(socket, 'open');
  return socket;
}

async function echoOf(socket: WebSocket, message: string | Buffer): Promise<Buffer> {
  const received = once(socket, 'message');
  socket.send(message);
  const [data] = (await received) as [Buffer];
  return data;
}

async function close(socket: WebSocket, code: number, reason: string): Promise<unknown[]> {
  const closed = once(socket, 'close');
  socket.close(code, reason);
  const [seenCode, seenReason] = await closed;
  return [seenCode, String(seenReason)];
}

beforeAll(async () => {
  pilotlight = await startPilotlight({ args: ['-f', FILE] });
  await until(
    'echo-ws to be Ready',
    async () => {
      const key = { namespace: 'default', name: 'echo-ws' };
      const service = await pilotlight.client
        .get<AnyObject>(KnativeService, key)
        .catch(() => undefined);
      return service && condition(service, 'Ready').status === 'True' ? service : undefined;
    },
    60_000,
    () => pilotlight.tail(),
  );
});
afterAll(async () => {
  await pilotlight?.[Symbol.asyncDispose]();
});

describe('examples/echo-ws', () => {
  it('QP-88: is woken from zero by a handshake, echoes, and stays up while it is open', async () => {
    await until(
      'no pods',
      async () => (await pilotlight.pods('echo-ws')).length === 0,
      60_000,
      () => pilotlight.tail(),
    );
    const before = pilotlight.lines.length;
    const socket = await open(['other', 'echo']);
    expect(socket.protocol).toBe('echo');
    await until('the wake line', () => wakesIn(pilotlight.lines.slice(before))[0]);
    expect((await echoOf(socket, 'hello')).toString()).toBe('hello');
    // QP-36: an open connection counts, so the pod outlives the window in which nobody asked.
    const quietUntilMs = performance.now() + 10_000;
    await until('the quiet to pass', () => performance.now() > quietUntilMs, 20_000);
    expect((await echoOf(socket, 'still here')).toString()).toBe('still here');
    expect(await pilotlight.pods('echo-ws')).toHaveLength(1);
    expect(await close(socket, 4001, 'enough')).toEqual([4001, 'enough']);
  });

  it('QP-88: passes pings, binary messages of megabytes and fragments', async () => {
    const socket = await open();
    const pong = once(socket, 'pong');
    socket.ping('are you there');
    expect(String((await pong)[0])).toBe('are you there');
    const large = Buffer.alloc(4 * 1024 * 1024, 'pilotlight');
    expect((await echoOf(socket, large)).equals(large)).toBe(true);
    const whole = once(socket, 'message');
    socket.send('in ', { fin: false });
    socket.send('pieces', { fin: true });
    expect(String((await whole)[0])).toBe('in pieces');
    await close(socket, 1000, '');
  });

  it('RC-74: a deleted service says goodbye to its clients with 1001', async () => {
    const socket = await open();
    expect((await echoOf(socket, 'hello')).toString()).toBe('hello');
    const closed = once(socket, 'close');
    await pilotlight.client.delete(KnativeService, { namespace: 'default', name: 'echo-ws' });
    const [code, reason] = await closed;
    expect([code, String(reason)]).toEqual([1001, 'shutting down']);
  });
});
