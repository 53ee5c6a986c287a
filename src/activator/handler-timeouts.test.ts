// How requests end that no pod answered in time: the three limits (ACT-34 to ACT-41), wakes that fail
// (decision 0008) and what is counted (ACT-125), without sockets.

import { describe, expect, it } from 'vitest';
import { FailureCode, Outcome } from '../proxy/types.ts';
import { readRevisionSettings } from './revision-settings.ts';
import { FAILED_WAKE_GRACE_MS } from './revision-throttler.ts';
import { ActivatorHarness, revision, settle } from './testing/harness.ts';

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

describe('a wake that fails (differs from ACT-222)', () => {
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

  it('right after the last pod went is a restart, which is given time', async () => {
    const harness = new ActivatorHarness();
    const throttler = harness.add('hello');
    throttler.setPods(['10.0.0.1:1']);
    throttler.setPods([]);
    const restarted = harness.request('hello');
    throttler.update(failed('hello'));
    expect(restarted.ended).toBe(false);
    throttler.setPods(['10.0.0.1:1']);
    await settle(2);
    expect(restarted.forwards.length).toBe(1);
    throttler.setPods([]);
    const hopeless = harness.request('hello');
    harness.clock.advance(FAILED_WAKE_GRACE_MS);
    expect(hopeless.responseStatus).toBe(503);
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
