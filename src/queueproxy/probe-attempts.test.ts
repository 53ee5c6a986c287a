// Readiness attempts against small real servers on loopback: QP-105 to QP-112.

import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import { createCertificateAuthority } from '../pki/certificates.ts';
import { createAttempt } from './probe-attempts.ts';
import { type ProbeAction, parseReadinessProbes } from './readiness-probe.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

function attempt(action: ProbeAction, http2AutoDetection = false, timeoutMs = 2000) {
  const probe = { action, aggressive: true, timeoutMs: 0, successThreshold: 1 };
  return createAttempt(probe, { clock: systemClock, http2AutoDetection })(timeoutMs);
}

function httpAction(port: number, extra: object = {}): ProbeAction {
  const text = JSON.stringify({ httpGet: { port, ...extra } });
  return parseReadinessProbes(text, false)[0]!.action;
}

/** An address nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('TCP attempt', () => {
  it('QP-105: an established connection is ready and nothing is sent', async () => {
    let received = 0;
    const server = createServer((socket) => {
      socket.on('data', (chunk) => {
        received += chunk.length;
      });
      socket.on('error', () => undefined);
    });
    const port = await listen(server);
    expect(await attempt({ kind: 'tcp', host: '127.0.0.1', port })).toBeNull();
    expect(received).toBe(0);
  });

  it('a refused connection is not ready', async () => {
    const port = await freePort();
    for (const host of ['127.0.0.1', 'localhost']) {
      const problem = await attempt({ kind: 'tcp', host, port });
      expect(problem).toContain(`dial tcp ${host}:${port}: connect ECONNREFUSED`);
    }
  });

  it('a host that does not exist is not ready either', async () => {
    expect(await attempt({ kind: 'tcp', host: 'nobody.invalid', port: 80 })).toContain('dial tcp');
  });

  it('QP-100: whoever does not answer in time is not ready', async () => {
    // TEST-NET-1: nothing answers there, or the network says at once that it cannot be reached.
    const problem = await attempt({ kind: 'tcp', host: '192.0.2.1', port: 9 });
    expect(problem).toMatch(/i\/o timeout|connect E/);
  });
});

describe('HTTP attempt', () => {
  async function serve(
    answer: (request: http.IncomingMessage, response: http.ServerResponse) => void,
  ): Promise<number> {
    const server = http.createServer(answer);
    closers.push(() => server.closeAllConnections());
    return listen(server);
  }

  it.each([
    [200, null],
    [399, null],
    [304, null],
    [302, null],
    [404, 'HTTP probe did not respond Ready, got status code: 404'],
    [500, 'HTTP probe did not respond Ready, got status code: 500'],
  ])('QP-106: status %d gives %s', async (status, expected) => {
    const port = await serve((_request, response) => response.writeHead(status).end('body'));
    expect(await attempt(httpAction(port))).toBe(expected);
  });

  it('QP-107: the wire carries exactly these headers, duplicates kept', async () => {
    const seen: string[][] = [];
    const port = await serve((request, response) => {
      seen.push([request.method!, request.url!, ...request.rawHeaders]);
      response.end();
    });
    const httpHeaders = [
      { name: 'X-Two', value: '1' },
      { name: 'X-Two', value: '2' },
    ];
    await attempt(httpAction(port, { path: 'a//b?c=%zz', httpHeaders }));
    expect(seen).toEqual([
      [
        ...['GET', '/a//b?c=%zz', 'Host', `127.0.0.1:${port}`],
        ...['User-Agent', 'kube-probe//', 'X-Two', '1', 'X-Two', '2'],
        ...['Accept-Encoding', 'gzip', 'Connection', 'close'],
      ],
    ]);
  });

  it('QP-108, Q-8: configured Host and User-Agent are sent', async () => {
    let seen: http.IncomingHttpHeaders = {};
    const port = await serve((request, response) => {
      seen = request.headers;
      response.end();
    });
    const httpHeaders = [
      { name: 'Host', value: 'app.example' },
      { name: 'User-Agent', value: 'mine' },
    ];
    await attempt(httpAction(port, { httpHeaders }));
    expect([seen.host, seen['user-agent']]).toEqual(['app.example', 'mine']);
  });

  it('QP-109: redirects are followed, up to ten', async () => {
    const port = await serve((request, response) => {
      const left = Number(request.url!.slice(1));
      if (left === 0) response.end();
      else response.writeHead(302, { Location: `/${left - 1}` }).end();
    });
    expect(await attempt(httpAction(port, { path: '/10' }))).toBeNull();
    expect(await attempt(httpAction(port, { path: '/11' }))).toBe('stopped after 10 redirects');
  });

  it('QP-110, Q-9: an app with a certificate nobody knows is ready, as for the kubelet', async () => {
    const nowMs = systemClock.nowMs();
    const authority = { commonName: 'unknown', nowMs, validDays: 1 };
    const { certificatePem, privateKeyPem } = await createCertificateAuthority(authority);
    const options = { cert: certificatePem, key: privateKeyPem };
    const server = https.createServer(options, (_request, response) => response.end());
    closers.push(() => server.closeAllConnections());
    const port = await listen(server);
    expect(await attempt(httpAction(port, { scheme: 'HTTPS' }))).toBeNull();
    expect(await attempt(httpAction(port))).not.toBeNull();
  });

  it('an app that does not answer in time is not ready', async () => {
    const port = await serve(() => undefined);
    expect(await attempt(httpAction(port), false, 30)).toBe('context deadline exceeded');
  });

  it('a refused connection is not ready', async () => {
    expect(await attempt(httpAction(await freePort()))).toContain('ECONNREFUSED');
  });

  it('QP-111: with auto-detection an h2c-only app is ready, without it is not', async () => {
    const server = http2.createServer((_request, response) => response.end());
    const port = await listen(server);
    expect(await attempt(httpAction(port), true)).toBeNull();
    expect(await attempt(httpAction(port), false)).not.toBeNull();
  });

  it('QP-111: with auto-detection an HTTP/1-only app is asked again', async () => {
    const port = await serve((_request, response) => response.end());
    expect(await attempt(httpAction(port), true)).toBeNull();
    const failing = await serve((_request, response) => response.writeHead(503).end());
    expect(await attempt(httpAction(failing), true)).toContain('503');
  });
});

describe('gRPC attempt', () => {
  /** A health server answering `status` for the service `known`, or with a bare gRPC status. */
  async function serve(status: number, grpcStatus = '0'): Promise<number> {
    const server = http2.createServer();
    server.on('stream', (stream, headers) => {
      if (headers[':path'] !== '/grpc.health.v1.Health/Check') {
        stream.destroy();
        return;
      }
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc' },
        {
          waitForTrailers: true,
        },
      );
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': grpcStatus }));
      const message = new BinaryWriter().tag(1, WireType.Varint).int32(status).finish();
      stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
    });
    return listen(server);
  }

  it.each([
    [1, '0', null],
    [2, '0', 'service unhealthy (responded with "NOT_SERVING")'],
    [0, '0', 'service unhealthy (responded with "UNKNOWN")'],
  ])('QP-112: serving status %d with gRPC status %s gives %s', async (...row) => {
    const [status, grpcStatus, expected] = row;
    const port = await serve(status, grpcStatus);
    expect(await attempt({ kind: 'grpc', port, service: 'a.B' })).toBe(expected);
  });

  it('QP-112: a server without the health service is told apart', async () => {
    const port = await serve(1, '12');
    const error = await attempt({ kind: 'grpc', port, service: '' });
    expect(error).toContain('this server does not implement the grpc health protocol');
  });

  it('QP-112: an app that does not speak HTTP/2, or does not listen, is not ready', async () => {
    const server = http.createServer((_request, response) => response.end());
    const port = await listen(server);
    expect(await attempt({ kind: 'grpc', port, service: '' })).toContain('health rpc probe failed');
    const nobody = await freePort();
    expect(await attempt({ kind: 'grpc', port: nobody, service: '' })).toContain('ECONNREFUSED');
  });
});

describe('exec and nothing', () => {
  it('QP-96: fail with their reason', async () => {
    expect(await attempt({ kind: 'impossible', reason: 'exec probe not supported' })).toBe(
      'exec probe not supported',
    );
  });
});
