import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../clock/fake-clock.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { Http2Server } from '../h2-server.ts';
import { createNetServer, type NetHttpServer } from '../net-server.ts';
import {
  data,
  Flag,
  type Frame,
  FrameType,
  fieldBlock,
  frame,
  goawayCode,
  HEADERS_DONE,
  RawHttp2,
  request,
  requestFields,
  requestHead,
  resetCode,
  Setting,
  settings,
  uint32,
} from '../testing/h2-frames.ts';
import { Http2App, Http2Harness } from '../testing/h2-harness.ts';
import { ForwardingHandler, LIMITS, until } from '../testing/harness.ts';
import type { Exchange } from '../types.ts';

const LARGEST_ID = 2 ** 31 - 1;
const HEAD_TIMEOUT_MS = 10_000;
const INTERNAL_ERROR = 2;

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Started {
  readonly clock: FakeClock;
  readonly handler: ForwardingHandler;
  readonly http2: Http2Server;
  readonly server: NetHttpServer;
  readonly port: number;
}

/** A server on a clock of our own; `answer` is its role. */
async function start(answer: (exchange: Exchange) => void): Promise<Started> {
  const clock = new FakeClock();
  const handler = new ForwardingHandler();
  handler.onRequestHook = answer;
  const limits = { ...LIMITS, headTimeoutMs: HEAD_TIMEOUT_MS };
  const logger = silentLogger;
  const http2 = new Http2Server(handler, { clock, logger, headTimeoutMs: HEAD_TIMEOUT_MS });
  const server = createNetServer(handler, { limits, clock, logger, http2 });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  cleanups.push(async () => {
    const closed = server.close();
    clock.advance(2_000);
    await closed;
  });
  return { clock, handler, http2, server, port };
}

async function open(port: number): Promise<RawHttp2> {
  const raw = await RawHttp2.open(port);
  cleanups.push(() => raw.socket.destroy());
  return raw;
}

/** Everything sent so far was read. */
async function settled(raw: RawHttp2): Promise<void> {
  const before = raw.frames.length;
  raw.write(frame(FrameType.PING, 0, 0, Buffer.alloc(8)));
  await until(() => raw.frames.slice(before).some(isPong), 'answer to PING');
}

function isPong(one: Frame): boolean {
  return one.type === FrameType.PING && one.flags === Flag.ACK;
}

const ok = (exchange: Exchange): void => exchange.respond(200, '', 'ok');
const hold = (): void => undefined;

describe('Http2Connection: time limits', () => {
  it('QP-5: a field block that is not continued ends the connection', async () => {
    const { clock, port, http2 } = await start(ok);
    const raw = await open(port);
    raw.write(frame(FrameType.HEADERS, Flag.END_STREAM, 1, fieldBlock(requestFields())));
    const other = await open(port);
    await settled(other);
    clock.advance(HEAD_TIMEOUT_MS + 1);
    await raw.untilClosed();
    expect(http2.connectionCount).toBe(1);
  });

  it('QP-5: nor may a HEADERS frame stop in its middle', async () => {
    const { clock, port } = await start(ok);
    const raw = await open(port);
    raw.write(request(1).subarray(0, 30));
    await settled(await open(port));
    clock.advance(HEAD_TIMEOUT_MS + 1);
    await raw.untilClosed();
  });

  it('a field block that takes its time, and comes, is served; so is an idle connection', async () => {
    const { clock, port } = await start(ok);
    const raw = await open(port);
    const block = fieldBlock(requestFields());
    raw.write(frame(FrameType.HEADERS, Flag.END_STREAM, 1, block.subarray(0, 10)));
    await settled(await open(port));
    clock.advance(HEAD_TIMEOUT_MS - 10);
    raw.write(frame(FrameType.CONTINUATION, HEADERS_DONE, 1, block.subarray(10)));
    await raw.until((one) => one.type === FrameType.DATA);
    clock.advance(10 * HEAD_TIMEOUT_MS);
    raw.write(request(3));
    await raw.until((one) => one.type === FrameType.DATA && one.streamId === 3);
  });
});

