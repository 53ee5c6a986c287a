// What the activator's transport does to a request on its way, over both protocols and real sockets
// (sections 6.1 and 6.2 of ACT).

import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answerProbes } from '../proxy/testing/dual-app.ts';
import { until } from '../proxy/testing/harness.ts';
import { NetActivator } from './testing/net-activator.ts';

let activator: NetActivator;

beforeEach(async () => {
  activator = await NetActivator.start();
});
afterEach(async () => {
  await activator.stop();
});

const ok = (stream: ServerHttp2Stream): void => {
  stream.respond({ ':status': 200 });
  stream.end('ok');
};

/** One request of HTTP/1.1; resolves with the status. */
function askPlain(options: {
  path?: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        host: '127.0.0.1',
        port: activator.port,
        path: options.path ?? '/',
        method: options.method ?? 'GET',
        headers: {
          host: 'app.example.com',
          'Knative-Serving-Namespace': 'default',
          'Knative-Serving-Revision': 'app',
          ...options.headers,
        },
      },
      (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0)),
    );
    sent.on('error', reject);
    sent.end(options.body);
  });
}

describe('the way to the pod', () => {
  it('ACT-108, ACT-109: method, path and query as they came; the peer in X-Forwarded-For', async () => {
    const seen: IncomingMessage[] = [];
    await activator.deploy(
      'app',
      {
        onRequest: (request, response) => {
          if (request.headers['k-network-probe'] !== undefined) answerProbes(request, response);
          else {
            seen.push(request);
            response.end();
          }
        },
      },
      ok,
    );
    const headers = { 'x-forwarded-for': '9.9.9.9', forwarded: 'for=8.8.8.8' };
    expect(await askPlain({ method: 'PATCH', path: '/a//b/..?x=%zz', headers })).toBe(200);
    expect(seen[0]).toMatchObject({ method: 'PATCH', url: '/a//b/..?x=%zz' });
    expect(seen[0]?.headers).toMatchObject({
      'x-forwarded-for': '9.9.9.9, 127.0.0.1',
      forwarded: 'for=8.8.8.8',
    });
    expect(seen[0]?.headers['user-agent']).toBeUndefined();
    expect(seen[0]?.headers['accept-encoding']).toBeUndefined();
  });

  it('ACT-111: HTTP/1.1 connections are used again, HTTP/2 streams share one', async () => {
    const pod = await activator.deploy(
      'app',
      { onRequest: (request, response) => answerProbes(request, response) },
      ok,
    );
    for (let index = 0; index < 5; index += 1) await askPlain({});
    // The probe left the first one warm (ACT-14).
    const plain = pod.accepted;
    expect(plain).toBeLessThanOrEqual(2);
    await Promise.all(Array.from({ length: 20 }, () => activator.ask('app')));
    // One more, or a few where a dial took longer than its 50 ms and was tried again.
    expect(pod.accepted - plain).toBeLessThan(10);
  });

  it('ACT-111: a pod that does not want the body is not sent it', async () => {
    let received = 0;
    await activator.deploy(
      'app',
      {
        onRequest: (request, response) => {
          if (request.headers['k-network-probe'] !== undefined) answerProbes(request, response);
          else {
            request.on('data', (chunk: Buffer) => {
              received += chunk.length;
            });
            response.writeHead(413).end();
          }
        },
      },
      ok,
    );
    const status = await askPlain({
      method: 'POST',
      headers: { expect: '100-continue', 'content-length': '5' },
    }).catch(() => 413);
    expect(status).toBe(413);
    expect(received).toBe(0);
  });

  it('ACT-78, ACT-223: an upload of a held request waits with its client, then streams', async () => {
    await activator.create('app', { protocol: 'h2c' });
    const stream = activator.open('app');
    let sent = 0;
    const chunk = Buffer.alloc(256 * 1024);
    const total = 32 * 1024 * 1024;
    const push = (): void => {
      while (sent < total) {
        sent += chunk.length;
        if (!stream.write(chunk)) {
          stream.once('drain', push);
          return;
        }
      }
      stream.end();
    };
    push();
    await activator.untilReported('app', 1);
    let last = -1;
    await until(() => {
      const isStill = sent === last;
      last = sent;
      return isStill;
    }, 'the client to be stopped');
    // The window of one stream is 1 MiB; the rest waits in the client.
    expect(sent).toBeLessThan(4 * 1024 * 1024);
    let received = 0;
    await activator.start('app', (upload) => {
      upload.on('data', (bytes: Buffer) => {
        received += bytes.length;
      });
      upload.on('end', () => ok(upload));
    });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    expect(headers[':status']).toBe(200);
    expect(received).toBe(total);
  });
});
