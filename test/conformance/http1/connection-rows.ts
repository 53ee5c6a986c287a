// Conformance rows: how long a connection lasts and what travels on it (RFC 9112 section 9), 100-
// continue and other interim answers (RFC 9110 10.1.1, 15.2), and protocol upgrades (RFC 9110 7.8).

import assert from 'node:assert/strict';
import { LOCAL_BODY, LOCAL_TARGET } from './context.ts';
import { valuesOf } from './raw-message.ts';
import { type Http1Row, head } from './row.ts';

const HOST = 'Host: h';
const GET = head('GET / HTTP/1.1', HOST);
const EMPTY = head('HTTP/1.1 200 OK', 'Content-Length: 0');

const PERSISTENCE_ROWS: readonly Http1Row[] = [
  {
    id: 'keep-alive-default',
    section: '9112 9.3',
    level: 'should',
    says: 'An HTTP/1.1 connection carries another request after an answer.',
    run: async (context) => {
      const client = await context.harness.send(GET);
      const [answer] = await context.answers(client);
      assert.deepEqual(valuesOf(answer!, 'connection'), []);
      client.write(head('GET /two HTTP/1.1', HOST));
      await context.answers(client, 2);
    },
  },
  {
    id: 'keep-alive-close',
    section: '9112 9.6',
    level: 'must',
    says: '`Connection: close` is answered with the same, and the connection ends behind the answer.',
    run: async (context) => {
      const client = await context.harness.send(head('GET / HTTP/1.1', HOST, 'Connection: close'));
      const [answer] = await context.answers(client);
      assert.deepEqual(valuesOf(answer!, 'connection'), ['close']);
      await context.untilOver(client);
    },
  },
  {
    id: 'keep-alive-close-case',
    section: '9110 7.6.1',
    level: 'must',
    says: 'Connection options are case-insensitive elements of a list.',
    run: async (context) => {
      const client = await context.harness.send(
        head('GET / HTTP/1.1', HOST, 'Connection: x, CLOSE'),
      );
      await context.answers(client);
      await context.untilOver(client);
    },
  },
  {
    id: 'keep-alive-nothing-behind-close',
    section: '9112 9.6',
    level: 'must',
    says: 'Requests behind one that says close are not processed.',
    run: async (context) => {
      const client = await context.harness.send(
        head('GET /one HTTP/1.1', HOST, 'Connection: close') + head('GET /two HTTP/1.1', HOST),
      );
      await context.untilOver(client);
      assert.ok(!context.appReceived.includes('/two'));
      assert.equal(client.received.match(/HTTP\/1\.1 /g)?.length, 1);
    },
  },
  {
    id: 'keep-alive-1.0',
    section: '9112 9.3',
    level: 'must',
    says: 'An HTTP/1.0 connection ends behind its answer.',
    run: async (context) => {
      const client = await context.harness.send(head('GET / HTTP/1.0', HOST));
      const [answer] = await context.answers(client);
      assert.equal(answer?.status, 200);
      await context.untilOver(client);
    },
  },
  {
    id: 'keep-alive-answer-close',
    section: '9112 9.6',
    level: 'must',
    says: 'The application’s `Connection: close` is about its own connection, not the client’s.',
    run: async (context) => {
      context.answerWith(head('HTTP/1.1 200 OK', 'Connection: close', 'Content-Length: 0'), {
        ends: true,
      });
      const client = await context.harness.send(GET);
      await context.answers(client);
      client.write(GET);
      await context.answers(client, 2);
    },
  },
  {
    id: 'pipeline-order',
    section: '9112 9.3.2',
    level: 'must',
    says: 'Pipelined requests are answered in their order.',
    run: async (context) => {
      const answers = ['1', '2', '3'].map((n) =>
        head('HTTP/1.1 200 OK', `X-N: ${n}`, 'Content-Length: 0'),
      );
      context.script = { answers, ends: false, isEarly: false };
      const client = await context.harness.send(GET + GET + GET);
      const seen = await context.answers(client, 3);
      assert.deepEqual(
        seen.flatMap((answer) => valuesOf(answer, 'x-n')),
        ['1', '2', '3'],
      );
    },
  },
  {
    id: 'pipeline-behind-body',
    section: '9112 9.3.2',
    level: 'must',
    says: 'A request may follow a body in the same read.',
    run: async (context) => {
      const client = await context.harness.send(
        `${head('POST /one HTTP/1.1', HOST, 'Content-Length: 3')}abc${head('GET /two HTTP/1.1', HOST)}`,
      );
      await context.answers(client, 2);
      assert.match(context.appReceived, /POST \/one [\s\S]*abc[\s\S]*GET \/two /);
    },
  },
  {
    id: 'head-cut-anywhere',
    section: '9112 2.1',
    level: 'must',
    says: 'A message may arrive in any pieces.',
    run: async (context) => {
      const client = await context.harness.client();
      const text = `${head('POST /a HTTP/1.1', HOST, 'Content-Length: 3')}abc`;
      for (const byte of text) {
        client.write(byte);
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      assert.equal((await context.answers(client))[0]?.status, 200);
      assert.ok(context.appReceived.endsWith('abc'));
    },
  },
  {
    id: 'half-close',
    section: '9112 9.6',
    level: 'should',
    says: 'A client that ends its side with its request still gets the answer.',
    run: async (context) => {
      const client = await context.harness.client();
      client.socket.end(GET, 'latin1');
      assert.equal((await context.answers(client))[0]?.status, 200);
    },
  },
  {
    id: 'early-answer',
    section: '9112 9.5',
    level: 'should',
    says: 'An answer that comes before the end of the upload reaches the client at once.',
    run: async (context) => {
      context.answerWith(head('HTTP/1.1 413 Content Too Large', 'Content-Length: 0'), {
        isEarly: true,
      });
      const client = await context.harness.send(
        `${head('POST / HTTP/1.1', HOST, 'Content-Length: 900000')}abc`,
      );
      assert.equal((await context.answers(client))[0]?.status, 413);
    },
  },
  {
    id: 'local-answer',
    section: '9110 6.6.1',
    level: 'must',
    says: 'An answer made here has Content-Length and Date.',
    run: async (context) => {
      const client = await context.harness.send(head(`GET ${LOCAL_TARGET} HTTP/1.1`, HOST));
      const [answer] = await context.answers(client);
      assert.equal(answer?.body, LOCAL_BODY);
      assert.match(
        valuesOf(answer!, 'date').join('|'),
        /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/,
      );
    },
  },
  {
    id: 'local-answer-head',
    section: '9110 9.3.2',
    level: 'must',
    says: 'Made for HEAD, it has the same length and no body.',
    run: async (context) => {
      const client = await context.harness.send(head(`HEAD ${LOCAL_TARGET} HTTP/1.1`, HOST) + GET);
      const [answer, next] = await context.answers(client, 2, 'HEAD');
      assert.deepEqual(valuesOf(answer!, 'content-length'), [`${LOCAL_BODY.length}`]);
      assert.equal(next?.status, 200);
    },
  },
];

const INTERIM_ROWS: readonly Http1Row[] = [
  {
    id: 'interim-relayed',
    section: '9110 15.2',
    level: 'must',
    says: 'Interim answers are passed on before the final one.',
    run: async (context) => {
      context.answerWith(
        head('HTTP/1.1 103 Early Hints', 'Link: </a>') + head('HTTP/1.1 102 Processing') + EMPTY,
      );
      const client = await context.harness.send(GET);
      const answers = await context.answers(client);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [103, 102, 200],
      );
      assert.deepEqual(valuesOf(answers[0]!, 'link'), ['</a>']);
    },
  },
  {
    id: 'interim-final-status',
    section: '9110 15.2',
    level: 'must',
    says: 'The final status behind an interim one is the application’s.',
    run: async (context) => {
      context.answerWith(
        head('HTTP/1.1 100 Continue') + head('HTTP/1.1 404 Not Found', 'Content-Length: 0'),
      );
      const client = await context.harness.send(GET);
      assert.equal((await context.answers(client)).at(-1)?.status, 404);
    },
  },
  {
    id: 'interim-1.0',
    section: '9110 15.2',
    level: 'must',
    says: 'An HTTP/1.0 client is sent no interim answer.',
    run: async (context) => {
      context.answerWith(head('HTTP/1.1 103 Early Hints') + EMPTY);
      const client = await context.harness.send(head('GET / HTTP/1.0', HOST));
      assert.equal((await context.answers(client))[0]?.status, 200);
    },
  },
  {
    id: 'expect-continue',
    section: '9110 10.1.1',
    level: 'must',
    says: '`Expect: 100-continue` reaches the application before the body, its 100 the client.',
    run: async (context) => {
      context.answerWith(head('HTTP/1.1 100 Continue'), { isEarly: true });
      const client = await context.harness.send(
        head('POST / HTTP/1.1', HOST, 'Expect: 100-continue', 'Content-Length: 3'),
      );
      await context.untilReceived(client, 'HTTP/1.1 100 Continue\r\n\r\n');
      assert.match(context.appReceived, /\r\nExpect: 100-continue\r\n/i);
      context.answerWith('');
      client.write('abc');
      await context.untilAppReceived('\r\n\r\nabc');
      context.app.connections[0]!.write(EMPTY);
      assert.equal((await context.answers(client)).at(-1)?.status, 200);
    },
  },
  {
    id: 'expect-refused',
    section: '9110 10.1.1',
    level: 'must',
    says: 'A final answer instead of the 100 is passed on without waiting for the body.',
    run: async (context) => {
      context.answerWith(head('HTTP/1.1 417 Expectation Failed', 'Content-Length: 0'), {
        isEarly: true,
      });
      const client = await context.harness.send(
        head('POST / HTTP/1.1', HOST, 'Expect: 100-continue', 'Content-Length: 3'),
      );
      const answers = await context.answers(client);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [417],
      );
      await context.untilOver(client);
    },
  },
];

