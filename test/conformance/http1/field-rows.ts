// Conformance rows: field lines (RFC 9112 section 5, RFC 9110 section 5) and the fields that belong
// to one hop only (RFC 9110 7.6).

import assert from 'node:assert/strict';
import type { Http1Context } from './context.ts';
import { firstRequest, type RawMessage, valuesOf } from './raw-message.ts';
import { type Http1Row, head, refusal } from './row.ts';

const GET = 'GET / HTTP/1.1';
const HOST = 'Host: h';

function withLines(context: Http1Context, ...lines: string[]): Promise<RawMessage> {
  return context.forwarded(head(GET, HOST, ...lines));
}

/** An odd line is refused whatever surrounds it. */
function oddLine(
  id: string,
  section: string,
  level: Http1Row['level'],
  says: string,
  line: string,
): Http1Row {
  return refusal(id, section, level, says, head(GET, HOST, line, 'X-After: y'));
}

const SYNTAX_ROWS: readonly Http1Row[] = [
  oddLine(
    'field-space-before-colon',
    '9112 5.1',
    'must',
    'White space before the colon is refused.',
    'X : y',
  ),
  oddLine('field-tab-before-colon', '9112 5.1', 'must', 'So is a tab before the colon.', 'X\t: y'),
  oddLine('field-obs-fold', '9112 5.2', 'must', 'A folded line is refused.', 'X: a\r\n b'),
  oddLine('field-obs-fold-tab', '9112 5.2', 'must', 'So is one folded by a tab.', 'X: a\r\n\tb'),
  oddLine('field-empty-name', '9110 5.1', 'should', 'An empty name is refused.', ': y'),
  oddLine(
    'field-name-not-token',
    '9110 5.1',
    'should',
    'A name that is no token is refused.',
    'X(y): z',
  ),
  oddLine('field-name-space', '9110 5.1', 'should', 'A space inside a name is refused.', 'X Y: z'),
  oddLine('field-no-colon', '9112 5', 'should', 'A line without a colon is refused.', 'X-NoColon'),
  oddLine('field-nul', '9110 5.5', 'must', 'A NUL in a value is refused.', 'X: a\0b'),
  oddLine('field-bare-cr', '9110 5.5', 'must', 'A bare CR in a value is refused.', 'X: a\rb'),
  oddLine('field-bare-lf', '9110 5.5', 'must', 'A bare LF in a value is refused.', 'X: a\nb'),
  oddLine('field-control', '9110 5.5', 'should', 'Any other control byte is refused.', 'X: a\x07b'),
  oddLine('field-delete', '9110 5.5', 'should', 'So is DEL.', 'X: a\x7fb'),
  oddLine(
    'field-smuggled-length',
    '9112 5.1',
    'must',
    'No odd spelling of Content-Length gets through.',
    'Content-Length : 5',
  ),
  refusal(
    'field-lf-end',
    '9112 2.2',
    'should',
    'A head that ends in bare LFs is refused.',
    `${GET}\r\n${HOST}\n\n`,
  ),
  {
    id: 'field-ows',
    section: '9112 5.1',
    level: 'must',
    says: 'White space around a value is no part of it.',
    run: async (context) => {
      const request = await withLines(context, 'Connection:\t X-Gone \t', 'X-Gone: y');
      assert.deepEqual(valuesOf(request, 'x-gone'), []);
    },
  },
  {
    id: 'field-latin1',
    section: '9110 5.5',
    level: 'should',
    says: 'Bytes above 0x7f in a value are opaque and pass unchanged.',
    run: async (context) => {
      const request = await withLines(context, 'X-Name: caf\xe9\xff');
      assert.deepEqual(valuesOf(request, 'x-name'), ['caf\xe9\xff']);
    },
  },
  {
    id: 'field-empty-value',
    section: '9110 5.5',
    level: 'must',
    says: 'An empty value passes as an empty value.',
    run: async (context) => {
      assert.deepEqual(valuesOf(await withLines(context, 'X-Empty:'), 'x-empty'), ['']);
    },
  },
  {
    id: 'field-order',
    section: '9110 5.3',
    level: 'must',
    says: 'Lines of the same name keep their order.',
    run: async (context) => {
      const request = await withLines(context, 'X-A: 1', 'X-B: z', 'x-a: 2', 'X-A: 3');
      assert.deepEqual(valuesOf(request, 'x-a'), ['1', '2', '3']);
    },
  },
  {
    id: 'field-name-case',
    section: '9110 5.1',
    level: 'must',
    says: 'Names are case-insensitive, those that frame the message included.',
    run: async (context) => {
      const request = await context.forwarded(
        `POST / HTTP/1.1\r\nhOST: h\r\ncONTENT-lENGTH: 3\r\n\r\nabc`,
      );
      assert.equal(request.body, 'abc');
    },
  },
  {
    id: 'field-many',
    section: '9110 5.4',
    level: 'should',
    says: 'A thousand lines pass.',
    run: async (context) => {
      const lines = Array.from({ length: 1_000 }, (_, index) => `X-L: ${index}`);
      const seen = valuesOf(await withLines(context, ...lines), 'x-l');
      assert.deepEqual(
        seen,
        lines.map((line) => line.slice(5)),
      );
    },
  },
];

