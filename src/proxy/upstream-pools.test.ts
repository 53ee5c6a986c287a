// Connections to applications: which are reused, what is retried, how dialling ends. Time is fake.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { createNetServer, type NetHttpServer } from './net-server.ts';
import {
  ForwardingHandler,
  head,
  LIMITS,
  ProxyHarness,
  RawApp,
  type RawSocket,
  UPSTREAM_OPTIONS,
  until,
} from './testing/harness.ts';
import { FailureCode } from './types.ts';
import type { DialWaiter, PendingDial } from './upstream-link.ts';
import { UpstreamPool, UpstreamPools } from './upstream-pools.ts';

const OK = `${head('HTTP/1.1 200 OK', 'Content-Length: 2', 'Date: now')}ok`;
const GET = head('GET / HTTP/1.1', 'Host: h');
const POST = `${head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 3')}abc`;

let clock: FakeClock;
let app: RawApp;
let pools: UpstreamPools;
let server: NetHttpServer;
let handler: ForwardingHandler;
let harness: ProxyHarness;
/** What the application does with request number n of connection number m. */
let onAppRequest: (connection: RawSocket, connectionIndex: number, request: number) => void;

beforeEach(async () => {
  onAppRequest = (connection) => connection.write(OK);
  clock = new FakeClock();
  app = new RawApp((connection, index) => {
    let request = 0;
    connection.socket.on('data', () => {
      request += 1;
      onAppRequest(connection, index, request);
    });
  });
  const port = await app.listen();
  pools = new UpstreamPools(UPSTREAM_OPTIONS, { clock, random: () => 0.5 });
  handler = new ForwardingHandler();
  handler.upstream = pools.at('127.0.0.1', port);
  server = createNetServer(handler, { limits: LIMITS, clock, logger: silentLogger });
  harness = new ProxyHarness();
  harness.port = (await server.listen({ host: '127.0.0.1', port: 0 })).port;
});

afterEach(async () => {
  await harness.stop();
  pools.close();
  await server.close();
  app.close();
});

async function exchange(request: string): Promise<string> {
  const client = await harness.send(request);
  await client.untilReceived('\r\n\r\n');
  await until(() => handler.outcomes.length === handler.exchanges.length);
  return client.received;
}

describe('reuse', () => {
  it('one connection serves one request after the other', async () => {
    for (let count = 0; count < 3; count += 1) expect(await exchange(GET)).toContain('200 OK');
    expect(app.connections).toHaveLength(1);
  });

  it('an answer with Connection: close is the last of its connection', async () => {
    onAppRequest = (connection) => {
      connection.write(head('HTTP/1.1 200 OK', 'Connection: close', 'Content-Length: 0'));
    };
    await exchange(GET);
    await exchange(GET);
    expect(app.connections).toHaveLength(2);
  });

  it('decision 0003: a request that cannot be sent twice avoids a connection idle for 4 s', async () => {
    await exchange(GET);
    clock.advance(3_999);
    await exchange(POST);
    expect(app.connections).toHaveLength(1);
    clock.advance(4_000);
    await exchange(GET);
    expect(app.connections).toHaveLength(1);
    clock.advance(4_000);
    await exchange(POST);
    expect(app.connections).toHaveLength(2);
  });

  it("decision 0003: the application's own Keep-Alive timeout less a second is the limit for all", async () => {
    onAppRequest = (connection) => {
      connection.write(
        `${head('HTTP/1.1 200 OK', 'Keep-Alive: timeout=3', 'Content-Length: 2')}ok`,
      );
    };
    await exchange(GET);
    clock.advance(1_999);
    await exchange(GET);
    expect(app.connections).toHaveLength(1);
    clock.advance(2_000);
    await exchange(GET);
    expect(app.connections).toHaveLength(2);
  });

  it('QP-61: idle connections close after the idle timeout', async () => {
    await exchange(GET);
    const application = await app.connection();
    clock.advance(89_000);
    expect(application.hasEnded).toBe(false);
    clock.advance(24_000);
    await application.untilClosed();
  });

  it('QP-61: no more idle connections are kept than allowed', async () => {
    const pool = new UpstreamPool(
      '127.0.0.1',
      1,
      { ...UPSTREAM_OPTIONS, maxIdlePerUpstream: 1 },
      { clock, random: () => 0 },
    );
    const destroyed: string[] = [];
    const fake = (name: string): never =>
      ({ idleSinceMs: 0, keepAliveMs: -1, destroy: () => destroyed.push(name) }) as never;
    pool.park(fake('first'));
    pool.park(fake('second'));
    expect(destroyed).toEqual(['second']);
    expect(pool.idleCount).toBe(1);
  });

  it('forgetting an upstream closes its idle connections', async () => {
    await exchange(GET);
    pools.forget(handler.upstream!);
    await (await app.connection()).untilClosed();
    expect(pools.at('127.0.0.1', 1)).toBe(pools.at('127.0.0.1', 1));
  });
});

