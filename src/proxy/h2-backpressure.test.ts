import { randomBytes } from 'node:crypto';
import type { ServerHttp2Stream } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { Http2App, Http2Harness } from './testing/h2-harness.ts';
import { until } from './testing/harness.ts';

const CHUNK = randomBytes(64 * 1024);
/** Windows and buffers of both connections together stay far below this. */
const MAX_AHEAD_BYTES = 16 << 20;
const TOTAL_BYTES = 64 << 20;

let app: Http2App;
let harness: Http2Harness;

afterEach(async () => {
  await harness.stop();
  app.close();
});

/** Writes up to TOTAL_BYTES as fast as they are taken; counts what was. */
function pour(stream: {
  write(chunk: Buffer): boolean;
  end(): unknown;
  once(event: 'drain', listener: () => void): unknown;
}): { sent: number } {
  const state = { sent: 0 };
  const more = (): void => {
    while (state.sent < TOTAL_BYTES) {
      state.sent += CHUNK.length;
      if (!stream.write(CHUNK)) {
        stream.once('drain', more);
        return;
      }
    }
    stream.end();
  };
  more();
  return state;
}

/** Resolves when `read` gives the same for many turns. */
async function untilStill(read: () => number): Promise<number> {
  let last = -1;
  let turns = 0;
  await until(() => {
    turns = read() === last ? turns + 1 : 0;
    last = read();
    return turns > 50;
  }, 'standstill');
  return last;
}

describe('HTTP/2 backpressure', () => {
  it('QP-78: a client that does not read stops the application, then gets everything', async () => {
    let poured = { sent: 0 };
    app = new Http2App(({ stream }) => {
      // Fills the window to its last byte, where node:http2 resets instead of ending.
      stream.respond({ ':status': 200, 'content-length': TOTAL_BYTES });
      poured = pour(stream);
    });
    harness = new Http2Harness();
    await harness.start(await app.listen());
    const stream = harness.client().request({ ':path': '/' });
    stream.pause();
    await until(() => poured.sent > 0, 'first bytes');
    expect(await untilStill(() => poured.sent)).toBeLessThan(MAX_AHEAD_BYTES);
    let received = 0;
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    stream.resume();
    await until(() => received === TOTAL_BYTES, 'everything');
    await until(() => stream.closed, 'end');
    expect(stream.rstCode).toBe(0);
  });

  it('QP-71, QP-78: an application that does not read stops the upload, then gets it', async () => {
    let upload: ServerHttp2Stream | null = null;
    app = new Http2App(({ stream }) => {
      upload = stream;
    });
    harness = new Http2Harness();
    await harness.start(await app.listen());
    const stream = harness.client().request({ ':method': 'POST' });
    const poured = pour(stream);
    await until(() => upload !== null, 'request');
    expect(await untilStill(() => poured.sent)).toBeLessThan(MAX_AHEAD_BYTES);
    let received = 0;
    upload!.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    await until(() => received === TOTAL_BYTES, 'everything');
    expect(harness.handler.exchanges[0]?.requestBytes).toBe(TOTAL_BYTES);
  });

  it('a body that arrived while its request was held is forwarded whole', async () => {
    app = new Http2App(({ stream }) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    harness = new Http2Harness();
    await harness.start(await app.listen());
    harness.handler.onRequestHook = () => undefined;
    const answering = harness.ask({ ':method': 'POST' }, 'held body');
    await until(() => harness.handler.exchanges.length === 1, 'request');
    for (let turns = 0; turns < 50; turns += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    harness.handler.exchanges[0]!.forward(harness.handler.upstream!, harness.handler.edits);
    expect((await answering).body).toBe('held body');
  });
});
