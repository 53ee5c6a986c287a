// Sampling, batches and OTLP messages, without sockets: the transports have tests of their own.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { BatchQueue, MAX_QUEUED_ITEMS, type SendResult } from './batch-queue.ts';
import { METRICS } from './metric-definitions.ts';
import { MAX_SERIES, mergeSnapshots, observe, reading, SeriesGroup } from './metric-series.ts';
import { resolveOtlpEndpoint } from './otlp-endpoint.ts';
import { renderPrometheus } from './prometheus-text.ts';
import { createSampler, formatTraceparent, newTraceId, parseTraceparent } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('trace context', () => {
  it('QP-152: a valid traceparent is read, whatever a later version appends', () => {
    const parent = { traceId: TRACE, spanId: SPAN, isSampled: true };
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-01`)).toEqual(parent);
    expect(parseTraceparent(`01-${TRACE}-${SPAN}-01-more`)).toEqual(parent);
    expect(parseTraceparent(formatTraceparent(TRACE, SPAN, true))).toEqual(parent);
  });

  it.each([
    '',
    'invalid',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-1`,
  ])('QP-152: %j is no parent', (header) => {
    expect(parseTraceparent(header)).toBeNull();
  });

  it('identifiers are of fixed length whatever the random numbers are', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.9999999999, noNaN: true }), (value) => {
        expect(newTraceId(() => value)).toMatch(/^(?!0{32})[\da-f]{32}$/);
      }),
    );
  });
});

describe('sampler', () => {
  const none = { rate: 0, isAlways: false, name: '', argument: '' };
  const low = `${'0'.repeat(31)}1`;
  const high = 'f'.repeat(32);
  const parent = (isSampled: boolean) => ({ traceId: high, spanId: SPAN, isSampled });
  const rows: [string, Partial<typeof none>, boolean[]][] = [
    // low id, high id, high id with a sampled parent, low id with an unsampled one
    ['rate 0', {}, [false, false, false, false]],
    ['rate 1', { rate: 1 }, [true, true, true, true]],
    ['rate 0.5', { rate: 0.5 }, [true, false, true, false]],
    ['stdout', { isAlways: true }, [true, true, true, true]],
    ['ARG 0.5 over rate 0 (Q-21)', { argument: '0.5' }, [true, false, true, false]],
    ['ARG 1 over rate 0.5', { rate: 0.5, argument: '1' }, [true, true, true, true]],
    ['always_off', { rate: 1, name: 'always_off' }, [false, false, false, false]],
    ['always_on', { name: 'always_on' }, [true, true, true, true]],
    ['traceidratio', { name: 'traceidratio', argument: '0.5' }, [true, false, false, true]],
    ['parentbased_always_off', { name: 'parentbased_always_off' }, [false, false, true, false]],
    [
      'parentbased_traceidratio',
      { name: 'parentbased_traceidratio', argument: '0.5' },
      [true, false, true, false],
    ],
    ['an unknown name', { name: 'nonsense' }, [true, true, true, false]],
  ];
  it.each(rows)('QP-159: %s', (_name, change, expected) => {
    const sampler = createSampler({ ...none, ...change });
    expect([
      sampler.isSampled(low, null),
      sampler.isSampled(high, null),
      sampler.isSampled(high, parent(true)),
      sampler.isSampled(low, parent(false)),
    ]).toEqual(expected);
  });
});

describe('batch queue', () => {
  function setUp(results: SendResult[] = []) {
    const clock = new FakeClock();
    const sent: number[][] = [];
    const drops: [number, string][] = [];
    const queue = new BatchQueue<number>({
      clock,
      random: () => 1,
      send: async (items) => {
        sent.push([...items]);
        return results.shift() ?? { kind: 'sent' };
      },
      onDrop: (count, reason) => drops.push([count, reason]),
    });
    return { clock, sent, drops, queue };
  }
  const later: SendResult = { kind: 'later', afterMs: 0, reason: 'busy' };

  it('QP-157: items gather for five seconds', async () => {
    const { clock, sent, queue } = setUp();
    queue.add(1);
    await clock.advanceAsync(4_999);
    queue.add(2);
    expect(sent).toEqual([]);
    await clock.advanceAsync(1);
    expect(sent).toEqual([[1, 2]]);
  });

  it('a full batch does not wait', async () => {
    const { clock, sent, queue } = setUp();
    for (let item = 0; item < 600; item += 1) queue.add(item);
    await clock.advanceAsync(1);
    expect(sent.map((batch) => batch.length)).toEqual([512]);
    await clock.advanceAsync(5_000);
    expect(sent.map((batch) => batch.length)).toEqual([512, 88]);
  });

  it('a collector that is busy is asked again, later and later, then given up', async () => {
    const { clock, sent, drops, queue } = setUp([later, later, later, later, later]);
    queue.add(1);
    await clock.advanceAsync(5_000);
    expect(sent).toHaveLength(1);
    await clock.advanceAsync(2_000);
    expect(sent).toHaveLength(2);
    await clock.advanceAsync(2_000);
    expect(sent).toHaveLength(2);
    await clock.advanceAsync(60_000, 1_000);
    expect(sent).toHaveLength(5);
    expect(drops).toEqual([[1, 'busy']]);
    expect(queue.droppedCount).toBe(1);
  });

  it('a refused batch is not sent again', async () => {
    const { clock, sent, drops, queue } = setUp([{ kind: 'refused', reason: 'bad' }]);
    queue.add(1);
    await clock.advanceAsync(60_000, 1_000);
    expect(sent).toHaveLength(1);
    expect(drops).toEqual([[1, 'bad']]);
  });

  it('beyond the limit new items are dropped and counted', async () => {
    const { queue } = setUp([later]);
    for (let item = 0; item < MAX_QUEUED_ITEMS + 700; item += 1) queue.add(item);
    // One batch of 512 is under way, so that many more found a place.
    expect(queue.droppedCount).toBe(700 - 512);
  });

  it('QP-123: flush sends everything at once and does not wait for a busy collector', async () => {
    const { sent, drops, queue } = setUp([later]);
    queue.add(1);
    await queue.flush();
    expect(sent).toEqual([[1]]);
    expect(drops).toEqual([[1, 'busy']]);
    for (let item = 0; item < 600; item += 1) queue.add(item);
    await queue.flush();
    expect(sent.flat()).toHaveLength(601);
  });
});

