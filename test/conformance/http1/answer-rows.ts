// Conformance rows: answers of the application, where they end, and what becomes of those that do not
// say so clearly (RFC 9112 sections 4, 6 and 8, RFC 9110 sections 6 and 15).

import assert from 'node:assert/strict';
import { valuesOf } from './raw-message.ts';
import { answerRefusal, type Http1Row, head } from './row.ts';

const HOST = 'Host: h';
const OK = 'HTTP/1.1 200 OK';
const GET = head('GET / HTTP/1.1', HOST);
const GET_1_0 = head('GET / HTTP/1.0', HOST);
const CHUNKS = '3\r\nabc\r\n2\r\nde\r\n0\r\n';

const BODY_ROWS: readonly Http1Row[] = [
  {
    id: 'answer-length',
    section: '9112 6.3',
    level: 'must',
    says: 'An answer with a length is passed on with it.',
    run: async (context) => {
      const answer = await context.relayed(`${head(OK, 'Content-Length: 3')}abc`);
      assert.deepEqual(valuesOf(answer, 'content-length'), ['3']);
      assert.equal(answer.body, 'abc');
    },
  },
  {
    id: 'answer-chunked',
    section: '9112 7.1',
    level: 'must',
    says: 'A chunked answer arrives whole, without a length.',
    run: async (context) => {
      const answer = await context.relayed(
        `${head(OK, 'Transfer-Encoding: chunked')}${CHUNKS}\r\n`,
      );
      assert.equal(answer.body, 'abcde');
      assert.deepEqual(valuesOf(answer, 'content-length'), []);
    },
  },
  {
    id: 'answer-chunked-1.0',
    section: '9112 6.1',
    level: 'must',
    says: 'An HTTP/1.0 client is sent no Transfer-Encoding.',
    run: async (context) => {
      const answer = await context.relayed(
        `${head(OK, 'Transfer-Encoding: chunked')}${CHUNKS}\r\n`,
        GET_1_0,
      );
      assert.deepEqual(valuesOf(answer, 'transfer-encoding'), []);
      assert.equal(answer.body, 'abcde');
    },
  },
  {
    id: 'answer-until-close',
    section: '9112 6.3',
    level: 'must',
    says: 'An answer that ends with the application’s connection gets framing of its own.',
    run: async (context) => {
      const answer = await context.relayed(`${head(OK)}abc`, GET, { ends: true });
      assert.deepEqual(valuesOf(answer, 'transfer-encoding'), ['chunked']);
      assert.equal(answer.body, 'abc');
    },
  },
  {
    id: 'answer-1.0',
    section: '9110 2.5',
    level: 'must',
    says: 'The answer of an HTTP/1.0 application goes out as our own version.',
    run: async (context) => {
      const answer = await context.relayed(`${head('HTTP/1.0 200 Fine')}abc`, GET, { ends: true });
      assert.equal(answer.start, 'HTTP/1.1 200 Fine');
      assert.equal(answer.body, 'abc');
    },
  },
  {
    id: 'answer-head-method',
    section: '9112 6.3',
    level: 'must',
    says: 'The answer to HEAD keeps its length and has no body.',
    run: async (context) => {
      context.answerWith(head(OK, 'Content-Length: 5'));
      const client = await context.harness.send(head('HEAD / HTTP/1.1', HOST));
      await context.answers(client, 1, 'HEAD');
      client.write(head('HEAD /two HTTP/1.1', HOST));
      const [first, second] = await context.answers(client, 2, 'HEAD');
      assert.deepEqual(valuesOf(first!, 'content-length'), ['5']);
      assert.equal(second?.status, 200);
    },
  },
  {
    id: 'answer-head-chunked',
    section: '9112 6.3',
    level: 'must',
    says: 'Nor has one that says chunked.',
    run: async (context) => {
      const answer = await context.relayed(
        head(OK, 'Transfer-Encoding: chunked'),
        head('HEAD / HTTP/1.1', HOST),
      );
      assert.equal(answer.status, 200);
      assert.equal(answer.rest, '');
    },
  },
  {
    id: 'answer-204',
    section: '9110 15.3.5',
    level: 'must',
    says: 'A 204 has neither body nor Content-Length.',
    run: async (context) => {
      const answer = await context.relayed(head('HTTP/1.1 204 No Content', 'Content-Length: 0'));
      assert.equal(answer.status, 204);
      assert.deepEqual(valuesOf(answer, 'content-length'), []);
      assert.deepEqual(valuesOf(answer, 'transfer-encoding'), []);
      assert.equal(answer.rest, '');
    },
  },
  {
    id: 'answer-304',
    section: '9110 15.4.5',
    level: 'must',
    says: 'A 304 has no body, whatever length it tells.',
    run: async (context) => {
      const answer = await context.relayed(
        head('HTTP/1.1 304 Not Modified', 'Content-Length: 5', 'ETag: "a"'),
      );
      assert.equal(answer.status, 304);
      assert.deepEqual(valuesOf(answer, 'etag'), ['"a"']);
      assert.equal(answer.rest, '');
    },
  },
  {
    id: 'answer-unknown-status',
    section: '9110 15',
    level: 'must',
    says: 'A status nobody knows is passed on with its reason.',
    run: async (context) => {
      const answer = await context.relayed(head('HTTP/1.1 299 Fine caf\xe9', 'Content-Length: 0'));
      assert.equal(answer.start, 'HTTP/1.1 299 Fine caf\xe9');
    },
  },
  {
    id: 'answer-no-reason',
    section: '9112 4',
    level: 'must',
    says: 'An empty reason is a reason.',
    run: async (context) => {
      assert.equal((await context.relayed(head('HTTP/1.1 200 ', 'Content-Length: 0'))).status, 200);
    },
  },
  {
    id: 'answer-date-added',
    section: '9110 6.6.1',
    level: 'must',
    says: 'Date is added to an answer that has none.',
    run: async (context) => {
      const answer = await context.relayed(head(OK, 'Content-Length: 0'));
      assert.equal(valuesOf(answer, 'date').length, 1);
    },
  },
  {
    id: 'answer-date-kept',
    section: '9110 6.6.1',
    level: 'should',
    says: 'The application’s Date stays, and stays the only one.',
    run: async (context) => {
      const date = 'Tue, 15 Nov 1994 08:12:31 GMT';
      const answer = await context.relayed(head(OK, `Date: ${date}`, 'Content-Length: 0'));
      assert.deepEqual(valuesOf(answer, 'date'), [date]);
    },
  },
  {
    id: 'answer-cookies',
    section: '9110 5.3',
    level: 'must',
    says: 'Set-Cookie lines stay apart and in order.',
    run: async (context) => {
      const answer = await context.relayed(
        head(OK, 'Set-Cookie: a=1', 'set-cookie: b=2', 'Content-Length: 0'),
      );
      assert.deepEqual(valuesOf(answer, 'set-cookie'), ['a=1', 'b=2']);
    },
  },
  {
    id: 'answer-trailers',
    section: '9110 6.5',
    level: 'should',
    says: 'Trailers of an answer are passed on, announced or not.',
    run: async (context) => {
      const lines = head(OK, 'Trailer: X-Sum', 'Transfer-Encoding: chunked');
      const answer = await context.relayed(`${lines}${CHUNKS}X-Sum: 5\r\nGrpc-Status: 0\r\n\r\n`);
      assert.deepEqual(valuesOf(answer, 'trailer'), ['X-Sum']);
      assert.equal(answer.trailers, 'X-Sum: 5\r\nGrpc-Status: 0\r\n');
    },
  },
];

