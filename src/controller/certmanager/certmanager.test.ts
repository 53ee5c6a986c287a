// Certificates that cert-manager issues: what it is asked for, and what is made of its answers. The
// API in memory has no kinds of cert-manager, so the reconciler runs alone, on listers by hand.

import { beforeEach, describe, expect, it } from 'vitest';
import type { CertManagerConfig } from '../../api/config/certmanager.ts';
import { parseCertManagerConfig } from '../../api/config/certmanager.ts';
import { stockConfig } from '../../api/config/registry.ts';
import type { CoreService } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import { adler32 } from '../../api/naming.ts';
import type { Certificate } from '../../api/networking.ts';
import type { Condition, KubeObject } from '../../api/objects.ts';
import { FakeClock } from '../../clock/fake-clock.ts';
import { ObjectStore } from '../../kube/object-store.ts';
import { MemoryClient } from '../../kube/testing/memory-client.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import type { ControllerContext } from '../context.ts';
import { brief } from '../testing/world.ts';
import { ReferenceTracker } from '../tracker.ts';
import { makeIssuedCertificate } from './certificate.ts';
import {
  Challenge,
  ClusterIssuer,
  IssuedCertificate,
  type IssuedCertificateObject,
} from './kinds.ts';
import { createCertManagerReconciler, HTTP_DOMAIN_LABEL } from './reconciler.ts';

const HOST = 'a.example.com';

function certificate(spec: Partial<Certificate['spec']> = {}, type?: string): Certificate {
  return {
    apiVersion: 'networking.internal.knative.dev/v1alpha1',
    kind: 'Certificate',
    metadata: {
      name: 'c',
      namespace: 'ns',
      ...(type === undefined
        ? {}
        : { labels: { 'networking.knative.dev/certificate-type': type } }),
      annotations: {
        'networking.knative.dev/certificate.class':
          'cert-manager.certificate.networking.knative.dev',
      },
    },
    spec: { dnsNames: [HOST], domain: 'example.com', secretName: 's', ...spec },
  };
}