describe('QP-64: a reused connection that turns out dead', () => {
  const cases: { name: string; request: string; isRetried: boolean }[] = [
    { name: 'GET is sent again', request: GET, isRetried: true },
    { name: 'HEAD is sent again', request: head('HEAD / HTTP/1.1', 'Host: h'), isRetried: true },
    {
      name: 'OPTIONS is sent again',
      request: head('OPTIONS / HTTP/1.1', 'Host: h'),
      isRetried: true,
    },
    {
      name: 'POST without body is not',
      request: head('POST / HTTP/1.1', 'Host: h'),
      isRetried: false,
    },
    { name: 'DELETE is not', request: head('DELETE / HTTP/1.1', 'Host: h'), isRetried: false },
    {
      name: 'POST with Idempotency-Key is sent again',
      request: head('POST / HTTP/1.1', 'Host: h', 'idempotency-KEY: 1'),
      isRetried: true,
    },
    {
      name: 'DELETE with X-Idempotency-Key is sent again',
      request: head('DELETE / HTTP/1.1', 'Host: h', 'X-Idempotency-Key: 1'),
      isRetried: true,
    },
    { name: 'a body is never sent again', request: POST, isRetried: false },
    {
      name: 'not even that of a GET',
      request: `${head('GET / HTTP/1.1', 'Host: h', 'Content-Length: 1')}a`,
      isRetried: false,
    },
  ];
  for (const { name, request, isRetried } of cases) {
    it(name, async () => {
      onAppRequest = (connection, index, count) => {
        if (index === 0 && count === 2) connection.socket.end();
        else connection.write(OK);
      };
      await exchange(GET);
      const received = await exchange(request);
      expect(received).toContain(isRetried ? '200 OK' : '502 Bad Gateway');
      expect(app.connections).toHaveLength(isRetried ? 2 : 1);
      if (!isRetried) {
        expect(handler.failures).toEqual([
          { code: FailureCode.CLOSED, sent: true, message: 'EOF' },
        ]);
      }
    });
  }

  it('is retried once only, and never after a byte of an answer', async () => {
    onAppRequest = (connection, index, count) => {
      if (index === 0 && count === 1) connection.write(OK);
      else connection.socket.end(index === 0 ? '' : 'HTTP/1.1 2');
    };
    await exchange(GET);
    expect(await exchange(GET)).toContain('502');
    expect(app.connections).toHaveLength(2);
  });

  it('a first-use connection is never retried', async () => {
    onAppRequest = (connection) => connection.socket.end();
    expect(await exchange(GET)).toContain('502');
    expect(app.connections).toHaveLength(1);
  });
});

describe('QP-63: dialling', () => {
  class Waiter implements DialWaiter {
    failures: { code: FailureCode; message: string }[] = [];
    dialed = 0;

    onDialed(): void {
      this.dialed += 1;
    }

    onDialFailed(code: FailureCode, message: string): void {
      this.failures.push({ code, message });
    }
  }

  function dial(waiter: Waiter): PendingDial {
    const upstream = handler.upstream;
    if (!(upstream instanceof UpstreamPool)) throw new Error('not a pool');
    return upstream.dial(waiter);
  }

  it('is tried again after 50, 50, 70, 98 ms … and ends in a timeout after 16 tries', () => {
    // Real connects cannot finish before the loop turns, so all of these time out.
    const waiter = new Waiter();
    dial(waiter);
    let expectedMs = 50;
    for (let retry = 0; retry < 15; retry += 1) expectedMs += 45 + 50 * 1.4 ** retry * 1.05;
    clock.advance(expectedMs - 1);
    expect(waiter.failures).toEqual([]);
    clock.advance(2);
    expect(waiter.failures[0]!.code).toBe(FailureCode.CONNECT_TIMEOUT);
    expect(waiter.failures[0]!.message).toMatch(
      /^timed out dialing 127\.0\.0\.1:\d+ after \d+\.\d\ds$/,
    );
  });

  it('a cancelled dial tells nobody and leaves no connection', async () => {
    const waiter = new Waiter();
    dial(waiter).cancel();
    clock.advance(60_000);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(waiter).toMatchObject({ dialed: 0, failures: [] });
  });

  it('a refused connection fails at once', async () => {
    app.close();
    const waiter = new Waiter();
    dial(waiter);
    await until(() => waiter.failures.length === 1);
    expect(waiter.failures[0]!.code).toBe(FailureCode.CONNECT_REFUSED);
    expect(clock.monotonicMs()).toBe(0);
  });
});
