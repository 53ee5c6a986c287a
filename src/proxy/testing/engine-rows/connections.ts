// Rows about connections: keeping, closing, draining, upgrades.

import { connect } from 'node:net';
import { expect } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { systemClock } from '../../../clock/clock.ts';
import { Outcome } from '../../types.ts';
import { answering, head, until } from '../harness.ts';
import type { EngineBench, EngineRow } from './bench.ts';
import { GET, OK } from './heads.ts';

interface WebSocketPair {
  client: WebSocket;
  /** The application's end. */
  application: WebSocket;
  close(): void;
}

/** A `ws` client connected through the proxy to a `ws` server. */
async function webSockets(
  bench: EngineBench,
  options: { protocols?: string[]; offersDeflate?: boolean } = {},
): Promise<WebSocketPair> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate: true,
    maxPayload: 64 * 1024 * 1024,
    handleProtocols: (offered) => [...offered].at(-1) ?? false,
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const accepted = new Promise<WebSocket>((resolve) => server.once('connection', resolve));
  const { port } = server.address() as { port: number };
  bench.handler.upstream = bench.harness.pools.at('127.0.0.1', port);
  const client = new WebSocket(
    `ws://127.0.0.1:${bench.harness.port}/a?b`,
    options.protocols ?? [],
    {
      perMessageDeflate: options.offersDeflate ?? false,
    },
  );
  await new Promise((resolve, reject) => {
    client.once('open', resolve);
    client.once('error', reject);
  });
  const application = await accepted;
  const close = () => {
    client.terminate();
    application.terminate();
    server.close();
  };
  return { client, application, close };
}

/** The next event of that name. */
function next(socket: WebSocket, event: string): Promise<unknown[]> {
  return new Promise((resolve) => socket.once(event, (...args: unknown[]) => resolve(args)));
}

async function withWebSockets(
  bench: EngineBench,
  options: { protocols?: string[]; offersDeflate?: boolean },
  use: (pair: WebSocketPair) => Promise<void>,
): Promise<void> {
  await bench.start();
  const pair = await webSockets(bench, options);
  try {
    await use(pair);
  } finally {
    pair.close();
  }
}

