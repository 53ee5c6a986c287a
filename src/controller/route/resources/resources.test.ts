// Children of a Route against golden objects of the reference, hosts, and placeholder transitions.

import { describe, expect, it } from 'vitest';
import type { CoreService } from '../../../api/core.ts';
import type { Ingress, IngressRule } from '../../../api/networking.ts';
import type { Route } from '../../../api/serving.ts';
import { bare, golden, goldenConfig, goldenRoute } from '../../testing/golden.ts';
import { groupHosts, placeholderDomain } from '../domains.ts';
import { baselineRollout } from '../rollout.ts';
import type { RevisionTarget, TrafficConfig } from '../traffic.ts';
import { makeIngress } from './ingress.ts';
import {
  makePlaceholder,
  placeholderChange,
  pointPlaceholder,
  updatedPlaceholder,
} from './placeholder.ts';

const target = (given: Partial<RevisionTarget>): RevisionTarget => ({
  tag: '',
  revisionName: 'hello-00002',
  configurationName: 'hello',
  latestRevision: true,
  percent: 100,
  protocol: 'http1',
  ...given,
});

const latest = target({ percent: 80 });
const blue = target({
  tag: 'blue',
  revisionName: 'hello-00001',
  latestRevision: false,
  percent: 20,
});
const traffic: TrafficConfig = {
  targets: [latest, blue, target({ tag: 'latest', percent: 0 })],
  groups: new Map([
    ['', [latest, blue]],
    ['blue', [{ ...blue, percent: 100 }]],
    ['latest', [target({ tag: 'latest' })]],
  ]),
};

const hiddenTag = makePlaceholder(goldenRoute(), 'latest-hello', 'x');
hiddenTag.metadata.labels!['networking.knative.dev/visibility'] = 'cluster-local';

function ingress(features: Record<string, string> = {}): Ingress {
  const route = goldenRoute();
  const config = goldenConfig({ features });
  const hosts = groupHosts(route, traffic.groups.keys(), [hiddenTag], config, 'cluster.local');
  const rollout = baselineRollout(traffic);
  return makeIngress({ route, traffic, hosts, rollout, config });
}

describe('Ingress of a Route', () => {
  it('CP-607: shares, tags and a hidden tag', () => {
    expect(bare(ingress())).toEqual(golden(607) as Ingress);
  });

  it('CP-305, CP-306: annotations carry class, rollout and hosts of tags, not what kubectl left', () => {
    const route = goldenRoute();
    const leftover = 'kubectl.kubernetes.io/last-applied-configuration';
    route.metadata.annotations = { ...route.metadata.annotations, [leftover]: '{}', own: 'kept' };
    const config = goldenConfig();
    const hosts = groupHosts(route, traffic.groups.keys(), [hiddenTag], config, 'cluster.local');
    const made = makeIngress({ route, traffic, hosts, rollout: baselineRollout(traffic), config });
    const annotations = made.metadata.annotations ?? {};
    expect(annotations).not.toHaveProperty([leftover]);
    expect(annotations['own']).toBe('kept');
    expect(annotations['networking.knative.dev/ingress.class']).toBeTruthy();
    const rollout = JSON.parse(annotations['networking.internal.knative.dev/rollout'] ?? '');
    expect(rollout).toHaveProperty('configurations');
    const tags = JSON.parse(
      annotations['networking.internal.knative.dev/tag-to-host'] ?? '',
    ) as object;
    expect(Object.keys(tags)).toEqual(['blue', 'latest']);
    expect(tags).toMatchObject({ latest: [expect.stringContaining('svc.cluster.local')] });
    expect(made.metadata.ownerReferences?.[0]?.kind).toBe('Route');
  });

  it('CP-608: tags chosen by header', () => {
    const { rules } = ingress({ 'tag-header-based-routing': 'Enabled' }).spec;
    const [first, ofBlue] = golden(608) as IngressRule[];
    expect(rules?.[0]).toEqual(first);
    expect(rules?.[2]).toEqual(ofBlue);
  });

  it('CP-309: an h2c Revision is reached on port 81', () => {
    const only = target({ protocol: 'h2c' });
    const single = { targets: [only], groups: new Map([['', [only]]]) };
    const config = goldenConfig();
    const route = goldenRoute();
    const hosts = groupHosts(route, [''], [], config, 'cluster.local');
    const made = makeIngress({ route, traffic: single, hosts, rollout: {}, config });
    expect(made.spec.rules?.[0]?.http?.paths[0]?.splits[0]?.servicePort).toBe(81);
  });

  it('CP-312: an unknown protocol annotation is an error', () => {
    const route = goldenRoute();
    route.metadata.annotations!['networking.knative.dev/http-protocol'] = 'h3';
    const config = goldenConfig();
    const hosts = groupHosts(route, [''], [], config, 'cluster.local');
    expect(() => makeIngress({ route, traffic, hosts, rollout: {}, config })).toThrow(
      'incorrect http-protocol annotation: h3',
    );
  });
});

