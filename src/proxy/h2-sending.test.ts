import type { ServerHttp2Stream } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import {
  data,
  FrameType,
  fieldBlock,
  frame,
  HEADERS_DONE,
  PREFACE,
  RawHttp2,
  REQUEST_DONE,
  request,
  requestFields,
  settings,
} from './testing/h2-frames.ts';
import { type AppRequest, Http2App, Http2Harness } from './testing/h2-harness.ts';
import { RawApp, until } from './testing/harness.ts';
import { FailureCode, Outcome } from './types.ts';

/**
 * Above the 64 KiB nghttp2 sends unless told otherwise; below the 8 CONTINUATION frames of 16 KiB
 * it takes.
 */
const LARGE_HEADS = Array.from({ length: 40 }, (_, n) => [`x-${n}`, '~^|'.repeat(1_000)] as const);
const LARGE_HEAD_BYTES = 120_000;
const LARGE_OPTIONS = {
  maxSendHeaderBlockLength: 1 << 20,
  maxHeaderListPairs: 2_000,
  settings: { maxHeaderListSize: 1 << 20 },
};
/** Names node:http2 refuses to send twice, and some that look dangerous but are not. */
const ODD_NAMES = (
  'access-control-allow-credentials access-control-max-age access-control-request-method age ' +
  'authorization content-encoding content-language content-location content-md5 content-range ' +
  'content-type date dnt etag expires from if-match if-modified-since if-none-match if-range ' +
  'if-unmodified-since last-modified location max-forwards proxy-authorization range referer ' +
  'retry-after tk upgrade-insecure-requests user-agent x-content-type-options __proto__ ' +
  'constructor hasownproperty 7 !#$%&*+-.^_`|~ trailer cookie set-cookie'
).split(' ');
const ODD_VALUES = ['', 'a', ', ,', '\x80\xff', '\t"\\'];
/** White space around a value is an error of the client's (RFC 9113 section 8.2.1). */
const isTrimmed = (value: string): boolean => value.trim() === value || value.includes('\x80');

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function inFrontOf(port: number): Promise<Http2Harness> {
  const harness = new Http2Harness();
  cleanups.push(() => harness.stop());
  await harness.start(port);
  return harness;
}

async function start(onRequest: (request: AppRequest) => void): Promise<Http2Harness> {
  const app = new Http2App(onRequest, LARGE_OPTIONS);
  const harness = await inFrontOf(await app.listen());
  cleanups.unshift(() => app.close());
  return harness;
}

/** An application that answers every request with these frames. */
async function startRaw(
  answer: (streamId: number) => readonly Uint8Array[],
): Promise<Http2Harness> {
  const app = new RawApp((connection) => {
    const raw = new RawHttp2(connection.socket, PREFACE.length);
    raw.write(settings());
    let seen = 0;
    connection.socket.on('data', () => {
      const heads = raw.frames.filter((one) => one.type === FrameType.HEADERS);
      for (const head of heads.slice(seen)) raw.write(...answer(head.streamId));
      seen = heads.length;
    });
  });
  const harness = await inFrontOf(await app.listen());
  cleanups.unshift(() => app.close());
  return harness;
}

/** The answer on stream 1 is complete. */
async function endOf(raw: RawHttp2): Promise<void> {
  const isEnd = (type: number): boolean => type === FrameType.DATA || type === FrameType.HEADERS;
  const last = await raw.until(
    ({ streamId, type, flags }) =>
      streamId === 1 && (type === FrameType.RST_STREAM || (isEnd(type) && (flags & 1) === 1)),
  );
  expect(last.type).not.toBe(FrameType.RST_STREAM);
}

const odd = ODD_NAMES.flatMap((name) => ODD_VALUES.map((value) => [name, value] as const));
const oddRequest = odd.filter(([, value]) => isTrimmed(value));

function ok(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200 }, { endStream: true });
}