function configOf(data: Record<string, string>): CertManagerConfig {
  const parsed = parseCertManagerConfig(data);
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

describe('CP-460: the Certificate of cert-manager', () => {
  const config = configOf({ issuerRef: 'name: mine' });

  it('CP-115, CP-462: names what is wanted and who signs it', () => {
    const made = makeIssuedCertificate(certificate(), config);
    expect(made.spec).toEqual({
      commonName: HOST,
      dnsNames: [HOST],
      secretName: 's',
      issuerRef: { kind: 'ClusterIssuer', name: 'mine' },
      secretTemplate: { labels: { 'networking.internal.knative.dev/certificate-uid': '' } },
    });
    const local = makeIssuedCertificate(certificate({}, 'cluster-local-domain'), config);
    expect(local.spec.issuerRef.name).toBe('knative-selfsigned-issuer');
  });

  const long = `${'a'.repeat(60)}.example.com`;
  it('CP-461: a host too long for a common name gets a short one beside it', () => {
    const { spec } = makeIssuedCertificate(certificate({ dnsNames: [long] }), config);
    expect(spec.commonName).toBe('k.example.com');
    expect(spec.dnsNames).toEqual(['k.example.com', long]);
  });

  const prefix = 'error creating cert-manager certificate: ';
  it.each<[string, Partial<Certificate['spec']>, string]>([
    [
      'no domain',
      { domain: '' },
      `CommonName (${long}) too long and field spec.Domain on Kcert is empty, cannot attempt to shorten`,
    ],
    ['the same domain', { domain: long }, `CommonName (${long}) longer than 63 characters`],
    [
      'a long domain',
      { domain: 'b'.repeat(62) },
      `CommonName (${'b'.repeat(62)})(length: 62) too long, prepending short prefix of (k.)(length: 2) will be longer than 64 bytes`,
    ],
  ])('CP-461: %s is refused', (_name, spec, text) => {
    expect(() => makeIssuedCertificate(certificate({ dnsNames: [long], ...spec }), config)).toThrow(
      prefix + text,
    );
  });

  it('CP-462: a type nobody knows, and an issuer that is not set, are refused', () => {
    expect(() => makeIssuedCertificate(certificate({}, 'odd'), config)).toThrow(
      `${prefix}certificate type odd is invalid`,
    );
    const none: CertManagerConfig = { issuers: { ...config.issuers, issuerRef: null } };
    expect(() => makeIssuedCertificate(certificate(), none)).toThrow(
      `${prefix}issuerRef was not set in config-certmanager`,
    );
  });
});

describe('CP-463, CP-464: what becomes of it', () => {
  let clock: FakeClock;
  let client: MemoryClient;
  let stores: Map<kinds.Kind, ObjectStore<KubeObject>>;
  let reconcile: () => Promise<unknown>;

  beforeEach(async () => {
    clock = new FakeClock();
    client = new MemoryClient({ clock });
    const watched = [kinds.Certificate, kinds.CoreService, IssuedCertificate];
    stores = new Map(watched.map((kind) => [kind, new ObjectStore<KubeObject>()]));
    const informers = { informer: (kind: kinds.Kind) => ({ lister: stores.get(kind) }) };
    const config = { current: stockConfig('cluster.local') };
    const common = { client, clock, logger: silentLogger, random: () => 0.5 };
    const context = { ...common, informers, config } as unknown as ControllerContext;
    const made = createCertManagerReconciler(context, new ReferenceTracker());
    reconcile = () => made.reconciler.reconcile('ns/c');
    put(kinds.Certificate, await client.create(kinds.Certificate, certificate()));
    await client.create(ClusterIssuer, {
      apiVersion: 'cert-manager.io/v1',
      kind: 'ClusterIssuer',
      metadata: { name: 'knative-selfsigned-issuer' },
    });
  });

  const put = (kind: kinds.Kind, object: KubeObject): void => stores.get(kind)!.set(object);
  const own = (): Promise<Certificate> =>
    client.get<Certificate>(kinds.Certificate, { namespace: 'ns', name: 'c' });

  /** cert-manager says so; then our side looks. */
  async function answered(
    ready: Partial<Condition> | null,
    status: IssuedCertificateObject['status'] = {},
  ): Promise<Certificate> {
    await reconcile().catch(() => undefined);
    const key = { namespace: 'ns', name: 'c' };
    const issued = await client.get<IssuedCertificateObject>(IssuedCertificate, key);
    const conditions = ready === null ? [] : [{ type: 'Ready', ...ready } as Condition];
    put(IssuedCertificate, { ...issued, status: { ...status, conditions } } as KubeObject);
    put(kinds.Certificate, await own());
    await reconcile().catch(() => undefined);
    put(kinds.Certificate, await own());
    return own();
  }
  const ready = ({ status }: Certificate): string =>
    brief(status?.conditions?.find(({ type }) => type === 'Ready'));

  it.each<[string, Partial<Condition> | null, string]>([
    [
      'no condition',
      null,
      'Unknown NoCertManagerCertCondition: The ready condition of Cert Manager Certificate does not exist.',
    ],
    ['unknown', { status: 'Unknown', reason: 'R', message: 'm' }, 'Unknown R: m'],
    [
      'in progress',
      { status: 'False', reason: 'InProgress', message: 'm' },
      'Unknown InProgress: m',
    ],
    ['failed', { status: 'False', reason: 'Denied', message: 'm' }, 'False Denied: m'],
    ['ready', { status: 'True' }, 'True'],
  ])('%s', async (_name, given, expected) => {
    expect(ready(await answered(given))).toBe(expected);
  });

  it('its end of life is copied; a renewal that is due shows', async () => {
    const notAfter = '2030-01-01T00:00:00Z';
    const renewalTime = new Date(clock.nowMs() + 60_000).toISOString();
    const fresh = await answered({ status: 'True' }, { notAfter, renewalTime });
    expect(fresh.status?.notAfter).toBe(notAfter);
    clock.advance(120_000);
    await reconcile();
    const renewing = (await own()).status?.conditions?.find(({ type }) => type === 'Renewing');
    expect(renewing?.status).toBe('True');
    expect(ready(await own())).toBe('True');
  });

  it('CP-464: solvers are found by the checksum of the host, and missing ones are an error', async () => {
    const issuer = { namespace: undefined, name: 'knative-selfsigned-issuer' };
    const body = { spec: { acme: { solvers: [{ http01: {} }] } } };
    await client.patch(ClusterIssuer, issuer, { type: 'merge', body });
    const none = await answered({ status: 'Unknown' });
    expect(none.status?.http01Challenges).toBeUndefined();
    await client.create<KubeObject & { spec: object }>(Challenge, {
      apiVersion: 'acme.cert-manager.io/v1',
      kind: 'Challenge',
      metadata: { namespace: 'ns', name: 'challenge' },
      spec: { dnsName: HOST, token: 't' },
    });
    put(kinds.CoreService, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        namespace: 'ns',
        name: 'solver',
        labels: { [HTTP_DOMAIN_LABEL]: String(adler32(HOST)) },
        ownerReferences: [{ apiVersion: 'x', kind: 'Challenge', name: 'challenge', uid: 'u' }],
      },
      spec: { ports: [{ port: 8089, targetPort: 8089 }] },
    } as unknown as CoreService);
    await reconcile();
    expect((await own()).status?.http01Challenges).toEqual([
      {
        url: `http://${HOST}/.well-known/acme-challenge/t`,
        serviceName: 'solver',
        serviceNamespace: 'ns',
        servicePort: 8089,
      },
    ]);
  });
});
