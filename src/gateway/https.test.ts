// HTTPS and HTTP/2 through the whole gateway: certificates from Secrets, redirects, protocols that
// change on the way. Ingresses in an in-memory API, real servers as pods.

import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isReady } from '../api/conditions.ts';
import type { CoreService, Endpoints, Secret } from '../api/core.ts';
import {
  CoreService as CoreServiceKind,
  Endpoints as EndpointsKind,
  Ingress as IngressKind,
  Secret as SecretKind,
} from '../api/kinds.ts';
import type { Ingress, IngressSpec } from '../api/networking.ts';
import { systemClock } from '../clock/clock.ts';
import { MemoryClient } from '../kube/testing/memory-client.ts';
import {
  createCertificateAuthority,
  issueServingCertificate,
  type KeyPairPem,
} from '../pki/certificates.ts';
import { DualApp } from '../proxy/testing/dual-app.ts';
import { answerOf, type Http2Answer } from '../proxy/testing/h2-harness.ts';
import type { RunningGateway } from './start.ts';
import { externalRule, ingress, split } from './testing/harness.ts';
import { startWholeGateway } from './testing/whole-gateway.ts';

const HOST = 'hello.example.com';
let authority: KeyPairPem;
let client: MemoryClient;
let gateway: RunningGateway;
const cleanups: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  const nowMs = systemClock.nowMs();
  authority = await createCertificateAuthority({ commonName: 'test CA', nowMs, validDays: 1 });
});
beforeEach(async () => {
  client = new MemoryClient();
  gateway = await start({ httpsPort: 0 });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function start(https: { httpsPort: number; isHttpsMovable?: boolean }): Promise<RunningGateway> {
  return startWholeGateway(client, 8, cleanups, { ...https, localHttpsPort: 0 });
}

/** A Service with one pod that tells what it was asked, over either protocol. */
async function service(name: string, portName: string): Promise<DualApp> {
  const app = await DualApp.start(
    (stream, headers) => {
      const told = { proto: 'h2', scheme: headers['x-forwarded-proto'] };
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(JSON.stringify(told));
    },
    (request, response) => {
      const told = { proto: 'h1', scheme: request.headers['x-forwarded-proto'] };
      response.end(JSON.stringify(told));
    },
  );
  cleanups.push(() => app.close());
  const metadata = { name, namespace: 'default' };
  await client.create<CoreService>(CoreServiceKind, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { ports: [{ name: portName, port: 80 }] },
  });
  await client.create<Endpoints>(EndpointsKind, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata,
    subsets: [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ name: portName, port: app.port }] }],
  });
  return app;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function secret(name: string, ...hosts: string[]): Promise<Secret> {
  const nowMs = systemClock.nowMs();
  const pair = await issueServingCertificate(authority, {
    commonName: name,
    hosts,
    nowMs,
    validDays: 1,
  });
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'default' },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': base64(pair.certificatePem), 'tls.key': base64(pair.privateKeyPem) },
  };
}

const create = (spec: IngressSpec, name = 'i') => client.create(IngressKind, ingress(name, spec));
const get = (name = 'i') => client.get<Ingress>(IngressKind, { namespace: 'default', name });

async function eventually(check: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await check();
      return;
    } catch (error) {
      if (tries >= 400) throw error;
      await systemClock.sleep(10);
    }
  }
}

const untilReady = (name = 'i') =>
  eventually(async () => expect(isReady(await get(name))).toBe(true));

interface Answer {
  status: number;
  body: string;
  location: string;
  fingerprint: string;
}

function ask(port: number, servername: string, host = servername): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        servername,
        ca: authority.certificatePem,
        agent: false,
        path: '/a?b',
        headers: { host },
      },
      (response) => {
        const socket = response.socket as import('node:tls').TLSSocket;
        const fingerprint = socket.getPeerCertificate().fingerprint256;
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          resolve({ status, body, location: headers.location ?? '', fingerprint });
        });
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

function session(url: string, options: object = {}): ClientHttp2Session {
  const opened = connectHttp2(url, options);
  opened.on('error', () => undefined);
  cleanups.push(() => opened.destroy());
  return opened;
}

