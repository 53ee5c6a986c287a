// Clients that leave while their bytes wait unread: on real sockets with the kernel's table, and on
// made-up tables for what cannot be provoked.

import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { DepartureWatch } from './departure-watch.ts';
import type { ServerConnection } from './server-connection.ts';
import { ProxyHarness, until } from './testing/harness.ts';
import type { Exchange } from './types.ts';

const BODY = 1024 * 1024;
const hasSocketTable = existsSync('/proc/self/net/tcp');

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A request held with more body than is read ahead of it. */
async function holdUpload() {
  const harness = new ProxyHarness();
  const held: Exchange[] = [];
  harness.handler.onRequestHook = (exchange) => held.push(exchange);
  await harness.start(1);
  closers.push(() => harness.stop());
  const client = await harness.send(
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY}\r\n\r\n${'x'.repeat(BODY)}`,
  );
  await until(() => held.length === 1, 'a held upload');
  return { harness, client, exchange: held[0]! };
}

describe.runIf(hasSocketTable)('QP-172: the client of a held upload', () => {
  it('is missed when it resets', async () => {
    const { harness, client } = await holdUpload();
    client.socket.resetAndDestroy();
    await until(() => harness.handler.outcomes.length === 1, 'the end of the exchange');
  });

  it('is missed when it closes', async () => {
    const { harness, client } = await holdUpload();
    client.socket.destroy();
    await until(() => harness.handler.outcomes.length === 1, 'the end of the exchange');
  });

  it('is answered when it only half-closed', async () => {
    const { client, exchange } = await holdUpload();
    client.socket.end();
    // Asked whether it is there, it stays.
    await client.untilReceived('100 Continue');
    exchange.respond(200, '', 'still here');
    await client.untilReceived('still here');
  });
});

describe('the socket table', () => {
  const row = (local: string, remote: string, state: string): string =>
    `   3: 0100007F:${local} 0100007F:${remote} ${state} 00000000:00000000 00:00000000 00000000\n`;

  async function looks(tables: readonly string[]): Promise<{ destroyed: number; reads: number }> {
    const clock = new FakeClock();
    let reads = 0;
    let destroyed = 0;
    const watch = new DepartureWatch(clock, () => {
      const table = tables[Math.min(reads, tables.length - 1)]!;
      reads += 1;
      return Promise.resolve(table);
    });
    const connection = {
      socket: { localPort: 0x1f4c, destroyed: false },
      peerPort: 0xc001,
      exchange: null,
      destroy: () => {
        destroyed += 1;
      },
    } as unknown as ServerConnection;
    watch.onReadPause(connection, true);
    for (let look = 0; look < 4; look += 1) await clock.advanceAsync(300);
    watch.stop();
    expect(clock.pendingCount).toBe(0);
    return { destroyed, reads };
  }

  it('has to lack a connection twice in a row', async () => {
    const there = row('1F4C', 'C001', '01');
    const other = row('1F4C', 'C002', '01');
    expect((await looks([there])).destroyed).toBe(0);
    expect((await looks([other, there, other, there])).destroyed).toBe(0);
    expect((await looks([there, other, other, there])).destroyed).toBe(1);
  });

  it('is read less often the longer it is', async () => {
    const long = row('1F4C', 'C001', '01').repeat(40_000);
    expect((await looks([long])).reads).toBe(1);
  });

  it('that is not there is not asked for again', async () => {
    expect(await looks([''])).toEqual({ destroyed: 0, reads: 1 });
  });
});
