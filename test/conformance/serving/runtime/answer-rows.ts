// Answers as the client gets them: relayed as they come, ended as they end.

import http from 'node:http';
import { expect } from 'vitest';
import { row, type ServingRow, shared } from '../row.ts';
import {
  app,
  DIRECT,
  deployed,
  deployedDirect,
  Held,
  rawRequest,
  THROUGH_ACTIVATOR,
} from './app.ts';

const direct = shared((cluster) =>
  deployedDirect(cluster, app('answers', { annotations: DIRECT })),
);
const through = shared((cluster) =>
  deployed(cluster, app('activated', { annotations: THROUGH_ACTIVATOR })),
);
const ways = (cluster: Parameters<typeof direct>[0]) =>
  Promise.all([direct(cluster), through(cluster)]);

export const answerRows: readonly ServingRow[] = [
  row(
    'QP-74',
    "Status and headers are the container's, those of one connection are not",
    async (cluster) => {
      for (const host of await ways(cluster)) {
        const { status, headers, body } = await cluster.ask(host, { path: '/headers' });
        expect([status, body]).toEqual([200, 'own headers']);
        expect(headers).toMatchObject({
          server: 'the-app',
          'content-type': 'application/x-own',
          'x-kept': 'one, two',
          'set-cookie': ['a=1', 'b=2'],
        });
        for (const name of ['x-for-this-hop', 'via', 'k-network-hash']) {
          expect(headers).not.toHaveProperty(name);
        }
        expect(headers['keep-alive'] ?? '').not.toContain('77');
      }
    },
  ),
  row('QP-74', 'Every answer has a Date', async (cluster) => {
    const { headers } = await cluster.ask(await direct(cluster), { path: '/status?code=200' });
    expect(Date.parse(headers.date ?? '')).toBeGreaterThan(0);
  }),
  row('RC-34', "Statuses of errors are the container's, never tried again", async (cluster) => {
    for (const host of await ways(cluster)) {
      for (const code of [400, 404, 418, 500, 502, 503, 504]) {
        const path = `/status?code=${code}&body=mine`;
        const { status, body } = await cluster.ask(host, { path });
        expect([status, body]).toEqual([code, 'mine']);
      }
    }
  }),
  row('QP-74', 'Answers without body have none', async (cluster) => {
    const host = await direct(cluster);
    for (const code of [204, 304]) {
      const client = await rawRequest(cluster, host, `GET /status?code=${code} HTTP/1.1`);
      const answer = await client.answer();
      expect([answer.status, client.received]).toEqual([code, '']);
      client.socket.destroy();
    }
  }),
  row('QP-74', 'HEAD has the headers of GET and no body', async (cluster) => {
    const host = await direct(cluster);
    const client = await rawRequest(cluster, host, 'HEAD /headers HTTP/1.1');
    const answer = await client.answer(true);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-own']);
    expect(client.received).toBe('');
    client.socket.destroy();
  }),
  row('QP-74', "Redirects are the client's to follow", async (cluster) => {
    const { status } = await cluster.ask(await through(cluster), { path: '/status?code=302' });
    expect(status).toBe(302);
  }),
  row(
    'RC-14, RC-35',
    'Each piece of an answer is there before the next is made',
    async (cluster) => {
      for (const host of await ways(cluster)) {
        const lines = ['Transfer-Encoding: chunked'];
        const client = await rawRequest(cluster, host, 'POST /echo HTTP/1.1', ...lines);
        for (const piece of ['alpha', 'gamma', 'omega']) {
          client.socket.write(`5\r\n${piece}\r\n`);
          await client.until((text) => text.includes(piece));
        }
        client.socket.write('0\r\n\r\n');
        await client.until((text) => text.endsWith('0\r\n\r\n'));
        client.socket.destroy();
      }
    },
  ),
  row('QP-77', 'Trailers of an answer are relayed', async (cluster) => {
    for (const host of await ways(cluster)) {
      const client = await rawRequest(cluster, host, 'GET /trailers HTTP/1.1');
      await client.until((text) => text.endsWith('\r\n0\r\nx-sum: 42\r\n\r\n'));
      client.socket.destroy();
    }
  }),
  row('QP-81', 'A 103 is relayed and does not touch the status after it', async (cluster) => {
    for (const host of await ways(cluster)) {
      const client = await rawRequest(cluster, host, 'GET /hints HTTP/1.1');
      await client.until((text) => text.includes('after hints'));
      expect(client.received).toMatch(/^HTTP\/1\.1 103 [\s\S]*\r\n\r\nHTTP\/1\.1 404 /);
      client.socket.destroy();
    }
  }),
  row('QP-87', 'An early refusal reaches a client that still sends', async (cluster) => {
    const host = await direct(cluster);
    const lines = ['Content-Length: 10000000'];
    const client = await rawRequest(cluster, host, 'POST /early HTTP/1.1', ...lines);
    client.socket.write('x'.repeat(100_000));
    const answer = await client.answer();
    expect([answer.status, answer.body]).toEqual([413, 'too much']);
    client.socket.destroy();
  }),
  row('QP-79', 'A body that broke off does not look complete', async (cluster) => {
    for (const host of await ways(cluster)) {
      const client = await rawRequest(cluster, host, 'GET /cut HTTP/1.1');
      await client.untilClosed();
      expect(client.received).not.toMatch(/\r\n0\r\n\r\n$/);
    }
  }),
  row('RC-34, QP-82', 'A container that hangs up is 502 with the error', async (cluster) => {
    const asked = { path: '/drop', method: 'POST' };
    const { status, headers, body } = await cluster.ask(await direct(cluster), asked);
    expect([status, body]).toEqual([502, 'EOF\n']);
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
  }),
  row('QP-78', 'An answer of 16 MiB arrives whole', async (cluster) => {
    for (const host of await ways(cluster)) {
      const { body } = await cluster.ask(host, { path: '/bytes?count=16777216' });
      expect(body.length).toBe(16_777_216);
    }
  }),
  row('RC-34, QP-80', 'A client that leaves is noticed by the container', async (cluster) => {
    const host = await direct(cluster);
    const left = new Held(cluster, host);
    const inside = async () => {
      const held = new Held(cluster, host);
      held.finish();
      return (JSON.parse((await held.answer).body) as { inside: number }).inside;
    };
    await expect.poll(inside, { timeout: 20_000 }).toBe(2);
    left.abandon();
    await expect.poll(inside, { timeout: 20_000 }).toBe(1);
  }),
  row('RC-14, QP-88', 'An upgrade is a tunnel of bytes, of any protocol', async (cluster) => {
    for (const host of await ways(cluster)) {
      const lines = ['Connection: Upgrade', 'Upgrade: anything'];
      const client = await rawRequest(cluster, host, 'GET /tunnel HTTP/1.1', ...lines);
      await client.until((text) => text.endsWith('\r\n\r\n'));
      expect(client.received).toMatch(/^HTTP\/1\.1 101 [\s\S]*\r\nUpgrade: anything\r\n/i);
      client.received = '';
      for (const bytes of ['\x00\xff', 'more', '\r\n\r\n']) {
        client.socket.write(bytes, 'latin1');
        await client.until((text) => text === bytes);
        client.received = '';
      }
      client.socket.end();
      await client.untilClosed();
    }
  }),
  row('QP-88', 'A refused upgrade is an ordinary answer', async (cluster) => {
    const lines = ['Connection: Upgrade', 'Upgrade: anything'];
    const client = await rawRequest(
      cluster,
      await direct(cluster),
      'GET /no-upgrade HTTP/1.1',
      ...lines,
    );
    expect((await client.answer()).status).toBe(426);
    client.socket.destroy();
  }),
  row('RC-35', 'Events arrive one by one', async (cluster) => {
    const host = await through(cluster);
    const times: number[] = [];
    await new Promise<void>((resolve, reject) => {
      const { gatewayPort: port } = cluster.pilotlight;
      const path = '/tick?count=3&ms=100';
      http
        .get({ host: '127.0.0.1', port, path, headers: { host }, agent: false }, (incoming) => {
          incoming.on('data', () => times.push(performance.now()));
          incoming.on('end', resolve);
          incoming.on('error', reject);
        })
        .on('error', reject);
    });
    expect(times.length).toBe(3);
  }),
];
