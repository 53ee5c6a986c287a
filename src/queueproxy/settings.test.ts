// The environment contract of QP-9 to QP-11, and what is refused with which words.

import { describe, expect, it } from 'vitest';
import { SettingsError } from '../settings/env-reader.ts';
import { parseQueueProxySettings } from './settings.ts';
import { TEST_ENVIRONMENT } from './testing/environment.ts';

const parse = (env: Record<string, string | undefined>) =>
  parseQueueProxySettings({ ...TEST_ENVIRONMENT, ...env });

function problems(env: Record<string, string | undefined>): readonly string[] {
  try {
    parseQueueProxySettings(env);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

const without = (name: string) => ({ ...TEST_ENVIRONMENT, [name]: undefined });

describe('queue-proxy settings', () => {
  it('QP-9: timeouts are seconds, ports are numbers, defaults are those of Knative', () => {
    const settings = parseQueueProxySettings({
      ...TEST_ENVIRONMENT,
      CONTAINER_CONCURRENCY: '10',
      QUEUE_SERVING_PORT: '8012',
      REVISION_RESPONSE_START_TIMEOUT_SECONDS: '7',
      QUEUE_BIND_ADDRESS: undefined,
      QUEUE_ADMIN_PORT: undefined,
      QUEUE_STATS_PORT: undefined,
    });
    expect(settings).toMatchObject({
      containerConcurrency: 10,
      servingPort: 8012,
      tlsPort: 8112,
      userPort: 8080,
      timeoutMs: 300_000,
      responseStartTimeoutMs: 7_000,
      idleTimeoutMs: 0,
      readinessProbes: [],
      podName: 'hello-00001-abcde',
      logLevel: 'info',
      bindAddress: '',
      adminPort: 8022,
      statsPort: 9090,
      metrics: null,
      drainQuietMs: 30_000,
      probeIntervalMs: 1,
      warnings: [],
    });
    expect(Object.isFrozen(settings)).toBe(true);
  });

  it('QP-10: the first missing variable in declaration order is the message', () => {
    const order = [
      'CONTAINER_CONCURRENCY',
      'QUEUE_SERVING_PORT',
      'QUEUE_SERVING_TLS_PORT',
      'USER_PORT',
      'REVISION_TIMEOUT_SECONDS',
      'SERVING_LOGGING_CONFIG',
      'SERVING_LOGGING_LEVEL',
      'SERVING_NAMESPACE',
      'SERVING_CONFIGURATION',
      'SERVING_REVISION',
      'SERVING_POD',
      'SERVING_POD_IP',
    ];
    expect(problems({})).toEqual(order.map((name) => `required key ${name} missing value`));
    expect(() => parseQueueProxySettings({})).toThrow(
      /^required key CONTAINER_CONCURRENCY missing value$/,
    );
  });

  it('QP-9: the name of the service may be missing', () => {
    expect(problems(without('SERVING_SERVICE'))).toEqual([]);
  });

  it.each([
    ['CONTAINER_CONCURRENCY', 'ten', 'invalid syntax'],
    ['CONTAINER_CONCURRENCY', '', 'invalid syntax'],
    ['REVISION_TIMEOUT_SECONDS', '1.5', 'invalid syntax'],
    ['REVISION_IDLE_TIMEOUT_SECONDS', '', 'invalid syntax'],
    ['CONTAINER_CONCURRENCY', '99999999999', 'value out of range'],
    ['ENABLE_HTTP_FULL_DUPLEX', 'yes', 'invalid syntax'],
    ['ENABLE_HTTP2_AUTO_DETECTION', '', 'invalid syntax'],
  ])('QP-10: %s = "%s" is refused by name and text', (name, text, reason) => {
    const [problem] = problems({ ...TEST_ENVIRONMENT, [name]: text });
    expect(problem).toContain(name);
    expect(problem).toContain(`'${text}'`);
    expect(problem).toContain(reason);
  });

  it('QP-9: a required text may be empty', () => {
    const env = { ...TEST_ENVIRONMENT, SERVING_POD: '', SERVING_CONFIGURATION: '' };
    expect(problems(env)).toEqual([]);
  });

  it('all problems are listed together', () => {
    const env = { ...TEST_ENVIRONMENT, USER_PORT: 'x', QUEUE_DRAIN_QUIET_SECONDS: '-1' };
    expect(problems(env)).toEqual([
      "USER_PORT: 'x' is not a port number",
      "QUEUE_DRAIN_QUIET_SECONDS: '-1' is not a number of 0 or more",
    ]);
  });

  it('a drain quiet period may be a fraction of a second', () => {
    expect(parse({ QUEUE_DRAIN_QUIET_SECONDS: '0.25' }).drainQuietMs).toBe(250);
  });

  it('QP-11: `{}` and the all-zero configuration mean the defaults', () => {
    const zero = '{"tracing":{},"metrics":{},"runtime":{},"requestMetrics":{}}';
    for (const OBSERVABILITY_CONFIG of ['', '{}', zero]) {
      expect(parse({ OBSERVABILITY_CONFIG })).toMatchObject({ metrics: null, warnings: [] });
    }
  });

  it('QP-11: prometheus opens the metrics port, at the endpoint if one is given', () => {
    const config = (endpoint: string) =>
      JSON.stringify({ requestMetrics: { protocol: 'prometheus', endpoint } });
    expect(parse({ OBSERVABILITY_CONFIG: config(''), QUEUE_METRICS_PORT: '9191' }).metrics).toEqual(
      { host: '127.0.0.1', port: 9191 },
    );
    expect(parse({ OBSERVABILITY_CONFIG: config('0.0.0.0:9292') }).metrics).toEqual({
      host: '0.0.0.0',
      port: 9292,
    });
    const [problem] = problems({ ...TEST_ENVIRONMENT, OBSERVABILITY_CONFIG: config(':80') });
    expect(problem).toContain('1024 to 65535');
  });

  it.each([
    ['{', 'OBSERVABILITY_CONFIG'],
    ['{"requestMetrics":{"protocol":"statsd"}}', 'unsupported metrics protocol "statsd"'],
    ['{"tracing":{"protocol":"zipkin"}}', 'unsupported tracing protocol "zipkin"'],
  ])('QP-11: configuration %s is fatal', (OBSERVABILITY_CONFIG, text) => {
    expect(problems({ ...TEST_ENVIRONMENT, OBSERVABILITY_CONFIG })[0]).toContain(text);
  });

  it('QP-151: an older backend nobody replaced is named in a warning', () => {
    const { warnings } = parse({
      SERVING_REQUEST_METRICS_BACKEND: 'opencensus',
      TRACING_CONFIG_BACKEND: 'zipkin',
    });
    expect(warnings).toHaveLength(2);
  });

  it.each([
    ['', '', 'info'],
    ['debug', '', 'debug'],
    ['', '{"level":"warn"}', 'warn'],
    ['error', '{"level":"warn"}', 'error'],
    ['', 'not json', 'info'],
  ])('QP-165: level "%s" with configuration %s logs from %s', (level, zap, expected) => {
    const env = { SERVING_LOGGING_LEVEL: level, SERVING_LOGGING_CONFIG: zap };
    expect(parse(env).logLevel).toBe(expected);
  });

  it('an unknown HTTP engine is refused with one clear line', () => {
    const env = { ...TEST_ENVIRONMENT, PILOTLIGHT_HTTP_ENGINE: 'ngx' };
    expect(problems(env)).toEqual(["PILOTLIGHT_HTTP_ENGINE: 'ngx' is not net or uws"]);
  });
});

describe('SERVING_READINESS_PROBE', () => {
  const probes = (text: string, several = 'false') =>
    parse({ SERVING_READINESS_PROBE: text, ENABLE_MULTI_CONTAINER_PROBES: several })
      .readinessProbes;

  it('QP-93, QP-98: the default TCP probe is aggressive', () => {
    const text = '{"tcpSocket":{"port":8080,"host":"127.0.0.1"},"successThreshold":1}';
    expect(probes(text)).toEqual([
      {
        action: { kind: 'tcp', host: '127.0.0.1', port: 8080 },
        aggressive: true,
        timeoutMs: 0,
        successThreshold: 1,
      },
    ]);
  });

  it('QP-106: an HTTP probe keeps its query and gets one leading slash', () => {
    const text = JSON.stringify({
      httpGet: {
        path: 'health?deep=1',
        port: '8081',
        httpHeaders: [
          { name: 'X-A', value: '1' },
          { name: 'X-A', value: '2' },
        ],
      },
      periodSeconds: 5,
      timeoutSeconds: 2,
    });
    expect(probes(text)).toEqual([
      {
        action: {
          kind: 'http',
          scheme: 'http',
          host: '127.0.0.1',
          port: 8081,
          path: '/health?deep=1',
          headers: [
            ['X-A', '1'],
            ['X-A', '2'],
          ],
        },
        aggressive: false,
        timeoutMs: 2000,
        successThreshold: 1,
      },
    ]);
  });

  it('QP-96: the first handler wins; exec and nothing can never succeed', () => {
    const kinds = probes(
      '[{"exec":{},"grpc":{"port":9}},{"exec":{"command":["x"]}},{},{"grpc":{"port":"9"}}]',
      'true',
    ).map(({ action }) => (action.kind === 'impossible' ? action.reason : action.kind));
    expect(kinds).toEqual(['grpc', 'exec probe not supported', 'no probe found', 'grpc']);
  });

  it('QP-95, Q-7: nulls are skipped, and nothing left means ready', () => {
    expect(probes('[null,{"tcpSocket":{"port":1}}]', 'true')).toHaveLength(1);
    expect(probes('[null]', 'true')).toEqual([]);
    expect(probes('null')).toEqual([]);
  });

  it.each([
    ['"text"', 'false'],
    ['{', 'false'],
    ['[]', 'false'],
    ['{"tcpSocket":{"port":1}}', 'true'],
    ['{"tcpSocket":{"port":"http"}}', 'false'],
    ['{"tcpSocket":{"port":0}}', 'false'],
    ['{"httpGet":{"port":1,"scheme":"ftp"}}', 'false'],
  ])('QP-93: %s (several: %s) is fatal', (SERVING_READINESS_PROBE, several) => {
    const [problem] = problems({
      ...TEST_ENVIRONMENT,
      SERVING_READINESS_PROBE,
      ENABLE_MULTI_CONTAINER_PROBES: several,
    });
    expect(problem).toContain('Queue container failed to parse readiness probe');
  });
});
