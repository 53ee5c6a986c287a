// A request plane under observation without sockets: handler, log, metrics and spans as the sidecar
// composes them, time in the test's hand.

import { FakeClock } from '../../clock/fake-clock.ts';
import { RequestLog } from '../../proxy/observe/request-log/request-log.ts';
import { RequestAccounting } from '../../proxy/request-accounting.ts';
import { type FakeRequest, ScriptedExchange } from '../../proxy/testing/scripted-exchange.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { renderPrometheus } from '../../telemetry/prometheus-text.ts';
import type { Span } from '../../telemetry/span.ts';
import { createSampler } from '../../telemetry/trace-context.ts';
import { Drainer } from '../drainer.ts';
import { type HandlerOptions, QueueProxyHandler } from '../handler.ts';
import type { MetricNames } from '../observability.ts';
import { RequestMetrics } from '../request-metrics.ts';
import { RequestTracer } from '../request-trace.ts';
import { TelemetryObserver } from '../telemetry-observer.ts';

export interface Observed {
  readonly clock: FakeClock;
  readonly handler: QueueProxyHandler;
  readonly lines: string[];
  readonly spans: Span[];
  send(request?: FakeRequest): ScriptedExchange;
  /** Prometheus text of everything counted so far. */
  page(): string;
}

export interface ObservedOptions extends Partial<HandlerOptions> {
  template?: string;
  logsProbes?: boolean;
  names?: MetricNames;
  /** Sampling rate. */
  rate?: number;
}

export const STATUS_TEMPLATE = '{{.Response.Code}}/{{.Response.Size}}';

export function observe(options: ObservedOptions = {}): Observed {
  const { template = STATUS_TEMPLATE, logsProbes = false, names = 'current', rate = 1 } = options;
  const clock = new FakeClock();
  const lines: string[] = [];
  const spans: Span[] = [];
  let seed = 1;
  const random = () => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const metrics = new RequestMetrics(names, 8080);
  const limits = {
    containerConcurrency: 0,
    timeoutMs: 300_000,
    responseStartTimeoutMs: 0,
    idleTimeoutMs: 0,
    ...options,
  };
  const tracer = new RequestTracer({
    random,
    sampler: createSampler({ rate, isAlways: false, name: '', argument: '' }),
    offsetMs: () => clock.preciseNowMs() - clock.monotonicMs(),
    onSpan: (span) => spans.push(span),
    userPort: 8080,
    hasGate: limits.containerConcurrency >= 1,
  });
  const revision = {
    name: 'hello-00001',
    namespace: 'default',
    service: 'hello',
    configuration: 'hello',
    podName: 'pod-1',
    podIp: '10.1.2.3',
  };
  const sink = { write: (line: string) => lines.push(line) };
  const log = RequestLog.create({ template, logsProbes, revision }, sink, silentLogger);
  const handler = new QueueProxyHandler(limits, {
    clock,
    logger: silentLogger,
    app: { host: '127.0.0.1', port: 8080 },
    accounting: new RequestAccounting(0),
    drainer: new Drainer(clock, 30_000),
    isAppReady: async () => true,
    observer: new TelemetryObserver({ clock, log, metrics, tracer }),
    readSockstat: () => '',
  });
  const send = (request: FakeRequest = {}) => new ScriptedExchange(handler, request).arrive();
  const page = () => renderPrometheus(metrics.snapshot());
  return { clock, handler, lines, spans, send, page };
}
