// HTTP/2 through the whole activator on real sockets: an API in memory, applications that speak
// HTTP/2 as pods (behind a probe answerer of HTTP/1, as the sidecar is).

import type { ServerHttp2Stream } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NetActivator } from './testing/net-activator.ts';

let activator: NetActivator;

beforeEach(async () => {
  activator = await NetActivator.start();
});
afterEach(async () => {
  await activator.stop();
});

/** Answers as a gRPC method would: the request's messages back, the status in a trailer. */
function grpcEcho(stream: ServerHttp2Stream): void {
  stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.pipe(stream);
}

describe('HTTP/2 through the activator', () => {
  it('ACT-2, ACT-3: every port speaks HTTP/1 and HTTP/2, whatever the revision speaks', async () => {
    await activator.deploy('greeter', { protocol: 'h2c' }, grpcEcho);
    for (const port of [activator.port, activator.h2cPort]) {
      const answer = await activator.ask('greeter', { port, body: 'hello' });
      expect(answer).toMatchObject({ status: 200, body: 'hello', resetCode: 0 });
      expect((await activator.probe(port)).status).toBe(200);
    }
  });

  it('ACT-110: HTTP/2 in is HTTP/2 out, to an HTTP/1 revision too', async () => {
    await activator.deploy('plain', {}, grpcEcho);
    expect(await activator.ask('plain', { body: 'x' })).toMatchObject({ status: 200, body: 'x' });
  });

  it('ACT-106, ACT-107: the pod gets the rewritten head, and the end of an empty body', async () => {
    const { requests } = await activator.deploy('greeter', { protocol: 'h2c' }, grpcEcho);
    await activator.ask('greeter', { headers: { 'k-network-hash': 'x', 'k-proxy-request': 'y' } });
    const headers = requests[0]?.headers ?? {};
    expect(headers[':authority']).toBe(activator.destOf('greeter'));
    expect(headers).toMatchObject({
      'k-original-host': 'greeter.example.com',
      'k-proxy-request': 'activator',
      'x-forwarded-for': '127.0.0.1',
    });
    for (const name of [
      'knative-serving-revision',
      'knative-serving-namespace',
      'k-network-hash',
    ]) {
      expect(headers[name]).toBeUndefined();
    }
  });

  it('ACT-114: trailers and interim answers are relayed', async () => {
    await activator.deploy('greeter', { protocol: 'h2c' }, (stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' });
      grpcEcho(stream);
    });
    const answer = await activator.ask('greeter', { body: 'abc' });
    expect(answer.interim).toEqual([103]);
    expect(answer.trailers?.['grpc-status']).toBe('0');
  });

  it('ACT-223: requests held for a pod keep their bodies and go out when it is there', async () => {
    await activator.create('sleepy', { protocol: 'h2c' });
    const body = 'b'.repeat(200_000);
    const asked = Array.from({ length: 20 }, () => activator.ask('sleepy', { body }));
    await activator.untilReported('sleepy', 20);
    await activator.start('sleepy', grpcEcho);
    for (const answer of await Promise.all(asked)) {
      expect(answer.status).toBe(200);
      expect(answer.body).toBe(body);
    }
  });

  it('ACT-40: a client that resets a held stream leaves the queue at once', async () => {
    await activator.create('sleepy', { protocol: 'h2c' });
    const stream = activator.open('sleepy');
    await activator.untilReported('sleepy', 1);
    stream.close(8);
    await activator.untilIdle('sleepy');
  });
});
