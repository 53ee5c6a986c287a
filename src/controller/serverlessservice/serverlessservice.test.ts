// The hand-over between activators and pods: which addresses the public Endpoints list, and when.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CoreService, EndpointSubset, Endpoints } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import { ACTIVATOR_SERVICE, SERVICE_TYPE_LABEL, SKS_LABEL } from '../../api/labels.ts';
import type { ServerlessService } from '../../api/networking.ts';
import { golden } from '../testing/golden.ts';
import { ControllerWorld, NAMESPACE, template } from '../testing/world.ts';
import { effectiveMode, publicSubsets } from './endpoints.ts';
import { makePrivateService, makePublicService } from './resources/services.ts';

function sks(
  change: Partial<ServerlessService['spec']> = {},
  name = 'hello-00001',
): ServerlessService {
  return {
    apiVersion: 'networking.internal.knative.dev/v1alpha1',
    kind: 'ServerlessService',
    metadata: { name, namespace: 'default', uid: 'sks-uid' },
    spec: {
      mode: 'Serve',
      objectRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
      protocolType: 'http1',
      ...change,
    },
  };
}

const endpoints = (...subsets: EndpointSubset[]): Endpoints => ({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: { name: 'e' },
  subsets,
});
const addresses = (...ips: string[]): { ip: string }[] => ips.map((ip) => ({ ip }));

describe('CP-610: Services of an h2c Revision', () => {
  const [publicSpec, privateSpec] = golden(610) as [unknown, unknown];
  const h2c = sks({ protocolType: 'h2c' });

  it('public', () => {
    expect(makePublicService(h2c).spec).toEqual(publicSpec);
  });

  it('private', () => {
    expect(makePrivateService(h2c, { a: 'b' }).spec).toEqual(privateSpec);
  });
});

describe('CP-483: what the public Endpoints list', () => {
  it.each([
    ['Serve', 1, 1, 'Serve'],
    ['Serve', 0, 1, 'Proxy'],
    ['Proxy', 1, 1, 'Proxy'],
    ['Proxy', 1, 0, 'Serve'],
    ['Proxy', 0, 0, 'Serve'],
  ] as const)('mode %s, %i pods, %i activators: %s', (mode, pods, activators, expected) => {
    expect(effectiveMode(sks({ mode }), pods, activators)).toBe(expected);
  });

  const activators = endpoints({
    addresses: addresses('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'),
    ports: [
      { name: 'http', port: 8012 },
      { name: 'http-metrics', port: 9090 },
    ],
  });
  const pods = endpoints(
    {
      addresses: addresses('127.1.1.1'),
      ports: [
        { name: 'http', port: 8012 },
        { name: 'http-istio', port: 8012 },
        { name: 'https', port: 8112 },
      ],
    },
    { addresses: addresses('127.0.0.1'), ports: [{ name: 'http', port: 41234 }] },
    { notReadyAddresses: addresses('127.1.1.2'), ports: [{ name: 'http', port: 8012 }] },
  );

  it('ready pods with their own ports, found by name', () => {
    expect(publicSubsets(sks(), pods, activators)).toEqual([
      {
        addresses: addresses('127.1.1.1'),
        ports: [
          { name: 'http', port: 8012 },
          { name: 'https', port: 8112 },
        ],
      },
      { addresses: addresses('127.0.0.1'), ports: [{ name: 'http', port: 41234 }] },
    ]);
  });

  it('activators stand in on their http port for an h2c Revision', () => {
    const subsets = publicSubsets(sks({ mode: 'Proxy', protocolType: 'h2c' }), pods, activators);
    expect(subsets[0]?.ports).toEqual([{ name: 'http2', port: 8012 }]);
  });

  it('CP-484: a subset of activators is stable per name and under membership change', () => {
    const chosen = (name: string, from: Endpoints): string[] =>
      publicSubsets(sks({ mode: 'Proxy', numActivators: 2 }, name), pods, from).flatMap(
        (subset) => subset.addresses?.map(({ ip }) => ip) ?? [],
      );
    const first = chosen('hello-00001', activators);
    expect(first).toHaveLength(2);
    expect(chosen('hello-00001', activators)).toEqual(first);
    const unused = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'].find(
      (ip) => !first.includes(ip),
    );
    const smaller = structuredClone(activators);
    const [subset] = smaller.subsets!;
    subset!.addresses = subset!.addresses!.filter(({ ip }) => ip !== unused);
    expect(chosen('hello-00001', smaller)).toEqual(first);
    const names = Array.from({ length: 20 }, (_, index) => `rev-${index}`);
    expect(new Set(names.map((name) => chosen(name, activators).join())).size).toBeGreaterThan(3);
  });
});

