// The activator's request path without sockets: probes, selection, holding.

import { describe, expect, it } from 'vitest';
import { readRevisionSettings } from './revision-settings.ts';
import { MAX_QUEUED_PER_REVISION } from './revision-throttler.ts';
import { ActivatorHarness, revision, settle } from './testing/harness.ts';

describe('probes', () => {
  it.each([
    ['ACT-18: a kubelet', { 'user-agent': 'kube-probe/1.33' }, 200, ''],
    ['ACT-17: a kubelet behind a proxy', { 'k-kubelet-probe': 'x' }, 200, ''],
    ['ACT-21: an ingress', { 'k-network-probe': 'probe', 'k-network-hash': 'abc' }, 200, ''],
    [
      'ACT-21: an ingress without hash',
      { 'k-network-probe': 'probe' },
      400,
      'a probe request must contain a non-empty "K-Network-Hash" header\n',
    ],
    ['ACT-23: the autoscaler', { 'k-network-probe': 'activator' }, 200, 'activator'],
    [
      'ACT-24: the wrong component',
      { 'k-network-probe': 'queue' },
      400,
      'unexpected probe header value: "queue"\n',
    ],
    [
      'ACT-24: markup, escaped',
      { 'k-network-probe': '<a>' },
      400,
      'unexpected probe header value: "&lt;a&gt;"\n',
    ],
  ])('%s', (_name, headers, status, body) => {
    const harness = new ActivatorHarness();
    const exchange = harness.plain(headers);
    expect([exchange.responseStatus, exchange.body]).toEqual([status, body]);
    expect(harness.sink.batches).toEqual([]);
  });

  it('ACT-21: the hash comes back', () => {
    const exchange = new ActivatorHarness().plain({
      'k-network-probe': 'probe',
      'k-network-hash': 'abc',
    });
    expect(exchange.headerLines).toBe('K-Network-Hash: abc\r\n');
  });

  it('ACT-18: an unhealthy activator says why with 500', () => {
    const harness = new ActivatorHarness();
    harness.problem = 'received SIGTERM from kubelet';
    const exchange = harness.plain({ 'user-agent': 'kube-probe/1.33' });
    expect([exchange.responseStatus, exchange.body]).toEqual([
      500,
      'received SIGTERM from kubelet\n',
    ]);
  });
});

describe('which revision', () => {
  it('ACT-25: an empty probe header is none', () => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['10.0.0.1:8012']);
    expect(harness.request('hello', { 'k-network-probe': '' }).forwards.length).toBe(1);
  });

  it('ACT-26: the headers, whatever the host says', () => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['10.0.0.1:8012']);
    harness.add('other').setPods(['10.0.0.2:8012']);
    const exchange = harness.request('hello', { host: 'other.default.svc.cluster.local' });
    expect(exchange.upstream).toBe('10.0.0.1:8012');
  });

  it('ACT-28: without any name the missing one is empty', () => {
    expect(new ActivatorHarness().plain({ host: 'example.com' }).body).toBe(
      'Error getting active endpoint: revision.serving.knative.dev "" not found\n',
    );
  });

  it('ACT-15, ACT-16: probes and unknown revisions hold nothing and count nowhere', () => {
    const harness = new ActivatorHarness();
    harness.plain({ 'k-network-probe': 'activator', 'knative-serving-revision': 'hello' });
    harness.request('gone');
    harness.reporter.report();
    expect([harness.sink.batches, harness.deadlines.size]).toEqual([[], 0]);
  });

  it('ACT-222: conditions of a revision with pods are nobody’s business', () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello');
    throttler.setPods(['10.0.0.1:8012']);
    const failed = [{ type: 'ResourcesAvailable', status: 'False' as const, reason: 'Quota' }];
    throttler.update(readRevisionSettings(revision('hello', {}, failed)));
    expect(harness.request('hello').forwards.length).toBe(1);
  });

  it('ACT-28: an unknown one is 404 and is not counted', () => {
    const harness = new ActivatorHarness();
    const exchange = harness.request('gone');
    expect(exchange.responseStatus).toBe(404);
    expect(exchange.body).toBe(
      'Error getting active endpoint: revision.serving.knative.dev "gone" not found\n',
    );
    expect(harness.sink.batches).toEqual([]);
  });

  it.each([
    ['hello.default.svc.cluster.local', 1],
    ['hello.default.svc.cluster.local:80', 1],
    ['hello.default', 0],
    ['hello.default.svc', 0],
    ['hello.default.svc.example.com', 0],
    ['hello.default.SVC.cluster.local', 0],
    ['', 0],
  ])('ACT-27: host %j', (host, forwards) => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['10.0.0.1:8012']);
    expect(harness.plain({ host }).forwards.length).toBe(forwards);
  });

  it('ACT-27: the host replaces a header that came alone', () => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['10.0.0.1:8012']);
    const exchange = harness.plain({
      host: 'hello.default.svc.cluster.local',
      'knative-serving-revision': 'other',
    });
    expect(exchange.forwards.length).toBe(1);
  });
});

