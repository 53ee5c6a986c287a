// Telemetry of a whole sidecar on real sockets: what a collector receives (QP-157), what a scrape
// of 9091 shows (QP-139 to QP-148), what the app sees of a trace (QP-70, QP-158).

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import { createCertificateAuthority, issueServingCertificate } from '../pki/certificates.ts';
import { parseQueueProxySettings, type QueueProxySettings } from './settings.ts';
import { TEST_ENVIRONMENT } from './testing/environment.ts';
import {
  type Collector,
  startGrpcCollector,
  startHttpCollector,
} from './testing/otlp-collector.ts';
import { RawClient } from './testing/raw-client.ts';
import { atEnd, closeAll, startWithApp, until } from './testing/started-proxy.ts';

afterEach(closeAll);

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;

type Environment = Record<string, string>;

/** The settings that differ from the test environment because of these variables. */
function observability(config: object, env: Environment = {}): Partial<QueueProxySettings> {
  const text = JSON.stringify(config);
  const { observability, metrics, telemetryPodName } = parseQueueProxySettings({
    ...TEST_ENVIRONMENT,
    OBSERVABILITY_CONFIG: text,
    ...env,
  });
  return { observability, metrics, telemetryPodName };
}

async function collect(started: Promise<Collector>): Promise<Collector> {
  const collector = await started;
  atEnd(() => collector.close());
  return collector;
}

async function startTraced(collector: Collector, protocol: string, env: Environment = {}) {
  const tracing = { protocol, endpoint: collector.url, samplingRate: 1 };
  const started = await startWithApp(observability({ tracing }, env));
  started.app.answer = ({ response }) => response.writeHead(404).end('nothing');
  return started;
}

const spansOf = ({ exports }: Collector) => exports.flatMap(({ message }) => message.all(1, 2, 2));

/** Name and kind of each row of QP-140 that is not about Go. */
const INSTRUMENTS = [
  'kn_serving_invocation_duration_seconds histogram',
  'kn_serving_queue_depth gauge',
  'http_server_request_duration_seconds histogram',
  'http_server_request_body_size_bytes histogram',
  'http_server_response_body_size_bytes histogram',
  'http_client_request_duration_seconds histogram',
  'http_client_request_body_size_bytes histogram',
];

