// The request plane with a fake exchange and fake time: the tables of QP-21 and QP-22, the gate of
// QP-26 to QP-34, the timeouts of QP-46 to QP-57, and that nothing taken is ever kept.

import { setFlagsFromString } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { RequestAccounting } from '../proxy/request-accounting.ts';
import { type FakeRequest, ScriptedExchange } from '../proxy/testing/scripted-exchange.ts';
import { FailureCode, Outcome } from '../proxy/types.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { renderPrometheus } from '../telemetry/prometheus-text.ts';
import { Drainer } from './drainer.ts';
import { type HandlerOptions, QueueProxyHandler } from './handler.ts';
import { RequestContext, RequestFlag } from './request-context.ts';
import { RequestMetrics } from './request-metrics.ts';
import { TelemetryObserver } from './telemetry-observer.ts';

const PLAIN = 'Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n';
const TEXT = 'Content-Type: text/plain; charset=utf-8\r\n';
const TIMEOUT_LATENESS_MS = 50;

function setUp(options: Partial<HandlerOptions> = {}) {
  const clock = new FakeClock();
  const drainer = new Drainer(clock, 30_000);
  const accounting = new RequestAccounting(0);
  const warnings: string[] = [];
  const app = { ready: true, evaluations: 0 };
  const metrics = new RequestMetrics('current', 8080);
  const handler = new QueueProxyHandler(
    {
      containerConcurrency: 0,
      timeoutMs: 300_000,
      responseStartTimeoutMs: 0,
      idleTimeoutMs: 0,
      ...options,
    },
    {
      clock,
      logger: { ...silentLogger, warn: (_fields, message) => warnings.push(message) },
      app: { host: '127.0.0.1', port: 8080 },
      accounting,
      drainer,
      isAppReady: async () => {
        app.evaluations += 1;
        return app.ready;
      },
      observer: new TelemetryObserver({ clock, log: null, metrics, tracer: null }),
      readSockstat: () => '',
    },
  );
  const send = (request: FakeRequest = {}) => new ScriptedExchange(handler, request).arrive();
  return { clock, drainer, accounting, warnings, app, metrics, handler, send };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const answer = (exchange: ScriptedExchange) => [
  exchange.responseStatus,
  exchange.answerHeaders,
  exchange.answerBody,
];
const kubelet = { 'user-agent': 'kube-probe/1.33' };

describe('probes', () => {
  const rows: { name: string; headers: Record<string, string>; ready: boolean; want: unknown[] }[] =
    [
      {
        name: 'health check, app ready',
        headers: { ...kubelet, 'k-network-probe': 'queue' },
        ready: true,
        want: [200, TEXT, 'queue'],
      },
      {
        name: 'health check, app not ready',
        headers: { ...kubelet, 'k-network-probe': 'queue' },
        ready: false,
        want: [503, '', ''],
      },
      {
        name: 'health check without K-Network-Probe',
        headers: kubelet,
        ready: true,
        want: [400, PLAIN, 'unexpected probe header value: \n'],
      },
      {
        name: 'health check with another value',
        headers: { 'user-agent': 'Knative-Activator-Probe', 'k-network-probe': 'probe' },
        ready: true,
        want: [400, PLAIN, 'unexpected probe header value: probe\n'],
      },
      {
        name: 'network probe with hash',
        headers: { 'k-network-probe': 'probe', 'k-network-hash': 'abc' },
        ready: true,
        want: [200, 'K-Network-Hash: abc\r\n', ''],
      },
      {
        name: 'network probe without hash',
        headers: { 'k-network-probe': 'probe' },
        ready: true,
        want: [400, PLAIN, 'a probe request must contain a non-empty "K-Network-Hash" header\n'],
      },
    ];

  it.each(rows)('QP-21: $name', async ({ headers, ready, want }) => {
    const { app, handler, accounting, send } = setUp({ containerConcurrency: 1 });
    app.ready = ready;
    const exchange = send({ headers, method: 'POST', target: '/any/path' });
    await turn();
    expect(answer(exchange)).toEqual(want);
    expect(handler.inFlight).toBe(0);
    expect(accounting.report(1000).requestCount).toBe(0);
  });

  it.each(rows)('QP-21: while draining, $name is told so', ({ headers }) => {
    const { drainer, app, send } = setUp();
    void drainer.drain();
    expect(answer(send({ headers }))).toEqual([503, PLAIN, 'shutting down\n']);
    expect(app.evaluations).toBe(0);
  });

  it('a prober that went away before the answer is no problem', async () => {
    const { send } = setUp();
    const exchange = send({ headers: { ...kubelet, 'k-network-probe': 'queue' } });
    exchange.clientLeaves();
    await turn();
    expect(exchange.responseStatus).toBe(0);
  });

  it.each([
    {
      name: 'K-Kubelet-Probe alone',
      headers: { 'k-kubelet-probe': '1' },
      counted: 0,
      gated: false,
    },
    {
      name: 'K-Network-Probe: queue without a health-check user agent',
      headers: { 'k-network-probe': 'queue' },
      counted: 1,
      gated: true,
    },
    {
      name: 'an unknown K-Network-Probe',
      headers: { 'k-network-probe': 'x' },
      counted: 1,
      gated: true,
    },
    {
      name: 'an ingress user agent',
      headers: { 'user-agent': 'Knative-Ingress-Probe' },
      counted: 1,
      gated: true,
    },
    {
      name: 'Kube-Probe in capitals',
      headers: { 'user-agent': 'Kube-Probe/1' },
      counted: 1,
      gated: true,
    },
  ])('QP-22: $name is forwarded', ({ headers, counted, gated }) => {
    const { handler, accounting, send } = setUp({ containerConcurrency: 1 });
    const exchange = send({ headers });
    expect(exchange.forwarded).not.toBeNull();
    expect(handler.gate?.inFlight).toBe(gated ? 1 : 0);
    exchange.appAnswers(200);
    exchange.appEnds();
    expect(accounting.report(1000).requestCount).toBe(counted);
  });

  it('QP-34: kubelet probes reach a full app concurrently', () => {
    const { send } = setUp({ containerConcurrency: 1 });
    const exchanges = [1, 2, 3].map(() => send({ headers: { 'k-kubelet-probe': 'x' } }));
    expect(exchanges.every(({ forwarded }) => forwarded !== null)).toBe(true);
  });
});

describe('concurrency limit', () => {
  it('QP-28: with one slot, requests two to eleven wait and the twelfth is refused', () => {
    const { handler, send } = setUp({ containerConcurrency: 1 });
    const exchanges = Array.from({ length: 12 }, () => send());
    expect(exchanges.map(({ forwarded }) => forwarded !== null).indexOf(false)).toBe(1);
    expect(answer(exchanges[11]!)).toEqual([503, PLAIN, 'pending request queue full\n']);
    for (const exchange of exchanges.slice(0, 11)) {
      expect(exchange.forwarded).not.toBeNull();
      exchange.appAnswers(200);
      exchange.appEnds();
    }
    expect([handler.gate?.inFlight, handler.gate?.waiting, handler.inFlight]).toEqual([0, 0, 0]);
  });

  it('QP-29: a client that leaves the queue gives its place back', () => {
    const { handler, send } = setUp({ containerConcurrency: 1 });
    const [first, second, third] = [send(), send(), send()];
    second!.clientLeaves();
    expect(handler.gate?.waiting).toBe(1);
    first!.appAnswers(200);
    first!.appEnds();
    expect(second!.forwarded).toBeNull();
    expect(third!.forwarded).not.toBeNull();
  });

  it('QP-30: an upgraded connection keeps its slot until it closes', () => {
    const { handler, send } = setUp({ containerConcurrency: 1 });
    const tunnel = send({ isUpgrade: true });
    tunnel.appAnswers(101);
    const waiting = send();
    expect(waiting.forwarded).toBeNull();
    expect(handler.inFlight).toBe(2);
    tunnel.appEnds();
    expect(waiting.forwarded).not.toBeNull();
    expect(handler.inFlight).toBe(1);
  });

  it('QP-35: requests through an activator count in both figures', () => {
    const { clock, accounting, send } = setUp();
    const proxied = send({ headers: { 'k-proxy-request': 'activator' } });
    const other = send({ headers: { 'k-proxy-request': 'Activator' } });
    clock.advance(1000);
    for (const exchange of [proxied, other]) {
      exchange.appAnswers(200);
      exchange.appEnds();
    }
    expect(accounting.report(1000)).toEqual({
      averageConcurrency: 2,
      averageProxiedConcurrency: 1,
      requestCount: 2,
      proxiedRequestCount: 1,
    });
  });

  it('QP-36: requests refused by the queue are counted', () => {
    const { accounting, send } = setUp({ containerConcurrency: 1 });
    for (let sent = 0; sent < 12; sent += 1) send();
    expect(accounting.report(1000).requestCount).toBe(12);
  });
});

describe('timeouts', () => {
  it('QP-49: a silent app gets the client a bare 504, and the app is let go', () => {
    const { clock, warnings, handler, send } = setUp({
      timeoutMs: 10_000,
      containerConcurrency: 1,
    });
    const exchange = send();
    clock.advance(9_999);
    expect(exchange.ended).toBe(false);
    clock.advance(1 + TIMEOUT_LATENESS_MS);
    expect(answer(exchange)).toEqual([504, TEXT, 'request timeout']);
    expect(exchange.cancelledForwards).toBe(1);
    expect(warnings).toEqual(['Request timeout: 10s']);
    expect([handler.gate?.inFlight, handler.inFlight]).toEqual([0, 0]);
  });

  it('QP-9: a total timeout of zero expires at once', () => {
    const { accounting, handler, send } = setUp({ timeoutMs: 0, containerConcurrency: 1 });
    const exchange = send();
    expect(exchange.responseStatus).toBe(504);
    expect(exchange.forwarded).toBeNull();
    expect(handler.inFlight).toBe(0);
    expect(accounting.concurrency).toBe(0);
  });

  it('QP-18: waiting in the queue counts, and the place is given back', () => {
    const { clock, handler, send } = setUp({ timeoutMs: 2_000, containerConcurrency: 1 });
    const running = send();
    clock.advance(1_500);
    const waiting = send();
    clock.advance(500 + TIMEOUT_LATENESS_MS);
    expect(running.responseStatus).toBe(504);
    // The slot of the one that timed out went to the one that waited.
    expect(waiting.forwarded).not.toBeNull();
    clock.advance(1_500);
    expect(waiting.responseStatus).toBe(504);
    expect([handler.gate?.inFlight, handler.gate?.waiting]).toEqual([0, 0]);
  });

  it('QP-48: response start fires only before the first write', () => {
    const options = { timeoutMs: 20_000, responseStartTimeoutMs: 7_000 };
    const { clock, warnings, send } = setUp(options);
    const [late, early] = [send(), send()];
    clock.advance(4_000);
    early.appAnswers(200);
    clock.advance(3_000 + TIMEOUT_LATENESS_MS);
    expect(late.responseStatus).toBe(504);
    expect(warnings).toEqual(['Response start timeout: 7s']);
    clock.advance(5_000);
    expect(early.ended).toBe(false);
    early.appEnds();
    expect(early.outcome).toBe(Outcome.COMPLETE);
  });

  it('QP-56: an answer that starts before R and ends after it completes', () => {
    const { clock, send } = setUp({ responseStartTimeoutMs: 50 });
    const exchange = send();
    exchange.appAnswers(200);
    clock.advance(60);
    exchange.appEnds();
    expect(exchange.outcome).toBe(Outcome.COMPLETE);
    clock.advance(1_000);
  });

  it('QP-48: the idle timeout restarts with every write', () => {
    const { clock, warnings, send } = setUp({ idleTimeoutMs: 5_000 });
    const exchange = send();
    exchange.appAnswers(200);
    for (let write = 0; write < 10; write += 1) {
      clock.advance(4_000);
      exchange.appSends(10);
    }
    expect(exchange.ended).toBe(false);
    clock.advance(5_000 + TIMEOUT_LATENESS_MS);
    expect(warnings).toEqual(['Idle timeout: 5s']);
    expect(exchange.outcome).toBe(Outcome.ABORTED);
  });

  it('Q-2: a timeout after the answer started cuts the connection', () => {
    const { clock, send } = setUp({ timeoutMs: 3_000 });
    const exchange = send();
    exchange.appAnswers(200);
    clock.advance(3_000 + TIMEOUT_LATENESS_MS);
    expect(exchange.outcome).toBe(Outcome.ABORTED);
  });

  it.each([
    { name: 'R', options: { responseStartTimeoutMs: 10_000 } },
    { name: 'I', options: { idleTimeoutMs: 10_000 } },
  ])('Q-3: on a tunnel $name counts what the app sends, not the 101', ({ options }) => {
    const { clock, send } = setUp(options);
    const [silent, talking] = [send({ isUpgrade: true }), send({ isUpgrade: true })];
    silent.appAnswers(101);
    talking.appAnswers(101);
    clock.advance(2_000);
    talking.appSends(5);
    clock.advance(8_000 + TIMEOUT_LATENESS_MS);
    expect(silent.outcome).toBe(Outcome.ABORTED);
    expect(talking.ended).toBe(false);
  });

  it('QP-53: T ends a tunnel however busy it is', () => {
    const { clock, send } = setUp({ timeoutMs: 10_000 });
    const tunnel = send({ isUpgrade: true });
    tunnel.appAnswers(101);
    for (let second = 0; second < 9; second += 1) {
      clock.advance(1_000);
      tunnel.appSends(1);
    }
    expect(tunnel.ended).toBe(false);
    clock.advance(1_000 + TIMEOUT_LATENESS_MS);
    expect(tunnel.outcome).toBe(Outcome.ABORTED);
  });

  // Times in seconds; null = never. Status 0 = the answer had started and was cut.
  it.each([
    { T: 10, R: 0, I: 0, first: 2, want: 200 },
    { T: 10, R: 0, I: 0, first: 12, want: 504 },
    { T: 10, R: 7, I: 0, first: 4, want: 200 },
    { T: 20, R: 7, I: 0, first: 15, want: 504 },
    { T: 10, R: 0, I: 5, first: 2, want: 200 },
    { T: 15, R: 0, I: 7, first: 20, want: 504 },
  ])('QP-57: T=$T R=$R I=$I, first byte after $first s: $want', ({ T, R, I, first, want }) => {
    const { clock, send } = setUp({
      timeoutMs: T * 1000,
      responseStartTimeoutMs: R * 1000,
      idleTimeoutMs: I * 1000,
    });
    const exchange = send();
    clock.advance(first * 1000);
    if (!exchange.ended) {
      exchange.appAnswers(200);
      exchange.appEnds();
    }
    expect(exchange.responseStatus).toBe(want);
  });
});

describe('forwarding', () => {
  it('QP-65, QP-67: routing headers go and the peer is appended', () => {
    const edits = setUp().send().forwarded!;
    expect([...edits.drop].sort()).toEqual([
      'knative-serving-namespace',
      'knative-serving-revision',
    ]);
    expect([edits.add, edits.host, edits.forwardedFor]).toEqual(['', null, true]);
  });

  it('QP-66: K-Original-Host becomes the host and goes', () => {
    const edits = setUp().send({ headers: { 'k-original-host': 'a.example' } }).forwarded!;
    expect(edits.host).toBe('a.example');
    expect(edits.drop.has('k-original-host')).toBe(true);
  });

  it('QP-66: the host is not restored for K-Kubelet-Probe requests', () => {
    const headers = { 'k-original-host': 'a.example', 'k-kubelet-probe': '1' };
    expect(setUp().send({ headers }).forwarded!.host).toBeNull();
  });

  it('QP-90: Forwarded is built from the other three', () => {
    const headers = {
      'x-forwarded-for': '1.2.3.4, ::1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'ex.com',
    };
    const edits = setUp().send({ headers }).forwarded!;
    expect(edits.add).toBe('Forwarded: for=1.2.3.4;host=ex.com;proto=https, for="[::1]"\r\n');
    expect(setUp().send({ headers: { ...headers, forwarded: 'for=x' } }).forwarded!.add).toBe('');
  });

  it('QP-82: a failure is a 502 plain error with its text', () => {
    const { handler, send } = setUp({ containerConcurrency: 1 });
    const exchange = send();
    const message = 'dial tcp 127.0.0.1:8080: connect: connection refused';
    exchange.appFails({ code: FailureCode.CONNECT_REFUSED, sent: false, message });
    expect(answer(exchange)).toEqual([502, PLAIN, `${message}\n`]);
    expect(handler.gate?.inFlight).toBe(0);
  });

  it('QP-142: durations run from the slot to the end, by status; breaks are 500, probes absent', () => {
    const { clock, metrics, send } = setUp({ containerConcurrency: 1 });
    const [first, second] = [send(), send()];
    clock.advance(1000);
    first!.appAnswers(404);
    first!.appEnds();
    clock.advance(250);
    second!.appAnswers(200);
    second!.appBreaks();
    const probe = send({ headers: { 'k-kubelet-probe': '1' } });
    probe.appAnswers(204);
    probe.appEnds();
    const text = renderPrometheus(metrics.snapshot());
    const label = (status: number) => `http_response_status_code="${status}"`;
    expect(text).toMatch(
      new RegExp(`invocation_duration_seconds_sum\\{${label(404)}[^}]*\\} 1\\n`),
    );
    expect(text).toMatch(
      new RegExp(`invocation_duration_seconds_sum\\{${label(500)}[^}]*\\} 0.25\\n`),
    );
    expect(text).not.toContain(`invocation_duration_seconds_sum{${label(204)}`);
  });
});

describe('bookkeeping', () => {
  it('QP-113: ordinary requests restart the quiet period, probes do not', async () => {
    const { clock, drainer, send } = setUp();
    let ended = false;
    void drainer.drain().then(() => {
      ended = true;
    });
    clock.advance(20_000);
    send();
    clock.advance(20_000);
    send({ headers: kubelet });
    send({ headers: { 'k-network-probe': 'probe', 'k-network-hash': 'h' } });
    await turn();
    expect(ended).toBe(false);
    clock.advance(10_000);
    await turn();
    expect(ended).toBe(true);
  });

  it('whenDone waits for requests and tunnels', async () => {
    const { handler, send } = setUp();
    const [request, tunnel] = [send(), send({ isUpgrade: true })];
    tunnel.appAnswers(101);
    let done = false;
    const all = handler.whenDone().then(() => {
      done = true;
    });
    request.appAnswers(200);
    request.appEnds();
    await turn();
    expect(done).toBe(false);
    tunnel.appEnds();
    await all;
  });

  it('QP-47: a relayed 1xx is a write', () => {
    const { clock, handler, send } = setUp({ responseStartTimeoutMs: 1_000 });
    const exchange = send();
    handler.onInterimHead(exchange);
    clock.advance(5_000);
    expect(exchange.ended).toBe(false);
  });

  it('every context has the same shape, whatever happened to it', () => {
    setFlagsFromString('--allow-natives-syntax');
    const haveSameMap = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (
      a: unknown,
      b: unknown,
    ) => boolean;
    const { clock, send } = setUp({ containerConcurrency: 1, idleTimeoutMs: 1000 });
    // The first object of a class settles the representation of its fields.
    send().clientLeaves();
    const contexts = [
      send(),
      send({ headers: { 'k-proxy-request': 'activator' } }),
      send({ headers: { 'k-kubelet-probe': '1' } }),
      send({ isUpgrade: true }),
    ];
    contexts[0]!.appAnswers(200);
    contexts[0]!.appSends(1);
    clock.advance(1500);
    const [first, ...rest] = contexts.map(({ context }) => context);
    expect(first).toBeInstanceOf(RequestContext);
    for (const other of rest) expect(haveSameMap(first, other)).toBe(true);
  });

  it('whatever clients and app do, nothing is kept and the app never sees too many', () => {
    const action = fc.constantFrom(
      'arrive',
      'arrive',
      'arrive upgrade',
      'arrive probe',
      'answer',
      'send',
      'end',
      'end',
      'break',
      'fail',
      'leave',
      'wait',
    );
    const step = fc.tuple(action, fc.nat(50));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3 }),
        fc.array(step, { maxLength: 150 }),
        (cc, steps) => {
          const { clock, handler, accounting, send } = setUp({
            containerConcurrency: cc,
            timeoutMs: 2_000,
            responseStartTimeoutMs: 1_500,
            idleTimeoutMs: 1_000,
          });
          const exchanges: ScriptedExchange[] = [];
          for (const [what, pick] of steps) {
            perform(
              what,
              exchanges,
              exchanges.filter(({ ended }) => !ended),
              pick,
            );
            const inside = exchanges.filter(
              ({ ended, forwarded, context }) =>
                !ended &&
                forwarded !== null &&
                ((context as RequestContext).flags & RequestFlag.BYPASS) === 0,
            );
            if (cc > 0) expect(inside.length).toBeLessThanOrEqual(cc);
            if (cc > 0) expect(handler.gate!.inFlight).toBe(inside.length);
            expect(handler.inFlight).toBe(exchanges.filter(({ ended }) => !ended).length);
          }
          // Everything times out in the end, so everything must come back.
          clock.advance(3_000);
          expect(exchanges.every(({ ended }) => ended)).toBe(true);
          expect([handler.inFlight, accounting.concurrency]).toEqual([0, 0]);
          if (cc > 0) expect([handler.gate!.inFlight, handler.gate!.waiting]).toEqual([0, 0]);

          function perform(
            what: string,
            all: ScriptedExchange[],
            alive: ScriptedExchange[],
            index: number,
          ): void {
            if (what === 'arrive') all.push(send());
            else if (what === 'arrive upgrade') all.push(send({ isUpgrade: true }));
            else if (what === 'arrive probe')
              all.push(send({ headers: { 'k-kubelet-probe': '1' } }));
            else if (what === 'wait') clock.advance(index * 10);
            else {
              const one = alive[index % Math.max(1, alive.length)];
              if (one !== undefined) play(what, one);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  function play(what: string, one: ScriptedExchange): void {
    if (what === 'leave') one.clientLeaves();
    else if (one.forwarded === null) return;
    else if (what === 'answer' && !one.responseStarted) one.appAnswers(one.isUpgrade ? 101 : 200);
    else if (what === 'send' && one.responseStarted) one.appSends(1);
    else if (what === 'end' && one.responseStarted) one.appEnds();
    else if (what === 'break' && one.responseStarted) one.appBreaks();
    else if (what === 'fail' && !one.responseStarted) {
      one.appFails({ code: FailureCode.CLOSED, sent: true, message: 'EOF' });
    }
  }
});
