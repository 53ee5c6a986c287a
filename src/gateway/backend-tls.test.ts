// TLS from the gateway to activators and sidecars: real certificates and sockets, an API in memory.

import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findCondition, isReady, READY } from '../api/conditions.ts';
import type { ConfigMap, CoreService, Endpoints, Secret } from '../api/core.ts';
import {
  ConfigMap as ConfigMapKind,
  CoreService as CoreServiceKind,
  Endpoints as EndpointsKind,
  Ingress as IngressKind,
  Secret as SecretKind,
} from '../api/kinds.ts';
import type { Ingress, IngressPath } from '../api/networking.ts';
import { systemClock } from '../clock/clock.ts';
import { MemoryClient } from '../kube/testing/memory-client.ts';
import {
  createCertificateAuthority,
  issueServingCertificate,
  type KeyPairPem,
} from '../pki/certificates.ts';
import { DualApp } from '../proxy/testing/dual-app.ts';
import { answerOf } from '../proxy/testing/h2-harness.ts';
import type { RunningGateway } from './start.ts';
import { externalRule, ingress, split } from './testing/harness.ts';
import { startWholeGateway } from './testing/whole-gateway.ts';

const SYSTEM = 'knative-serving';
const HOST = 'hello.example.com';
let authority: KeyPairPem;
let stranger: KeyPairPem;
let client: MemoryClient;
let gateway: RunningGateway;
const cleanups: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  const names = { commonName: 'test CA', nowMs: systemClock.nowMs(), validDays: 1 };
  authority = await createCertificateAuthority(names);
  stranger = await createCertificateAuthority({ ...names, commonName: 'other CA' });
});
beforeEach(async () => {
  client = new MemoryClient();
  await client.create<ConfigMap>(ConfigMapKind, network('Enabled'));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const network = (internalTls: string): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: SYSTEM, name: 'config-network' },
  data: { 'system-internal-tls': internalTls },
});

const trusting = (ca: KeyPairPem): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace: SYSTEM, name: 'routing-serving-certs' },
  data: { 'ca.crt': Buffer.from(ca.certificatePem).toString('base64') },
});

async function start(): Promise<void> {
  gateway = await startWholeGateway(client, 34, cleanups);
}

interface PodOptions {
  /** Null = plain text. */
  names: readonly string[] | null;
  ca?: KeyPairPem;
  /** Of the application's own Service port. */
  protocol?: 'http' | 'http2';
}

/** A Service of the system: a port of its protocol, and 443 in front of one pod. */
async function service({ names, ca = authority, protocol = 'http' }: PodOptions): Promise<DualApp> {
  const issued = { commonName: 'x', nowMs: systemClock.nowMs(), validDays: 1 };
  const pair =
    names === null ? null : await issueServingCertificate(ca, { ...issued, hosts: [...names] });
  const pod = await DualApp.start(
    (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('h2');
    },
    (_request, response) => response.end('h1'),
    pair === null ? undefined : { cert: pair.certificatePem, key: pair.privateKeyPem },
  );
  cleanups.push(() => pod.close());
  const metadata = { name: 'hello', namespace: 'default' };
  const ports = [
    { name: protocol, port: protocol === 'http' ? 80 : 81 },
    { name: 'https', port: 443 },
  ];
  await client.create<CoreService>(CoreServiceKind, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { ports },
  });
  await client.create<Endpoints>(EndpointsKind, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata,
    subsets: [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ name: 'https', port: pod.port }] }],
  });
  return pod;
}

/** A Route's Ingress as the controller writes it with TLS inside the system. */
async function route(more: Partial<IngressPath> = {}): Promise<void> {
  const splits = [{ ...split('hello'), servicePort: 443 }];
  const rules = [externalRule(HOST, { splits, ...more })];
  await client.create(IngressKind, ingress('i', { rules }));
}

const getIngress = () => client.get<Ingress>(IngressKind, { namespace: 'default', name: 'i' });

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

const untilReady = () => eventually(async () => expect(isReady(await getIngress())).toBe(true));

