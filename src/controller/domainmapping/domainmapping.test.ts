// A host name of the user's own, from its claim to the Ingress, with all controllers running.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as kinds from '../../api/kinds.ts';
import type { Certificate, ClusterDomainClaim, Ingress } from '../../api/networking.ts';
import type { KubeObject } from '../../api/objects.ts';
import type { DomainMapping } from '../../api/serving.ts';
import { ControllerWorld, NAMESPACE, template } from '../testing/world.ts';

const HOST = 'shop.example.org';
const KSVC = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'hello' };
let world: ControllerWorld;

beforeEach(async () => {
  world = new ControllerWorld();
  await world.start();
});
afterEach(() => world.stop());

const condition = (type: string): Promise<string> =>
  world.condition(kinds.DomainMapping, HOST, type);
const mapping = (): Promise<DomainMapping> => world.get(kinds.DomainMapping, HOST);
const ingress = (): Promise<Ingress> => world.get(kinds.Ingress, HOST);

async function map(
  spec: Partial<DomainMapping['spec']> = {},
  metadata: Partial<KubeObject['metadata']> = {},
): Promise<void> {
  await world.client.create<DomainMapping>(kinds.DomainMapping, {
    apiVersion: 'serving.knative.dev/v1beta1',
    kind: 'DomainMapping',
    metadata: { name: HOST, namespace: NAMESPACE, ...metadata },
    spec: { ref: KSVC, ...spec },
  });
  await world.settle();
}

async function claim(namespace = NAMESPACE): Promise<void> {
  await world.client.create<ClusterDomainClaim>(kinds.ClusterDomainClaim, {
    apiVersion: 'networking.internal.knative.dev/v1alpha1',
    kind: 'ClusterDomainClaim',
    metadata: { name: HOST },
    spec: { namespace },
  });
}

/** A Service that can be reached inside the cluster. */
async function serveHello(): Promise<void> {
  await world.createService('hello', template());
  await world.reachInitialScale('hello-00001');
  await world.serveIngress('hello');
}

async function autocreate(more: Record<string, string> = {}): Promise<void> {
  await world.setConfig('config-network', { 'autocreate-cluster-domain-claims': 'true', ...more });
  await world.settle();
}

describe('CP-410: a DomainMapping of a Service', () => {
  it('CP-430: becomes an Ingress that rewrites the host, and is ready with it', async () => {
    await autocreate();
    await serveHello();
    await map({}, { labels: { team: 'a' }, annotations: { foo: 'bar' } });
    const { metadata, spec } = await ingress();
    const { uid } = (await mapping()).metadata;
    expect(metadata).toMatchObject({
      name: HOST,
      labels: {
        team: 'a',
        'serving.knative.dev/domainMappingUID': uid,
        'serving.knative.dev/domainMappingNamespace': NAMESPACE,
      },
      annotations: {
        foo: 'bar',
        'networking.knative.dev/ingress.class': 'istio.ingress.networking.knative.dev',
      },
    });
    expect(spec).toEqual({
      httpOption: 'Enabled',
      rules: [
        {
          hosts: [HOST],
          visibility: 'ExternalIP',
          http: {
            paths: [
              {
                rewriteHost: 'hello.default.svc.cluster.local',
                splits: [
                  {
                    serviceNamespace: NAMESPACE,
                    serviceName: 'hello',
                    servicePort: 80,
                    percent: 100,
                    appendHeaders: { 'K-Original-Host': HOST },
                  },
                ],
              },
            ],
          },
        },
      ],
    });
    expect(await condition('Ready')).toBe(
      'Unknown IngressNotConfigured: Ingress has not yet been reconciled.',
    );
    await world.serveIngress(HOST);
    expect(await condition('Ready')).toBe('True');
    expect((await mapping()).status).toMatchObject({
      url: `http://${HOST}`,
      address: { url: `http://${HOST}` },
    });
  });

  it('CP-420: waits for what it refers to, and wakes when that gets an address', async () => {
    await autocreate();
    await map();
    expect(await condition('ReferenceResolved')).toBe(
      'False ResolveFailed: failed to get object default/hello: services.serving.knative.dev "hello" not found',
    );
    await serveHello();
    expect(await condition('ReferenceResolved')).toBe('True');
  });

  it('CP-420: a plain Service of Kubernetes is called by its name', async () => {
    await autocreate();
    await world.client.create(kinds.CoreService, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'db', namespace: NAMESPACE },
    });
    await map({ ref: { apiVersion: 'v1', kind: 'Service', name: 'db' } });
    const path = (await ingress()).spec.rules?.[0]?.http?.paths[0];
    expect(path?.rewriteHost).toBe('db.default.svc.cluster.local');
  });

  it.each([
    ['http://hello.default.svc.cluster.local/path', 'contains a path'],
    ['http://example.com', 'must be of the form {name}.{namespace}.svc.cluster.local'],
    ['http://hello.other.svc.cluster.local', 'must be in same namespace as DomainMapping'],
  ])('CP-420: an address of %s %s', async (url, problem) => {
    await autocreate();
    await world.client.create(kinds.PodAutoscaler, {
      apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
      kind: 'PodAutoscaler',
      metadata: { name: 'odd', namespace: NAMESPACE },
    });
    await world.setStatus(kinds.PodAutoscaler, 'odd', { address: { url } });
    const apiVersion = 'autoscaling.internal.knative.dev/v1alpha1';
    await map({ ref: { apiVersion, kind: 'PodAutoscaler', name: 'odd' } });
    expect(await condition('ReferenceResolved')).toBe(
      `False ResolveFailed: resolved URI "${url}" ${problem}`,
    );
  });
});

