// Requests whose protocol changes on the way: HTTP/1.1 in and HTTP/2 out, and the other way round
// (ING-16). Real sockets on loopback, node's own servers as applications.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { http1Only, http2Only } from './fixed-protocol-pools.ts';
import { type AppRequest, answerOf, Http2App, Http2Harness } from './testing/h2-harness.ts';
import { head, RawSocket, until } from './testing/harness.ts';
import { Outcome } from './types.ts';
import type { PoolKind } from './upstream-pools.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function proxyTo(port: number, kind: PoolKind): Promise<Http2Harness> {
  const harness = new Http2Harness();
  await harness.start(port);
  harness.handler.upstream = harness.pools.at('127.0.0.1', port, kind);
  cleanups.push(() => harness.stop());
  return harness;
}

async function connect(port: number): Promise<RawSocket> {
  const { connect: dial } = await import('node:net');
  const socket = dial(port, '127.0.0.1');
  await once(socket, 'connect');
  cleanups.push(() => {
    socket.destroy();
  });
  return new RawSocket(socket);
}

describe('HTTP/1.1 to an application of HTTP/2', () => {
  async function start(
    onRequest: (request: AppRequest) => void,
  ): Promise<[Http2Harness, Http2App]> {
    const app = new Http2App(onRequest);
    cleanups.push(() => app.close());
    return [await proxyTo(await app.listen(), http2Only(null)), app];
  }

  it('ING-16: heads are translated both ways, connection fields stay behind', async () => {
    const [harness, app] = await start(({ stream }) => {
      stream.respond({ ':status': 201, 'x-app': ['1', '2'], 'content-length': '2' });
      stream.end('ok');
    });
    const client = await connect(harness.port);
    client.write(
      head(
        'GET /a?b HTTP/1.1',
        'Host: h.example',
        'X-One: 1',
        'Keep-Alive: 5',
        'TE: trailers',
        'Cookie: a=1',
        'Cookie: b=2',
      ),
    );
    await client.untilReceived('ok');
    expect(client.received).toMatch(/^HTTP\/1\.1 201 Created\r\n/);
    expect(client.received).toContain('x-app: 1\r\nx-app: 2\r\ncontent-length: 2\r\n');
    expect(app.requests[0]?.headers).toMatchObject({
      ':method': 'GET',
      ':path': '/a?b',
      ':authority': 'h.example',
      ':scheme': 'http',
      'x-one': '1',
      te: 'trailers',
      cookie: 'a=1; b=2',
    });
    expect(app.requests[0]?.headers['keep-alive']).toBeUndefined();
  });

  it('ING-85: bodies stream, trailers pass in both directions', async () => {
    let trailers: object = {};
    const [harness] = await start(({ stream }) => {
      stream.on('trailers', (received) => {
        trailers = received;
      });
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }));
      stream.pipe(stream);
    });
    const client = await connect(harness.port);
    client.write(head('POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked'));
    await client.untilReceived('HTTP/1.1 200 OK');
    client.write('3\r\nabc\r\n');
    await client.untilReceived('3\r\nabc\r\n');
    client.write('2\r\nde\r\n0\r\nX-Up: 1\r\n\r\n');
    await client.untilReceived('2\r\nde\r\n0\r\nx-sum: 7\r\n\r\n');
    expect(trailers).toMatchObject({ 'x-up': '1' });
    expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
  });

  it('a declared length passes, HEAD and 204 have no body, interim heads are relayed', async () => {
    const [harness] = await start(({ stream, headers }) => {
      if (headers[':method'] === 'HEAD') {
        stream.respond({ ':status': 200, 'content-length': '9' }, { endStream: true });
      } else if (headers[':path'] === '/none') {
        stream.respond({ ':status': 204 }, { endStream: true });
      } else {
        stream.additionalHeaders({ ':status': 103, link: '</x>' });
        stream.respond({ ':status': 200, 'x-length': headers['content-length'] ?? '' });
        stream.pipe(stream);
      }
    });
    const client = await connect(harness.port);
    client.write(head('HEAD / HTTP/1.1', 'Host: h'));
    await client.untilReceived('content-length: 9');
    client.write(head('GET /none HTTP/1.1', 'Host: h'));
    await client.untilReceived('204 No Content');
    client.write(`${head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 4')}body`);
    await client.untilReceived('HTTP/1.1 103');
    await client.untilReceived('x-length: 4');
    await client.untilReceived('4\r\nbody\r\n0\r\n\r\n');
    expect(harness.handler.outcomes.length).toBe(3);
  });

  it('requests share one connection, and one that is cut does not look complete', async () => {
    const [harness, app] = await start(({ stream, headers }) => {
      stream.respond({ ':status': 200 });
      stream.write('part');
      if (headers[':path'] === '/cut') stream.once('resume', () => undefined).close(2);
      else stream.end();
    });
    const clients = await Promise.all([1, 2, 3].map(() => connect(harness.port)));
    for (const client of clients) client.write(head('GET /whole HTTP/1.1', 'Host: h'));
    for (const client of clients) await client.untilReceived('0\r\n\r\n');
    expect(app.sessions.length).toBe(1);
    const cut = await connect(harness.port);
    cut.write(head('GET /cut HTTP/1.1', 'Host: h'));
    await cut.untilClosed();
    expect(cut.received).not.toContain('0\r\n\r\n');
    expect(harness.handler.outcomes.at(-1)).toBe(Outcome.TRUNCATED);
  });

  it('an application that is not there is a failure of which nothing was sent', async () => {
    const [harness, app] = await start(() => undefined);
    app.close();
    const client = await connect(harness.port);
    client.write(head('GET / HTTP/1.1', 'Host: h'));
    await client.untilReceived('connection refused');
    expect(harness.handler.failures[0]).toMatchObject({ sent: false });
  });

  it('backpressure holds through the change of protocol', async () => {
    const total = 40 * 1024 * 1024;
    let sent = 0;
    const [harness] = await start(({ stream }) => {
      stream.respond({ ':status': 200 });
      const chunk = Buffer.alloc(64 * 1024);
      const push = (): void => {
        while (sent < total) {
          sent += chunk.length;
          if (!stream.write(chunk)) {
            stream.once('drain', push);
            return;
          }
        }
        stream.end();
      };
      push();
    });
    const client = await connect(harness.port);
    client.socket.pause();
    client.write(head('GET / HTTP/1.1', 'Host: h'));
    let last = -1;
    await until(() => {
      const isStill = sent > 0 && sent === last;
      last = sent;
      return isStill;
    }, 'the application to be stopped');
    expect(sent).toBeLessThan(total / 2);
    client.socket.removeAllListeners('data');
    let received = 0;
    client.socket.on('data', (bytes) => {
      received += bytes.length;
    });
    client.socket.resume();
    await until(() => received > total, 'the whole answer');
  });
});

