// A stock websocket client through a real sidecar process to a stock websocket server: the sidecar
// is a byte tunnel after the 101 (QP-88), so extensions, subprotocols, control frames and close
// codes are between the two ends.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type Sidecar, startSidecar } from '../../../bench/torture/sidecar.ts';

const MEBIBYTE = 1024 * 1024;

let http: Server;
let server: WebSocketServer;
let sidecar: Sidecar;
/** The server's end of the newest connection. */
let accepted: WebSocket;
let request: IncomingMessage;

beforeAll(async () => {
  http = createServer((_request, response) => response.end('no websocket'));
  server = new WebSocketServer({ noServer: true, perMessageDeflate: { threshold: 0 } });
  http.on('upgrade', (upgrade, socket, head) => {
    if (upgrade.url === '/forbidden') {
      socket.end('HTTP/1.1 403 Forbidden\r\nX-Why: policy\r\nContent-Length: 2\r\n\r\nno');
      return;
    }
    server.handleUpgrade(upgrade, socket, head, (end) => {
      accepted = end;
      request = upgrade;
      end.on('message', (data, isBinary) => end.send(data, { binary: isBinary }));
      server.emit('connection', end, upgrade);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  sidecar = await startSidecar(
    { appPort: (http.address() as AddressInfo).port, containerConcurrency: 5 },
    { engine: 'net', threads: 1 },
  );
});

afterAll(async () => {
  for (const client of server?.clients ?? []) client.terminate();
  http?.close();
  http?.closeAllConnections();
  await sidecar?.stop();
});

let client: WebSocket;

async function open(path: string, protocols: string[] = []): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${sidecar.port}${path}`, protocols, {
    perMessageDeflate: { threshold: 0 },
  });
  await once(socket, 'open');
  return socket;
}

describe('a websocket through a sidecar', () => {
  beforeEach(async () => {
    client = await open('/chat?room=1', ['chat', 'superchat']);
    return () => client.terminate();
  });

  it('QP-88: agrees on compression and subprotocol with the application itself', () => {
    expect(client.extensions).toContain('permessage-deflate');
    expect(client.protocol).toBe('chat');
    expect(request.url).toBe('/chat?room=1');
    expect(request.headers['sec-websocket-extensions']).toContain('permessage-deflate');
    expect(request.headers['x-forwarded-for']).toBe('127.0.0.1');
  });

  it.each([
    ['text', 'grüße', false],
    ['eight megabytes', Buffer.alloc(8 * MEBIBYTE, 'pilotlight'), true],
    ['nothing', '', false],
  ])('echoes %s', async (_name, message, isBinary) => {
    client.send(message);
    const [data, wasBinary] = (await once(client, 'message')) as [Buffer, boolean];
    expect(data.equals(Buffer.from(message))).toBe(true);
    expect(wasBinary).toBe(isBinary);
  });

  it('passes pings of either side and their payload', async () => {
    client.ping('from the client');
    expect(String((await once(client, 'pong'))[0])).toBe('from the client');
    accepted.ping('from the server');
    expect(String((await once(accepted, 'pong'))[0])).toBe('from the server');
  });

  it('passes the close code and reason of either side', async () => {
    const seenByServer = once(accepted, 'close');
    client.close(4321, 'client has had enough');
    expect(await once(client, 'close')).toEqual([4321, Buffer.from('client has had enough')]);
    expect(await seenByServer).toEqual([4321, Buffer.from('client has had enough')]);
    client = await open('/');
    accepted.close(4002, 'server has had enough');
    expect(await once(client, 'close')).toEqual([4002, Buffer.from('server has had enough')]);
  });

  it('a client that vanishes is gone for the application', async () => {
    const closed = once(accepted, 'close');
    client.terminate();
    expect((await closed)[0]).toBe(1006);
  });
});

it('QP-88: a refused upgrade is an ordinary answer with its headers', async () => {
  const refused = new WebSocket(`ws://127.0.0.1:${sidecar.port}/forbidden`);
  refused.on('error', () => undefined);
  const [, response] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage];
  expect([response.statusCode, response.headers['x-why']]).toEqual([403, 'policy']);
  response.resume();
  refused.terminate();
});

it('QP-30: a websocket holds its slot, so the limit counts it', async () => {
  const sockets = await Promise.all(Array.from({ length: 5 }, () => open('/')));
  const waiting = new WebSocket(`ws://127.0.0.1:${sidecar.port}/`);
  waiting.on('error', () => undefined);
  let isOpen = false;
  waiting.on('open', () => {
    isOpen = true;
  });
  const first = sockets[0]!;
  first.send('still served');
  await once(first, 'message');
  expect(isOpen).toBe(false);
  first.close();
  await once(waiting, 'open');
  for (const socket of [...sockets, waiting]) socket.terminate();
});
