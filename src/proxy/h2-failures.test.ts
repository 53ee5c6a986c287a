import type { ServerHttp2Stream } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import {
  data,
  Flag,
  FrameType,
  frame,
  HEADERS_DONE,
  PREFACE,
  RawHttp2,
  REQUEST_DONE,
  request,
  requestHead,
  reset,
  resetCode,
  Setting,
  STATUS_200,
  settings,
} from './testing/h2-frames.ts';
import { type AppRequest, answerOf, Http2App, Http2Harness } from './testing/h2-harness.ts';
import { RawApp, until } from './testing/harness.ts';
import { FailureCode, Outcome, type UpstreamOptions } from './types.ts';

const CANCEL = 8;
const INTERNAL_ERROR = 2;
const REFUSED_STREAM = 7;
const NO_ERROR = 0;

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(
  onRequest: (request: AppRequest) => void,
  appOptions: object = {},
): Promise<{ app: Http2App; harness: Http2Harness }> {
  const app = new Http2App(onRequest, appOptions);
  const harness = await inFrontOf(await app.listen());
  cleanups.unshift(() => app.close());
  return { app, harness };
}

async function inFrontOf(
  appPort: number,
  upstream: Partial<UpstreamOptions> = {},
): Promise<Http2Harness> {
  const harness = new Http2Harness({ upstream });
  cleanups.push(() => harness.stop());
  await harness.start(appPort);
  return harness;
}

async function rawApp(onConnection: ConstructorParameters<typeof RawApp>[0]): Promise<number> {
  const app = new RawApp(onConnection);
  cleanups.unshift(() => app.close());
  return app.listen();
}

function closing(stream: ServerHttp2Stream): Promise<number> {
  return new Promise((resolve) => {
    stream.on('close', () => resolve(stream.rstCode ?? 0));
  });
}

