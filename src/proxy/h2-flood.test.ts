import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import {
  FLOOD_WINDOW_MS,
  FloodGuard,
  MAX_EMPTY_FRAMES_PER_WINDOW,
  MAX_PINGS_PER_WINDOW,
  MAX_PRIORITIES_PER_WINDOW,
  MAX_RESETS_PER_WINDOW,
  MAX_SETTINGS_PER_WINDOW,
} from './h2-flood.ts';
import { MAX_CONCURRENT_STREAMS, MAX_CONTINUATIONS, MAX_SETTINGS_ENTRIES } from './h2-limits.ts';
import {
  data,
  Flag,
  FrameType,
  fieldBlock,
  frame,
  goawayCode,
  RawHttp2,
  REQUEST_DONE,
  request,
  requestFields,
  requestHead,
  reset,
  settings,
} from './testing/h2-frames.ts';
import { Http2Harness } from './testing/h2-harness.ts';
import { until } from './testing/harness.ts';

const CANCEL = 8;
const ENHANCE_YOUR_CALM = 11;
/** Far more than anything the limits allow, and little beside the process itself. */
const MAX_GROWTH_BYTES = 64 << 20;

let harness: Http2Harness;
let flooder: RawHttp2;
let bystander: RawHttp2;

beforeEach(async () => {
  harness = new Http2Harness();
  await harness.start(1);
  harness.handler.onRequestHook = (exchange) => {
    if (exchange.target !== '/hold') exchange.respond(200, '', 'ok');
  };
  flooder = await RawHttp2.open(harness.port);
  bystander = await RawHttp2.open(harness.port);
});

afterEach(async () => {
  flooder.socket.destroy();
  bystander.socket.destroy();
  await harness.stop();
});

