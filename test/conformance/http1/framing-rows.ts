// Conformance rows: where a request's body ends (RFC 9112 section 6) and chunked framing (section 7).
// Stricter than the RFC where it lets recipients choose: docs/decisions/0011-framing-strictness.md.

import assert from 'node:assert/strict';
import type { Http1Context } from './context.ts';
import { valuesOf } from './raw-message.ts';
import { type Http1Row, head, refusal } from './row.ts';

const POST = 'POST / HTTP/1.1';
const HOST = 'Host: h';
const CHUNKED = head(POST, HOST, 'Transfer-Encoding: chunked');
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n';
type Level = Http1Row['level'];

function oddLength(id: string, level: Level, says: string, ...lines: string[]): Http1Row {
  return refusal(id, '9112 6.3', level, says, `${head(POST, HOST, ...lines)}abc${SMUGGLED}`);
}

function oddCoding(
  id: string,
  section: string,
  level: Level,
  says: string,
  lines: string[],
): Http1Row {
  return refusal(id, section, level, says, `${head(POST, HOST, ...lines)}0\r\n\r\n${SMUGGLED}`);
}

/** The body breaks its framing: 400, counted, and the application never sees a whole request. */
function oddChunks(
  id: string,
  section: string,
  level: Level,
  says: string,
  body: string,
): Http1Row {
  return {
    id,
    section,
    level,
    says,
    run: async (context) => {
      const client = await context.harness.send(`${CHUNKED}${body}${SMUGGLED}`);
      await context.untilOver(client);
      assert.match(client.received, /^HTTP\/1\.1 400 /);
      assert.equal(context.harness.server.rejectedCount, 1, 'rejectedCount');
      assert.ok(!context.appReceived.includes('smuggled'));
      assert.ok(!context.appReceived.includes('\r\n0\r\n'), context.appReceived);
    },
  };
}

async function bodyBecomes(context: Http1Context, request: string, body: string): Promise<void> {
  assert.equal((await context.forwarded(request)).body, body);
}

