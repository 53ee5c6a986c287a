// Rows about exchanges the role itself ends, and about clients and applications that go away.

import { expect } from 'vitest';
import { Outcome } from '../../types.ts';
import { head } from '../harness.ts';
import type { EngineRow } from './bench.ts';
import { GET } from './heads.ts';

export const ENDING_ROWS: readonly EngineRow[] = [
  {
    id: 'local-answers',
    section: 'QP-21',
    level: 'must',
    says: 'the role answers with text, bytes, nothing, and to HEAD, all on one connection',
    async run(bench) {
      await bench.start();
      const bodies: (string | Uint8Array)[] = [
        'caf\u00e9',
        new Uint8Array([255, 0, 1]),
        '',
        'unseen',
      ];
      const statuses = [200, 200, 204, 503];
      let next = 0;
      bench.handler.onRequestHook = (exchange) => {
        exchange.respond(statuses[next]!, 'X-A: b\r\n', bodies[next]!);
        next += 1;
      };
      const client = await bench.ask(GET, '\r\n\r\ncaf\xc3\xa9');
      expect(client.received).toContain('Content-Length: 5\r\n');
      for (const [request, sign] of [
        [GET, '\r\n\r\n\xff\0\x01'],
        [GET, '204 No Content\r\nX-A: b\r\n'],
        [head('HEAD / HTTP/1.1', 'Host: h'), 'Content-Length: 6\r\n'],
      ]) {
        client.write(request!);
        await bench.received(client, sign!);
      }
      expect(client.received).not.toContain('unseen');
      expect(client.received.match(/\r\ndate: /gi)).toHaveLength(4);
    },
  },
  {
    id: 'abort',
    section: 'QP-50',
    level: 'must',
    says: 'abort ends both sides without an answer',
    async run(bench) {
      await bench.start();
      const client = await bench.send(GET);
      const application = await bench.asked();
      bench.handler.exchanges[0]!.abort();
      await bench.closed(client);
      await bench.closed(application);
      expect(client.received).toBe('');
      expect(bench.handler.outcomes).toEqual([Outcome.ABORTED]);
    },
  },
  {
    id: 'timeout-answer',
    section: 'QP-49',
    level: 'must',
    says: 'a role that gives up waiting answers itself and drops the application',
    async run(bench) {
      await bench.start();
      const client = await bench.send(GET);
      const application = await bench.asked();
      bench.handler.exchanges[0]!.cancelForward();
      bench.handler.exchanges[0]!.respond(504, '', 'request timeout');
      await bench.received(client, 'request timeout');
      await bench.closed(application);
      client.write(GET);
      await bench.asked(1);
    },
  },
  {
    id: 'client-leaves',
    section: 'QP-80',
    level: 'must',
    says: 'a client that leaves during the answer takes the request along',
    async run(bench) {
      await bench.start();
      const client = await bench.send(GET);
      const application = await bench.asked();
      application.write(`${head('HTTP/1.1 200 OK', 'Content-Length: 100')}abc`);
      await bench.received(client, 'abc');
      client.socket.resetAndDestroy();
      await bench.closed(application);
      expect(bench.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
    },
  },
  {
    id: 'upstream-failure',
    section: 'QP-82',
    level: 'must',
    says: 'an application that cannot be reached or answers nonsense is 502',
    async run(bench) {
      await bench.start((connection) => {
        connection.socket.once('data', () => connection.socket.end('\0\0\x06\x04\0', 'latin1'));
      });
      await bench.ask(GET, 'HTTP/1.1 502 Bad Gateway');
      bench.handler.upstream = bench.harness.pools.at('127.0.0.1', 1);
      await bench.ask(GET, 'connection refused');
    },
  },
];
