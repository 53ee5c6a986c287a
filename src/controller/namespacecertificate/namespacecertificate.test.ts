// Wildcard Certificates of namespaces, as namespaces, domains and the selector change.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigMap } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import type { Certificate } from '../../api/networking.ts';
import { ControllerWorld } from '../testing/world.ts';

let world: ControllerWorld;

beforeEach(async () => {
  world = new ControllerWorld();
  await world.start();
});
afterEach(() => world.stop());

async function namespace(name: string, labels: Record<string, string> = {}): Promise<void> {
  const metadata = { name, labels };
  await world.client.create(kinds.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata });
  await world.settle();
}

async function certificates(namespace: string): Promise<string[]> {
  const { items } = await world.client.list(kinds.Certificate, { namespace });
  return items.map(({ metadata }) => metadata.name);
}

async function change(name: string, data: Record<string, string>): Promise<void> {
  const map = await world.client.get<ConfigMap>(kinds.ConfigMap, {
    namespace: 'knative-serving',
    name,
  });
  await world.client.update(kinds.ConfigMap, { ...map, data });
  await world.settle();
}

describe('CP-455: wildcard Certificates', () => {
  const selector = 'matchExpressions: [{key: team, operator: In, values: [a, b]}]';

  it('exist in the namespaces that match, one for each wildcard domain', async () => {
    await world.setConfig('config-network', { 'namespace-wildcard-cert-selector': selector });
    await namespace('shop', { team: 'a' });
    await namespace('other');
    expect(await certificates('shop')).toEqual(['shop.example.com']);
    expect(await certificates('other')).toEqual([]);
    const made = await world.client.get<Certificate>(kinds.Certificate, {
      namespace: 'shop',
      name: 'shop.example.com',
    });
    expect(made.spec).toEqual({
      dnsNames: ['*.shop.example.com'],
      secretName: 'shop.example.com',
    });
    expect(made.metadata.labels).toEqual({
      'networking.knative.dev/wildcardDomain': 'example.com',
    });
    expect(made.metadata.annotations).toEqual({
      'networking.knative.dev/certificate.class': 'cert-manager.certificate.networking.knative.dev',
    });
  });

  it('follow the domains: the new one comes, the old one goes', async () => {
    await world.setConfig('config-network', { 'namespace-wildcard-cert-selector': '{}' });
    await namespace('shop');
    await change('config-domain', { 'example.net': '' });
    expect(await certificates('shop')).toEqual(['shop.example.net']);
  });

  it('go when the namespace no longer matches', async () => {
    await world.setConfig('config-network', { 'namespace-wildcard-cert-selector': '{}' });
    await namespace('shop');
    await change('config-network', {});
    expect(await certificates('shop')).toEqual([]);
  });
});
