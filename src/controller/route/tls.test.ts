// Certificates of a Route as its user sees them: conditions, URLs, and what the Ingress is told.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as kinds from '../../api/kinds.ts';
import type { Certificate, Ingress } from '../../api/networking.ts';
import type { Route } from '../../api/serving.ts';
import { ControllerWorld, NAMESPACE, template } from '../testing/world.ts';

const HOST = 'hello.default.example.com';
const LOCAL = 'hello.default.svc.cluster.local';
let world: ControllerWorld;

beforeEach(async () => {
  world = new ControllerWorld();
  await world.start();
});
afterEach(() => world.stop());

const provisioned = (): Promise<string> =>
  world.condition(kinds.Route, 'hello', 'CertificateProvisioned');
const route = (): Promise<Route> => world.get(kinds.Route, 'hello');
const ingress = (): Promise<Ingress> => world.get(kinds.Ingress, 'hello');
const ready = { conditions: [{ type: 'Ready', status: 'True' }] };

async function serve(network: Record<string, string>, traffic?: object[]): Promise<string> {
  await world.setConfig('config-network', network);
  await world.createService('hello', template(), traffic as never);
  await world.reachInitialScale('hello-00001');
  return `route-${(await route()).metadata.uid}`;
}

describe('external-domain-tls', () => {
  it('CP-346, CP-348: one Certificate; its host is https once it is ready', async () => {
    const name = await serve({ 'external-domain-tls': 'enabled' });
    const wanted = await world.get<Certificate>(kinds.Certificate, name);
    expect(wanted.metadata.labels).toEqual({
      'serving.knative.dev/route': 'hello',
      'networking.knative.dev/certificate-type': 'external-domain',
    });
    expect(wanted.spec).toEqual({ dnsNames: [HOST], domain: 'example.com', secretName: name });
    expect(await provisioned()).toBe(
      `True HTTPDowngrade: Certificate ${name} is not ready downgrade HTTP.`,
    );
    expect((await route()).status?.url).toBe(`http://${HOST}`);
    await world.setStatus(kinds.Certificate, name, ready);
    expect(await provisioned()).toBe('True');
    expect((await route()).status?.url).toBe(`https://${HOST}`);
    expect((await ingress()).spec.tls).toEqual([
      { hosts: [HOST], secretName: name, secretNamespace: NAMESPACE },
    ]);
  });

  it('CP-62, CP-346: tags have Certificates of their own, and https URLs', async () => {
    const name = await serve({ 'external-domain-tls': 'enabled' }, [
      { latestRevision: true, percent: 100, tag: 'blue' },
    ]);
    const tagged = `${name}-69140905`;
    expect((await world.names(kinds.Certificate)).sort()).toEqual([name, tagged].sort());
    await world.setStatus(kinds.Certificate, tagged, ready);
    expect((await route()).status?.traffic?.[0]?.url).toBe(`https://blue-${HOST}`);
    expect((await route()).status?.url).toBe(`http://${HOST}`);
  });

  it.each([
    [
      'Unknown',
      'Issuing',
      (name: string) => `Unknown CertificateNotReady: Certificate ${name} is not ready: Issuing`,
    ],
    [
      'False',
      'Denied',
      (name: string) =>
        `False CertificateProvisionFailed: Certificate ${name} fails to be provisioned: Denied`,
    ],
  ])(
    'CP-348: redirected to https, a Certificate that is %s says so',
    async (status, reason, text) => {
      const network = { 'external-domain-tls': 'enabled', 'http-protocol': 'redirected' };
      const name = await serve(network);
      await world.setStatus(kinds.Certificate, name, {
        conditions: [{ type: 'Ready', status, reason }],
      });
      expect(await provisioned()).toBe(text(name));
      expect((await route()).status?.url).toBe(`https://${HOST}`);
    },
  );

  it('CP-311, CP-349: challenges are served on the public host, in order', async () => {
    const name = await serve({ 'external-domain-tls': 'enabled' });
    const challenge = (path: string) => ({
      url: `http://${HOST}/.well-known/acme-challenge/${path}`,
      serviceName: 'solver',
      serviceNamespace: NAMESPACE,
      servicePort: 8089,
    });
    await world.setStatus(kinds.Certificate, name, {
      http01Challenges: [challenge('b'), challenge('a')],
    });
    const external = (await ingress()).spec.rules?.find(
      ({ visibility }) => visibility === 'ExternalIP',
    );
    expect(external?.http?.paths.map(({ path }) => path)).toEqual([
      '/.well-known/acme-challenge/a',
      '/.well-known/acme-challenge/b',
      undefined,
    ]);
  });

  it('CP-347: a wildcard Certificate of the namespace is used instead', async () => {
    await world.client.create<Certificate>(kinds.Certificate, {
      apiVersion: 'networking.internal.knative.dev/v1alpha1',
      kind: 'Certificate',
      metadata: {
        name: 'wild',
        namespace: NAMESPACE,
        labels: { 'networking.knative.dev/wildcardDomain': 'example.com' },
      },
      spec: { dnsNames: ['*.default.example.com'], secretName: 'wild' },
    });
    await world.setStatus(kinds.Certificate, 'wild', ready);
    await serve({ 'external-domain-tls': 'enabled', 'namespace-wildcard-cert-selector': '{}' });
    expect(await world.names(kinds.Certificate)).toEqual(['wild']);
    expect(await provisioned()).toBe('True');
    expect((await ingress()).spec.tls?.[0]).toMatchObject({ hosts: [HOST], secretName: 'wild' });
  });

  it('CP-345: refused by annotation, and nothing to do for a cluster-local Route', async () => {
    await serve({ 'external-domain-tls': 'enabled' });
    await world.changeService('hello', ({ metadata }) => {
      metadata.annotations!['networking.knative.dev/disable-external-domain-tls'] = 'true';
    });
    expect(await provisioned()).toBe('True TLSNotEnabled: external-domain-tls is not enabled');
    await world.changeService('hello', ({ metadata }) => {
      metadata.annotations = {};
      metadata.labels = { 'networking.knative.dev/visibility': 'cluster-local' };
    });
    expect(await provisioned()).toBe('True TLSNotEnabled: TLS is not enabled for cluster-local');
  });

  it('CP-350: the Certificate of a tag that is gone is deleted', async () => {
    const name = await serve({ 'external-domain-tls': 'enabled' }, [
      { latestRevision: true, percent: 100, tag: 'blue' },
    ]);
    expect(await world.names(kinds.Certificate)).toHaveLength(2);
    await world.changeService('hello', ({ spec }) => {
      spec.traffic = [{ latestRevision: true, percent: 100 }];
    });
    expect(await world.names(kinds.Certificate)).toEqual([name]);
  });

  it('CP-348: a Certificate of somebody else is left alone and named', async () => {
    await world.createService('hello', template());
    const name = `route-${(await route()).metadata.uid}`;
    await world.client.create<Certificate>(kinds.Certificate, {
      apiVersion: 'networking.internal.knative.dev/v1alpha1',
      kind: 'Certificate',
      metadata: { name, namespace: NAMESPACE },
      spec: { dnsNames: ['x'], secretName: 'x' },
    });
    await world.setConfig('config-network', { 'external-domain-tls': 'enabled' });
    await world.reachInitialScale('hello-00001');
    expect(await provisioned()).toBe(
      `False CertificateNotOwned: There is an existing certificate ${name} that we don't own.`,
    );
  });
});

describe('cluster-local-domain-tls', () => {
  it('CP-352: the address becomes https once the Certificate is ready, never a downgrade', async () => {
    const name = `${await serve({ 'cluster-local-domain-tls': 'enabled' })}-local`;
    const wanted = await world.get<Certificate>(kinds.Certificate, name);
    expect(wanted.spec).toEqual({
      dnsNames: ['hello.default', 'hello.default.svc', LOCAL],
      domain: 'svc.cluster.local',
      secretName: name,
    });
    expect(await provisioned()).toBe(
      `Unknown CertificateNotReady: Certificate ${name} is not ready: `,
    );
    expect((await route()).status?.address?.url).toBe(`http://${LOCAL}`);
    await world.setStatus(kinds.Certificate, name, ready);
    expect(await provisioned()).toBe('True');
    expect((await route()).status?.address?.url).toBe(`https://${LOCAL}`);
    expect((await route()).status?.url).toBe(`http://${HOST}`);
  });
});
