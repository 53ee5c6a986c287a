// Conformance rows: request line, its target forms, and Host (RFC 9112 section 3, RFC 9110 7.1, 7.2).

import assert from 'node:assert/strict';
import { type Http1Context, MAX_HEAD_BYTES } from './context.ts';
import { valuesOf } from './raw-message.ts';
import { type Http1Row, head, refusal } from './row.ts';

async function lineBecomes(context: Http1Context, line: string, seen: string): Promise<void> {
  const request = await context.forwarded(head(line, 'Host: h'));
  assert.equal(request.start, seen);
}

const LONG_TARGET = `/${'x'.repeat(8_000)}`;

export const REQUEST_LINE_ROWS: readonly Http1Row[] = [
  {
    id: 'line-origin-form',
    section: '9112 3.2.1',
    level: 'must',
    says: 'A target in origin form is passed on byte for byte.',
    run: (context) =>
      lineBecomes(
        context,
        'GET /a//b/../%7e;p?x=%zz&&"< HTTP/1.1',
        'GET /a//b/../%7e;p?x=%zz&&"< HTTP/1.1',
      ),
  },
  {
    id: 'line-absolute-form',
    section: '9112 3.2.2',
    level: 'must',
    says: 'A target in absolute form is accepted, and its authority replaces Host.',
    run: async (context) => {
      const request = await context.forwarded(head('GET http://other:81/p?q HTTP/1.1', 'Host: h'));
      assert.equal(request.start, 'GET /p?q HTTP/1.1');
      assert.deepEqual(valuesOf(request, 'host'), ['other:81']);
    },
  },
  {
    id: 'line-absolute-empty-path',
    section: '9112 3.2.1',
    level: 'must',
    says: 'An empty path of an absolute target is sent as `/`.',
    run: (context) => lineBecomes(context, 'GET http://other?q HTTP/1.1', 'GET /?q HTTP/1.1'),
  },
  refusal(
    'line-connect-no-authority',
    '9112 3.2.3',
    'must',
    'CONNECT without host and port is refused.',
    head('CONNECT /path HTTP/1.1', 'Host: h'),
  ),
  refusal(
    'line-connect-no-port',
    '9110 9.3.6',
    'must',
    'CONNECT with an empty port is refused.',
    head('CONNECT other: HTTP/1.1', 'Host: h'),
  ),
  {
    id: 'line-asterisk-form',
    section: '9112 3.2.4',
    level: 'must',
    says: '`OPTIONS *` is about the server, which answers it itself.',
    run: async (context) => {
      const client = await context.harness.send(head('OPTIONS * HTTP/1.1', 'Host: h'));
      const [answer] = await context.answers(client);
      assert.equal(answer?.status, 200);
      assert.equal(context.appReceived, '');
    },
  },
  refusal(
    'line-asterisk-other-method',
    '9112 3.2.4',
    'must',
    'The asterisk form is for OPTIONS only.',
    head('GET * HTTP/1.1', 'Host: h'),
  ),
  refusal(
    'line-target-no-form',
    '9112 3.2',
    'should',
    'A target in none of the four forms is refused.',
    head('GET path HTTP/1.1', 'Host: h'),
  ),
  {
    id: 'line-empty-lines-before',
    section: '9112 2.2',
    level: 'should',
    says: 'Empty lines before the request line are ignored.',
    run: (context) => lineBecomes(context, '\r\n\r\nGET /a HTTP/1.1', 'GET /a HTTP/1.1'),
  },
  refusal(
    'line-space-before-fields',
    '9112 2.2',
    'must',
    'White space between the request line and the first field is refused.',
    head('GET / HTTP/1.1', ' X: y', 'Host: h'),
  ),
  refusal(
    'line-bare-lf',
    '9112 2.2',
    'should',
    'A request line that ends in a bare LF is refused.',
    'GET / HTTP/1.1\nHost: h\r\n\r\n',
  ),
  refusal(
    'line-bare-cr',
    '9112 2.2',
    'must',
    'A bare CR in the request line is refused.',
    'GET /a\rb HTTP/1.1\r\nHost: h\r\n\r\n',
  ),
  refusal(
    'line-two-spaces',
    '9112 3',
    'should',
    'More than one space in the request line is refused.',
    head('GET  / HTTP/1.1', 'Host: h'),
  ),
  refusal(
    'line-space-in-target',
    '9112 3.2',
    'should',
    'White space in the target is refused, not repaired.',
    head('GET /a b HTTP/1.1', 'Host: h'),
  ),
  refusal(
    'line-control-in-target',
    '9112 3.2',
    'should',
    'A control byte in the target is refused.',
    head('GET /a\x01b HTTP/1.1', 'Host: h'),
  ),
  refusal(
    'line-nul-in-target',
    '9112 3.2',
    'must',
    'A NUL in the target is refused.',
    head('GET /a\0b HTTP/1.1', 'Host: h'),
  ),
  refusal(
    'line-no-method',
    '9112 3.1',
    'should',
    'A request line without a method is refused.',
    head(' / HTTP/1.1', 'Host: h'),
  ),
  refusal(
    'line-no-version',
    '9112 2.3',
    'should',
    'A request line without a version is refused: HTTP/0.9 is not spoken.',
    head('GET /', 'Host: h'),
  ),
  refusal(
    'line-version-case',
    '9112 2.3',
    'must',
    'The name in the version is case-sensitive.',
    head('GET / http/1.1', 'Host: h'),
  ),
  refusal(
    'line-version-major',
    '9110 15.6.6',
    'should',
    'Another major version is answered 505.',
    head('GET / HTTP/3.0', 'Host: h'),
    505,
  ),
  {
    id: 'line-method-case',
    section: '9110 9.1',
    level: 'must',
    says: 'Methods are case-sensitive: `get` stays `get`.',
    run: (context) => lineBecomes(context, 'get / HTTP/1.1', 'get / HTTP/1.1'),
  },
  {
    id: 'line-method-unknown',
    section: '9110 9.1',
    level: 'should',
    says: 'A method nobody knows is passed on.',
    run: (context) => lineBecomes(context, 'FROB-1!c /a HTTP/1.1', 'FROB-1!c /a HTTP/1.1'),
  },
  {
    id: 'line-long-target',
    section: '9112 3',
    level: 'should',
    says: 'Request lines of at least 8000 octets are supported.',
    run: (context) =>
      lineBecomes(context, `GET ${LONG_TARGET} HTTP/1.1`, `GET ${LONG_TARGET} HTTP/1.1`),
  },
  refusal(
    'head-too-large',
    '9110 5.4',
    'must',
    'A head beyond the limit is answered 431 (RFC 6585 5).',
    head('GET / HTTP/1.1', 'Host: h', `X: ${'y'.repeat(MAX_HEAD_BYTES)}`),
    431,
  ),
  refusal(
    'host-missing',
    '9112 3.2',
    'must',
    'HTTP/1.1 without Host is refused.',
    head('GET / HTTP/1.1', 'X: y'),
  ),
  refusal(
    'host-twice',
    '9112 3.2',
    'must',
    'More than one Host line is refused, even with the same value.',
    head('GET / HTTP/1.1', 'Host: h', 'host: h'),
  ),
  refusal(
    'host-invalid',
    '9112 3.2',
    'must',
    'A Host that is no host is refused.',
    head('GET / HTTP/1.1', 'Host: a b'),
  ),
  refusal(
    'host-absolute-twice',
    '9112 3.2.2',
    'must',
    'An absolute target does not excuse a second Host line.',
    head('GET http://other/ HTTP/1.1', 'Host: h', 'Host: i'),
  ),
  {
    id: 'host-empty',
    section: '9112 3.2',
    level: 'must',
    says: 'An empty Host is a Host, and stays empty.',
    run: async (context) => {
      const request = await context.forwarded(head('GET / HTTP/1.1', 'Host:'));
      assert.deepEqual(valuesOf(request, 'host'), ['']);
    },
  },
  {
    id: 'host-1.0-missing',
    section: '9112 3.2',
    level: 'must',
    says: 'HTTP/1.0 needs no Host, but the request that goes on has one.',
    run: async (context) => {
      const request = await context.forwarded(head('GET / HTTP/1.0', 'X: y'));
      assert.equal(request.start, 'GET / HTTP/1.1');
      assert.equal(valuesOf(request, 'host').length, 1);
    },
  },
];
