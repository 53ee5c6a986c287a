// The throttler of one revision: breakers, trackers, ClusterIP, capacity (ACT-42 to ACT-67), on fake
// exchanges. What random sequences show is in throttler.property.test.ts.

import { describe, expect, it } from 'vitest';
import { FailureCode } from '../proxy/types.ts';
import { MAX_CAPACITY } from './capacity.ts';
import { readRevisionSettings } from './revision-settings.ts';
import { FAILED_WAKE_GRACE_MS } from './revision-throttler.ts';
import { ActivatorHarness, revision, settle } from './testing/harness.ts';

const [P, Q, R] = ['10.0.0.1:8012', '10.0.0.2:8012', '10.0.0.3:8012'] as const;
const CLUSTER_IP = '10.96.0.9:80';

function deployed(containerConcurrency: number, queueLimit?: number) {
  const harness = new ActivatorHarness();
  const throttler = harness.add('hello', { containerConcurrency }, queueLimit);
  const request = () => harness.request('hello');
  const requests = (count: number) => Array.from({ length: count }, request);
  return { harness, throttler, request, requests };
}

describe('breaker of a revision', () => {
  it('ACT-46: a full queue refuses, a free slot admits, and leaving gives both back', async () => {
    const { throttler, request, requests } = deployed(1, 2);
    throttler.setPods([P]);
    const [running, ...queued] = requests(3);
    const refused = request();
    expect([refused.responseStatus, refused.body]).toEqual([503, 'pending request queue full\n']);
    running?.finish();
    await settle(1);
    expect(queued.map(({ forwards }) => forwards.length)).toEqual([1, 0]);
    expect(request().ended).toBe(false);
  });

  it('ACT-47: a queue or a capacity that cannot be is a programming error', () => {
    expect(() => deployed(1, 0)).toThrow(RangeError);
    expect(() => deployed(1).throttler.leave()).toThrow('released more often');
  });

  it('ACT-48: a lower capacity interrupts nothing and admits nobody until it is reached', async () => {
    const { throttler, request, requests } = deployed(2);
    throttler.setPods([P, Q]);
    const running = requests(4);
    throttler.setPods([P]);
    const late = request();
    for (const each of running.slice(0, 2)) each.finish();
    await settle(1);
    expect(late.forwards.length).toBe(0);
    expect(running.slice(2).every(({ ended }) => !ended)).toBe(true);
    running[2]?.finish();
    await settle(1);
    expect(late.forwards.length).toBe(1);
  });

  it('ACT-49: nobody overtakes who waits', async () => {
    const { throttler, requests } = deployed(1);
    throttler.setPods([P]);
    const all = requests(5);
    const order: number[] = [];
    for (let round = 0; round < 5; round++) {
      const index = all.findIndex(({ forwards, ended }) => forwards.length > 0 && !ended);
      order.push(index);
      all[index]?.finish();
      await settle(1);
    }
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  it('ACT-43: containerConcurrency is fixed when the throttler is made', () => {
    const { throttler } = deployed(2);
    throttler.setPods([P]);
    throttler.update(readRevisionSettings(revision('hello', { containerConcurrency: 9 })));
    throttler.setPods([P, Q]);
    expect(throttler.capacity).toBe(4);
  });
});

describe('pods of a revision', () => {
  it('ACT-52: without a limit a pod takes any number, with one no more than that', () => {
    const open = deployed(0);
    open.throttler.setPods([P]);
    expect(open.requests(50).every(({ forwards }) => forwards.length === 1)).toBe(true);
    const limited = deployed(3);
    limited.throttler.setPods([P]);
    expect(limited.requests(5).filter(({ forwards }) => forwards.length === 1).length).toBe(3);
  });

  it('ACT-57, ACT-60: a slot on a pod, then the proxy, then both back', () => {
    const { throttler, requests } = deployed(5);
    throttler.setPods([P, Q, R]);
    const all = requests(3);
    expect(all.map(({ upstream }) => upstream)).toEqual([P, Q, R]);
    expect(throttler.inFlight).toBe(3);
    for (const each of all) each.finish();
    expect(throttler.inFlight).toBe(0);
  });

  it('ACT-61: what runs on a removed pod keeps its place in the breaker', () => {
    const { throttler, request, requests } = deployed(1);
    throttler.setPods([P, Q]);
    const [onP] = requests(2);
    throttler.setPods([Q, R]);
    const late = request();
    expect([throttler.capacity, throttler.inFlight, late.forwards.length]).toEqual([2, 2, 0]);
    onP?.finish();
    expect(late.upstream).toBe(R);
  });

  it('ACT-62, ACT-63: a pod still listed keeps its count, a new one starts at nothing', () => {
    const { throttler, requests } = deployed(2);
    throttler.setPods([P]);
    requests(2);
    throttler.setPods([P, Q]);
    expect(requests(3).map(({ upstream }) => upstream)).toEqual([Q, Q, '']);
  });

  it('ACT-101: a pod that left and came back has all its capacity', () => {
    const { throttler, request } = deployed(1);
    throttler.setPods([P]);
    request();
    throttler.setPods([]);
    throttler.setPods([P, Q]);
    expect(request().upstream).toBe(P);
  });

  it('a pod that only stopped answering for a while has not', () => {
    const { throttler, request } = deployed(1);
    throttler.setPods([P, Q]);
    request();
    throttler.setPods([Q], [P]);
    throttler.setPods([P, Q]);
    expect([request().upstream, request().upstream]).toEqual([Q, '']);
  });

  it('ACT-65, ACT-66: all of a slice is usable the moment the capacity says so', async () => {
    const { throttler, requests } = deployed(2);
    throttler.setPlace({ count: 2, index: 1 });
    const held = requests(9);
    throttler.setPods([P, Q, R, '10.0.0.4:8012']);
    await settle(2);
    expect(throttler.capacity).toBe(4);
    expect(held.map(({ upstream }) => upstream)).toEqual([
      ...[R, R, '10.0.0.4:8012', '10.0.0.4:8012'],
      ...Array(5).fill(''),
    ]);
  });
});

describe('a request whose pod took nothing', () => {
  it('goes before everybody who waits, even with a full queue', async () => {
    const { harness, throttler, requests } = deployed(1, 3);
    throttler.setPods([P]);
    const [first, ...queued] = requests(4);
    harness.onSuspect = () => throttler.setPods([], [P]);
    first?.podFails(FailureCode.CONNECT_REFUSED, false);
    expect([first?.ended, throttler.waiting]).toEqual([false, 4]);
    throttler.setPods([Q]);
    await settle(1);
    expect(first?.upstream).toBe(Q);
    expect(queued.every(({ forwards }) => forwards.length === 0)).toBe(true);
  });

  it('hears why when there will be no pod for ten seconds', async () => {
    const { harness, throttler, request } = deployed(1);
    throttler.setPods([P]);
    const only = request();
    harness.onSuspect = () => throttler.setPods([], [P]);
    only.podFails(FailureCode.CONNECT_REFUSED, false);
    const failed = [{ type: 'ContainerHealthy', status: 'False' as const, reason: 'OOMKilled' }];
    throttler.update(readRevisionSettings(revision('hello', {}, failed)));
    await settle(1);
    expect(only.ended).toBe(false);
    harness.clock.advance(FAILED_WAKE_GRACE_MS);
    await settle(1);
    expect([only.responseStatus, only.body]).toEqual([
      503,
      'revision default/hello cannot start: OOMKilled\n',
    ]);
    expect([throttler.inFlight, throttler.waiting]).toEqual([0, 0]);
  });
});

describe('ClusterIP of a revision', () => {
  it('ACT-64, ACT-116: takes everything, whatever pods there were', () => {
    const { throttler, requests } = deployed(10);
    throttler.setPods([P, Q]);
    throttler.setClusterIp(CLUSTER_IP, 2);
    const all = requests(12);
    expect(new Set(all.map(({ upstream }) => upstream))).toEqual(new Set([CLUSTER_IP]));
    expect(throttler.capacity).toBe(20);
  });

  it('ACT-60: with containerConcurrency 1 and one backend one runs and one waits', () => {
    const { throttler, requests } = deployed(1);
    throttler.setClusterIp(CLUSTER_IP, 1);
    expect(requests(2).map(({ forwards }) => forwards.length)).toEqual([1, 0]);
  });

  it('ACT-67: its capacity is shared between activators, at least one each', () => {
    const { throttler } = deployed(10);
    throttler.setPlace({ count: 5, index: 2 });
    throttler.setClusterIp(CLUSTER_IP, 10);
    expect(throttler.capacity).toBe(20);
    throttler.setPlace({ count: 200, index: 2 });
    expect(throttler.capacity).toBe(1);
    throttler.setClusterIp(CLUSTER_IP, 0);
    expect(throttler.capacity).toBe(0);
  });

  it('ACT-51, ACT-64: without a limit it is open while there is a backend', async () => {
    const { throttler, request } = deployed(0);
    throttler.setClusterIp(CLUSTER_IP, 0);
    const held = request();
    expect([throttler.capacity, held.forwards.length]).toEqual([0, 0]);
    throttler.setClusterIp(CLUSTER_IP, 3);
    await settle(1);
    expect([throttler.capacity, held.upstream]).toEqual([MAX_CAPACITY, CLUSTER_IP]);
  });

  it('gives way to pods, and to another address of the Service', () => {
    const { throttler, request } = deployed(0);
    throttler.setClusterIp(CLUSTER_IP, 1);
    throttler.setClusterIp('10.96.0.77:80', 1);
    expect(request().upstream).toBe('10.96.0.77:80');
    throttler.setPods([P]);
    expect(request().upstream).toBe(P);
  });
});