const askHttp2 = (opened: ClientHttp2Session, host = HOST): Promise<Http2Answer> =>
  answerOf(opened.request({ ':authority': host }));

const spec = (serviceName: string, more: Partial<IngressSpec> = {}): IngressSpec => ({
  rules: [externalRule(HOST, { splits: [split(serviceName)] })],
  ...more,
});
const withTls = (...hosts: string[]): Partial<IngressSpec> => ({
  tls: [{ hosts, secretName: 'cert', secretNamespace: 'default' }],
});

describe('HTTPS', () => {
  it('ING-30, ING-70, ING-80: terminates with the certificate of the host and says so', async () => {
    await service('app', 'http');
    await client.create(SecretKind, await secret('cert', HOST));
    await create(spec('app', withTls(HOST)));
    await untilReady();
    const answer = await ask(gateway.httpsPort, HOST);
    expect(JSON.parse(answer.body)).toEqual({ proto: 'h1', scheme: 'https' });
  });

  it('ING-33: an exact name before a wildcard; an unknown one ends the handshake', async () => {
    await service('app', 'http');
    await client.create(SecretKind, await secret('cert', '*.example.com'));
    await client.create(SecretKind, await secret('exact', HOST));
    const rules = ['a.example.com', HOST, '*.example.com'].map((host) =>
      externalRule(host, { splits: [split('app')] }),
    );
    await create({
      rules,
      tls: [
        {
          hosts: ['*.example.com', 'a.example.com'],
          secretName: 'cert',
          secretNamespace: 'default',
        },
        { hosts: [HOST], secretName: 'exact', secretNamespace: 'default' },
      ],
    });
    await untilReady();
    const exact = await ask(gateway.httpsPort, HOST);
    const wild = await ask(gateway.httpsPort, 'a.example.com');
    const other = await ask(gateway.httpsPort, 'b.example.com', HOST);
    expect(exact.fingerprint).not.toBe(wild.fingerprint);
    expect(other.fingerprint).toBe(wild.fingerprint);
    await expect(ask(gateway.httpsPort, 'stranger.org')).rejects.toThrow();
  });

  it('ING-31: waits for its Secret, takes a new one at once, keeps it when that breaks', async () => {
    await service('app', 'http');
    await create(spec('app', withTls(HOST)));
    await eventually(async () => {
      const conditions = (await get()).status?.conditions ?? [];
      expect(conditions.some(({ message }) => message?.includes('Secret default/cert'))).toBe(true);
    });
    expect(isReady(await get())).toBe(false);
    await client.create(SecretKind, await secret('cert', HOST));
    await untilReady();
    const first = await ask(gateway.httpsPort, HOST);
    const key = { namespace: 'default', name: 'cert' };
    const replace = async (data: Record<string, string>): Promise<void> => {
      const current = await client.get<Secret>(SecretKind, key);
      await client.update<Secret>(SecretKind, { ...current, data });
    };
    await replace((await secret('cert', HOST)).data ?? {});
    let second = first;
    await eventually(async () => {
      second = await ask(gateway.httpsPort, HOST);
      expect(second.fingerprint).not.toBe(first.fingerprint);
    });
    await replace({ 'tls.crt': base64('x'), 'tls.key': base64('y') });
    await eventually(async () => expect(isReady(await get())).toBe(false));
    expect((await ask(gateway.httpsPort, HOST)).fingerprint).toBe(second.fingerprint);
  });

  it('ING-19, ING-32: Redirected sends plain HTTP to https, except challenges', async () => {
    await service('app', 'http');
    await client.create(SecretKind, await secret('cert', HOST));
    const paths = [
      { path: '/.well-known/acme-challenge/x', splits: [split('app')] },
      { splits: [split('app')] },
    ];
    await create({
      httpOption: 'Redirected',
      ...withTls(HOST),
      rules: [
        externalRule(HOST, ...paths),
        { hosts: ['app.default'], visibility: 'ClusterLocal', http: { paths } },
      ],
    });
    await untilReady();
    const plain = (port: number, path: string, host: string): Promise<number> =>
      new Promise((resolve) => {
        void import('node:http').then(({ request }) =>
          request(
            { host: '127.0.0.1', port, path, agent: false, headers: { host } },
            (response) => {
              if (response.statusCode === 301) {
                expect(response.headers.location).toBe(`https://${HOST}/a?b`);
              }
              response.resume().on('end', () => resolve(response.statusCode ?? 0));
            },
          ).end(),
        );
      });
    expect(await plain(gateway.port, '/a?b', `${HOST}:${gateway.port}`)).toBe(301);
    expect(await plain(gateway.port, '/.well-known/acme-challenge/x', HOST)).toBe(200);
    expect(await plain(gateway.localPort, '/a?b', 'app.default')).toBe(200);
    expect((await ask(gateway.httpsPort, HOST)).status).toBe(200);
  });

  it('ING-30: the internal listener has certificates of internal rules only', async () => {
    await service('app', 'http');
    await client.create(SecretKind, await secret('cert', HOST, 'app.default'));
    await create({
      rules: [
        {
          hosts: ['app.default'],
          visibility: 'ClusterLocal',
          http: { paths: [{ splits: [split('app')] }] },
        },
      ],
      ...withTls('app.default'),
    });
    await untilReady();
    expect((await ask(gateway.localHttpsPort, 'app.default')).status).toBe(200);
    await expect(ask(gateway.httpsPort, 'app.default')).rejects.toThrow();
  });
});

