import type { ClientHttp2Stream } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { createHeaderEdits } from './header-edits.ts';
import { type AppRequest, answerOf, Http2App, Http2Harness } from './testing/h2-harness.ts';
import { until } from './testing/harness.ts';
import { Outcome } from './types.ts';

let app: Http2App | null = null;
let harness: Http2Harness | null = null;

async function start(onRequest: (request: AppRequest) => void): Promise<Http2Harness> {
  app = new Http2App(onRequest);
  harness = new Http2Harness();
  await harness.start(await app.listen());
  return harness;
}

afterEach(async () => {
  await harness?.stop();
  app?.close();
  harness = null;
  app = null;
});

/** Sends the request's body and trailers back. */
function echo({ stream }: AppRequest): void {
  let trailers = {};
  stream.on('trailers', (received) => {
    trailers = { ...received };
  });
  stream.respond({ ':status': 200 }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.pipe(stream);
}

describe('HTTP/2 requests', () => {
  it('QP-3, QP-59: HTTP/2 in means HTTP/2 to the application and back', async () => {
    const { ask } = bound(
      await start(({ stream }) => {
        stream.respond({ ':status': 418, 'x-app': 'yes' });
        stream.end('short and stout');
      }),
    );
    const answer = await ask({ ':path': '/tea?x=%zz', 'x-one': '1' });
    expect(answer).toMatchObject({ status: 418, body: 'short and stout', resetCode: 0 });
    expect(answer.headers['x-app']).toBe('yes');
    expect(answer.headers.date).toBeDefined();
    expect(app?.requests[0]?.headers).toMatchObject({
      ':method': 'GET',
      ':path': '/tea?x=%zz',
      ':scheme': 'http',
      ':authority': `127.0.0.1:${harness?.port}`,
      'x-one': '1',
    });
    expect(harness?.handler.events).toEqual(['request GET /tea?x=%zz', 'head 418', 'end 0']);
  });

  it('bodies and trailers pass in both directions', async () => {
    const { client } = bound(await start(echo));
    const stream = client().request({ ':method': 'POST' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'abc', 'x-sum2': 'd' }));
    const answering = answerOf(stream);
    stream.write('one ');
    stream.end('two');
    const answer = await answering;
    expect(answer.body).toBe('one two');
    expect(answer.trailers).toMatchObject({ 'x-sum': 'abc', 'x-sum2': 'd' });
    expect(harness?.handler.outcomes).toEqual([Outcome.COMPLETE]);
    expect(harness?.handler.exchanges[0]).toMatchObject({
      requestBytes: 7,
      responseBytes: 7,
      responseStatus: 200,
      httpVersion: 20,
    });
  });

  it('QP-86: request and answer stream independently', async () => {
    const { client } = bound(await start(echo));
    const stream = client().request({ ':method': 'POST' });
    const received = collect(stream);
    for (const word of ['one', 'two', 'three']) {
      stream.write(word);
      await until(() => received.text.endsWith(word), word);
    }
    stream.end();
    await until(() => received.hasClosed, 'end');
    expect(received.text).toBe('onetwothree');
  });

  it('QP-81: interim answers are relayed, and the final one keeps its status', async () => {
    const { ask } = bound(
      await start(({ stream }) => {
        stream.additionalHeaders({ ':status': 103, link: '</a>' });
        stream.respond({ ':status': 404 });
        stream.end('gone');
      }),
    );
    expect(await ask({ ':path': '/' })).toMatchObject({ status: 404, interim: [103] });
    expect(harness?.handler.events).toContain('interim 103');
  });

  it('QP-65, QP-67, QP-68: hop-by-hop fields go, the peer is added, the rest passes', async () => {
    const { client } = bound(
      await start(({ stream }) => {
        stream.respond({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] }, { endStream: true });
      }),
    );
    harness!.handler.edits = createHeaderEdits({ drop: ['x-secret'], forwardedFor: true });
    const answer = await answerOf(
      client().request({
        te: 'trailers',
        cookie: ['a=1', 'b=2'],
        'x-forwarded-for': ['1.1.1.1', '2.2.2.2'],
        'proxy-authorization': 'Basic eA==',
        'x-secret': 's',
        'x-many': ['1', '2'],
      }),
    );
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    const raw = app!.requests[0]!.raw;
    expect(valuesOf(raw, 'te')).toEqual(['trailers']);
    expect(valuesOf(raw, 'cookie')).toEqual(['a=1', 'b=2']);
    expect(valuesOf(raw, 'x-many')).toEqual(['1', '2']);
    expect(valuesOf(raw, 'x-forwarded-for')).toEqual(['1.1.1.1, 2.2.2.2, 127.0.0.1']);
    expect(valuesOf(raw, 'x-secret')).toEqual([]);
    expect(valuesOf(raw, 'proxy-authorization')).toEqual([]);
  });

  it('QP-66: a host set by the role becomes the authority', async () => {
    const { ask } = bound(await start(({ stream }) => stream.respond({}, { endStream: true })));
    harness!.handler.edits = createHeaderEdits({ host: 'inner.example' });
    await ask({ ':path': '/', ':authority': 'outer.example' });
    expect(app?.requests[0]?.headers[':authority']).toBe('inner.example');
    expect(app?.requests[0]?.headers.host).toBeUndefined();
  });

  it('RFC 9113 8.3.1: Host becomes the authority where there is none', async () => {
    const { ask } = bound(await start(({ stream }) => stream.respond({}, { endStream: true })));
    await ask({ ':path': '/', host: 'only.example' });
    expect(app?.requests[0]?.headers[':authority']).toBe('only.example');
    expect(harness?.handler.exchanges[0]?.host).toBe('only.example');
  });

  it('QP-62: requests share one connection to the application', async () => {
    const { client } = bound(await start(({ stream }) => stream.respond({}, { endStream: true })));
    const session = client();
    await Promise.all(
      Array.from({ length: 20 }, () => answerOf(session.request({ ':path': '/' }))),
    );
    expect(app?.requests).toHaveLength(20);
    expect(app?.sessions).toHaveLength(1);
  });

  it('HEAD, 204 and 304 have no body and end', async () => {
    const { client } = bound(
      await start(({ stream, headers }) => {
        stream.respond({ ':status': Number(headers['x-status']), 'x-length': '5' });
        stream.end();
      }),
    );
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
    ] as const) {
      const stream = client().request({ ':method': method, 'x-status': String(status) });
      expect(await answerOf(stream)).toMatchObject({ status, body: '', resetCode: 0 });
    }
  });

  it('a local answer needs no application', async () => {
    const { ask } = bound(await start(() => undefined));
    harness!.handler.onRequestHook = (exchange) => {
      exchange.addResponseHeaders('X-Extra: 1\r\n');
      exchange.respond(503, 'Content-Type: text/plain\r\n', 'no ☕\n');
    };
    const answer = await ask({ ':method': 'POST' }, 'x'.repeat(100_000));
    expect(answer).toMatchObject({ status: 503, body: 'no ☕\n' });
    expect(answer.headers).toMatchObject({
      'content-length': '7',
      'content-type': 'text/plain',
      'x-extra': '1',
    });
  });
});

function bound(target: Http2Harness) {
  return { ask: target.ask.bind(target), client: target.client.bind(target) };
}

function collect(stream: ClientHttp2Stream): { text: string; hasClosed: boolean } {
  const state = { text: '', hasClosed: false };
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    state.text += text;
  });
  stream.on('close', () => {
    state.hasClosed = true;
  });
  return state;
}

function valuesOf(raw: readonly string[], name: string): string[] {
  return raw.filter((_, index) => index % 2 === 1 && raw[index - 1] === name);
}