describe('traces to a collector', () => {
  for (const [protocol, start] of [
    ['http/protobuf', startHttpCollector],
    ['grpc', startGrpcCollector],
  ] as const) {
    it(`QP-156, QP-157: ${protocol} brings the spans of QP-153 with their resource`, async () => {
      const collector = await collect(start());
      const { port, clock } = await startTraced(collector, protocol);
      await RawClient.ask(port, '/a?b=c', `traceparent: ${PARENT}`, 'tracestate: x=y');
      clock.advance(5_000);
      await until(() => collector.exports.length > 0);
      const spans = spansOf(collector);
      expect(spans.map((span) => span.text(5))).toEqual(['HTTP GET', 'kn.queueproxy.proxy', 'GET']);
      const [client, proxy, server] = spans;
      expect(server!.bytes(1).toString('hex')).toBe(TRACE);
      expect(server!.bytes(4).toString('hex')).toBe('00f067aa0ba902b7');
      expect(server!.text(3)).toBe('x=y');
      expect(server!.number(6)).toBe(2n);
      expect(proxy!.bytes(4)).toEqual(server!.bytes(2));
      expect(client!.bytes(4)).toEqual(proxy!.bytes(2));
      expect(server!.number(7)).toBe(1_700_000_000_000_000_000n);
      expect(server!.attributes(9)).toMatchObject({
        'url.path': '/a',
        'http.response.status_code': 404,
        'http.response.body.size': 7,
      });
      const [resource] = collector.exports[0]!.message.all(1, 1);
      expect(resource!.attributes(1)).toMatchObject({
        'service.name': 'hello',
        'kn.revision.name': 'hello-00001',
      });
    });
  }

  it('QP-157: a collector that is busy gets the same spans again', async () => {
    const collector = await collect(startHttpCollector([503]));
    const { port, clock, logs } = await startTraced(collector, 'http/protobuf');
    await RawClient.ask(port, '/');
    clock.advance(5_000);
    await until(() => collector.exports.length === 1);
    await until(() => {
      clock.advance(100);
      return collector.exports.length === 2;
    });
    expect(spansOf(collector)).toHaveLength(6);
    expect(logs).not.toContain('spans dropped');
  });

  it('a collector that refuses costs the batch, which is logged', async () => {
    const collector = await collect(startGrpcCollector([status.INVALID_ARGUMENT]));
    const { port, clock, logs } = await startTraced(collector, 'grpc');
    await RawClient.ask(port, '/');
    clock.advance(5_000);
    await until(() => logs.includes('spans dropped'));
    expect(collector.exports).toHaveLength(1);
  });

  for (const [protocol, headers] of [
    ['http/protobuf', 'x-team=a%0Ab'],
    ['grpc', 'connection=close'],
  ] as const) {
    it(`QP-9: headers ${protocol} cannot send cost the batch, not the sidecar`, async () => {
      const collector = await collect(startHttpCollector());
      const env = { OTEL_EXPORTER_OTLP_HEADERS: headers };
      const { port, clock, logs } = await startTraced(collector, protocol, env);
      await RawClient.ask(port, '/');
      clock.advance(5_000);
      await until(() => logs.includes('spans dropped'));
      expect((await RawClient.ask(port, '/')).status).toBe(404);
      expect(collector.exports).toEqual([]);
    });
  }

  it('QP-9: the variables of OpenTelemetry win over the configured endpoint', async () => {
    const collector = await collect(startHttpCollector());
    const wrong = { ...collector, url: 'http://127.0.0.1:1' };
    const { port, clock } = await startTraced(wrong, 'http/protobuf', {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/base`,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-key=1',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_SERVICE_NAME: 'mine',
    });
    await RawClient.ask(port, '/');
    clock.advance(5_000);
    await until(() => collector.exports.length > 0);
    const [seen] = collector.exports;
    expect([seen!.path, seen!.headers['x-key']]).toEqual(['/base/v1/traces', '1']);
    expect(seen!.message.all(1, 1)[0]!.attributes(1)['service.name']).toBe('mine');
  });

  it('QP-123: what waits at shutdown still arrives', async () => {
    const collector = await collect(startHttpCollector());
    const tracing = { protocol: 'http/protobuf', endpoint: collector.url, samplingRate: 1 };
    const { app, port, proxy, clock, logs } = await startWithApp({
      ...observability({ tracing }),
      drainQuietMs: 0,
    });
    app.answer = ({ response }) => response.end();
    await RawClient.ask(port, '/');
    const over = proxy.shutdown();
    await until(() => {
      clock.advance(1);
      return logs.includes('Shutdown complete, exiting...');
    });
    // Time stands still now, so the limit of ten seconds cannot pass before the spans have arrived.
    await over;
    expect(spansOf(collector)).toHaveLength(3);
  });
});

describe('what the app sees of a trace', () => {
  const headersAt = async (change: Partial<QueueProxySettings>, ...headers: string[]) => {
    const { app, port } = await startWithApp(change);
    const seen: Record<string, unknown>[] = [];
    app.answer = ({ request, response }) => {
      seen.push(request.headers);
      response.end();
    };
    await RawClient.ask(port, '/', ...headers);
    return seen[0]!;
  };
  const tracing = { protocol: 'http/protobuf', endpoint: 'http://127.0.0.1:1', samplingRate: 0 };

  it('QP-70: with tracing on, its traceparent once; state and baggage as they came', async () => {
    const seen = await headersAt(
      observability({ tracing }),
      `traceparent: ${PARENT}`,
      'tracestate: x=y',
      'baggage: a=1',
    );
    expect(seen.traceparent).toMatch(
      new RegExp(`^00-${TRACE}-(?!00f067aa0ba902b7)[0-9a-f]{16}-00$`),
    );
    expect([seen.tracestate, seen.baggage]).toEqual(['x=y', 'a=1']);
  });

  it('QP-70: with tracing on, a trace begins where none came', async () => {
    const seen = await headersAt(observability({ tracing }));
    expect(seen.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it('QP-158: with tracing off the headers pass untouched', async () => {
    const seen = await headersAt({}, 'traceparent: whatever', 'X-B3-TraceId: 1');
    expect([seen.traceparent, seen['x-b3-traceid']]).toEqual(['whatever', '1']);
    expect((await headersAt({})).traceparent).toBeUndefined();
  });
});

describe('metrics on the wire', () => {
  const prometheus = { requestMetrics: { protocol: 'prometheus' } };

  it('QP-140, QP-144, QP-145: a scrape shows target, instruments and process', async () => {
    const env = { POD_NAME: 'pod-from-runtime' };
    const { app, port, proxy } = await startWithApp({
      ...observability(prometheus, env),
      containerConcurrency: 3,
    });
    app.answer = ({ response }) => response.end('hello');
    await RawClient.ask(port, '/');
    const { body, headers } = await RawClient.ask(proxy.ports!.metrics!, '/metrics');
    expect(headers.get('content-type')).toBe(
      'text/plain; version=0.0.4; charset=utf-8; escaping=underscores',
    );
    expect(body).toContain('k8s_pod_name="pod-from-runtime"');
    expect(body).toContain('container_name="queue-proxy"');
    for (const name of INSTRUMENTS) expect(body).toContain(`# TYPE ${name}\n`);
    expect(body).toMatch(/kn_serving_queue_depth\{[^}]*\} 0\n/);
    expect(body).toMatch(/http_server_response_body_size_bytes_sum\{[^}]*\} 5\n/);
    expect(body).toMatch(/process_resident_memory_bytes \d+/);
    expect(body).toMatch(/promhttp_metric_handler_requests_total\{code="200"\} 0\n/);
    expect(body).toMatch(/pilotlight_rejected_requests_total\{[^}]*\} 0\n/);
  });

  it('QP-148: SERVING_REQUEST_METRICS_BACKEND gives the older names', async () => {
    const env = { SERVING_REQUEST_METRICS_BACKEND: 'prometheus', SERVING_SERVICE: '' };
    const { app, port, proxy } = await startWithApp({ ...observability({}, env), service: '' });
    app.answer = ({ response }) => response.end('hello');
    await RawClient.ask(port, '/');
    const { body } = await RawClient.ask(proxy.ports!.metrics!, '/metrics');
    expect(body).toContain(
      'revision_app_request_count{configuration_name="hello",container_name="queue-proxy",' +
        'namespace_name="default",pod_name="hello-00001-abcde",response_code="200",' +
        'response_code_class="2xx",revision_name="hello-00001",service_name="unknown"} 1\n',
    );
    expect(body).not.toContain('kn_serving');
  });

  it('QP-7: refused requests are counted', async () => {
    const { port, proxy } = await startWithApp(observability(prometheus));
    const client = await RawClient.connect(port);
    client.socket.write('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
    await until(() => client.closed);
    const { body } = await RawClient.ask(proxy.ports!.metrics!, '/metrics');
    expect(body).toMatch(/pilotlight_rejected_requests_total\{[^}]*\} 1\n/);
  });

  for (const [protocol, start] of [
    ['http/protobuf', startHttpCollector],
    ['grpc', startGrpcCollector],
  ] as const) {
    it(`QP-11: ${protocol} is pushed every interval, cumulative`, async () => {
      const collector = await collect(start());
      const requestMetrics = { protocol, endpoint: collector.url, exportInterval: 2e9 };
      const { app, port, clock } = await startWithApp(observability({ requestMetrics }));
      app.answer = ({ response }) => response.end('hello');
      await RawClient.ask(port, '/');
      clock.advance(2_000);
      await until(() => collector.exports.length === 1);
      const metrics = collector.exports[0]!.message.all(1, 2, 2);
      const named = (name: string) => metrics.find((metric) => metric.text(1) === name)!;
      const [histogram] = named('http.server.response.body.size').all(9);
      const [point] = histogram!.all(1);
      expect([point!.number(4), point!.double(5), histogram!.number(2)]).toEqual([1n, 5, 2n]);
      expect(point!.bytes(6)).toHaveLength(16 * 8);
      expect(point!.attributes(9)).toMatchObject({ 'http.response.status_code': 200 });
      expect(named('process.resident.memory').text(3)).toBe('By');
    });
  }

  it('QP-9: METRICS_PROMETHEUS_TLS_* puts TLS in front of the page', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pilotlight-metrics-'));
    atEnd(() => rmSync(folder, { recursive: true, force: true }));
    const valid = { nowMs: systemClock.nowMs(), validDays: 1 };
    const authority = await createCertificateAuthority({ commonName: 'ca', ...valid });
    const hosts = ['127.0.0.1'];
    const pair = await issueServingCertificate(authority, { commonName: 'test', hosts, ...valid });
    writeFileSync(join(folder, 'tls.crt'), pair.certificatePem);
    writeFileSync(join(folder, 'tls.key'), pair.privateKeyPem);
    const env = {
      METRICS_PROMETHEUS_TLS_CERT: join(folder, 'tls.crt'),
      METRICS_PROMETHEUS_TLS_KEY: join(folder, 'tls.key'),
    };
    const { proxy } = await startWithApp(observability(prometheus, env));
    const port = proxy.ports!.metrics!;
    const body = await new Promise<string>((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path: '/metrics', ca: authority.certificatePem };
      const call = request({ ...options, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve(text));
      });
      call.on('error', reject);
      call.end();
    });
    expect(body).toContain('target_info');
  });
});