describe('HTTP/2 failures toward the application', () => {
  it('QP-82: an application that is not there is 502 with the words of the reference', async () => {
    const port = await rawApp(() => undefined);
    cleanups.shift()?.();
    const harness = await inFrontOf(port);
    const answer = await harness.ask({ ':path': '/' });
    expect(answer).toMatchObject({
      status: 502,
      body: `dial tcp 127.0.0.1:${port}: connect: connection refused\n`,
    });
    expect(harness.handler.failures[0]).toMatchObject({ sent: false });
  });

  it('QP-59: an application that speaks HTTP/1 only is 502, and says so', async () => {
    const port = await rawApp((connection) => {
      connection.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    });
    const harness = await inFrontOf(port);
    const answer = await harness.ask({ ':path': '/' });
    expect(answer.status).toBe(502);
    expect(answer.body).toContain('frame header looked like an HTTP/1.1 header');
    expect(harness.handler.failures[0]?.code).toBe(FailureCode.MALFORMED_RESPONSE);
  });

  it('an application that closes without a word is 502 EOF', async () => {
    const port = await rawApp((connection) => {
      connection.socket.once('data', () => connection.socket.end());
    });
    const harness = await inFrontOf(port);
    expect(await harness.ask({ ':path': '/' })).toMatchObject({ status: 502, body: 'EOF\n' });
  });

  it('a stream the application resets before it answers is 502', async () => {
    const { harness } = await start(({ stream }) => stream.close(INTERNAL_ERROR));
    const answer = await harness.ask({ ':path': '/' });
    expect(answer.status).toBe(502);
    expect(answer.body).toBe('stream error: stream ID 1; INTERNAL_ERROR; received from peer\n');
  });

  it('QP-64: a refused stream goes out again, once', async () => {
    const { app, harness } = await start(({ stream }) => stream.close(REFUSED_STREAM));
    const answer = await harness.ask({ ':path': '/', ':method': 'DELETE' });
    expect(answer.status).toBe(502);
    expect(answer.body).toContain('REFUSED_STREAM');
    expect(app.requests).toHaveLength(2);
  });

  it('QP-64: a request with a body is never sent twice', async () => {
    const { app, harness } = await start(({ stream }) => stream.close(REFUSED_STREAM));
    const answer = await harness.ask({ ':path': '/', ':method': 'PUT' }, 'body');
    expect(answer.status).toBe(502);
    expect(app.requests).toHaveLength(1);
  });

  it('QP-64: a GET whose reused connection died goes out on a fresh one', async () => {
    const { app, harness } = await start(({ stream }) => {
      if (app.sessions.length === 1 && app.requests.length === 2) {
        app.sessions[0]?.destroy();
      } else stream.respond({ ':status': 200 }, { endStream: true });
    });
    expect((await harness.ask({ ':path': '/' })).status).toBe(200);
    expect((await harness.ask({ ':path': '/' })).status).toBe(200);
    expect(app.sessions).toHaveLength(2);
    expect(app.requests).toHaveLength(3);
  });

  it('QP-64: a first-use connection that died is not retried, nor a POST at all', async () => {
    const { app, harness } = await start(() => app.sessions.at(-1)?.destroy());
    expect((await harness.ask({ ':path': '/' })).status).toBe(502);
    expect(app.requests).toHaveLength(1);
    expect((await harness.ask({ ':path': '/', ':method': 'POST' })).status).toBe(502);
    expect(app.requests).toHaveLength(2);
  });

  it('QP-62: another connection is opened when the application allows no more streams', async () => {
    const held: ServerHttp2Stream[] = [];
    const { app, harness } = await start(({ stream }) => held.push(stream), {
      settings: { maxConcurrentStreams: 2 },
    });
    const client = harness.client();
    const answers = Array.from({ length: 5 }, () => answerOf(client.request({ ':path': '/' })));
    await until(() => held.length === 5, 'five requests');
    expect(app.sessions).toHaveLength(3);
    for (const stream of held) stream.respond({ ':status': 200 }, { endStream: true });
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
  });

  it('QP-62: a broken connection takes no waiting request, the next one does', async () => {
    const connections: RawHttp2[] = [];
    const requestOn = (raw: RawHttp2) => raw.until((one) => one.type === FrameType.HEADERS);
    const port = await rawApp((connection) => {
      connections.push(new RawHttp2(connection.socket, PREFACE.length));
    });
    const harness = await inFrontOf(port);
    const client = harness.client();
    const [first, second] = ['/1', '/2'].map((path) => {
      return answerOf(client.request({ ':path': path, ':method': 'POST' }, { endStream: true }));
    });
    await until(() => connections.length === 1, 'first connection');
    connections[0]!.write(settings([Setting.MAX_CONCURRENT_STREAMS, 1]));
    await requestOn(connections[0]!);
    await until(() => connections.length === 2, 'second connection');
    connections[0]!.socket.resetAndDestroy();
    expect((await first!).status).toBe(502);
    connections[1]!.write(settings());
    const { streamId } = await requestOn(connections[1]!);
    connections[1]!.write(frame(FrameType.HEADERS, REQUEST_DONE, streamId, STATUS_200));
    expect((await second!).status).toBe(200);
  });

  it('after a GOAWAY of the application new requests use a new connection', async () => {
    const held: ServerHttp2Stream[] = [];
    const { app, harness } = await start(({ stream, headers }) => {
      if (headers[':path'] === '/hold') held.push(stream);
      else stream.respond({ ':status': 200 }, { endStream: true });
    });
    const client = harness.client();
    const holding = answerOf(client.request({ ':path': '/hold' }));
    await until(() => held.length === 1, 'held request');
    app.sessions[0]?.goaway(0);
    expect((await harness.ask({ ':path': '/' })).status).toBe(200);
    held[0]?.respond({ ':status': 200 });
    held[0]?.end('late');
    expect(await holding).toMatchObject({ status: 200, body: 'late', resetCode: NO_ERROR });
  });
});

describe('HTTP/2 answers that break off', () => {
  for (const code of [INTERNAL_ERROR, NO_ERROR]) {
    it(`QP-79: an answer the application resets with ${code} is reset, not ended`, async () => {
      const port = await rawApp((connection) => {
        const raw = new RawHttp2(connection.socket, PREFACE.length);
        raw.write(settings());
        void raw
          .until((one) => one.type === FrameType.HEADERS)
          .then((head) => {
            const id = head.streamId;
            raw.write(frame(FrameType.HEADERS, HEADERS_DONE, id, STATUS_200), data(id, 'partial'));
            raw.write(reset(id, code));
          });
      });
      const harness = await inFrontOf(port);
      const client = await RawHttp2.open(harness.port);
      client.write(request(1));
      const last = await client.until((one) => one.type === FrameType.RST_STREAM);
      expect(resetCode(last)).toBe(INTERNAL_ERROR);
      expect(client.find((one) => (one.flags & Flag.END_STREAM) !== 0 && one.type < 2)).toBe(
        undefined,
      );
      expect(harness.handler.outcomes).toEqual([Outcome.TRUNCATED]);
      client.socket.destroy();
    });
  }

  it('QP-79: an answer shorter than its content-length is reset', async () => {
    const { harness } = await start(({ stream }) => {
      stream.respond({ ':status': 200, 'content-length': '100' });
      stream.end('short');
    });
    const answer = await harness.ask({ ':path': '/' });
    expect(answer.resetCode).not.toBe(NO_ERROR);
    expect(harness.handler.outcomes).toEqual([Outcome.TRUNCATED]);
  });

  it('QP-79: an answer cut with its connection is reset', async () => {
    const { app, harness } = await start(({ stream }) => {
      stream.respond({ ':status': 200 });
      stream.write('partial', () => app.sessions[0]?.destroy());
    });
    const answer = await harness.ask({ ':path': '/' });
    expect(answer.resetCode).toBe(INTERNAL_ERROR);
    expect(harness.handler.outcomes).toEqual([Outcome.TRUNCATED]);
  });
});

