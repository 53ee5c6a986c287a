// HTTP/2 and TLS through a whole sidecar: what the layers behind the request head make of it, how
// it goes down, and curl as it comes with the system.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import { createCertificateAuthority, issueServingCertificate } from '../pki/certificates.ts';
import { type AppRequest, answerOf, Http2App } from '../proxy/testing/h2-harness.ts';
import type { QueueProxySettings } from './settings.ts';
import { RawClient } from './testing/raw-client.ts';
import { atEnd, closeAll, type StartedProxy, startProxy, until } from './testing/started-proxy.ts';

const CANCEL = 8;
const curlVersion = spawnSync('curl', ['--version'], { encoding: 'utf8' }).stdout ?? '';
const hasCurlHttp2 = curlVersion.includes('HTTP2');

afterEach(closeAll);

async function start(
  onRequest: (request: AppRequest) => void,
  change: Partial<QueueProxySettings> = {},
): Promise<StartedProxy & { app: Http2App }> {
  const app = new Http2App(onRequest);
  atEnd(() => app.close());
  return { ...(await startProxy(await app.listen(), change)), app };
}

function dial(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  atEnd(() => session.destroy());
  return session;
}

async function curl(...args: string[]): Promise<string> {
  const child = spawn('curl', ['-s', '--max-time', '20', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  await once(child, 'close');
  return output;
}

const hello = ({ stream }: AppRequest): void => {
  stream.respond({ ':status': 200 });
  stream.end('hello');
};

describe('HTTP/2 through the sidecar', () => {
  it('QP-21: probes are answered on HTTP/2 too', async () => {
    const { port } = await start(hello);
    const headers = { 'user-agent': 'kube-probe/1.33', 'k-network-probe': 'queue' };
    const answer = await answerOf(dial(port).request(headers));
    expect(answer).toMatchObject({ status: 200, body: 'queue' });
  });

  it('QP-49, QP-52: a timeout is 504 and cancels the stream of the application', async () => {
    const { port, app, clock, proxy } = await start(() => undefined, { timeoutMs: 2_000 });
    const stream = dial(port).request({ ':method': 'POST' }, { endStream: false });
    const answering = answerOf(stream);
    await until(() => app.requests.length === 1, 'request');
    const closed = once(app.requests[0]!.stream, 'close');
    clock.advance(2_100);
    await closed;
    expect(app.requests[0]!.stream.rstCode).toBe(CANCEL);
    expect(proxy.inFlight).toBe(0);
    stream.end();
    expect(await answering).toMatchObject({ status: 504, body: 'request timeout', resetCode: 0 });
  });

  it('QP-26: the gate holds streams like requests', async () => {
    const { port, app, proxy } = await start(() => undefined, { containerConcurrency: 1 });
    const session = dial(port);
    const answers = [1, 2, 3].map(() => answerOf(session.request({ ':path': '/' })));
    await until(() => proxy.inFlight === 3, 'three requests');
    for (let n = 1; n <= 3; n += 1) {
      await until(() => app.requests.length === n, `request ${n}`);
      hello(app.requests[n - 1]!);
      expect(app.requests).toHaveLength(n);
    }
    for (const answer of await Promise.all(answers)) expect(answer.body).toBe('hello');
  });

  it('Q-16: draining says GOAWAY, and running streams finish', async () => {
    const { port, app, clock, proxy } = await start(() => undefined, { drainQuietMs: 1_000 });
    const session = dial(port);
    const answering = answerOf(session.request({ ':path': '/' }));
    await until(() => app.requests.length === 1, 'request');
    const goaway = once(session, 'goaway');
    const down = proxy.shutdown();
    clock.advance(1_100);
    expect((await goaway)[0]).toBe(0);
    hello(app.requests[0]!);
    expect(await answering).toMatchObject({ status: 200, body: 'hello', resetCode: 0 });
    await down;
  });

  it('QP-122: a stream that never ends is cut a minute after the servers closed', async () => {
    const { port, app, clock, proxy, logs } = await start(() => undefined, { drainQuietMs: 0 });
    const answering = answerOf(dial(port).request({ ':path': '/' }));
    await until(() => app.requests.length === 1, 'request');
    const down = proxy.shutdown();
    for (let second = 0; second < 62; second += 1) {
      clock.advance(1_000);
      for (let turns = 0; turns < 5; turns += 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await down;
    expect((await answering).status).toBe(0);
    expect(logs).toContain('Hijack connection drain failed');
  });

  it('QP-3: a request that asks for h2c by Upgrade is served as HTTP/1.1', async () => {
    const { port } = await start(hello);
    const answer = await RawClient.ask(
      port,
      '/',
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
      'User-Agent: kube-probe/1.33',
      'K-Network-Probe: queue',
    );
    expect(answer).toMatchObject({ status: 200, body: 'queue' });
  });
});

async function certificates(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'pilotlight-tls-'));
  atEnd(() => rmSync(directory, { recursive: true }));
  const nowMs = systemClock.nowMs();
  const authority = await createCertificateAuthority({ commonName: 'test', nowMs, validDays: 1 });
  const issued = await issueServingCertificate(authority, {
    commonName: 'kn-user-default',
    hosts: ['kn-user-default', 'data-plane.knative.dev', '127.0.0.1'],
    nowMs,
    validDays: 1,
  });
  writeFileSync(join(directory, 'tls.crt'), issued.certificatePem);
  writeFileSync(join(directory, 'tls.key'), issued.privateKeyPem);
  return directory;
}

const NO_POLICY = { minVersion: '', maxVersion: '', cipherSuites: '', curvePreferences: '' };

describe.runIf(hasCurlHttp2)('curl', () => {
  it('--http2-prior-knowledge on the open port', async () => {
    const { port } = await start(hello);
    const format = '%{http_version} %{http_code} ';
    const output = await curl('--http2-prior-knowledge', '-w', format, `http://127.0.0.1:${port}/`);
    expect(output).toBe('hello2 200 ');
  });

  it('QP-161: --http2 and --http1.1 on the TLS port, which closes after the open one', async () => {
    const tls = { ...NO_POLICY, certificateDirectory: await certificates() };
    const { proxy, clock, logs } = await start(hello, { tls, tlsPort: 0, drainQuietMs: 0 });
    const url = `https://127.0.0.1:${proxy.ports!.tls}/`;
    const format = '%{http_version} %{http_code} ';
    expect(await curl('-k', '--http2', '-w', format, url)).toBe('hello2 200 ');
    // The application speaks HTTP/2 only: QP-59 makes HTTP/1.1 toward it a 502.
    expect(await curl('-k', '--http1.1', '-w', format, url)).toContain('1.1 502 ');
    expect(logs).toContain('Certificate and/or key have changed on disk and were reloaded.');
    const down = proxy.shutdown();
    clock.advance(1);
    await down;
    expect(await curl('-k', '-w', format, url)).toBe('0 000 ');
  });
});

describe('TLS settings', () => {
  it('QP-164: the admin port speaks plain HTTP also where there is TLS', async () => {
    const tls = { ...NO_POLICY, certificateDirectory: await certificates() };
    const { proxy, clock, port } = await start(hello, { tls, tlsPort: 0 });
    expect(proxy.ports!.tls).not.toBeNull();
    const preStop = await RawClient.connect(proxy.ports!.admin);
    atEnd(() => preStop.socket.destroy());
    preStop.request('GET', '/wait-for-drain');
    const kubelet = 'User-Agent: kube-probe/1.33';
    const isDraining = async (): Promise<boolean> => {
      return (await RawClient.ask(port, '/', kubelet)).status === 503;
    };
    while (!(await isDraining())) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1_000);
    expect((await preStop.answer()).status).toBe(200);
    expect((await RawClient.ask(proxy.ports!.admin, '/other')).status).toBe(404);
  });

  it('QP-160, QP-161: bad names matter only where there is a certificate', async () => {
    const bad = { ...NO_POLICY, minVersion: '1.1' };
    const without = await start(hello, { tls: { ...bad, certificateDirectory: '/nowhere' } });
    expect(without.proxy.ports!.tls).toBeNull();
    const certificateDirectory = await certificates();
    await expect(
      start(hello, { tls: { ...bad, certificateDirectory }, tlsPort: 0 }),
    ).rejects.toThrow('unknown TLS version "1.1"');
  });
});
