// What log, metrics and traces say about requests that end in every way there is: QP-18, QP-128,
// QP-132 to QP-137, QP-142 to QP-155, with fake exchanges and fake time.

import { describe, expect, it } from 'vitest';
import { FailureCode } from '../proxy/types.ts';
import type { Span } from '../telemetry/span.ts';
import { observe } from './testing/observed-handler.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;
const REFUSED = { code: FailureCode.CONNECT_REFUSED, sent: false, message: 'refused' };

/** Value of a Prometheus line whose labels contain all of `labels`; null without such a line. */
function valueIn(page: string, name: string, ...labels: string[]): number | null {
  const line = page
    .split('\n')
    .find((text) => text.startsWith(`${name}{`) && labels.every((label) => text.includes(label)));
  return line === undefined ? null : Number(line.slice(line.lastIndexOf(' ') + 1));
}

describe('recorded answers', () => {
  it('QP-136: queue full is 503/27, in the log and the server metrics, not in the app’s', () => {
    const { lines, page, send } = observe({ containerConcurrency: 1 });
    for (let count = 0; count < 12; count += 1) send();
    expect(lines).toEqual(['503/27\n']);
    expect(valueIn(page(), 'http_server_request_duration_seconds_count', '="503"')).toBe(1);
    expect(page()).not.toContain('kn_serving_invocation');
  });

  it('QP-136: a timeout before the head is 504/15', () => {
    const { clock, lines, page, send } = observe({ timeoutMs: 1_000 });
    send();
    clock.advance(2_000);
    expect(lines).toEqual(['504/15\n']);
    expect(page()).toContain('error_type="KN_REQUEST_TIMEOUT"');
  });

  it('QP-18: a request that times out in the queue is not in the app’s metrics', () => {
    const { clock, lines, page, send } = observe({ containerConcurrency: 1, timeoutMs: 1_000 });
    send();
    send();
    clock.advance(2_000);
    expect(lines).toHaveLength(2);
    expect(valueIn(page(), 'kn_serving_invocation_duration_seconds_count')).toBe(1);
    expect(valueIn(page(), 'http_server_request_duration_seconds_count', '="504"')).toBe(2);
  });

  it('QP-136, Q-2: a timeout after the head keeps its status, with the bytes that were sent', () => {
    const { clock, lines, page, send } = observe({ timeoutMs: 1_000 });
    const exchange = send();
    exchange.appAnswers(206);
    exchange.appSends(7);
    clock.advance(2_000);
    expect(lines).toEqual(['206/7\n']);
    expect(page()).toContain(
      'kn_serving_invocation_duration_seconds_count{http_response_status_code="500"',
    );
  });

  it('QP-80, QP-136: a client that left while running is 200 with what it got', () => {
    const { lines, send } = observe();
    const exchange = send();
    exchange.clientLeaves();
    const later = send();
    later.appAnswers(404);
    later.appSends(5);
    later.clientLeaves();
    expect(lines).toEqual(['200/0\n', '404/5\n']);
  });

  it('QP-29, QP-136: a client that left while queued is 500/0', () => {
    const { lines, send } = observe({ containerConcurrency: 1 });
    send();
    send().clientLeaves();
    expect(lines).toEqual(['500/0\n']);
  });

  it('QP-89, QP-134: a WebSocket is 200/0 for the log, 101 for the client metrics', () => {
    const { lines, page, send } = observe();
    const exchange = send({ isUpgrade: true });
    exchange.appAnswers(101);
    exchange.appSends(1_000);
    exchange.appEnds();
    expect(lines).toEqual(['200/0\n']);
    expect(valueIn(page(), 'http_client_request_duration_seconds_count', '="101"')).toBe(1);
    expect(valueIn(page(), 'kn_serving_invocation_duration_seconds_count', '="200"')).toBe(1);
  });

  it('QP-79, QP-135: an app that breaks off is 500/0', () => {
    const { lines, page, send } = observe();
    const exchange = send();
    exchange.appAnswers(200);
    exchange.appSends(10);
    exchange.appBreaks();
    expect(lines).toEqual(['500/0\n']);
    expect(valueIn(page(), 'kn_serving_invocation_duration_seconds_count', '="500"')).toBe(1);
  });

  it('QP-81, Q-1: after an interim head the final status is recorded', () => {
    const { handler, lines, send } = observe();
    const exchange = send();
    handler.onInterimHead(exchange);
    exchange.appAnswers(404);
    exchange.appEnds();
    expect(lines).toEqual(['404/0\n']);
  });

  it('QP-134: a failed upgrade changes nothing about what follows', () => {
    const { lines, send } = observe();
    const exchange = send({ isUpgrade: true });
    exchange.appFails({ code: FailureCode.UPGRADE_MISMATCH, sent: true, message: 'x'.repeat(11) });
    expect(lines).toEqual(['502/12\n']);
  });
});