export const CONNECTION_ROWS: readonly EngineRow[] = [
  {
    id: 'pipelining',
    section: 'RFC 9112 9.3.2',
    level: 'must',
    says: 'requests sent without waiting are answered in order',
    async run(bench) {
      const second = `${head('HTTP/1.1 201 Made', 'Content-Length: 6')}second`;
      await bench.start(answering(OK, second));
      const client = await bench.send(`${GET}${GET}`);
      await bench.received(client, 'second');
      expect(client.received.indexOf('ok')).toBeLessThan(client.received.indexOf('second'));
    },
  },
  {
    id: 'half-close',
    section: 'RFC 9112 9.6',
    level: 'should',
    says: 'a client that ends its side right behind its request still gets the answer',
    async run(bench) {
      await bench.start();
      const client = await bench.send(GET);
      client.socket.end();
      (await bench.asked()).write(OK);
      await bench.received(client, 'ok');
    },
  },
  {
    id: 'close-asked',
    section: 'RFC 9112 9.6',
    level: 'must',
    says: 'a client that asks for it is closed after its answer',
    async run(bench) {
      await bench.start(answering(OK));
      const client = await bench.ask(head('GET / HTTP/1.1', 'Host: h', 'Connection: close'));
      await bench.closed(client);
      expect(client.received).toMatch(/\r\nconnection: close\r\n/i);
    },
  },
  {
    id: 'idle-kept',
    section: 'QP-5',
    level: 'must',
    isSlow: true,
    says: 'an idle connection is still open after 13 s',
    async run(bench) {
      await bench.start(answering(OK));
      const client = await bench.ask(GET);
      await systemClock.sleep(13_000);
      client.received = '';
      client.write(GET);
      await bench.received(client, 'ok');
    },
  },
  {
    id: 'slow-head',
    section: 'QP-5',
    level: 'must',
    isSlow: true,
    says: 'a head may take 13 s',
    async run(bench) {
      await bench.start(answering(OK));
      const client = await bench.send('GET /abc HTTP/1.1\r\nHost: h\r\nA');
      await systemClock.sleep(13_000);
      client.write(': b\r\n\r\n');
      await bench.received(client, 'ok');
    },
  },
  {
    id: 'slow-answer',
    section: 'QP-5',
    level: 'must',
    isSlow: true,
    says: 'an application may take 13 s to answer',
    async run(bench) {
      await bench.start();
      const client = await bench.send(GET);
      const application = await bench.asked();
      await systemClock.sleep(13_000);
      application.write(OK);
      await bench.received(client, 'ok');
    },
  },
  {
    id: 'drain',
    section: 'QP-121',
    level: 'must',
    says: 'draining refuses new connections and finishes the request under way, which hears of it',
    async run(bench) {
      await bench.start();
      const client = await bench.send(GET);
      const application = await bench.asked();
      let isDrained = false;
      const drained = bench.harness.server.drain().then(() => {
        isDrained = true;
      });
      const refused = connect(bench.harness.port, '127.0.0.1');
      await new Promise((resolve) => refused.once('error', resolve));
      expect(isDrained).toBe(false);
      application.write(OK);
      await drained;
      await bench.received(client, 'ok');
      expect(client.received).toContain('Connection: close\r\n');
      await bench.harness.server.close();
      await bench.closed(client);
      expect(bench.harness.server.connectionCount).toBe(0);
    },
  },
  {
    id: 'close-cuts',
    section: 'QP-124',
    level: 'must',
    says: 'closing cuts what is under way and ends every exchange',
    async run(bench) {
      await bench.start();
      const client = await bench.send(GET);
      await bench.asked();
      await bench.harness.server.close();
      await bench.closed(client);
      await bench.until(() => bench.handler.outcomes.length === 1);
      expect(bench.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
    },
  },
  {
    id: 'port-taken',
    section: 'QP-15',
    level: 'must',
    says: 'a port another server of the same engine holds is refused',
    async run(bench) {
      await bench.start();
      const other = (await import('../harness.ts')).ProxyHarness;
      const second = new other({ engine: bench.engine });
      const listening = second.server.listen({ host: '127.0.0.1', port: bench.harness.port });
      await expect(listening).rejects.toMatchObject({ code: 'EADDRINUSE' });
      await second.stop();
    },
  },
  {
    id: 'upgrade-any',
    section: 'QP-88',
    level: 'must',
    says: 'any protocol the application agrees to is tunnelled',
    async run(bench) {
      const agreed = head('HTTP/1.1 101 Ok', 'Connection: Upgrade', 'Upgrade: echo');
      await bench.start(answering(agreed));
      const client = await bench.ask(
        head('GET / HTTP/1.1', 'Host: h', 'Connection: Upgrade', 'Upgrade: echo'),
        '101 Ok',
      );
      (await bench.upstream()).write('raw bytes');
      await bench.received(client, 'raw bytes');
    },
  },
  {
    id: 'upgrade-other-served',
    section: 'RFC 9110 7.8',
    level: 'must',
    says: 'an upgrade nobody takes up is answered like any request',
    async run(bench) {
      await bench.start(answering(OK));
      await bench.ask(head('GET / HTTP/1.1', 'Host: h', 'Connection: Upgrade', 'Upgrade: echo'));
    },
  },
  {
    id: 'websocket-echo',
    section: 'QP-88',
    level: 'must',
    says: 'websocket messages pass both ways, text and binary, up to 8 MiB',
    run: (bench) =>
      withWebSockets(bench, {}, async ({ client, application }) => {
        application.on('message', (data, isBinary) => application.send(data, { binary: isBinary }));
        for (const sent of ['hello', '', Buffer.alloc(8 << 20, 7)]) {
          const got = next(client, 'message');
          client.send(sent);
          const [data, isBinary] = await got;
          expect(Buffer.compare(data as Buffer, Buffer.from(sent))).toBe(0);
          expect(isBinary).toBe(typeof sent !== 'string');
        }
        expect(bench.handler.exchanges[0]!.target).toBe('/a?b');
      }),
  },
  {
    id: 'websocket-close',
    section: 'QP-88',
    level: 'must',
    says: 'close codes and reasons pass both ways',
    async run(bench) {
      await withWebSockets(bench, {}, async ({ client, application }) => {
        const closed = next(application, 'close');
        client.close(4001, 'bye');
        const [code, reason] = await closed;
        expect([code, String(reason)]).toEqual([4001, 'bye']);
      });
      const { client, application, close } = await webSockets(bench);
      const closed = next(client, 'close');
      application.close(4002, 'done');
      const [code, reason] = await closed;
      close();
      expect([code, String(reason)]).toEqual([4002, 'done']);
      await until(() => bench.handler.outcomes.length === 2, 'both ends');
      expect(bench.handler.outcomes).toEqual([Outcome.COMPLETE, Outcome.COMPLETE]);
    },
  },
  {
    id: 'websocket-ping',
    section: 'RFC 6455 5.5.2',
    level: 'must',
    says: "the application's ping reaches the client and its pong comes back; the client's ping is answered",
    run: (bench) =>
      withWebSockets(bench, {}, async ({ client, application }) => {
        const pinged = next(client, 'ping');
        const ponged = next(application, 'pong');
        application.ping('p1');
        expect([String((await pinged)[0]), String((await ponged)[0])]).toEqual(['p1', 'p1']);
        const answered = next(client, 'pong');
        client.ping('p2');
        expect(String((await answered)[0])).toBe('p2');
      }),
  },
  {
    id: 'websocket-subprotocol',
    section: 'RFC 6455 4.2.2',
    level: 'must',
    says: "the application's choice of subprotocol reaches the client",
    run: (bench) =>
      withWebSockets(bench, { protocols: ['a', 'b'] }, async ({ client }) => {
        expect(client.protocol).toBe('b');
      }),
  },
  {
    id: 'websocket-extensions',
    section: 'RFC 6455 9.1',
    level: 'should',
    says: 'extensions both ends know are agreed',
    run: (bench) =>
      withWebSockets(bench, { offersDeflate: true }, async ({ client }) => {
        expect(client.extensions).toContain('permessage-deflate');
      }),
  },
  {
    id: 'websocket-refused',
    section: 'QP-88',
    level: 'must',
    says: "the application's refusal of a websocket is relayed with status, lines and body",
    async run(bench) {
      await bench.start(
        answering(`${head('HTTP/1.1 403 No', 'X-Why: b', 'Content-Length: 4')}deny`),
      );
      const client = await bench.ask(
        head(
          'GET / HTTP/1.1',
          'Host: h',
          'Connection: keep-alive, Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        ),
        'deny',
      );
      expect(client.received).toMatch(/^HTTP\/1\.1 403 No\r\nX-Why: b\r\n/);
    },
  },
  {
    id: 'websocket-client-leaves',
    section: 'QP-88',
    level: 'must',
    says: 'a websocket client that vanishes takes its tunnel along',
    run: (bench) =>
      withWebSockets(bench, {}, async ({ client, application }) => {
        const closed = next(application, 'close');
        client.terminate();
        await closed;
        await bench.until(() => bench.handler.outcomes.length === 1);
      }),
  },
  {
    id: 'websocket-slow-reader',
    section: 'QP-78',
    level: 'must',
    says: 'a websocket client that does not read slows the application down',
    run: (bench) =>
      withWebSockets(bench, {}, async ({ client, application }) => {
        client.pause();
        const message = Buffer.alloc(256 * 1024);
        for (let index = 0; index < 200; index += 1) application.send(message);
        const passed = await bench.settled(() => bench.handler.responseBytes);
        expect(passed).toBeLessThan(40 * 1024 * 1024);
        let seen = 0;
        client.on('message', (data: Buffer) => {
          seen += data.length;
        });
        client.resume();
        await bench.until(() => seen === 200 * message.length, 'every message');
      }),
  },
];
