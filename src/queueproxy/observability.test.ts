// OBSERVABILITY_CONFIG and what stands beside it (QP-9, QP-11, QP-148, QP-151).

import { describe, expect, it } from 'vitest';
import { DEFAULT_LOG_TEMPLATE } from '../proxy/observe/request-log/request-log.ts';
import { EnvReader } from '../settings/env-reader.ts';
import { type ObservabilitySettings, readObservability } from './observability.ts';

function read(
  config: unknown,
  env: Record<string, string> = {},
): ObservabilitySettings & { problems: readonly string[] } {
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  const reader = new EnvReader({ OBSERVABILITY_CONFIG: text, ...env });
  return { ...readObservability(reader), problems: reader.problems };
}

describe('observability settings', () => {
  it('QP-11: nothing is on by default', () => {
    for (const config of ['', '{}', '{"tracing":{"protocol":"none"},"unknown":1}']) {
      expect(read(config)).toMatchObject({
        prometheus: null,
        push: null,
        tracing: null,
        requestLog: null,
        profilingPort: null,
        metricNames: 'current',
        runtimeIntervalMs: 15_000,
        problems: [],
      });
    }
  });

  it('QP-11: durations are nanoseconds; 0 means a minute between pushes', () => {
    const push = (exportInterval: number, env = {}) =>
      read({ requestMetrics: { protocol: 'grpc', endpoint: 'c:1', exportInterval } }, env).push;
    expect(push(2_000_000_000)).toEqual({ protocol: 'grpc', endpoint: 'c:1', intervalMs: 2_000 });
    expect(push(0)?.intervalMs).toBe(60_000);
    expect(push(0, { OTEL_METRIC_EXPORT_INTERVAL: '500' })?.intervalMs).toBe(500);
    expect(read({ runtime: { exportInterval: 1_000_000_000 } }).runtimeIntervalMs).toBe(1_000);
  });

  it('QP-138: the request log has its default template, unless another or none is given', () => {
    const log = (more: object) => read({ enableRequestLog: true, ...more }).requestLog;
    expect(log({})).toEqual({ template: DEFAULT_LOG_TEMPLATE, logsProbes: false });
    expect(log({ requestLogTemplate: '{{.TraceID}}', enableProbeRequestLog: true })).toEqual({
      template: '{{.TraceID}}',
      logsProbes: true,
    });
    expect(log({ requestLogTemplate: '' })?.template).toBe('');
    expect(read({ requestLogTemplate: 'x' }).requestLog).toBeNull();
  });

  it.each([
    ['{', 'OBSERVABILITY_CONFIG'],
    ['[]', 'not an object'],
    [{ requestMetrics: { protocol: 'statsd' } }, 'unsupported metrics protocol "statsd"'],
    [{ requestMetrics: { protocol: 1 } }, 'protocol is not a string'],
    [{ requestMetrics: { protocol: 'grpc', exportInterval: '60s' } }, 'whole nanoseconds'],
    [{ tracing: { protocol: 'zipkin' } }, 'unsupported tracing protocol "zipkin"'],
    [{ tracing: { protocol: 'grpc', samplingRate: 2 } }, 'not a number from 0 to 1'],
    [{ runtime: { profiling: 'maybe' } }, 'unsupported runtime.profiling "maybe"'],
    [{ enableRequestLog: 'yes' }, 'enableRequestLog is not a boolean'],
    [{ requestLogTemplate: 1 }, 'requestLogTemplate is not a string'],
    [{ requestMetrics: { protocol: 'prometheus', endpoint: ':80' } }, '1024 to 65535'],
  ])('QP-11: %j is fatal', (config, text) => {
    expect(read(config).problems[0]).toContain(text);
  });

  it('QP-148, QP-151: the older variables count where the configuration says nothing', () => {
    const older = {
      SERVING_REQUEST_METRICS_BACKEND: 'prometheus',
      SERVING_ENABLE_REQUEST_LOG: 'true',
      SERVING_REQUEST_LOG_TEMPLATE: 'x',
      SERVING_ENABLE_PROBE_REQUEST_LOG: 'true',
      ENABLE_PROFILING: 'true',
    };
    expect(read('', older)).toMatchObject({
      prometheus: { host: '', port: 0 },
      metricNames: 'legacy',
      requestLog: { template: 'x', logsProbes: true },
      profilingPort: 8008,
    });
    const config = {
      requestMetrics: { protocol: 'prometheus' },
      enableRequestLog: false,
      runtime: { profiling: 'disabled' },
    };
    expect(read(config, older)).toMatchObject({
      metricNames: 'current',
      requestLog: null,
      profilingPort: null,
    });
  });

  it('QP-9: names, listener and profiling port have variables of their own', () => {
    const config = {
      requestMetrics: { protocol: 'prometheus', endpoint: '127.0.0.1:9191' },
      runtime: { profiling: 'enabled' },
    };
    const env = {
      PILOTLIGHT_METRICS_NAMES: 'both',
      METRICS_PROMETHEUS_HOST: '::1',
      METRICS_PROMETHEUS_PORT: '9292',
      PROFILING_PORT: '8009',
    };
    expect(read(config, env)).toMatchObject({
      prometheus: { host: '::1', port: 9292 },
      metricNames: 'both',
      profilingPort: 8009,
    });
    expect(read(config, { PILOTLIGHT_METRICS_NAMES: 'all' }).problems).toHaveLength(1);
  });
});