describe('Http2Connection: frames it sends', () => {
  it('an answer of head, body and end is two frames', async () => {
    const { port } = await start(ok);
    const raw = await open(port);
    raw.write(request(1));
    const last = await raw.until((one) => one.type === FrameType.DATA);
    expect(last.flags).toBe(Flag.END_STREAM);
    expect(raw.frames.filter((one) => one.streamId === 1)).toHaveLength(2);
  });

  it('streams take turns when the connection has little room', async () => {
    const { port } = await start((exchange) => exchange.respond(200, '', 'x'.repeat(60_000)));
    const raw = await open(port);
    raw.write(request(1), request(3));
    await until(() => raw.body(1).length + raw.body(3).length === 65_535, 'a full window');
    for (let n = 0; n < 4; n += 1) {
      raw.write(frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(10_000)));
      await settled(raw);
    }
    raw.write(frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(100_000)));
    const isEnd = ({ flags, type }: Frame): boolean => type === 0 && (flags & 1) === 1;
    await until(() => raw.frames.filter(isEnd).length === 2, 'both ends');
    expect([raw.body(1).length, raw.body(3).length]).toEqual([60_000, 60_000]);
  });

  it('RFC 9113 6.9.2: a window below zero sends nothing until it is above', async () => {
    const { port } = await start((exchange) => exchange.respond(200, '', 'x'.repeat(70_000)));
    const raw = await open(port);
    raw.write(frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(1_000_000)), request(1));
    await until(() => raw.body(1).length === 65_535, 'a full window');
    raw.write(settings([Setting.INITIAL_WINDOW_SIZE, 0]));
    raw.write(frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(65_535)));
    await settled(raw);
    expect(raw.body(1)).toHaveLength(65_535);
    raw.write(frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(1)));
    await until(() => raw.body(1).length === 65_536, 'one more byte');
  });
});

describe('Http2Connection: what clients send', () => {
  it('QP-172: bodies that wait for their turn leave the connection open for others', async () => {
    const { port, handler } = await start((exchange) => {
      if (exchange.target !== '/hold') exchange.respond(200, '', 'ok');
    });
    const raw = await open(port);
    const piece = 'x'.repeat(16_000);
    for (const id of [1, 3, 5]) {
      raw.write(requestHead(id, { ':path': '/hold' }));
      for (let n = 0; n < 60; n += 1) raw.write(data(id, piece));
    }
    await settled(raw);
    raw.write(requestHead(7), data(7, piece, true));
    await raw.until((one) => one.type === FrameType.DATA && one.streamId === 7);
    expect(handler.exchanges.filter((one) => !one.ended)).toHaveLength(3);
  });

  it('more than the window of a stream is FLOW_CONTROL_ERROR for the stream', async () => {
    const { port } = await start(hold);
    const raw = await open(port);
    raw.write(requestHead(1));
    for (let n = 0; n < 66; n += 1) raw.write(data(1, 'x'.repeat(16_000)));
    const reset = await raw.until((one) => one.type === FrameType.RST_STREAM);
    expect(resetCode(reset)).toBe(3);
    raw.write(request(3));
    await settled(raw);
  });

  it('a role that answers early gets the rest of a body thrown away, then the stream reset', async () => {
    const { port } = await start(ok);
    const raw = await open(port);
    raw.write(requestHead(1));
    await raw.until((one) => one.type === FrameType.DATA && (one.flags & 1) === 1);
    for (let n = 0; n < 20; n += 1) raw.write(data(1, 'x'.repeat(16_000)));
    const reset = await raw.until((one) => one.type === FrameType.RST_STREAM);
    expect(resetCode(reset)).toBe(0);
    // What was on its way when the reset came is no error.
    raw.write(data(1, 'late'), request(3));
    await raw.until((one) => one.type === FrameType.DATA && one.streamId === 3);
  });

  it('bytes that come while the HTTP/2 side is being loaded are not lost', async () => {
    const { port } = await start(ok);
    const raw = await RawHttp2.connect(port);
    cleanups.push(() => raw.socket.destroy());
    raw.write(Buffer.from('PRI * HTTP/2.0\r\n\r\n'));
    await new Promise((resolve) => setImmediate(resolve));
    raw.write(Buffer.from('SM\r\n\r\n'), settings());
    await new Promise((resolve) => setImmediate(resolve));
    raw.write(request(1));
    await raw.until((one) => one.type === FrameType.DATA);
  });
});