describe('HTTP/2 to an application of HTTP/1.1', () => {
  type OnRequest = (request: IncomingMessage, response: ServerResponse) => void;
  let connections = 0;

  async function start(onRequest: OnRequest): Promise<[Http2Harness, Server]> {
    connections = 0;
    const app = createServer(onRequest);
    app.keepAliveTimeout = 0;
    app.on('connection', () => {
      connections += 1;
    });
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    cleanups.push(() => {
      app.closeAllConnections();
      app.close();
    });
    return [await proxyTo((app.address() as AddressInfo).port, http1Only(null)), app];
  }

  it('ING-16: heads are translated both ways, cookie crumbs are one line', async () => {
    let seen: IncomingMessage | null = null;
    const [harness] = await start((request, response) => {
      seen = request;
      response.writeHead(201, { 'X-App': ['1', '2'], Connection: 'x-gone', 'X-Gone': 'y' });
      response.end('ok');
    });
    const answer = await harness.ask({
      ':path': '/a?b',
      ':authority': 'h.example',
      cookie: ['a=1', 'b=2'],
      'x-one': ['1', '2'],
    });
    expect(answer).toMatchObject({ status: 201, body: 'ok', resetCode: 0 });
    expect(answer.headers['x-app']).toBe('1, 2');
    expect(answer.headers['x-gone']).toBeUndefined();
    expect(seen!.httpVersion).toBe('1.1');
    expect(seen!.url).toBe('/a?b');
    expect(seen!.headers).toMatchObject({ host: 'h.example', cookie: 'a=1; b=2', 'x-one': '1, 2' });
  });

  it('ING-85: bodies stream, trailers pass in both directions', async () => {
    const seen: Record<string, unknown> = {};
    const [harness] = await start((request, response) => {
      seen['encoding'] = request.headers['transfer-encoding'];
      response.writeHead(200, { Trailer: 'x-sum' });
      request.on('data', (chunk) => response.write(chunk));
      request.on('end', () => {
        seen['trailers'] = request.trailers;
        response.addTrailers({ 'x-sum': '7' });
        response.end();
      });
    });
    const stream = harness.client().request({ ':method': 'POST' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-up': '1' }));
    const answering = answerOf(stream);
    stream.write('abc');
    await once(stream, 'data');
    stream.end('de');
    const answer = await answering;
    expect(answer).toMatchObject({ status: 200, body: 'abcde', resetCode: 0 });
    expect(answer.trailers).toMatchObject({ 'x-sum': '7' });
    expect(seen).toMatchObject({ encoding: 'chunked', trailers: { 'x-up': '1' } });
  });

  it('a declared length passes, HEAD and 204 have no body, interim heads are relayed', async () => {
    const [harness] = await start((request, response) => {
      if (request.method === 'HEAD') response.writeHead(200, { 'Content-Length': '9' }).end();
      else if (request.url === '/none') response.writeHead(204).end();
      else {
        response.writeEarlyHints({ link: '</x>' });
        response.setHeader('x-length', request.headers['content-length'] ?? '');
        request.pipe(response);
      }
    });
    expect(await harness.ask({ ':method': 'HEAD' })).toMatchObject({ status: 200, body: '' });
    expect(await harness.ask({ ':path': '/none' })).toMatchObject({ status: 204, body: '' });
    const answer = await harness.ask({ ':method': 'POST', 'content-length': '4' }, 'body');
    expect(answer).toMatchObject({ status: 200, body: 'body', interim: [103] });
    expect(answer.headers['x-length']).toBe('4');
  });

  it('connections are kept and used again; a client that leaves closes its own', async () => {
    let closed = 0;
    const [harness] = await start((request, response) => {
      request.socket.once('close', () => {
        closed += 1;
      });
      if (request.url === '/hang') response.write('begun');
      else response.end('ok');
    });
    for (let index = 0; index < 3; index += 1) await harness.ask({ ':path': '/' });
    expect(connections).toBe(1);
    const stream = harness.client().request({ ':path': '/hang' });
    stream.on('error', () => undefined);
    await once(stream, 'data');
    stream.close(8);
    await until(() => closed > 0, 'the connection to close');
    expect(harness.handler.outcomes.at(-1)).toBe(Outcome.CLIENT_GONE);
  });

  it('an answer that is cut is reset, one that never comes is a failure', async () => {
    const [harness, app] = await start((request, response) => {
      if (request.url === '/cut') response.write('part', () => request.socket.destroy());
      else request.socket.destroy();
    });
    const cut = await harness.ask({ ':path': '/cut' });
    expect(cut.status).toBe(200);
    expect(cut.resetCode).not.toBe(0);
    expect(await harness.ask({ ':path': '/none' })).toMatchObject({ status: 502 });
    app.closeAllConnections();
    app.close();
    await once(app, 'close');
    expect(await harness.ask({ ':path': '/' })).toMatchObject({ status: 502 });
    expect(harness.handler.failures.at(-1)).toMatchObject({ sent: false });
  });

  it('a head that HTTP/1.1 parsers might read differently is not sent', async () => {
    let count = 0;
    const [harness] = await start((_request, response) => {
      count += 1;
      response.end();
    });
    const answer = await harness.ask({ ':method': 'CONNECT', ':authority': 'a:1' });
    expect(answer.status).toBe(502);
    expect(count).toBe(0);
  });
});
