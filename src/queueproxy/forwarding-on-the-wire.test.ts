// What the application receives and what the client gets back, byte for byte, through a whole
// sidecar (QP-58 to QP-89): the application here is a socket that shows the bytes it was sent.

import { once } from 'node:events';
import * as http2 from 'node:http2';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { RawApp, type RawSocket } from '../proxy/testing/harness.ts';
import type { QueueProxySettings } from './settings.ts';
import { RawClient } from './testing/raw-client.ts';
import { atEnd, closeAll, startProxy, until } from './testing/started-proxy.ts';

afterEach(closeAll);

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function start(change: Partial<QueueProxySettings> = {}) {
  const app = new RawApp();
  atEnd(() => app.close());
  const started = await startProxy(await app.listen(), change);
  return { ...started, app };
}

type Started = Awaited<ReturnType<typeof start>>;

/** Sends the bytes; resolves with both ends once the application has a head. */
async function exchange(started: Started, text: string) {
  const client = await RawClient.connect(started.port);
  atEnd(() => client.socket.destroy());
  client.socket.write(text, 'latin1');
  const app = await started.app.connection(started.app.connections.length);
  await app.untilReceived('\r\n\r\n');
  return { client, app };
}

/** Header lines of a head, in order. */
function lines(received: string): string[] {
  return received.slice(0, received.indexOf('\r\n\r\n')).split('\r\n').slice(1);
}

function finish(app: RawSocket): void {
  app.write(OK);
}

it('QP-2, QP-3, QP-6: the one request port speaks HTTP/1.1 and HTTP/2 with prior knowledge', async () => {
  const { port } = await start();
  const probe = { 'user-agent': 'kube-probe/1.33', 'k-network-probe': 'queue' };
  const lines = Object.entries(probe).map(([name, value]) => `${name}: ${value}`);
  expect((await RawClient.ask(port, '/', ...lines)).body).toBe('queue');
  const session = http2.connect(`http://127.0.0.1:${port}`);
  atEnd(() => session.destroy());
  await once(session, 'remoteSettings');
  expect(session.remoteSettings).toMatchObject({
    maxConcurrentStreams: 250,
    initialWindowSize: 1_048_576,
    maxFrameSize: 1_048_576,
    maxHeaderListSize: 1_048_896,
    headerTableSize: 4096,
    enableConnectProtocol: false,
  });
  const stream = session.request({ ':path': '/', ...probe });
  const [head] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  expect(head[':status']).toBe(200);
  let body = '';
  for await (const chunk of stream) body += String(chunk);
  expect(body).toBe('queue');
});

describe('the request line', () => {
  const targets = [
    '/..',
    '//',
    '/a/../b',
    '/%2F%7E%41',
    '/a;b=1',
    '/[1]',
    '/?',
    '/x?a=%zz&b="<|>',
    '/a|b"<>^`{}\\',
    '/a%zzb',
    '/x#y',
    '/caf\xe9',
  ];
  it.each(targets)('QP-58: %s arrives as it was sent', async (target) => {
    const { client, app } = await exchange(
      await start(),
      `GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`,
    );
    expect(app.received.split('\r\n')[0]).toBe(`GET ${target} HTTP/1.1`);
    finish(app);
    expect((await client.answer()).status).toBe(200);
  });

  it('QP-58: an absolute target becomes a path, its authority the host', async () => {
    const { app } = await exchange(
      await start(),
      'GET http://real.example:81/p?q HTTP/1.1\r\nHost: other\r\n\r\n',
    );
    expect(app.received).toContain('GET /p?q HTTP/1.1\r\nHost: real.example:81\r\n');
    expect(app.received).not.toContain('other');
  });

  it('QP-60: a 1.0 request without a host names the application', async () => {
    const started = await start();
    const { client, app } = await exchange(started, 'GET / HTTP/1.0\r\n\r\n');
    const { port } = app.socket.address() as { port: number };
    expect(lines(app.received)[0]).toBe(`Host: 127.0.0.1:${port}`);
    finish(app);
    await client.untilClosed();
    expect(client.received).toMatch(/^HTTP\/1\.0 200 OK\r\n/);
  });
});

