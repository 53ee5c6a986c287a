// What the gateway does with a request: routes, splits, headers, addresses, failures (ING-10 to
// ING-24, ING-70 to ING-73, ING-81 to ING-87).

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CoreService } from '../api/core.ts';
import { CoreService as CoreServiceKind } from '../api/kinds.ts';
import { FailureCode } from '../proxy/types.ts';
import { externalRule, GatewayHarness, ingress, split } from './testing/harness.ts';

let gateway: GatewayHarness;
beforeEach(async () => {
  gateway = await new GatewayHarness().start();
});
afterEach(() => gateway.stop());

const HOST = 'hello.default.example.com';

describe('choosing a route', () => {
  beforeEach(async () => {
    await gateway.service('a', '10.0.0.1:8012');
    await gateway.service('b', '10.0.0.2:8012');
  });

  it('ING-17, ING-92: no timer ends a request, however long its answer takes', async () => {
    await gateway.apply(ingress('i', { rules: [externalRule(HOST, { splits: [split('a')] })] }));
    const exchange = gateway.get(HOST);
    gateway.clock.advance(24 * 3_600_000);
    expect(exchange.ended).toBe(false);
    expect(exchange.upstream).toBe('10.0.0.1:8012');
  });

  it('ING-18: an unknown host and an unmatched path are 404', async () => {
    await gateway.apply(
      ingress('i', { rules: [externalRule(HOST, { path: '/api', splits: [split('a')] })] }),
    );
    expect(gateway.get('other.example.com').responseStatus).toBe(404);
    expect(gateway.get(HOST, '/web').responseStatus).toBe(404);
    expect(gateway.get(HOST, '/api/x?y=1').upstream).toBe('10.0.0.1:8012');
  });

  it.each([HOST.toUpperCase(), `${HOST}:8080`, `${HOST}.`])(
    'ING-10, ING-22: %s is the same host',
    async (host) => {
      await gateway.apply(ingress('i', { rules: [externalRule(HOST, { splits: [split('a')] })] }));
      for (let call = 0; call < 2; call++) {
        expect(gateway.get(host).upstream).toBe('10.0.0.1:8012');
      }
    },
  );

  it('ING-11: prefixes are strings, the longer one wins whatever the order', async () => {
    const paths = [{ splits: [split('a')] }, { path: '/foo', splits: [split('b')] }];
    await gateway.apply(ingress('i', { rules: [externalRule(HOST, ...paths)] }));
    expect(gateway.get(HOST, '/foobar').upstream).toBe('10.0.0.2:8012');
    expect(gateway.get(HOST, '/fo').upstream).toBe('10.0.0.1:8012');
  });

  it('ING-11, ING-12, ING-95: a tag header wins, an unknown or empty one falls through', async () => {
    const paths = [
      { splits: [split('a')] },
      { headers: { 'Knative-Serving-Tag': { exact: 'blue' } }, splits: [split('b')] },
    ];
    await gateway.apply(ingress('i', { rules: [externalRule(HOST, ...paths)] }));
    const withTag = (tag: string) =>
      gateway.get(HOST, '/', { 'knative-serving-tag': tag }).upstream;
    expect(['blue', 'green', '', 'BLUE'].map(withTag)).toEqual([
      '10.0.0.2:8012',
      '10.0.0.1:8012',
      '10.0.0.1:8012',
      '10.0.0.1:8012',
    ]);
  });

  it('ING-10: two rules for one host add up', async () => {
    await gateway.apply(
      ingress('i', {
        rules: [
          externalRule(HOST, { path: '/.well-known/acme-challenge/x', splits: [split('b')] }),
          externalRule(HOST, { splits: [split('a')] }),
        ],
      }),
    );
    expect(gateway.get(HOST, '/.well-known/acme-challenge/x').upstream).toBe('10.0.0.2:8012');
    expect(gateway.get(HOST, '/').upstream).toBe('10.0.0.1:8012');
  });

  it('ING-20, ING-21, ING-96: cluster-local hosts are served inside only, in every form', async () => {
    await gateway.apply(
      ingress('i', {
        rules: [
          {
            hosts: ['hello.default.svc.cluster.local'],
            visibility: 'ClusterLocal',
            http: { paths: [{ splits: [split('a')] }] },
          },
          externalRule(HOST, { splits: [split('b')] }),
        ],
      }),
    );
    for (const host of ['hello.default', 'hello.default.svc', 'hello.default.svc.cluster.local']) {
      expect(gateway.get(host).responseStatus).toBe(404);
      expect(gateway.getLocal(host).upstream).toBe('10.0.0.1:8012');
    }
    expect(gateway.getLocal(HOST).upstream).toBe('10.0.0.2:8012');
  });

  it('ING-24: a rule made cluster-local leaves the outside at once', async () => {
    const rule = externalRule(HOST, { splits: [split('a')] });
    await gateway.apply(ingress('i', { rules: [rule] }));
    await gateway.apply(ingress('i', { rules: [{ ...rule, visibility: 'ClusterLocal' }] }));
    expect(gateway.get(HOST).responseStatus).toBe(404);
    expect(gateway.getLocal(HOST).upstream).toBe('10.0.0.1:8012');
  });

  it('ING-32: httpOption Redirected answers 301, except for challenges and cluster-local rules', async () => {
    await gateway.apply(
      ingress('i', {
        httpOption: 'Redirected',
        rules: [
          externalRule(
            HOST,
            { path: '/.well-known/acme-challenge/t', splits: [split('b')] },
            { splits: [split('a')] },
          ),
          {
            hosts: ['hello.default.svc.cluster.local'],
            visibility: 'ClusterLocal',
            http: { paths: [{ splits: [split('a')] }] },
          },
        ],
      }),
    );
    const redirected = gateway.get(`${HOST}:8080`, '/a?b=c');
    expect(redirected.responseStatus).toBe(301);
    expect(redirected.headerLines).toBe(`Location: https://${HOST}/a?b=c\r\n`);
    expect(gateway.get(HOST, '/.well-known/acme-challenge/t').forwards.length).toBe(1);
    expect(gateway.getLocal('hello.default').forwards.length).toBe(1);
  });

  it('a kubelet asking by address learns whether the gateway serves', () => {
    const probe = () => gateway.get('10.1.2.3:8080', '/ready', { 'user-agent': 'kube-probe/1.33' });
    expect(probe().responseStatus).toBe(200);
    gateway.isHealthy = false;
    expect(probe().responseStatus).toBe(503);
  });
});

