// Upgrades: the 101 is relayed, then bytes pass both ways (QP-88).

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { head, ProxyHarness, RawApp, type RawSocket, until } from './testing/harness.ts';
import { FailureCode, Outcome } from './types.ts';

const UPGRADE = head(
  'GET /ws HTTP/1.1',
  'Host: h',
  'Connection: keep-alive, Upgrade',
  'Upgrade: Thing/1',
  'X-Key: k',
);
const SWITCH = head(
  'HTTP/1.1 101 Switching',
  'Upgrade: thing/1',
  'Connection: Upgrade',
  'X-Accept: a',
);

let harness: ProxyHarness;
let app: RawApp;

beforeEach(async () => {
  app = new RawApp();
  harness = new ProxyHarness();
  await harness.start(await app.listen());
});

afterEach(async () => {
  await harness.stop();
  app.close();
});

async function open(): Promise<{ client: RawSocket; application: RawSocket }> {
  const client = await harness.send(UPGRADE);
  const application = await app.connection();
  await application.untilReceived('\r\n\r\n');
  application.write(SWITCH);
  await client.untilReceived('\r\n\r\n');
  return { client, application };
}

describe('an upgraded connection', () => {
  it('relays request and 101 with Connection and Upgrade, whatever the protocol', async () => {
    const { client, application } = await open();
    expect(application.received).toBe(
      head('GET /ws HTTP/1.1', 'Host: h', 'X-Key: k', 'Connection: Upgrade', 'Upgrade: Thing/1'),
    );
    expect(client.received).toMatch(
      /^HTTP\/1\.1 101 Switching\r\nX-Accept: a\r\n[\s\S]*Connection: Upgrade\r\nUpgrade: thing\/1\r\n\r\n$/,
    );
    expect(harness.handler.exchanges[0]!.isUpgrade).toBe(true);
    expect(harness.handler.exchanges[0]!.responseStatus).toBe(101);
  });

  it('passes bytes both ways and counts those of the application', async () => {
    const { client, application } = await open();
    client.write('GET / HTTP/1.1\r\n\r\n\0\xff');
    await application.untilReceived('\0\xff');
    application.write('\x81\x02hi');
    await client.untilReceived('\x81\x02hi');
    expect(harness.handler.responseBytes).toBe(4);
    expect(harness.handler.outcomes).toEqual([]);
  });

  it('delivers bytes that came with the head or the 101', async () => {
    const client = await harness.send(`${UPGRADE}early`);
    const application = await app.connection();
    await application.untilReceived('\r\n\r\n');
    application.write(`${SWITCH}first`);
    await client.untilReceived('first');
    await application.untilReceived('early');
  });

  it('moves megabytes both ways at once in bounded memory', async () => {
    const { client, application } = await open();
    const size = 20 * 1024 * 1024;
    for (const end of [client, application]) end.socket.removeAllListeners('data');
    let toClient = 0;
    let toApplication = 0;
    client.socket.on('data', (bytes) => {
      toClient += bytes.length;
    });
    application.socket.on('data', (bytes) => {
      toApplication += bytes.length;
    });
    client.socket.write(Buffer.alloc(size));
    application.socket.write(Buffer.alloc(size));
    await until(() => toClient === size && toApplication === size);
  });

  it('ends both ways when the client ends, after its last bytes', async () => {
    const { client, application } = await open();
    client.socket.end('bye');
    await application.untilReceived('bye');
    await application.untilClosed();
    await until(() => harness.handler.outcomes.length === 1);
    expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
  });

  it('half-closes the client when the application ends', async () => {
    const { client, application } = await open();
    application.socket.end('bye');
    await client.untilReceived('bye');
    await until(() => client.hasEnded);
    client.write('still here');
    await application.untilReceived('still here');
    client.socket.end();
    await until(() => harness.handler.outcomes.length === 1);
    expect(harness.handler.outcomes).toEqual([Outcome.COMPLETE]);
  });

  it('ends when either side breaks', async () => {
    const first = await open();
    first.client.socket.resetAndDestroy();
    await first.application.untilClosed();
    expect(harness.handler.outcomes).toEqual([Outcome.CLIENT_GONE]);
  });

  it('abort cuts both sides (QP-53)', async () => {
    const { client, application } = await open();
    harness.handler.exchanges[0]!.abort();
    await until(() => client.hasClosed);
    await application.untilClosed();
    expect(harness.handler.outcomes).toEqual([Outcome.ABORTED]);
  });

  it('does not hold up the drain (QP-121)', async () => {
    await open();
    await harness.server.drain();
    expect(harness.server.connectionCount).toBe(1);
  });
});

describe('a refused upgrade', () => {
  it('is an ordinary answer', async () => {
    const client = await harness.send(UPGRADE);
    const application = await app.connection();
    await application.untilReceived('\r\n\r\n');
    application.write(`${head('HTTP/1.1 403 No', 'Content-Length: 2')}no`);
    await client.untilReceived('no');
    client.write(head('GET / HTTP/1.1', 'Host: h'));
    await until(() => harness.handler.exchanges.length === 2);
  });

  it('QP-82: another protocol than asked for is a failure', async () => {
    const client = await harness.send(UPGRADE);
    const application = await app.connection();
    await application.untilReceived('\r\n\r\n');
    application.write(head('HTTP/1.1 101 Ok', 'Upgrade: other', 'Connection: Upgrade'));
    await client.untilReceived('502 Bad Gateway');
    expect(harness.handler.failures).toEqual([
      {
        code: FailureCode.UPGRADE_MISMATCH,
        sent: true,
        message: 'backend tried to switch protocol "other" when "Thing/1" was requested',
      },
    ]);
  });

  it('QP-82: an unprintable protocol is not forwarded', async () => {
    const client = await harness.send(
      head('GET / HTTP/1.1', 'Host: h', 'Connection: upgrade', 'Upgrade: caf\xe9'),
    );
    await client.untilReceived('502 Bad Gateway');
    expect(harness.handler.failures[0]!.message).toMatch(
      /^client tried to switch to invalid protocol/,
    );
    expect(app.connections).toHaveLength(0);
  });
});