describe('the reconciler', () => {
  let world: ControllerWorld;

  beforeEach(async () => {
    world = new ControllerWorld();
    await world.start();
    await world.createService('hello', template());
  });
  afterEach(() => world.stop());

  const populated = (type: string): Promise<string> =>
    world.condition(kinds.ServerlessService, 'hello-00001', type);

  async function createPrivateEndpoints(...ips: string[]): Promise<void> {
    await world.client.create<Endpoints>(kinds.Endpoints, {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: {
        name: 'hello-00001-private',
        namespace: NAMESPACE,
        labels: { [SKS_LABEL]: 'hello-00001', [SERVICE_TYPE_LABEL]: 'Private' },
      },
      subsets: [{ addresses: addresses(...ips), ports: [{ name: 'http', port: 8012 }] }],
    });
    await world.settle();
  }

  async function publicAddresses(): Promise<string[]> {
    const found = await world.get<Endpoints>(kinds.Endpoints, 'hello-00001');
    return (found.subsets ?? []).flatMap((subset) => subset.addresses?.map(({ ip }) => ip) ?? []);
  }

  it('CP-480 to CP-485: hands over from activators to pods and back', async () => {
    await world.createSks('hello-00001', 'Serve');
    const own = await world.get<CoreService>(kinds.CoreService, 'hello-00001-private');
    expect(Object.keys(own.spec.selector ?? {})).toEqual(['serving.knative.dev/revisionUID']);
    await createPrivateEndpoints();
    expect(await publicAddresses()).toEqual(['127.0.0.9']);
    expect(await populated('EndpointsPopulated')).toBe(
      'Unknown NoHealthyBackends: K8s Service is not ready',
    );
    const backed = 'ActivatorEndpointsPopulated: Revision is backed by Activator';
    expect(await populated('ActivatorEndpointsPopulated')).toBe(`True ${backed}`);

    const live = await world.get<Endpoints>(kinds.Endpoints, 'hello-00001-private');
    live.subsets![0]!.addresses = addresses('127.1.1.1');
    await world.client.update(kinds.Endpoints, live);
    await world.settle();
    expect(await publicAddresses()).toEqual(['127.1.1.1']);
    expect(await populated('Ready')).toBe('True');
    expect(await populated('ActivatorEndpointsPopulated')).toBe(`False ${backed}`);
    const { status } = await world.get<ServerlessService>(kinds.ServerlessService, 'hello-00001');
    expect(status).toMatchObject({
      serviceName: 'hello-00001',
      privateServiceName: 'hello-00001-private',
    });

    const found = await world.get<ServerlessService>(kinds.ServerlessService, 'hello-00001');
    found.spec.mode = 'Proxy';
    await world.client.update(kinds.ServerlessService, found);
    await world.settle();
    expect(await publicAddresses()).toEqual(['127.0.0.9']);
  });

  it('CP-11: a moved activator reaches every public Endpoints', async () => {
    await world.createSks('hello-00001');
    await createPrivateEndpoints();
    const key = { namespace: 'knative-serving', name: ACTIVATOR_SERVICE };
    const activators = await world.client.get<Endpoints>(kinds.Endpoints, key);
    activators.subsets![0]!.addresses = addresses('127.0.0.10');
    await world.client.update(kinds.Endpoints, activators);
    await world.settle();
    expect(await publicAddresses()).toEqual(['127.0.0.10']);
  });

  it('CP-482: a selector somebody adds to the public Service is removed', async () => {
    await world.createSks('hello-00001');
    await createPrivateEndpoints('127.1.1.1');
    const service = await world.get<CoreService>(kinds.CoreService, 'hello-00001');
    service.spec.selector = { a: 'b' };
    await world.client.update(kinds.CoreService, service);
    await world.settle();
    const fixed = await world.get<CoreService>(kinds.CoreService, 'hello-00001');
    expect(fixed.spec).not.toHaveProperty('selector');
  });
});
