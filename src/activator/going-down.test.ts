// What a drain of the activator waits for, on real sockets and both protocols (ACT-210, ACT-212).

import { connect } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answerOf } from '../proxy/testing/h2-harness.ts';
import { until } from '../proxy/testing/harness.ts';
import { NetActivator } from './testing/net-activator.ts';

let activator: NetActivator;

beforeEach(async () => {
  activator = await NetActivator.start();
});
afterEach(async () => {
  await activator.stop();
});

describe('a draining activator', () => {
  it('ACT-212: says GOAWAY, finishes the streams in flight, then ends', async () => {
    let finish: () => void = () => undefined;
    await activator.deploy('slow', { protocol: 'h2c' }, (stream) => {
      stream.respond({ ':status': 200 });
      stream.write('begun');
      finish = () => stream.end(' and done');
    });
    const session = connect(`http://127.0.0.1:${activator.port}`);
    session.on('error', () => undefined);
    const stream = session.request({
      ':authority': 'slow.example.com',
      'knative-serving-namespace': 'default',
      'knative-serving-revision': 'slow',
    });
    const answer = answerOf(stream);
    let received = 0;
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    await until(() => received > 0, 'the beginning of the answer');
    let hasGoneAway = false;
    session.on('goaway', () => {
      hasGoneAway = true;
    });
    let isDrained = false;
    const drained = activator.running.drain({ delayMs: 0 }).then(() => {
      isDrained = true;
    });
    await until(() => hasGoneAway, 'GOAWAY');
    expect(isDrained).toBe(false);
    finish();
    expect(await answer).toMatchObject({ status: 200, body: 'begun and done', resetCode: 0 });
    await drained;
  });

  it('ACT-212: cuts what does not end within the limit', async () => {
    await activator.deploy('endless', { protocol: 'h2c' }, (stream) => {
      stream.respond({ ':status': 200 });
      stream.write('begun');
    });
    const stream = activator.open('endless', { port: activator.port });
    let received = 0;
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    await until(() => received > 0, 'the beginning of the answer');
    await activator.running.drain({ delayMs: 0, limitMs: 50 });
    await until(() => stream.destroyed || stream.closed, 'the end of the stream');
  });
});
