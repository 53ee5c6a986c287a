// The server side on real sockets: what is refused, how connections live and end.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { createNetServer } from './net-server.ts';
import {
  answering,
  ForwardingHandler,
  head,
  LIMITS,
  ProxyHarness,
  RawApp,
  until,
} from './testing/harness.ts';
import { type Exchange, Outcome } from './types.ts';

const OK = `${head('HTTP/1.1 200 OK', 'Content-Length: 2', 'Date: now')}ok`;
const GET = head('GET / HTTP/1.1', 'Host: h');

let harness: ProxyHarness;
let app: RawApp;

beforeEach(async () => {
  app = new RawApp(answering(OK));
  harness = new ProxyHarness();
  await harness.start(await app.listen());
});

afterEach(async () => {
  await harness.stop();
  app.close();
});

describe('a request head is refused before any role sees it', () => {
  const refused: { name: string; bytes: string; status: number }[] = [
    { name: 'QP-7: no Host', bytes: 'GET / HTTP/1.1\r\n\r\n', status: 400 },
    { name: 'two Hosts', bytes: head('GET / HTTP/1.1', 'Host: a', 'Host: a'), status: 400 },
    { name: 'a Host that is no host', bytes: head('GET / HTTP/1.1', 'Host: a/b'), status: 400 },
    {
      name: 'two lengths',
      bytes: head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 1', 'Content-Length: 1'),
      status: 400,
    },
    {
      name: 'a list of lengths',
      bytes: head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 1, 1'),
      status: 400,
    },
    {
      name: 'a signed length',
      bytes: head('POST / HTTP/1.1', 'Host: h', 'Content-Length: +1'),
      status: 400,
    },
    {
      name: 'a hexadecimal length',
      bytes: head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 0x1'),
      status: 400,
    },
    {
      name: 'length and coding',
      bytes: head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 1', 'Transfer-Encoding: chunked'),
      status: 400,
    },
    {
      name: 'two codings',
      bytes: head('POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: gzip, chunked'),
      status: 400,
    },
    {
      name: 'another spelling of chunked',
      bytes: head('POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: Chunked'),
      status: 400,
    },
    {
      name: 'a coding in HTTP/1.0',
      bytes: head('POST / HTTP/1.0', 'Host: h', 'Transfer-Encoding: chunked'),
      status: 400,
    },
    {
      name: 'a folded line',
      bytes: 'GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n',
      status: 400,
    },
    { name: 'a space before the colon', bytes: head('GET / HTTP/1.1', 'Host : h'), status: 400 },
    { name: 'a bare line feed, at once', bytes: 'GET / HTTP/1.1\nHost: h', status: 400 },
    { name: 'a bare carriage return, at once', bytes: 'GET / HTTP/1.1\r\nHost: h\rX', status: 400 },
    { name: 'a control byte, at once', bytes: 'GET / HTTP/1.1\r\nHost: h\r\nA: \x01', status: 400 },
    { name: 'a TLS hello, at once', bytes: '\x16\x03\x01\x02\x00', status: 400 },
    {
      name: 'a target that is neither path nor URL',
      bytes: head('GET x HTTP/1.1', 'Host: h'),
      status: 400,
    },
    {
      name: 'an asterisk for another method',
      bytes: head('GET * HTTP/1.1', 'Host: h'),
      status: 400,
    },
    { name: 'another version', bytes: head('GET / HTTP/2.0', 'Host: h'), status: 505 },
    {
      name: 'QP-5: a head above the limit',
      bytes: `GET / HTTP/1.1\r\nHost: h\r\nA: ${'a'.repeat(1024 * 1024)}`,
      status: 431,
    },
    {
      name: 'too many lines',
      bytes: head('GET / HTTP/1.1', 'Host: h', ...Array.from({ length: 2_000 }, () => 'A: b')),
      status: 431,
    },
  ];
  for (const { name, bytes, status } of refused) {
    it(name, async () => {
      const client = await harness.send(bytes);
      await client.untilClosed();
      expect(client.received).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(client.received).toContain('Connection: close');
      expect(harness.handler.events).toEqual([]);
      expect(app.connections).toHaveLength(0);
    });
  }

  it('a chunked body that breaks ends the exchange and is answered 400', async () => {
    const client = await harness.send(
      head('POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked'),
    );
    await until(() => harness.handler.events.length === 1);
    client.write('zz\r\n');
    await client.untilClosed();
    expect(client.received).toMatch(/^HTTP\/1\.1 400 /);
    expect(harness.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
  });
});

describe('a connection', () => {
  it('carries one request after the other', async () => {
    const client = await harness.send(GET);
    await client.untilReceived('ok');
    client.received = '';
    client.write(GET);
    await client.untilReceived('ok');
    expect(app.connections).toHaveLength(1);
  });

  it('serves pipelined requests in order, one at a time', async () => {
    const held: Exchange[] = [];
    harness.handler.onRequestHook = (exchange) => {
      held.push(exchange);
    };
    const client = await harness.send(
      `${head('GET /1 HTTP/1.1', 'Host: h')}${head('GET /2 HTTP/1.1', 'Host: h')}`,
    );
    await until(() => held.length === 1);
    held[0]!.respond(200, '', 'first');
    await until(() => held.length === 2);
    held[1]!.respond(200, '', 'second');
    await client.untilReceived('second');
    expect(client.received).toMatch(/first[\s\S]*second/);
  });

  it('serves thousands of pipelined requests answered at once without growing the stack', async () => {
    harness.handler.onRequestHook = (exchange) => exchange.respond(200, '', '');
    const client = await harness.send(GET.repeat(5_000));
    await until(() => harness.handler.outcomes.length === 5_000);
    await until(() => client.received.split('HTTP/1.1 200').length === 5_001);
  });

  it('stops reading requests while the client does not read answers', async () => {
    harness.handler.onRequestHook = (exchange) => exchange.respond(200, '', 'x'.repeat(10_000));
    const client = await harness.client();
    client.socket.pause();
    client.write(GET.repeat(20_000));
    let before = -1;
    await until(() => {
      const isStable = harness.handler.outcomes.length === before && before > 0;
      before = harness.handler.outcomes.length;
      return isStable;
    });
    expect(harness.handler.outcomes.length).toBeLessThan(5_000);
    client.socket.resume();
    await until(() => harness.handler.outcomes.length === 20_000);
  });

  it('takes a head that comes byte by byte', async () => {
    const client = await harness.client();
    for (const byte of `\r\n${head('POST /drip HTTP/1.1', 'Host: h', 'Content-Length: 3')}abc`) {
      client.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.untilReceived('ok');
    expect((await app.connection()).received).toMatch(/abc$/);
  });

  it('answers a client that only half-closed', async () => {
    const client = await harness.client();
    client.socket.end(GET);
    await client.untilReceived('ok');
    await client.untilClosed();
    expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
  });

  it('answers all pipelined requests of a client that half-closed, then ends', async () => {
    const client = await harness.client();
    client.socket.end(GET + GET + GET);
    await until(() => harness.handler.outcomes.length === 3);
    await client.untilClosed();
    expect(client.received.split('HTTP/1.1 200')).toHaveLength(4);
  });

  it('QP-80: notices at once that the client of a held request left', async () => {
    harness.handler.onRequestHook = () => undefined;
    const client = await harness.send(GET);
    await until(() => harness.handler.exchanges.length === 1);
    client.socket.resetAndDestroy();
    await until(() => harness.handler.outcomes.length === 1);
    expect(harness.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
  });

  it('QP-29: notices that the client of a held request closed', async () => {
    harness.handler.onRequestHook = () => undefined;
    const client = await harness.send(
      `${head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 9')}abc`,
    );
    await until(() => harness.handler.exchanges.length === 1);
    client.socket.destroy();
    await until(() => harness.handler.outcomes.length === 1);
    expect(harness.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
  });

  it('QP-29: notices that a client closed which might only have half-closed', async () => {
    harness.handler.onRequestHook = () => undefined;
    const client = await harness.send(GET);
    client.socket.destroy();
    await until(() => harness.handler.outcomes.length === 1);
    expect(harness.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
  });

  it('reads ahead of a held request only within its bound', async () => {
    harness.handler.onRequestHook = () => undefined;
    const size = 50 * 1024 * 1024;
    const client = await harness.send(
      head('POST / HTTP/1.1', 'Host: h', `Content-Length: ${size}`),
    );
    client.socket.write(Buffer.alloc(size));
    await until(() => harness.handler.exchanges.length === 1);
    for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(client.socket.writableLength).toBeGreaterThan(size / 2);
    harness.handler.exchanges[0]!.respond(503, '', 'no');
    await client.untilReceived('no');
    expect(client.received).toContain('Connection: close');
  });

  it('keeps going after a local answer whose request body is short', async () => {
    harness.handler.onRequestHook = (exchange) => exchange.respond(503, '', 'busy');
    const client = await harness.send(head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 5'));
    await client.untilReceived('busy');
    client.received = '';
    client.write(`12345${GET}`);
    await client.untilReceived('busy');
    expect(harness.handler.exchanges).toHaveLength(2);
  });

  it('delivers a large last answer to a slow reader before it closes', async () => {
    harness.handler.onRequestHook = (exchange) => exchange.respond(200, '', 'x'.repeat(20_000_000));
    const client = await harness.client();
    client.socket.pause();
    client.write(head('GET / HTTP/1.1', 'Host: h', 'Connection: close'));
    await until(() => harness.handler.outcomes.length === 1);
    client.socket.resume();
    await until(() => client.hasEnded);
    expect(client.received.length).toBeGreaterThan(20_000_000);
  });
});

describe('forms of requests', () => {
  it('QP-7: OPTIONS * is answered by the server', async () => {
    const client = await harness.send(head('OPTIONS * HTTP/1.1', 'Host: h') + GET);
    await client.untilReceived('ok');
    expect(client.received).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Length: 0\r\n/);
    expect(harness.handler.events[0]).toBe('request GET /');
  });

  it('QP-58: an absolute target becomes a path, its authority the host', async () => {
    const client = await harness.send(head('GET http://other:81?a=%zz HTTP/1.1', 'Host: h'));
    await client.untilReceived('ok');
    const { received } = await app.connection();
    expect(received).toMatch(/^GET \/\?a=%zz HTTP\/1\.1\r\nHost: other:81\r\n\r\n$/);
    expect(harness.handler.exchanges[0]!.host).toBe('other:81');
  });

  it('QP-60: HTTP/1.0 is answered as HTTP/1.0 and closed', async () => {
    const client = await harness.send('GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    await client.untilClosed();
    expect(client.received).toMatch(/^HTTP\/1\.0 200 OK\r\n[\s\S]*Connection: close\r\n[\s\S]*ok$/);
    const { received } = await app.connection();
    expect(received).toMatch(/^GET \/old HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n\r\n$/);
  });

  it('CONNECT with a body is refused', async () => {
    const client = await harness.send(head('CONNECT a:1 HTTP/1.1', 'Host: h', 'Content-Length: 1'));
    await client.untilClosed();
    expect(client.received).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('the end of the server', () => {
  it('drain closes idle connections and lets busy ones finish', async () => {
    const idle = await harness.send(GET);
    await idle.untilReceived('ok');
    const held: Exchange[] = [];
    harness.handler.onRequestHook = (exchange) => {
      held.push(exchange);
    };
    const busy = await harness.send(GET);
    await until(() => held.length === 1);
    let isDrained = false;
    const drained = harness.server.drain().then(() => {
      isDrained = true;
    });
    await idle.untilClosed();
    expect(isDrained).toBe(false);
    held[0]!.respond(200, '', 'late');
    await busy.untilClosed();
    expect(busy.received).toContain('Connection: close');
    busy.socket.destroy();
    idle.socket.destroy();
    await drained;
    expect(harness.server.connectionCount).toBe(0);
  });

  it('close ends what is under way', async () => {
    harness.handler.onRequestHook = () => undefined;
    await harness.send(GET);
    await until(() => harness.handler.exchanges.length === 1);
    await harness.server.close();
    expect(harness.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
  });

  it('a port that is taken is an error of listen', async () => {
    const { clock, logger } = { clock: new FakeClock(), logger: silentLogger };
    const second = createNetServer(new ForwardingHandler(), { limits: LIMITS, clock, logger });
    await expect(second.listen({ host: '127.0.0.1', port: harness.port })).rejects.toThrow(
      'EADDRINUSE',
    );
  });
});

describe('QP-5: a head that does not come', () => {
  it('closes the connection without an answer after the head timeout', async () => {
    const clock = new FakeClock();
    const server = createNetServer(new ForwardingHandler(), {
      limits: LIMITS,
      clock,
      logger: silentLogger,
    });
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    harness.port = port;
    const silent = await harness.client();
    const partial = await harness.send('GET / HT');
    await until(() => server.connectionCount === 2);
    clock.advance(59_000);
    expect(server.connectionCount).toBe(2);
    clock.advance(17_000);
    await silent.untilClosed();
    await partial.untilClosed();
    expect(silent.received + partial.received).toBe('');
    await server.close();
  });
});
