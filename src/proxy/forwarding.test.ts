// Requests through the proxy to scripted applications, on real sockets: headers, framing, streaming
// in both directions. What breaks is in forwarding-failures.test.ts.

import { afterEach, describe, expect, it } from 'vitest';
import { createHeaderEdits } from './header-edits.ts';
import { answering, head, ProxyHarness, RawApp, type RawSocket, until } from './testing/harness.ts';
import { Outcome } from './types.ts';

const GET = head('GET / HTTP/1.1', 'Host: h');
const OK = `${head('HTTP/1.1 200 OK', 'Content-Length: 2', 'Date: now')}ok`;

let harness: ProxyHarness;
let app: RawApp;

async function startWith(
  onConnection?: (connection: RawSocket, index: number) => void,
): Promise<void> {
  app = new RawApp(onConnection);
  harness = new ProxyHarness();
  await harness.start(await app.listen());
}

afterEach(async () => {
  await harness.stop();
  app.close();
});

async function forwardedHead(request: string): Promise<string> {
  const client = await harness.send(request);
  await client.untilReceived('ok');
  return (await app.connection()).received;
}

describe('request headers', () => {
  it('QP-68: pass untouched, in order, with case and duplicates', async () => {
    await startWith(answering(OK));
    const lines = [
      'hOsT: h',
      'Cookie: a=1',
      'X-B3-TraceId: 1',
      'cookie: b=2',
      'X-Latin: caf\xe9',
      'X-Empty:',
    ];
    expect(await forwardedHead(head('GET /p?q HTTP/1.1', ...lines))).toBe(
      head('GET /p?q HTTP/1.1', ...lines),
    );
  });

  it('QP-65: hop-by-hop ones and those Connection names are dropped, TE: trailers is kept', async () => {
    await startWith(answering(OK));
    const received = await forwardedHead(
      head(
        'GET / HTTP/1.1',
        'Host: h',
        'Connection: keep-alive, X-Private, content-length, host',
        'x-private: 1',
        'Keep-Alive: timeout=5',
        'Proxy-Authorization: secret',
        'Proxy-Connection: keep-alive',
        'A: kept',
        'TE: gzip, trailers',
        'Trailer: X',
      ),
    );
    expect(received).toBe(head('GET / HTTP/1.1', 'Host: h', 'A: kept', 'Te: trailers'));
  });

  it('QP-67: X-Forwarded-For lines are folded and the peer appended', async () => {
    await startWith(answering(OK));
    harness.handler.edits = createHeaderEdits({ forwardedFor: true });
    const received = await forwardedHead(
      head('GET / HTTP/1.1', 'X-Forwarded-For: 1.1.1.1', 'Host: h', 'x-forwarded-for: 2.2.2.2'),
    );
    expect(received).toBe(
      head('GET / HTTP/1.1', 'Host: h', 'X-Forwarded-For: 1.1.1.1, 2.2.2.2, 127.0.0.1'),
    );
  });

  it('edits drop, set and override Host', async () => {
    await startWith(answering(OK));
    harness.handler.edits = createHeaderEdits({
      drop: ['Knative-Serving-Revision'],
      set: { 'X-Route': 'r1' },
      host: 'inner',
    });
    const received = await forwardedHead(
      head('GET / HTTP/1.1', 'Host: h', 'KNATIVE-serving-revision: x', 'X-Route: forged', 'A: b'),
    );
    expect(received).toBe(head('GET / HTTP/1.1', 'Host: inner', 'A: b', 'X-Route: r1'));
  });

  it('Upgrade: h2c is ignored', async () => {
    await startWith(answering(OK));
    const received = await forwardedHead(
      head(
        'GET / HTTP/1.1',
        'Host: h',
        'Connection: Upgrade, HTTP2-Settings',
        'Upgrade: h2c',
        'HTTP2-Settings: x',
      ),
    );
    expect(received).toBe(GET);
  });
});