describe('holding', () => {
  it('ACT-127: the first request is reported before it waits', () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello');
    const exchange = harness.request('hello');
    expect(harness.sink.summary).toEqual(['hello(1,1)']);
    expect(throttler.waiting).toBe(1);
    expect(exchange.forwards).toEqual([]);
  });

  it('a wake is logged once, phase by phase, however many requests it holds', async () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello');
    const exchanges = [1, 2, 3].map(() => harness.request('hello'));
    throttler.setPods(['127.0.0.5:8012']);
    await settle(2);
    for (const exchange of exchanges) exchange.finish();
    expect(harness.phases).toEqual([
      'default/hello queued',
      'default/hello reported',
      'default/hello probed',
      'default/hello first byte',
    ]);
  });

  it('ACT-51: without a limit all held requests go out once there is a pod', async () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello');
    const exchanges = Array.from({ length: 500 }, () => harness.request('hello'));
    throttler.setPods(['127.0.0.5:8012']);
    await settle(20);
    expect(exchanges.every((exchange) => exchange.forwards.length === 1)).toBe(true);
    expect(throttler.waiting).toBe(0);
  });

  it('ACT-60: two pods with concurrency 1 get one of two requests each', () => {
    const harness = new ActivatorHarness();
    harness.add('hello', { containerConcurrency: 1 }).setPods(['10.0.0.2:1', '10.0.0.1:1']);
    const used = [1, 2].map(() => harness.request('hello').upstream);
    expect(used.sort()).toEqual(['10.0.0.1:1', '10.0.0.2:1']);
  });

  it('a slot freed by one request goes to the longest waiting one', async () => {
    const harness = new ActivatorHarness();
    harness.add('hello', { containerConcurrency: 1 }).setPods(['10.0.0.1:1']);
    const [first, second, third] = [1, 2, 3].map(() => harness.request('hello'));
    expect([second, third].map((exchange) => exchange?.forwards.length)).toEqual([0, 0]);
    first?.finish();
    await settle(2);
    expect([second, third].map((exchange) => exchange?.forwards.length)).toEqual([1, 0]);
  });

  it('ACT-50: the queue really ends: one request more than its limit is 503', () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello');
    for (let count = 0; count < MAX_QUEUED_PER_REVISION; count++) harness.request('hello');
    const refused = harness.request('hello');
    expect([refused.responseStatus, refused.body]).toEqual([503, 'pending request queue full\n']);
    expect(throttler.waiting).toBe(MAX_QUEUED_PER_REVISION);
  });

  it('a full queue of one revision does not touch another', () => {
    const harness = new ActivatorHarness();
    harness.add('crowded');
    harness.add('quiet').setPods(['10.0.0.1:1']);
    for (let count = 0; count <= MAX_QUEUED_PER_REVISION; count++) harness.request('crowded');
    expect(harness.request('quiet').forwards.length).toBe(1);
  });

  it('ACT-223: a client that leaves gives up its place at once', async () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello', { containerConcurrency: 1 });
    const [gone, stays] = [harness.request('hello'), harness.request('hello')];
    gone.clientLeaves();
    expect(throttler.waiting).toBe(1);
    throttler.setPods(['10.0.0.1:1']);
    await settle(2);
    expect([gone.forwards.length, stays.forwards.length]).toEqual([0, 1]);
  });

  it('a request admitted but ended before its turn gives its slot back', async () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello');
    const exchanges = Array.from({ length: 300 }, () => harness.request('hello'));
    throttler.setPods(['10.0.0.1:1']);
    for (const exchange of exchanges) exchange.clientLeaves();
    await settle(10);
    expect([throttler.inFlight, throttler.waiting]).toEqual([0, 0]);
  });

  it('ACT-58: requests admitted for a pod that left meanwhile wait for another', async () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello');
    const exchanges = Array.from({ length: 300 }, () => harness.request('hello'));
    throttler.setPods(['10.0.0.1:1']);
    throttler.setPods([]);
    await settle(10);
    const sent = exchanges.filter((exchange) => exchange.forwards.length > 0).length;
    expect(sent).toBeLessThanOrEqual(64);
    expect(throttler.waiting).toBe(300 - sent);
    throttler.setPods(['10.0.0.2:1']);
    await settle(10);
    expect(exchanges.every((exchange) => exchange.forwards.length === 1)).toBe(true);
  });
});