const SWITCH = head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: x/1');

const UPGRADE_ROWS: readonly Http1Row[] = [
  {
    id: 'upgrade-tunnel',
    section: '9110 7.8',
    level: 'should',
    says: 'An upgrade is passed on, and behind the 101 bytes go both ways untouched.',
    run: async (context) => {
      context.answerWith(`${SWITCH}\0from app`);
      const client = await context.harness.send(
        head('GET / HTTP/1.1', HOST, 'Connection: keep-alive, Upgrade', 'Upgrade: x/1'),
      );
      await context.untilReceived(client, '\r\n\r\n\0from app');
      assert.match(client.received, /^HTTP\/1\.1 101 /);
      assert.match(client.received, /\r\nUpgrade: x\/1\r\n/i);
      assert.match(context.appReceived, /\r\nUpgrade: x\/1\r\n/i);
      client.write('GET / \xff not http');
      await context.untilAppReceived('\r\n\r\nGET / \xff not http');
    },
  },
  {
    id: 'upgrade-refused',
    section: '9110 7.8',
    level: 'must',
    says: 'An application may ignore an upgrade and answer as usual.',
    run: async (context) => {
      const client = await context.harness.send(
        head('GET / HTTP/1.1', HOST, 'Connection: Upgrade', 'Upgrade: x/1'),
      );
      assert.equal((await context.answers(client))[0]?.body, 'ok');
      client.write(GET);
      await context.answers(client, 2);
    },
  },
  {
    id: 'upgrade-not-named',
    section: '9110 7.8',
    level: 'must',
    says: 'Upgrade without the connection option is no upgrade.',
    run: async (context) => {
      const request = await context.forwarded(head('GET / HTTP/1.1', HOST, 'Upgrade: x/1'));
      assert.deepEqual(valuesOf(request, 'upgrade'), []);
    },
  },
  {
    id: 'upgrade-1.0',
    section: '9110 7.8',
    level: 'must',
    says: 'Upgrade in HTTP/1.0 is ignored.',
    run: async (context) => {
      const request = await context.forwarded(
        head('GET / HTTP/1.0', HOST, 'Connection: upgrade', 'Upgrade: x/1'),
      );
      assert.deepEqual(valuesOf(request, 'upgrade'), []);
    },
  },
  {
    id: 'upgrade-h2c',
    section: '9113 3.1',
    level: 'should',
    says: '`Upgrade: h2c` is ignored and the request served as HTTP/1.1.',
    run: async (context) => {
      const request = await context.forwarded(
        head(
          'GET / HTTP/1.1',
          HOST,
          'Connection: Upgrade, HTTP2-Settings',
          'Upgrade: h2c',
          'HTTP2-Settings: AAMAAABkAAQ',
        ),
      );
      for (const name of ['upgrade', 'connection', 'http2-settings']) {
        assert.deepEqual(valuesOf(request, name), [], name);
      }
    },
  },
  {
    id: 'upgrade-unasked',
    section: '9110 15.2.2',
    level: 'must',
    says: 'A 101 nobody asked for is not passed on.',
    run: (context) => context.refusesAnswer(SWITCH),
  },
];

export const CONNECTION_ROWS: readonly Http1Row[] = [
  ...PERSISTENCE_ROWS,
  ...INTERIM_ROWS,
  ...UPGRADE_ROWS,
];
