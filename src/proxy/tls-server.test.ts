import { connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import {
  createCertificateAuthority,
  issueServingCertificate,
  type KeyPairPem,
} from '../pki/certificates.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { answerOf, Http2App } from './testing/h2-harness.ts';
import {
  answering,
  ForwardingHandler,
  LIMITS,
  RawApp,
  RawSocket,
  UPSTREAM_OPTIONS,
  until,
} from './testing/harness.ts';
import { type TlsPolicy, TlsServer } from './tls-server.ts';
import { UpstreamPools } from './upstream-pools.ts';

let authority: KeyPairPem;
let pem: { cert: string; key: string };
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  const nowMs = systemClock.nowMs();
  authority = await createCertificateAuthority({ commonName: 'test', nowMs, validDays: 1 });
  pem = await issue('first.example');
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function issue(commonName: string): Promise<{ cert: string; key: string }> {
  const issued = await issueServingCertificate(authority, {
    commonName,
    hosts: ['localhost', '127.0.0.1'],
    nowMs: systemClock.nowMs(),
    validDays: 1,
  });
  return { cert: issued.certificatePem, key: issued.privateKeyPem };
}

async function start(appPort: number, policy: TlsPolicy = { minVersion: 'TLSv1.3' }) {
  const handler = new ForwardingHandler();
  const clock = systemClock;
  const pools = new UpstreamPools(UPSTREAM_OPTIONS, { clock, random: () => 0.5 });
  handler.upstream = pools.at('127.0.0.1', appPort);
  const deps = { limits: LIMITS, clock, logger: silentLogger, policy };
  const server = new TlsServer(handler, deps);
  await server.useCertificate(pem);
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  cleanups.push(async () => {
    pools.close();
    await server.close();
  });
  return { server, handler, port };
}

async function http1App(answer: string): Promise<number> {
  const app = new RawApp(answering(answer));
  cleanups.push(() => app.close());
  return app.listen();
}

async function dial(port: number, options: object = {}): Promise<TLSSocket> {
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    ca: authority.certificatePem,
    ...options,
  });
  cleanups.push(() => socket.destroy());
  await new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  return socket;
}

const HELLO = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

describe('TlsServer', () => {
  it('QP-161: http/1.1 by ALPN, and without ALPN, reaches the HTTP/1 codec', async () => {
    const { port, handler } = await start(await http1App(HELLO));
    for (const ALPNProtocols of [['http/1.1'], undefined]) {
      const socket = await dial(port, { ALPNProtocols });
      const client = new RawSocket(socket);
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await client.untilReceived('hello');
    }
    expect(handler.exchanges.map((one) => one.isSecure)).toEqual([true, true]);
  });

  it('QP-59, QP-161: h2 by ALPN reaches the application as h2c', async () => {
    const app = new Http2App(({ stream }) => {
      stream.respond({ ':status': 200 });
      stream.end('hello');
    });
    cleanups.push(() => app.close());
    const { port, handler } = await start(await app.listen());
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: authority.certificatePem });
    cleanups.push(() => session.destroy());
    const answer = await answerOf(session.request({ ':path': '/' }));
    expect(answer).toMatchObject({ status: 200, body: 'hello' });
    expect(session.alpnProtocol).toBe('h2');
    expect(handler.exchanges[0]?.isSecure).toBe(true);
  });

  it('QP-4: plain HTTP is answered and closed', async () => {
    const { port } = await start(await http1App(HELLO));
    const client = new RawSocket(connect(port, '127.0.0.1'));
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.untilClosed();
    expect(client.received).toBe(
      'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n',
    );
  });

  it('QP-161: TLS 1.2 is refused by default and served where it is allowed', async () => {
    const appPort = await http1App(HELLO);
    const strict = await start(appPort);
    await expect(dial(strict.port, { maxVersion: 'TLSv1.2' })).rejects.toThrow(
      /protocol version|alert/i,
    );
    const lenient = await start(appPort, { minVersion: 'TLSv1.2' });
    expect((await dial(lenient.port, { maxVersion: 'TLSv1.2' })).getProtocol()).toBe('TLSv1.2');
  });

  it('QP-162: a new pair is used for new handshakes, a bad one changes nothing', async () => {
    const { port, server } = await start(await http1App(HELLO));
    const nameOf = async (): Promise<unknown> =>
      (await dial(port)).getPeerX509Certificate()?.subject;
    expect(await nameOf()).toBe('CN=first.example');
    const second = await issue('second.example');
    await expect(server.useCertificate({ cert: second.cert, key: pem.key })).rejects.toThrow();
    expect(await nameOf()).toBe('CN=first.example');
    await server.useCertificate(second);
    expect(await nameOf()).toBe('CN=second.example');
  });

  it('QP-79: an answer that breaks off is cut, not ended', async () => {
    const app = new RawApp((connection) => {
      connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
      connection.socket.once('data', () => connection.socket.destroy());
    });
    cleanups.push(() => app.close());
    const { port, handler } = await start(await app.listen());
    const outcome = await new Promise((resolve) => {
      const ask = httpsRequest({ port, ca: authority.certificatePem }, (response) => {
        response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
        response.on('end', () => resolve('end'));
        response.resume();
      });
      ask.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      ask.end();
    });
    expect(outcome).toBe('ECONNRESET');
    expect(handler.outcomes).toHaveLength(1);
  });

  it('QP-121: draining lets a running request finish', async () => {
    const app = new RawApp();
    cleanups.push(() => app.close());
    const { port, server } = await start(await app.listen());
    const client = new RawSocket(await dial(port));
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const upstream = await app.connection();
    await upstream.untilReceived('GET /');
    const drained = server.drain();
    upstream.write(HELLO);
    await client.untilReceived('hello');
    expect(client.received).toContain('Connection: close');
    await drained;
    await until(() => server.connectionCount === 0, 'closed connections');
  });

  it('a client that never speaks does not keep the server from closing', async () => {
    const { port, server } = await start(await http1App(HELLO));
    const client = new RawSocket(connect(port, '127.0.0.1'));
    await until(() => client.socket.readyState === 'open', 'connection');
    await server.close();
    await client.untilClosed();
  });
});