describe('CP-411, CP-412: claims', () => {
  const taken =
    'False DomainAlreadyClaimed: The domain name is already in use by another DomainMapping';

  it('without autocreation somebody has to claim the name', async () => {
    await serveHello();
    await map();
    expect(await condition('DomainClaimed')).toBe(taken);
    await claim();
    await world.settle();
    expect(await condition('DomainClaimed')).toBe('True');
    expect(await condition('ReferenceResolved')).toBe('True');
  });

  it('a name claimed for another namespace is not ours', async () => {
    await autocreate();
    await claim('other');
    await map();
    expect(await condition('DomainClaimed')).toBe(taken);
    expect(await condition('Ready')).toBe(taken);
    await world.client.delete(kinds.DomainMapping, { namespace: NAMESPACE, name: HOST });
    await world.settle();
    const { items } = await world.client.list(kinds.ClusterDomainClaim);
    expect(items).toHaveLength(1);
  });

  it('CP-412: with autocreation the claim comes and goes with the DomainMapping', async () => {
    await autocreate();
    await map();
    const claims = async (): Promise<string[]> =>
      (await world.client.list(kinds.ClusterDomainClaim)).items.map(
        ({ metadata }) => metadata.name,
      );
    expect(await claims()).toEqual([HOST]);
    expect((await mapping()).metadata.finalizers).toEqual(['domainmappings.serving.knative.dev']);
    await world.client.delete(kinds.DomainMapping, { namespace: NAMESPACE, name: HOST });
    await world.settle();
    expect(await claims()).toEqual([]);
    expect(await world.names(kinds.DomainMapping)).toEqual([]);
  });
});

describe('CP-415: TLS', () => {
  it('a Secret of the author makes the URL https', async () => {
    await autocreate();
    await serveHello();
    await map({ tls: { secretName: 'mine' } });
    expect(await condition('CertificateProvisioned')).toBe(
      'True CertificateExternallyProvided: TLS certificate was provided externally',
    );
    expect((await mapping()).status?.url).toBe(`https://${HOST}`);
    expect((await ingress()).spec.tls).toEqual([
      { hosts: [HOST], secretName: 'mine', secretNamespace: NAMESPACE },
    ]);
  });

  it('without it nothing is asked for unless external-domain-tls is on', async () => {
    await autocreate();
    await map();
    expect(await condition('CertificateProvisioned')).toBe(
      'True TLSNotEnabled: external-domain-tls is not enabled',
    );
  });

  it('with it a Certificate is asked for; plain HTTP serves until it is there', async () => {
    await autocreate({ 'external-domain-tls': 'Enabled' });
    await serveHello();
    await map();
    expect(await condition('CertificateProvisioned')).toBe(
      `True HTTPDowngrade: Certificate ${HOST} is not ready downgrade HTTP.`,
    );
    expect((await mapping()).status?.url).toBe(`http://${HOST}`);
    const wanted = await world.get<Certificate>(kinds.Certificate, HOST);
    expect(wanted.metadata.labels).toEqual({
      'serving.knative.dev/domainMappingUID': HOST,
      'networking.knative.dev/certificate-type': 'external-domain',
    });
    expect(wanted.spec).toEqual({ dnsNames: [HOST], domain: HOST, secretName: HOST });
    await world.setStatus(kinds.Certificate, HOST, {
      conditions: [{ type: 'Ready', status: 'True' }],
    });
    expect(await condition('CertificateProvisioned')).toBe('True');
    expect((await mapping()).status?.url).toBe(`https://${HOST}`);
    expect((await ingress()).spec.tls).toHaveLength(1);
  });

  it('redirected to https, it waits; challenges are served meanwhile', async () => {
    await autocreate({ 'external-domain-tls': 'Enabled', 'http-protocol': 'Redirected' });
    await serveHello();
    await map();
    const challenge = (host: string) => ({
      url: `http://${host}/.well-known/acme-challenge/t`,
      serviceName: 'solver',
      serviceNamespace: NAMESPACE,
      servicePort: 8089,
    });
    await world.setStatus(kinds.Certificate, HOST, {
      http01Challenges: [challenge(HOST), challenge('k.example.org')],
      conditions: [{ type: 'Ready', status: 'Unknown' }],
    });
    expect(await condition('CertificateProvisioned')).toBe(
      `Unknown CertificateNotReady: Certificate ${HOST} is not ready.`,
    );
    const rules = (await ingress()).spec.rules ?? [];
    expect(rules.map(({ hosts }) => hosts)).toEqual([[HOST], ['k.example.org']]);
    expect(rules[0]?.http?.paths.map(({ path }) => path)).toEqual([
      '/.well-known/acme-challenge/t',
      undefined,
    ]);
    expect((await ingress()).spec.httpOption).toBe('Redirected');
  });

  it('CP-450: a Certificate of somebody else stays, and is named', async () => {
    await autocreate({ 'external-domain-tls': 'Enabled' });
    await world.client.create<Certificate>(kinds.Certificate, {
      apiVersion: 'networking.internal.knative.dev/v1alpha1',
      kind: 'Certificate',
      metadata: { name: HOST, namespace: NAMESPACE },
      spec: { dnsNames: ['x'], secretName: 'x' },
    });
    await map();
    expect(await condition('CertificateProvisioned')).toBe(
      `False CertificateNotOwned: There is an existing certificate ${HOST} that we don't own.`,
    );
  });
});