describe('bodies of requests', () => {
  it('QP-72: trailers reach the application, framing is written anew', async () => {
    await startWith((connection) => {
      connection.socket.on('data', () => {
        if (connection.received.includes('\r\n0\r\n')) connection.write(OK);
      });
    });
    const client = await harness.send(
      head('POST / HTTP/1.1', 'Host: h', 'Trailer: X-Sum', 'Transfer-Encoding: chunked'),
    );
    client.write('003;x="y"\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\nHost: evil\r\n\r\n');
    await client.untilReceived('ok');
    const { received } = await app.connection();
    expect(received).toBe(
      `${head('POST / HTTP/1.1', 'Host: h', 'Trailer: X-Sum', 'Transfer-Encoding: chunked')}5\r\nabcde\r\n0\r\nX-Sum: 5\r\n\r\n`,
    );
    expect(harness.handler.exchanges[0]!.requestBytes).toBe(5);
  });

  it('QP-78: an upload waits for an application that does not read', async () => {
    await startWith((connection) => connection.socket.pause());
    const size = 200 * 1024 * 1024;
    const client = await harness.send(
      head('POST / HTTP/1.1', 'Host: h', `Content-Length: ${size}`),
    );
    client.socket.write(Buffer.alloc(size));
    await until(() => harness.handler.exchanges.length === 1);
    let before = -1;
    await until(() => {
      const now = harness.handler.exchanges[0]!.requestBytes;
      const isStable = now === before && now > 0;
      before = now;
      return isStable;
    });
    expect(before).toBeLessThan(40 * 1024 * 1024);
    const { socket } = await app.connection();
    let seen = 0;
    socket.removeAllListeners('data');
    socket.on('data', (bytes) => {
      seen += bytes.length;
    });
    socket.resume();
    await until(() => seen >= size);
    socket.write(OK);
    await client.untilReceived('ok');
  });

  it('QP-73: Expect is passed on and a 100 relayed', async () => {
    await startWith((connection) => {
      connection.socket.once('data', () => connection.write('HTTP/1.1 100 Continue\r\n\r\n'));
      connection.socket.on('data', () => {
        if (connection.received.endsWith('abc')) connection.write(OK);
      });
    });
    const client = await harness.send(
      head('POST / HTTP/1.1', 'Host: h', 'Expect: 100-continue', 'Content-Length: 3'),
    );
    await client.untilReceived('HTTP/1.1 100 Continue\r\n\r\n');
    client.write('abc');
    await client.untilReceived('ok');
    expect(harness.handler.events).toEqual(['request POST /', 'interim 100', 'head 200', 'end 0']);
  });

  it('QP-73: asks for the body itself when the application never does', async () => {
    await startWith((connection) => {
      connection.socket.on('data', () => {
        if (connection.received.endsWith('abc')) connection.write(OK);
      });
    });
    const client = await harness.send(
      head('POST / HTTP/1.1', 'Host: h', 'Expect: 100-continue', 'Content-Length: 3'),
    );
    await client.untilReceived('HTTP/1.1 100 Continue\r\n\r\n');
    client.write('abc');
    await client.untilReceived('ok');
  });

  it('QP-73: a final answer to an unsent body closes the connection', async () => {
    await startWith(answering(head('HTTP/1.1 417 No', 'Content-Length: 0')));
    const client = await harness.send(
      head('POST / HTTP/1.1', 'Host: h', 'Expect: 100-continue', 'Content-Length: 3'),
    );
    await client.untilClosed();
    expect(client.received).toMatch(/^HTTP\/1\.1 417 No\r\n/);
    expect(client.received).toContain('Connection: close');
  });

  it('QP-87: an early answer arrives while the upload still runs', async () => {
    await startWith((connection) => {
      connection.socket.once('data', () =>
        connection.write(head('HTTP/1.1 413 Large', 'Content-Length: 0')),
      );
    });
    const client = await harness.send(
      head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 10000000'),
    );
    client.socket.write(Buffer.alloc(10_000_000));
    await client.untilReceived('HTTP/1.1 413 Large');
    await client.untilClosed();
    expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
  });

  it('an early answer to a short upload keeps the connection', async () => {
    await startWith(answering(OK));
    const client = await harness.send(head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 10'));
    await client.untilReceived('ok');
    client.received = '';
    client.write(`0123456789${GET}`);
    await client.untilReceived('ok');
    expect(client.hasEnded).toBe(false);
    expect(app.connections).toHaveLength(2);
  });

  it('a client that ends inside its body takes the request with it', async () => {
    await startWith();
    const client = await harness.send(
      `${head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 10')}abc`,
    );
    await (await app.connection()).untilReceived('abc');
    client.socket.end();
    await (await app.connection()).untilClosed();
    expect(harness.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
  });
});

describe('answers', () => {
  it('QP-74: hop-by-hop headers go, Date is added if missing', async () => {
    await startWith(
      answering(
        `${head('HTTP/1.1 200 Fine', 'Connection: X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=9', 'set-cookie: a', 'Set-Cookie: b', 'Content-Length: 2')}ok`,
      ),
    );
    const client = await harness.send(GET);
    await client.untilReceived('ok');
    expect(client.received).toMatch(
      /^HTTP\/1\.1 200 Fine\r\nset-cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\nDate: [^\r]+ GMT\r\n\r\nok$/,
    );
  });

  it('addResponseHeaders adds lines to a relayed head', async () => {
    await startWith(answering(OK));
    harness.handler.onRequestHook = (exchange) => {
      exchange.addResponseHeaders('X-Added: 1\r\n');
      exchange.forward(harness.handler.upstream!, harness.handler.edits);
    };
    const client = await harness.send(GET);
    await client.untilReceived('ok');
    expect(client.received).toContain('X-Added: 1\r\n');
  });

  it('QP-76: events are relayed one by one, QP-77: with trailers', async () => {
    await startWith();
    const client = await harness.send(GET);
    const application = await app.connection();
    await application.untilReceived('\r\n\r\n');
    application.write(
      head(
        'HTTP/1.1 200 OK',
        'Content-Type: text/event-stream',
        'Trailer: X-Sum',
        'Transfer-Encoding: chunked',
      ),
    );
    await client.untilReceived('\r\n\r\n');
    expect(client.received).toContain('Trailer: X-Sum\r\n');
    application.write('7\r\ndata: 1\r\n');
    await client.untilReceived('7\r\ndata: 1\r\n');
    application.write('7\r\ndata: 2\r\n');
    await client.untilReceived('7\r\ndata: 2\r\n');
    application.write('0\r\nX-Sum: 2\r\n\r\n');
    await client.untilReceived('0\r\nX-Sum: 2\r\n\r\n');
    expect(harness.handler.responseBytes).toBe(14);
    expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
  });

  it('without length end with the connection; the client gets chunks and a clean end', async () => {
    await startWith((connection) => {
      connection.socket.once('data', () => {
        connection.write(`${head('HTTP/1.0 200 OK')}all of it`);
        connection.socket.end();
      });
    });
    const client = await harness.send(GET);
    await client.untilReceived('0\r\n\r\n');
    expect(client.received).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*9\r\nall of it\r\n0\r\n\r\n$/);
    expect(client.hasEnded).toBe(false);
  });

  it('in chunks reach an HTTP/1.0 client unchunked', async () => {
    await startWith(
      answering(`${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\n\r\n`),
    );
    const client = await harness.send('GET / HTTP/1.0\r\n\r\n');
    await client.untilClosed();
    expect(client.received).toMatch(/^HTTP\/1\.0 200 OK\r\n[\s\S]*\r\n\r\nabc$/);
    expect(client.received).not.toContain('Transfer-Encoding');
  });

  const bodiless: { name: string; request: string; answer: string; kept: string }[] = [
    {
      name: 'HEAD',
      request: head('HEAD / HTTP/1.1', 'Host: h'),
      answer: head('HTTP/1.1 200 OK', 'Content-Length: 99'),
      kept: 'Content-Length: 99',
    },
    {
      name: 'HEAD of chunks',
      request: head('HEAD / HTTP/1.1', 'Host: h'),
      answer: head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'),
      kept: '200 OK',
    },
    {
      name: '304',
      request: GET,
      answer: head('HTTP/1.1 304 Same', 'Content-Length: 99'),
      kept: 'Content-Length: 99',
    },
    { name: '204', request: GET, answer: head('HTTP/1.1 204 None'), kept: '204 None' },
  ];
  for (const { name, request, answer, kept } of bodiless) {
    it(`have no body: ${name}, and both connections live on`, async () => {
      await startWith(answering(answer, OK));
      const client = await harness.send(request);
      await client.untilReceived('\r\n\r\n');
      expect(client.received).toContain(kept);
      client.write(GET);
      await client.untilReceived('ok');
      expect(app.connections).toHaveLength(1);
    });
  }

  it('QP-81: interim heads are relayed and the final status survives', async () => {
    await startWith(
      answering(
        `${head('HTTP/1.1 100 Continue')}${head('HTTP/1.1 103 Early Hints', 'Link: </a>')}${head('HTTP/1.1 404 Gone', 'Content-Length: 0')}`,
      ),
    );
    const client = await harness.send(GET);
    await client.untilReceived('404 Gone');
    expect(client.received).toMatch(
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1\.1 404 Gone/,
    );
    expect(harness.handler.events).toEqual([
      'request GET /',
      'interim 100',
      'interim 103',
      'head 404',
      'end 0',
    ]);
  });

  it('interim heads do not reach an HTTP/1.0 client', async () => {
    await startWith(answering(`${head('HTTP/1.1 103 Early Hints')}${OK}`));
    const client = await harness.send('GET / HTTP/1.0\r\n\r\n');
    await client.untilClosed();
    expect(client.received).toMatch(/^HTTP\/1\.0 200 OK/);
  });

  it('QP-78: a slow reader slows the application down, and gets everything', async () => {
    await startWith();
    const client = await harness.send(GET);
    client.socket.pause();
    const application = await app.connection();
    await application.untilReceived('\r\n\r\n');
    const size = 200 * 1024 * 1024;
    application.write(head('HTTP/1.1 200 OK', `Content-Length: ${size}`));
    application.socket.write(Buffer.alloc(size));
    let before = -1;
    await until(() => {
      const now = harness.handler.responseBytes;
      const isStable = now === before && now > 0;
      before = now;
      return isStable;
    });
    expect(before).toBeLessThan(40 * 1024 * 1024);
    let seen = 0;
    client.socket.removeAllListeners('data');
    client.socket.on('data', (bytes) => {
      seen += bytes.length;
    });
    client.socket.resume();
    await until(() => seen > size);
    expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
  });
});
