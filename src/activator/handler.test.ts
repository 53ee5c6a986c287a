// The activator's request path without sockets: probes, selection, holding, timeouts, failures.

import { describe, expect, it } from 'vitest';
import { FailureCode, Outcome } from '../proxy/types.ts';
import { MAX_POD_ATTEMPTS } from './handler.ts';
import { readRevisionSettings } from './revision-settings.ts';
import { FAILED_WAKE_GRACE_MS, MAX_QUEUED_PER_REVISION } from './revision-throttler.ts';
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

  it('the queue really ends: one request more than its limit is 503', () => {
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

describe('forwarding', () => {
  it('ACT-104, ACT-106, ACT-107: what the pod sees', () => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['[::1]:8012']);
    const { edits, upstream } = harness.request('hello', { host: 'hello.example.com' })
      .forwards[0]!;
    expect(upstream).toEqual({ host: '::1', port: 8012 });
    expect(edits.host).toBe('[::1]:8012');
    expect(edits.add).toBe('K-Proxy-Request: activator\r\nK-Original-Host: hello.example.com\r\n');
    expect([...edits.drop].sort()).toEqual([
      'k-network-hash',
      'k-original-host',
      'k-proxy-request',
      'knative-serving-namespace',
      'knative-serving-revision',
    ]);
    expect(edits.forwardedFor).toBe(true);
  });

  it('ACT-104: a K-Original-Host that is set stays', () => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['10.0.0.1:1']);
    const exchange = harness.request('hello', { 'k-original-host': 'shop.example.com' });
    expect(exchange.forwards[0]?.edits.add).toBe('K-Proxy-Request: activator\r\n');
    expect(exchange.forwards[0]?.edits.drop.has('k-original-host')).toBe(false);
  });

  it('the header changes for a host are compiled once', () => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['10.0.0.1:1']);
    const [first, second] = [harness.request('hello'), harness.request('hello')];
    expect(second.forwards[0]?.edits).toBe(first.forwards[0]?.edits);
  });

  it('a pod that took nothing is checked and the request goes to another', () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello', { containerConcurrency: 1 });
    throttler.setPods(['10.0.0.1:1', '10.0.0.2:1']);
    const exchange = harness.request('hello');
    expect(exchange.upstream).toBe('10.0.0.1:1');
    // The watcher takes the suspect out of the list, as in production, before the retry.
    const suspects: string[] = [];
    harness.onSuspect = (dest) => {
      suspects.push(dest);
      throttler.setPods(['10.0.0.2:1']);
    };
    exchange.podFails(FailureCode.CONNECT_REFUSED, false);
    expect(suspects).toEqual(['10.0.0.1:1']);
    expect(exchange.upstream).toBe('10.0.0.2:1');
    exchange.finish();
    expect([throttler.inFlight, throttler.waiting]).toEqual([0, 0]);
  });

  it('a request of which something was sent is never sent twice: 502', () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello');
    throttler.setPods(['10.0.0.1:1', '10.0.0.2:1']);
    const exchange = harness.request('hello');
    exchange.podFails(FailureCode.RESET, true, 'connection reset by peer');
    expect([exchange.responseStatus, exchange.body]).toEqual([502, 'connection reset by peer\n']);
    expect(exchange.forwards.length).toBe(1);
    expect(throttler.inFlight).toBe(0);
  });

  it('pods that answer probes but take no requests end in 502', () => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['10.0.0.1:1', '10.0.0.2:1']);
    const exchange = harness.request('hello');
    for (let attempt = 0; attempt < MAX_POD_ATTEMPTS; attempt++) {
      exchange.podFails(FailureCode.CONNECT_REFUSED, false, 'connection refused');
    }
    expect([exchange.forwards.length, exchange.responseStatus]).toEqual([MAX_POD_ATTEMPTS, 502]);
    expect(harness.handler.counts).toEqual({ retried: MAX_POD_ATTEMPTS - 1, failed: 1 });
  });
});

