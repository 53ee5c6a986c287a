// Requests on their way to pods: what the pod sees, and what happens when it does not answer
// (ACT-104 to ACT-107, ACT-113, ACT-123), without sockets.

import { describe, expect, it } from 'vitest';
import { FailureCode } from '../proxy/types.ts';
import { MAX_POD_ATTEMPTS } from './handler.ts';
import { PodTracker } from './pod-tracker.ts';
import { ActivatorHarness } from './testing/harness.ts';

describe('forwarding', () => {
  it('ACT-22, ACT-104, ACT-106, ACT-107: what the pod sees', () => {
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

  it('ACT-105: through a mesh the pod is addressed in the name of the private Service', () => {
    const tracker = new PodTracker({
      dest: '10.0.0.1:8012',
      upstream: { host: '10.0.0.1', port: 8012 },
      limit: 0,
      passthroughHost: 'hello-private.default',
    });
    const edits = tracker.editsFor('hello.example.com', '');
    expect(edits.host).toBe('hello-private.default');
    expect(edits.add).toBe(
      'K-Proxy-Request: activator\r\nK-Passthrough-Lb: true\r\nK-Original-Host: hello.example.com\r\n',
    );
    expect(tracker.editsFor('x', 'set').add).toBe(
      'K-Proxy-Request: activator\r\nK-Passthrough-Lb: true\r\n',
    );
  });

  it('the header changes for a host are compiled once', () => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['10.0.0.1:1']);
    const [first, second] = [harness.request('hello'), harness.request('hello')];
    expect(second.forwards[0]?.edits).toBe(first.forwards[0]?.edits);
  });

  it('ACT-113: a pod that took nothing is checked and the request goes to another', () => {
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

  it('one that may be repeated goes to another pod after a reset, to three at most', () => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['10.0.0.1:1', '10.0.0.2:1']);
    const exchange = harness.request('hello');
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(exchange.ended).toBe(false);
      exchange.podFails(FailureCode.RESET, true, 'reset', true);
    }
    expect([exchange.forwards.length, exchange.responseStatus]).toEqual([3, 502]);
  });

  it('ACT-113: a request of which something was sent is never sent twice: 502', () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello');
    throttler.setPods(['10.0.0.1:1', '10.0.0.2:1']);
    const exchange = harness.request('hello');
    exchange.podFails(FailureCode.RESET, true, 'connection reset by peer');
    expect([exchange.responseStatus, exchange.body]).toEqual([502, 'connection reset by peer\n']);
    expect(exchange.forwards.length).toBe(1);
    expect(throttler.inFlight).toBe(0);
  });

  it('ACT-123, ACT-124: pods that answer probes but take no requests end in a plain 502', () => {
    const harness = new ActivatorHarness();
    harness.add('hello').setPods(['10.0.0.1:1', '10.0.0.2:1']);
    const exchange = harness.request('hello');
    for (let attempt = 0; attempt < MAX_POD_ATTEMPTS; attempt++) {
      exchange.podFails(FailureCode.CONNECT_REFUSED, false, 'connection refused');
    }
    expect([exchange.forwards.length, exchange.responseStatus]).toEqual([MAX_POD_ATTEMPTS, 502]);
    expect(exchange.headerLines).toBe(
      'Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n',
    );
    expect(harness.handler.counts).toEqual({ retried: MAX_POD_ATTEMPTS - 1, failed: 1 });
  });
});
