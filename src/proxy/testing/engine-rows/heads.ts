// Rows about request heads: what passes unchanged, what is dropped, what is refused.

import { expect } from 'vitest';
import { createHeaderEdits } from '../../header-edits.ts';
import { answering, head, type RawSocket } from '../harness.ts';
import type { EngineBench, EngineRow } from './bench.ts';

export const GET = head('GET / HTTP/1.1', 'Host: h');
export const OK = `${head('HTTP/1.1 200 OK', 'Content-Length: 2')}ok`;

/** The head the application got for `request`. */
async function forwarded(bench: EngineBench, request: string): Promise<string> {
  await bench.start(answering(OK));
  await bench.ask(request);
  return (await bench.upstream()).received;
}

/** Names in lower case, values as they are. */
function lowerNames(text: string): string {
  return text.replace(/^[^\s:]+(?=:)/gm, (name) => name.toLowerCase());
}

/** 400, the connection closed, nothing forwarded. */
async function isRefused(bench: EngineBench, request: string, status = '400'): Promise<void> {
  await bench.start(answering(OK));
  const client = await bench.send(request);
  await bench.received(client, `HTTP/1.1 ${status} `);
  await bench.closed(client);
  expect(bench.handler.events).toEqual([]);
  expect(bench.app.connections).toHaveLength(0);
}

const refusals: [id: string, section: string, says: string, request: string, status?: string][] = [
  ['refuse-no-host', 'RFC 9112 3.2', 'no Host is 400', head('GET / HTTP/1.1', 'A: b')],
  [
    'refuse-two-hosts',
    'RFC 9112 3.2',
    'two Hosts are 400',
    head('GET / HTTP/1.1', 'Host: a', 'Host: a'),
  ],
  [
    'refuse-fold',
    'RFC 9112 5.2',
    'a folded line is 400',
    head('GET / HTTP/1.1', 'Host: h', 'A: b', ' c'),
  ],
  [
    'refuse-space-colon',
    'RFC 9112 5.1',
    'a space before the colon is 400',
    head('GET / HTTP/1.1', 'Host: h', 'A : b'),
  ],
  [
    'refuse-control',
    'RFC 9110 5.5',
    'a control byte in a value is 400',
    head('GET / HTTP/1.1', 'Host: h', 'A: b\x01c'),
  ],
  ['refuse-bare-lf', 'RFC 9112 2.2', 'a bare LF is 400', 'GET / HTTP/1.1\nHost: h\n\n'],
  [
    'refuse-two-lengths',
    'RFC 9112 6.3',
    'Content-Length twice is 400',
    head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 1', 'Content-Length: 1'),
  ],
  [
    'refuse-signed-length',
    'RFC 9112 6.3',
    'a signed Content-Length is 400',
    head('POST / HTTP/1.1', 'Host: h', 'Content-Length: +1'),
  ],
  [
    'refuse-length-and-chunked',
    'RFC 9112 6.3',
    'Content-Length beside Transfer-Encoding is 400',
    head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 1', 'Transfer-Encoding: chunked'),
  ],
  [
    'refuse-coding',
    'RFC 9112 6.1',
    'a Transfer-Encoding other than chunked is 400',
    head('POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: gzip, chunked'),
  ],
  [
    'refuse-large-head',
    'QP-5',
    'a head above 1 MiB is 431',
    head('GET / HTTP/1.1', 'Host: h', `A: ${'a'.repeat(1 << 20)}`),
    '431',
  ],
];