describe('HTTP/2', () => {
  it.each([
    ['http', 'h1'],
    ['http2', 'h2'],
    ['h2c', 'h2'],
  ])('ING-16, ING-85: h2c in, port %s: the application sees %s', async (portName, proto) => {
    await service('app', portName);
    await create(spec('app'));
    await untilReady();
    const answer = await askHttp2(session(`http://127.0.0.1:${gateway.port}`));
    expect(JSON.parse(answer.body)).toEqual({ proto, scheme: 'http' });
    if (proto === 'h2') expect(answer.trailers?.['grpc-status']).toBe('0');
  });

  it('ING-16: HTTP/1.1 in, port http2: the application sees HTTP/2', async () => {
    await service('app', 'http2');
    await create(spec('app', withTls(HOST)));
    await client.create(SecretKind, await secret('cert', HOST));
    await untilReady();
    expect(JSON.parse((await ask(gateway.httpsPort, HOST)).body)).toEqual({
      proto: 'h2',
      scheme: 'https',
    });
  });

  it('ING-85: h2 by ALPN on the HTTPS listener, many streams on one connection', async () => {
    const app = await service('app', 'http2');
    await client.create(SecretKind, await secret('cert', HOST));
    await create(spec('app', withTls(HOST)));
    await untilReady();
    const opened = session(`https://127.0.0.1:${gateway.httpsPort}`, {
      servername: HOST,
      ca: authority.certificatePem,
    });
    const answers = await Promise.all(Array.from({ length: 50 }, () => askHttp2(opened)));
    for (const { body } of answers) {
      expect(JSON.parse(body)).toEqual({ proto: 'h2', scheme: 'https' });
    }
    // One, unless a dial took longer than its 50 ms and was tried again.
    expect(app.accepted).toBeLessThan(10);
  });

  it('ING-13: splits draw per stream, over backends of different protocols', async () => {
    await service('one', 'http');
    await service('two', 'http2');
    const splits = [split('one', 50), split('two', 50)];
    await create({ rules: [externalRule(HOST, { splits })] });
    await untilReady();
    const opened = session(`http://127.0.0.1:${gateway.port}`);
    const protos = new Set<string>();
    for (let index = 0; index < 40; index += 1) {
      const { body } = await askHttp2(opened);
      protos.add((JSON.parse(body) as { proto: string }).proto);
    }
    expect([...protos].sort()).toEqual(['h1', 'h2']);
  });
});

describe('an HTTPS port that is taken', () => {
  it('is given up for a free one where the gateway may move, and an error elsewhere', async () => {
    const { httpsPort } = gateway;
    const moved = await start({ httpsPort, isHttpsMovable: true });
    expect(moved.httpsPort).not.toBe(httpsPort);
    expect(moved.httpsPort).toBeGreaterThan(0);
    await expect(start({ httpsPort })).rejects.toThrow('EADDRINUSE');
  });
});
