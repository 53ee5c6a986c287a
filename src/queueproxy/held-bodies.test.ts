// What waiting requests of a sidecar may hold of their bodies, on both engines: real sockets, a limit
// that is all but used up, and an application that keeps its only slot.

import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import type { HttpEngine } from '../proxy/http-engine.ts';
import { RequestAccounting } from '../proxy/request-accounting.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { createGate } from './handler.ts';
import { MAX_HELD_BODY_BYTES, RequestPlane } from './request-plane.ts';
import { parseQueueProxySettings } from './settings.ts';
import { TEST_ENVIRONMENT } from './testing/environment.ts';
import { RawClient } from './testing/raw-client.ts';
import { atEnd, closeAll, until } from './testing/started-proxy.ts';
import { TestApp } from './testing/test-app.ts';

const UPLOAD = ['Content-Length: 100000'];
afterEach(closeAll);

function planeFor(userPort: number, httpEngine: HttpEngine, threads = 1): RequestPlane {
  const clock = new FakeClock();
  const settings = { ...parseQueueProxySettings(TEST_ENVIRONMENT), userPort, httpEngine, threads };
  return new RequestPlane(settings, {
    clock,
    logger: silentLogger,
    random: () => 0.5,
    gate: createGate(1),
    accounting: new RequestAccounting(0),
    drainer: { draining: false, onArrival: () => undefined },
    isAppReady: async () => true,
    observer: null,
  });
}

async function connected(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  atEnd(() => client.socket.destroy());
  return client;
}

describe.each(['net', 'uws'] as const)('bodies of waiting requests on %s', (engine) => {
  it('QP-27: above the limit an upload is refused, others keep their place', async () => {
    const app = await TestApp.start();
    atEnd(() => app.close());
    const plane = planeFor(app.port, engine);
    atEnd(() => plane.close());
    const { port } = await plane.server.listen({ host: '127.0.0.1', port: 0 });
    const gate = plane.handler.gate!;
    const held = plane.limits.held!;
    const first = await connected(port);
    first.request('GET', '/');
    await until(() => app.held.length === 1, 'the only slot taken');

    const waiting = await connected(port);
    waiting.request('POST', '/', ...UPLOAD);
    waiting.socket.write('x'.repeat(1000));
    await until(() => held.bytes >= 1000, 'a held body');
    const bytes = held.bytes;

    held.add(MAX_HELD_BODY_BYTES - bytes);
    const refused = await connected(port);
    refused.request('POST', '/', ...UPLOAD);
    refused.socket.write('x'.repeat(1000));
    const answer = await refused.answer();
    expect([answer.status, answer.body]).toEqual([503, 'too many request bodies are held\n']);
    const plain = await connected(port);
    plain.request('GET', '/');
    await until(() => gate.waiting === 2, 'the upload before it and the one without a body');

    refused.socket.destroy();
    await until(() => held.bytes === MAX_HELD_BODY_BYTES, 'what was refused given back');
    app.answer = ({ response }) => response.end('done');
    app.held[0]!.response.end('done');
    waiting.socket.write('x'.repeat(99_000));
    for (const client of [first, waiting, plain]) expect((await client.answer()).status).toBe(200);
    await until(() => held.bytes === MAX_HELD_BODY_BYTES - bytes, 'everything given back');
  });
});

it('QP-16: request threads share the limit', () => {
  const plane = planeFor(1, 'net', 4);
  atEnd(() => plane.close());
  expect(plane.limits.held?.limit).toBe(MAX_HELD_BODY_BYTES / 4);
});
