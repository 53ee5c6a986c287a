// Bodies of requests that wait for an application, over all connections of a server: above the
// limit a request is answered 503, and what was taken is given back when it goes on or leaves.

import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { HeldBytes } from './held-bytes.ts';
import { createRequestPort } from './request-port.ts';
import { answerOf } from './testing/h2-harness.ts';
import { head, LIMITS, until } from './testing/harness.ts';
import type { Exchange, ExchangeHandler, HttpServer } from './types.ts';

const KIB = 1024;
let held: HeldBytes;
let server: HttpServer;
let port: number;
const exchanges: Exchange[] = [];
const sockets: Socket[] = [];

/** Holds every request. */
const holding: ExchangeHandler = {
  onRequest: (exchange) => void exchanges.push(exchange),
  onResponseHead: () => undefined,
  onResponseBytes: () => undefined,
  onUpstreamFailure: () => undefined,
  onEnd: () => undefined,
};

beforeEach(async () => {
  held = new HeldBytes(100 * KIB);
  const limits = { ...LIMITS, readAheadBytes: 8 * KIB, readBytes: 16 * KIB, held };
  server = createRequestPort('net', holding, { limits, clock: systemClock, logger: silentLogger });
  ({ port } = await server.listen({ host: '127.0.0.1', port: 0 }));
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  exchanges.length = 0;
  await server.close();
});

async function upload(bodyBytes: number): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(head('POST / HTTP/1.1', 'Host: a', `Content-Length: ${bodyBytes}`));
  socket.write(Buffer.alloc(bodyBytes, 'x'));
  return { socket, received: () => text };
}

describe('held bodies', () => {
  it('ACT-223: a held request costs one read of its body, however long that is', async () => {
    for (let count = 0; count < 4; count += 1) await upload(KIB * KIB);
    await until(() => exchanges.length === 4 && held.bytes > 0, 'four held requests');
    // Each gets at most what was read with its head and one read more.
    expect(held.bytes).toBeLessThanOrEqual(4 * 32 * KIB);
  });

  it('answers 503 to a request whose body is too much, and gives its part back', async () => {
    const clients: Awaited<ReturnType<typeof upload>>[] = [];
    for (let count = 0; count < 20; count += 1) clients.push(await upload(64 * KIB));
    const refused = () => clients.filter(({ received }) => received() !== '');
    await until(() => refused().length > 0, 'a refusal');
    expect(refused()[0]?.received()).toMatch(
      /^HTTP\/1\.1 503 [\s\S]*too many request bodies are held\n$/,
    );
    expect(refused().length).toBeLessThan(20);
    expect(held.bytes).toBeLessThanOrEqual(held.limit + 16 * KIB);
    for (const { socket } of clients) socket.destroy();
    await until(() => held.bytes === 0, 'everything given back');
  });

  it('does not refuse a request without a body, nor one whose body is complete', async () => {
    held.add(200 * KIB);
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.write(head('GET / HTTP/1.1', 'Host: a'));
    await until(() => exchanges.length === 1, 'the request');
    exchanges[0]?.respond(200, '', 'yes');
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    expect(bytes.toString()).toMatch(/^HTTP\/1\.1 200/);
  });

  it('counts bodies on HTTP/2 as well', async () => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on('error', () => undefined);
    const stream = session.request({ ':method': 'POST', ':path': '/' });
    const answer = answerOf(stream);
    stream.end(Buffer.alloc(200 * KIB));
    expect(await answer).toMatchObject({ status: 503, body: 'too many request bodies are held\n' });
    await until(() => held.bytes === 0, 'everything given back');
    session.destroy();
  });
});
