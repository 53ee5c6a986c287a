// Certificates of our own class: issued into a Secret, kept while good, replaced when they age.

import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Secret } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import { PILOTLIGHT_CERTIFICATE_CLASS } from '../../api/labels.ts';
import type { Certificate } from '../../api/networking.ts';
import { ControllerWorld, NAMESPACE } from '../testing/world.ts';

const DAY_MS = 86_400_000;
const PATIENCE = { timeout: 30_000, interval: 5 };
let world: ControllerWorld;

beforeEach(async () => {
  world = new ControllerWorld();
  await world.start();
});
afterEach(() => world.stop());

async function want(
  name: string,
  dnsNames: string[],
  certificateClass = PILOTLIGHT_CERTIFICATE_CLASS,
): Promise<void> {
  await world.client.create<Certificate>(kinds.Certificate, {
    apiVersion: 'networking.internal.knative.dev/v1alpha1',
    kind: 'Certificate',
    metadata: {
      name,
      namespace: NAMESPACE,
      annotations: { 'networking.knative.dev/certificate.class': certificateClass },
    },
    spec: { dnsNames, secretName: `${name}-tls` },
  });
}

/** Signing takes real time, in which the clock of the test stands still. */
async function issued(name: string, isNew: (pem: string) => boolean = () => true): Promise<string> {
  const found = await vi.waitFor(async () => {
    const { items } = await world.client.list<Secret>(kinds.Secret, { namespace: NAMESPACE });
    const secret = items.find(({ metadata }) => metadata.name === `${name}-tls`);
    const pem = Buffer.from(secret?.data?.['tls.crt'] ?? '', 'base64').toString();
    expect(pem !== '' && isNew(pem)).toBe(true);
    return pem;
  }, PATIENCE);
  await world.settle();
  return found;
}

async function authority(): Promise<X509Certificate> {
  const key = { namespace: 'knative-serving', name: 'pilotlight-ca' };
  const secret = await world.client.get<Secret>(kinds.Secret, key);
  return new X509Certificate(Buffer.from(secret.data?.['tls.crt'] ?? '', 'base64'));
}

describe('certificates of class pilotlight', { timeout: 60_000 }, () => {
  it('are signed by one authority, name every host, and are ready', async () => {
    await want('web', ['a.example.com', '*.b.example.com']);
    const certificate = new X509Certificate(await issued('web'));
    expect(certificate.verify((await authority()).publicKey)).toBe(true);
    expect(certificate.checkHost('a.example.com')).toBeDefined();
    expect(certificate.checkHost('x.b.example.com')).toBeDefined();
    expect(await world.condition(kinds.Certificate, 'web', 'Ready')).toBe('True');
    const { status } = await world.get<Certificate>(kinds.Certificate, 'web');
    expect(Date.parse(status?.notAfter ?? '')).toBe(Date.parse(certificate.validTo));
    await want('more', ['c.example.com']);
    const second = new X509Certificate(await issued('more'));
    expect(second.verify((await authority()).publicKey)).toBe(true);
  });

  it('are replaced in time, and stay otherwise', async () => {
    await want('web', ['a.example.com']);
    const first = await issued('web');
    world.clock.advance(50 * DAY_MS);
    await world.settle();
    expect(await issued('web')).toBe(first);
    world.clock.advance(11 * DAY_MS);
    const second = await issued('web', (pem) => pem !== first);
    expect(new X509Certificate(second).checkHost('a.example.com')).toBeDefined();
  });

  it('of another class are left to their issuer', async () => {
    await want('web', ['a.example.com'], 'cert-manager.certificate.networking.knative.dev');
    await world.settle();
    expect((await world.get<Certificate>(kinds.Certificate, 'web')).status).toBeUndefined();
  });

  it('a Secret of somebody else is not overwritten', async () => {
    const metadata = { name: 'web-tls', namespace: NAMESPACE };
    await world.client.create(kinds.Secret, { apiVersion: 'v1', kind: 'Secret', metadata });
    await want('web', ['a.example.com']);
    const message = 'There is an existing Secret "web-tls" that we do not own.';
    await vi.waitFor(async () => {
      const text = await world.condition(kinds.Certificate, 'web', 'Ready');
      expect(text).toBe(`False NotOwned: ${message}`);
    }, PATIENCE);
  });
});