export const HEAD_ROWS: readonly EngineRow[] = [
  {
    id: 'head-order',
    section: 'QP-68',
    level: 'must',
    says: 'header lines pass in order, with their values and duplicates',
    async run(bench) {
      const lines = [
        'host: h',
        'cookie: a=1',
        'x-b3-traceid: 1',
        'cookie: b=2',
        'x-empty: ',
        'x-tab: a\tb',
      ];
      const request = head('GET /p?q HTTP/1.1', ...lines);
      expect((await forwarded(bench, request)).replace('x-empty:\r', 'x-empty: \r')).toBe(request);
    },
  },
  {
    id: 'head-name-case',
    section: 'QP-68',
    level: 'should',
    says: 'header names pass in the case they came in',
    async run(bench) {
      const request = head('GET / HTTP/1.1', 'hOsT: h', 'X-B3-TraceId: 1');
      expect(await forwarded(bench, request)).toBe(request);
    },
  },
  {
    id: 'head-bytes-inside',
    section: 'RFC 9110 5.5',
    level: 'should',
    says: 'bytes above 7 bit inside a value pass',
    async run(bench) {
      const request = head('GET / HTTP/1.1', 'host: h', 'x-latin: caf\xe9s', 'x-utf: caf\xc3\xa9s');
      expect(await forwarded(bench, request)).toBe(request);
    },
  },
  {
    id: 'head-bytes-at-ends',
    section: 'RFC 9110 5.5',
    level: 'should',
    says: 'bytes above 7 bit at the beginning or end of a value pass',
    async run(bench) {
      const request = head('GET / HTTP/1.1', 'host: h', 'x-latin: caf\xe9');
      expect(await forwarded(bench, request)).toBe(request);
    },
  },
  {
    id: 'head-hop-by-hop',
    section: 'RFC 9110 7.6.1',
    level: 'must',
    says: 'hop-by-hop lines and those Connection names are dropped, TE: trailers is kept',
    async run(bench) {
      const received = await forwarded(
        bench,
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
      expect(lowerNames(received)).toBe(
        head('GET / HTTP/1.1', 'host: h', 'a: kept', 'te: trailers'),
      );
    },
  },
  {
    id: 'head-forwarded-for',
    section: 'QP-67',
    level: 'must',
    says: 'X-Forwarded-For lines are folded and the client appended',
    async run(bench) {
      await bench.start(answering(OK));
      bench.handler.edits = createHeaderEdits({ forwardedFor: true });
      const request = ['X-Forwarded-For: 1.1.1.1', 'Host: h', 'x-forwarded-for: 2.2.2.2'];
      await bench.ask(head('GET / HTTP/1.1', ...request));
      expect(lowerNames((await bench.upstream()).received)).toBe(
        head('GET / HTTP/1.1', 'host: h', 'x-forwarded-for: 1.1.1.1, 2.2.2.2, 127.0.0.1'),
      );
    },
  },
  {
    id: 'head-edits',
    section: 'QP-66',
    level: 'must',
    says: 'edits drop, set and replace Host',
    async run(bench) {
      await bench.start(answering(OK));
      bench.handler.edits = createHeaderEdits({
        drop: ['K-Rev'],
        set: { 'X-Route': 'r1' },
        host: 'inner',
      });
      await bench.ask(head('GET / HTTP/1.1', 'Host: h', 'K-REV: x', 'X-Route: forged', 'A: b'));
      expect(lowerNames((await bench.upstream()).received)).toBe(
        head('GET / HTTP/1.1', 'host: inner', 'a: b', 'x-route: r1'),
      );
    },
  },
  {
    id: 'head-h2c',
    section: 'RFC 9110 7.8',
    level: 'must',
    says: 'Upgrade: h2c is ignored and the request served',
    async run(bench) {
      const upgrade = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: x'];
      const received = await forwarded(bench, head('GET / HTTP/1.1', 'Host: h', ...upgrade));
      expect(lowerNames(received)).toBe(head('GET / HTTP/1.1', 'host: h'));
    },
  },
  {
    id: 'target-exact',
    section: 'QP-58',
    level: 'must',
    says: 'the target passes byte for byte',
    async run(bench) {
      await bench.start(answering(OK));
      for (const target of ['/a//b/../c%zz%2F;x=1', '/?', '/?a=b&&c?d=%', "/*'()!"]) {
        await bench.ask(head(`GET ${target} HTTP/1.1`, 'Host: h'));
        expect(bench.handler.exchanges.at(-1)!.target).toBe(target);
        const requests = bench.app.connections.map(({ received }) => received).join('');
        expect(requests).toContain(`GET ${target} HTTP/1.1\r\n`);
      }
    },
  },
  {
    id: 'method-any',
    section: 'RFC 9110 9.1',
    level: 'must',
    says: 'methods nobody registered pass, in their case',
    async run(bench) {
      const received = await forwarded(bench, head('PurGE /x HTTP/1.1', 'host: h'));
      expect(received).toBe(head('PurGE /x HTTP/1.1', 'host: h'));
    },
  },
  {
    id: 'head-cut',
    section: 'RFC 9112 2.2',
    level: 'must',
    says: 'a head may arrive in pieces, cut in its header lines',
    async run(bench) {
      await bench.start(answering(OK));
      const request = head('GET /abc HTTP/1.1', 'Host: h', 'A: b');
      await sendInPieces(bench, request, request.indexOf('\r\n') + 3);
    },
  },
  {
    id: 'request-line-cut',
    section: 'RFC 9112 3',
    level: 'must',
    says: 'a request line may arrive in pieces',
    async run(bench) {
      await bench.start(answering(OK));
      await sendInPieces(bench, head('GET /abc HTTP/1.1', 'Host: h'), 6);
    },
  },
  {
    id: 'head-large',
    section: 'QP-5',
    level: 'must',
    says: 'a head of 500 KiB passes',
    async run(bench) {
      const value = 'a'.repeat(500 * 1024);
      expect(await forwarded(bench, head('GET / HTTP/1.1', 'host: h', `a: ${value}`))).toContain(
        value,
      );
    },
  },
  {
    id: 'head-many-lines',
    section: 'QP-5',
    level: 'should',
    says: 'a head of 300 lines passes',
    async run(bench) {
      const lines = Array.from({ length: 300 }, (_, index) => `a-${index}: 1`);
      const received = await forwarded(bench, head('GET / HTTP/1.1', 'host: h', ...lines));
      expect(received).toContain('a-299: 1');
    },
  },
  {
    id: 'empty-line-first',
    section: 'RFC 9112 2.2',
    level: 'should',
    says: 'an empty line before a request is skipped',
    async run(bench) {
      await forwarded(bench, `\r\n${GET}`);
    },
  },
  {
    id: 'http-1.0',
    section: 'RFC 9110 2.5',
    level: 'must',
    says: 'HTTP/1.0 requests are served',
    async run(bench) {
      await bench.start(answering(OK));
      const client = await bench.ask('GET / HTTP/1.0\r\n\r\n');
      await bench.closed(client);
      expect(client.received).toMatch(/^HTTP\/1\.0 200 OK\r\n/);
    },
  },
  {
    id: 'absolute-form',
    section: 'RFC 9112 3.2.2',
    level: 'must',
    says: 'an absolute target is understood, its authority being the host',
    async run(bench) {
      const received = await forwarded(bench, head('GET http://a.b/c HTTP/1.1', 'Host: h'));
      expect(received).toContain('GET /c HTTP/1.1\r\nHost: a.b\r\n');
    },
  },
  {
    id: 'options-asterisk',
    section: 'QP-7',
    level: 'must',
    says: 'OPTIONS * is answered 200 by the server',
    async run(bench) {
      await bench.start();
      await bench.ask(head('OPTIONS * HTTP/1.1', 'Host: h'), 'HTTP/1.1 200 OK');
    },
  },
  {
    id: 'connect',
    section: 'RFC 9110 9.3.6',
    level: 'should',
    says: 'CONNECT is left to the application, whose refusal is relayed',
    async run(bench) {
      await bench.start(answering(head('HTTP/1.1 405 No', 'Content-Length: 0')));
      await bench.ask(head('CONNECT a:1 HTTP/1.1', 'Host: a:1'), '405 No');
    },
  },
  {
    id: 'refuse-ends-all',
    section: 'RFC 9112 6.3',
    level: 'must',
    says: 'what follows a refused head is never read as another request',
    async run(bench) {
      await bench.start(answering(OK));
      const lengths = head('POST / HTTP/1.1', 'Host: h', 'Content-Length: 0', 'Content-Length: 9');
      const coding = head('POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: identity');
      for (const refused of [lengths, coding]) {
        const client = await bench.send(`${refused}${GET}`);
        await bench.closed(client);
        expect(client.received.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400']);
      }
      expect(bench.handler.events).toEqual([]);
    },
  },
  ...refusals.map(
    ([id, section, says, request, status]): EngineRow => ({
      id,
      section,
      level: 'must',
      says: `${says}, the connection closes and nothing is forwarded`,
      run: (bench) => isRefused(bench, request, status),
    }),
  ),
];

async function sendInPieces(bench: EngineBench, request: string, cut: number): Promise<void> {
  const client: RawSocket = await bench.send(request.slice(0, cut));
  await new Promise((resolve) => client.socket.write('', resolve));
  await bench.settled(() => 1);
  client.write(request.slice(cut));
  await bench.received(client, 'ok');
}