describe('splits', () => {
  it('ING-13, ING-81: 90/10 over 10,000 requests within 4.5 sigma, 0 % gets nothing', async () => {
    await gateway.service('a', '10.0.0.1:8012');
    await gateway.service('b', '10.0.0.2:8012');
    const splits = [split('a', 90), split('b', 10), split('gone', 0)];
    await gateway.apply(ingress('i', { rules: [externalRule(HOST, { splits })] }));
    const requests = 10_000;
    const served = new Map<string, number>();
    for (let count = 0; count < requests; count++) {
      const exchange = gateway.get(HOST);
      served.set(exchange.upstream, (served.get(exchange.upstream) ?? 0) + 1);
      exchange.finish();
    }
    const sigma = Math.sqrt(requests * 0.9 * 0.1);
    expect(Math.abs((served.get('10.0.0.1:8012') ?? 0) - 9_000)).toBeLessThan(4.5 * sigma);
    expect((served.get('10.0.0.1:8012') ?? 0) + (served.get('10.0.0.2:8012') ?? 0)).toBe(requests);
  });

  it('ING-4: a sole split without percent gets everything', async () => {
    await gateway.service('a', '10.0.0.1:8012');
    await gateway.apply(ingress('i', { rules: [externalRule(HOST, { splits: [split('a', 0)] })] }));
    expect(gateway.get(HOST).forwards.length).toBe(1);
  });
});

