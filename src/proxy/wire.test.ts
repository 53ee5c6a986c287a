// Both ways a wire can take, at the handle and through the stream, must look alike from above.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wordsOf } from './byte-runs.ts';
import { handleOf, useHandles } from './stream-handle.ts';
import { until } from './testing/harness.ts';
import { Wire } from './wire.ts';

let server: Server;
let near: Socket;
let far: Socket;
let wire: Wire;
let received: string;
let drains: number;
let closeError: NodeJS.ErrnoException | null;

async function open(): Promise<void> {
  server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  far = connect((server.address() as AddressInfo).port, '127.0.0.1');
  [near] = (await once(server, 'connection')) as [Socket];
  received = '';
  drains = 0;
  closeError = null;
  near.on('error', (error) => {
    closeError = error;
  });
  far.on('error', () => undefined);
  wire = new Wire(near, {
    onWireBytes(buffer, count) {
      received += buffer.toString('latin1', 0, count);
    },
    onWireDrain() {
      drains += 1;
    },
  });
  wire.start();
}

/** What `far` receives until its end. */
async function readAll(): Promise<string> {
  let text = '';
  far.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  await once(far, 'end');
  return text;
}

it('sockets of this Node are used at their handle', async () => {
  await open();
  expect(handleOf(near)).not.toBeNull();
  far.destroy();
  near.destroy();
  server.close();
});

it('reads of any size land where heads are compared by words', async () => {
  await open();
  const buffers = new Set<Buffer>();
  let largest = 0;
  let total = 0;
  const small = new Wire(far, {
    onWireBytes(buffer, count) {
      buffers.add(buffer);
      largest = Math.max(largest, count);
      total += count;
    },
    onWireDrain: () => undefined,
  });
  small.start(1000);
  wire.write('x'.repeat(10_000));
  await until(() => total === 10_000);
  expect(largest).toBe(1000);
  expect([...buffers].map((buffer) => wordsOf(buffer) !== null)).toEqual([true]);
  far.destroy();
  near.destroy();
  server.close();
});

describe.each([
  { name: 'at the handle', isDirect: true },
  { name: 'through the stream', isDirect: false },
])('wire $name', ({ isDirect }) => {
  beforeEach(async () => {
    useHandles(isDirect);
    await open();
  });

  afterEach(() => {
    useHandles(true);
    far.destroy();
    near.destroy();
    server.close();
  });

  it('reads, and hears of the end', async () => {
    const ended = once(near, 'end');
    far.end('hello\xff', 'latin1');
    await ended;
    expect(received).toBe('hello\xff');
  });

  it('keeps the order of short, long and ordinary writes, and ends after all of them', async () => {
    let expected = '';
    const block = Buffer.alloc(60_000);
    for (let round = 0; round < 200; round += 1) {
      const text = `<${round}>`;
      wire.write(text);
      block.fill(65 + (round % 26));
      wire.writeAround('(', block, 10, block.length, ')');
      near.write(text);
      expected += `${text}(${block.toString('latin1', 10)})${text}`;
    }
    expect(wire.isCongested).toBe(true);
    near.destroySoon();
    expect((await readAll()) === expected).toBe(true);
  });

  it('says when congestion is over', async () => {
    const block = Buffer.alloc(64 * 1024, 'x');
    while (!wire.isCongested) wire.writeAround('', block, 0, block.length, '');
    wire.write('more');
    expect(drains).toBe(0);
    far.resume();
    await until(() => drains > 0 && !wire.isCongested);
  });

  it('reads nothing while paused, however often it was paused before', async () => {
    wire.pause();
    wire.resume();
    wire.pause();
    await new Promise((resolve) => far.write('held back', resolve));
    await new Promise(setImmediate);
    expect(received).toBe('');
    wire.resume();
    await until(() => received === 'held back');
  });

  it('a write to a client that has gone ends the socket with the error of the system', async () => {
    far.resetAndDestroy();
    await until(() => {
      if (!near.destroyed) wire.write('x'.repeat(5_000));
      return near.destroyed;
    });
    await until(() => closeError !== null);
    expect(['ECONNRESET', 'EPIPE']).toContain(closeError?.code);
  });

  it('a released socket belongs to whoever took it', async () => {
    wire.release();
    far.write('not for us');
    await until(() => near.bytesRead > 0);
    expect(received).toBe('');
  });
});