describe('Http2Server: its end', () => {
  it('Q-16: a request on its way when the drain begins is served', async () => {
    const { port, http2 } = await start(ok);
    const raw = await open(port);
    http2.drain();
    const first = await raw.until((one) => one.type === FrameType.GOAWAY);
    expect(first.payload.readUInt32BE(0)).toBe(LARGEST_ID);
    raw.write(request(1));
    await raw.until((one) => one.type === FrameType.DATA && one.streamId === 1);
    const ping = raw.find((one) => one.type === FrameType.PING && one.flags === 0);
    raw.write(frame(FrameType.PING, Flag.ACK, 0, ping!.payload));
    await raw.untilClosed();
    const last = raw.frames.filter((one) => one.type === FrameType.GOAWAY).at(-1)!;
    expect([last.payload.readUInt32BE(0), goawayCode(last)]).toEqual([1, 0]);
  });

  it('a client that does not answer the PING has a second', async () => {
    const { clock, port, http2 } = await start(ok);
    const raw = await open(port);
    http2.drain();
    await raw.until((one) => one.type === FrameType.GOAWAY);
    clock.advance(1_001);
    await raw.untilClosed();
  });

  it('streams begun behind the last GOAWAY are refused, those before it finish', async () => {
    let held: Exchange | null = null;
    const { clock, port, http2 } = await start((exchange) => {
      held = exchange;
    });
    const raw = await open(port);
    raw.write(request(1));
    await until(() => held !== null, 'request');
    http2.drain();
    clock.advance(1_001);
    await until(() => raw.frames.filter((one) => one.type === 7).length === 2, 'both GOAWAYs');
    raw.write(request(3));
    const refusal = await raw.until((one) => one.type === FrameType.RST_STREAM);
    expect([refusal.streamId, resetCode(refusal)]).toEqual([3, 7]);
    ok(held!);
    await raw.until((one) => one.type === FrameType.DATA && one.streamId === 1);
    await raw.untilClosed();
  });

  it('close cuts what runs on many connections at once; complete answers still go out', async () => {
    const { clock, port, handler, server } = await start((exchange) => {
      if (exchange.target === '/large') exchange.respond(200, '', 'x'.repeat(100_000));
    });
    const clients = await Promise.all(Array.from({ length: 10 }, () => open(port)));
    for (const raw of clients) raw.write(request(1, { ':path': '/large' }), request(3));
    await until(() => handler.exchanges.length === 20, 'requests');
    await Promise.all(clients.map((raw) => until(() => raw.body(1).length === 65_535, 'window')));
    const closed = Promise.all([server.close(), server.close()]);
    for (const raw of clients) {
      const reset = await raw.until((one) => one.type === FrameType.RST_STREAM);
      expect([reset.streamId, resetCode(reset)]).toEqual([3, INTERNAL_ERROR]);
      raw.write(frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(100_000)));
      raw.write(frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(100_000)));
      await raw.untilClosed();
      expect(raw.body(1)).toHaveLength(100_000);
    }
    await closed;
    expect(handler.outcomes).toHaveLength(20);
    clock.advance(0);
  });

  it('close waits a second for a client that does not read, and no longer', async () => {
    const { clock, port, handler, server } = await start((exchange) => {
      exchange.respond(200, '', 'x'.repeat(100_000));
    });
    const raw = await open(port);
    raw.write(request(1));
    await until(() => handler.outcomes.length === 1, 'answer');
    const closed = server.close();
    clock.advance(1_001);
    await closed;
    await raw.untilClosed();
  });
});

describe('Http2Connection: clients that do not read', () => {
  it('answers they do not take are bounded: nothing more is read from them', async () => {
    const app = new Http2App(({ stream }) =>
      stream.respond({ ':status': 200 }, { endStream: true }),
    );
    const harness = new Http2Harness();
    await harness.start(await app.listen());
    cleanups.push(() => app.close());
    cleanups.push(() => harness.stop());
    const value = 'v'.repeat(30_000);
    harness.handler.onRequestHook = (exchange) => exchange.respond(200, `x-a: ${value}\r\n`, '');
    const raw = await RawHttp2.open(harness.port);
    cleanups.push(() => raw.socket.destroy());
    raw.socket.pause();
    for (let n = 0; n < 2_000; n += 1) raw.write(request(n * 2 + 1));
    let last = -1;
    let still = 0;
    await until(() => {
      const { length } = harness.handler.exchanges;
      still = length === last ? still + 1 : 0;
      last = length;
      return still > 100;
    }, 'standstill');
    expect(last).toBeLessThan(2_000);
    raw.socket.resume();
    await until(() => harness.handler.exchanges.length === 2_000, 'the rest');
  });
});
