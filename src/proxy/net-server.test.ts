import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { head, ProxyHarness } from './testing/harness.ts';

let harness: ProxyHarness;
let app: Server;

async function startWith(listener: Parameters<typeof createServer>[1]): Promise<void> {
  app = createServer(listener);
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  harness = new ProxyHarness();
  await harness.start((app.address() as AddressInfo).port);
}

afterEach(async () => {
  await harness.stop();
  app.closeAllConnections();
  app.close();
});

describe('forwarding to a node:http application', () => {
  it('relays a simple exchange and keeps both connections', async () => {
    await startWith((request, response) => {
      response.setHeader('X-Path', request.url ?? '');
      response.end('hello');
    });
    const client = await harness.send(head('GET /a//b?x=%zz HTTP/1.1', 'Host: h'));
    await client.untilReceived('hello');
    expect(client.received).toContain('X-Path: /a//b?x=%zz');
    client.received = '';
    client.write(`${head('POST /p HTTP/1.1', 'Host: h', 'Content-Length: 3')}abc`);
    await client.untilReceived('hello');
    expect(client.hasEnded).toBe(false);
  });

  it('streams a chunked echo both ways', async () => {
    await startWith((request, response) => {
      request.pipe(response);
    });
    const client = await harness.send(
      head('POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked'),
    );
    client.write('5\r\nhello\r\n');
    await client.untilReceived('5\r\nhello\r\n');
    client.write('6;a=b\r\n world\r\n0\r\n\r\n');
    await client.untilReceived('6\r\n world\r\n0\r\n\r\n');
    expect(harness.handler.events).toEqual(['request POST /', 'head 200', 'end 0']);
  });
});
