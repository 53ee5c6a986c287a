// From Ingress to snapshot and status (ING-2, ING-23, ING-40 to ING-45, ING-82, ING-104).

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findCondition, isReady } from '../api/conditions.ts';
import { Ingress as IngressKind } from '../api/kinds.ts';
import type { Ingress } from '../api/networking.ts';
import { externalRule, GatewayHarness, ingress, split } from './testing/harness.ts';

let gateway: GatewayHarness;
beforeEach(async () => {
  gateway = await new GatewayHarness().start();
});
afterEach(() => gateway.stop());

const HOST = 'hello.default.example.com';
const toService = (service: string, host = HOST) => ({
  rules: [externalRule(host, { splits: [split(service)] })],
});
const conditions = (object: Ingress) =>
  (object.status?.conditions ?? []).map(
    ({ type, status, reason = '' }) => `${type}=${status}${reason && `/${reason}`}`,
  );

describe('ingress status', () => {
  it('ING-43, ING-82: Ready with one load balancer each, once the snapshot serves it', async () => {
    await gateway.service('a', '10.0.0.1:1');
    const applied = await gateway.apply(ingress('i', toService('a')));
    expect(isReady(applied)).toBe(true);
    expect(conditions(applied)).toEqual([
      'LoadBalancerReady=True',
      'NetworkConfigured=True',
      'Ready=True',
    ]);
    expect(applied.status?.publicLoadBalancer).toEqual({
      ingress: [{ domainInternal: 'public.example' }],
    });
    expect(applied.status?.privateLoadBalancer).toEqual({
      ingress: [{ domainInternal: 'private.example' }],
    });
  });

  it('ING-42: a first version without addresses is served as 503 and waits', async () => {
    await gateway.service('a');
    const waiting = await gateway.apply(ingress('i', toService('a')));
    expect(conditions(waiting)).toEqual([
      'LoadBalancerReady=Unknown/Uninitialized',
      'NetworkConfigured=True',
      'Ready=Unknown/Uninitialized',
    ]);
    expect(gateway.get(HOST).responseStatus).toBe(503);
    await gateway.moveEndpoints('a', '10.0.0.1:1');
    expect(gateway.enqueued).toEqual(['default/i']);
    expect(isReady(await gateway.reconcile('i'))).toBe(true);
  });

  it('ING-104: a new version without addresses does not replace one that serves', async () => {
    await gateway.service('a', '10.0.0.1:1');
    await gateway.apply(ingress('i', toService('a')));
    const waiting = await gateway.apply(ingress('i', toService('b')));
    expect(isReady(waiting)).toBe(false);
    expect(waiting.status?.publicLoadBalancer).toBeDefined();
    expect(waiting.status?.observedGeneration).toBe(2);
    expect(gateway.get(HOST).upstream).toBe('10.0.0.1:1');
    await gateway.service('b', '10.0.0.2:2');
    expect(gateway.enqueued).toEqual(['default/i']);
    expect(isReady(await gateway.reconcile('i'))).toBe(true);
    expect(gateway.get(HOST).upstream).toBe('10.0.0.2:2');
  });

  it('ING-45: addresses that go away do not take Ready away', async () => {
    await gateway.service('a', '10.0.0.1:1');
    await gateway.apply(ingress('i', toService('a')));
    await gateway.moveEndpoints('a');
    const again = await gateway.reconcile('i');
    expect(isReady(again)).toBe(true);
    expect(gateway.get(HOST).responseStatus).toBe(503);
  });

  it('ING-45: a pass that changes nothing writes nothing', async () => {
    await gateway.service('a', '10.0.0.1:1');
    const applied = await gateway.apply(ingress('i', toService('a')));
    gateway.clock.advance(60_000);
    const again = await gateway.reconcile('i');
    expect(again.metadata.resourceVersion).toBe(applied.metadata.resourceVersion);
  });

  it('ING-23, ING-44: the later of two claims is refused until the host is free', async () => {
    await gateway.service('a', '10.0.0.1:1');
    await gateway.service('b', '10.0.0.2:2');
    await gateway.apply(ingress('first', toService('a')));
    const second = await gateway.apply(ingress('second', toService('b')));
    expect(findCondition(second, 'LoadBalancerReady')).toMatchObject({
      status: 'False',
      reason: 'DomainConflict',
      message: 'Ingress rejected: ingress has a conflicting domain with another ingress',
    });
    expect(gateway.get(HOST).upstream).toBe('10.0.0.1:1');
    await gateway.remove('first');
    expect(gateway.enqueued).toEqual(['default/second']);
    expect(isReady(await gateway.reconcile('second'))).toBe(true);
    expect(gateway.get(HOST).upstream).toBe('10.0.0.2:2');
  });

  it('ING-44: a spec that cannot be translated says so and breaks nothing else', async () => {
    await gateway.service('a', '10.0.0.1:1');
    await gateway.apply(ingress('good', toService('a')));
    const broken = await gateway.apply(
      ingress('bad', {
        rules: [
          externalRule('bad.example.com', {
            appendHeaders: { 'not a name': 'x' },
            splits: [split('a')],
          }),
        ],
      }),
    );
    expect(findCondition(broken, 'Ready')).toMatchObject({
      status: 'Unknown',
      reason: 'ReconcileIngressFailed',
    });
    expect(gateway.get(HOST).forwards.length).toBe(1);
  });

  it('ING-2: an Ingress of another class is neither served nor touched', async () => {
    await gateway.service('a', '10.0.0.1:1');
    const foreign = ingress('foreign', toService('a', 'foreign.example.com'));
    foreign.metadata.annotations = {
      'networking.knative.dev/ingress.class': 'kourier.ingress.networking.knative.dev',
    };
    expect((await gateway.apply(foreign)).status).toBeUndefined();
    expect(gateway.get('foreign.example.com').responseStatus).toBe(404);
  });

  it('ING-2: an Ingress that leaves the class is served no more', async () => {
    await gateway.service('a', '10.0.0.1:1');
    const served = await gateway.apply(ingress('i', toService('a')));
    await gateway.client.update<Ingress>(IngressKind, {
      ...served,
      metadata: { ...served.metadata, annotations: {} },
    });
    await gateway.reconcile('i');
    expect(gateway.get(HOST).responseStatus).toBe(404);
  });

  it('an Ingress that is deleted leaves no host, no backend and no address behind', async () => {
    await gateway.service('a', '10.0.0.1:1');
    await gateway.apply(ingress('i', toService('a')));
    await gateway.apply(ingress('i', toService('missing')));
    await gateway.remove('i');
    expect(gateway.get(HOST).responseStatus).toBe(404);
    expect(gateway.backends.addressCount).toBe(0);
    expect(gateway.upstreams.forgotten).toEqual(['10.0.0.1:1']);
  });

  it('ING-71: no host is missing for an instant while versions follow each other', async () => {
    await gateway.service('a', '10.0.0.1:1');
    await gateway.service('b', '10.0.0.2:2');
    await gateway.apply(ingress('i', toService('a')));
    const before = gateway.table.snapshot;
    gateway.reconciler.load('default/i');
    expect(gateway.table.snapshot).toBe(before);
    await gateway.apply(ingress('i', toService('b')));
    expect(before.external.find(HOST)).not.toBeNull();
    expect(gateway.get(HOST).upstream).toBe('10.0.0.2:2');
  });
});
