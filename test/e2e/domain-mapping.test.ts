// A host name of the user's own for a service, on the real program: claimed, routed, and taken back.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ClusterDomainClaim,
  ConfigMap,
  CoreService,
  DomainMapping,
  KnativeService,
  Secret,
} from '../../src/api/kinds.ts';
import {
  type AnyObject,
  condition,
  exampleService,
  type Pilotlight,
  startPilotlight,
  until,
} from '../support/pilotlight.ts';

const HOST = 'shop.example.org';
const KEY = { namespace: 'default', name: HOST };
let pilotlight: Pilotlight;

async function whenReady(): Promise<AnyObject> {
  return until(
    'the DomainMapping to be Ready',
    async () => {
      const mapping = await pilotlight.client.get<AnyObject>(DomainMapping, KEY);
      return condition(mapping, 'Ready').status === 'True' ? mapping : undefined;
    },
    60_000,
    () => pilotlight.tail(),
  );
}

function mapping(ref: object, extra: object = {}): AnyObject {
  return {
    apiVersion: 'serving.knative.dev/v1beta1',
    kind: 'DomainMapping',
    metadata: { ...KEY },
    spec: { ref, ...extra },
  };
}

beforeAll(async () => {
  pilotlight = await startPilotlight();
  const annotations = { 'autoscaling.knative.dev/min-scale': '1' };
  await pilotlight.client.create(
    KnativeService,
    exampleService('shop', 'hello', { annotations, env: { TARGET: 'shop' } }),
  );
});
afterAll(async () => {
  await pilotlight?.[Symbol.asyncDispose]();
});

describe('CP-410: a DomainMapping', () => {
  it('answers under its own name, and is created with nothing else', async () => {
    const ref = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'shop' };
    await pilotlight.client.create(DomainMapping, mapping(ref));
    const ready = await whenReady();
    expect(ready.status?.['url']).toBe(`http://${HOST}`);
    const claim = await pilotlight.client.get<AnyObject>(ClusterDomainClaim, { name: HOST });
    expect(claim.spec).toEqual({ namespace: 'default' });
    const answer = await pilotlight.get(HOST);
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('shop');
  });

  it('refuses a name inside the cluster, naming the field', async () => {
    const bad = mapping({ apiVersion: 'v1', kind: 'Service', name: 'x' });
    bad.metadata.name = 'shop.default.svc.cluster.local';
    await expect(pilotlight.client.create(DomainMapping, bad)).rejects.toThrow(
      'must not be a subdomain of cluster local domain "cluster.local": metadata.name',
    );
  });

  it('CP-412: gives its name back when it goes', async () => {
    await pilotlight.client.delete(DomainMapping, KEY);
    await until('the claim to go', async () => {
      const { items } = await pilotlight.client.list(ClusterDomainClaim);
      return items.length === 0 ? true : undefined;
    });
    await until('the host to be unknown', async () =>
      (await pilotlight.get(HOST)).status === 404 ? true : undefined,
    );
  });
});

describe('certificates of our own authority', () => {
  it('CP-415: a Certificate is issued into a Secret, and the URL becomes https', async () => {
    const patch = { data: { 'external-domain-tls': 'Enabled' } };
    await pilotlight.client.patch(
      ConfigMap,
      { namespace: 'knative-serving', name: 'config-network' },
      { type: 'merge', body: patch },
    );
    await pilotlight.client.create(CoreService, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: 'default', name: 'plain' },
      spec: { ports: [{ port: 80 }] },
    } as AnyObject);
    const ref = { apiVersion: 'v1', kind: 'Service', name: 'plain' };
    await pilotlight.client.create(DomainMapping, mapping(ref));
    const found = await until('the URL to be https', async () => {
      const live = await pilotlight.client.get<AnyObject>(DomainMapping, KEY);
      return live.status?.['url'] === `https://${HOST}` ? live : undefined;
    });
    expect(condition(found, 'CertificateProvisioned').status).toBe('True');
    const secret = await pilotlight.client.get<AnyObject & { type: string }>(Secret, KEY);
    expect(secret.type).toBe('kubernetes.io/tls');
  });
});