describe('HTTP/2 clients that leave', () => {
  it('QP-80: a reset of the client resets the application with CANCEL', async () => {
    const { app, harness } = await start(({ stream }) => stream.respond({ ':status': 200 }));
    const stream = harness.client().request({ ':path': '/' });
    const answering = answerOf(stream);
    await until(() => app.requests.length === 1, 'request');
    const code = closing(app.requests[0]!.stream);
    stream.close(CANCEL);
    await answering;
    expect(await code).toBe(CANCEL);
    expect(harness.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
  });

  it('an upload the client resets with NO_ERROR never looks complete', async () => {
    let hasEnded = false;
    const { app, harness } = await start(({ stream }) => {
      stream.on('end', () => {
        hasEnded = stream.rstCode === NO_ERROR;
      });
      stream.resume();
    });
    const client = await RawHttp2.open(harness.port);
    client.write(requestHead(1), data(1, 'half'));
    await until(() => app.requests.length === 1, 'request');
    const code = closing(app.requests[0]!.stream);
    client.write(reset(1, NO_ERROR));
    expect(await code).toBe(CANCEL);
    expect(hasEnded).toBe(false);
    expect(harness.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
    client.socket.destroy();
  });

  it('a client whose connection breaks ends all its requests', async () => {
    const { app, harness } = await start(() => undefined);
    const client = harness.client();
    const answers = [1, 2, 3].map(() => answerOf(client.request({ ':path': '/' })));
    await until(() => app.requests.length === 3, 'requests');
    const codes = app.requests.map((request) => closing(request.stream));
    client.destroy();
    await Promise.all(answers);
    expect(await Promise.all(codes)).toEqual([CANCEL, CANCEL, CANCEL]);
    await until(() => harness.handler.outcomes.length === 3, 'ends');
    expect(new Set(harness.handler.outcomes)).toEqual(new Set([Outcome.CLIENT_GONE]));
  });

  it('a client that leaves a held request with half a body is noticed', async () => {
    const { harness } = await start(() => undefined);
    harness.handler.onRequestHook = () => undefined;
    const stream = harness.client().request({ ':method': 'POST' });
    const answering = answerOf(stream);
    stream.write('half');
    await until(() => harness.handler.exchanges.length === 1, 'request');
    stream.close(CANCEL);
    await answering;
    await until(() => harness.handler.outcomes.length === 1, 'end');
    expect(harness.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
  });

  it('QP-52: a role that gives up answers itself, and the application is cancelled', async () => {
    const { app, harness } = await start(({ stream }) => stream.resume());
    const stream = harness.client().request({ ':method': 'POST' });
    const answering = answerOf(stream);
    stream.write('half');
    await until(() => app.requests.length === 1, 'request');
    const code = closing(app.requests[0]!.stream);
    harness.handler.exchanges[0]!.cancelForward();
    harness.handler.exchanges[0]!.respond(504, '', 'request timeout');
    stream.end();
    expect(await answering).toMatchObject({ status: 504, body: 'request timeout', resetCode: 0 });
    expect(await code).toBe(CANCEL);
  });

  it('abort resets both sides', async () => {
    const { app, harness } = await start(({ stream }) => {
      stream.respond({ ':status': 200 });
      stream.write('some');
    });
    const stream = harness.client().request({ ':path': '/' });
    const answering = answerOf(stream);
    await until(() => harness.handler.responseBytes > 0, 'answer');
    const code = closing(app.requests[0]!.stream);
    harness.handler.exchanges[0]!.abort();
    expect((await answering).resetCode).toBe(INTERNAL_ERROR);
    expect(await code).toBe(CANCEL);
    expect(harness.handler.outcomes).toEqual([Outcome.ABORTED]);
  });
});