describe('request log', () => {
  it('QP-128: probes are logged only when asked for', async () => {
    const probes = [
      { 'user-agent': 'kube-probe/1.33', 'k-network-probe': 'queue' },
      { 'k-network-probe': 'probe', 'k-network-hash': 'h' },
      { 'k-kubelet-probe': '1' },
      { 'k-network-probe': 'other' },
    ];
    for (const logsProbes of [false, true]) {
      const { lines, send } = observe({ logsProbes });
      for (const headers of probes) {
        const exchange = send({ headers });
        await Promise.resolve();
        if (exchange.forwarded !== null) {
          exchange.appAnswers(200);
          exchange.appEnds();
        }
      }
      expect(lines).toHaveLength(logsProbes ? 4 : 0);
    }
  });

  it('QP-22: an activator’s user agent alone is no probe: logged, measured, traced', () => {
    const { lines, page, send, spans } = observe();
    send({ headers: { 'user-agent': 'Knative-Activator-Probe' } });
    expect(lines).toEqual(['400/32\n']);
    expect(valueIn(page(), 'http_server_request_duration_seconds_count', '="400"')).toBe(1);
    expect(spans.map(({ name }) => name)).toEqual(['GET']);
  });

  it('QP-137: the latency is in seconds and includes queueing', () => {
    const template = '{{.Response.Latency}}';
    const { clock, lines, send } = observe({ template, containerConcurrency: 1 });
    const first = send();
    const second = send();
    clock.advance(1_500);
    first.appAnswers(200);
    first.appEnds();
    clock.advance(0.25);
    second.appAnswers(200);
    second.appEnds();
    expect(lines).toEqual(['1.5\n', '1.50025\n']);
  });

  it('QP-132: a template that fails says so, per request', () => {
    const { clock, lines, send } = observe({ template: '{{.Request.Nope}}' });
    const exchange = send({ method: 'PUT', target: '/a?b' });
    clock.advance(20);
    exchange.appAnswers(201);
    exchange.appEnds();
    expect(lines).toEqual([
      'Invalid request log template: method: PUT, response code: 201, latency: 0.02, url: /a?b\n',
    ]);
  });
});

