// Rows about answers: heads, framing, streaming, backpressure, what breaks.

import { expect } from 'vitest';
import { systemClock } from '../../../clock/clock.ts';
import { Outcome } from '../../types.ts';
import { answering, head, type RawSocket } from '../harness.ts';
import type { EngineBench, EngineRow } from './bench.ts';
import { GET, OK } from './heads.ts';

const MIB = 1024 * 1024;
const CHUNKED = head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked');

/** Answers every connection's first request with `text` and closes. */
function closingAfter(text: string): (connection: RawSocket) => void {
  return (connection) => {
    connection.socket.once('data', () => connection.socket.end(text, 'latin1'));
  };
}

/** The answer as one text, decoded if it came in chunks. */
function bodyOf(received: string): string {
  const at = received.indexOf('\r\n\r\n') + 4;
  const isChunked = /\r\ntransfer-encoding: chunked\r\n/i.test(received.slice(0, at));
  return isChunked ? dechunked(received.slice(at)) : received.slice(at);
}

function dechunked(text: string): string {
  const parts: string[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (lineEnd < 0 || !(size > 0)) return parts.join('');
    parts.push(text.slice(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 4 + size;
  }
}

/** A client that does not read stops the application; reading on gets everything. */
async function slowReader(
  bench: EngineBench,
  answerHead: string,
  isChunked: boolean,
): Promise<void> {
  await bench.start();
  const client = await bench.send(GET);
  client.socket.pause();
  const application = await bench.asked();
  const size = 100 * MIB;
  application.write(answerHead);
  const piece = Buffer.alloc(MIB, 'x');
  for (let sent = 0; sent < size; sent += MIB) {
    if (isChunked) application.write(`${MIB.toString(16)}\r\n`);
    application.socket.write(piece);
    if (isChunked) application.write('\r\n');
  }
  if (isChunked) application.write('0\r\n\r\n');
  const passed = await bench.settled(() => bench.handler.responseBytes);
  expect(passed).toBeLessThan(40 * MIB);
  let seen = 0;
  client.socket.removeAllListeners('data');
  client.socket.on('data', (bytes: Buffer) => {
    seen += bytes.length;
  });
  client.socket.resume();
  await bench.until(() => seen > size, 'the whole answer');
  expect(bench.handler.responseBytes).toBe(size);
  await bench.until(() => bench.handler.outcomes.length === 1);
  expect(bench.handler.outcomes).toEqual([Outcome.COMPLETE]);
}

/** A client that stops reading for 13 s inside a large answer gets the rest afterwards. */
async function stalledReader(bench: EngineBench, isChunked: boolean): Promise<void> {
  const size = 16 * MIB;
  const body = 'y'.repeat(size - 4).concat('END!');
  const text = isChunked
    ? `${CHUNKED}${size.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    : `${head('HTTP/1.1 200 OK', `Content-Length: ${size}`)}${body}`;
  await bench.start(answering(text));
  const client = await bench.send(GET);
  client.socket.pause();
  await bench.settled(() => bench.handler.responseBytes);
  await systemClock.sleep(13_000);
  client.socket.resume();
  await bench.until(() => client.received.includes('END!'), 'the end of the answer');
  expect(bodyOf(client.received).length).toBe(size);
}

const bodiless: [id: string, says: string, request: string, answer: string, kept: string][] = [
  [
    'head-length',
    'HEAD keeps the Content-Length',
    head('HEAD / HTTP/1.1', 'Host: h'),
    head('HTTP/1.1 200 OK', 'Content-Length: 99'),
    'Content-Length: 99\r\n',
  ],
  [
    'head-chunked',
    'HEAD of a chunked answer has no body',
    head('HEAD / HTTP/1.1', 'Host: h'),
    CHUNKED,
    '200 OK\r\n',
  ],
  [
    'not-modified',
    '304 keeps the Content-Length',
    GET,
    head('HTTP/1.1 304 Same', 'Content-Length: 99'),
    'Content-Length: 99\r\n',
  ],
  ['no-content', '204 has no body and no length', GET, head('HTTP/1.1 204 None'), '204 None\r\n'],
  [
    'empty',
    'an empty 200 says so',
    GET,
    head('HTTP/1.1 200 OK', 'Content-Length: 0'),
    'Content-Length: 0\r\n',
  ],
];

const truncated: [id: string, says: string, answer: string][] = [
  ['cut-length', 'with a length', `${head('HTTP/1.1 200 OK', 'Content-Length: 10')}abc`],
  ['cut-chunks', 'in chunks', `${CHUNKED}3\r\nabc\r\n`],
  ['cut-broken', 'in broken chunks', `${CHUNKED}3\r\nabcd\r\n`],
];

export const ANSWER_ROWS: readonly EngineRow[] = [
  {
    id: 'answer-head',
    section: 'QP-74',
    level: 'must',
    says: 'status, reason, repeated lines and bytes above 7 bit pass, hop-by-hop lines go, one Date',
    async run(bench) {
      const lines = [
        'Connection: X-Hop',
        'X-Hop: 1',
        'Keep-Alive: timeout=9',
        'set-cookie: a',
        'Set-Cookie: b',
        'X-L: caf\xe9',
        'Date: Sat, 01 Jan 2000 00:00:00 GMT',
        'Content-Length: 2',
      ];
      await bench.start(answering(`${head('HTTP/1.1 299 Really Fine', ...lines)}ok`));
      const { received } = await bench.ask(GET);
      const answerHead = received.slice(0, received.indexOf('\r\n\r\n') + 2);
      expect(answerHead).toMatch(
        /^HTTP\/1\.1 299 Really Fine\r\nset-cookie: a\r\nSet-Cookie: b\r\nX-L: caf\xe9\r\n/,
      );
      expect(answerHead.match(/\r\ndate: /gi)).toHaveLength(1);
      expect(answerHead.match(/\r\ncontent-length: 2\r\n/gi)).toHaveLength(1);
      expect(answerHead).not.toMatch(/x-hop|keep-alive|transfer-encoding|uwebsockets/i);
    },
  },
  {
    id: 'answer-own-date',
    section: 'RFC 9110 6.6.1',
    level: 'should',
    says: "the application's Date passes",
    async run(bench) {
      const date = 'Date: Sat, 01 Jan 2000 00:00:00 GMT';
      await bench.start(answering(`${head('HTTP/1.1 200 OK', date, 'Content-Length: 2')}ok`));
      expect((await bench.ask(GET)).received).toContain(`${date}\r\n`);
    },
  },
  {
    id: 'answer-added-lines',
    section: 'RFC 9110 7.7',
    level: 'must',
    says: 'the role can add lines to a relayed head',
    async run(bench) {
      await bench.start(answering(OK));
      bench.handler.onRequestHook = (exchange) => {
        exchange.addResponseHeaders('X-Added: 1\r\n');
        exchange.forward(bench.handler.upstream!, bench.handler.edits);
      };
      expect((await bench.ask(GET)).received).toContain('X-Added: 1\r\n');
    },
  },
  {
    id: 'answer-keep-alive',
    section: 'RFC 9112 9.3',
    level: 'must',
    says: 'requests follow each other on one connection, and on one to the application',
    async run(bench) {
      const chunked = `${CHUNKED}3\r\nabc\r\n0\r\n\r\n`;
      await bench.start(answering(OK, chunked, head('HTTP/1.1 204 None'), OK));
      const client = await bench.send(GET);
      await bench.received(client, 'ok');
      for (const [method, sign] of [
        ['GET', '0\r\n\r\n'],
        ['GET', '204 None'],
        ['POST', 'ok'],
      ]) {
        await bench.until(() => bench.handler.outcomes.length === bench.handler.exchanges.length);
        client.received = '';
        client.write(head(`${method} / HTTP/1.1`, 'Host: h', 'Content-Length: 0'));
        await bench.received(client, sign!);
      }
      expect(bench.app.connections).toHaveLength(1);
      expect(bench.harness.server.connectionCount).toBe(1);
    },
  },
  {
    id: 'answer-chunked',
    section: 'RFC 9112 7.1',
    level: 'must',
    says: 'a chunked answer arrives in chunks with a clean end',
    async run(bench) {
      await bench.start(answering(`${CHUNKED}3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n`));
      const { received } = await bench.ask(GET, '\r\n0\r\n\r\n');
      expect(bodyOf(received)).toBe('abcdefg');
    },
  },
  {
    id: 'answer-until-close',
    section: 'RFC 9112 6.3',
    level: 'must',
    says: 'an answer that ends with the connection gets chunks and a clean end',
    async run(bench) {
      await bench.start(closingAfter(`${head('HTTP/1.0 200 OK')}all of it`));
      const client = await bench.ask(GET, '\r\n0\r\n\r\n');
      expect(bodyOf(client.received)).toBe('all of it');
      expect(client.hasEnded).toBe(false);
    },
  },
  {
    id: 'answer-events',
    section: 'QP-76',
    level: 'must',
    says: 'each event of a stream reaches the client as it comes',
    async run(bench) {
      await bench.start();
      const client = await bench.send(GET);
      const application = await bench.asked();
      application.write(`${CHUNKED}9\r\ndata: 1\n\n\r\n`);
      await bench.received(client, 'data: 1\n\n');
      application.write('9\r\ndata: 2\n\n\r\n');
      await bench.received(client, 'data: 2\n\n');
      application.write('0\r\n\r\n');
      await bench.received(client, '0\r\n\r\n');
      expect(bench.handler.responseBytes).toBe(18);
    },
  },
  {
    id: 'answer-head-first',
    section: 'QP-76',
    level: 'should',
    says: 'the head of a stream arrives before its first event',
    async run(bench) {
      await bench.start();
      const client = await bench.send(GET);
      (await bench.asked()).write(CHUNKED);
      await bench.received(client, '\r\n\r\n');
    },
  },
  {
    id: 'answer-head-first-length',
    section: 'QP-76',
    level: 'should',
    says: 'the head of an answer with a length arrives before its body',
    async run(bench) {
      await bench.start();
      const client = await bench.send(GET);
      const application = await bench.asked();
      application.write(head('HTTP/1.1 200 OK', 'Content-Length: 2'));
      await bench.received(client, '\r\n\r\n');
      application.write('ok');
      await bench.received(client, '\r\n\r\nok');
    },
  },
  {
    id: 'answer-trailers',
    section: 'QP-77',
    level: 'must',
    says: 'trailers of an answer reach the client',
    async run(bench) {
      await bench.start(answering(`${CHUNKED}2\r\nok\r\n0\r\nX-Sum: 2\r\n\r\n`));
      await bench.ask(GET, '0\r\nX-Sum: 2\r\n\r\n');
    },
  },
  {
    id: 'answer-interim',
    section: 'QP-81',
    level: 'must',
    says: 'interim answers are relayed',
    async run(bench) {
      await bench.start(answering(`${head('HTTP/1.1 103 Early Hints', 'Link: </a>')}${OK}`));
      await bench.ask(GET, 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
    },
  },
  {
    id: 'answer-after-interim',
    section: 'QP-81',
    level: 'must',
    says: 'the final status survives interim answers',
    async run(bench) {
      const interim = `${head('HTTP/1.1 100 Continue')}${head('HTTP/1.1 103 Early Hints')}`;
      await bench.start(answering(`${interim}${head('HTTP/1.1 404 Gone', 'Content-Length: 0')}`));
      await bench.ask(GET, 'HTTP/1.1 404 Gone');
      expect(bench.handler.events).toContain('interim 103');
    },
  },
  ...bodiless.map(
    ([id, says, request, answer, kept]): EngineRow => ({
      id: `answer-${id}`,
      section: 'RFC 9110 8.6',
      level: 'must',
      says: `${says}, and both connections live on`,
      async run(bench) {
        await bench.start(answering(answer, OK));
        const client = await bench.ask(request, '\r\n\r\n');
        expect(client.received).toContain(kept);
        expect(client.received.match(/content-length/gi)?.length ?? 0).toBe(
          kept.includes('Length') ? 1 : 0,
        );
        client.write(GET);
        await bench.received(client, 'ok');
        expect(bench.app.connections).toHaveLength(1);
      },
    }),
  ),
  ...truncated.map(
    ([id, says, answer]): EngineRow => ({
      id: `answer-${id}`,
      section: 'QP-79',
      level: 'must',
      says: `an answer ${says} that is cut short is never ended cleanly`,
      async run(bench) {
        await bench.start(closingAfter(answer));
        const client = await bench.send(GET);
        await bench.closed(client);
        expect(client.received).not.toContain('\r\n0\r\n\r\n');
        expect(bench.handler.outcomes).toEqual([Outcome.TRUNCATED]);
      },
    }),
  ),
  {
    id: 'answer-backpressure-length',
    section: 'QP-78',
    level: 'must',
    says: 'a client that does not read stops an application that knows the length',
    run: (bench) =>
      slowReader(bench, head('HTTP/1.1 200 OK', `Content-Length: ${100 * MIB}`), false),
  },
  {
    id: 'answer-backpressure-chunked',
    section: 'QP-78',
    level: 'must',
    says: 'a client that does not read stops an application that sends chunks',
    run: (bench) => slowReader(bench, CHUNKED, true),
  },
  {
    id: 'answer-stall-length',
    section: 'QP-5',
    level: 'must',
    isSlow: true,
    says: 'a client may stop reading an answer with a length for 13 s',
    run: (bench) => stalledReader(bench, false),
  },
  {
    id: 'answer-stall-chunked',
    section: 'QP-5',
    level: 'must',
    isSlow: true,
    says: 'a client may stop reading a chunked answer for 13 s',
    run: (bench) => stalledReader(bench, true),
  },
];
