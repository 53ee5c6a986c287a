// Held requests on real sockets, byte by byte: what a client sees while it waits, when its time is
// over and when its revision cannot start, and that a client that left is forgotten, body or not
// (ACT-35, ACT-108, ACT-109, ACT-123, ACT-223).

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Revision as RevisionKind } from '../api/kinds.ts';
import type { Revision } from '../api/serving.ts';
import { answerProbes } from '../proxy/testing/dual-app.ts';
import { head, until } from '../proxy/testing/harness.ts';
import { NetActivator } from './testing/net-activator.ts';

let activator: NetActivator;
let sockets: Socket[];

beforeEach(async () => {
  sockets = [];
  activator = await NetActivator.start();
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await activator.stop();
});

interface Client {
  readonly socket: Socket;
  received: string;
}

async function client(): Promise<Client> {
  const socket = connect(activator.port, '127.0.0.1');
  sockets.push(socket);
  const seen: Client = { socket, received: '' };
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    seen.received += chunk;
  });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return seen;
}

function request(method: string, target: string, ...lines: string[]): string {
  return head(
    `${method} ${target} HTTP/1.1`,
    'Host: hello.example.com',
    'Knative-Serving-Namespace: default',
    'Knative-Serving-Revision: hello',
    ...lines,
  );
}

const endsWith = (seen: Client, text: string) => until(() => seen.received.endsWith(text), text);

describe('a held request', () => {
  it('ACT-35: gets exactly this when its time is over, and the connection goes on', async () => {
    await activator.create('hello', { spec: { timeoutSeconds: 1 } });
    const seen = await client();
    for (let round = 0; round < 2; round++) {
      seen.received = '';
      seen.socket.write(request('GET', '/'));
      await endsWith(seen, 'activator request timeout');
      expect(seen.received.replace(/Date: [^\r]+/, 'Date: now')).toBe(
        `${head(
          'HTTP/1.1 504 Gateway Timeout',
          'Content-Type: text/plain; charset=utf-8',
          'Content-Length: 25',
          'Date: now',
        )}activator request timeout`,
      );
    }
  });

  it.each([
    ['its image', 'ContainerHealthy', 'ContainerMissing', 'no image hello:1'],
    ['a crash', 'ContainerHealthy', 'ExitCode137', 'Container failed with: out of memory'],
    ['a quota', 'ResourcesAvailable', 'FailedCreate', 'exceeded quota: pods'],
  ])('hears at once that %s keeps its revision from starting', async (_name, ...why) => {
    const [type = '', reason = '', message = ''] = why;
    await activator.create('hello');
    const seen = await client();
    seen.socket.write(`${request('POST', '/', 'Content-Length: 4')}body`);
    await activator.untilReported('hello', 1);
    const key = { namespace: 'default', name: 'hello' };
    const stored = await activator.client.get<Revision>(RevisionKind, key);
    const conditions = [{ type, status: 'False' as const, reason, message }];
    await activator.client.updateStatus<Revision>(RevisionKind, {
      ...stored,
      status: { conditions },
    });
    const text = `revision default/hello cannot start: ${reason}: ${message}\n`;
    await endsWith(seen, text);
    expect(seen.received).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
    expect(seen.received).not.toContain('Retry-After');
  });

  it.each([
    ['without a body', request('GET', '/'), 0],
    ['with its body here', `${request('POST', '/', 'Content-Length: 5')}12345`, 0],
    ['with a large body half here', request('POST', '/', 'Content-Length: 1000000'), 500_000],
    ['with a chunked body begun', request('POST', '/', 'Transfer-Encoding: chunked'), 0],
  ])('ACT-223: %s is forgotten when its client leaves', { timeout: 20_000 }, async (...row) => {
    const [, text, bodyBytes] = row;
    await activator.create('hello', { spec: { containerConcurrency: 1 } });
    const seen = await client();
    seen.socket.write(text);
    if (bodyBytes > 0) seen.socket.write(Buffer.alloc(bodyBytes, 'x'));
    await activator.untilReported('hello', 1);
    seen.socket.destroy();
    await activator.untilIdle('hello');
  });

  it('ACT-223: is not told to go on with its body before a pod asks for it', async () => {
    await activator.create('hello');
    const seen = await client();
    seen.socket.write(request('POST', '/', 'Content-Length: 4', 'Expect: 100-continue'));
    await activator.untilReported('hello', 1);
    expect(seen.received).toBe('');
    await activator.start('hello', () => undefined, { protocol: 'http1' });
    await endsWith(seen, 'HTTP/1.1 100 Continue\r\n\r\n');
  });

  it('ACT-108, ACT-109: reaches the pod as it was sent', async () => {
    const heads: unknown[] = [];
    await activator.create('hello');
    const seen = await client();
    seen.socket.write(
      request('PATCH', '/a//b%2F?x=1&y', 'Accept: a/b', 'X-Forwarded-For: 1.1.1.1'),
    );
    await activator.untilReported('hello', 1);
    await activator.start('hello', () => undefined, {
      protocol: 'http1',
      onRequest: (incoming, response) => {
        if (incoming.headers['k-network-probe'] !== undefined) {
          answerProbes(incoming, response);
          return;
        }
        const { method, url, httpVersion } = incoming;
        heads.push(method, url, httpVersion, incoming.rawHeaders);
        response.end('done');
      },
    });
    await endsWith(seen, 'done');
    expect(heads.slice(0, 3)).toEqual(['PATCH', '/a//b%2F?x=1&y', '1.1']);
    expect(heads[3]).toEqual([
      ...['Host', activator.destOf('hello'), 'Accept', 'a/b'],
      ...['X-Forwarded-For', '1.1.1.1, 127.0.0.1'],
      ...['K-Proxy-Request', 'activator', 'K-Original-Host', 'hello.example.com'],
    ]);
  });

  it('ACT-30: is answered while its body is still on the way', async () => {
    await activator.create('hello');
    await activator.start('hello', () => undefined, {
      protocol: 'http1',
      onRequest: (incoming, response) => {
        if (incoming.headers['k-network-probe'] !== undefined) answerProbes(incoming, response);
        else incoming.once('data', () => response.write('early')) && response.flushHeaders();
      },
    });
    const seen = await client();
    seen.socket.write(`${request('POST', '/', 'Content-Length: 100')}some`);
    await until(() => seen.received.includes('early'), 'the beginning of the answer');
  });
});
