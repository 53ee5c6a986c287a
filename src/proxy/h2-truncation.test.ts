import { afterEach, describe, expect, it } from 'vitest';
import {
  data,
  Flag,
  type Frame,
  FrameType,
  fieldBlock,
  frame,
  HEADERS_DONE,
  PREFACE,
  RawHttp2,
  REQUEST_DONE,
  request,
  reset,
  resetCode,
  settings,
  uint32,
} from './testing/h2-frames.ts';
import { Http2Harness } from './testing/h2-harness.ts';
import { RawApp, until } from './testing/harness.ts';
import { Outcome } from './types.ts';

const NO_ERROR = 0;
const INTERNAL_ERROR = 2;
/** Far more than the client's first window and the buffers before it, less than the proxy's. */
const CHUNK = 'x'.repeat(60_000);
const CHUNKS = 10;
const BODY_BYTES = CHUNK.length * CHUNKS;
const WIDE_OPEN = 1 << 24;

let app: RawApp;
let harness: Http2Harness;
let client: RawHttp2;

afterEach(async () => {
  client.socket.destroy();
  await harness.stop();
  app.close();
});

/** A client that takes one window and no more, and an application that ends with `last`. */
async function start(
  fields: readonly (readonly [string, string])[],
  last: (streamId: number) => Uint8Array,
): Promise<void> {
  let answered: RawHttp2 | null = null;
  app = new RawApp((connection) => {
    const raw = new RawHttp2(connection.socket, PREFACE.length);
    // Acknowledged at once: the proxy's windows hold from then on.
    raw.write(settings(), frame(FrameType.SETTINGS, Flag.ACK, 0));
    void raw
      .until((one) => one.type === FrameType.HEADERS)
      .then(({ streamId }) => {
        const head = fieldBlock([[':status', '200'], ...fields]);
        raw.write(frame(FrameType.HEADERS, HEADERS_DONE, streamId, head));
        for (let sent = 0; sent < CHUNKS; sent += 1) {
          for (let at = 0; at < CHUNK.length; at += 15_000) {
            raw.write(data(streamId, CHUNK.slice(at, at + 15_000)));
          }
        }
        raw.write(last(streamId), frame(FrameType.PING, 0, 0, Buffer.alloc(8)));
        answered = raw;
      });
  });
  harness = new Http2Harness();
  await harness.start(await app.listen());
  client = await RawHttp2.open(harness.port);
  client.write(request(1));
  // The answer to the PING: everything the application sent was read, while nobody took it.
  await until(() => answered?.find((one) => isPong(one)) !== undefined, 'read answer');
  expect(client.body(1).length).toBeLessThan(BODY_BYTES);
  client.write(frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(WIDE_OPEN)));
  client.write(frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(WIDE_OPEN)));
}

function isPong(one: Frame): boolean {
  return one.type === FrameType.PING && (one.flags & Flag.ACK) !== 0;
}

function isEnd(one: Frame): boolean {
  return one.streamId === 1 && one.type <= 1 && (one.flags & Flag.END_STREAM) !== 0;
}

function lastOf(raw: RawHttp2): Promise<Frame> {
  return raw.until((one) => isEnd(one) || one.type === FrameType.RST_STREAM);
}

describe('HTTP/2 answers that wait for a slow client', () => {
  it('QP-79: reset with NO_ERROR while the client does not read, it never looks complete', async () => {
    await start([], (id) => reset(id, NO_ERROR));
    const last = await lastOf(client);
    expect(last.type).toBe(FrameType.RST_STREAM);
    expect(resetCode(last)).toBe(INTERNAL_ERROR);
    expect(harness.handler.outcomes).toEqual([Outcome.TRUNCATED]);
  });

  it('QP-79: nor with a content-length that was not met', async () => {
    await start([['content-length', String(BODY_BYTES + 1)]], (id) => reset(id, NO_ERROR));
    expect((await lastOf(client)).type).toBe(FrameType.RST_STREAM);
    expect(harness.handler.outcomes).toEqual([Outcome.TRUNCATED]);
  });

  it('with a content-length that was met it is whole, however it ended', async () => {
    await start([['content-length', String(BODY_BYTES)]], (id) => reset(id, NO_ERROR));
    expect(isEnd(await lastOf(client))).toBe(true);
    expect(client.body(1)).toHaveLength(BODY_BYTES);
    expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
  });

  it('QP-78: ended by DATA it arrives whole', async () => {
    await start([], (id) => data(id, '', true));
    expect(isEnd(await lastOf(client))).toBe(true);
    expect(client.body(1)).toHaveLength(BODY_BYTES);
    expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
  });

  it('QP-78: ended by trailers, and reset behind them, it arrives whole', async () => {
    const trailers = fieldBlock([['x-checksum', '1']]);
    await start([], (id) =>
      Buffer.concat([frame(FrameType.HEADERS, REQUEST_DONE, id, trailers), reset(id, NO_ERROR)]),
    );
    const last = await lastOf(client);
    expect(last.type).toBe(FrameType.HEADERS);
    expect(client.body(1)).toHaveLength(BODY_BYTES);
  });
});