async function get(): Promise<{ status: number; body: string }> {
  const session: ClientHttp2Session = connectHttp2(`http://127.0.0.1:${gateway.port}`);
  const { status, body } = await answerOf(session.request({ ':authority': HOST }));
  session.destroy();
  return { status, body };
}

describe('TLS to backends', () => {
  it.each([
    ['a sidecar of the namespace', ['kn-user-default', 'data-plane.knative.dev'], 'http', 'h1'],
    ['the activator', ['kn-routing'], 'http', 'h1'],
    ['a sidecar of an HTTP/2 application', ['kn-user-default'], 'http2', 'h2'],
  ] as const)('ING-16, ING-34: %s is spoken to over TLS', async (_who, names, protocol, body) => {
    await client.create<Secret>(SecretKind, trusting(authority));
    const pod = await service({ names, protocol });
    await route();
    await start();
    await untilReady();
    expect(await get()).toEqual({ status: 200, body });
    expect(pod.protocols).toEqual([body === 'h2' ? 'h2' : 'http/1.1']);
  });

  it.each([
    ['of another namespace', ['kn-user-other', 'data-plane.knative.dev'], /"kn-user-default"/],
    ['of an unknown CA', ['kn-user-default'], /certificate/],
  ] as const)('ING-34: a server %s gets no request', async (who, names, text) => {
    await client.create<Secret>(SecretKind, trusting(authority));
    await service({ names, ca: who === 'of an unknown CA' ? stranger : authority });
    await route();
    await start();
    const answer = await get();
    expect(answer.status).toBe(502);
    expect(answer.body).toMatch(text);
  });

  it('ING-34: without a CA the Ingress says so, and is served once there is one', async () => {
    await service({ names: ['kn-routing'] });
    await route();
    await start();
    await eventually(async () => {
      const condition = findCondition(await getIngress(), READY);
      expect(condition?.message).toBe(
        'system-internal-tls: there is no CA to trust: Secret ' +
          'knative-serving/routing-serving-certs has no certificate in ca.crt, and no ConfigMap ' +
          'with label networking.knative.dev/trust-bundle has one',
      );
    });
    await client.create<Secret>(SecretKind, trusting(authority));
    await untilReady();
    expect(await get()).toEqual({ status: 200, body: 'h1' });
  });

  it('ING-34: a bundle adds a CA while running', async () => {
    await client.create<Secret>(SecretKind, trusting(authority));
    await service({ names: ['kn-routing'], ca: stranger });
    await route();
    await start();
    expect((await get()).status).toBe(502);
    await client.create<ConfigMap>(ConfigMapKind, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        namespace: SYSTEM,
        name: 'bundle',
        labels: { 'networking.knative.dev/trust-bundle': 'true' },
      },
      data: { any: stranger.certificatePem },
    });
    await eventually(async () => expect((await get()).status).toBe(200));
  });

  it('ING-34: a hop that rewrites the host stays in plain text', async () => {
    const pod = await service({ names: null });
    await route({ rewriteHost: 'elsewhere.example.com' });
    await start();
    await untilReady();
    expect(await get()).toEqual({ status: 200, body: 'h1' });
    expect(pod.protocols).toEqual([]);
  });

  it('ING-34: follows config-network', async () => {
    await service({ names: null });
    await route();
    await start();
    const key = { namespace: SYSTEM, name: 'config-network' };
    const switchTo = async (internalTls: string): Promise<void> => {
      const current = await client.get<ConfigMap>(ConfigMapKind, key);
      const { data = {} } = network(internalTls);
      await client.update<ConfigMap>(ConfigMapKind, { ...current, data });
    };
    await eventually(async () => expect(isReady(await getIngress())).toBe(false));
    await switchTo('Disabled');
    await untilReady();
    expect(await get()).toEqual({ status: 200, body: 'h1' });
    await client.create<Secret>(SecretKind, trusting(authority));
    await switchTo('Enabled');
    await eventually(async () => expect((await get()).status).toBe(502));
  });
});
