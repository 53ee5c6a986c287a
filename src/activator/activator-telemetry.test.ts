// What is seen of requests in the activator: metrics under both sets of names, request log, spans,
// the phases of a wake. Handler and throttlers as in production, no sockets, time in the test's
// hand.

import { describe, expect, it } from 'vitest';
import type { Revision } from '../api/serving.ts';
import type { Informer } from '../kube/types.ts';
import { FailureCode } from '../proxy/types.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { renderPrometheus } from '../telemetry/prometheus-text.ts';
import { ActivatorTelemetry } from './activator-telemetry.ts';
import { directoryOf } from './observed-revision.ts';
import type { MetricNames } from './revision-metrics.ts';
import { ActivatorHarness, revision, settle } from './testing/harness.ts';

const POD = '10.0.0.1:8012';
const METRICS = { 'metrics-protocol': 'prometheus' };
const TRACES = { 'tracing-protocol': 'stdout' };
const LOG = {
  'logging.enable-request-log': 'true',
  'logging.request-log-template':
    '{{.Revision.Namespace}}/{{.Revision.Name}} {{.Revision.Service}} {{.Response.Code}} ' +
    '[{{.Revision.PodName}}]',
};

function observed(config: Record<string, string>, metricNames: MetricNames = 'current') {
  const harness = new ActivatorHarness();
  const lines: string[] = [];
  const errors: object[] = [];
  const labels = {
    'serving.knative.dev/service': 'shop',
    'serving.knative.dev/configuration': 'shop-config',
  };
  const known = { ...revision('hello'), metadata: { name: 'hello', namespace: 'default', labels } };
  const removals: ((current: Revision | null, previous: Revision | null) => void)[] = [];
  const revisions = {
    lister: { get: (_namespace: string, name: string) => (name === 'hello' ? known : undefined) },
    onChange(handler: (current: Revision | null, previous: Revision | null) => void) {
      removals.push(handler);
      return () => undefined;
    },
  } as unknown as Informer<Revision>;
  const telemetry = new ActivatorTelemetry(
    {
      config,
      metricNames,
      podName: 'activator-0',
      resource: [],
      variables: {},
      output: { write: (line) => void lines.push(line.trimEnd()) },
    },
    {
      revisions: directoryOf(revisions),
      clock: harness.clock,
      logger: { ...silentLogger, error: (fields) => void errors.push(fields) },
      random: () => 0.5,
    },
  );
  const attach = (): void => {
    harness.handler.observer = telemetry.observer.isNeeded ? telemetry.observer : null;
  };
  telemetry.onChange = attach;
  attach();
  harness.reporter.onReport = ({ namespace, name }, average) =>
    telemetry.noteConcurrency(namespace, name, average);
  const page = (): string =>
    renderPrometheus(
      telemetry.snapshot({
        forwards: harness.handler.counts,
        isConnected: true,
        lostConnections: 2,
        rejected: 0,
      }),
    );
  const forget = (): void => removals[0]?.(null, known as Revision);
  return { harness, telemetry, lines, errors, page, forget };
}

const SET =
  'k8s_namespace_name="default",kn_configuration_name="shop-config",kn_revision_name="hello",' +
  'kn_service_name="shop"';