describe('timeouts', () => {
  it('ACT-35, ACT-39: a held request ends with 504 and gives up its place', () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello', { timeoutSeconds: 10 });
    const exchange = harness.request('hello');
    harness.clock.advance(9_990);
    expect(exchange.ended).toBe(false);
    harness.clock.advance(60);
    expect([exchange.responseStatus, exchange.body]).toEqual([504, 'activator request timeout']);
    expect(exchange.headerLines).toBe('Content-Type: text/plain; charset=utf-8\r\n');
    expect(throttler.waiting).toBe(0);
  });

  it('ACT-38: a request under way is cancelled and its slot freed', () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello', { timeoutSeconds: 1 });
    throttler.setPods(['10.0.0.1:1']);
    const exchange = harness.request('hello');
    harness.clock.advance(1_100);
    expect([exchange.responseStatus, exchange.cancelled]).toEqual([504, 1]);
    expect(throttler.inFlight).toBe(0);
  });

  it('ACT-35: an answer under way is cut', () => {
    const harness = new ActivatorHarness();
    harness.add('hello', { timeoutSeconds: 1 }).setPods(['10.0.0.1:1']);
    const exchange = harness.request('hello').podAnswers();
    harness.clock.advance(1_100);
    expect(exchange.outcome).toBe(Outcome.ABORTED);
  });

  it('ACT-36: the response-start limit ends with the first byte', () => {
    const harness = new ActivatorHarness();
    harness
      .add('hello', { timeoutSeconds: 10, responseStartTimeoutSeconds: 1 })
      .setPods(['10.0.0.1:1']);
    const late = harness.request('hello');
    const started = harness.request('hello').podAnswers();
    harness.clock.advance(1_100);
    expect([late.responseStatus, started.ended]).toEqual([504, false]);
    harness.clock.advance(8_000);
    expect(started.ended).toBe(false);
    harness.clock.advance(1_000);
    expect(started.outcome).toBe(Outcome.ABORTED);
  });

  it('ACT-36: an interim answer is the first write', () => {
    const harness = new ActivatorHarness();
    harness
      .add('hello', { timeoutSeconds: 10, responseStartTimeoutSeconds: 1 })
      .setPods(['10.0.0.1:1']);
    const exchange = harness.request('hello');
    harness.handler.onInterimHead(exchange);
    harness.clock.advance(5_000);
    expect(exchange.ended).toBe(false);
    harness.clock.advance(5_100);
    expect([exchange.responseStatus, exchange.body]).toEqual([504, 'activator request timeout']);
  });

  it('ACT-37: the idle limit counts from the last write, and from the arrival before one', () => {
    const harness = new ActivatorHarness();
    harness.add('hello', { timeoutSeconds: 60, idleTimeoutSeconds: 2 }).setPods(['10.0.0.1:1']);
    const silent = harness.request('hello');
    const busy = harness.request('hello').podAnswers();
    for (let second = 0; second < 10; second++) {
      harness.clock.advance(1_000);
      busy.podSends(10);
    }
    expect([silent.responseStatus, busy.ended]).toEqual([504, false]);
    harness.clock.advance(2_100);
    expect(busy.outcome).toBe(Outcome.ABORTED);
  });

  it('ACT-41: traffic on a websocket does not count as writing', () => {
    const harness = new ActivatorHarness();
    harness.add('chat', { timeoutSeconds: 60, idleTimeoutSeconds: 2 }).setPods(['10.0.0.1:1']);
    const socket = harness.request('chat').podAnswers(101);
    harness.clock.advance(1_500);
    socket.podSends(100);
    harness.clock.advance(1_000);
    expect(socket.outcome).toBe(Outcome.ABORTED);
  });

  it('an ended request leaves no deadline behind', () => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['10.0.0.1:1']);
    harness.request('hello').finish();
    expect(harness.deadlines.size).toBe(0);
  });
});

describe('a wake that fails', () => {
  const failed = (name: string) =>
    readRevisionSettings(
      revision(name, {}, [
        { type: 'ContainerHealthy', status: 'False', reason: 'ExitCode1', message: 'boom' },
      ]),
    );

  it('tells everybody waiting why, at once', () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello');
    const waiting = [1, 2, 3].map(() => harness.request('hello'));
    throttler.update(failed('hello'));
    expect(waiting.map((exchange) => exchange.responseStatus)).toEqual([503, 503, 503]);
    expect(waiting[0]?.body).toBe('revision default/hello cannot start: ExitCode1: boom\n');
    expect(throttler.waiting).toBe(0);
  });

  it('is no reason to fail requests while a pod serves', () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello', { containerConcurrency: 1 });
    throttler.setPods(['10.0.0.1:1']);
    const [running, waiting] = [harness.request('hello'), harness.request('hello')];
    throttler.update(failed('hello'));
    harness.clock.advance(FAILED_WAKE_GRACE_MS * 2);
    expect([running.ended, waiting.ended]).toEqual([false, false]);
  });

  it('known before the request arrives leaves a new start some time to succeed', async () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello');
    throttler.update(failed('hello'));
    const hopeful = harness.request('hello');
    expect(harness.sink.summary).toEqual(['hello(1,1)']);
    throttler.setPods(['10.0.0.1:1']);
    await settle(2);
    expect(hopeful.forwards.length).toBe(1);
    throttler.setPods([]);
    const hopeless = harness.request('hello');
    harness.clock.advance(FAILED_WAKE_GRACE_MS);
    expect(hopeless.responseStatus).toBe(503);
  });
});

describe('counting', () => {
  it('ACT-125: a timed out request counts until its end, an answered one once', () => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['10.0.0.1:1']);
    const exchange = harness.request('hello');
    exchange.podFails(FailureCode.CLOSED, true, 'EOF');
    harness.clock.advance(1_000);
    harness.reporter.report();
    expect(harness.sink.summary).toEqual(['hello(1,1)', 'hello(0,0)']);
    expect(harness.reporter.trackedCount).toBe(0);
  });
});
