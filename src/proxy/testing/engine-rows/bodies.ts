// Rows about request bodies: framing, holding, backpressure, early answers, clients that leave.

import { expect } from 'vitest';
import { systemClock } from '../../../clock/clock.ts';
import { Outcome } from '../../types.ts';
import { answering, head, type RawSocket } from '../harness.ts';
import type { EngineBench, EngineRow } from './bench.ts';
import { GET, OK } from './heads.ts';

const MIB = 1024 * 1024;

/** Answers OK once `end` arrived. */
function answeringAfter(end: string): (connection: RawSocket) => void {
  return (connection) => {
    connection.socket.on('data', () => {
      if (connection.received.endsWith(end)) connection.write(OK);
    });
  };
}

const post = (...lines: string[]) => head('POST / HTTP/1.1', 'Host: h', ...lines);

/** Bytes nothing repeats in within 64 KiB, so that a slip shows. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE(at >>> 2, at);
  return bytes;
}

/** The role forwards only when told; returns how to tell it. */
function hold(bench: EngineBench): () => void {
  const { handler } = bench;
  handler.onRequestHook = () => undefined;
  return () => handler.exchanges[0]!.forward(handler.upstream!, handler.edits);
}

export const BODY_ROWS: readonly EngineRow[] = [
  {
    id: 'body-length',
    section: 'RFC 9112 6.2',
    level: 'must',
    says: 'a body with a length passes with it',
    async run(bench) {
      await bench.start(answeringAfter('hello'));
      await bench.ask(`${post('content-length: 5')}hello`);
      const { received } = await bench.upstream();
      expect(received).toMatch(/\r\ncontent-length: 5\r\n/i);
      expect(received.endsWith('\r\n\r\nhello')).toBe(true);
      expect(bench.handler.exchanges[0]!.requestBytes).toBe(5);
    },
  },
  {
    id: 'body-chunked',
    section: 'RFC 9112 7.1',
    level: 'must',
    says: 'a chunked body passes, framed anew',
    async run(bench) {
      await bench.start(answeringAfter('0\r\n\r\n'));
      const client = await bench.send(`${post('Transfer-Encoding: chunked')}3\r\nabc\r\n`);
      await bench.received(await bench.upstream(), '3\r\nabc\r\n');
      client.write('2\r\nde\r\n0\r\n\r\n');
      await bench.received(client, 'ok');
      expect((await bench.upstream()).received).toMatch(/3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n$/);
      expect(bench.handler.exchanges[0]!.requestBytes).toBe(5);
    },
  },
  {
    id: 'body-chunk-extension',
    section: 'RFC 9112 7.1.1',
    level: 'must',
    says: 'chunk extensions are ignored',
    async run(bench) {
      await bench.start(answeringAfter('0\r\n\r\n'));
      await bench.ask(`${post('Transfer-Encoding: chunked')}3;x="y"\r\nabc\r\n0\r\n\r\n`);
    },
  },
  {
    id: 'body-trailers',
    section: 'QP-72',
    level: 'should',
    says: 'request trailers reach the application',
    async run(bench) {
      await bench.start(answeringAfter('X-Sum: 5\r\n\r\n'));
      const lines = ['Trailer: X-Sum', 'Transfer-Encoding: chunked'];
      await bench.ask(`${post(...lines)}3\r\nabc\r\n0\r\nX-Sum: 5\r\n\r\n`);
    },
  },
  {
    id: 'body-broken-chunks',
    section: 'RFC 9112 7.1',
    level: 'must',
    says: 'a body whose chunks break never reaches the application as a complete one',
    async run(bench) {
      await bench.start();
      const client = await bench.send(`${post('Transfer-Encoding: chunked')}3\r\nabc\r\n`);
      await bench.received(await bench.upstream(), 'abc\r\n');
      client.write('zz\r\n');
      await bench.closed(client);
      await bench.closed(await bench.upstream());
      expect((await bench.upstream()).received).not.toContain('\r\n0\r\n');
    },
  },
  {
    id: 'body-large',
    section: 'QP-78',
    level: 'must',
    says: 'an upload of 20 MiB arrives byte for byte, then the connection is kept',
    async run(bench) {
      const sent = pattern(20 * MIB);
      await bench.start();
      const client = await bench.send(post(`Content-Length: ${sent.length}`));
      client.socket.write(sent);
      const upstream = await bench.asked();
      await bench.until(
        () =>
          upstream.received.length >= sent.length &&
          upstream.received.endsWith(sent.subarray(-8).toString('latin1')),
      );
      const at = upstream.received.indexOf('\r\n\r\n') + 4;
      expect(Buffer.from(upstream.received.slice(at), 'latin1').equals(sent)).toBe(true);
      upstream.write(OK);
      await bench.received(client, 'ok');
      client.write(GET);
      await bench.received(upstream, 'GET / HTTP/1.1');
    },
  },
  {
    id: 'body-backpressure',
    section: 'QP-78',
    level: 'must',
    says: 'an upload waits for an application that does not read',
    async run(bench) {
      await bench.start((connection) => connection.socket.pause());
      const size = 64 * MIB;
      const client = await bench.send(post(`Content-Length: ${size}`));
      client.socket.write(Buffer.alloc(size));
      await bench.until(() => bench.handler.exchanges.length === 1);
      const read = await bench.settled(() => bench.handler.exchanges[0]!.requestBytes);
      expect(read).toBeLessThan(40 * MIB);
      const { socket } = await bench.upstream();
      let seen = 0;
      socket.removeAllListeners('data');
      socket.on('data', (bytes: Buffer) => {
        seen += bytes.length;
      });
      socket.resume();
      await bench.until(() => seen >= size, 'the whole upload');
    },
  },
  {
    id: 'body-held',
    section: 'QP-172',
    level: 'must',
    says: 'a request whose body waits unread is forwarded whole once it may go',
    async run(bench) {
      await bench.start(answeringAfter('END!'));
      const go = hold(bench);
      const sent = pattern(3 * MIB);
      sent.write('END!', sent.length - 4);
      const client = await bench.send(post(`Content-Length: ${sent.length}`));
      client.socket.write(sent);
      await bench.until(() => bench.handler.exchanges.length === 1);
      await bench.settled(() => client.socket.bytesWritten);
      expect(bench.handler.exchanges[0]!.requestBytes).toBeLessThan(MIB);
      go();
      await bench.received(client, 'ok');
      const { received } = await bench.upstream();
      expect(received.length - received.indexOf('\r\n\r\n') - 4).toBe(sent.length);
      expect(received.endsWith(sent.subarray(-64).toString('latin1'))).toBe(true);
    },
  },
  {
    id: 'held-client-leaves',
    section: 'QP-29',
    level: 'must',
    says: 'a client that leaves while its request waits is noticed',
    async run(bench) {
      await bench.start();
      hold(bench);
      const clients = [
        await bench.send(GET),
        await bench.send(`${post('Content-Length: 9000')}abc`),
      ];
      await bench.until(() => bench.handler.exchanges.length === 2);
      for (const client of clients) client.socket.resetAndDestroy();
      await bench.until(() => bench.handler.outcomes.length === 2, 'both departures');
      expect(bench.handler.outcomes).toEqual([Outcome.CLIENT_GONE, Outcome.CLIENT_GONE]);
    },
  },
  {
    id: 'held-upload-leaves',
    section: 'QP-172',
    level: 'should',
    says: 'a client that leaves while much of its body waits unread is noticed',
    async run(bench) {
      await bench.start();
      hold(bench);
      const client = await bench.send(post(`Content-Length: ${50 * MIB}`));
      client.socket.write(Buffer.alloc(20 * MIB));
      await bench.until(() => bench.handler.exchanges.length === 1);
      await bench.settled(() => client.socket.bytesWritten);
      client.socket.resetAndDestroy();
      await bench.until(() => bench.handler.outcomes.length === 1, 'the departure');
    },
  },
  {
    id: 'expect-relayed',
    section: 'QP-73',
    level: 'must',
    says: "the application's 100 reaches a client that waits for it",
    async run(bench) {
      await bench.start((connection) => {
        connection.socket.once('data', () => connection.write('HTTP/1.1 100 Continue\r\n\r\n'));
        answeringAfter('abc')(connection);
      });
      const client = await bench.send(post('Expect: 100-continue', 'Content-Length: 3'));
      await bench.received(client, 'HTTP/1.1 100 Continue\r\n\r\n');
      client.write('abc');
      await bench.received(client, 'ok');
    },
  },
  {
    id: 'expect-unheard',
    section: 'RFC 9110 10.1.1',
    level: 'must',
    says: 'a client that stops waiting for a 100 and sends its body is served',
    async run(bench) {
      await bench.start(answeringAfter('abc'));
      const client = await bench.send(post('Expect: 100-continue', 'Content-Length: 3'));
      await bench.asked();
      client.write('abc');
      await bench.received(client, 'ok');
    },
  },
  {
    id: 'early-answer',
    section: 'QP-87',
    level: 'must',
    says: 'an early answer arrives while the upload still runs',
    async run(bench) {
      await bench.start((connection) => {
        connection.socket.once('data', () => {
          connection.write(head('HTTP/1.1 413 Large', 'Content-Length: 0'));
        });
      });
      const client = await bench.send(post('Content-Length: 10000000'));
      client.socket.write(Buffer.alloc(5_000_000));
      await bench.received(client, 'HTTP/1.1 413 Large');
      await bench.until(() => bench.handler.outcomes.length === 1);
      expect(bench.handler.outcomes).toEqual([Outcome.COMPLETE]);
    },
  },
  {
    id: 'early-answer-local',
    section: 'QP-87',
    level: 'must',
    says: "the role's early answer to a long upload arrives, marked as the last",
    async run(bench) {
      await bench.start();
      bench.handler.onRequestHook = (exchange) => exchange.respond(413, '', 'too large');
      const client = await bench.send(post('Content-Length: 10000000'));
      client.socket.write(Buffer.alloc(5_000_000));
      await bench.received(client, 'too large');
      expect(client.received).toContain('Connection: close\r\n');
    },
  },
  {
    id: 'early-answer-keeps',
    section: 'RFC 9112 9.3',
    level: 'should',
    says: 'an early answer to a short upload keeps the connection, and in step',
    async run(bench) {
      await bench.start(answering(OK));
      const client = await bench.ask(post('Content-Length: 10'));
      client.received = '';
      client.write('0123456789');
      client.write(GET);
      await bench.received(client, 'ok');
      expect(bench.handler.exchanges.at(-1)!.method).toBe('GET');
    },
  },
  {
    id: 'body-cut',
    section: 'RFC 9112 8',
    level: 'must',
    says: 'a client that ends inside its body takes the request with it',
    async run(bench) {
      await bench.start();
      const client = await bench.send(`${post('Content-Length: 10')}abc`);
      const upstream = await bench.upstream();
      await bench.received(upstream, 'abc');
      client.socket.end();
      await bench.closed(upstream);
      expect(bench.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
    },
  },
  {
    id: 'retry-keeps-body',
    section: 'QP-63',
    level: 'must',
    says: 'an unsent request goes to another upstream with its whole body',
    async run(bench) {
      await bench.start(answeringAfter('abc'));
      const good = bench.handler.upstream!;
      bench.handler.upstream = bench.harness.pools.at('127.0.0.1', 1);
      bench.handler.onUpstreamFailure = (exchange, failure) => {
        expect(failure.sent).toBe(false);
        exchange.forward(good, bench.handler.edits);
      };
      await bench.ask(`${post('Content-Length: 3')}abc`);
    },
  },
  {
    id: 'upload-pause',
    section: 'QP-5',
    level: 'must',
    isSlow: true,
    says: 'a pause of 13 s inside an upload is survived',
    async run(bench) {
      await bench.start(answeringAfter('hello'));
      const client = await bench.send(`${post('Content-Length: 5')}he`);
      await systemClock.sleep(13_000);
      client.write('llo');
      await bench.received(client, 'ok');
    },
  },
  {
    id: 'gate-wait',
    section: 'QP-172',
    level: 'must',
    isSlow: true,
    says: 'a wait of 13 s with a body of 1 MiB unread is survived',
    async run(bench) {
      await bench.start(answeringAfter('END!'));
      const go = hold(bench);
      const client = await bench.send(post(`Content-Length: ${MIB}`));
      client.socket.write(`${'x'.repeat(MIB - 4)}END!`);
      await bench.until(() => bench.handler.exchanges.length === 1);
      await systemClock.sleep(13_000);
      go();
      await bench.received(client, 'ok');
    },
  },
];