const LENGTH_ROWS: readonly Http1Row[] = [
  oddLength(
    'length-twice',
    'must',
    'Two different Content-Length lines are refused.',
    'Content-Length: 3',
    'Content-Length: 4',
  ),
  oddLength(
    'length-twice-equal',
    'should',
    'Two equal ones as well.',
    'Content-Length: 3',
    'Content-Length: 3',
  ),
  oddLength(
    'length-list',
    'should',
    'A list of lengths is refused, equal or not.',
    'Content-Length: 3, 3',
  ),
  oddLength('length-plus', 'must', 'A signed length is refused.', 'Content-Length: +3'),
  oddLength('length-minus', 'must', 'A negative length is refused.', 'Content-Length: -3'),
  oddLength('length-hex', 'must', 'A hexadecimal length is refused.', 'Content-Length: 0x3'),
  oddLength('length-fraction', 'must', 'A fraction is refused.', 'Content-Length: 3.0'),
  oddLength('length-empty', 'must', 'An empty length is refused.', 'Content-Length:'),
  oddLength(
    'length-overflow',
    'must',
    'A length beyond what integers hold is refused.',
    'Content-Length: 18446744073709551619',
  ),
  oddLength(
    'length-and-coding',
    'should',
    'Content-Length with Transfer-Encoding is refused.',
    'Content-Length: 3',
    'Transfer-Encoding: chunked',
  ),
  oddLength(
    'length-and-coding-reverse',
    'should',
    'In either order.',
    'Transfer-Encoding: chunked',
    'Content-Length: 3',
  ),
  {
    id: 'length-leading-zeros',
    section: '9110 8.6',
    level: 'must',
    says: 'Leading zeros change nothing: the length is decimal.',
    run: (context) =>
      bodyBecomes(context, `${head(POST, HOST, 'Content-Length: 0010')}0123456789`, '0123456789'),
  },
  {
    id: 'length-body-looks-like-request',
    section: '9112 6.3',
    level: 'must',
    says: 'A body is its length of bytes, whatever they look like.',
    run: (context) =>
      bodyBecomes(
        context,
        head(POST, HOST, `Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
        SMUGGLED,
      ),
  },
  {
    id: 'length-cut-short',
    section: '9112 8',
    level: 'must',
    says: 'A body that ends before its length never becomes a whole request.',
    run: async (context) => {
      const client = await context.harness.send(`${head(POST, HOST, 'Content-Length: 9')}abc`);
      await context.untilAppReceived('abc');
      client.socket.end();
      const connection = context.app.connections[0]!;
      await context.until(
        () => connection.hasEnded || connection.hasClosed,
        () => 'end at the application',
      );
      assert.ok(connection.received.endsWith('abc'));
      assert.ok(!client.received.includes(' 200 '));
    },
  },
  {
    id: 'length-absent',
    section: '9112 6.3',
    level: 'must',
    says: 'A request without length and coding has no body.',
    run: async (context) => {
      const client = await context.harness.send(
        `${head(POST, HOST)}${head('GET /two HTTP/1.1', HOST)}`,
      );
      await context.answers(client, 2);
      assert.match(context.appReceived, /^POST \/ [\s\S]*GET \/two /);
    },
  },
];

const CODING_ROWS: readonly Http1Row[] = [
  oddCoding(
    'coding-not-final',
    '9112 6.3',
    'must',
    'A request whose last coding is not chunked is refused.',
    ['Transfer-Encoding: chunked, gzip'],
  ),
  oddCoding('coding-unknown', '9112 6.1', 'should', 'A coding besides chunked is refused.', [
    'Transfer-Encoding: gzip, chunked',
  ]),
  oddCoding('coding-identity', '9112 7', 'should', '`identity` is no coding any more.', [
    'Transfer-Encoding: identity',
  ]),
  oddCoding(
    'coding-spelling',
    '9112 7',
    'should',
    'Only `chunked` to the letter is chunked (decision 0011).',
    ['Transfer-Encoding: Chunked'],
  ),
  oddCoding('coding-prefix', '9112 7', 'must', '`xchunked` is not chunked.', [
    'Transfer-Encoding: xchunked',
  ]),
  oddCoding('coding-twice', '9112 7.1', 'must', 'Chunked applied twice is refused.', [
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: chunked',
  ]),
  oddCoding('coding-list-twice', '9112 7.1', 'must', 'In one line as well.', [
    'Transfer-Encoding: chunked, chunked',
  ]),
  oddCoding('coding-control', '9112 6.1', 'must', 'A control byte before the coding is refused.', [
    'Transfer-Encoding: \x0bchunked',
  ]),
  oddCoding('coding-empty', '9112 6.1', 'must', 'An empty Transfer-Encoding is refused.', [
    'Transfer-Encoding:',
  ]),
  refusal(
    'coding-1.0',
    '9112 6.1',
    'must',
    'Transfer-Encoding in HTTP/1.0 is faulty framing.',
    `${head('POST / HTTP/1.0', HOST, 'Transfer-Encoding: chunked')}0\r\n\r\n`,
  ),
];

const CHUNK_ROWS: readonly Http1Row[] = [
  {
    id: 'chunk-body',
    section: '9112 7.1',
    level: 'must',
    says: 'A chunked body arrives whole, and the request behind it is read.',
    run: async (context) => {
      const body = '3\r\nabc\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n4\r\n\r\n0\r\r\n0\r\n\r\n';
      const client = await context.harness.send(CHUNKED + body + head('GET /two HTTP/1.1', HOST));
      await context.answers(client, 2);
      assert.ok(context.appReceived.includes('GET /two HTTP/1.1\r\n'));
      assert.ok(context.appReceived.includes('abcdefghijklmnopqrstuvwxyz'));
    },
  },
  {
    id: 'chunk-data-exact',
    section: '9112 7.1',
    level: 'must',
    says: 'Chunk data is its size of bytes, line ends among them.',
    run: (context) =>
      bodyBecomes(
        context,
        `${CHUNKED}5\r\n\r\n0\r\n\r\n3\r\n\0\xff\n\r\n0\r\n\r\n`,
        '\r\n0\r\n\0\xff\n',
      ),
  },
  {
    id: 'chunk-extension',
    section: '9112 7.1.1',
    level: 'must',
    says: 'Chunk extensions are ignored and go no further.',
    run: async (context) => {
      await bodyBecomes(context, `${CHUNKED}3;a=b;c="d;e"\r\nabc\r\n0;last\r\n\r\n`, 'abc');
      assert.ok(!context.appReceived.includes(';'));
    },
  },
  oddChunks(
    'chunk-size-empty',
    '9112 7.1',
    'must',
    'A chunk without a size is refused.',
    '\r\nabc\r\n0\r\n\r\n',
  ),
  oddChunks(
    'chunk-size-sign',
    '9112 7.1',
    'must',
    'A signed size is refused.',
    '+3\r\nabc\r\n0\r\n\r\n',
  ),
  oddChunks(
    'chunk-size-prefix',
    '9112 7.1',
    'must',
    'A `0x` is refused.',
    '0x3\r\nabc\r\n0\r\n\r\n',
  ),
  oddChunks(
    'chunk-size-space',
    '9112 7.1',
    'should',
    'White space in the size line is refused.',
    '3 \r\nabc\r\n0\r\n\r\n',
  ),
  oddChunks(
    'chunk-size-overflow',
    '9112 7.1',
    'must',
    'A size beyond what integers hold is refused.',
    '10000000000000003\r\nabc\r\n0\r\n\r\n',
  ),
  oddChunks(
    'chunk-size-line-lf',
    '9112 7.1',
    'must',
    'A size line that ends in a bare LF is refused.',
    '3\nabc\r\n0\r\n\r\n',
  ),
  oddChunks(
    'chunk-extension-lf',
    '9112 7.1.1',
    'must',
    'A bare LF in an extension is refused.',
    '3;a\nabc\r\n0\r\n\r\n',
  ),
  oddChunks(
    'chunk-data-too-long',
    '9112 7.1',
    'must',
    'Data beyond the size is refused.',
    '3\r\nabcd\r\n0\r\n\r\n',
  ),
  oddChunks(
    'chunk-data-no-crlf',
    '9112 7.1',
    'must',
    'Data without its CRLF is refused.',
    '3\r\nabc0\r\n\r\n',
  ),
  oddChunks(
    'chunk-data-lf',
    '9112 7.1',
    'must',
    'Data that ends in a bare LF is refused.',
    '3\r\nabc\n0\r\n\r\n',
  ),
  oddChunks(
    'chunk-extension-long',
    '9112 7.1.1',
    'should',
    'Extensions have a limit.',
    `3;${'a'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`,
  ),
  {
    id: 'chunk-broken-later',
    section: '9112 8',
    level: 'must',
    says: 'Framing that breaks after part of the body went on: the application sees no end.',
    run: async (context) => {
      const client = await context.harness.send(`${CHUNKED}3\r\nabc\r\n`);
      await context.untilAppReceived('abc');
      client.write('xyz\r\n');
      await context.untilOver(client);
      const connection = context.app.connections[0]!;
      await context.until(
        () => connection.hasEnded || connection.hasClosed,
        () => 'end at the application',
      );
      assert.ok(!connection.received.includes('\r\n0\r\n'));
    },
  },
];

const TRAILER_ROWS: readonly Http1Row[] = [
  {
    id: 'trailer-request',
    section: '9110 6.5',
    level: 'should',
    says: 'Trailers of a request reach the application as trailers.',
    run: async (context) => {
      const request = await context.forwarded(
        `${head(POST, HOST, 'Trailer: X-Sum', 'Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n`,
      );
      assert.deepEqual(valuesOf(request, 'trailer'), ['X-Sum']);
      assert.deepEqual(valuesOf(request, 'x-sum'), []);
      assert.equal(request.trailers, 'X-Sum: 9\r\n');
    },
  },
  {
    id: 'trailer-forbidden',
    section: '9110 6.5.1',
    level: 'must',
    says: 'Fields for routing and authentication do not pass as trailers.',
    run: async (context) => {
      const request = await context.forwarded(
        `${CHUNKED}0\r\nHost: evil\r\nAuthorization: x\r\nX-Sum: 9\r\n\r\n`,
      );
      assert.equal(request.trailers, 'X-Sum: 9\r\n');
    },
  },
  oddChunks(
    'trailer-length',
    '9110 6.5.1',
    'must',
    'Content-Length in the trailers is refused.',
    '0\r\nContent-Length: 3\r\n\r\n',
  ),
  oddChunks(
    'trailer-coding',
    '9110 6.5.1',
    'must',
    'So is Transfer-Encoding.',
    '0\r\nTransfer-Encoding: chunked\r\n\r\n',
  ),
  oddChunks(
    'trailer-connection',
    '9110 6.5.1',
    'must',
    'So is Connection.',
    '0\r\nConnection: close\r\n\r\n',
  ),
  oddChunks(
    'trailer-syntax',
    '9112 7.1.2',
    'must',
    'Trailer lines obey the syntax of field lines.',
    '0\r\nX Y: 3\r\n\r\n',
  ),
];

export const FRAMING_ROWS: readonly Http1Row[] = [
  ...LENGTH_ROWS,
  ...CODING_ROWS,
  ...CHUNK_ROWS,
  ...TRAILER_ROWS,
];