describe('metrics', () => {
  it('QP-143: server and client series carry the labels of OpenTelemetry', () => {
    const { page, send } = observe();
    const exchange = send({ method: 'BREW', headers: { 'knative-serving-tag': 'v2' } });
    exchange.appAnswers(200);
    exchange.appEnds();
    const scope =
      'otel_scope_name="go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",' +
      'otel_scope_schema_url="",otel_scope_version=""';
    const shared =
      'http_request_method="_OTHER",http_response_status_code="200",kn_route_tag="v2",' +
      `network_protocol_name="http",network_protocol_version="1.1",${scope}`;
    expect(page()).toContain(
      `http_server_request_body_size_bytes_count{${shared},` +
        'server_address="hello.example.com",url_scheme="http"} 1\n',
    );
    expect(page()).toContain(
      `http_client_request_duration_seconds_count{${shared},` +
        'server_address="127.0.0.1",server_port="8080",url_scheme="http"} 1\n',
    );
  });

  it('QP-143: the scheme of the server series is what the client spoke, the app gets http', () => {
    const { page, send, spans } = observe();
    const exchange = send({ isSecure: true });
    exchange.appAnswers(200);
    exchange.appEnds();
    expect(page()).toMatch(/http_server_request_duration_seconds_count\{.*url_scheme="https"\} 1/);
    expect(page()).toMatch(/http_client_request_duration_seconds_count\{.*url_scheme="http"\} 1/);
    expect(page()).not.toContain('http_request_method="_OTHER"');
    const served = spans.find(({ attributes }) => attributes.some(([name]) => name === 'url.path'));
    expect(Object.fromEntries(served!.attributes)).toMatchObject({ 'url.scheme': 'https' });
  });

  it('QP-143: a failure has an error type instead of a status', () => {
    const { page, send } = observe();
    send().appFails(REFUSED);
    const name = 'http_client_request_duration_seconds_count';
    expect(valueIn(page(), name, 'error_type="KN_UPSTREAM_REFUSED"')).toBe(1);
    expect(valueIn(page(), name, 'http_response_status_code')).toBeNull();
    expect(valueIn(page(), 'http_server_request_duration_seconds_count', '="502"')).toBe(1);
  });

  it('QP-143, QP-146: forwarded probes have client series only, without a route tag', () => {
    const { page, send } = observe();
    const exchange = send({ headers: { 'k-network-probe': 'other' } });
    exchange.appAnswers(200);
    exchange.appEnds();
    expect(page()).toContain('http_client_request_duration_seconds_count');
    expect(page()).not.toContain('kn_route_tag');
    expect(page()).not.toContain('http_server');
    expect(page()).not.toContain('kn_serving_invocation');
  });

  it('QP-142: invocations run from the slot, server requests from the arrival', () => {
    const { clock, page, send } = observe({ containerConcurrency: 1 });
    const first = send();
    const second = send();
    clock.advance(1_000);
    first.appAnswers(200);
    first.appEnds();
    clock.advance(500);
    second.appAnswers(204);
    clock.advance(250);
    second.appEnds();
    expect(valueIn(page(), 'kn_serving_invocation_duration_seconds_sum', '="204"')).toBe(0.75);
    expect(valueIn(page(), 'http_server_request_duration_seconds_sum', '="204"')).toBe(1.75);
    expect(valueIn(page(), 'http_client_request_duration_seconds_sum', '="204"')).toBe(0.5);
  });

  it.each([
    [{}, 'kn:disabled', 'DISABLED'],
    [{ 'knative-serving-default-route': 'false' }, 'kn:default', 'DEFAULT'],
    [
      { 'knative-serving-tag': 't', 'knative-serving-default-route': 'true' },
      'kn:undefined',
      'UNDEFINED',
    ],
    [{ 'knative-serving-tag': 't', 'knative-serving-default-route': 'x' }, 't', 't'],
  ])('QP-147, QP-150: the route tag of %j is %s, formerly %s', (headers, tag, older) => {
    const { page, send } = observe({ names: 'both' });
    const exchange = send({ headers });
    exchange.appAnswers(200);
    exchange.appEnds();
    expect(page()).toContain(`kn_route_tag="${tag}"`);
    expect(valueIn(page(), 'revision_request_count', `route_tag="${older}"`)).toBe(1);
  });

  it('Q-13: clients that invent hosts and tags do not make series grow for ever', () => {
    const { page, send } = observe();
    for (let count = 0; count < 300; count += 1) {
      const exchange = send({
        host: `h${count}.example.com`,
        headers: { 'knative-serving-tag': `t${count}` },
      });
      exchange.appAnswers(200);
      exchange.appEnds();
    }
    const name = 'http_server_request_duration_seconds_count';
    expect(
      page()
        .split('\n')
        .filter((line) => line.startsWith(name)),
    ).toHaveLength(63);
    expect(valueIn(page(), name, 'server_address="_OTHER"', 'kn_route_tag="_OTHER"')).toBe(238);
  });

  it('QP-148, QP-149: the older names count whole milliseconds by status and class', () => {
    const { clock, page, send } = observe({ names: 'legacy' });
    const exchange = send();
    clock.advance(5.9);
    exchange.appAnswers(404);
    exchange.appEnds();
    const labels = ['response_code="404"', 'response_code_class="4xx"'];
    expect(valueIn(page(), 'revision_request_count', ...labels)).toBe(1);
    expect(valueIn(page(), 'revision_app_request_latencies_sum', ...labels)).toBe(5);
    expect(valueIn(page(), 'revision_app_request_latencies_bucket', 'le="5"')).toBe(1);
    expect(page()).not.toContain('kn_serving');
    expect(page()).not.toContain('http_server');
  });

  it('QP-150: the older request metrics include 503, the app’s do not', () => {
    const { page, send } = observe({ names: 'legacy', containerConcurrency: 1 });
    for (let count = 0; count < 12; count += 1) send();
    expect(valueIn(page(), 'revision_request_count', '="503"')).toBe(1);
    expect(page()).not.toContain('revision_app_request');
  });
});