describe('metrics of the activator', () => {
  it('ACT-201 to ACT-203: HTTP sets with the revision, queued and active as they are', () => {
    const { harness, page } = observed(METRICS);
    const throttler = harness.add('hello', { containerConcurrency: 1 });
    throttler.setPods([POD]);
    const first = harness.request('hello');
    harness.request('hello');
    expect(page()).toMatch(/^kn_revision_request_queued\{.*kn_revision_name="hello".*\} 1$/m);
    expect(page()).toMatch(/^kn_revision_request_active\{.*kn_revision_name="hello".*\} 1$/m);
    harness.clock.advance(40);
    first.finish();
    const text = page();
    expect(text).toMatch(/^kn_revision_request_queued\{.*\} 0$/m);
    const count = /^http_server_request_duration_seconds_count\{(.*)\} 1$/m.exec(text)?.[1];
    expect(count).toContain('http_response_status_code="200"');
    expect(count).toContain('server_address="hello.default.example.com"');
    for (const label of SET.split(',')) expect(count).toContain(label);
    const sent = /^http_client_request_duration_seconds_count\{(.*)\} 1$/m.exec(text)?.[1];
    expect(sent).toContain('server_address="10.0.0.1"');
    expect(sent).toContain('server_port="8012"');
    expect(text).toMatch(/^http_server_request_duration_seconds_bucket\{.*le="0.05"\} 1$/m);
    expect(text).toContain('kn_activator_stats_conn_reachable{');
    expect(text).toMatch(/^kn_activator_stats_conn_errors_total\{.*peer="autoscaler".*\} 2$/m);
  });

  it('ACT-16: an unknown revision is measured without one, and not logged', () => {
    const { harness, page, lines } = observed({ ...METRICS, ...LOG });
    harness.request('gone');
    const count = /^http_server_request_duration_seconds_count\{(.*)\} 1$/m.exec(page())?.[1];
    expect(count).toContain('http_response_status_code="404"');
    expect(count).not.toContain('kn_revision_name');
    expect(lines).toEqual([]);
  });

  it('ACT-133, ACT-204: concurrency is that of the last report and stays at 0', () => {
    const { harness, page } = observed(METRICS);
    harness.add('hello').setPods([POD]);
    const requests = Array.from({ length: 3 }, () => harness.request('hello'));
    const gauge = (): string =>
      /^kn_revision_request_concurrency\{.*\} (\S+)$/m.exec(page())?.[1] ?? '';
    harness.clock.advance(1_000);
    harness.reporter.report();
    expect(gauge()).toBe('2');
    harness.clock.advance(1_000);
    harness.reporter.report();
    expect(gauge()).toBe('3');
    for (const request of requests) request.finish();
    harness.clock.advance(1_000);
    harness.reporter.report();
    expect(gauge()).toBe('0');
  });

  it('ACT-207: the older names, in whole milliseconds', () => {
    const { harness, page } = observed(METRICS, 'legacy');
    harness.add('hello').setPods([POD]);
    const request = harness.request('hello');
    harness.clock.advance(15);
    request.finish();
    const text = page();
    expect(text).toMatch(/^activator_request_count\{.*response_code_class="2xx".*\} 1$/m);
    expect(text).toMatch(/^activator_request_latencies_bucket\{.*le="20"\} 1$/m);
    expect(text).toMatch(/container_name="activator"/);
    expect(text).not.toContain('http_server_request_duration');
    expect(text).not.toContain('kn_revision_request_queued');
  });

  it('a pod that gave no answer is an error type, and each attempt is one', () => {
    const { harness, page } = observed(METRICS);
    harness.add('hello').setPods([POD, '10.0.0.2:8012']);
    const request = harness.request('hello');
    request.podFails(FailureCode.CONNECT_REFUSED, false);
    request.finish();
    const text = page();
    expect(text).toMatch(
      /^http_client_request_duration_seconds_count\{.*error_type="[A-Z_]+".*\} 1$/m,
    );
    expect(text).toMatch(
      /^http_client_request_duration_seconds_count\{.*status_code="200".*\} 1$/m,
    );
    expect(text).toMatch(/^pilotlight_activator_retried_requests_total\{.*\} 1$/m);
    const other = harness.request('hello');
    other.podFails(FailureCode.RESET, true);
    expect(other.responseStatus).toBe(502);
    expect(page()).toMatch(/^pilotlight_activator_failed_requests_total\{.*\} 1$/m);
  });

  it('are gone with their revision', () => {
    const { harness, page, forget } = observed(METRICS);
    harness.add('hello').setPods([POD]);
    harness.request('hello').finish();
    expect(page()).toContain('kn_revision_name="hello"');
    forget();
    expect(page()).not.toContain('kn_revision_name="hello"');
  });
});

describe('the request log of the activator', () => {
  it('ACT-32: knows the revision and no pod; follows the map; a bad template changes nothing', () => {
    const { harness, telemetry, lines, errors } = observed({});
    harness.add('hello').setPods([POD]);
    expect(harness.handler.observer).toBeNull();
    harness.request('hello').finish();
    telemetry.configured(LOG);
    harness.request('hello').finish();
    telemetry.configured({ ...LOG, 'logging.request-log-template': '{{.Nothing' });
    harness.request('hello').podAnswers(503).finish();
    telemetry.configured({});
    harness.request('hello').finish();
    expect(lines).toEqual(['default/hello shop 200 []', 'default/hello shop 503 []']);
    expect(errors.length).toBeGreaterThan(0);
    expect(harness.handler.observer).toBeNull();
  });

  it('ACT-35: a timed out request is 504', () => {
    const { harness, lines } = observed(LOG);
    harness.add('hello', { timeoutSeconds: 1 });
    harness.request('hello');
    harness.clock.advance(1_100);
    return settle(3).then(() => expect(lines).toEqual(['default/hello shop 504 []']));
  });
});

interface PrintedSpan {
  name: string;
  spanId: string;
  parentSpanId: string;
  status: string;
  attributes: Record<string, unknown>;
}