const HOP_ROWS: readonly Http1Row[] = [
  {
    id: 'hop-connection-named',
    section: '9110 7.6.1',
    level: 'must',
    says: 'Connection and every field it names are removed.',
    run: async (context) => {
      const request = await withLines(
        context,
        'Connection: X-One, x-two',
        'X-One: 1',
        'Connection: x-three',
        'X-Two: 2',
        'X-Three: 3',
        'X-Four: 4',
      );
      for (const name of ['connection', 'x-one', 'x-two', 'x-three']) {
        assert.deepEqual(valuesOf(request, name), [], name);
      }
      assert.deepEqual(valuesOf(request, 'x-four'), ['4']);
    },
  },
  {
    id: 'hop-by-hop',
    section: '9110 7.6.1',
    level: 'should',
    says: 'Keep-Alive, Proxy-Connection, TE and Upgrade are removed, named or not.',
    run: async (context) => {
      const request = await withLines(
        context,
        'Keep-Alive: timeout=5',
        'Proxy-Connection: close',
        'TE: gzip',
        'Upgrade: x',
        'Proxy-Authorization: b',
      );
      for (const name of [
        'keep-alive',
        'proxy-connection',
        'te',
        'upgrade',
        'proxy-authorization',
      ]) {
        assert.deepEqual(valuesOf(request, name), [], name);
      }
    },
  },
  {
    id: 'hop-close-not-forwarded',
    section: '9112 9.6',
    level: 'must',
    says: 'The client’s `Connection: close` is about its own connection.',
    run: async (context) => {
      assert.deepEqual(valuesOf(await withLines(context, 'Connection: close'), 'connection'), []);
    },
  },
  {
    id: 'hop-named-framing',
    section: '9110 7.6.1',
    level: 'must',
    says: 'Naming Host or Content-Length does not remove them.',
    run: async (context) => {
      const request = await context.forwarded(
        `${head('POST / HTTP/1.1', HOST, 'Connection: host, content-length', 'Content-Length: 3')}abc`,
      );
      assert.deepEqual(valuesOf(request, 'host'), ['h']);
      assert.equal(request.body, 'abc');
    },
  },
  {
    id: 'hop-te-trailers',
    section: '9110 10.1.4',
    level: 'should',
    says: '`TE: trailers` is said anew to the application, other codings are not.',
    run: async (context) => {
      assert.deepEqual(valuesOf(await withLines(context, 'TE: gzip, trailers'), 'te'), [
        'trailers',
      ]);
    },
  },
  {
    id: 'hop-answer',
    section: '9110 7.6.1',
    level: 'must',
    says: 'An answer loses Connection, what it names, and its hop-by-hop fields.',
    run: async (context) => {
      const answer = await context.relayed(
        head(
          'HTTP/1.1 200 OK',
          'Connection: x-gone',
          'X-Gone: 1',
          'Keep-Alive: timeout=9',
          'X-Kept: 2',
          'Content-Length: 0',
        ),
      );
      for (const name of ['connection', 'x-gone', 'keep-alive']) {
        assert.deepEqual(valuesOf(answer, name), [], name);
      }
      assert.deepEqual(valuesOf(answer, 'x-kept'), ['2']);
    },
  },
  {
    id: 'hop-via',
    section: '9110 7.6.3',
    level: 'should',
    says: 'Via lines pass as they are; none is added, as the proxy this one replaces adds none (QP-69).',
    run: async (context) => {
      context.answerWith(head('HTTP/1.1 200 OK', 'Via: 1.1 app', 'Content-Length: 0'));
      const client = await context.harness.send(head(GET, HOST, 'Via: 1.0 edge'));
      const [answer] = await context.answers(client);
      assert.deepEqual(valuesOf(answer!, 'via'), ['1.1 app']);
      const request = firstRequest(context.appReceived);
      assert.deepEqual(valuesOf(request!, 'via'), ['1.0 edge']);
    },
  },
];

export const FIELD_ROWS: readonly Http1Row[] = [...SYNTAX_ROWS, ...HOP_ROWS];