describe('headers', () => {
  beforeEach(() => gateway.service('a', '10.0.0.1:8012'));

  it('ING-14, ING-70, ING-84, ING-94: set, never appended; split over path; host kept', async () => {
    const path = {
      appendHeaders: { 'X-Path': 'p', 'x-both': 'path' },
      splits: [{ ...split('a'), appendHeaders: { 'X-Both': 'split' } }],
    };
    await gateway.apply(ingress('i', { rules: [externalRule(HOST, path)] }));
    const { edits } = gateway.get(HOST).forwards[0]!;
    expect(edits.add.split('\r\n').filter(Boolean).sort()).toEqual([
      'X-Both: split',
      'X-Forwarded-Proto: http',
      'X-Path: p',
    ]);
    expect([...edits.drop].sort()).toEqual([
      'knative-serving-default-route',
      'knative-serving-namespace',
      'knative-serving-revision',
      'x-both',
      'x-forwarded-proto',
      'x-path',
    ]);
    expect([edits.host, edits.forwardedFor]).toEqual([null, true]);
  });

  it('ING-51: a probe for the version gets its hash set', async () => {
    const applied = await gateway.apply(
      ingress('i', { rules: [externalRule(HOST, { splits: [split('a')] })] }),
    );
    const { edits } = gateway.get(HOST, '/healthz', {
      'k-network-probe': 'probe',
      'k-network-hash': 'override',
    }).forwards[0]!;
    const hash = gateway.table.get('default/i')?.hash;
    expect(applied.metadata.name).toBe('i');
    expect(edits.add).toContain(`K-Network-Hash: ${hash}\r\n`);
    expect(edits.drop.has('k-network-hash')).toBe(true);
    expect(gateway.get(HOST, '/', { 'k-network-hash': 'x' }).forwards[0]?.edits.add).not.toContain(
      'K-Network-Hash',
    );
  });

  it('ING-15, ING-83: a rewritten host is routed a second time inside', async () => {
    await gateway.apply(
      ingress('route', {
        rules: [
          {
            hosts: ['hello.default.svc.cluster.local'],
            visibility: 'ClusterLocal',
            http: { paths: [{ splits: [split('a')] }] },
          },
        ],
      }),
    );
    await gateway.client.create<CoreService>(CoreServiceKind, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'hello', namespace: 'default' },
      spec: { type: 'ExternalName', externalName: 'gateway.internal', ports: [{ port: 80 }] },
    });
    await gateway.settle();
    await gateway.apply(
      ingress('mapping', {
        rules: [
          externalRule('shop.example.com', {
            rewriteHost: 'hello.default.svc.cluster.local',
            splits: [
              { ...split('hello'), appendHeaders: { 'K-Original-Host': 'shop.example.com' } },
            ],
          }),
        ],
      }),
    );
    const first = gateway.get('shop.example.com').forwards[0]!;
    expect(first.upstream).toEqual({ host: '10.0.0.1', port: 8012 });
    expect(first.edits.host).toBe('hello.default.svc.cluster.local');
    expect(first.edits.add.split('\r\n').filter(Boolean).sort()).toEqual([
      'K-Original-Host: shop.example.com',
      'Knative-Serving-Namespace: default',
      'Knative-Serving-Revision: a',
      'X-Forwarded-Proto: http',
    ]);
    expect(gateway.get('shop.example.com').forwards[0]?.edits).toBe(first.edits);
  });

  it('ING-73: a rewritten host nobody serves here goes to the external name', async () => {
    await gateway.client.create<CoreService>(CoreServiceKind, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'far', namespace: 'default' },
      spec: { type: 'ExternalName', externalName: 'far.example.org', ports: [{ port: 80 }] },
    });
    await gateway.settle();
    await gateway.apply(
      ingress('mapping', {
        rules: [
          externalRule('shop.example.com', {
            rewriteHost: 'far.example.org',
            splits: [split('far')],
          }),
        ],
      }),
    );
    const { upstream, edits } = gateway.get('shop.example.com').forwards[0]!;
    expect(upstream).toEqual({ host: 'far.example.org', port: 80 });
    expect(edits.host).toBe('far.example.org');
  });
});