describe('traces', () => {
  const tree = (spans: Span[]) =>
    spans.map(({ name, parentId }) => {
      const parent = spans.find(({ spanId }) => spanId === parentId);
      return `${name} < ${parent?.name ?? (parentId || 'nothing')}`;
    });
  const served = (options = {}, headers = {}) => {
    const observed = observe(options);
    const exchange = observed.send({ headers });
    observed.clock.advance(10);
    exchange.appAnswers(200);
    observed.clock.advance(5);
    exchange.appEnds();
    return { ...observed, exchange };
  };
  const traceparent = (edits: { add: string } | null) =>
    /^Traceparent: (.*)\r\n/m.exec(edits?.add ?? '')?.[1] ?? '';

  it('QP-153: with a gate wait, client, proxy and server, each inside the next', () => {
    const { spans } = served({ containerConcurrency: 1 }, { traceparent: PARENT });
    expect(tree(spans)).toEqual([
      'kn.queueproxy.wait < kn.queueproxy.proxy',
      'HTTP GET < kn.queueproxy.wait',
      'kn.queueproxy.proxy < GET',
      'GET < 00f067aa0ba902b7',
    ]);
    expect(spans.map(({ kind }) => kind)).toEqual([1, 3, 1, 2]);
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
  });

  it('QP-153: without a gate there is no wait', () => {
    const { spans } = served();
    expect(tree(spans)).toEqual([
      'HTTP GET < kn.queueproxy.proxy',
      'kn.queueproxy.proxy < GET',
      'GET < nothing',
    ]);
    expect(spans.map(({ startMs, endMs }) => endMs - startMs)).toEqual([15, 15, 15]);
    expect(spans[0]!.startMs).toBe(1_700_000_000_000);
  });

  it('QP-153: a wait that ends in a refusal ends with the request', () => {
    const { send, spans } = observe({ containerConcurrency: 1 });
    for (let count = 0; count < 12; count += 1) send();
    expect(tree(spans)).toEqual([
      'kn.queueproxy.wait < kn.queueproxy.proxy',
      'kn.queueproxy.proxy < GET',
      'GET < nothing',
    ]);
    expect(spans.at(-1)!.isError).toBe(true);
  });

  it('QP-154: server and client say whom they served and asked', () => {
    const { send, spans } = observe();
    const exchange = send({
      target: '/a/b?secret=1',
      headers: { 'user-agent': 'curl/8', 'x-forwarded-for': '192.0.2.1, 10.0.0.1' },
    });
    exchange.appAnswers(404);
    exchange.appSends(9);
    exchange.appEnds();
    expect(Object.fromEntries(spans[0]!.attributes)).toMatchObject({
      'url.full': 'http://127.0.0.1:8080/a/b',
      'http.response.status_code': 404,
    });
    expect(Object.fromEntries(spans[2]!.attributes)).toEqual({
      'http.request.method': 'GET',
      'url.scheme': 'http',
      'url.path': '/a/b',
      'server.address': 'hello.example.com',
      'network.peer.address': '10.0.0.9',
      'network.peer.port': 40_000,
      'client.address': '192.0.2.1',
      'user_agent.original': 'curl/8',
      'network.protocol.version': '1.1',
      'http.response.status_code': 404,
      'http.response.body.size': 9,
      'kn.route.tag': 'kn:disabled',
    });
  });

  it('QP-70: the app is told about the client span, sampled or not', () => {
    const sampled = served({}, { traceparent: PARENT });
    const client = sampled.spans.find(({ name }) => name === 'HTTP GET')!;
    expect(traceparent(sampled.exchange.forwarded)).toBe(`00-${TRACE}-${client.spanId}-01`);
    expect(sampled.exchange.forwarded!.drop.has('traceparent')).toBe(true);
    expect(sampled.exchange.forwarded!.drop.has('tracestate')).toBe(false);
    const unsampled = served({ rate: 0 }, { traceparent: PARENT });
    expect(unsampled.spans).toEqual([]);
    expect(traceparent(unsampled.exchange.forwarded)).toMatch(`00-${TRACE}-`);
    expect(traceparent(unsampled.exchange.forwarded)).toMatch(/-00$/);
  });

  it('QP-70: without a valid parent a trace begins, and foreign state ends', () => {
    const { exchange, spans } = served({}, { traceparent: 'junk', tracestate: 'a=b' });
    expect(traceparent(exchange.forwarded)).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/);
    expect(exchange.forwarded!.drop.has('tracestate')).toBe(true);
    expect(spans[0]!.traceState).toBe('');
    const { spans: kept } = served({}, { traceparent: PARENT, tracestate: 'a=b' });
    expect(kept[0]!.traceState).toBe('a=b');
  });

  it('QP-155: probes create no spans and keep their headers', () => {
    const { send, spans } = observe();
    const exchange = send({ headers: { 'k-kubelet-probe': '1', traceparent: PARENT } });
    expect(traceparent(exchange.forwarded)).toBe('');
    exchange.appAnswers(200);
    exchange.appEnds();
    expect(spans).toEqual([]);
  });

  it('a failed client span names its failure and ends with it', () => {
    const { clock, send, spans } = observe();
    const exchange = send();
    clock.advance(7);
    exchange.appFails(REFUSED);
    const client = spans.find(({ name }) => name === 'HTTP GET')!;
    expect(Object.fromEntries(client.attributes)['error.type']).toBe('KN_UPSTREAM_REFUSED');
    expect(client.endMs - client.startMs).toBe(7);
    expect(client.isError).toBe(true);
  });
});