/** Sends `parts` until the connection ends, and sees that nobody else noticed. */
async function flood(limit: number, part: (index: number) => Uint8Array): Promise<number | null> {
  const before = process.memoryUsage().rss;
  for (let sent = 0; sent < limit * 2 && !flooder.hasClosed; sent += 100) {
    flooder.write(...Array.from({ length: 100 }, (_, index) => part(sent + index)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(
    () => flooder.hasClosed || flooder.find((one) => one.type === FrameType.GOAWAY) !== undefined,
    'end of the flood',
  );
  expect(process.memoryUsage().rss - before).toBeLessThan(MAX_GROWTH_BYTES);
  bystander.write(request(1));
  await bystander.until((one) => one.type === FrameType.DATA && one.streamId === 1);
  const goaway = flooder.find((one) => one.type === FrameType.GOAWAY);
  return goaway === undefined ? null : goawayCode(goaway);
}

describe('HTTP/2 floods end their connection and no other', () => {
  it('rapid reset', async () => {
    const code = await flood(MAX_RESETS_PER_WINDOW, (index) =>
      Buffer.concat([request(index * 2 + 1, { ':path': '/hold' }), reset(index * 2 + 1, CANCEL)]),
    );
    expect(code).toBe(ENHANCE_YOUR_CALM);
    await until(() => harness.handler.exchanges.every((one) => one.ended), 'ended exchanges');
  });

  it('resets the client provokes by protocol errors', async () => {
    const code = await flood(MAX_RESETS_PER_WINDOW, (index) => {
      const id = index * 2 + 1;
      // A second head that does not end the stream is malformed.
      return Buffer.concat([requestHead(id, { ':path': '/hold' }), requestHead(id)]);
    });
    expect(code).toBe(ENHANCE_YOUR_CALM);
  });

  it('PING', async () => {
    const ping = frame(FrameType.PING, 0, 0, Buffer.alloc(8));
    expect(await flood(MAX_PINGS_PER_WINDOW, () => ping)).toBe(ENHANCE_YOUR_CALM);
  });

  it('SETTINGS', async () => {
    expect(await flood(MAX_SETTINGS_PER_WINDOW, () => settings())).toBe(ENHANCE_YOUR_CALM);
  });

  it('PRIORITY', async () => {
    const priority = frame(FrameType.PRIORITY, 0, 9, Buffer.from([0, 0, 0, 0, 15]));
    expect(await flood(MAX_PRIORITIES_PER_WINDOW, () => priority)).toBe(ENHANCE_YOUR_CALM);
  });

  it('CONTINUATION', async () => {
    flooder.write(frame(FrameType.HEADERS, Flag.END_STREAM, 1, fieldBlock(requestFields())));
    const piece = frame(FrameType.CONTINUATION, 0, 1, fieldBlock([['x-a', 'b']]));
    expect(await flood(MAX_CONTINUATIONS, () => piece)).toBe(ENHANCE_YOUR_CALM);
    expect(harness.handler.exchanges.filter((one) => one.target === '/')).toHaveLength(1);
  });

  it('empty CONTINUATION', async () => {
    flooder.write(frame(FrameType.HEADERS, Flag.END_STREAM, 1, fieldBlock(requestFields())));
    const code = await flood(MAX_CONTINUATIONS, () => frame(FrameType.CONTINUATION, 0, 1));
    expect(code).toBe(ENHANCE_YOUR_CALM);
  });

  it('requests without fields', async () => {
    const code = await flood(1_000, (index) =>
      frame(FrameType.HEADERS, REQUEST_DONE, index * 2 + 1),
    );
    expect([null, ENHANCE_YOUR_CALM, 1, 2]).toContain(code);
  });

  it('empty DATA frames (RFC 9113 section 10.5)', async () => {
    flooder.write(requestHead(1, { ':path': '/hold' }));
    expect(await flood(MAX_EMPTY_FRAMES_PER_WINDOW, () => data(1, ''))).toBe(ENHANCE_YOUR_CALM);
    await until(() => harness.handler.exchanges.every((one) => one.ended), 'ended exchanges');
  });

  it('heads that never end their field block', async () => {
    const code = await flood(1_000, (index) => frame(FrameType.HEADERS, 0, index * 2 + 1));
    expect([null, ENHANCE_YOUR_CALM, 1, 2]).toContain(code);
  });

  it('one SETTINGS frame with too many entries', async () => {
    const entries = Array.from({ length: MAX_SETTINGS_ENTRIES + 1 }, () => [3, 100] as const);
    flooder.write(settings(...entries));
    expect(await flood(1, () => Buffer.alloc(0))).toBe(ENHANCE_YOUR_CALM);
  });
});

describe('HTTP/2 limits that end a stream', () => {
  it('a field block above the limit is no request', async () => {
    const value = 'x'.repeat(16_000);
    const fields = Array.from({ length: 70 }, (_, index) => [`x-${index}`, value] as const);
    const block = fieldBlock([...requestFields(), ...fields]);
    // One frame: CONTINUATION has a limit of its own.
    flooder.write(frame(FrameType.HEADERS, REQUEST_DONE, 1, block.subarray(0, 1 << 20)));
    await until(
      () => flooder.hasClosed || flooder.frames.some((one) => one.type === 3 || one.type === 7),
      'refusal',
    );
    expect(harness.handler.exchanges).toHaveLength(0);
  });

  it('a field count above the limit is no request', async () => {
    const fields = Array.from({ length: 1_100 }, (_, index) => [`x-${index}`, '1'] as const);
    flooder.write(
      frame(FrameType.HEADERS, REQUEST_DONE, 1, fieldBlock([...requestFields(), ...fields])),
    );
    const refusal = await flooder.until((one) => one.type === FrameType.RST_STREAM);
    expect(refusal.payload.readUInt32BE(0)).toBe(ENHANCE_YOUR_CALM);
    expect(harness.handler.exchanges).toHaveLength(0);
    flooder.write(request(3));
    await flooder.until((one) => one.type === FrameType.DATA);
  });

  it('streams above the limit never reach a role', async () => {
    flooder.write(
      ...Array.from({ length: MAX_CONCURRENT_STREAMS + 10 }, (_, index) =>
        request(index * 2 + 1, { ':path': '/hold' }),
      ),
    );
    const isRefusal = ({ type }: { type: number }): boolean => type === 3 || type === 7;
    await until(() => flooder.hasClosed || flooder.frames.some(isRefusal), 'refusal');
    expect(harness.handler.exchanges.length).toBeLessThanOrEqual(MAX_CONCURRENT_STREAMS);
  });
});

describe('FloodGuard', () => {
  it('clients that do work may send more control frames, window by window', () => {
    const clock = new FakeClock();
    const guard = new FloodGuard(clock);
    for (let n = 0; n < 5_000; n += 1) {
      guard.onProgress();
      expect(guard.onPing()).toBe(false);
    }
    for (let n = 0; n < 2_000; n += 1) {
      guard.onStream();
      if (n % 3 === 0) expect(guard.onReset()).toBe(false);
    }
    clock.advance(FLOOD_WINDOW_MS);
    for (let n = 0; n < MAX_RESETS_PER_WINDOW; n += 1) expect(guard.onReset()).toBe(false);
    expect(guard.onReset()).toBe(true);
    clock.advance(FLOOD_WINDOW_MS);
    expect(guard.onReset()).toBe(false);
  });
});