describe('OTLP endpoint', () => {
  const rows: [string, Parameters<typeof resolveOtlpEndpoint>, string][] = [
    [
      'a configured base gets the path of its signal',
      ['http/protobuf', 'traces', 'http://c:4318', {}],
      'http://c:4318/v1/traces',
    ],
    [
      'a configured path stays',
      ['http/protobuf', 'metrics', 'https://c/otlp', {}],
      'https://c/otlp',
    ],
    [
      'the shared variable is a base',
      ['http/protobuf', 'traces', 'http://no', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://e:1/x/' }],
      'http://e:1/x/v1/traces',
    ],
    [
      'the variable of the signal is complete',
      ['http/protobuf', 'traces', '', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://e:1/y' }],
      'http://e:1/y',
    ],
    [
      'another signal’s variable discards the configured endpoint',
      ['http/protobuf', 'traces', 'http://no', { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://m' }],
      'http://localhost:4318/v1/traces',
    ],
    [
      'gRPC takes host and port',
      ['grpc', 'traces', 'c:4317', {}],
      'http://c:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    ],
  ];
  it.each(rows)('QP-9: %s', (_name, parameters, expected) => {
    expect(resolveOtlpEndpoint(...parameters).url.href).toBe(expected);
  });

  it('QP-9: headers, timeout and compression come from the environment', () => {
    const endpoint = resolveOtlpEndpoint('grpc', 'metrics', 'http://c', {
      OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20x,b=2',
      OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '250',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    });
    expect(endpoint.headers).toEqual({ authorization: 'Bearer x', b: '2' });
    expect([endpoint.timeoutMs, endpoint.isGzip]).toEqual([250, true]);
  });

  it.each(['ftp://c', 'http://', 'http://a b'])('%j is no endpoint', (text) => {
    expect(() => resolveOtlpEndpoint('grpc', 'traces', text, {})).toThrow(/not an http/);
  });
});

describe('metric series', () => {
  const { INVOCATION_DURATION: metric, REJECTED_REQUESTS } = METRICS;
  const group = () =>
    new SeriesGroup([metric], (key) => [['http.response.status_code', key]] as const);

  it('QP-141: a value equal to a bound belongs to that bucket', () => {
    const series = group();
    observe(series.at(200), 0, metric.bounds, 1);
    const text = renderPrometheus(series.snapshot());
    expect(text).toContain('le="0.75"} 0\n');
    expect(text).toContain('le="1"} 1\n');
  });

  it('Q-13: series beyond the limit share one', () => {
    const series = group();
    for (let key = 0; key < MAX_SERIES + 5; key += 1) series.at(key)[0]! += 1;
    const snapshot = series.snapshot();
    expect(snapshot).toHaveLength(MAX_SERIES + 1);
    expect(snapshot.at(-1)!.labels).toEqual([['otel.metric.overflow', 'true']]);
    expect(snapshot.at(-1)!.values[0]).toBe(5);
  });

  it('snapshots of threads add up by metric and labels', () => {
    const one = group();
    const two = group();
    observe(one.at(200), 0, metric.bounds, 0.5);
    observe(two.at(200), 0, metric.bounds, 0.25);
    observe(two.at(503), 0, metric.bounds, 2);
    const merged = mergeSnapshots([
      one.snapshot(),
      two.snapshot(),
      [reading(REJECTED_REQUESTS, 3)],
    ]);
    expect(merged).toHaveLength(3);
    expect(merged[0]!.values.at(-1)).toBe(0.75);
    expect(one.snapshot()[0]!.values.at(-1)).toBe(0.5);
  });
});