describe('what applications send and node:http2 refuses to', () => {
  for (const status of ['600', '999', '000', '099']) {
    for (const flags of [HEADERS_DONE, REQUEST_DONE]) {
      it(`QP-82: status ${status} with flags ${flags} is 502, and the connection goes on`, async () => {
        const head = fieldBlock([[':status', status]]);
        const harness = await startRaw((id) => [frame(FrameType.HEADERS, flags, id, head)]);
        const answer = await harness.ask({ ':path': '/' });
        expect(answer).toMatchObject({ status: 502, resetCode: 0 });
        expect(answer.body).toBe(`http2: answer with status ${Number(status)}\n`);
        expect(harness.handler.failures[0]?.code).toBe(FailureCode.MALFORMED_RESPONSE);
        expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
        expect((await harness.ask({ ':path': '/' })).status).toBe(502);
      });
    }
  }

  for (const status of ['101', '2000', '20', 'abc', '+20', '']) {
    it(`a status of ${JSON.stringify(status)} is 502`, async () => {
      const head = fieldBlock([[':status', status]]);
      const harness = await startRaw((id) => [frame(FrameType.HEADERS, REQUEST_DONE, id, head)]);
      expect((await harness.ask({ ':path': '/' })).status).toBe(502);
    });
  }

  for (const status of [204, 205, 304]) {
    it(`a ${status} whose application sends a body and trailers all the same is no error`, async () => {
      const harness = await startRaw((id) => [
        frame(FrameType.HEADERS, HEADERS_DONE, id, fieldBlock([[':status', String(status)]])),
        data(id, 'body'),
        frame(FrameType.HEADERS, REQUEST_DONE, id, fieldBlock([['x-trailer', '1']])),
      ]);
      expect([status, 502]).toContain((await harness.ask({ ':path': '/' })).status);
      expect(harness.handler.outcomes).toHaveLength(1);
    });
  }

  it('repeated and odd fields of heads, interim heads and trailers arrive as answers', async () => {
    const twice = fieldBlock([...odd, ...odd]);
    const head = Buffer.concat([fieldBlock([[':status', '200']]), twice]);
    const interim = Buffer.concat([fieldBlock([[':status', '103']]), twice]);
    const harness = await startRaw((id) => [
      frame(FrameType.HEADERS, HEADERS_DONE, id, interim),
      frame(FrameType.HEADERS, HEADERS_DONE, id, head),
      data(id, 'body'),
      frame(FrameType.HEADERS, REQUEST_DONE, id, twice),
    ]);
    const raw = await RawHttp2.open(harness.port);
    cleanups.push(() => raw.socket.destroy());
    raw.write(request(1));
    await endOf(raw);
    expect(raw.body(1)).toBe('body');
    expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
  });

  it('a large answer head and large trailers arrive', async () => {
    const fields = Object.fromEntries(LARGE_HEADS);
    const harness = await start(({ stream }) => {
      stream.on('wantTrailers', () => stream.sendTrailers(fields));
      stream.respond({ ':status': 200, ...fields }, { waitForTrailers: true });
      stream.end('body');
    });
    const raw = await RawHttp2.open(harness.port);
    cleanups.push(() => raw.socket.destroy());
    raw.write(request(1));
    await endOf(raw);
    const isHead = (type: number): boolean => type === 1 || type === 9;
    const isBlockEnd = (type: number, flags: number): boolean => isHead(type) && (flags & 4) !== 0;
    await until(
      () => raw.frames.filter((one) => isBlockEnd(one.type, one.flags)).length === 2,
      'both field blocks',
    );
    const sent = raw.frames.filter((one) => isHead(one.type)).map((one) => one.payload.length);
    expect(sent.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(2 * LARGE_HEAD_BYTES);
    expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
  });
});

describe('what clients send and node:http2 refuses to', () => {
  it('repeated and odd fields of requests arrive as requests', async () => {
    const harness = await start(({ stream }) => ok(stream));
    const raw = await RawHttp2.open(harness.port);
    cleanups.push(() => raw.socket.destroy());
    const fields = [...requestFields(), ...oddRequest, ...oddRequest, ['te', 'trailers'] as const];
    const block = fieldBlock(fields);
    raw.write(frame(FrameType.HEADERS, REQUEST_DONE, 1, block));
    await endOf(raw);
    expect(harness.handler.exchanges[0]?.responseStatus).toBe(200);
    expect(harness.handler.failures).toEqual([]);
  });

  it('a large request head arrives', async () => {
    let size = 0;
    const harness = await start(({ stream, raw }) => {
      size = raw.join('').length;
      ok(stream);
    });
    const raw = await RawHttp2.open(harness.port);
    cleanups.push(() => raw.socket.destroy());
    const block = fieldBlock([...requestFields(), ...LARGE_HEADS]);
    raw.write(frame(FrameType.HEADERS, REQUEST_DONE, 1, block));
    await endOf(raw);
    expect(harness.handler.exchanges[0]?.responseStatus).toBe(200);
    expect(size).toBeGreaterThan(LARGE_HEAD_BYTES);
  });

  it('odd request trailers arrive', async () => {
    const harness = await start(({ stream }) => {
      stream.on('end', () => ok(stream));
      stream.resume();
    });
    const raw = await RawHttp2.open(harness.port);
    cleanups.push(() => raw.socket.destroy());
    const fields = requestFields({ ':method': 'POST' });
    raw.write(frame(FrameType.HEADERS, HEADERS_DONE, 1, fieldBlock(fields)), data(1, 'body'));
    raw.write(
      frame(FrameType.HEADERS, REQUEST_DONE, 1, fieldBlock([...oddRequest, ...oddRequest])),
    );
    await endOf(raw);
    expect(harness.handler.exchanges[0]?.responseStatus).toBe(200);
  });
});
