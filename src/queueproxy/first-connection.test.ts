// The connection by which a TCP probe found the app, and the request that comes next: whole
// sidecars on real sockets, time in the test's hand, an app that counts connections.

import { afterEach, describe, expect, it } from 'vitest';
import { RawApp } from '../proxy/testing/harness.ts';
import type { QueueProxySettings } from './settings.ts';
import { RawClient } from './testing/raw-client.ts';
import { atEnd, closeAll, type StartedProxy, startProxy, until } from './testing/started-proxy.ts';

afterEach(closeAll);

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const activator = ['User-Agent: Knative-Activator-Probe', 'K-Network-Probe: queue'];

async function start(
  onConnection?: ConstructorParameters<typeof RawApp>[0],
  change: Partial<QueueProxySettings> = {},
): Promise<StartedProxy & { app: RawApp }> {
  const app = new RawApp(onConnection ?? ((each) => each.socket.on('data', () => each.write(OK))));
  atEnd(() => app.close());
  const port = await app.listen();
  const action = { kind: 'tcp' as const, host: '127.0.0.1', port };
  const probe = { action, aggressive: true, timeoutMs: 0, successThreshold: 1 };
  return { ...(await startProxy(port, { readinessProbes: [probe], ...change })), app };
}

async function probe(port: number): Promise<void> {
  expect((await RawClient.ask(port, '/healthz', ...activator)).body).toBe('queue');
}

describe('the connection of the probe that found the app', () => {
  it('QP-105: carries the first request, and nothing is sent on it before', async () => {
    const { app, port } = await start();
    await probe(port);
    expect((await app.connection()).received).toBe('');
    expect((await RawClient.ask(port, '/')).body).toBe('ok');
    expect(app.connections).toHaveLength(1);
    expect((await RawClient.ask(port, '/')).body).toBe('ok');
    expect(app.connections).toHaveLength(1);
  });

  it('QP-105: is closed when no request comes within 50 ms', async () => {
    const { app, clock, port } = await start();
    await probe(port);
    const connection = await app.connection();
    clock.advance(49);
    expect(connection.hasEnded).toBe(false);
    clock.advance(1);
    await connection.untilClosed();
    expect((await RawClient.ask(port, '/')).body).toBe('ok');
    expect(app.connections).toHaveLength(2);
  });

  it('stays open behind its first answer, as any other', async () => {
    const { app, clock, port } = await start();
    await probe(port);
    await RawClient.ask(port, '/');
    clock.advance(1_000);
    expect((await RawClient.ask(port, '/')).body).toBe('ok');
    expect(app.connections).toHaveLength(1);
  });

  it('QP-105: only the first probe leaves one, later ones close at once', async () => {
    const { app, port } = await start();
    await probe(port);
    await probe(port);
    await (await app.connection(1)).untilClosed();
    expect(app.connections[0]?.hasEnded).toBe(false);
  });

  it('an app that closes it meanwhile gets the request on a connection of its own', async () => {
    const { app, port } = await start((each, index) => {
      if (index === 0) each.socket.end();
      else each.socket.on('data', () => each.write(OK));
    });
    await probe(port);
    await (await app.connection()).untilClosed();
    expect((await RawClient.ask(port, '/')).body).toBe('ok');
    expect(app.connections).toHaveLength(2);
  });

  it('an app that resets it under a request gets that request again', async () => {
    const { app, port } = await start((each, index) => {
      each.socket.on('data', () => {
        if (index === 0) each.socket.resetAndDestroy();
        else each.write(OK);
      });
    });
    await probe(port);
    expect((await RawClient.ask(port, '/')).body).toBe('ok');
    expect(app.connections).toHaveLength(2);
  });

  it('a probe of another port leaves none', async () => {
    const other = new RawApp();
    atEnd(() => other.close());
    const action = { kind: 'tcp' as const, host: '127.0.0.1', port: await other.listen() };
    const elsewhere = { action, aggressive: true, timeoutMs: 0, successThreshold: 1 };
    const { app, port } = await start(undefined, { readinessProbes: [elsewhere] });
    await probe(port);
    await (await other.connection()).untilClosed();
    expect((await RawClient.ask(port, '/')).body).toBe('ok');
    await until(() => app.connections.length === 1);
  });
});