describe('addresses', () => {
  const rules = [externalRule(HOST, { splits: [split('a')] })];

  it('ING-18: no ready address is 503', async () => {
    await gateway.service('a');
    await gateway.apply(ingress('i', { rules }));
    expect(gateway.get(HOST).responseStatus).toBe(503);
  });

  it('ING-85: requests go to the less busy of two addresses', async () => {
    await gateway.service('a', '10.0.0.1:1', '10.0.0.2:2');
    await gateway.apply(ingress('i', { rules }));
    const used = [1, 2, 3, 4].map(() => gateway.get(HOST).upstream).sort();
    expect(used).toEqual(['10.0.0.1:1', '10.0.0.1:1', '10.0.0.2:2', '10.0.0.2:2']);
  });

  it('ING-71: Endpoints that move are followed, requests under way are left alone', async () => {
    await gateway.service('a', '10.0.0.1:1');
    await gateway.apply(ingress('i', { rules }));
    const before = gateway.get(HOST);
    const snapshot = gateway.table.snapshot;
    await gateway.moveEndpoints('a', '10.0.0.2:2');
    expect(gateway.get(HOST).upstream).toBe('10.0.0.2:2');
    expect(before.ended).toBe(false);
    expect(gateway.table.snapshot).toBe(snapshot);
    expect(gateway.upstreams.forgotten).toEqual(['10.0.0.1:1']);
    before.finish();
  });

  it('ING-87: an address that took nothing is followed by another', async () => {
    await gateway.service('a', '10.0.0.1:1', '10.0.0.2:2');
    await gateway.apply(ingress('i', { rules }));
    const exchange = gateway.get(HOST);
    const first = exchange.upstream;
    exchange.podFails(FailureCode.CONNECT_REFUSED, false);
    expect(exchange.upstream).not.toBe(first);
    exchange.finish();
    expect(exchange.responseStatus).toBe(200);
  });

  it('ING-17, ING-87: what was sent is never sent twice', async () => {
    await gateway.service('a', '10.0.0.1:1', '10.0.0.2:2');
    await gateway.apply(ingress('i', { rules }));
    const exchange = gateway.get(HOST);
    exchange.podFails(FailureCode.RESET, true, 'connection reset by peer');
    expect([exchange.responseStatus, exchange.forwards.length]).toEqual([502, 1]);
  });

  it('a sole address that refuses is given the time its Endpoints take to change', async () => {
    await gateway.service('a', '10.0.0.1:1');
    await gateway.apply(ingress('i', { rules }));
    const exchange = gateway.get(HOST);
    exchange.podFails(FailureCode.CONNECT_REFUSED, false);
    await gateway.moveEndpoints('a', '10.0.0.2:2');
    expect(exchange.forwards.length).toBe(1);
    gateway.clock.advance(5);
    expect(exchange.upstream).toBe('10.0.0.2:2');
  });

  it('a sole address that goes on refusing ends in 502', async () => {
    await gateway.service('a', '10.0.0.1:1');
    await gateway.apply(ingress('i', { rules }));
    const exchange = gateway.get(HOST);
    for (let attempt = 0; attempt < 6; attempt++) {
      exchange.podFails(FailureCode.CONNECT_REFUSED, false, 'connection refused');
      gateway.clock.advance(1_000);
    }
    expect([exchange.responseStatus, exchange.body]).toEqual([502, 'connection refused\n']);
  });

  it('a client that leaves during such a pause costs nothing more', async () => {
    await gateway.service('a', '10.0.0.1:1');
    await gateway.apply(ingress('i', { rules }));
    const exchange = gateway.get(HOST);
    const timers = gateway.clock.pendingCount;
    exchange.podFails(FailureCode.CONNECT_REFUSED, false);
    expect(gateway.clock.pendingCount).toBe(timers + 1);
    exchange.clientLeaves();
    expect(gateway.clock.pendingCount).toBe(timers);
  });
});