const REFUSED_ROWS: readonly Http1Row[] = [
  answerRefusal(
    'answer-length-and-coding',
    '9112 6.3',
    'should',
    'Content-Length with Transfer-Encoding is not passed on.',
    `${head(OK, 'Content-Length: 3', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
  ),
  answerRefusal(
    'answer-length-twice',
    '9112 6.3',
    'must',
    'Nor are two lengths.',
    `${head(OK, 'Content-Length: 3', 'Content-Length: 4')}abc`,
  ),
  answerRefusal(
    'answer-length-invalid',
    '9112 6.3',
    'must',
    'Nor is a length that is no number.',
    `${head(OK, 'Content-Length: 3x')}abc`,
  ),
  answerRefusal(
    'answer-coding-unknown',
    '9112 6.1',
    'should',
    'Nor is a coding besides chunked.',
    `${head(OK, 'Transfer-Encoding: gzip')}abc`,
  ),
  answerRefusal(
    'answer-coding-1.0',
    '9112 6.1',
    'must',
    'Nor is Transfer-Encoding in HTTP/1.0.',
    `${head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
  ),
  answerRefusal(
    'answer-obs-fold',
    '9112 5.2',
    'must',
    'Nor is a folded line.',
    head(OK, 'X: a\r\n b', 'Content-Length: 0'),
  ),
  answerRefusal(
    'answer-bare-cr',
    '9110 5.5',
    'must',
    'Nor is a bare CR in a value: it would split the answer.',
    head(OK, 'X: a\rContent-Length: 9', 'Content-Length: 0'),
  ),
  answerRefusal(
    'answer-nul',
    '9110 5.5',
    'must',
    'Nor is a NUL.',
    head(OK, 'X: a\0b', 'Content-Length: 0'),
  ),
  answerRefusal(
    'answer-space-before-colon',
    '9112 5.1',
    'must',
    'White space before a colon does not get through.',
    head(OK, 'Content-Length : 0'),
  ),
  answerRefusal(
    'answer-no-http',
    '9112 4',
    'must',
    'What is no HTTP becomes a 502.',
    'SSH-2.0-server\r\n\r\n',
  ),
  answerRefusal(
    'answer-status-digits',
    '9112 4',
    'must',
    'So does a status of other than three digits.',
    head('HTTP/1.1 20 OK', 'Content-Length: 0'),
  ),
  {
    id: 'answer-connect-success',
    section: '9110 9.3.6',
    level: 'must',
    says: 'A success for CONNECT is not passed on: the client would take what follows for a tunnel.',
    run: async (context) => {
      const request = head('CONNECT h:80 HTTP/1.1', 'Host: h:80');
      assert.equal((await context.relayed(head(OK, 'Content-Length: 0'), request)).status, 502);
    },
  },
];

const CUT_ROWS: readonly Http1Row[] = [
  {
    id: 'answer-cut-length',
    section: '9112 8',
    level: 'must',
    says: 'An answer shorter than its length is seen to be short.',
    run: async (context) => {
      context.answerWith(`${head(OK, 'Content-Length: 9')}abc`, { ends: true });
      const client = await context.harness.send(GET);
      await context.until(
        () => client.hasClosed || client.hasEnded,
        () => 'end at the client',
      );
      assert.ok(!client.received.includes('502'));
      assert.ok(client.received.length < client.received.indexOf('\r\n\r\n') + 4 + 9);
    },
  },
  {
    id: 'answer-cut-chunked',
    section: '9112 8',
    level: 'must',
    says: 'A chunked answer that breaks off gets no last chunk.',
    run: async (context) => {
      context.answerWith(`${head(OK, 'Transfer-Encoding: chunked')}3\r\nabc\r\n`, { ends: true });
      const client = await context.harness.send(GET);
      await context.until(
        () => client.hasClosed || client.hasEnded,
        () => 'end at the client',
      );
      assert.ok(!client.received.includes('\r\n0\r\n'));
    },
  },
  {
    id: 'answer-split',
    section: '9112 11.1',
    level: 'must',
    says: 'Bytes behind an answer never become the answer to the next request.',
    run: async (context) => {
      const injected = `${head('HTTP/1.1 200 Injected', 'Content-Length: 4')}evil`;
      const good = `${head(OK, 'Content-Length: 4')}good`;
      context.script = {
        answers: [`${head(OK, 'Content-Length: 2')}ok${injected}`, good],
        ends: false,
        isEarly: false,
      };
      const client = await context.harness.send(GET);
      await context.answers(client);
      client.write(GET);
      const [first, second] = await context.answers(client, 2);
      assert.equal(first?.body, 'ok');
      assert.equal(second?.body, 'good');
    },
  },
  {
    id: 'answer-head-body',
    section: '9112 6.3',
    level: 'must',
    says: 'A body sent with a HEAD answer reaches nobody.',
    run: async (context) => {
      const good = `${head(OK, 'X-N: 2', 'Content-Length: 4')}`;
      context.script = {
        answers: [`${head(OK, 'Content-Length: 4')}evil`, good],
        ends: false,
        isEarly: false,
      };
      const client = await context.harness.send(head('HEAD / HTTP/1.1', HOST));
      await context.answers(client, 1, 'HEAD');
      client.write(head('HEAD / HTTP/1.1', HOST));
      const [, second] = await context.answers(client, 2, 'HEAD');
      assert.deepEqual(valuesOf(second!, 'x-n'), ['2']);
      assert.ok(!client.received.includes('evil'));
    },
  },
];

export const ANSWER_ROWS: readonly Http1Row[] = [...BODY_ROWS, ...REFUSED_ROWS, ...CUT_ROWS];
