// What breaks on the way: applications that cut answers short or answer nonsense, clients that
// leave, roles that change their mind. On real sockets.

import { afterEach, describe, expect, it } from 'vitest';
import { answering, head, ProxyHarness, RawApp, type RawSocket, until } from './testing/harness.ts';
import { FailureCode, Outcome } from './types.ts';

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

describe('what breaks', () => {
  const truncated: { name: string; answer: string; request: string }[] = [
    {
      name: 'a length',
      answer: `${head('HTTP/1.1 200 OK', 'Content-Length: 10')}abc`,
      request: GET,
    },
    {
      name: 'chunks',
      answer: `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}3\r\nabc\r\n`,
      request: GET,
    },
    {
      name: 'chunks toward HTTP/1.0',
      answer: `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}3\r\nabc\r\n`,
      request: 'GET / HTTP/1.0\r\n\r\n',
    },
    {
      name: 'broken chunks',
      answer: `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}3\r\nabcd\r\n`,
      request: GET,
    },
  ];
  for (const { name, answer, request } of truncated) {
    it(`QP-79: ${name} cut short aborts the client, never a clean end`, async () => {
      await startWith((connection) => {
        connection.socket.once('data', () => connection.socket.end(answer, 'latin1'));
      });
      const client = await harness.send(request);
      await until(() => client.hasClosed);
      expect(client.error?.code).toBe('ECONNRESET');
      expect(client.received).not.toContain('0\r\n\r\n');
      expect(harness.handler.outcomes).toEqual([Outcome.TRUNCATED]);
    });
  }

  it('QP-87: an early answer survives an application that closes with the upload unread', async () => {
    await startWith((connection) => {
      connection.socket.once('data', () => {
        connection.write(head('HTTP/1.1 413 Large', 'Content-Length: 0'));
        connection.socket.destroySoon();
      });
    });
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const client = await harness.send(
        head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 10000000'),
      );
      client.socket.write(Buffer.alloc(10_000_000));
      await client.untilReceived('HTTP/1.1 413 Large');
    }
  });

  it('QP-80: a client that leaves during the answer takes the request along', async () => {
    await startWith();
    const client = await harness.send(GET);
    const application = await app.connection();
    await application.untilReceived('\r\n\r\n');
    application.write(`${head('HTTP/1.1 200 OK', 'Content-Length: 100')}abc`);
    await client.untilReceived('abc');
    client.socket.resetAndDestroy();
    await application.untilClosed();
    expect(harness.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
    expect(harness.handler.responseBytes).toBe(3);
  });

  const failing: { name: string; answer: string; code: FailureCode; message: RegExp }[] = [
    { name: 'no answer', answer: '', code: FailureCode.CLOSED, message: /^EOF$/ },
    {
      name: 'half a head',
      answer: 'HTTP/1.1 200 OK\r\nA: b',
      code: FailureCode.CLOSED,
      message: /unexpected EOF/,
    },
    {
      name: 'QP-59: HTTP/2',
      answer: '\0\0\x06\x04\0\0\0\0\0',
      code: FailureCode.MALFORMED_RESPONSE,
      message: /malformed HTTP response/,
    },
    {
      name: 'two lengths',
      answer: head('HTTP/1.1 200 OK', 'Content-Length: 1', 'Content-Length: 2'),
      code: FailureCode.MALFORMED_RESPONSE,
      message: /malformed HTTP response "HTTP\/1.1 200 OK"/,
    },
    {
      name: 'a switch nobody asked for',
      answer: head('HTTP/1.1 101 Ok', 'Upgrade: x', 'Connection: Upgrade'),
      code: FailureCode.UPGRADE_MISMATCH,
      message: /tried to switch protocol "x" when "" was requested/,
    },
  ];
  for (const { name, answer, code, message } of failing) {
    it(`QP-82: ${name} is a failure the role answers`, async () => {
      await startWith((connection) => {
        connection.socket.once('data', () => connection.socket.end(answer, 'latin1'));
      });
      const client = await harness.send(GET);
      await client.untilReceived('\n\r\n');
      expect(client.received).toMatch(/^HTTP\/1\.1 502 Bad Gateway/);
      expect(harness.handler.failures).toEqual([
        { code, sent: true, message: expect.stringMatching(message) },
      ]);
      expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
    });
  }

  it('QP-82: reset and refused connections are told apart', async () => {
    await startWith((connection) => {
      connection.socket.once('data', () => connection.socket.resetAndDestroy());
    });
    await (await harness.send(GET)).untilReceived('502');
    app.close();
    await until(() => app.connections.every((connection) => connection.hasClosed));
    await (await harness.send(GET)).untilReceived('502');
    expect(harness.handler.failures.map(({ code, sent }) => ({ code, sent }))).toEqual([
      { code: FailureCode.RESET, sent: true },
      { code: FailureCode.CONNECT_REFUSED, sent: false },
    ]);
    expect(harness.handler.failures[1]!.message).toMatch(
      /^dial tcp 127\.0\.0\.1:\d+: connect: connection refused$/,
    );
  });

  it('CONNECT answered with 2xx is refused, because the client would see a tunnel', async () => {
    await startWith(answering(OK));
    const client = await harness.send(head('CONNECT a:1 HTTP/1.1', 'Host: a:1'));
    await client.untilClosed();
    expect(client.received).toMatch(/^HTTP\/1\.1 502 /);
  });

  it('bytes behind an answer never become the next answer', async () => {
    await startWith(answering(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged`, OK));
    const client = await harness.send(GET);
    await client.untilReceived('ok');
    client.received = '';
    client.write(GET);
    await client.untilReceived('ok');
    expect(client.received).not.toContain('forged');
    expect(app.connections).toHaveLength(2);
  });

  it('abort resets both sides', async () => {
    await startWith();
    const client = await harness.send(GET);
    const application = await app.connection();
    await application.untilReceived('\r\n\r\n');
    harness.handler.exchanges[0]!.abort();
    await until(() => client.hasClosed);
    await application.untilClosed();
    expect(client.received).toBe('');
    expect(harness.handler.outcomes).toEqual([Outcome.ABORTED]);
  });

  it('cancelForward lets the role answer instead, and the application is dropped', async () => {
    await startWith();
    const client = await harness.send(GET);
    const application = await app.connection();
    await application.untilReceived('\r\n\r\n');
    harness.handler.exchanges[0]!.cancelForward();
    harness.handler.exchanges[0]!.respond(504, '', 'request timeout');
    await client.untilReceived('request timeout');
    await application.untilClosed();
    client.received = '';
    client.write(GET);
    await (await app.connection(1)).untilReceived('\r\n\r\n');
  });

  it('an unsent request may go to another upstream', async () => {
    await startWith(answering(OK));
    const good = harness.handler.upstream!;
    const bad = harness.pools.at('127.0.0.1', 1);
    harness.handler.upstream = bad;
    harness.handler.onUpstreamFailure = (exchange, failure) => {
      expect(failure.sent).toBe(false);
      exchange.forward(good, harness.handler.edits);
    };
    const client = await harness.send(
      `${head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 3')}abc`,
    );
    await client.untilReceived('ok');
    expect((await app.connection()).received).toMatch(/abc$/);
  });
});