describe('spans of the activator', () => {
  const spansOf = (lines: string[]): PrintedSpan[] =>
    lines.map((line) => JSON.parse(line) as PrintedSpan);

  it('ACT-208: throttler_try, the client inside activator_proxy, the server around both', async () => {
    const { harness, telemetry, lines } = observed(TRACES);
    harness.add('hello').setPods([POD]);
    const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const request = harness.request('hello', { traceparent: parent });
    const carried = /Traceparent: (\S+)/.exec(request.forwards[0]?.edits.add ?? '')?.[1] ?? '';
    request.finish();
    await telemetry.stop();
    const spans = spansOf(lines);
    expect(spans.map(({ name }) => name)).toEqual([
      'throttler_try',
      'GET /',
      'activator_proxy',
      'GET',
    ]);
    const [tried, client, proxy, server] = spans as [
      PrintedSpan,
      PrintedSpan,
      PrintedSpan,
      PrintedSpan,
    ];
    expect(server.parentSpanId).toBe('00f067aa0ba902b7');
    expect([tried.parentSpanId, proxy.parentSpanId]).toEqual([server.spanId, server.spanId]);
    expect(client.parentSpanId).toBe(proxy.spanId);
    expect(carried).toBe(`00-4bf92f3577b34da6a3ce929d0e0e4736-${client.spanId}-01`);
    expect(server.attributes).toMatchObject({ 'kn.revision.name': 'hello' });
  });

  it('a request that got no capacity has a failed throttler_try and no proxy', async () => {
    const { harness, telemetry, lines } = observed(TRACES);
    harness.add('hello', { timeoutSeconds: 1 });
    harness.request('hello');
    harness.clock.advance(1_100);
    await settle(3);
    await telemetry.stop();
    const names = spansOf(lines).map(({ name, status }) => `${name} ${status}`);
    expect(names).toEqual(['throttler_try Error', 'GET Error']);
  });
});

describe('a request held at zero pods', () => {
  const wake = (config: Record<string, string>, headers: Record<string, string> = {}) => {
    const all = observed(config);
    const { harness } = all;
    const throttler = harness.add('hello');
    const request = harness.request('hello', headers);
    const step = (ms: number): number => {
      harness.clock.advance(ms);
      return harness.clock.preciseNowMs();
    };
    throttler.wake.scaled(step(2), step(3));
    throttler.wake.scheduled(step(5));
    step(10);
    throttler.wake.started();
    step(20);
    throttler.setPods([POD]);
    step(4);
    request.finish();
    return { ...all, request };
  };

  it('has every phase in the histogram, in seconds since it arrived', () => {
    const text = wake(METRICS).page();
    const sum = (phase: string): number =>
      Number(
        new RegExp(
          `^pilotlight_wake_phase_seconds_sum\\{.*phase="${phase}".*\\} (\\S+)$`,
          'm',
        ).exec(text)?.[1],
      );
    expect(sum('queued')).toBe(0);
    expect(sum('decided')).toBeCloseTo(0.002);
    expect(sum('scaled')).toBeCloseTo(0.005);
    expect(sum('scheduled')).toBeCloseTo(0.01);
    expect(sum('started')).toBeCloseTo(0.02);
    expect(sum('probed')).toBeCloseTo(0.04);
    expect(sum('first byte')).toBeCloseTo(0.044);
  });

  it('gets Server-Timing only as config-observability says', () => {
    const timing = (mode: string) => ({ 'activator.server-timing': mode });
    const asking = { 'pilotlight-server-timing': '1' };
    expect(wake({}, asking).request.addedLines).toBe('');
    expect(wake(timing('off'), asking).request.addedLines).toBe('');
    expect(wake(timing('asked')).request.addedLines).toBe('');
    const line =
      'Server-Timing: queued;dur=0, reported;dur=0, decided;dur=2, scaled;dur=5, ' +
      'scheduled;dur=10, started;dur=20, probed;dur=40, first-byte;dur=44\r\n';
    expect(wake(timing('asked'), asking).request.addedLines).toBe(line);
    expect(wake(timing('always')).request.addedLines).toBe(line);
    const { errors, request } = wake(timing('sometimes'), asking);
    expect(errors).toEqual([
      { problems: ['activator.server-timing: "sometimes" is not off, asked or always'] },
    ]);
    expect(request.addedLines).toBe('');
  });

  it('has a span per phase it waited for', async () => {
    const { telemetry, lines } = wake(TRACES);
    await telemetry.stop();
    const names = lines.map((line) => (JSON.parse(line) as PrintedSpan).name);
    expect(names.filter((name) => name.startsWith('wake'))).toEqual([
      'wake decided',
      'wake scaled',
      'wake scheduled',
      'wake started',
      'wake probed',
    ]);
  });

  it('a warm request has none of it', () => {
    const { harness, page, request } = wake({ ...METRICS, 'activator.server-timing': 'always' });
    expect(request.addedLines).not.toBe('');
    const warm = harness.request('hello');
    warm.finish();
    expect(warm.addedLines).toBe('');
    expect(page()).toMatch(/^pilotlight_wake_phase_seconds_count\{.*phase="queued".*\} 1$/m);
  });
});