describe('hosts', () => {
  const hostsOf = (change: (route: Route) => void): string[] => {
    const route = goldenRoute();
    change(route);
    const hosts = groupHosts(route, ['', 'v1'], [], goldenConfig(), 'cluster.local');
    return [...hosts.values()].map(({ url }) => url);
  };

  it('CP-301 to CP-303: default and tag hosts under the public domain', () => {
    expect(hostsOf(() => undefined)).toEqual([
      'http://hello.default.example.com',
      'http://v1-hello.default.example.com',
    ]);
  });

  it('CP-300: a cluster-local Route has cluster hosts only', () => {
    const local = hostsOf(({ metadata }) => {
      metadata.labels!['networking.knative.dev/visibility'] = 'cluster-local';
    });
    expect(local[0]).toBe('http://hello.default.svc.cluster.local');
  });

  it('CP-301: a name that makes no domain is an error', () => {
    expect(() => hostsOf(({ metadata }) => void Object.assign(metadata, { name: 'A_b' }))).toThrow(
      'domain name error: invalid domain name "A_b.default.example.com": url: Invalid value: ',
    );
  });
});

describe('placeholder Services', () => {
  const route = goldenRoute();
  const config = goldenConfig();
  const [initial, pointed, endpoints] = golden(609) as [CoreService, CoreService, object];
  const made = makePlaceholder(
    route,
    'blue-hello',
    placeholderDomain(route, 'blue-hello', config, 'cluster.local'),
  );

  it('CP-609: as created', () => {
    expect(bare(made)).toEqual(initial);
  });

  it('CP-609, CP-323: pointed at an address', () => {
    const balancer = { ingress: [{ ip: '1.2.3.4' }] };
    const wish = pointPlaceholder(route, made, { privateLoadBalancer: balancer })!;
    expect(wish.service.spec).toEqual(pointed.spec);
    expect(wish.endpoints).toMatchObject(endpoints);
    expect(placeholderChange(made, wish.service)).toBe('update');
  });

  it.each([
    ['no entry', {}, null],
    [
      'two entries',
      { publicLoadBalancer: { ingress: [{ ip: '1.1.1.1' }, { ip: '2.2.2.2' }] } },
      null,
    ],
    ['a name', { publicLoadBalancer: { ingress: [{ domain: 'lb.com' }] } }, 'lb.com'],
    [
      'the private one wins',
      {
        publicLoadBalancer: { ingress: [{ domain: 'lb.com' }] },
        privateLoadBalancer: { ingress: [{ domainInternal: 'gw.svc' }] },
      },
      'gw.svc',
    ],
  ])('CP-323: %s', (_name, status, externalName) => {
    const wish = pointPlaceholder(route, made, status);
    expect(wish?.service.spec.externalName ?? null).toBe(externalName);
  });

  it.each([
    ['ExternalName', 'ClusterIP', undefined, 'update'],
    ['ClusterIP', 'ExternalName', undefined, 'recreate'],
    ['None', 'ClusterIP', undefined, 'recreate'],
    ['10.0.0.1', 'ClusterIP', undefined, 'none'],
    ['10.0.0.1', 'ClusterIP', 'None', 'recreate'],
  ])('CP-324: from %s to %s %s is %s', (live, type, clusterIP, expected) => {
    const of = (spec: CoreService['spec']): CoreService => ({ ...made, spec });
    const isAddress = live !== 'ExternalName' && live !== 'ClusterIP';
    const before = of(
      live === 'ExternalName'
        ? { type: live }
        : { type: 'ClusterIP', ...(isAddress ? { clusterIP: live } : {}) },
    );
    const after = of({ type, ...(clusterIP === undefined ? {} : { clusterIP }) });
    expect(placeholderChange(before, after)).toBe(expected);
  });

  it('CP-324: foreign labels and what the server filled in are no difference', () => {
    const live = structuredClone(made);
    live.metadata.labels!.mine = 'x';
    live.spec.ports![0]!.protocol = 'TCP';
    expect(placeholderChange(live, made)).toBe('none');
    const moved = { ...made, spec: { ...made.spec, externalName: 'other' } };
    expect(updatedPlaceholder(live, moved).metadata.labels).toHaveProperty('mine');
  });
});