describe('the request head', () => {
  it('QP-69: nothing is added but the peer in X-Forwarded-For', async () => {
    const { app } = await exchange(await start(), 'GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    // With X-Forwarded-For only appended after the shim has looked (QP-90).
    expect(lines(app.received)).toEqual(['Host: h', 'X-Forwarded-For: 127.0.0.1']);
  });

  it('QP-68: what is not ours to touch passes, in order, duplicates and case kept', async () => {
    const sent = [
      'X-Forwarded-Proto: https',
      'Forwarded: for=a, for=b',
      'X-Forwarded-Host: outside.example',
      'K-Proxy-Request: activator',
      'Knative-Serving-Tag: t',
      'Knative-Serving-Default-Route: true',
      'K-Network-Hash: abc',
      'K-Passthrough-Lb: true',
      'K-Network-Probe: queue',
      'Cookie: a=1',
      'cookie: b=2',
      'X-B3-TraceId: 463ac35c9f6413ad',
      'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    ];
    const { app } = await exchange(
      await start(),
      `GET / HTTP/1.1\r\nHost: h\r\n${sent.join('\r\n')}\r\n\r\n`,
    );
    expect(lines(app.received)).toEqual(['Host: h', ...sent, 'X-Forwarded-For: 127.0.0.1']);
  });

  it('QP-5: may be a mebibyte long, and no longer', async () => {
    const started = await start();
    const field = (bytes: number): string => `X-Long: ${'x'.repeat(bytes)}\r\n`;
    const long = field(1024 * 1024 - 100);
    const { app } = await exchange(started, `GET / HTTP/1.1\r\nHost: h\r\n${long}\r\n`);
    expect(app.received).toContain(long);
    const client = await RawClient.connect(started.port);
    client.socket.write(`GET / HTTP/1.1\r\nHost: h\r\n${field(1024 * 1024)}\r\n`);
    await client.until((text) => text.endsWith('431 Request Header Fields Too Large'));
    expect(client.received).toContain('Connection: close\r\n');
    client.socket.destroy();
  });

  it('QP-66: an empty K-Original-Host is an ordinary header', async () => {
    const { app } = await exchange(
      await start(),
      'GET / HTTP/1.1\r\nHost: h\r\nK-Original-Host:\r\n\r\n',
    );
    expect(lines(app.received).slice(0, 2)).toEqual(['Host: h', 'K-Original-Host:']);
  });

  it('QP-91: only the first line of each header is looked at, blanks trimmed', async () => {
    const { app } = await exchange(
      await start(),
      'GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1 ,  ::1 \r\nX-Forwarded-For: 2.2.2.2\r\n' +
        'X-Forwarded-Proto: https\r\nX-Forwarded-By: me\r\n\r\n',
    );
    expect(lines(app.received)).toContain('Forwarded: for=1.1.1.1;proto=https, for="[::1]"');
    expect(lines(app.received).join()).toContain('2.2.2.2, 127.0.0.1');
  });

  it('QP-23, Q-6: K-Kubelet-Probe skips limit and statistics, keeps timeouts and headers', async () => {
    const started = await start({ containerConcurrency: 1, timeoutMs: 10_000 });
    const probe =
      'GET / HTTP/1.1\r\nHost: h\r\nK-Kubelet-Probe: x\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n';
    const first = await exchange(started, probe);
    const second = await exchange(started, probe);
    expect(lines(second.app.received)).toContain('Forwarded: for=1.1.1.1');
    started.clock.advance(10_200);
    expect((await first.client.answer()).status).toBe(504);
    expect((await second.client.answer()).status).toBe(504);
  });

  it('QP-3, RC-12: `Upgrade: h2c` as Java clients send it is served as HTTP/1.1', async () => {
    const { client, app } = await exchange(
      await start(),
      'GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n' +
        'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n\r\n',
    );
    expect(lines(app.received)).toEqual(['Host: h', 'X-Forwarded-For: 127.0.0.1']);
    finish(app);
    const answer = await client.answer();
    expect([answer.status, answer.body]).toEqual([200, 'ok']);
  });
});

describe('the request body', () => {
  it('QP-71: a known length stays one, GET with a body keeps it', async () => {
    const { app } = await exchange(
      await start(),
      'GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody',
    );
    await app.untilReceived('body');
    expect(lines(app.received)).toContain('Content-Length: 4');
    expect(app.received.endsWith('\r\n\r\nbody')).toBe(true);
  });

  it('QP-71: chunks pass one by one, not collected', async () => {
    const { client, app } = await exchange(
      await start(),
      'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    expect(lines(app.received)).toContain('Transfer-Encoding: chunked');
    for (const piece of ['one', 'two', 'three']) {
      client.socket.write(`${piece.length}\r\n${piece}\r\n`);
      await app.untilReceived(piece);
    }
    client.socket.write('0\r\n\r\n');
    await app.untilReceived('0\r\n\r\n');
  });

  it('QP-172: a request that waits for a slot is not asked for its body', async () => {
    const started = await start({ containerConcurrency: 1 });
    const first = await exchange(started, 'GET /first HTTP/1.1\r\nHost: h\r\n\r\n');
    const waiting = await RawClient.connect(started.port);
    atEnd(() => waiting.socket.destroy());
    waiting.request('POST', '/', 'Content-Length: 4', 'Expect: 100-continue');
    await until(() => started.proxy.inFlight === 2, 'a waiting request');
    started.clock.advance(2_000);
    expect(waiting.received).toBe('');
    finish(first.app);
    const app = await started.app.connection(0);
    await app.untilReceived('Expect: 100-continue');
    app.write('HTTP/1.1 100 Continue\r\n\r\n');
    await waiting.until((text) => text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
    waiting.received = '';
    waiting.socket.write('body');
    await app.untilReceived('body');
    finish(app);
    expect((await waiting.answer()).status).toBe(200);
  });

  it('QP-86, QP-85, Q-4: request and answer stream side by side, without being asked to', async () => {
    const { client, app } = await exchange(
      await start(),
      'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    app.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    await client.until((text) => text.includes('\r\n\r\n'));
    for (const piece of ['first', 'again', 'third', 'fours']) {
      client.socket.write(`5\r\n${piece}\r\n`);
      await app.untilReceived(piece);
      app.write(`5\r\n${piece}\r\n`);
      await client.until((text) => text.includes(piece));
    }
  });
});

describe('the answer', () => {
  it('QP-75, Q-10: no Content-Type is made up', async () => {
    const { client, app } = await exchange(await start(), 'GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    app.write('HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>');
    const answer = await client.answer();
    expect([...answer.headers.keys()].sort()).toEqual(['content-length', 'date']);
  });

  it('QP-84, QP-76: every piece goes out at once, length known or not', async () => {
    for (const framing of ['Content-Length: 15', 'Content-Type: text/event-stream']) {
      const { client, app } = await exchange(await start(), 'GET / HTTP/1.1\r\nHost: h\r\n\r\n');
      app.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`);
      await client.until((text) => text.includes('\r\n\r\n'));
      for (const piece of ['event', 'after', 'event']) {
        client.received = '';
        app.write(piece);
        await client.until((text) => text.includes(piece));
      }
      app.socket.end();
      client.socket.destroy();
    }
  });

  it('QP-77: trailers arrive, announced or not', async () => {
    const { client, app } = await exchange(
      await start(),
      'GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n',
    );
    expect(lines(app.received)).toContain('Te: trailers');
    app.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n');
    app.write('2\r\nok\r\n0\r\nA: 1\r\nB: 2\r\n\r\n');
    await client.until((text) => text.endsWith('0\r\nA: 1\r\nB: 2\r\n\r\n'));
    expect(client.received).toContain('Trailer: A\r\n');
  });

  it('QP-79: a truncated body never looks complete', async () => {
    for (const framing of ['Transfer-Encoding: chunked', 'Content-Length: 10']) {
      const { client, app } = await exchange(await start(), 'GET / HTTP/1.1\r\nHost: h\r\n\r\n');
      const body = framing.startsWith('T') ? '4\r\nhalf\r\n' : 'half';
      app.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${body}`);
      await client.until((text) => text.includes('half'));
      app.socket.resetAndDestroy();
      await client.untilClosed();
      expect(client.received).not.toContain('0\r\n\r\n');
    }
  });

  it.each([
    ['Transfer-Encoding: chunked', '4\r\nhalf\r\n'],
    ['Content-Length: 10', 'half'],
  ])(
    'QP-79: an application that ends inside its body aborts the client (%s)',
    async (framing, body) => {
      const started = await start();
      const { client, app } = await exchange(started, 'GET / HTTP/1.1\r\nHost: h\r\n\r\n');
      app.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${body}`);
      await client.until((text) => text.includes('half'));
      app.socket.end();
      await client.untilClosed();
      expect(client.received).not.toContain('0\r\n\r\n');
      await until(() => started.proxy.inFlight === 0);
    },
  );

  it.each([100, 102, 103])(
    'QP-81, Q-1: a %i and then 404 are relayed as they are',
    async (interim) => {
      const { client, app } = await exchange(await start(), 'GET / HTTP/1.1\r\nHost: h\r\n\r\n');
      app.write(`HTTP/1.1 ${interim} Interim\r\nLink: </a>\r\n\r\n`);
      await client.until(
        (text) => text.startsWith(`HTTP/1.1 ${interim} `) && text.endsWith('\r\n\r\n'),
      );
      client.received = '';
      app.write('HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone');
      const answer = await client.answer();
      expect([answer.status, answer.body]).toEqual([404, 'gone']);
    },
  );

  it('QP-87: a 413 arrives while the upload still runs, then the connection closes', async () => {
    const started = await start();
    const socket = connect({ port: started.port, host: '127.0.0.1' });
    let received = '';
    let hasClosed = false;
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      hasClosed = true;
    });
    const size = 10 * 1024 * 1024;
    socket.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(1024 * 1024));
    const app = await started.app.connection(0);
    await app.untilReceived('\r\n\r\n');
    app.write('HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig');
    await until(() => received.endsWith('big'), 'the early answer');
    for (let sent = 1; sent < 10 && !hasClosed; sent += 1) socket.write(Buffer.alloc(1024 * 1024));
    await until(() => {
      started.clock.advance(100);
      return hasClosed;
    }, 'the end of the connection');
    expect(received).toMatch(/^HTTP\/1\.1 413 Too Large\r\n/);
  });
});

describe('failures', () => {
  it('QP-83, QP-12: are logged with the text and the sockets of the machine', async () => {
    const started = await start();
    const { client, app } = await exchange(
      started,
      'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n',
    );
    app.socket.end();
    const answer = await client.answer();
    expect([answer.status, answer.body]).toEqual([502, 'EOF\n']);
    const index = started.logs.indexOf('error reverse proxying request');
    expect(started.logFields[index]).toMatchObject({ error: 'EOF' });
    expect(Object.keys(started.logFields[index]!)).toContain('sockstat');
  });

  it('QP-83, QP-80: a client that leaves is no error', async () => {
    const started = await start();
    const { client, app } = await exchange(started, 'GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    client.socket.resetAndDestroy();
    await app.untilClosed();
    expect(started.logs).not.toContain('error reverse proxying request');
  });
});
